"""Point dragging by optimisation, in the manner of DragDiffusion (Shi et al., CVPR 2024), without LoRA.

Latents at one level are optimised until points of the UNet's features lie where they should: motion
supervision (their equation 3) moves the features round each point a pixel towards its target, point tracking
(equation 4) finds where the point went. Then the latents are denoised, the attention reading the original's
keys and values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.methods.points import Points, point_pairs
from regiondrag_widget.bench.methods.workspace import Workspace
from regiondrag_widget.bench.truth.scene import Image, Scene
from regiondrag_widget.engine.denoise import EditPlan, reverse
from regiondrag_widget.engine.inversion import Inversion
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.levels import Levels, clean_and_noise, reverse_mean
from regiondrag_widget.models.unet import UNetNetwork


@dataclass(frozen=True)
class PointDrag:
    """DragDiffusion's own figures but for ``levels``, which are as many as a region drag's schedule has.

    Parameters
    ----------
    points
        For each drawn region.
    steps, rate, keep
        Optimisation steps of Adam, its learning rate, and the weight of leaving the rest as it was (lambda).
    supervised, tracked
        Radii of motion supervision and of tracking, in feature pixels: two picture pixels each.
    levels, start
        Levels of the whole schedule, and the fraction of it whose latents are optimised.
    """

    points: int = 4
    steps: int = 80
    rate: float = 0.01
    keep: float = 0.1
    supervised: int = 1
    tracked: int = 3
    levels: int = 20
    start: float = 0.7


def point_drag(network: BenchNetwork, how: PointDrag | None = None, most_scenes: int | None = None) -> Method:
    """Drag a few points of each region by optimising latents; the network is the same as a region drag's."""
    chosen = how if how is not None else PointDrag()

    def edit(scene: Scene) -> Image:
        work = Workspace(network, scene)
        clean = work.encode(scene.before)
        inversion = _deterministic_inversion(work.network, clean, work.levels(chosen.levels, chosen.start))
        editable = work.cells(scene.touched, (clean.shape[1], clean.shape[2]))
        grid = (work.window.size[0] // 2, work.window.size[1] // 2)
        handles, targets = (
            _in_features(xy, work.window.scale / 2, clean.device)
            for xy in point_pairs(work.pairs, chosen.points)
        )
        moved = _optimised(work.network, inversion, editable, handles, targets, grid, chosen)
        return work.pasted(work.decode(_denoised(work.network, inversion, moved)))

    return network.method("point drag", edit, settings=vars(chosen), most_scenes=most_scenes)


def _in_features(xy: Points, scale: float, device: torch.device) -> Tensor:
    """Picture positions (n, 2) -> positions in the features, which have half as many pixels a side."""
    return torch.from_numpy((xy + 0.5) * scale - 0.5).float().to(device)


def _deterministic_inversion(network: UNetNetwork, clean: Tensor, levels: Levels) -> Inversion:
    """DDIM inversion (Song et al., ICLR 2021), and the keys and values of its path."""
    path, device = [clean], clean.device
    with torch.no_grad():
        for k in range(1, len(levels) + 1):
            output = network.predict(path[-1][None], torch.tensor([levels.timesteps[k]], device=device))[0]
            _, noise = clean_and_noise(path[-1], output, levels.at(k), network.prediction_type)
            low, high = levels.alphas[k - 1], levels.alphas[k]
            estimate = (path[-1] - (1 - low) ** 0.5 * noise) / low**0.5
            path.append(high**0.5 * estimate + (1 - high) ** 0.5 * noise)
        latents = torch.stack(path)
        cache = KeyValueCache()
        size = max(1, network.batch_size(*clean.shape[-2:]))
        timesteps = levels.told(device)
        for x, t in zip(latents[1:].split(size), timesteps.split(size), strict=True):
            network.capture(x, t, cache)
    nothing = torch.zeros_like(latents[1:])
    return Inversion(levels, latents, nothing, nothing, cache)


def _optimised(
    network: UNetNetwork,
    inversion: Inversion,
    editable: Tensor,
    handles: Tensor,
    targets: Tensor,
    grid: tuple[int, int],
    how: PointDrag,
) -> Tensor:
    """The top level's latents (C, h, w) after the drag.

    ``handles`` and ``targets`` (n, 2): positions x, y in features resized to ``grid`` (height, width).
    """
    start = inversion.latents[-1].clone()
    latents = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([latents], lr=how.rate)
    points = handles.clone()
    with _features_of(network.unet) as seen:
        original: Tensor | None = None
        for _ in range(how.steps):
            below = _one_level_down(network, inversion.levels, latents)
            features = F.interpolate(seen[0].float(), grid, mode="bilinear")[0]
            if original is None:
                below_at_first, original = below.detach(), _at(features.detach(), handles)
            else:
                points = _tracked(features.detach(), original, points, how.tracked)
            left = targets - points
            distance = left.norm(dim=1, keepdim=True)
            if bool((distance <= 1).all()):
                break
            toward = left / distance.clamp(min=1)
            loss = _supervision(features, points, toward, (distance > 1).float(), how.supervised)
            loss = loss + how.keep * ((below - below_at_first).abs() * ~editable).sum()
            latents.grad = torch.autograd.grad(loss, latents)[0]
            optimiser.step()
    return latents.detach()


def _supervision(features: Tensor, points: Tensor, toward: Tensor, moving: Tensor, radius: int) -> Tensor:
    """Features one step on should be what they are here: only what lies ahead is moved (no gradient here)."""
    window = _window(radius, points.device)
    here = points[:, None] + window  # (n, m, 2)
    now = _at(features.detach(), here)
    ahead = _at(features, here + toward[:, None])
    return ((ahead - now).abs().mean(dim=-1).sum(dim=1, keepdim=True) * moving).sum()


def _tracked(features: Tensor, original: Tensor, points: Tensor, radius: int) -> Tensor:
    """Where within ``radius`` the features are most like those the points began with."""
    candidates = points[:, None] + _window(radius, points.device)  # (n, m, 2)
    unlike = (_at(features, candidates) - original[:, None]).abs().sum(dim=-1)
    return candidates[torch.arange(len(points), device=points.device), unlike.argmin(dim=1)]


def _at(features: Tensor, xy: Tensor) -> Tensor:
    """Features (C, H, W) at positions (..., 2), bilinearly -> (..., C)."""
    size = torch.tensor([features.shape[2], features.shape[1]], device=xy.device)
    grid = ((xy + 0.5) / size * 2 - 1).reshape(1, 1, -1, 2)
    found = F.grid_sample(features[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, 0].T.reshape(*xy.shape[:-1], features.shape[0])


def _window(radius: int, device: torch.device) -> Tensor:
    """(m, 2) offsets of a square of side 2 radius + 1."""
    d = torch.arange(-radius, radius + 1, device=device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(d, d, indexing="xy"), dim=-1).reshape(-1, 2)


def _one_level_down(network: UNetNetwork, levels: Levels, latents: Tensor) -> Tensor:
    """The deterministic step from the top level to the one below; gradients pass."""
    timestep = torch.tensor([levels.timesteps[-1]], device=latents.device)
    output = network.predict(latents[None], timestep)[0]
    clean, noise = clean_and_noise(latents, output, levels.at(len(levels)), network.prediction_type)
    return reverse_mean(clean, noise, levels.at(len(levels)), levels.at(len(levels) - 1), eta=0.0)


def _denoised(network: UNetNetwork, inversion: Inversion, start: Tensor) -> Tensor:
    """Deterministic denoising, the decoder's attention on the original (MasaCtrl, Cao et al., ICCV 2023)."""
    everywhere = torch.ones(start.shape[-2:], dtype=torch.bool, device=start.device)
    plan = EditPlan(
        start=start,
        anchors=inversion.latents,
        pinned=(~everywhere).expand(len(inversion.latents), -1, -1),
        residuals=inversion.residuals,
        deterministic=everywhere,
    )
    last = start
    for step in reverse(network, inversion, plan, swap=lambda layer: layer.startswith("up_blocks")):
        last = step.latents
    return last


@contextmanager
def _features_of(unet: Any) -> Iterator[list[Tensor]]:
    """While open, a list of one: what the decoder's last block but one gives (DragDiffusion's choice)."""
    seen: list[Tensor] = [torch.empty(0)]

    def keep(_: Any, __: Any, output: Tensor) -> None:
        seen[0] = output

    hook = unet.up_blocks[-2].register_forward_hook(keep)
    try:
        yield seen
    finally:
        hook.remove()
