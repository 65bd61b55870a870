"""Small pictures of an edit under way: the composite, plus what the diffusion has changed of it so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.imaging.scaling import mean_of_blocks
from regiondrag_widget.imaging.seen import blocks_for
from regiondrag_widget.imaging.window import Box, Window, bounding_box, shrunk_part, slices_of
from regiondrag_widget.locks import OrderedLock, Rank

__all__ = ["LatentColours", "Previewer", "SizedPreviewer", "StepPreviews"]

Float = npt.NDArray[np.float32]

LARGE = 1 << 22  # pixels up to which a preview is the exact mean of the picture's
FINER = 4  # times as large as a preview, at least, that a large picture is halved to
HALO = 2  # cells around what is shown: a linear decoder sees one


class LatentColours:
    """A linear map from latents to colour, fitted to one picture by least squares: works for any autoencoder.

    Only differences of latents are shown, so the constant part of the map is not needed.

    Parameters
    ----------
    latents : (C, h, w) Tensor
        Of a picture.
    pixels : (3, H, W) Tensor
        The same picture, in [-1, 1].
    """

    def __init__(self, latents: Tensor, pixels: Tensor) -> None:
        h, w = latents.shape[-2:]
        # on the CPU: Apple's GPUs have no double precision, and the system is small
        colours = F.adaptive_avg_pool2d(pixels, (h, w)).flatten(1).T.cpu().double()  # (h w, 3)
        x = latents.flatten(1).T.cpu().double()
        x = torch.cat([x, torch.ones_like(x[:, :1])], 1)
        gram = x.T @ x + 1e-4 * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
        self.weight = torch.linalg.solve(gram, x.T @ colours)[:-1].float().to(latents.device)  # (C, 3)

    def __call__(self, difference: Tensor) -> Tensor:
        """(C, h, w) difference of latents -> (3, h, w) difference of colour, in [-1, 1] units."""
        return torch.einsum("chw,cd->dhw", difference, self.weight)


class Previewer:
    """Renders the whole picture, small, with the edit's box as it stands.

    Parameters
    ----------
    picture : (H, W, 3) uint8
        The whole picture.
    window : Window
        Where the window's pixels lie.
    box : (x0, y0, x1, y1)
        The part of the window's box that the edit changes, in its own pixels.
    composite, weight : (h, w, 3) float32 in 0..255, (h, w) float32 in [0, 1]
        Of that part, at the window's resolution.
    anchor : (C, gh, gw) Tensor
        Latents of the composite.
    to_colour : callable
        Difference of latents to difference of colour, (3, any size) in [-1, 1] units.
    """

    def __init__(
        self,
        picture: npt.NDArray[np.uint8],
        window: Window,
        box: Box,
        composite: Float,
        weight: Float,
        anchor: Tensor,
        to_colour: Callable[[Tensor], Tensor],
    ) -> None:
        self._picture, self._window, self._box = picture, window, box
        self._composite, self._weight = composite, weight
        cells = _cells_under(weight, box, window, (anchor.shape[1], anchor.shape[2]))
        share = (window.inner[0] / window.size[0], window.inner[1] / window.size[1])
        self._change = _Change(anchor, to_colour, cells, share)
        self._scaled: dict[int, SizedPreviewer] = {}

    def __call__(self, clean: Tensor, max_size: int) -> npt.NDArray[np.uint8]:
        """Clean latents (C, gh, gw) -> (h, w, 3) uint8, the longer side at most `max_size`."""
        return self.sized(max_size)(clean)

    def sized(self, max_size: int) -> SizedPreviewer:
        """A previewer of one size, which keeps only the small picture.

        Parameters
        ----------
        max_size : int
            Pixels of the longer side, at most.

        Raises
        ------
        ValueError
            A size below 1 pixel.
        """
        if max_size < 1:
            raise ValueError(f"max_size must be at least 1 pixel, got {max_size!r}")
        if max_size not in self._scaled:
            height, width = self._picture.shape[:2]
            scale = min(1.0, max_size / max(height, width))
            size = (max(1, round(height * scale)), max(1, round(width * scale)))
            base = np.asarray(
                cv2.resize(_halved(self._picture, size), size[::-1], interpolation=cv2.INTER_AREA), np.uint8
            )
            x0, y0, x1, y1 = (round(v * scale) for v in self._window.box)
            x1, y1 = max(x0 + 1, min(x1, size[1])), max(y0 + 1, min(y1, size[0]))
            shown = (y1 - y0, x1 - x0)
            own = self._window.box
            around = self._picture[self._window.slices]
            shape = own[3] - own[1], own[2] - own[0]
            inside, composite = shrunk_part(self._composite, self._box, around, shape, shown)
            _, weight = shrunk_part(self._weight, self._box, None, shape, shown)
            at = slice(y0 + inside[1], y0 + inside[3]), slice(x0 + inside[0], x0 + inside[2])
            change = partial(_part_of, self._change, shown, slices_of(inside))
            self._scaled[max_size] = SizedPreviewer(base, composite, weight, at, change)
        return self._scaled[max_size]


@dataclass(frozen=True, eq=False)
class SizedPreviewer:
    """Renders previews of one size.

    Attributes
    ----------
    base : (h, w, 3) uint8 array
        The whole picture.
    composite, weight : (bh, bw, 3), (bh, bw) float32 array
        The box's composite in 0..255, and the share of the change that its pixels take, in [0, 1].
    box : (slice, slice)
        Rows and columns of the box.
    change : callable
        From latents to what the diffusion changes of the box, as colour; to None where that is nothing.
    """

    base: npt.NDArray[np.uint8]
    composite: Float
    weight: Float
    box: tuple[slice, slice]
    change: Callable[[Tensor], Float | None]

    def __call__(self, clean: Tensor) -> npt.NDArray[np.uint8]:
        """Clean latents (C, gh, gw) -> (h, w, 3) uint8."""
        out = self.base.copy()
        change = self.change(clean)
        shown = self.composite if change is None else self.composite + self.weight[..., None] * change
        out[self.box] = shown.clip(0, 255).round().astype(np.uint8)
        return out


class StepPreviews(Sequence[npt.NDArray[np.uint8]]):
    """Previews (h, w, 3) uint8 of an edit's steps, rendered when one is first asked for.

    Parameters
    ----------
    render : callable
        Clean latents (C, gh, gw) to a preview.
    cleans : sequence of Tensor
        The clean latents that each step predicted.
    """

    def __init__(self, render: SizedPreviewer, cleans: Sequence[Tensor]) -> None:
        self._unrendered: tuple[SizedPreviewer, list[Tensor]] | None = (render, list(cleans))
        self._previews: list[npt.NDArray[np.uint8]] = []
        self._count = len(cleans)
        self._lock = OrderedLock(Rank.PREVIEWS)

    def _rendered(self) -> list[npt.NDArray[np.uint8]]:
        with self._lock:
            if self._unrendered is not None:
                render, cleans = self._unrendered
                self._previews = [render(clean) for clean in cleans]
                self._unrendered = None  # frees the latents and the renderer
            return self._previews

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._rendered()[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self._rendered(),)


@dataclass(frozen=True, eq=False)
class _Change:
    """What the diffusion changes of a composite, as colour.

    Attributes
    ----------
    anchor : (C, gh, gw) Tensor
        Latents of the composite.
    to_colour : callable
        Difference of latents to difference of colour.
    cells : (slice, slice) or None
        Rows and columns that are shown; None where nothing changes.
    share : (float, float)
        Part of the working copy that is no padding, vertically and horizontally.
    """

    anchor: Tensor
    to_colour: Callable[[Tensor], Tensor]
    cells: tuple[slice, slice] | None
    share: tuple[float, float]

    def __call__(self, clean: Tensor, shape: tuple[int, ...]) -> Float | None:
        """The change that latents (C, gh, gw) make at (h, w): (h, w, 3) float32; None where there is none."""
        if self.cells is None:
            return None
        rows, columns = self.cells
        part = (clean - self.anchor)[:, rows, columns].float()
        colours = (self.to_colour(part) * 127.5).permute(1, 2, 0).cpu().numpy()
        size = colours.shape[0] // part.shape[1]  # pixels shown a cell
        working = np.zeros((clean.shape[1] * size, clean.shape[2] * size, 3), np.float32)
        working[rows.start * size : rows.stop * size, columns.start * size : columns.stop * size] = colours
        h, w = (max(1, round(n * part)) for n, part in zip(working.shape[:2], self.share, strict=True))
        shown = cv2.resize(working[:h, :w], shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(shown, np.float32)


def _halved(picture: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A large picture halved as long as it stays several times larger than a size (h, w): that is fast."""
    if picture.shape[0] * picture.shape[1] <= LARGE:
        return picture
    return np.asarray(mean_of_blocks(picture, blocks_for(picture.shape, FINER * max(size))), np.uint8)


def _part_of(
    change: _Change, shape: tuple[int, int], part: tuple[slice, slice], clean: Tensor
) -> Float | None:
    """A part of the change that latents make at a size."""
    shown = change(clean, shape)
    return None if shown is None else shown[part]


def _cells_under(
    weight: Float, box: Box, window: Window, grid: tuple[int, int]
) -> tuple[slice, slice] | None:
    """Rows and columns of the latent cells under what has weight, and a halo; None where nothing has."""
    if not (weight > 0).any():
        return None
    left, top, right, bottom = bounding_box(weight > 0)
    x0, y0, x1, y1 = left + box[0], top + box[1], right + box[0], bottom + box[1]
    spans = []
    for low, high, cells, pixels in ((y0, y1, grid[0], window.size[0]), (x0, x1, grid[1], window.size[1])):
        scale = window.scale * cells / pixels
        start, stop = int(low * scale) - HALO, int(np.ceil(high * scale)) + HALO
        spans.append(slice(max(0, min(start, cells - 1)), min(cells, max(stop, 1))))
    return spans[0], spans[1]
