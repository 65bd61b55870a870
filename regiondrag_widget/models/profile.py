"""How a family of networks is best used: working size and default levels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

__all__ = [
    "BUNDLED_PROFILES",
    "MINI_FLOW_PROFILE",
    "MINI_PROFILE",
    "BackboneProfile",
    "few_steps",
    "stable_diffusion_profile",
    "with_named_steps",
]


@dataclass(frozen=True)
class BackboneProfile:
    """How a network is used.

    Attributes
    ----------
    side, min_side
        Longest and shortest side worked at, in pixels.
    cheap_decoder
        The autoencoder is linear and fast enough to draw every preview.
    takes_text
        Whether a prompt has any effect.
    max_start
        The highest fraction of the noise schedule the network was trained at.
    defaults
        Steps, start, stop and other settings an edit uses when it is not told.
    """

    side: int
    min_side: int
    cheap_decoder: bool = False
    takes_text: bool = True
    max_start: float = 1.0
    defaults: dict[str, Any] = field(default_factory=dict)


# the guidance a latent consistency model is told: the lowest of those they are trained with (w from 2 to 14,
# Luo et al. 2023); it means nothing with an empty prompt, and any other prompt needs no more
DISTILLED_GUIDANCE = 3.0

MINI_PROFILE = BackboneProfile(
    side=512,
    min_side=256,
    cheap_decoder=True,
    takes_text=False,
    max_start=0.7,
    # a crop cost nothing in quality on 24 scenes with known truth (+0.01 +- 0.02 dB over what was touched);
    # three levels from 0.2 lie nearer to the truth than from 0.3 on 33 others (FLIP 0.0005 +- 0.0002 lower);
    # from 0.1 (0.0004 lower again) there would be next to nothing to watch
    defaults={"steps": 15, "start": 0.2, "stop": 0.0, "crop": True, "guidance_scale": 1.0},
)

MINI_FLOW_PROFILE = BackboneProfile(
    side=256,  # twice as much would be 16 times the attention of an edit by position
    min_side=256,
    cheap_decoder=True,
    takes_text=False,
    defaults={"steps": 15, "start": 0.2, "stop": 0.0, "crop": True, "guidance_scale": 1.0},
)

BUNDLED_PROFILES = {"mini": MINI_PROFILE, "mini-flow": MINI_FLOW_PROFILE}


def stable_diffusion_profile(unet: Any, cell: int, scheduler: Any = None, name: str = "") -> BackboneProfile:
    """The size the network was trained at; the paper's levels (20 steps from 0.5, pasting down to 0.2).

    Weights distilled to few steps get few levels: see `few_steps`.
    """
    side = int(unet.config.sample_size or 64) * cell
    steps = few_steps(unet, scheduler, name) or 20
    defaults = {"steps": steps, "start": 0.5, "stop": 0.2}
    if unet.config.get("time_cond_proj_dim") is not None:
        defaults["guidance_scale"] = DISTILLED_GUIDANCE
    return BackboneProfile(side=side, min_side=side, defaults=defaults)


def few_steps(unet: Any, scheduler: Any, name: str) -> int | None:
    """Levels of the whole schedule for weights distilled to few steps; None for others.

    They are told by their scheduler, by the guidance a latent consistency model is told, or by what the model
    or its LoRA is called ("lcm", "turbo", "hyper", "lightning", "4step").

    The levels are timesteps the distillation knows: every 100th of a latent consistency model's 50, the
    4 of Turbo's, the N trailing ones of an N-step Hyper-SD or Lightning, at least 4 of which 2 are edited at.
    """
    kind, text = type(scheduler).__name__, _called(name)
    counted = _counted(text)
    if counted:
        return counted
    if (
        re.search(r"\blcm\b", text)
        or kind == "LCMScheduler"
        or unet.config.get("time_cond_proj_dim") is not None
    ):
        return 10
    if re.search(r"\bturbo\b", text):
        return 4
    if re.search(r"hyper-?sd|lightning", text) or kind == "TCDScheduler":
        return 8
    trailing = scheduler is not None and scheduler.config.get("timestep_spacing") == "trailing"
    return 4 if trailing and kind == "EulerAncestralDiscreteScheduler" else None


def with_named_steps(profile: BackboneProfile, name: str, turbo: int | None = None) -> BackboneProfile:
    """A transformer's profile, with few levels for weights whose name says how few they were distilled to.

    Parameters
    ----------
    profile : BackboneProfile
        Of the family.
    name : str
        What the model or its LoRA is called ("Qwen-Image-Lightning-8steps").
    turbo : int, optional
        Levels of those that call themselves "turbo" without a number; the profile's when left out.
    """
    text = _called(name)
    steps = _counted(text) or (turbo if re.search(r"\bturbo\b", text) else None)
    return profile if steps is None else replace(profile, defaults={**profile.defaults, "steps": steps})


def _counted(text: str) -> int | None:
    """The steps that a few-step name counts, at least 4."""
    counted = re.search(r"(\d+)-?steps?\b", text)
    few = counted and re.search(r"hyper|lightning|turbo|lcm|tcd", text)
    return min(20, max(4, int(counted[1]))) if counted and few else None


def _called(name: str) -> str:
    """The telling end of a model's name and of its LoRA's; the folders above it say nothing."""
    ends = [Path(part.strip()).parts[-2:] for part in name.split(" + ")]
    return " ".join(part for end in ends for part in end).lower().replace("_", "-")
