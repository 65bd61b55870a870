"""What one edit of a picture is given, checked against the picture."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.models.backbone import Network, inpaints
from regiondrag_widget.models.references import check_reads_references
from regiondrag_widget.regions import RegionPair, RegionPairs
from regiondrag_widget.regions.mask import as_mask

__all__ = [
    "EditInput",
    "check_actions",
    "check_content",
    "checked_calls",
    "checked_editable",
    "checked_pairs",
    "warn_unused",
]

Bool = npt.NDArray[np.bool_]

# what an edit by position has no use for: it reads no inversion, moves no noised latents, fills no pixels
UNUSED_BY_POSITION = ("stop", "residual", "prefill", "handle_noise_scale", "attention_swap")


@dataclass(frozen=True, eq=False, kw_only=True)
class EditInput:
    """What one edit is given.

    Attributes
    ----------
    pairs : RegionPairs
        Masks (H, W) bool of the picture's size.
    editable : (H, W) bool array, optional
        False where nothing may change.
    settings : EditSettings
        How the edit is made.
    seed : int
        Of the noising path and of the filling.
    rng : torch.Generator
        Of what the reverse pass draws.
    """

    pairs: RegionPairs
    editable: Bool | None
    settings: EditSettings
    seed: int
    rng: torch.Generator

    @property
    def inverts(self) -> bool:
        """Whether the network is called for the picture as it is; an edit by position needs no such call."""
        return self.settings.content != "positions"


def checked_pairs(pairs: RegionPairs | Sequence[RegionPair], shape: tuple[int, int]) -> RegionPairs:
    """Region pairs for a picture, in a list of their own: the caller's may change while the edit runs.

    Parameters
    ----------
    pairs : RegionPairs or sequence of RegionPair
        Masks (H, W) bool; there may be none.
    shape : (H, W)
        Of the picture, in pixels.

    Raises
    ------
    ValueError
        Masks of another size than the picture.
    """
    checked = RegionPairs(RegionPairs.of(pairs))
    if len(checked) and checked.shape != shape:
        h, w = shape
        mh, mw = checked.shape or (0, 0)
        raise ValueError(
            f"the masks are {mw}x{mh} but the picture is {w}x{h}: draw them at the picture's own size"
        )
    return checked


def check_actions(pairs: RegionPairs, settings: EditSettings) -> None:
    """Refuse pairs that an edit of latents cannot make.

    Parameters
    ----------
    pairs : RegionPairs
        The pairs of the edit.
    settings : EditSettings
        How the edit is made.

    Raises
    ------
    ValueError
        With ``content="latents"``: a removal, or a copy whose place would not be kept.
    """
    if settings.content != "latents":
        return
    for number, pair in enumerate(pairs, start=1):
        if pair.action == "remove" or (pair.action == "copy" and settings.vacated != "keep"):
            raise ValueError(
                f'pair {number}: content="latents" cannot {pair.action} a single pair; use content="pixels"'
            )


def check_content(network: Network, settings: EditSettings) -> None:
    """Refuse an edit of latents by a network that inpaints, and one by position where none are read.

    Parameters
    ----------
    network : Network
        What predicts.
    settings : EditSettings
        How the edit is made.

    Raises
    ------
    ValueError
        In one sentence.
    """
    if settings.content == "positions":
        check_reads_references(network)
    if settings.content != "pixels" and inpaints(network):
        raise ValueError(
            "an inpainting network is told a picture with a hole, which an edit of latents does not have: "
            'say content="pixels", or use a text-to-image model (preset="released" too needs one)'
        )


def warn_unused(settings: EditSettings, given: Mapping[str, Any]) -> None:
    """Warn of settings that an edit by position leaves out.

    Parameters
    ----------
    settings : EditSettings
        How the edit is made.
    given : mapping
        What the caller has said of it.
    """
    if settings.content != "positions":
        return
    said = [name for name in UNUSED_BY_POSITION if given.get(name) is not None]
    if said:
        warnings.warn(f'content="positions" does not use {", ".join(said)}', stacklevel=4)


def checked_editable(editable: Bool | None, shape: tuple[int, int]) -> Bool | None:
    """The mask of what may change in a picture; None for everything.

    Parameters
    ----------
    editable : (H, W) bool array, optional
        False where nothing may change.
    shape : (H, W)
        Of the picture, in pixels.

    Raises
    ------
    TypeError
        No array of numbers.
    ValueError
        Something that is no mask, or a mask of another size than the picture.
    """
    if editable is None:
        return None
    mask = as_mask(editable, "editable")
    if mask.shape != shape:
        raise ValueError(f"editable must have the picture's size {shape}, got {mask.shape}")
    return mask


def checked_calls(calls: object) -> int:
    """The number of network calls of a draft, as an int.

    Raises
    ------
    ValueError
        Anything but a whole number from 1.
    """
    if isinstance(calls, bool) or not isinstance(calls, (int, np.integer)) or calls < 1:
        raise ValueError(f"calls must be a whole number from 1, got {calls!r}")
    return int(calls)
