"""The reverse pass as a generator: one `EditStep` a level; the caller's loop decides when to stop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine import keyvalues
from regiondrag_widget.engine.attention import AttentionSwap
from regiondrag_widget.engine.gathered import gathered
from regiondrag_widget.engine.keyvalues import injecting
from regiondrag_widget.engine.levels import clean_and_noise, reverse_mean
from regiondrag_widget.engine.path import Inversion, Network

__all__ = ["EditPlan", "EditStep", "reverse"]


class EditingNetwork(Network, keyvalues.EditingNetwork, Protocol):
    """What the reverse pass asks of a backbone."""


@dataclass(frozen=True)
class EditPlan:
    """What the reverse pass imposes, as full grids: a new drag changes values, never shapes.

    start : (C, h, w) latents at the top level K
    anchors : K + 1 entries (C, h, w), the latents imposed at level k where `pinned[k]`
    pinned : (K + 1, h, w) bool; level 0 is imposed after the last step
    residuals : (K, C, h, w), added after the mean of the step from level k (entry k - 1)
    fresh : (h, w) bool, cells denoised deterministically instead, without a residual
    hidden : (h, w) bool or None, cells whose inverted keys must not be looked at
    blind : (h, w) bool or None, the cells that must not look at them; every cell where None
    sources : (h, w) int64 or None, the cell, counted row by row, whose inverted keys and values each cell
        offers; its own where None
    """

    start: Tensor
    anchors: Tensor
    pinned: Tensor
    residuals: Tensor
    fresh: Tensor
    hidden: Tensor | None = None
    blind: Tensor | None = None
    sources: Tensor | None = None


@dataclass
class EditStep:
    """One level of the reverse pass done.

    index, total : count of steps, from 1; 0 for what a draft shows before its first
    timestep : the level the step started from
    latents : (C, h, w) float32 after the step; assign to it and the next step starts from what was assigned
    clean : (C, h, w) float32, the prediction of the clean latents
    render : what draws the preview; None for bare latents
    """

    index: int
    total: int
    timestep: int
    latents: Tensor
    clean: Tensor
    render: Callable[[Tensor, int], npt.NDArray[np.uint8]] | None = None

    def preview(self, max_size: int = 384) -> npt.NDArray[np.uint8]:
        """The picture as it looks now, (h, w, 3) uint8, its longer side at most `max_size` pixels.

        Raises ValueError in an edit of bare latents, which has no picture.
        """
        if self.render is None:
            raise ValueError("this step belongs to bare latents: decode step.clean with the pipeline's vae")
        return self.render(self.clean, max_size)


def reverse(
    network: EditingNetwork,
    inversion: Inversion,
    plan: EditPlan,
    swap: AttentionSwap = True,
    render: Callable[[Tensor, int], npt.NDArray[np.uint8]] | None = None,
) -> Generator[EditStep, None, None]:
    """From the top level down to clean latents (RegionDrag, algorithm 1), K network calls.

    A step from level k: impose the anchors, predict with the inversion's keys and values, take the reverse
    mean, add the residual. Closing the generator cancels.
    """
    levels, kind = inversion.levels, network.prediction_type
    total = len(levels)
    cache = inversion.cache if plan.sources is None else gathered(inversion.cache, plan.sources)
    inversion.cache.will_read([inversion.slot(k) for k in range(total, 0, -1)])
    y = plan.start
    for k in range(total, 0, -1):
        # nothing stays installed while the caller has the step: its own use of the network is undisturbed
        injected = injecting(network, cache, swap, plan.hidden, plan.blind)
        with torch.inference_mode(), injected as predict:
            y = torch.where(plan.pinned[k], plan.anchors[k], y)
            output = predict(inversion.slot(k), levels.timesteps[k], y[None])[0]
            clean, noise = clean_and_noise(y, output, levels.alphas[k], kind)
            followed = (
                reverse_mean(clean, noise, levels.alphas[k], levels.alphas[k - 1]) + plan.residuals[k - 1]
            )
            direct = reverse_mean(clean, noise, levels.alphas[k], levels.alphas[k - 1], eta=0.0)
            y = torch.where(plan.fresh, direct, followed)
            if k == 1:
                y = torch.where(plan.pinned[0], plan.anchors[0], y)
                clean = y
        step = EditStep(total - k + 1, total, levels.timesteps[k], y, clean, render)
        yield step
        y = step.latents
