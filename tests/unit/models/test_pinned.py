"""Pinned memory is taken in blocks of a power of two, filled to the last, and counted."""

from __future__ import annotations

import torch

from regiondrag_widget.models.pinned import ALIGNMENT, BLOCK, PinnedBlocks

MB = 1 << 20


def blocks() -> tuple[PinnedBlocks, list[int]]:
    taken: list[int] = []

    def allocate(size: int) -> torch.Tensor:
        taken.append(size)
        return torch.empty(size, dtype=torch.uint8)

    return PinnedBlocks(allocate), taken


def test_many_tensors_share_a_block():
    pinned, taken = blocks()
    tensors = [pinned.empty(torch.Size((3, 5, 7)), torch.float16) for _ in range(100)]
    assert taken == [BLOCK]
    for i, t in enumerate(tensors):
        t.fill_(i)
    assert all(bool((t == i).all()) for i, t in enumerate(tensors)), "none of them overlaps another"
    assert all(t.data_ptr() % ALIGNMENT == tensors[0].data_ptr() % ALIGNMENT for t in tensors)


def test_what_torch_would_round_up_is_not_lost():
    """20 tensors of 33 MB, or of 5 MB: alone each would take nearly twice its size."""
    for size in (33 * MB, 5 * MB):
        pinned, taken = blocks()
        for _ in range(20):
            pinned.empty(torch.Size((size // 4,)), torch.float32)
        assert pinned.nbytes == sum(taken)
        assert sum(taken) < 1.3 * 20 * size


def test_blocks_are_powers_of_two_which_torch_does_not_round():
    pinned, taken = blocks()
    pinned.empty(torch.Size((100 * MB,)), torch.uint8)
    pinned.empty(torch.Size((5,)), torch.uint8)
    assert all(size & (size - 1) == 0 for size in taken)
    assert taken == [512 * MB]


def test_formats_and_shapes_are_as_asked():
    pinned, _ = blocks()
    pinned.empty(torch.Size((3,)), torch.uint8)
    t = pinned.empty(torch.Size((2, 3)), torch.bfloat16)
    assert (t.dtype, tuple(t.shape), t.is_contiguous()) == (torch.bfloat16, (2, 3), True)
