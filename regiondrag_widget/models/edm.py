"""UNets trained on the schedule of EDM (Karras et al. 2022), such as Playground v2.5 and CosXL.

EDM adds noise of deviation sigma to clean latents of deviation sigma_data, and scales what the network reads.
Divided by sigma_data, this is a variance preserving schedule whose network predicts the velocity, or its
negative; the network is told log(sigma) / 4. So only levels, the scale of the latents and one sign differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from regiondrag_widget.models.flow_levels import sigma_of_fraction
from regiondrag_widget.models.levels import Level, Levels, check_start, check_steps
from regiondrag_widget.models.unet import UNetBackbone

__all__ = ["EDMBackbone", "edm_levels"]

CLEAN = -100.0  # below what a network is told at any level, which is negative at low ones


class EDMBackbone(UNetBackbone):
    """An autoencoder, a UNet and a schedule of EDM: see `UNetBackbone`.

    Parameters
    ----------
    vae, unet, scheduler, draft_vae
        As `UNetBackbone` takes them; an EDM scheduler of diffusers.
    """

    def __init__(self, vae: Any, unet: Any, scheduler: Any, draft_vae: Any = None) -> None:
        super().__init__(vae, unet, scheduler, draft_vae)
        self._sigma_data = float(scheduler.config.sigma_data)
        kind = scheduler.config.get("prediction_type", "epsilon")
        self.prediction_type = "v_prediction" if kind == "v_prediction" else "negative_v_prediction"

    def levels(
        self,
        steps: int,
        start: float,
        timesteps: Sequence[float] | None = None,
        *,
        released: bool = False,
        size: tuple[int, int] | None = None,
    ) -> Levels:
        """See `Backbone.levels`; fractions stand for the noise that Stable Diffusion 1.5 has there."""
        if released or timesteps is not None:
            raise ValueError(
                'preset="released" and levels= are for schedules of timesteps, and this model was trained on '
                "EDM's: say steps= and start="
            )
        return edm_levels(steps, start, self._sigma_data)

    def encode(self, pixels: Tensor) -> Tensor:
        """See `UNetBackbone.encode`."""
        return super().encode(pixels) / self._sigma_data

    def decode(self, latents: Tensor) -> Tensor:
        """See `UNetBackbone.decode`."""
        return super().decode(latents * self._sigma_data)

    def encode_draft(self, pixels: Tensor) -> Tensor:
        """See `UNetBackbone.encode_draft`."""
        if self.draft_vae is None:
            return self.encode(pixels)
        return super().encode_draft(pixels) / self._sigma_data

    def decode_draft(self, latents: Tensor) -> Tensor:
        """See `UNetBackbone.decode_draft`."""
        if self.draft_vae is None:
            return self.decode(latents)
        return super().decode_draft(latents * self._sigma_data)


def edm_levels(steps: int, start: float, sigma_data: float) -> Levels:
    """Levels for latents divided by `sigma_data`, evenly spaced as those of Stable Diffusion 1.5.

    Parameters
    ----------
    steps, start
        As `edit_levels` has them: fractions of Stable Diffusion 1.5's schedule, at equal signal-to-noise
        ratios.
    sigma_data : float
        Deviation of the clean latents that the network was trained for.

    Raises
    ------
    ValueError
        Values out of range.
    """
    check_steps(steps, 1000)
    check_start(start)
    found = [Level(CLEAN, 1.0, 0.0, 0.0)]
    for k in range(1, max(1, round(start * steps)) + 1):
        mixed = sigma_of_fraction(k / steps)  # noise over signal is this over the rest
        relative = mixed / (1 - mixed)
        signal = 1 / math.sqrt(1 + relative**2)
        found.append(Level(math.log(relative * sigma_data) / 4, signal, relative * signal, k / steps))
    return Levels(tuple(found))
