"""Editing bare latents by a ready correspondence: the paper's algorithm without a picture around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.engine.denoise import EditStep, live_cells_of, reverse
from regiondrag_widget.engine.edit_input import check_content
from regiondrag_widget.engine.inversion import draw_path_noise, invert
from regiondrag_widget.engine.plan import latent_plan
from regiondrag_widget.engine.settings import EditSettings, check_stop, schedule
from regiondrag_widget.models.backbone import Network, check_swap
from regiondrag_widget.models.given_tensors import check_tensor
from regiondrag_widget.models.model import Model
from regiondrag_widget.models.references import with_picture
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
    seeds: Sequence[int] = (0,),
    editable: Tensor | None = None,
    levels: Sequence[float] | None = None,
    path_noise: Tensor | None = None,
    handle_noise: Tensor | None = None,
    copy_until: float | None = None,
    watching: Callable[[int], AbstractContextManager[Callable[[EditStep], Any]]] = lambda _: nullcontext(
        lambda _: None
    ),
    interrupted: Callable[[], bool] = lambda: False,
) -> list[Tensor]:
    """Invert clean latents and carry cells along a correspondence, once for each seed.

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
    seeds : sequence of int
        Of the noising path and of what is drawn.
    watching : callable, optional
        Takes the number of all steps and gives, for the time they are made, what is called with each.
    interrupted : callable
        Asked after every step; the edit ends there when it returns True.
    steps, start, stop, levels, path_noise, handle_noise, copy_until
        As `RegionDragPipeline.__call__` has them.

    Returns
    -------
    list of (1, C, h, w) float32 Tensor
        The final latents of each seed.

    Raises
    ------
    ValueError
        Tensors of another shape, values out of range.
    TypeError
        What is no tensor of floating point numbers, or no correspondence.
    """
    check_tensor(latents, "latents")
    for name, draws in (("path_noise", path_noise), ("handle_noise", handle_noise)):
        if draws is not None:
            check_tensor(draws, name)
    if not isinstance(correspondence, Correspondence):
        raise TypeError(
            "correspondence must be an rd.Correspondence(source_xy, target_xy), "
            f"got {type(correspondence).__name__}"
        )
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
    check_content(network, settings)
    check_swap(network, settings.swap, gathers=settings.gathers, lives=settings.lives)
    clean = latents[0].to(model.backbone.device, torch.float32)
    network = with_picture(network, clean)
    cells = None if editable is None else _cells(editable, tuple(clean.shape[-2:]))
    edited: list[Tensor] = []
    with watching(len(chain) * len(seeds)) as on_step:
        for seed in seeds:
            noise = path_noise
            if noise is None:
                drawn = torch.Generator().manual_seed(seed)
                noise = draw_path_noise(len(chain), tuple(clean.shape), drawn)
            inversion = invert(network, clean, chain, noise.to(clean))
            plan = latent_plan(
                inversion,
                correspondence,
                settings,
                editable=cells,
                handle_noise=handle_noise,
                copy_until=copy_until,
                generator=torch.Generator().manual_seed(seed + 1),
            )
            final = clean
            with closing(
                reverse(
                    network,
                    inversion,
                    plan,
                    settings.swap,
                    open_cells=live_cells_of(plan) if settings.lives else None,
                    live=settings.lives,
                )
            ) as steps_of_edit:
                for step in steps_of_edit:
                    on_step(step)
                    final = step.latents
                    if interrupted():
                        return [*edited, final[None]]
            edited.append(final[None])
    return edited


def _cells(editable: Tensor, shape: tuple[int, ...]) -> Tensor:
    try:
        mask = torch.as_tensor(editable)
    except (TypeError, ValueError):
        raise TypeError(f"editable must be a mask of the latents' cells, got {editable!r}") from None
    if mask.numel() != shape[0] * shape[1]:
        raise ValueError(f"editable must have the latents' size {shape}, got {tuple(mask.shape)}")
    return mask.reshape(shape) > 0.5
