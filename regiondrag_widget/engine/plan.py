"""What the reverse pass imposes where: for the paper's latent paste, and for a composite of pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.engine.denoise import EditPlan
from regiondrag_widget.engine.inversion import Inversion, noising_path
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.regions import Correspondence

__all__ = ["Gather", "gather_of", "latent_plan", "pixel_plan", "smoothed"]


class Gather:
    """A correspondence on a grid of latent cells.

    Parameters
    ----------
    index : (h w,) int64 Tensor
        The source of each cell, counted row by row; a cell's own index outside the targets.
    target, source : (h, w) bool Tensor
        The cells that have a source, and the sources.
    """

    def __init__(self, index: Tensor, target: Tensor, source: Tensor) -> None:
        self.index, self.target, self.source = index, target, source

    def __call__(self, grids: Tensor) -> Tensor:
        """Grids (..., h, w) with every target cell taken from its source."""
        return grids.flatten(-2)[..., self.index].view(grids.shape)


def gather_of(correspondence: Correspondence, height: int, width: int, device: torch.device) -> Gather:
    """The gather of a correspondence on a grid.

    Parameters
    ----------
    correspondence : Correspondence
        Which cell comes from which.
    height, width : int
        Cells of the grid.
    device : torch.device
        Where the tensors go.

    Raises
    ------
    ValueError
        The correspondence leaves the grid.
    """
    correspondence.check_grid((height, width))
    index = np.arange(height * width)
    source = correspondence.source_xy[:, 1] * width + correspondence.source_xy[:, 0]
    target = correspondence.target_xy[:, 1] * width + correspondence.target_xy[:, 0]
    index[target] = source  # a cell named twice keeps the last
    masks = np.zeros((2, height * width), bool)
    masks[0, target], masks[1, source] = True, True
    grids = torch.from_numpy(masks).view(2, height, width).to(device)
    return Gather(torch.from_numpy(index).to(device), grids[0], grids[1])


def latent_plan(
    inversion: Inversion,
    correspondence: Correspondence,
    settings: EditSettings,
    *,
    editable: Tensor | None = None,
    handle_noise: Tensor | None = None,
    copy_until: float | None = None,
    generator: torch.Generator | None = None,
) -> EditPlan:
    """Paste the noised handle over the target at every level down to `stop` (RegionDrag section 3.3).

    Parameters
    ----------
    inversion : Inversion
        Of the original.
    correspondence : Correspondence
        Which cell comes from which.
    settings : EditSettings
        How the edit is made.
    editable : (h, w) bool Tensor, optional
        Cells that may change.
    handle_noise : (C, n) Tensor, optional
        The draw for the source cell of each row of the correspondence.
    copy_until : float, optional
        Paste while the timestep is at least this, instead of down to `settings.stop`.
    generator : torch.Generator, optional
        Of what is drawn.

    Raises
    ------
    ValueError
        `handle_noise` of another shape, a correspondence that leaves the grid.
    """
    path = inversion.latents
    _, channels, h, w = path.shape
    device = path.device
    gather = gather_of(correspondence, h, w, device)
    everywhere = torch.ones(h, w, dtype=torch.bool, device=device)
    editable = everywhere if editable is None else editable.to(device)
    copying = _copying(inversion, settings, copy_until)
    released = settings.preset == "released"

    start, residuals = path[-1].clone(), inversion.residuals
    if settings.residual == "follow":
        residuals = gather(residuals)
    if settings.handle_noise_scale > 0:
        s = settings.handle_noise_scale
        noise = _noise_field(correspondence, handle_noise, (channels, h, w), generator).to(start)
        start = torch.where(gather.source, (1 - s * s) ** 0.5 * start + s * noise, start)
    deterministic = torch.zeros(h, w, dtype=torch.bool, device=device)
    hidden = masked_queries = None
    vacated = gather.source & ~gather.target & editable
    if settings.vacated == "fill" and bool(vacated.any()):
        # neither the moved content nor what the target covers belongs to the background
        clean = smoothed(path[0], gather.source | gather.target)
        start = torch.where(vacated, noising_path(clean, inversion.noise, inversion.levels)[-1], start)
        deterministic = masked_queries = vacated
        hidden = gather.source
    elif settings.vacated == "noise":
        start = torch.where(vacated, _draw(start.shape, generator).to(start), start)
        deterministic = masked_queries = vacated
        hidden = gather.source
    pinned = torch.stack([(gather.target & c) | ~editable for c in copying])
    if released:
        pinned[0] = False  # as released, nothing is imposed after the last step
    anchors = torch.where(editable, gather(path), path)
    plan = EditPlan(start, anchors, pinned, residuals, deterministic, hidden, masked_queries)
    return _gathering(plan, gather) if settings.gathers else plan


def pixel_plan(
    inversion: Inversion,
    composite: Tensor,
    settings: EditSettings,
    *,
    vacated: Tensor,
    target: Tensor,
    hidden: Tensor,
    correspondence: Correspondence,
    copied: bool,
    generator: torch.Generator | None = None,
) -> EditPlan:
    """Keep every cell on the composite's own path, except the vacated ones and, below `stop`, the target's.

    Parameters
    ----------
    inversion : Inversion
        Of the original.
    composite : (C, h, w) Tensor
        Clean latents of the composite.
    settings : EditSettings
        How the edit is made.
    vacated, target : (h, w) bool Tensor
        Cells of the vacated place, and of the moved content.
    hidden : (h, w) bool Tensor
        Cells of the old content, whose inverted keys the vacated place must not copy.
    correspondence : Correspondence
        Source cells of the targets and, where `copied`, of the vacated place.
    copied : bool
        Whether the vacated place's first content was copied from elsewhere.
    generator : torch.Generator, optional
        Of what is drawn.

    Notes
    -----
    Noise and residuals follow the content. A copied texture therefore denoises exactly as it did where it
    came from, errors of the network included, and changes only as much as its new surroundings require.
    """
    h, w = composite.shape[-2:]
    noise, residuals = inversion.noise, inversion.residuals
    gather = gather_of(correspondence, h, w, composite.device)
    if settings.residual == "follow":
        noise, residuals = gather(noise), gather(residuals)
    anchors = noising_path(composite, noise, inversion.levels)
    start = anchors[-1].clone()
    if settings.vacated == "noise":
        start = torch.where(vacated, _draw(start.shape, generator).to(start), start)
    elif settings.handle_noise_scale > 0:
        s = settings.handle_noise_scale
        noise = _draw(start.shape, generator).to(start)
        start = torch.where(vacated, (1 - s * s) ** 0.5 * start + s * noise, start)
    copying = _copying(inversion, settings, None)
    pinned = torch.stack([~vacated & ~(target & (not c)) for c in copying])
    deterministic = (
        torch.zeros_like(vacated)
        if copied and settings.vacated == "fill" and settings.residual == "follow"
        else vacated
    )
    mask_attention = bool(hidden.any()) and bool(vacated.any())
    plan = EditPlan(
        start,
        anchors,
        pinned,
        residuals,
        deterministic,
        hidden if mask_attention else None,
        vacated if mask_attention else None,
    )
    return _gathering(plan, gather) if settings.gathers else plan


def _gathering(plan: EditPlan, gather: Gather) -> EditPlan:
    """The plan with keys and values that move along; content that arrives replaces what a cell had."""
    sources = gather.index.view(gather.target.shape)
    hidden = None if plan.hidden is None else plan.hidden & ~gather.target
    if hidden is None or not bool(hidden.any()):
        return replace(plan, sources=sources, hidden=None, masked_queries=None)
    return replace(plan, sources=sources, hidden=hidden)


def _copying(inversion: Inversion, settings: EditSettings, copy_until: float | None) -> list[bool]:
    """Whether content is pasted at each level 0..K."""
    levels = inversion.levels
    if copy_until is not None:
        return [t >= copy_until for t in levels.timesteps]
    if settings.preset == "released":
        return [True] * len(levels.timesteps)
    stop = min(settings.stop or 0.0, levels.fraction(len(levels)))  # content is pasted once at least
    return [levels.fraction(k) >= stop - 1e-9 for k in range(len(levels.timesteps))]


def _noise_field(
    correspondence: Correspondence,
    columns: Tensor | None,
    shape: tuple[int, int, int],
    generator: torch.Generator | None,
) -> Tensor:
    """(C, h, w) noise for every cell; columns (C, n) go to their source cells, and the last wins."""
    if columns is None:
        return _draw(shape, generator)
    if tuple(columns.shape) != (shape[0], len(correspondence)):
        raise ValueError(
            f"handle_noise must have shape {(shape[0], len(correspondence))}, "
            f"one column a row of the correspondence, got {tuple(columns.shape)}"
        )
    field = np.zeros(shape, np.float32)
    xy = correspondence.source_xy
    field[:, xy[:, 1], xy[:, 0]] = columns.detach().cpu().numpy()
    return torch.from_numpy(field)


def _draw(shape: tuple[int, ...] | torch.Size, generator: torch.Generator | None) -> Tensor:
    device = "cpu" if generator is None else generator.device
    return torch.randn(tuple(shape), generator=generator, device=device)


def smoothed(latents: Tensor, hole: Tensor) -> Tensor:
    """Latents with the hole filled from its surroundings, by means of wider and wider neighbourhoods."""
    known: Tensor = (~hole).float()[None, None]
    total, count = latents[None] * known, known
    pool: Callable[[Tensor, int], Tensor] = lambda v, r: F.avg_pool2d(v, 2 * r + 1, 1, r)  # noqa: E731
    radius, limit = 1, max(hole.shape)
    while bool((count < 1e-3).any()) and radius <= limit:
        reach = (count < 1e-3).float()
        near = pool(known, radius)
        total = total + reach * pool(latents[None] * known, radius)
        count = count + reach * near
        radius *= 2
    return torch.where(hole, (total / count.clamp(min=1e-6))[0], latents)
