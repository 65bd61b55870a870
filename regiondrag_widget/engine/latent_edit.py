"""Editing bare latents by a ready correspondence: the paper's algorithm without a picture around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.engine.denoise import EditStep, reverse
from regiondrag_widget.engine.inversion import draw_path_noise, invert
from regiondrag_widget.engine.plan import latent_plan
from regiondrag_widget.engine.settings import EditSettings, check_stop, checked_seed, schedule
from regiondrag_widget.models.backbone import Network, check_swap
from regiondrag_widget.models.model import Model
from regiondrag_widget.regions import Correspondence

__all__ = ["edit_latents"]


def edit_latents(
    model: Model,
    latents: Tensor,
    correspondence: Correspondence,
    settings: EditSettings,
    *,
    network: Network,
    steps: int | None = None,
    start: float | None = None,
    stop: float | None = None,
    seed: int = 0,
    editable: Tensor | None = None,
    levels: Sequence[float] | None = None,
    path_noise: Tensor | None = None,
    handle_noise: Tensor | None = None,
    copy_until: float | None = None,
    on_step: Callable[[EditStep], Any] | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Tensor:
    """Invert clean latents and carry cells along a correspondence.

    Parameters
    ----------
    model : Model
        Whose schedule and defaults are used.
    latents : (1, C, h, w) Tensor
        Clean latents, scaled as the network expects.
    correspondence : Correspondence
        Which cell comes from which.
    settings : EditSettings
        How the edit is made.
    network : Network
        The model's network under the prompt's condition.
    editable : (1, 1, h, w) or (h, w) Tensor, optional
        0 where nothing may change.
    on_step : callable, optional
        Called with every step.
    interrupted : callable
        Asked after every step; the edit ends there when it returns True.
    steps, start, stop, seed, levels, path_noise, handle_noise, copy_until
        As `RegionDragPipeline.__call__` has them.

    Returns
    -------
    (1, C, h, w) float32 Tensor
        The final latents.

    Raises
    ------
    ValueError
        Tensors of another shape, values out of range.
    """
    if latents.ndim != 4 or latents.shape[0] != 1:
        raise ValueError(f"latents must be (1, C, h, w), one picture at a time, got {tuple(latents.shape)}")
    channels = model.backbone.channels
    if latents.shape[1] != channels:
        raise ValueError(f"latents must have {channels} channels for this model, got {latents.shape[1]}")
    steps, start = schedule(settings.preset, model.edit_defaults, steps, start)
    chain = model.backbone.levels(
        steps,
        start,
        levels,
        released=settings.preset == "released",
        size=(latents.shape[2], latents.shape[3]),
    )
    if copy_until is None and levels is None:
        check_stop(stop, start, settings.preset)
    seed = checked_seed(seed)
    check_swap(network, settings.swap, gathers=settings.gathers)
    clean = latents[0].to(model.backbone.device, torch.float32)
    if path_noise is None:
        path_noise = draw_path_noise(len(chain), tuple(clean.shape), torch.Generator().manual_seed(seed))
    inversion = invert(network, clean, chain, path_noise.to(clean))
    plan = latent_plan(
        inversion,
        correspondence,
        settings,
        editable=None if editable is None else _cells(editable, tuple(clean.shape[-2:])),
        handle_noise=handle_noise,
        copy_until=copy_until,
        generator=torch.Generator().manual_seed(seed + 1),
    )
    final = clean
    with closing(reverse(network, inversion, plan, settings.swap)) as steps_of_edit:
        for step in steps_of_edit:
            if on_step is not None:
                on_step(step)
            final = step.latents
            if interrupted():
                break
    return final[None]


def _cells(editable: Tensor, shape: tuple[int, ...]) -> Tensor:
    mask = torch.as_tensor(editable)
    if mask.numel() != shape[0] * shape[1]:
        raise ValueError(f"editable must have the latents' size {shape}, got {tuple(mask.shape)}")
    return mask.reshape(shape) > 0.5
