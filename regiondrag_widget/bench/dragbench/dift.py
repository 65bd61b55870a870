"""Diffusion features (DIFT, Tang et al., NeurIPS 2023): what a UNet's decoder says of a noised picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from regiondrag_widget.bench.methods.network import BenchNetwork

__all__ = ["ENSEMBLE", "TIMESTEP", "Dift"]

TIMESTEP, BLOCK, ENSEMBLE = 261, 1, 8

Picture = NDArray[np.uint8]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Dift:
    """Features by a UNet: timestep 261, the second block of its decoder, the mean of eight noises.

    Parameters
    ----------
    network
        Stable Diffusion 2.1 for figures that compare with papers; any other gives its own.
    """

    network: BenchNetwork

    @property
    def side(self) -> int:
        """Pixels a side that the network was trained at: 768 for Stable Diffusion 2.1."""
        unet, backbone = self.network.pipe.unet, self.network.pipe.backbone
        return int(unet.config.sample_size) * int(backbone.cell)

    @property
    def takes_text(self) -> bool:
        """Whether a prompt changes the features."""
        return bool(self.network.pipe.profile.takes_text)

    @property
    def comparable(self) -> bool:
        """Whether papers use such a network: Stable Diffusion 2.1, by its sizes."""
        config = self.network.pipe.unet.config
        return self.side == 768 and int(config.cross_attention_dim or 0) == 1024

    @property
    def draws(self) -> bool:
        """Whether the autoencoder gives a distribution that latents can be drawn from."""
        from diffusers import AutoencoderKL

        return isinstance(self.network.pipe.vae, AutoencoderKL)

    def squared(self, picture: Picture, prompt: str, seed: int = 0) -> Features:
        """As RegionDrag's evaluation takes them: the picture made square, the likeliest latents.

        Parameters
        ----------
        picture
            (H, W, 3) uint8.
        prompt
            Empty for none.
        seed
            Of the noises; equal for the two pictures that are compared. The papers fix none.

        Returns
        -------
        (C, h, w) float32 array
        """
        pixels = F.interpolate(_tensor(picture), size=(self.side, self.side))
        return self._features(pixels, prompt, seed, "likeliest")

    def native(self, picture: Picture, prompt: str, seed: int = 42) -> Features:
        """As DragDiffusion's evaluation takes them: the picture's own size, latents drawn, seed 42.

        A side that the network's grid does not divide is made longer or shorter by a few pixels.
        """
        multiple = self.network.pipe.backbone.multiple
        size = [max(multiple, round(side / multiple) * multiple) for side in picture.shape[:2]]
        pixels = _tensor(picture)
        if tuple(size) != picture.shape[:2]:
            pixels = F.interpolate(pixels, size=size, mode="bilinear")
        return self._features(pixels, prompt, seed, "drawn")

    @torch.inference_mode()
    def _features(
        self, pixels: Tensor, prompt: str, seed: int, latents: Literal["likeliest", "drawn"]
    ) -> Features:
        pipe = self.network.pipe
        rng = torch.Generator().manual_seed(seed)
        clean = (
            self._drawn(pixels, rng) if latents == "drawn" and self.draws else pipe.backbone.encode(pixels)
        )
        alpha = float(pipe.backbone.alphas_cumprod[TIMESTEP])
        network = pipe.network(prompt if self.takes_text else "")
        batch = min(ENSEMBLE, max(1, network.batch_size(*clean.shape[-2:])))
        total: Tensor | None = None
        for first in range(0, ENSEMBLE, batch):
            count = min(batch, ENSEMBLE - first)
            noise = torch.randn(count, *clean.shape[1:], generator=rng).to(clean)
            noised = alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
            with _output_of(pipe.unet.up_blocks[BLOCK]) as seen:
                network.predict(noised, torch.full((count,), TIMESTEP, device=clean.device))
            part = seen[0].float().sum(dim=0)
            total = part if total is None else total + part
        assert total is not None
        return np.asarray((total / ENSEMBLE).cpu().numpy(), dtype=np.float32)

    def _drawn(self, pixels: Tensor, rng: torch.Generator) -> Tensor:
        """Latents drawn from what the autoencoder gives: its likeliest and a noise as wide as it says."""
        pipe = self.network.pipe
        parameter = next(pipe.vae.parameters())
        given = pipe.vae.encode(pixels.to(parameter.device, parameter.dtype)).latent_dist
        noise = torch.randn(given.mean.shape, generator=rng).to(given.mean)
        drawn: Tensor = (given.mean + given.std * noise).to(pipe.backbone.device, torch.float32)
        shift = float(pipe.vae.config.get("shift_factor") or 0.0)
        return (drawn - shift) * float(pipe.vae.config.scaling_factor)


@contextmanager
def _output_of(block: Any) -> Iterator[list[Tensor]]:
    """While open, a list whose one item is what the block gave last."""
    seen: list[Tensor] = [torch.empty(0)]

    def keep(_: Any, __: Any, output: Tensor) -> None:
        seen[0] = output

    hook = block.register_forward_hook(keep)
    try:
        yield seen
    finally:
        hook.remove()


def _tensor(picture: Picture) -> Tensor:
    """(1, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
