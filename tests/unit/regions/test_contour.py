"""A region that was drawn anew, bent: outline carried onto outline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from regiondrag_widget.regions import RegionPair, pixel_map
from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.contour import contour_map
from regiondrag_widget.regions.moments import moments_matrix
from regiondrag_widget.regions.overlap import overlap
from regiondrag_widget.regions.pieces import pieces
from regiondrag_widget.regions.region import Region

N = 200


def bar(x: float = 100, y: float = 100, width: float = 90, height: float = 30) -> np.ndarray:
    mask = np.zeros((N, N), np.uint8)
    box = cv2.boxPoints(((x, y), (width, height), 0))
    cv2.fillPoly(mask, [np.rint(box).astype(np.int32)], 1)
    return mask > 0


def arch(depth: float) -> tuple[np.ndarray, np.ndarray]:
    """A bar bent into an arch, and for each pixel (H, W, 2) where in the bar it came from."""
    y, x = np.mgrid[:N, :N].astype(np.float64)
    source = np.stack([x, y + depth * (((x - 100) / 45) ** 2 - 0.5)], -1)
    inside = cv2.remap(
        bar().astype(np.uint8), *(source[..., i].astype(np.float32) for i in (0, 1)), cv2.INTER_NEAREST
    )
    return inside > 0, source


def error(method: str, depth: float) -> float:
    target, truth = arch(depth)
    found = pixel_map(RegionPair(bar(), target), method=method)
    return float(np.linalg.norm(found.source_xy - truth, axis=2)[target].mean())


def affine_error(depth: float) -> float:
    target, truth = arch(depth)
    y, x = np.nonzero(target)
    matrix = moments_matrix(Region.of(bar()), Region.of(target))
    found = mx.apply(mx.inverse(matrix), np.stack([x, y], 1).astype(float))
    return float(np.linalg.norm(found - truth[y, x], axis=1).mean())


@pytest.mark.parametrize("depth", [-25, 15, 25])
@pytest.mark.parametrize("method", ["auto", "contour"])
def test_a_bent_bar_is_followed(method: str, depth: float):
    assert error(method, depth) < 2.0 < affine_error(depth)


def test_an_outline_that_a_matrix_fits_is_left_to_it():
    pair = RegionPair(bar(), bar(120, 90, 60, 40))
    assert type(pieces(pair)[0].to_source).__name__ == "partial"


def test_a_blob_drawn_again_by_an_unsteady_hand_is_hardly_bent():
    rng = np.random.default_rng(3)
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)

    def blob(x: float) -> np.ndarray:
        radius = 40 + cv2.GaussianBlur(rng.normal(0, 6, (1, 60)), (0, 0), 3, borderType=cv2.BORDER_REFLECT)[0]
        mask = np.zeros((N, N), np.uint8)
        outline = np.stack([x + radius * np.cos(angle), 100 + radius * np.sin(angle)], 1)
        cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
        return mask > 0

    for _ in range(8):
        pair = RegionPair(blob(70), blob(120))
        found = pixel_map(pair)
        y, x = np.nonzero(pair.target)
        moved = found.source_xy[y, x] - np.stack([x - 50, y], 1)
        assert np.linalg.norm(moved, axis=1).mean() < 6


def test_the_overlap_is_that_of_the_regions():
    handle, target = Region.of(bar()), Region.of(arch(25)[0])
    start = moments_matrix(handle, target)
    found = contour_map(handle, target, start)
    points = target.pixels.astype(float)
    back = np.zeros((4 * N, 4 * N), bool)
    for dx in np.arange(-0.5, 0.5, 0.125):
        for dy in np.arange(-0.5, 0.5, 0.125):
            x, y = np.floor(4 * (found(points + np.array([dx, dy])) + 0.5)).astype(int).T
            back[y, x] = True
    ours = np.kron(bar(), np.ones((4, 4), bool))
    assert found.overlap(handle, target) == pytest.approx((back & ours).sum() / (back | ours).sum(), abs=0.02)
    assert found.overlap(handle, target) > overlap(start, handle, target) + 0.05


def test_a_map_that_folds_overlaps_nothing():
    handle, target = Region.of(bar()), Region.of(bar())
    found = contour_map(handle, target, np.eye(3))
    folded = type(found)(found.centre, found.size, found.terms * [1, -1])
    assert found.overlap(handle, target) > 0.97
    assert folded.overlap(handle, target) == 0


@pytest.mark.parametrize("size", [1, 5])
def test_what_has_no_outline_to_speak_of_is_left_to_the_matrix(size: int):
    mask = np.zeros((N, N), bool)
    mask[50 : 50 + size, 50:90] = True
    found = pixel_map(RegionPair(mask, bar()), method="contour")
    assert np.isfinite(found.source_xy).all()
