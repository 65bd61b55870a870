"""The reverse pass as a generator: one `EditStep` a level; the caller's loop decides when to stop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.engine.finite import FiniteWatch
from regiondrag_widget.engine.inversion import Inversion
from regiondrag_widget.models.attention import AttentionSwap
from regiondrag_widget.models.backbone import Network
from regiondrag_widget.models.gathered import gathered
from regiondrag_widget.models.levels import clean_and_noise, reverse_mean

__all__ = ["WHOLE", "Crop", "EditPlan", "EditStep", "crop_of", "live_cells_of", "open_cells_of", "reverse"]

Crop: TypeAlias = "tuple[slice, slice]"
WHOLE: Crop = (slice(None), slice(None))
HALO = 4  # cells around those that change; as good as 8 on 24 scenes, and far more edits are under half


@dataclass(frozen=True)
class EditPlan:
    """What the reverse pass imposes, as full grids: a new drag changes values, never shapes.

    Attributes
    ----------
    start : (C, h, w) Tensor
        Latents at the top level K.
    anchors : (K + 1, C, h, w) Tensor
        The latents imposed at level k where `pinned[k]`.
    pinned : (K + 1, h, w) bool Tensor
        Where the anchors are imposed; level 0 after the last step.
    residuals : (K, C, h, w) Tensor
        Entry k - 1 is added after the mean of the step from level k.
    deterministic : (h, w) bool Tensor
        Cells that take the deterministic step, without a residual.
    hidden : (h, w) bool Tensor, optional
        Cells whose inverted keys must not be looked at.
    masked_queries : (h, w) bool Tensor, optional
        The cells that must not look at them; every cell when None.
    sources : (h, w) int64 Tensor, optional
        The cell, counted row by row, whose inverted keys and values each cell offers; its own when None.
    """

    start: Tensor
    anchors: Tensor
    pinned: Tensor
    residuals: Tensor
    deterministic: Tensor
    hidden: Tensor | None = None
    masked_queries: Tensor | None = None
    sources: Tensor | None = None


@dataclass
class EditStep:
    """One finished step of the reverse pass.

    Attributes
    ----------
    index, total : int
        Number of this step, from 1, and of all; 0 for what a draft shows before its first step.
    timestep : float
        The level the step started from.
    latents : (C, h, w) float32 Tensor
        After the step. Assign to it, and the next step starts from the assigned latents.
    clean : (C, h, w) float32 Tensor
        The prediction of the clean latents.
    render : callable, optional
        Draws the preview; None for bare latents.
    """

    index: int
    total: int
    timestep: float
    latents: Tensor
    clean: Tensor
    render: Callable[[Tensor, int], npt.NDArray[np.uint8]] | None = None

    def preview(self, max_size: int = 384) -> npt.NDArray[np.uint8]:
        """The picture as it looks now, (h, w, 3) uint8.

        Parameters
        ----------
        max_size : int
            Pixels of the longer side, at most.

        Raises
        ------
        ValueError
            An edit of bare latents, which has no picture; a size below 1.
        """
        if self.render is None:
            raise ValueError("this step belongs to bare latents: decode step.clean with the pipeline's vae")
        return self.render(self.clean, max_size)


def reverse(
    network: Network,
    inversion: Inversion,
    plan: EditPlan,
    swap: AttentionSwap = True,
    render: Callable[[Tensor, int], npt.NDArray[np.uint8]] | None = None,
    crop: Crop = WHOLE,
    open_cells: Tensor | None = None,
    live: bool = False,
) -> Generator[EditStep, None, None]:
    """From the top level down to clean latents (RegionDrag, algorithm 1), in K network calls.

    A step from level k: impose the anchors, predict with the inversion's keys and values, take the reverse
    mean, add the residual.

    Parameters
    ----------
    network : Network
        The network under the prompt's condition.
    inversion : Inversion
        Of the original.
    plan : EditPlan
        What is imposed where.
    swap : AttentionSwap
        The layers that read the inversion's keys and values.
    render : callable, optional
        Draws the previews: clean latents and a size to (h, w, 3) uint8.
    crop : (slice, slice)
        Rows and columns of the cells that are computed; all others are pinned at every level.
    open_cells : (h, w) bool Tensor, optional
        The cells that a network computes which takes any of them; all others are pinned at every level.
    live : bool
        Whether those cells read each other's keys and values as they are.

    Yields
    ------
    EditStep
        One a level. Closing the generator cancels.

    Raises
    ------
    NotFiniteError
        A step gave values that are not numbers.
    """
    levels, kind = inversion.levels, network.prediction_type
    total = len(levels)
    cache = inversion.cache if plan.sources is None else gathered(inversion.cache, plan.sources)
    inversion.cache.will_read([inversion.slot(k) for k in range(total, 0, -1)])
    at = (slice(None), *crop)
    masked_queries = (
        plan.masked_queries
        if plan.masked_queries is None or crop == WHOLE
        else plan.masked_queries[crop].clone()
    )
    y, watch = plan.start, FiniteWatch()
    for k in range(total, 0, -1):
        # nothing stays installed while the caller has the step, so that it may use the network itself
        some: dict[str, Any] = {} if open_cells is None else {"open_cells": open_cells}
        if live:
            some["live"] = True
        injected = network.inject(cache, swap, plan.hidden, masked_queries, **some)
        with torch.inference_mode(), injected as predict:
            y = torch.where(plan.pinned[k][crop], plan.anchors[k][at], y[at])
            output = predict(inversion.slot(k), levels.timesteps[k], y[None])[0]
            watch.see(f"step {total - k + 1} of {total} (timestep {levels.timesteps[k]:g})", output)
            clean, noise = clean_and_noise(y, output, levels.at(k), kind)
            mean = reverse_mean(clean, noise, levels.at(k), levels.at(k - 1))
            direct = reverse_mean(clean, noise, levels.at(k), levels.at(k - 1), eta=0.0)
            y = torch.where(plan.deterministic[crop], direct, mean + plan.residuals[k - 1][at])
            if k == 1:
                y = torch.where(plan.pinned[0][crop], plan.anchors[0][at], y)
                clean = y
                watch.finish()
            if open_cells is not None:
                y = torch.where(open_cells, y, plan.anchors[k - 1])
                clean = torch.where(open_cells, clean, plan.anchors[0])
            if crop != WHOLE:
                y, clean = _put(y, plan.anchors[k - 1], at), _put(clean, plan.anchors[0], at)
        step = EditStep(total - k + 1, total, levels.timesteps[k], y, clean, render)
        yield step
        y = step.latents


def open_cells_of(plan: EditPlan) -> Tensor | None:
    """(h, w) bool, the cells that are not pinned at every level; None where there are none or it is all."""
    open_cells = ~plan.pinned.all(0)
    count = int(open_cells.sum())
    return None if count in (0, open_cells.numel()) else open_cells


def live_cells_of(plan: EditPlan) -> Tensor:
    """(h, w) bool, the cells that are not pinned at every level, and `HALO` cells around them."""
    open_cells = (~plan.pinned.all(0)).float()[None, None]
    return F.max_pool2d(open_cells, 2 * HALO + 1, 1, HALO)[0, 0] > 0


def crop_of(plan: EditPlan, multiple: int) -> Crop:
    """The cells that the reverse pass must compute: those not pinned at every level, and a halo around them.

    The convolutions see the halo; the attention reads the whole picture's keys and values. `WHOLE` where the
    crop would be half of the grid or more.

    Parameters
    ----------
    plan : EditPlan
        What is imposed where.
    multiple : int
        Rows and columns begin and end at multiples of this, which every level of the network divides evenly.
    """
    open_cells = ~plan.pinned.all(0)
    h, w = open_cells.shape
    if not bool(open_cells.any()):
        return WHOLE
    spans = []
    for axis, size in ((1, h), (0, w)):
        found = open_cells.any(axis).nonzero()
        low = max(0, int(found[0]) - HALO) // multiple * multiple
        high = min(size, -(-(int(found[-1]) + 1 + HALO) // multiple) * multiple)
        spans.append(slice(low, high))
    rows, columns = spans
    if (rows.stop - rows.start) * (columns.stop - columns.start) * 2 >= h * w:
        return WHOLE
    return rows, columns


def _put(part: Tensor, whole: Tensor, at: tuple[slice, ...]) -> Tensor:
    """A copy of `whole` with `part` laid over it."""
    out = whole.clone()
    out[at] = part
    return out
