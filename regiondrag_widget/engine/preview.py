"""Small pictures of an edit under way: the composite, plus what the diffusion has changed of it so far."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.imaging.window import Window, bounding_box, resized

__all__ = ["LatentColours", "Previewer"]

Float = npt.NDArray[np.float32]

HALO = 2  # cells around what is shown: a linear decoder sees one


class LatentColours:
    """A linear map from latents to colour, fitted to one picture by least squares: works for any autoencoder.

    Only differences of latents are shown, so the constant part of the map is not needed.
    """

    def __init__(self, latents: Tensor, pixels: Tensor) -> None:
        """latents (C, h, w), pixels (3, H, W) in [-1, 1] of the same picture."""
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
    """Renders the whole picture, small, with the edit's box as it stands."""

    def __init__(
        self,
        picture: npt.NDArray[np.uint8],
        window: Window,
        composite: Float,
        weight: Float,
        anchor: Tensor,
        to_colour: Callable[[Tensor], Tensor],
    ) -> None:
        """What to show.

        picture : (H, W, 3) uint8, the whole one
        composite, weight : (h, w, 3) in 0..255 and (h, w) in [0, 1], float32, at the box's resolution
        anchor : (C, gh, gw) latents of the composite
        to_colour : difference of latents -> difference of colour, (3, any size) in [-1, 1] units
        """
        self._picture, self._window, self._composite, self._weight = picture, window, composite, weight
        self._anchor, self._to_colour = anchor, to_colour
        self._cells = _cells_under(weight, window, (anchor.shape[1], anchor.shape[2]))
        self._scaled: dict[int, tuple[npt.NDArray[np.uint8], Float, Float, tuple[slice, slice]]] = {}

    def __call__(self, clean: Tensor, max_size: int) -> npt.NDArray[np.uint8]:
        """Clean latents (C, gh, gw) -> (h, w, 3) uint8, the longer side at most `max_size`."""
        if max_size < 1:
            raise ValueError(f"max_size must be at least 1 pixel, got {max_size!r}")
        base, composite, weight, box = self._at(max_size)
        out = base.copy()
        shown = composite
        if self._cells is not None:
            shown = composite + weight[..., None] * self._change(clean, composite.shape[:2])
        out[box] = shown.clip(0, 255).round().astype(np.uint8)
        return out

    def _change(self, clean: Tensor, shape: tuple[int, int]) -> Float:
        """What the diffusion has changed of the composite's box, at (h, w): (h, w, 3) float32."""
        assert self._cells is not None
        rows, columns = self._cells
        part = (clean - self._anchor)[:, rows, columns].float()
        colours = (self._to_colour(part) * 127.5).permute(1, 2, 0).cpu().numpy()
        size = colours.shape[0] // part.shape[1]  # pixels shown a cell
        working = np.zeros((clean.shape[1] * size, clean.shape[2] * size, 3), np.float32)
        working[rows.start * size : rows.stop * size, columns.start * size : columns.stop * size] = colours
        share = (self._window.inner[0] / self._window.size[0], self._window.inner[1] / self._window.size[1])
        h, w = max(1, round(working.shape[0] * share[0])), max(1, round(working.shape[1] * share[1]))
        resized_change = cv2.resize(working[:h, :w], shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized_change, np.float32)

    def _at(self, max_size: int) -> tuple[npt.NDArray[np.uint8], Float, Float, tuple[slice, slice]]:
        if max_size not in self._scaled:
            height, width = self._picture.shape[:2]
            scale = min(1.0, max_size / max(height, width))
            size = (max(1, round(height * scale)), max(1, round(width * scale)))
            base = np.asarray(cv2.resize(self._picture, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            x0, y0, x1, y1 = (round(v * scale) for v in self._window.box)
            x1, y1 = max(x0 + 1, min(x1, size[1])), max(y0 + 1, min(y1, size[0]))
            box = (slice(y0, y1), slice(x0, x1))
            small = [resized(a, (y1 - y0, x1 - x0)) for a in (self._composite, self._weight)]
            self._scaled[max_size] = (base, small[0], small[1], box)
        return self._scaled[max_size]


def _cells_under(weight: Float, window: Window, grid: tuple[int, int]) -> tuple[slice, slice] | None:
    """Rows and columns of the latent cells under what has weight, and a halo; None where nothing has."""
    if not (weight > 0).any():
        return None
    x0, y0, x1, y1 = bounding_box(weight > 0)
    spans = []
    for low, high, cells, pixels in ((y0, y1, grid[0], window.size[0]), (x0, x1, grid[1], window.size[1])):
        scale = window.scale * cells / pixels
        start, stop = int(low * scale) - HALO, int(np.ceil(high * scale)) + HALO
        spans.append(slice(max(0, min(start, cells - 1)), min(cells, max(stop, 1))))
    return spans[0], spans[1]
