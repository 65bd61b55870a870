"""What an edit may be asked to do, checked at the door."""

from __future__ import annotations

import numbers
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from regiondrag_widget.imaging.carry import MATTES
from regiondrag_widget.models.attention import AttentionSwap
from regiondrag_widget.regions import METHODS

__all__ = ["EditSettings", "check_preset", "check_stop", "checked_seed", "resolve", "schedule"]

CHOICES = {
    "content": ("pixels", "latents"),
    "residual": ("follow", "stay"),
    "vacated": ("fill", "noise", "keep"),
    "matte": tuple(MATTES),
    "prefill": ("mixed", "exemplar", "smooth"),
    "method": METHODS,
}
PRESETS = ("default", "released")


@dataclass(frozen=True)
class EditSettings:
    """How one edit is made; fractions of the noise schedule run from 0, clean, to 1, pure noise.

    stop : content is pasted while the level is at or above this, in [0, 1]
    content : "pixels" warps pixels and encodes the composite, "latents" gathers noised latents (the paper)
    residual : what the reverse mean misses moves along with the content ("follow") or not ("stay")
    vacated : the place content left is filled from its surroundings ("fill"), made of noise ("noise"), or
        keeps the content too ("keep")
    matte : what pairs carry that do not say so themselves: "auto" the object found in the drawn handle, or
        all that is painted where none is found; "none" always all
    prefill : first content of a filled place: "exemplar" copies what is around it, "smooth" continues tones,
        "mixed" copies, and where the copy stands far off from the tones keeps its fine texture alone
    handle_noise_scale : in [0, 1], fresh noise blended into the handle's latents at the top level
        (RegionDrag section 3.4)
    attention_swap : True, False, a predicate on layer names, or "gathered": in all layers, each cell's keys
        and values taken from where its content came from
    method : correspondence of pairs without a matrix
    crop : True runs the network on the changing part alone where that is under half of the picture: faster,
        and a little different, since the network's means are then those of the part
    preset : "default", or "released" for the released code's rule

    Raises ValueError for a value that is not one of these or out of range, TypeError for an attention_swap
    that is neither a bool nor callable nor "gathered".
    """

    stop: float = 0.0
    content: str = "pixels"
    residual: str = "follow"
    vacated: str = "fill"
    matte: str = "auto"
    prefill: str = "mixed"
    handle_noise_scale: float = 0.0
    attention_swap: AttentionSwap | Literal["gathered"] = True
    method: str = "auto"
    crop: bool = False
    preset: str = "default"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not isinstance(self.crop, bool):
            raise TypeError(f"crop must be True or False, got {self.crop!r}")
        for name in ("stop", "handle_noise_scale"):
            value = getattr(self, name)
            is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not is_number or not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must be a number from 0 to 1, got {value!r}")
            object.__setattr__(self, name, float(value))
        if not (isinstance(self.attention_swap, bool) or callable(self.attention_swap) or self.gathers):
            raise TypeError(
                "attention_swap must be True, False or a function of a layer's name, or 'gathered', "
                f"got {self.attention_swap!r}"
            )

    @property
    def gathers(self) -> bool:
        """Whether keys and values move along with the content."""
        return isinstance(self.attention_swap, str) and self.attention_swap == "gathered"

    @property
    def swap(self) -> AttentionSwap:
        """Which layers read the inversion's keys and values."""
        return True if isinstance(self.attention_swap, str) else self.attention_swap

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON has them: a predicate becomes its name."""
        record = asdict(self)
        if callable(self.attention_swap):
            record["attention_swap"] = getattr(self.attention_swap, "__name__", "predicate")
        return record


# the released code pastes at every step (its stop never triggers), moves no residual and leaves the
# handle's noise blended
RELEASED = {
    "content": "latents",
    "residual": "stay",
    "vacated": "keep",
    "matte": "none",
    "handle_noise_scale": 1.0,
    "stop": 0.0,
}


RELEASED_STEPS, RELEASED_START = 20, 0.5


def schedule(
    preset: str, defaults: dict[str, Any], steps: int | None, start: float | None
) -> tuple[int, float]:
    """Steps of the whole schedule and where an edit begins: those of a preset where they are not given."""
    released = preset == "released"
    own_steps, own_start = (
        (RELEASED_STEPS, RELEASED_START) if released else (defaults["steps"], defaults["start"])
    )
    return own_steps if steps is None else steps, own_start if start is None else start


def resolve(preset: str, defaults: dict[str, Any], given: dict[str, Any]) -> EditSettings:
    """Settings of a preset, changed by what was given; None stands for not given.

    Raises ValueError for an unknown preset or value, TypeError for an unknown setting.
    """
    check_preset(preset)
    known = {f.name for f in fields(EditSettings)}
    unknown = set(given) - known
    if unknown:
        raise TypeError(f"unknown setting {sorted(unknown)[0]!r}: an edit knows {', '.join(sorted(known))}")
    base = RELEASED if preset == "released" else {k: v for k, v in defaults.items() if k in known}
    settings = EditSettings(**{**base, "preset": preset})
    return replace(settings, **{k: v for k, v in given.items() if v is not None})


def check_preset(preset: str) -> None:
    """ValueError unless the preset is one there is."""
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")


def check_stop(stop: float | None, start: float, preset: str) -> None:
    """ValueError when pasting is asked to end above the level the edit begins at."""
    if stop is not None and preset != "released" and stop > start:
        raise ValueError(f"stop ({stop}) lies above start ({start}): nothing would be pasted; lower stop")


def checked_seed(seed: object) -> int:
    """The seed as an int; ValueError unless it is a whole number from 0 and below 2**63."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f"seed must be a whole number from 0, got {seed!r}")
    return int(seed)
