"""What DragDiffusion does to a picture before its first drag: low-rank adapters trained on that picture.

The figures are those of its benchmark: rank 16 on every attention's projections, 200 steps of one picture
each at a random level (Hu et al., ICLR 2022; Shi et al., CVPR 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from regiondrag_widget.pipeline import RegionDragPipeline

__all__ = ["adapted", "train_adapters"]

RANK, STEPS, RATE = 16, 200, 2e-4


def train_adapters(pipe: RegionDragPipeline, picture: NDArray[np.uint8], steps: int = STEPS) -> float:
    """Fit adapters to a picture (H, W, 3) uint8 and return the last step's loss; the network is unchanged."""
    backbone, network = pipe.backbone, pipe.network("")
    kind, alphas = backbone.prediction_type, backbone.alphas_cumprod
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        clean = backbone.encode(pixels)
    rng = torch.Generator().manual_seed(0)
    loss = torch.zeros(())
    with adapted(pipe.unet) as parameters:
        optimiser = torch.optim.AdamW(parameters, lr=RATE)
        for _ in range(steps):
            t = int(torch.randint(len(alphas), (1,), generator=rng))
            noise = torch.randn(clean.shape, generator=rng).to(clean)
            signal, deviation = float(alphas[t]) ** 0.5, (1 - float(alphas[t])) ** 0.5
            x = signal * clean + deviation * noise
            wanted = {
                "epsilon": noise,
                "v_prediction": signal * noise - deviation * clean,
                "sample": clean,
            }[kind]
            output = network.predict(x, torch.tensor([t], device=x.device))
            loss = F.mse_loss(output, wanted)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return float(loss.detach())


@contextmanager
def adapted(unet: Any) -> Iterator[list[Tensor]]:
    """While open, add the output of rank-16 adapters to every attention's projections.

    Yields the adapters' parameters; the network's own are not trained.
    """
    hooks: list[Any] = []
    parameters: list[Tensor] = []
    frozen = [p for p in unet.parameters() if p.requires_grad]
    for p in frozen:
        p.requires_grad_(False)
    for name, layer in unet.named_modules():
        if isinstance(layer, nn.Linear) and ".attn" in name:
            down = torch.randn(RANK, layer.in_features, device=layer.weight.device, dtype=layer.weight.dtype)
            down = (down / RANK).requires_grad_()
            up = torch.zeros(layer.out_features, RANK, device=down.device, dtype=down.dtype).requires_grad_()
            parameters += [down, up]
            hooks.append(layer.register_forward_hook(_adding(down, up)))
    try:
        yield parameters
    finally:
        for hook in hooks:
            hook.remove()
        for p in frozen:
            p.requires_grad_(True)


def _adding(down: Tensor, up: Tensor) -> Any:
    def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + F.linear(F.linear(inputs[0], down), up)

    return add
