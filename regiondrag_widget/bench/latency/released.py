"""The released RegionDrag schedule as it runs: the baseline that the engine's levers are measured against.

Written from the paper's algorithm, in the order of the released code: every edit encodes the prompt, the
empty prompt and the picture; inverts by one call at a time, hooks keeping each self-attention's keys and
values; denoises by one call at a time, hooks replacing the computed ones by those kept; decodes.
Nothing is kept from one edit to the next. Its IP-Adapter, two more encoder passes an edit, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regiondrag_widget.models.attention import swapped_layers
from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.levels import Levels, clean_and_noise, released_levels, reverse_mean
from regiondrag_widget.pipeline import RegionDragPipeline
from regiondrag_widget.regions import Correspondence, RegionPairs, cell_correspondence

__all__ = ["released_calls", "released_edit", "released_latents"]

STEPS, START = 20, 0.5


def released_calls(steps: int = STEPS, start: float = START) -> int:
    """Network calls of one edit."""
    return 2 * int(steps * start)


def released_edit(
    pipe: RegionDragPipeline, picture: NDArray[np.uint8], pairs: RegionPairs, *, seed: int = 0
) -> NDArray[np.uint8]:
    """Edit a picture (H, W, 3) uint8, its sides multiples of the network's grid; the same size comes back."""
    with _as_released(pipe.backbone.device), torch.no_grad():
        condition = pipe.network("").condition
        if pipe.profile.takes_text:
            pipe.network("")  # the unconditional text is encoded too, and unused at guidance 1
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
        clean = pipe.backbone.encode(pixels)[0]
        _empty(clean.device)
        grid = (clean.shape[-2], clean.shape[-1])
        levels = released_levels(pipe.backbone.alphas_cumprod, STEPS, START)
        rng = torch.Generator().manual_seed(seed)
        draws = [torch.randn(clean.shape, generator=rng) for _ in range(len(levels))]
        correspondence = cell_correspondence(pairs, grid)
        handle_noise = torch.randn(clean.shape[0], len(correspondence.source_xy), generator=rng)
        last = released_latents(
            pipe, condition, clean, levels, torch.stack(draws).to(clean), correspondence, handle_noise
        )
        _empty(clean.device)
        decoded = pipe.backbone.decode(last[None])[0]
        shown = ((decoded.permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).byte().cpu().numpy()
        _empty(clean.device)
    edited: NDArray[np.uint8] = cv2.resize(shown, (picture.shape[1], picture.shape[0]))
    return edited


def released_latents(
    pipe: RegionDragPipeline,
    condition: Condition,
    clean: Tensor,
    levels: Levels,
    path_noise: Tensor,
    correspondence: Correspondence,
    handle_noise: Tensor,
    *,
    noise_scale: float = 1.0,
) -> Tensor:
    """Return the edited latents (C, h, w) of ``clean``.

    Parameters
    ----------
    path_noise
        (K, C, h, w), the noise of each level.
    handle_noise
        (C, n), one column for each row of the correspondence.
    """
    kind = pipe.backbone.prediction_type
    predict = _caller(pipe, condition)
    stored: list[Tensor] = []
    path, maps = [clean], []
    with _hooked(pipe.unet, lambda output: stored.append(output)):
        for k in range(1, len(levels) + 1):
            low, high = levels.alphas[k - 1], levels.alphas[k]
            ratio = high / low
            path.append(ratio**0.5 * path[-1] + (1 - ratio) ** 0.5 * path_noise[k - 1])
            output = predict(path[-1], levels.timesteps[k])
            x0, noise = clean_and_noise(path[-1], output, levels.at(k), kind)
            sigma = ((1 - low) / (1 - high) * (1 - ratio)) ** 0.5
            maps.append((path[-2] - reverse_mean(x0, noise, levels.at(k), levels.at(k - 1))) / sigma)
    per_call = len(stored) // len(levels)
    source, target = (
        torch.from_numpy(np.array(xy)).to(clean.device)
        for xy in (correspondence.source_xy, correspondence.target_xy)
    )
    from_y, from_x, to_y, to_x = source[:, 1], source[:, 0], target[:, 1], target[:, 0]
    y = path[-1].clone()
    blurred = (1 - noise_scale**2) ** 0.5 * y[:, from_y, from_x] + noise_scale * handle_noise.to(y)
    y[:, from_y, from_x] = blurred
    editable = torch.ones(clean.shape[-2:], dtype=torch.bool, device=clean.device)
    for k in range(len(levels), 0, -1):
        low, high = levels.alphas[k - 1], levels.alphas[k]
        y[:, to_y, to_x] = path[k][:, from_y, from_x]
        y = torch.where(editable, y, path[k])
        kept = iter(stored[(k - 1) * per_call : k * per_call])
        with _hooked(pipe.unet, lambda _, kept=kept: next(kept)):  # type: ignore[misc]
            output = predict(y, levels.timesteps[k])
        x0, noise = clean_and_noise(y, output, levels.at(k), kind)
        sigma = ((1 - low) / (1 - high) * (1 - high / low)) ** 0.5
        y = reverse_mean(x0, noise, levels.at(k), levels.at(k - 1)) + sigma * maps[k - 1]
    return y


def _caller(pipe: RegionDragPipeline, condition: Condition) -> Callable[[Tensor, float], Tensor]:
    """The bare UNet at (C, h, w) latents and a timestep, one picture a call."""
    dtype, device = next(pipe.unet.parameters()).dtype, pipe.backbone.device
    extra: dict[str, Any] = {}
    if condition.added is not None:
        extra["added_cond_kwargs"] = {name: value.to(device) for name, value in condition.added.items()}
    embeds = condition.embeds.to(device, dtype)

    def predict(x: Tensor, timestep: float) -> Tensor:
        output = pipe.unet(x[None].to(dtype), timestep, encoder_hidden_states=embeds, **extra)
        found: Tensor = output.sample[0].float()
        return found

    return predict


@contextmanager
def _hooked(unet: Any, of_output: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """While open, every self-attention's key and value projections hand their output over, in order.

    What ``of_output`` returns, unless None, takes the output's place.
    """
    hooks = []
    for name in swapped_layers(unet, True):
        layer = unet.get_submodule(name)
        hooks += [
            part.register_forward_hook(lambda _, __, output: of_output(output))
            for part in (layer.to_k, layer.to_v)
        ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _as_released(device: torch.device) -> Iterator[None]:
    """The switches the released code sets on CUDA."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    if device.type == "cuda":
        cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def _empty(device: torch.device) -> None:
    if device.type == "cuda":  # three times an edit, as released
        torch.cuda.empty_cache()
