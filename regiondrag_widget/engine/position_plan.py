"""A drag by position: the picture's own tokens are shown to the network where they should be.

A network that reads reference pictures knows where each of their tokens stands by its position alone. Shown
with the handle's tokens at the target's positions, the picture is described as it should become, and nothing
has to be inverted: cells that the edit may change are made from noise, all others follow their known path.
"""

from __future__ import annotations

import torch
from torch import Tensor

from regiondrag_widget.engine.denoise import EditPlan
from regiondrag_widget.engine.inversion import Inversion, noising_path
from regiondrag_widget.engine.plan import gather_of, smoothed
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.references import References
from regiondrag_widget.regions import Correspondence

__all__ = ["moved_references", "path_alone", "position_plan"]


def path_alone(clean: Tensor, noise: Tensor, levels: Levels) -> Inversion:
    """The known path of clean latents (C, h, w), for which the network is not called.

    Parameters
    ----------
    clean : (C, h, w) Tensor
        The picture's latents.
    noise : (K, C, h, w) Tensor
        The standard normal draw of each step.
    levels : Levels
        The levels to visit.
    """
    nothing = torch.zeros_like(noise)
    return Inversion(levels, noising_path(clean, noise, levels), noise, nothing, KeyValueCache(), nothing)


def position_plan(
    inversion: Inversion, correspondence: Correspondence, *, open_cells: Tensor, vacated: Tensor
) -> EditPlan:
    """Follow the known path but in the open cells, which begin as the moved content, noised.

    Parameters
    ----------
    inversion : Inversion
        The path.
    correspondence : Correspondence
        Which cell comes from which.
    open_cells, vacated : (h, w) bool Tensor
        Cells that may change; those of them whose content leaves, which begin as their smooth surroundings.
    """
    path = inversion.latents
    gather = gather_of(correspondence, path.shape[-2], path.shape[-1], path.device)
    background = smoothed(path[0], vacated | gather.target)
    clean = torch.where(gather.target, gather(path[0]), torch.where(vacated, background, path[0]))
    start = noising_path(clean, inversion.noise, inversion.levels)[-1]
    pinned = (~open_cells).expand(len(path), -1, -1)
    return EditPlan(start, path, pinned, inversion.residuals, deterministic=open_cells)


def moved_references(
    clean: Tensor, correspondence: Correspondence, *, dropped: Tensor, tokens: tuple[int, int]
) -> References:
    """The picture's tokens at the positions where they should be.

    Parameters
    ----------
    clean : (C, h, w) Tensor
        The picture's latents.
    correspondence : Correspondence
        Which token comes from which; a token may be shown at several positions.
    dropped : (rows, columns) bool Tensor
        Tokens that are not shown where they stand: what leaves, and what is covered.
    tokens : (rows, columns)
        The grid of tokens.
    """
    width = tokens[1]
    flat = [
        torch.from_numpy(xy[:, 1] * width + xy[:, 0])
        for xy in (correspondence.source_xy, correspondence.target_xy)
    ]
    source, target = (t.to(clean.device, torch.int64) for t in flat)
    staying = (~dropped).flatten().nonzero().flatten().to(clean.device)
    return References(clean, torch.cat([staying, source]), torch.cat([staying, target]))
