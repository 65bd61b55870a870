"""What is told before an edit's first step: in a large picture that is most of the edit."""

from __future__ import annotations

import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget.engine.stopwatch import STAGES, Stopwatch
from tests.unit.engine_kit import box_pair, picture, tiny_pipeline

SHAPE = (3000, 4000)  # 12 megapixels


@pytest.fixture(scope="module")
def session() -> rd.ImageSession:
    """A session with a photograph of 12 megapixels."""
    rgb = np.kron(picture(150, 200), np.ones((20, 20, 1), np.uint8))
    return rd.ImageSession(tiny_pipeline(), rgb, steps=4)


def moved(dx: int) -> list[rd.RegionPair]:
    """A small handle, moved by so many pixels to the right."""
    handle = np.zeros(SHAPE, bool)
    handle[1400:1600, 1900:2100] = True
    return [rd.RegionPair.move(handle, dx, 0)]


def test_all_that_is_done_before_the_first_step_is_told_as_it_begins(session):
    told: list[object] = []
    session.progress = told.append
    told.extend(step.index for step in session.edit(moved(300)))
    words, steps = told[: len(STAGES)], told[len(STAGES) :]
    assert words == list(STAGES.values())
    assert steps == list(range(1, len(steps) + 1))


def test_what_is_kept_from_an_earlier_edit_is_not_told_again(session):
    list(session.edit(moved(300)))
    told: list[str] = []
    session.progress = told.append
    list(session.edit(moved(310)))
    assert told == [STAGES["compose"]]


def test_an_exception_in_what_is_told_ends_the_edit(session):
    def stop(words: str) -> None:
        raise InterruptedError(words)

    session.progress = stop
    with pytest.raises(InterruptedError, match=STAGES["compose"]):
        list(session.edit(moved(320)))
    session.progress = None
    list(session.edit(moved(320)))


def test_a_call_is_told_too():
    told: list[str] = []
    shape = (128, 128)
    rd.edit(picture(*shape), [box_pair(shape)], tiny_pipeline(), steps=4, progress=told.append)
    assert told == list(STAGES.values())


def test_nothing_is_told_where_nobody_listens():
    Stopwatch().begins("fill")
