"""What a session keeps: by bytes, the least recently used goes; what happens when memory runs out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.engine.cache import ByteCache, default_budgets
from regiondrag_widget.engine.inversion import Cancelled
from regiondrag_widget.models.memory import is_out_of_memory
from tests.unit.engine_kit import box, box_pair, counted, picture, processors_of, tiny_pipeline

SHAPE = (96, 128)
PAIRS, OTHERS = [box_pair(SHAPE, dx=40)], [box_pair(SHAPE, dx=20, dy=50)]


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def run(session: rd.ImageSession, pairs: Any, **settings: Any) -> np.ndarray:
    for _ in session.edit(pairs, **settings):
        pass
    assert session.result is not None
    return session.result.array


def assert_alike(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal but for rounding: without room keys and values come from a batch of two, not of one."""
    apart = np.abs(ours.astype(int) - theirs)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


# ---- the cache by itself ----


def filled(budget: int, *keys: tuple[str, int], size: int = 10) -> ByteCache:
    cache = ByteCache({"host": budget})
    for key in keys:
        cache.put(key, str(key), {"host": size})
    return cache


A, B, C, D = (("a", i) for i in range(4))


def test_the_least_recently_used_goes_first():
    cache = filled(30, A, B, C)
    assert cache.get(A) == str(A)
    cache.put(D, "d", {"host": 10})
    assert cache.get(B) is None
    assert cache.get(A)
    assert cache.get(C)
    assert cache.get(D)


def test_as_many_go_as_make_room():
    cache = filled(30, A, B, C)
    cache.put(D, "d", {"host": 20})
    assert cache.used("host") == 30
    assert cache.get(C) is not None


def test_the_latest_of_each_kind_stays_whatever_its_size():
    cache = filled(1, ("window", 1), ("background", 1), ("composite", 1))
    assert cache.counts() == {"window": 1, "background": 1, "composite": 1}
    cache.put(("window", 2), "", {"host": 10})
    assert cache.get(("window", 1)) is None
    assert cache.get(("background", 1)) is not None


def test_places_have_their_own_budgets():
    cache = ByteCache({"device": 10, "host": 10})
    cache.put(A, "a", {"device": 8})
    cache.put(B, "b", {"host": 8})
    assert cache.get(A)
    assert cache.get(B)
    cache.put(C, "c", {"host": 8})
    assert cache.get(A) is not None
    assert cache.get(B) is None


def test_an_entry_put_again_counts_once():
    cache = filled(100, A)
    cache.put(A, "new", {"host": 30})
    assert cache.used() == 30
    assert cache.get(A) == "new"


def test_a_kind_can_be_held_to_a_number():
    cache = filled(100, A, B, C, ("b", 0))
    cache.trim("a", 2)
    assert cache.counts() == {"a": 2, "b": 1}
    assert cache.get(A) is None


def test_shrinking_halves_the_budget_and_drops_at_once_even_the_latest():
    cache = filled(40, A, B, C)
    cache.shrink()
    assert (cache.budget("host"), cache.used()) == (20, 20)
    cache.shrink()
    cache.shrink()
    assert (cache.budget("host"), cache.used()) == (5, 0)


def test_the_default_budget_is_a_share_of_what_is_free():
    budgets = default_budgets(torch.device("cpu"))
    assert set(budgets) == {"host"}
    assert 1 << 28 <= budgets["host"] <= 1 << 33
    assert default_budgets(torch.device("cpu"), 12345) == {"host": 12345}


# ---- a session's ----


def test_the_report_tells_what_is_kept(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), max_bytes=1 << 30)
    empty = session.cache_report()
    assert (empty.budget, empty.used, dict(empty.entries), empty.keys_values) == (1 << 30, 0, {}, "")
    run(session, PAIRS)
    full = session.cache_report()
    assert full.used == session.nbytes > 0
    assert full.entries == {"window": 1, "cutout": 1, "background": 1, "composite": 1}
    assert full.keys_values == "device"


def test_a_long_drag_keeps_no_more_than_a_short_one(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE))
    sizes = []
    way = [*range(20, 60, 4), *range(60, 20, -4)]
    for dx in way * 2:  # what is kept follows the places gone to, not the number of drafts
        for _ in session.draft([box_pair(SHAPE, dx=dx)], calls=1):
            pass
        sizes.append(session.nbytes)
    assert sizes[len(way) + 5 :] == sizes[5 : len(way)]


def test_a_cache_without_room_changes_no_result(pipe: Any):
    roomy, cramped = (rd.ImageSession(pipe, picture(*SHAPE), max_bytes=b) for b in (None, 1))
    for pairs in (PAIRS, OTHERS, PAIRS):
        assert_alike(run(roomy, pairs), run(cramped, pairs))


def test_a_shrunk_cache_makes_its_room_at_once(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), max_bytes=1 << 26)
    expected = run(session, PAIRS)
    while session.cache_report().budget > session.nbytes:
        session.shrink_cache()
    session.shrink_cache()
    report = session.cache_report()
    assert report.used <= report.budget
    assert_alike(run(session, PAIRS), expected)


# ---- memory runs out ----


class Failing:
    """A network that raises the given error at its n-th call and then works again."""

    def __init__(self, pipe: Any, error: BaseException, at: int) -> None:
        self.left, self.error = at, error
        self.hook = pipe.unet.register_forward_pre_hook(self)

    def __call__(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


ERRORS = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_after_memory_ran_out_the_cache_is_half_as_large_and_the_next_draft_works(
    pipe: Any, error: BaseException, at: int
):
    session = rd.ImageSession(pipe, picture(*SHAPE), max_bytes=1 << 30)
    expected = rd.ImageSession(pipe, picture(*SHAPE))
    for _ in expected.draft(PAIRS, calls=2):
        pass
    before = processors_of(pipe.unet)
    with Failing(pipe, error, at), pytest.raises(type(error)):
        for _ in session.draft(PAIRS, calls=2):
            pass
    assert session.cache_report().budget == 1 << 29
    assert session.drafted is None
    assert processors_of(pipe.unet) == before
    for _ in session.draft(PAIRS, calls=2):
        pass
    assert np.array_equal(session.drafted.rgb, expected.drafted.rgb)


def test_running_out_of_memory_in_an_edit_keeps_the_former_result(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), max_bytes=1 << 30)
    run(session, PAIRS)
    former = session.result
    with Failing(pipe, MemoryError(), 2), pytest.raises(MemoryError):
        run(session, OTHERS)
    assert session.result is former
    assert session.cache_report().budget == 1 << 29
    run(session, OTHERS)


def test_running_out_of_memory_while_preparing_shrinks_the_cache_too(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), max_bytes=1 << 30)
    with Failing(pipe, MemoryError(), 1), pytest.raises(MemoryError):
        session.prepare()
    assert session.cache_report().budget == 1 << 29


def test_another_error_leaves_the_cache_as_it_is(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), max_bytes=1 << 30)
    with Failing(pipe, ZeroDivisionError(), 2), pytest.raises(ZeroDivisionError):
        run(session, PAIRS)
    assert session.cache_report().budget == 1 << 30


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *((error, True) for error in ERRORS),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: BaseException, expected: bool):
    assert is_out_of_memory(error) is expected


# ---- preparing can be stopped ----


def test_an_inversion_stops_between_its_batches(pipe: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("regiondrag_widget.models.unet.UNetNetwork.batch_size", lambda *_: 1)
    session = rd.ImageSession(pipe, picture(*SHAPE))
    asked = []
    with counted(pipe) as counts, pytest.raises(Cancelled):
        session.prepare(cancelled=lambda: bool(asked.append(1)) or len(asked) > 2)
    assert counts["latents"] == 2
    assert session.nbytes == 0
    session.prepare()
    assert session.nbytes > 0


def test_a_stopped_preparation_cuts_out_no_handles(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE))
    session.prepare()
    session.prepare(PAIRS, cancelled=lambda: True)
    assert session.cache_report().entries == {"window": 1}


def test_what_an_edit_refuses_preparing_refuses(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE))
    with pytest.raises(ValueError, match="the masks are 96x64"):
        session.prepare([box_pair((64, 96))])
    with pytest.raises(TypeError, match="unknown setting"):
        session.prepare(PAIRS, strength=1)


def test_windows_of_a_large_picture_give_way_to_newer_ones(pipe: Any):
    session = rd.ImageSession(pipe, picture(512, 512))
    session.prepare([rd.RegionPair.move(box((512, 512), 40, 40, 60, 60), 10, 10)])
    one = session.nbytes
    limited = rd.ImageSession(pipe, picture(512, 512), max_bytes=int(2.5 * one))
    for x, y in ((0, 0), (400, 0), (0, 400), (400, 400)):
        limited.prepare([rd.RegionPair.move(box((512, 512), x + 40, y + 40, x + 60, y + 60), 10, 10)])
    assert limited.nbytes <= 2.5 * one
    assert limited.cache_report().entries["window"] == 2


# ---- the network changes behind a session ----


def test_other_weights_invert_and_encode_anew():
    pipe = tiny_pipeline()
    session = rd.ImageSession(pipe, picture(*SHAPE))
    before = run(session, PAIRS)
    with torch.no_grad():
        for weight in (*pipe.unet.parameters(), *pipe.vae.parameters()):
            weight.mul_(1.05)
    after = run(session, PAIRS)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, run(rd.ImageSession(pipe, picture(*SHAPE)), PAIRS))
