"""The bundled model's image codec: a fitted linear transform, no training loop.

Encoding is a principal component analysis of 8x8 RGB patches written as one strided convolution. Decoding
is the ridge regression of a patch on the 3x3 latents around it (a convolution and a pixel shuffle). Since it
sees the neighbours, block edges are far weaker than with the transposed transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Tensor, nn

__all__ = ["LinearCodec", "fit_codec"]


@dataclass
class EncoderOutput:
    """Latents (B, C, h, w) as diffusers' tiny autoencoders return them: already scaled, no distribution."""

    latents: Tensor


@dataclass
class DecoderOutput:
    """Pictures (B, 3, H, W) as diffusers' autoencoders return them."""

    sample: Tensor


class LinearCodec(ModelMixin, ConfigMixin):
    """Pictures in [-1, 1], (B, 3, H, W), to latents (B, C, H/8, W/8) of unit overall variance and back.

    It has the interface of `diffusers.AutoencoderTiny` (`encode(x).latents`, `decode(z).sample`), so the
    engine treats it as any other autoencoder. H and W must be multiples of `patch_size`.

    Parameters
    ----------
    latent_channels : int
        C.
    patch_size : int
        Pixels a side of one latent cell.
    scaling_factor : float
        As diffusers has it; the latents are scaled already.
    block_out_channels : tuple of int
        Nothing is made of it: diffusers' pipelines tell the pixels a cell by its length.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        latent_channels: int = 16,
        patch_size: int = 8,
        scaling_factor: float = 1.0,
        block_out_channels: tuple[int, ...] = (16, 16, 16, 16),
    ) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, latent_channels, patch_size, stride=patch_size)
        self.decoder = nn.Conv2d(latent_channels, 3 * patch_size**2, 3, padding=1, padding_mode="replicate")

    @apply_forward_hook  # type: ignore[untyped-decorator]
    def encode(self, x: Tensor, return_dict: bool = True) -> Any:
        """(B, 3, H, W) in [-1, 1] -> `.latents` (B, C, H / patch_size, W / patch_size)."""
        latents = self.encoder(x)
        return EncoderOutput(latents) if return_dict else (latents,)

    @apply_forward_hook  # type: ignore[untyped-decorator]
    def decode(self, z: Tensor, return_dict: bool = True, **_: Any) -> Any:
        """(B, C, h, w) latents -> `.sample` (B, 3, H, W) in [-1, 1], apart from overshoot."""
        sample = F.pixel_shuffle(self.decoder(z), self.config.patch_size)
        return DecoderOutput(sample) if return_dict else (sample,)

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode: (B, 3, H, W) of the same shape."""
        return self.decode(self.encode(x).latents).sample  # type: ignore[no-any-return]


@torch.no_grad()
def fit_codec(
    images: Tensor,
    latent_channels: int = 16,
    patch_size: int = 8,
    whitening: float = 0.8,
    ridge: float = 1e-3,
) -> LinearCodec:
    """Fit a codec to a batch of pictures.

    Parameters
    ----------
    images : (N, 3, H, W) float32 Tensor
        In [-1, 1], H and W multiples of `patch_size`.
    latent_channels, patch_size : int
        See `LinearCodec`.
    whitening : float
        Each component is divided by its standard deviation to this power (0 none, 1 full), then all of them
        by one number so that the latents' overall variance is 1. In between, the strong components keep some
        of their weight, which trained best.
    ridge : float
        Regularisation of the decoder's regression, relative to the latents' variance.

    Returns
    -------
    LinearCodec
        In float32 and evaluation mode.
    """
    codec: LinearCodec = LinearCodec(latent_channels, patch_size)
    assert codec.encoder.bias is not None
    assert codec.decoder.bias is not None
    patches = F.unfold(images, patch_size, stride=patch_size)  # (N, 3 p p, L)
    flat = patches.transpose(1, 2).reshape(-1, patches.shape[1]).double()
    mean = flat.mean(0)
    covariance = (flat - mean).T @ (flat - mean) / len(flat)
    variance, basis = torch.linalg.eigh(covariance)
    order = variance.argsort(descending=True)[:latent_channels]
    std, basis = variance[order].sqrt(), basis[:, order]
    gain = std**-whitening
    gain = gain / ((gain * std) ** 2).mean().sqrt()
    weight = (basis * gain).T  # (C, 3 p p)
    codec.encoder.weight.copy_(weight.reshape(latent_channels, 3, patch_size, patch_size))
    codec.encoder.bias.copy_(-(weight @ mean))

    latents = codec.encoder(images)
    around = F.unfold(F.pad(latents, (1, 1, 1, 1), mode="replicate"), 3)  # (N, C 3 3, L)
    x = around.transpose(1, 2).reshape(-1, around.shape[1]).double()
    x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    gram = x.T @ x
    gram += ridge * len(x) * torch.eye(len(gram), dtype=gram.dtype)
    solution = torch.linalg.solve(gram, x.T @ flat)  # (C 3 3 + 1, 3 p p)
    # unfold orders rows as (3, p, p), which is the order pixel_shuffle expects of its channels
    codec.decoder.weight.copy_(solution[:-1].T.reshape(-1, latent_channels, 3, 3))
    codec.decoder.bias.copy_(solution[-1])
    codec.eval()
    return codec
