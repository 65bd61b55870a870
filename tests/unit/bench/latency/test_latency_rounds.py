"""Rows measured in rounds: fair turns, warm-ups left out, failures kept apart, interrupts lose nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest
import torch

from regiondrag_widget.bench.latency.case import DRAGS, make_case, make_pairs_case
from regiondrag_widget.bench.latency.clock import Clock, Noise
from regiondrag_widget.bench.latency.growth import PAIRS_GROUP, SIZE_GROUP, pairs_rows, size_rows
from regiondrag_widget.bench.latency.levers import lever_rows
from regiondrag_widget.bench.latency.rounds import Result, Row, measure, problem_of
from regiondrag_widget.bench.latency.rows import (
    COLD,
    DRAFT,
    POINT_DRAG,
    POINT_TRAINING,
    RELEASED,
    WARM,
    edit_rows,
)
from regiondrag_widget.bench.latency.workbench import Workbench
from tests.unit.engine_kit import counted, tiny_pipeline

CPU = torch.device("cpu")


def run(rows: list[Row], repetitions: int = 4) -> list[Result]:
    results = [Result(row) for row in rows]
    clock = Clock(CPU)
    measure(results, repetitions, clock, Noise(clock))
    return results


def noting(log: list[tuple[str, int]], name: str) -> Callable[[], Callable[[int], None]]:
    return lambda: lambda i: log.append((name, i))


def test_every_round_has_every_row_and_begins_with_another():
    log: list[tuple[str, int]] = []
    rows = [Row(name, "g", noting(log, name), name, warmups=0) for name in "abc"]
    results = run(rows, 3)
    assert [name for name, _ in log] == [*"abc", *"bca", *"cab"]
    assert [len(result.seconds) for result in results] == [3, 3, 3]


def test_warm_ups_are_not_counted_and_have_numbers_below_zero():
    log: list[tuple[str, int]] = []
    (result,) = run([Row("a", "g", noting(log, "a"), "a", warmups=2)], 3)
    assert [i for _, i in log] == [-1, -2, 0, 1, 2]
    assert len(result.seconds) == 3


def test_few_repetitions_are_spread_over_the_rounds():
    log: list[tuple[str, int]] = []
    (result,) = run([Row("a", "g", noting(log, "a"), "a", most=2, warmups=0)], 6)
    assert [i for _, i in log] == [0, 3]
    assert len(result.seconds) == 2


def test_stages_and_figures_of_a_row():
    (result,) = run([Row("a", "g", lambda: lambda i: {"encode": i + 1.0}, "a", warmups=0)], 3)
    assert result.stages == {"encode": [1.0, 2.0, 3.0]}
    assert result.least is not None
    assert result.least <= (result.median or 0) <= (result.p95 or 0)
    assert result.as_json()["stages"] == {"encode": 2.0}


@pytest.mark.parametrize("when", ["prepare", "warm-up", "later"])
def test_a_row_without_memory_says_so_and_the_others_go_on(when: str):
    def prepare() -> Callable[[int], None]:
        if when == "prepare":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

        def trial(i: int) -> None:
            if (when == "warm-up") == (i < 0) and i != 0:
                raise RuntimeError(
                    "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 GB"
                )

        return trial

    failing, other = run([Row("a", "g", prepare, "a"), Row("b", "g", lambda: lambda i: None, "b")], 3)
    assert failing.problem == "out of memory"
    assert len(failing.seconds) == (1 if when == "later" else 0)
    assert len(other.seconds) == 3


def test_another_failure_is_one_short_sentence():
    assert problem_of(RuntimeError("graph broke\n  in frame 1")) == "RuntimeError: graph broke"


def test_an_interrupt_keeps_what_was_measured():
    def trial(i: int) -> None:
        if i == 2:
            raise KeyboardInterrupt

    results = [Result(Row("a", "g", lambda: trial, "a", warmups=0))]
    clock = Clock(CPU)
    with pytest.raises(KeyboardInterrupt):
        measure(results, 5, clock, Noise(clock))
    assert len(results[0].seconds) == 2


def test_the_machine_is_probed_before_every_repetition():
    clock = Clock(CPU)
    noise = Noise(clock)
    measure([Result(Row(n, "g", lambda: lambda i: None, n)) for n in "ab"], 3, clock, noise)
    assert len(noise.seconds) == 6
    assert min(noise.seconds) > 0


# ---- the real rows, on a tiny network ----


@pytest.fixture(scope="module")
def work() -> Workbench:
    return Workbench(make_case(128), lambda **options: tiny_pipeline())


LEVELS = 3


def test_the_rows_make_as_many_network_calls_as_they_say(work: Workbench):
    for row in edit_rows(work, LEVELS):
        if row.name.startswith(POINT_DRAG):
            continue  # hundreds of calls: see below
        trial = row.prepare()
        with counted(work.pipe("released" if row.name == RELEASED else "")) as counts:
            trial(1)
        assert counts["latents"] == row.calls, row.name


def test_each_repetition_of_a_row_is_another_drag(work: Workbench):
    case = make_case(128)
    assert len({case.drag(i)[0].target.tobytes() for i in range(6)}) == 6
    assert len(case.drags) == DRAGS
    warm = next(row for row in edit_rows(work, LEVELS) if row.name == WARM).prepare()
    with counted(work.pipe()) as counts:
        warm(0), warm(1), warm(2)
    assert counts["encode"] == 3  # of its composite; none came from memory


def test_the_point_drags_warm_up_is_short_and_its_steps_are_dragdiffusions(work: Workbench):
    from regiondrag_widget.bench.latency.rows import DRAG_DIFFUSION

    assert (DRAG_DIFFUSION.steps, DRAG_DIFFUSION.levels, DRAG_DIFFUSION.start) == (80, 50, 0.7)
    rows = {row.name: row for row in edit_rows(work, LEVELS)}
    drag, training = rows[POINT_DRAG], rows[POINT_TRAINING]
    with counted(work.pipe("released")) as counts:
        drag.prepare()(-1)
        assert counts["latents"] == 35 * 3 + 2
        training.prepare()(-1)
        assert counts["latents"] == 35 * 3 + 4
    assert (drag.calls, training.calls) == (35 * 3 + 80, 200)


def test_a_lever_is_compared_with_a_row_there_is(work: Workbench):
    levers = lever_rows(work, LEVELS, torch.bfloat16)
    names = {row.name for row in edit_rows(work, LEVELS)}
    assert {row.against for row in levers} <= names
    assert {"without batched inversion", "without background cache", "without bfloat16"} <= {
        row.name for row in levers
    }
    assert not any("float32" in row.what for row in lever_rows(work, LEVELS, torch.float32))


def test_a_gpu_has_levers_of_its_own(work: Workbench):
    names = {row.name for row in edit_rows(work, LEVELS)}
    levers = lever_rows(work, LEVELS, torch.float16, "cuda", small_decoder=True)
    assert len({row.name for row in levers}) == len(levers)
    assert {row.against for row in levers} <= names
    assert {"without CUDA graph", "without channels-last", "without the small decoder, draft"} <= {
        row.name for row in levers
    }


def test_every_lever_runs_and_is_off(work: Workbench):
    calls = {}
    for row in lever_rows(work, LEVELS, torch.bfloat16):
        trial = row.prepare()
        trial(0)
        with ExitStack() as stack:
            counters = [stack.enter_context(counted(pipe)) for pipe in work.pipes()]
            trial(1)
        counts = sum(counters, Counter())
        calls[row.name] = dict(counts)
    assert calls["without batched inversion"]["unet"] == 2 * LEVELS  # one picture each
    assert calls["without keys and values cache"]["latents"] == 2 * LEVELS


def test_without_its_cache_the_background_is_made_for_each_target(work: Workbench):
    kept = {row.name: row for row in edit_rows(work, LEVELS)}[WARM].prepare()
    without = {r.name: r for r in lever_rows(work, LEVELS, torch.float32)}[
        "without background cache"
    ].prepare()
    with_made, without_made = [], []
    from regiondrag_widget.engine import prepared

    real = prepared.empty
    for trial, made in ((kept, with_made), (without, without_made)):
        prepared.empty = lambda *a, made=made, **k: (made.append(1), real(*a, **k))[1]
        try:
            trial(0), trial(1)
        finally:
            prepared.empty = real
    assert len(with_made) <= 1  # for the first target, or for none where it was made ahead
    assert len(without_made) == 2


# ---- cases ----


@pytest.mark.parametrize("size", [64, 200, 640])
def test_a_case_of_any_size_keeps_its_drags_in_the_picture(size: int):
    case = make_case(size)
    assert case.picture.shape == (size, size, 3)
    share = case.drag(0)[0].handle.mean()
    assert 0.01 < share < 0.2
    for drag in case.drags:
        assert drag[0].target.sum() > 0.95 * drag[0].handle.sum()


def test_pairs_share_one_area_and_do_not_overlap():
    areas = []
    for count in (1, 2, 4, 8):
        pairs = make_pairs_case(256, count).drag(0)
        assert len(pairs) == count
        handles = np.sum([pair.handle for pair in pairs], axis=0)
        assert handles.max() == 1
        areas.append(handles.sum())
    assert max(areas) / min(areas) < 1.05


def test_growth_rows_stand_on_their_axes(work: Workbench):
    sizes, pairs = size_rows(work, 3), pairs_rows(work, 128, 3)
    assert {row.x for row in sizes} == {128, 256, 384, 512, 768, 1024}
    assert {row.x for row in pairs} == {1, 2, 4, 8}
    assert {row.what for row in sizes} == {"cold", "warm", "draft"}
    assert {row.what for row in pairs} == {"warm", "draft"}
    assert {row.group for row in [*sizes, *pairs]} == {SIZE_GROUP, PAIRS_GROUP}
    pairs[0].prepare()(0)


def test_the_names_of_the_main_rows():
    names = [row.name for row in edit_rows(Workbench(None, tiny_pipeline), LEVELS)]
    assert names[:3] == [RELEASED, COLD, WARM]
    assert DRAFT.format(2) in names
    assert "draft, 1 call" in names
