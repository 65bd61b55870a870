"""Split a pair into parts, and choose the map of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.bend import Bend
from regiondrag_widget.regions.components import matched_components
from regiondrag_widget.regions.contour import contour_map
from regiondrag_widget.regions.mask import Points
from regiondrag_widget.regions.moments import moments_matrix
from regiondrag_widget.regions.overlap import overlap, pooled_overlap
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.polygon import polygon_map_matrix
from regiondrag_widget.regions.region import Region
from regiondrag_widget.regions.scanline import scanline_map

METHODS = ("auto", "contour", "scanline", "polygon")

_PARTS_GAIN = 0.01  # in overlap, before blobs are mapped one by one instead of the whole
_BENT_GAIN = 0.05  # in overlap, before a region counts as bent
_BENT_SIDE = 8  # pixels; a smaller region has too short an outline


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of the handle, the part of the target it fills, and the map between them."""

    handle: Region
    target: Region
    to_source: Callable[
        [Points], Points
    ]  # target points (n, 2) -> source points (n, 2), finite, not yet snapped


def pieces(pair: RegionPair, method: str = "auto") -> list[Piece]:
    """Split a pair into parts with one map each; together their targets are the pair's target.

    An exact matrix or a deformation is used as it is; ``method`` says how to infer the map of a pair
    without one.
    """
    check_method(method)
    handle, target = Region.of(pair.handle), Region.of(pair.target)
    if pair.matrix is not None:
        return [_by_matrix(pair.matrix, handle, target)]
    if pair.deformation is not None:
        deformation = pair.deformation
        dense = deformation.dense(pair.shape) if isinstance(deformation, Bend) else deformation
        return [Piece(handle, target, dense.to_source)]
    if method == "scanline":
        return [Piece(handle, target, partial(scanline_map, handle, target))]
    if method == "polygon":
        return [_by_matrix(polygon_map_matrix(handle, target), handle, target)]
    whole = moments_matrix(handle, target)
    if method == "contour":
        return [_bent(whole, handle, target, least=0.0)]
    parts = [(moments_matrix(h, t), h, t) for h, t in matched_components(handle, target)]
    fit = overlap(whole, handle, target)
    if parts and pooled_overlap(parts) > fit + _PARTS_GAIN:
        return [_bent(*part, least=overlap(*part) + _BENT_GAIN) for part in parts]
    return [_bent(whole, handle, target, least=fit + _BENT_GAIN)]


def infer_matrix(pair: RegionPair) -> mx.Matrix:
    """Return a pair's (3, 3) matrix, handle -> target: its own, or the best single affine map.

    For blobs that :func:`pieces` maps one by one this is the best matrix for the whole.
    """
    if pair.matrix is not None:
        return pair.matrix
    return moments_matrix(Region.of(pair.handle), Region.of(pair.target))


def check_method(method: str) -> None:
    """Raise ``ValueError`` for a name that is not in ``METHODS``."""
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")


def _bent(matrix: mx.Matrix, handle: Region, target: Region, least: float) -> Piece:
    """Map outline onto outline if that overlaps by more than `least`; otherwise use the matrix."""
    if least < 1 and min(handle.width, handle.height, target.width, target.height) >= _BENT_SIDE:
        bent = contour_map(handle, target, matrix)
        if bent.overlap(handle, target) > least:
            return Piece(handle, target, bent)
    return _by_matrix(matrix, handle, target)


def _by_matrix(matrix: mx.Matrix, handle: Region, target: Region) -> Piece:
    return Piece(handle, target, partial(mx.apply, mx.inverse(matrix)))
