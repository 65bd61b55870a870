"""Clicks that correct less than a superpixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.bench.select.clicks import select_by_clicks
from regiondrag_widget.select.clicking import Click, corrected, regions_at
from regiondrag_widget.select.dots import Dot, dot_for, dotted


def square(low: int, high: int) -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[low:high, low:high] = True
    return mask


def test_a_click_beside_the_outline_means_a_dot():
    mask, piece = square(10, 30), square(10, 22)
    dot = dot_for(mask, piece, 10, 15, takes=False)
    assert dot is not None
    assert 2 <= dot.radius <= 3
    after = dotted(mask, (dot,))
    assert not after[15, 10]
    assert 0 < (mask & ~after).sum() < 20
    assert not (after & ~mask).any()


def test_a_click_into_the_middle_of_a_piece_means_the_piece():
    assert dot_for(square(10, 30), square(10, 18), 14, 14, takes=False) is None


def test_a_click_that_corrects_nothing_means_no_dot():
    assert dot_for(square(10, 30), square(10, 22), 10, 15, takes=True) is None
    assert dot_for(np.zeros((40, 60), bool), square(10, 22), 10, 15, takes=True) is None  # no outline is near


def test_later_dots_lie_on_earlier_ones():
    mask = np.zeros((20, 20), bool)
    found = dotted(mask, (Dot(10, 10, 5, True), Dot(10, 10, 2, False)))
    assert found[10, 14]
    assert not found[10, 11]
    assert not mask.any()


@pytest.fixture(scope="module")
def plain() -> rd.select.Superpixels:
    """A grey disc on white: large, even superpixels."""
    ys, xs = np.mgrid[:120, :160]
    rgb = np.full((120, 160, 3), 240, np.uint8)
    rgb[(xs - 80) ** 2 + (ys - 60) ** 2 < 30**2] = 60
    return rd.select.Superpixels(rgb)


def test_each_click_is_obeyed_and_one_beside_the_outline_changes_little(plain: rd.select.Superpixels):
    first = plain.click([(80, 60)])
    after = plain.click([(80, 60), (109, 60)], [True, False])
    assert first[60, 109]
    assert not after[60, 109]
    assert (first != after).sum() < 40
    again = plain.click([(80, 60), (109, 60), (109, 60)], [True, False, True])
    assert again[60, 109]
    assert plain.candidates([(80, 60), (109, 60)], [True, False])[0].mask.sum() == after.sum()


def test_corrections_take_a_head_off_a_bird():
    (head,) = [thing for thing in load_objects("train") if thing.name == "osprey-head"]
    picture = rd.select.Superpixels(np.array(head.image()))
    assert select_by_clicks(head, picture.click, corrections=1).overlaps[-1] > 0.8

    def from_the_bird(points: Sequence[tuple[float, float]], labels: Sequence[bool]) -> np.ndarray:
        clicks = [
            Click(picture.index_at(x, y), *picture._to_work(x, y), label)
            for (x, y), label in zip(points, labels, strict=True)
        ]
        likely = regions_at(picture._pieces, clicks[0]).members
        chosen = next(m for m in likely if head.mask[picture.mask(m)].mean() < 0.1)
        for count in range(2, len(clicks) + 1):
            chosen = corrected(picture._pieces, chosen, clicks[:count]).members[0]
        return picture.mask(chosen)

    trial = select_by_clicks(head, from_the_bird, corrections=2)
    assert trial.labels == (True, False, False)  # what is selected first is the bird and more
    assert trial.overlaps[0] < 0.3
    assert trial.overlaps[-1] > 0.8
