"""Seconds belong to the stage that spent them, also where a device works on after its calls return."""

from __future__ import annotations

import time
from typing import Any

import pytest

import regiondrag_widget as rd
from regiondrag_widget.engine import session as sessions
from regiondrag_widget.engine.stopwatch import Stopwatch
from tests.unit.engine_kit import box_pair, picture, tiny_pipeline


def test_a_stage_waits_for_the_device():
    """A device that takes 50 ms for what it was given in the first stage."""
    done = [0.0]

    def wait() -> None:
        time.sleep(max(0.0, done[0] - time.perf_counter()))

    clock = Stopwatch(wait)
    with clock.stage("encode"):
        done[0] = time.perf_counter() + 0.05
    with clock.stage("decode"):
        pass
    assert clock.seconds["encode"] >= 0.05
    assert clock.seconds["decode"] < 0.05
    done[0] = time.perf_counter() + 0.05
    assert clock.finish() >= 0.1


def test_a_stage_that_raises_does_not_wait():
    clock = Stopwatch(lambda: pytest.fail("waited"))
    with pytest.raises(KeyError), clock.stage("encode"):
        raise KeyError


def test_a_session_waits_for_its_network_where_a_stage_ends(monkeypatch: pytest.MonkeyPatch):
    waited: list[Any] = []
    monkeypatch.setattr(sessions, "wait_for", waited.append)
    pipe = tiny_pipeline()
    session = rd.ImageSession(pipe, picture(96, 128))
    list(session.edit([box_pair((96, 128))]))
    assert waited
    assert set(waited) == {pipe.backbone.device}
    assert {"encode", "inversion", "edit", "decode", "total"} <= set(session.timings)
    cold = len(waited)
    list(session.edit([box_pair((96, 128))]))
    assert len(waited) - cold < 10, "at the end of a stage, not at every step"
