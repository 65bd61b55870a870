"""From pixels of a window to cells of its latents: masks, and which cell's content comes from which cell."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from regiondrag_widget.imaging.window import Box, Window
from regiondrag_widget.regions import Correspondence, RegionPairs, cell_correspondence
from regiondrag_widget.regions.framing import padded_pairs

__all__ = ["cells_of", "copied_cells", "moved_cells"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Grid = tuple[int, int]


def cells_of(window: Window, mask: Bool, grid: Grid, share: float, box: Box | None = None) -> Tensor:
    """Latent cells of which more than `share` lies in the mask.

    Parameters
    ----------
    window : Window
        The window of the latents.
    mask : (H, W) bool array
        At the resolution of the window's box.
    grid : (h, w)
        Cells that cover the window's working copy, padding included.
    share : float
        In [0, 1).
    box : (x0, y0, x1, y1), optional
        The part of the window's box that the mask fills, all of it when left out; none lies beside it.

    Returns
    -------
    (h, w) bool Tensor
        On the CPU. The padding counts as outside the mask.
    """
    box = (0, 0, mask.shape[1], mask.shape[0]) if box is None else box
    nothing = np.zeros(window.size, np.float32)
    working = window.part_to_working(mask.astype(np.float32), box, None, nothing)
    working[window.inner[0] :] = 0
    working[:, window.inner[1] :] = 0
    cells = cv2.resize(working, (grid[1], grid[0]), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.asarray(cells) > share)


def moved_cells(window: Window, pairs: RegionPairs, grid: Grid, method: str) -> Correspondence:
    """Source cell of every target cell (RegionDrag section 3.2).

    Parameters
    ----------
    window : Window
        The window of the latents.
    pairs : RegionPairs
        Masks (H, W) at the resolution of the window's box.
    grid : (h, w)
        Cells that cover the window's working copy, padding included.
    method : str
        See `cell_correspondence`.
    """
    pairs = RegionPairs(pair for pair in pairs if pair.moves)
    if not len(pairs):
        return Correspondence([], [])
    h, w = window.size
    inner_h, inner_w = window.inner
    if (h, w) != (inner_h, inner_w):  # the grid covers the padding too: the masks must
        pairs = padded_pairs(pairs, round((h - inner_h) / window.scale), round((w - inner_w) / window.scale))
    return cell_correspondence(pairs, grid, method=method)


def copied_cells(
    moved: Correspondence,
    window: Window,
    source_offset: Float | None,
    hole: Bool,
    vacated: Bool,
    box: Box | None = None,
) -> Correspondence:
    """The targets' correspondence, and that of the vacated cells by where their pixels were copied from.

    Parameters
    ----------
    moved : Correspondence
        The targets' cells; vacated cells among them are replaced.
    window : Window
        The window of the latents.
    source_offset : (H, W, 2) float32 array, optional
        x, y at the window's own resolution: from each pixel of the hole to the one it was copied from. None
        where its content was not copied; then `moved` is returned.
    hole : (H, W) bool array
        At the window's own resolution, with at least one pixel where any cell is vacated.
    vacated : (h, w) bool array
        The vacated cells.
    box : (x0, y0, x1, y1), optional
        The part of the window's box that hole and offsets fill, all of it when left out; unless the picture
        ends there, a pixel more than the hole.
    """
    if source_offset is None:
        return moved
    h, w = vacated.shape
    cell = np.array([window.size[1] / w, window.size[0] / h]) / window.scale  # picture pixels a cell
    rows, columns = np.nonzero(vacated)
    target = np.stack([columns, rows], -1)
    centres = (target + 0.5) * cell - 0.5
    # the pixel of the hole nearest to a cell's centre stands for the cell
    nearest = _nearest(hole, centres, (0, 0) if box is None else box[:2])
    offset = source_offset[nearest[:, 1], nearest[:, 0]]
    source = np.floor((centres + offset + 0.5) / cell).astype(np.int64)
    inside = np.all((source >= 0) & (source < [w, h]), axis=1)
    kept = np.ones(len(moved), bool)
    kept[vacated[moved.target_xy[:, 1], moved.target_xy[:, 0]]] = False
    return Correspondence(
        np.concatenate([moved.source_xy[kept], np.where(inside[:, None], source, target)]),
        np.concatenate([moved.target_xy[kept], target]),
    )


def _nearest(mask: Bool, points: npt.NDArray[np.float64], corner: tuple[int, int]) -> npt.NDArray[np.int64]:
    """The pixel of a mask, in its own array, nearest to each point x, y; the mask begins at a corner x, y."""
    limit = np.array([mask.shape[1], mask.shape[0]]) - 1
    wanted = np.rint(points).astype(np.int64) - np.array(corner)
    found = np.clip(wanted, 0, limit)
    outside = ~mask[found[:, 1], found[:, 0]] | (wanted != found).any(1)
    if outside.any():
        inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
        rim = np.argwhere(mask & (inner == 0))[:, ::-1]  # what is nearest to a point outside lies there
        found[outside] = rim[cKDTree(rim).query(points[outside] - np.array(corner))[1]]
    return np.asarray(found, np.int64)
