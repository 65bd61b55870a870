"""Where each pixel, or each latent cell, of the edited picture comes from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from regiondrag_widget.regions.cells import cell_centres, cells_at, check_grid, region_cells
from regiondrag_widget.regions.mask import Mask, Points
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.pairs import RegionPairs
from regiondrag_widget.regions.pieces import check_method, pieces
from regiondrag_widget.regions.snap import snap


@dataclass(frozen=True, eq=False)
class PixelMap:
    """Where each pixel of the edited picture comes from.

    Attributes
    ----------
    source_xy
        (H, W, 2) float32, columns x, y: the handle pixel (sub-pixel) a target pixel comes from, whose nearest
        pixel always lies in the handle; the pixel itself outside the targets. Always finite.
    target
        (H, W) bool, the union of the targets.
    vacated
        (H, W) bool, the place the handles leave: their union without the targets.
    pair_index
        (H, W) int16, index of the pair whose target covers the pixel, -1 outside targets; the later pair
        wins.
    """

    source_xy: NDArray[np.float32]
    target: Mask
    vacated: Mask
    pair_index: NDArray[np.int16]


@dataclass(frozen=True, init=False, eq=False)
class Correspondence:
    """Target cell <- source cell, on the latent grid.

    Parameters
    ----------
    source_xy, target_xy
        (n, 2) cells, columns x, y: integers, not negative; arrays, lists, or tensors on the CPU. Kept as
        read-only int64. When a target cell occurs twice, the later row wins.

    Raises
    ------
    ValueError
        The shapes or lengths are wrong, or a cell has a fraction or a negative number.
    """

    source_xy: NDArray[np.int64]
    target_xy: NDArray[np.int64]

    def __init__(self, source_xy: Any, target_xy: Any) -> None:
        source, target = _as_cells(source_xy, "source_xy"), _as_cells(target_xy, "target_xy")
        if len(source) != len(target):
            raise ValueError(
                f"source_xy has {len(source)} rows and target_xy {len(target)}: give one for one"
            )
        object.__setattr__(self, "source_xy", source)
        object.__setattr__(self, "target_xy", target)

    def __len__(self) -> int:
        return len(self.target_xy)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Correspondence):
            return NotImplemented
        return np.array_equal(self.source_xy, other.source_xy) and np.array_equal(
            self.target_xy, other.target_xy
        )

    def __repr__(self) -> str:
        return f"Correspondence({len(self)} cells)"

    def as_pair(self, shape: tuple[int, int], grid: tuple[int, int], *, name: str = "") -> RegionPair:
        """Return the pair that moves the same cells of a picture: a correspondence of one's own on a picture.

        >>> pair = rd.Correspondence(source_xy, target_xy).as_pair(shape=(512, 512), grid=(64, 64))
        >>> result = rd.edit(picture, [pair])

        Parameters
        ----------
        shape
            (H, W) of the picture.
        grid
            (h, w), the cells that cover the whole picture: for a model with cells of 8 pixels, an eighth of
            the shape.
        name
            A label.

        Returns
        -------
        RegionPair
            Its handle are the source cells, its target the target cells; all that is in the handle is
            carried, each pixel from the same place within the source cell.

        Raises
        ------
        ValueError
            There are no cells, the grid does not fit the picture, or a cell lies outside it.
        """
        h, w = check_grid(grid, shape)
        if not len(self):
            raise ValueError("the correspondence has no cells: give at least one")
        self.check_grid((h, w))
        height, width = shape
        column = cells_at(np.stack([np.arange(width), np.zeros(width)], axis=1), (h, w), shape)[:, 0]
        row = cells_at(np.stack([np.zeros(height), np.arange(height)], axis=1), (h, w), shape)[:, 1]
        size = np.array([width / w, height / h])
        shift = np.full((h, w, 2), np.nan)
        shift[self.target_xy[:, 1], self.target_xy[:, 0]] = (self.source_xy - self.target_xy) * size
        is_source = np.zeros((h, w), dtype=np.bool_)
        is_source[self.source_xy[:, 1], self.source_xy[:, 0]] = True
        own = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
        source_xy = own + shift[row[:, None], column]
        # given, for a source at the edge of its cell may round to the cell beside it
        target = np.isfinite(source_xy[..., 0])
        handle = is_source[row[:, None], column]
        return RegionPair.warp(handle, source_xy, target=target, name=name, carry="painted")

    def check_grid(self, grid: tuple[int, int]) -> None:
        """Raise ``ValueError`` when a cell lies outside the (h, w) grid."""
        for name, cells in (("source_xy", self.source_xy), ("target_xy", self.target_xy)):
            if len(cells) and (cells.max(axis=0) >= [grid[1], grid[0]]).any():
                x, y = cells.max(axis=0)
                raise ValueError(
                    f"{name} reaches cell ({x}, {y}), outside the latent grid of {grid[1]}x{grid[0]}"
                )


def pixel_map(pairs: RegionPair | Iterable[RegionPair], *, method: str = "auto") -> PixelMap:
    """Return the inverse map at the picture's resolution.

    Parameters
    ----------
    pairs
        One pair or several on one picture; where targets overlap the later pair wins.
    method
        How to infer the map of a pair without a matrix: "auto" (scale and translation, turned or bent only
        when that fits clearly better, separate blobs one by one), "contour" (bent, outline onto outline,
        unless that folds), "scanline", or "polygon".

    Raises
    ------
    ValueError
        There are no pairs, or the method is unknown.
    """
    check_method(method)
    region_pairs = RegionPairs.of(pairs)
    target = region_pairs.target
    height, width = target.shape
    source_xy = np.empty((height, width, 2), dtype=np.float32)
    source_xy[..., 0] = np.arange(width, dtype=np.float32)
    source_xy[..., 1] = np.arange(height, dtype=np.float32)[:, None]
    pair_index = np.full((height, width), -1, dtype=np.int16)
    for index, pair in enumerate(region_pairs):
        for piece in pieces(pair, method):
            x, y = piece.target.pixels.T
            source_xy[y, x] = snap(piece.to_source(piece.target.pixels.astype(np.float64)), piece.handle)
            pair_index[y, x] = index
    return PixelMap(source_xy, target, region_pairs.handle & ~target, pair_index)


def cell_correspondence(
    pairs: RegionPair | Iterable[RegionPair], grid: tuple[int, int], *, method: str = "auto"
) -> Correspondence:
    """Return one source cell for each target cell of a latent grid (h, w) that covers the whole picture.

    A region's cells are those whose centre lies in it; a thin region's cells are those it overlaps most. The
    map is evaluated at the target cell's centre, and the nearest of the handle's cells is taken: latents are
    gathered, never averaged, since averaging noise lowers its variance.

    Parameters
    ----------
    pairs, method
        As in :func:`pixel_map`.
    grid
        (h, w) in cells, at most the picture's size.

    Returns
    -------
    Correspondence
        Rows in the order of the target cells, row by row.

    Raises
    ------
    ValueError
        As :func:`pixel_map`, or the grid does not fit the picture.
    """
    check_method(method)
    region_pairs = RegionPairs.of(pairs)
    if region_pairs.shape is None:
        raise ValueError("there are no region pairs: add one first")
    shape = region_pairs.shape
    h, w = check_grid(grid, shape)
    source_of = np.full((h, w, 2), -1, dtype=np.int64)
    for pair in region_pairs:
        for piece in pieces(pair, method):
            cells = region_cells(piece.target, (h, w), shape)
            sources = piece.to_source(cell_centres(cells, (h, w), shape))
            handle_cells = region_cells(piece.handle, (h, w), shape)
            source_of[cells[:, 1], cells[:, 0]] = _nearest_cells(sources, handle_cells, (h, w), shape)
    y, x = np.nonzero(source_of[..., 0] >= 0)
    return Correspondence(source_of[y, x], np.stack([x, y], axis=1))


def _nearest_cells(
    points: Points, allowed: NDArray[np.int64], grid: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """The cell (n, 2) each point lies in, or the nearest allowed cell when that one is not allowed."""
    cells = cells_at(points, grid, shape)
    is_allowed = np.zeros(grid, dtype=np.bool_)
    is_allowed[allowed[:, 1], allowed[:, 0]] = True
    outside = ~is_allowed[cells[:, 1], cells[:, 0]]
    if outside.any():
        _, nearest = cKDTree(cell_centres(allowed, grid, shape)).query(points[outside])
        cells[outside] = allowed[nearest]
    return cells


def _as_cells(value: Any, name: str) -> NDArray[np.int64]:
    array = np.asarray(value)
    if array.size == 0:
        array = np.zeros((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name} has shape {array.shape} of {array.dtype}: give (n, 2) integers, columns x, y"
        )
    if not np.isfinite(array).all() or (array != np.floor(array)).any() or (array < 0).any():
        raise ValueError(f"{name} holds values that are not cells: give integers from 0 on")
    cells = array.astype(np.int64)
    cells.flags.writeable = False
    return cells
