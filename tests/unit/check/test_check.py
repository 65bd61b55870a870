"""``regiondrag check``: it finds what is broken, says it in words, and its exit code tells."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
import torch

from regiondrag_widget.check import checkup, drills, reference
from regiondrag_widget.check.checkup import check
from regiondrag_widget.check.drills import Bench, relative
from regiondrag_widget.check.outcome import Failed, Finding, Skipped, judged
from regiondrag_widget.cli import main
from regiondrag_widget.engine import session as sessions
from tests.unit.engine_kit import box_pair, picture, processors_of, tiny_pipeline

CPU = torch.device("cpu")
SHAPE = (96, 128)


@pytest.fixture
def bench() -> Bench:
    made = Bench(tiny_pipeline(), picture(*SHAPE), [box_pair(SHAPE)])
    made.edit()
    return made


# ---- the reference ----


def test_the_reference_is_what_the_engine_gives():
    """The engine is held to the released algorithm by other tests; this holds the file to the engine."""
    ours, theirs = reference.computed(reference.reference_pipeline(CPU, torch.float32)), reference.expected()
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        assert values.isfinite().all()
        assert relative(ours[name], values) < 1e-5, name


def test_the_reference_tells_another_edit_apart(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    real = reference.reference_pipeline

    def other(*args: Any) -> Any:
        pipe = real(*args)
        with torch.no_grad():
            pipe.unet.mid_block.attentions[0].proj_out.weight.mul_(1.05)
        return pipe

    monkeypatch.setattr(drills.reference, "reference_pipeline", other)
    with pytest.raises(Failed, match=r"from the reference: 0.0001 is allowed"):
        bench.reference(torch.float32)


def test_half_precision_is_within_what_is_allowed_for_it(bench: Bench):
    found = bench.reference(torch.bfloat16)
    assert 1e-4 < found.figures["latents"] < 0.1


# ---- each drill finds what it is for ----


def test_a_sound_model_passes_every_drill(bench: Bench):
    before = processors_of(bench.pipe.unet)
    for name, drill in checkup._drills(bench, torch.float32, False):
        outcome = judged(name, drill)
        assert outcome.state != "failed", outcome
        assert outcome.words
    assert all(processors_of(bench.pipe.unet)[name] is p for name, p in before.items())
    assert not bench.pipe.unet._forward_pre_hooks


def test_an_edit_that_is_another_each_time_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    seeds = iter(range(100))
    monkeypatch.setattr(Bench, "edited", lambda self, _: torch.full((2,), float(next(seeds) + 1)))
    with pytest.raises(Failed, match="the same edit twice differs"):
        bench.edit()


@pytest.mark.parametrize("place", ["device", "host", "recompute"])
def test_keys_and_values_that_change_the_edit_fail(bench: Bench, place: str):
    bench.usual = bench.usual * 1.01
    with pytest.raises(Failed, match=f"keys and values on {place} differs"):
        bench.keys_values(place)


def test_values_that_are_not_numbers_fail(bench: Bench):
    assert relative(torch.tensor([float("nan")]), torch.ones(1)) == float("inf")
    bench.usual = bench.usual * float("nan")
    with pytest.raises(Failed):
        bench.stop()


def test_processors_left_behind_by_a_stop_fail(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    real = sessions.ImageSession.edit

    def careless(self: Any, pairs: Any, **settings: Any) -> Any:
        steps = real(self, pairs, **settings)
        bench.pipe.unet.set_attn_processor(type(next(iter(bench.pipe.unet.attn_processors.values())))())
        return steps

    monkeypatch.setattr(sessions.ImageSession, "edit", careless)
    with pytest.raises(Failed, match="left with other attention processors"):
        bench.stop()


def test_calls_that_fall_back_fail_and_nothing_to_record_is_skipped(bench: Bench):
    with pytest.raises(Skipped, match="nothing to gain on cpu"):
        bench.accelerated("auto")
    assert bench.pipe.acceleration == "eager"


def test_calls_that_cannot_be_replayed_fail(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    from regiondrag_widget.models import unet
    from regiondrag_widget.models.graphs import Accelerator

    def record(_: Any) -> Any:
        raise RuntimeError("not on this card")

    monkeypatch.setattr(unet, "accelerator_for", lambda *_: Accelerator(record, "recorded"))
    with pytest.raises(Failed, match="made plainly: eager: not on this card"):
        bench.accelerated("auto")


def test_a_session_that_keeps_as_much_after_memory_ran_out_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sessions.ImageSession, "shrink_cache", lambda _: None)
    with pytest.raises(Failed, match="still keeps as much"):
        bench.out_of_memory()


def test_an_unexpected_error_is_a_failure_with_its_traceback():
    outcome = judged("something", lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert (outcome.state, outcome.words) == ("failed", "ZeroDivisionError: division by zero")
    assert "ZeroDivisionError" in outcome.as_json()["traceback"]


def test_a_model_that_cannot_be_loaded_ends_the_check():
    outcomes = list(check("no/such/folder/here", CPU, torch.float32))
    assert [(o.name, o.state) for o in outcomes] == [("load the model", "failed")]


# ---- the command ----


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The command with drills of the test's own."""
    drilled: list[Any] = [("an edit", lambda: Finding("0.1 s", {"cold_s": 0.1}))]

    def checked(*_: Any, **__: Any) -> Any:
        return (judged(name, drill) for name, drill in drilled)

    monkeypatch.setattr(checkup, "check", checked)
    return drilled


def test_the_exit_code_is_0_where_all_is_well(quick: list[Any], capsys: pytest.CaptureFixture[str]):
    assert main(["check", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "ok       an edit: 0.1 s" in said
    assert "torch" in said
    assert "\n1 are well, in " in said


def test_the_exit_code_is_1_where_something_fails(quick: list[Any], capsys: pytest.CaptureFixture[str]):
    def fails() -> Finding:
        raise Failed("the picture is upside down")

    quick.append(("a draft", fails))
    assert main(["check", "--device", "cpu"]) == 1
    said = capsys.readouterr().out
    assert "FAILED   a draft: the picture is upside down" in said
    assert "1 of 2 failed" in said


def test_it_is_json_when_asked(quick: list[Any], capsys: pytest.CaptureFixture[str]):
    assert main(["check", "--device", "cpu", "--dtype", "bfloat16", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["on"]["dtype"] == "bfloat16"
    assert record["on"]["ok"] is True
    assert record["checks"][0]["figures"] == {"cold_s": 0.1}
    assert record["libraries"]["torch"]


def test_a_device_that_is_not_there_is_wrong_input(capsys: pytest.CaptureFixture[str]):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert main(["check", "--device", "cuda"]) == 2
    assert "torch sees no CUDA GPU" in capsys.readouterr().err


@pytest.mark.slow
def test_the_bundled_model_passes_in_time(capsys: pytest.CaptureFixture[str]):
    begun = time.perf_counter()
    assert main(["check", "--device", "cpu", "--dtype", "float32", "--json"]) == 0
    assert time.perf_counter() - begun < 180
    record = json.loads(capsys.readouterr().out)
    assert {c["state"] for c in record["checks"]} == {"ok", "skipped"}
    names = [c["name"] for c in record["checks"]]
    assert {"an edit", "a draft", "a stop", "offload", "memory runs out"} <= set(names)
    assert np.isfinite([c["seconds"] for c in record["checks"]]).all()
