"""Between pixels and latents: whole pictures, the box of an edit, and the draft codec."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.finite import check_finite
from regiondrag_widget.engine.preview import LatentColours
from regiondrag_widget.imaging.window import Box, Window
from regiondrag_widget.models.model import Model

__all__ = ["Coder"]

Float = npt.NDArray[np.float32]

HALO = 8  # cells around those that are decoded: about the reach of a decoder's convolutions
LINEAR_HALO = 2  # the bundled codec reaches one


class Coder:
    """The autoencoder of a model, for pictures as numpy arrays.

    Parameters
    ----------
    model : Model
        Whose backbone encodes and decodes.
    """

    def __init__(self, model: Model) -> None:
        self._backbone, self._profile = model.backbone, model.profile

    @property
    def has_draft_codec(self) -> bool:
        """Whether drafts are encoded by another, smaller autoencoder than edits."""
        return self._backbone.has_draft_codec

    def colour_of(self, latents: Tensor, fitted: LatentColours) -> Callable[[Tensor], Tensor]:
        """A function that shows a difference of latents as a difference of colour.

        It is the model's own decoder where that is linear and cheap, and the fitted colours otherwise.

        Parameters
        ----------
        latents : (C, h, w) Tensor
            Any latents of the window; only their shape and place count.
        fitted : LatentColours
            Colours fitted to the window.

        Returns
        -------
        callable
            From a difference (C, h, w) to (3, any size), in units of [-1, 1].
        """
        if not self._profile.cheap_decoder:
            return fitted
        backbone = self._backbone

        @cache  # decoded when a step is looked at: drafts show none
        def origin() -> Tensor:
            black: Tensor = backbone.decode(torch.zeros_like(latents)[None])[0]
            return black

        def decoded(difference: Tensor) -> Tensor:
            with torch.inference_mode():  # the codec is linear: a difference decodes to a difference
                shown = backbone.decode(difference[None])[0]
                return shown - origin()[:, : shown.shape[1], : shown.shape[2]]  # the same in every cell

        return decoded

    @torch.inference_mode()
    def encode(self, working: Float) -> Tensor:
        """(H, W, 3) float32 in 0..255 at working size -> (C, h, w) float32 clean latents."""
        latents = self._backbone.encode(_tensor(working))[0]
        check_finite("encoding the picture", latents)
        return latents

    @torch.inference_mode()
    def encode_draft(self, working: Float, before: Float, latents: Tensor) -> Tensor:
        """Latents (C, h, w) of a changed picture: those of the original plus the change, by the draft codec.

        Parameters
        ----------
        working, before : (H, W, 3) float32 array
            The changed picture and the original, in 0..255 at working size.
        latents : (C, h, w) Tensor
            Of the original, by the full encoder.
        """
        after, original = self._backbone.encode_draft(torch.cat([_tensor(working), _tensor(before)]))
        changed: Tensor = latents + (after - original)
        check_finite("encoding the draft", changed)
        return changed

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Float:
        """(B, C, h, w) latents -> (B, H, W, 3) float32 in -127.5..127.5, apart from overshoot."""
        pixels = torch.cat([self._backbone.decode(z[None]) for z in latents]) * 127.5
        check_finite("decoding the picture", pixels)
        return np.asarray(pixels.permute(0, 2, 3, 1).cpu().numpy(), np.float32)

    @torch.inference_mode()
    def change(
        self, window: Window, edited: Tensor, anchor: Tensor, box: Box, *, draft: bool = False
    ) -> Callable[[Box], Float]:
        """What decoding the edited latents instead of the anchor changes in a box of the window.

        Only the cells under the box and a halo around them are decoded.

        Parameters
        ----------
        window : Window
            The window of the latents.
        edited, anchor : (C, h, w) Tensor
            The latents to compare.
        box : (x0, y0, x1, y1)
            In pixels of the window's own box.
        draft : bool
            Decode with the draft codec.

        Returns
        -------
        callable
            From a part of the box, x0, y0, x1, y1 in the same pixels, to its change (y1 - y0, x1 - x0, 3)
            float32 in units of 0..255.
        """
        decode = self._backbone.decode_draft if draft else self._backbone.decode
        h, w = edited.shape[-2:]
        cell_y, cell_x = window.size[0] / h, window.size[1] / w  # working pixels a cell
        halo = LINEAR_HALO if self._profile.cheap_decoder else HALO
        x0, x1 = _cell_span(box[0] * window.scale / cell_x, box[2] * window.scale / cell_x, halo, w)
        y0, y1 = _cell_span(box[1] * window.scale / cell_y, box[3] * window.scale / cell_y, halo, h)
        part = torch.stack([edited, anchor])[..., y0:y1, x0:x1]
        pixels = torch.cat([decode(z[None]) for z in part])
        check_finite("decoding the picture", pixels)
        difference = ((pixels[0] - pixels[1]) * 127.5).permute(1, 2, 0).cpu().numpy()
        working = np.zeros((*window.size, 3), np.float32)
        at = round(y0 * cell_y), round(x0 * cell_x)
        working[at[0] : at[0] + difference.shape[0], at[1] : at[1] + difference.shape[1]] = difference
        return lambda part: window.part_from_working(working, part)


def _cell_span(low: float, high: float, halo: int, limit: int) -> tuple[int, int]:
    """First and last + 1 cell of a span and its halo, in steps of 4 cells so that few sizes occur."""
    start = max(0, (int(np.floor(low)) - halo) // 4 * 4)
    end = min(limit, -(-(int(np.ceil(high)) + halo) // 4) * 4)
    return start, max(end, start + 1)


def _tensor(working: Float) -> Tensor:
    """(H, W, 3) float32 in 0..255 -> (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(working)).permute(2, 0, 1)[None] / 127.5 - 1
