"""How a family of networks is best used: working size and default levels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["BackboneProfile", "stable_diffusion_profile"]


@dataclass(frozen=True)
class BackboneProfile:
    """How a network is used.

    side, min_side : longest and shortest side worked at, in pixels
    cheap_decoder : the autoencoder is linear and fast enough to draw every preview
    takes_text : whether a prompt has any effect
    max_start : the highest fraction of the noise schedule the network was trained at
    defaults : steps, start, stop and other settings an edit uses when it is not told
    """

    side: int
    min_side: int
    cheap_decoder: bool = False
    takes_text: bool = True
    max_start: float = 1.0
    defaults: dict[str, Any] = field(default_factory=dict)


def stable_diffusion_profile(unet: Any, cell: int) -> BackboneProfile:
    """The size the network was trained at; the paper's levels (20 steps from 0.5, pasting down to 0.2)."""
    side = int(unet.config.sample_size or 64) * cell
    return BackboneProfile(side=side, min_side=side, defaults={"steps": 20, "start": 0.5, "stop": 0.2})
