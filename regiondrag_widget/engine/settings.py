"""The table of settings: what an edit may be told, once, for Python, the widget and the command line.

Each field of `EditSettings` is a row. From them come the checks, the options of ``regiondrag edit``, the
widget's drawer (``scripts/generate_settings.py`` writes its TypeScript) and the lists in docstrings.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from regiondrag_widget.engine.settingspec import Face, Scope, SettingSpec, setting, unknown_name

if TYPE_CHECKING:  # torch comes with it, which the widget does without until the first edit
    from regiondrag_widget.models.attention import AttentionSwap

__all__ = [
    "CHOICES",
    "SETTINGS",
    "EditSettings",
    "check_preset",
    "check_stop",
    "checked_guidance",
    "checked_seed",
    "lists_settings",
    "names",
    "resolve",
    "schedule",
]


@dataclass(frozen=True, kw_only=True)
class EditSettings:
    """How one edit is made; fractions of the noise schedule run from 0, clean, to 1, pure noise.

    Checked when made. None stands for the model's own value where a setting has one.

    Attributes
    ----------
    {settings}

    Raises
    ------
    ValueError
        For a value that is out of range or none of the choices.
    TypeError
        For a value of another type.
    """

    prompt: str = setting(
        "text", "", "What the picture shows, for models that read text", max=2000, scope="picture"
    )
    negative_prompt: str = setting(
        "text", "", "What the picture should not show; counts where Guidance is above 1",
        max=2000, scope="picture",
    )  # fmt: skip
    guidance_scale: float | None = setting(
        "number", None, "Above 1 the prompt counts for more, and every step takes twice as long",
        label="Guidance", more="classifier-free guidance, in the inversion and the edit alike, which keeps "
        "twice the keys and values; up to 1 the prompt alone counts, as in the paper. Networks distilled for "
        "guidance are told it, at no cost",
        min=0, max=30, step=0.5, scope="picture", of_model=True,
    )  # fmt: skip
    seed: int = setting(
        "integer", 0, "The same seed gives the same result", more="on every device, up to rounding",
        min=0, max=2**63 - 1, step=1, scope="picture",
    )  # fmt: skip
    steps: int | None = setting(
        "integer", None, "More steps are finer and slower",
        more="levels that the whole noise schedule would have, of which an edit visits about steps * start",
        min=1, max=1000, step=1, scope="picture", of_model=True,
    )  # fmt: skip
    start: float | None = setting(
        "number", None, "Higher lets the model change more",
        more="fraction of the noise schedule at which the edit begins, from 0, clean, to 1, pure noise",
        min=0, above_min=True, max=1, step=0.05, scope="picture", of_model=True,
    )  # fmt: skip
    stop: float | None = setting(
        "number", None, "Lower keeps the object as it was, higher lets it blend in",
        more="content is pasted while the level is at or above this fraction of the noise schedule",
        min=0, max=1, step=0.05, of_model=True,
    )  # fmt: skip
    content: str = setting(
        "choice", "pixels",
        "Whether pixels are moved and encoded, noised latents are (the paper's way), or the positions at "
        "which a model that reads reference pictures is shown the parts (FLUX.2 klein, FLUX.1 Kontext, "
        "Qwen-Image-Edit)",
        choices=("pixels", "latents", "positions"), faces=("python",),
    )  # fmt: skip
    residual: str = setting(
        "choice", "follow", "Whether what the reverse mean misses moves along with the content or stays",
        choices=("follow", "stay"), faces=("python",),
    )  # fmt: skip
    vacated: Literal["fill", "noise", "keep"] = setting(
        "choice", "fill", "What fills the place the object leaves", label="Where it was",
        choices={
            "fill": "Fill in the background",
            "noise": "Let the model invent something",
            "keep": "Leave it: copy, do not move",
        },
    )  # fmt: skip
    matte: Literal["auto", "none"] = setting(
        "choice", "auto", "What a pair carries unless it is chosen for the pair", label="Carry",
        choices={
            "auto": "Find the object",
            "none": "Move everything painted",
        },
    )  # fmt: skip
    prefill: str = setting(
        "choice", "mixed",
        "First content of a filled place: exemplar copies what is around it, smooth continues tones, mixed "
        "copies and keeps only the fine texture of a copy whose tones are far off",
        choices=("mixed", "exemplar", "smooth"), faces=("python",),
    )  # fmt: skip
    handle_noise_scale: float = setting(
        "number", 0.0,
        "Share of fresh noise in the handle's latents at the top level (RegionDrag section 3.4)",
        min=0, max=1, faces=("python",),
    )  # fmt: skip
    attention_swap: AttentionSwap | Literal["gathered", "live"] = setting(  # noqa: RUF009
        "layers", True,
        "Layers that read the inversion's keys and values: True (all), False, a function of a layer's name, "
        "'gathered' (all, each cell's taken from where its content came from), or 'live' (all, but what "
        "changes and a halo around it read each other as they are; transformers alone)",
        choices=("gathered", "live"), faces=("python",),
    )  # fmt: skip
    method: str = setting(
        "choice", "auto", "Correspondence of pairs without a matrix",
        choices=("auto", "contour", "scanline", "polygon"), faces=("python",),
    )  # fmt: skip
    crop: bool | None = setting(
        "flag", None,
        "Run the network on the changing part alone where that is under half of the picture: faster, and a "
        "little different, since the network's means are then those of the part",
        faces=("python",), of_model=True,
    )  # fmt: skip
    preset: str = setting(
        "choice", "default", "Levels and rule of the default, or of the released RegionDrag code",
        choices=("default", "released"), faces=("python",), scope="picture",
    )  # fmt: skip
    model: str = setting(
        "choice", "mini", "The diffusion model that makes the edit",
        more="mini (bundled), a diffusers folder or a hub id",
        max=1000, scope="model",
    )  # fmt: skip
    live: bool | None = setting(
        "choice", None, "Edit while you drag. Automatic: on if a draft takes under 250 ms",
        choices={None: "Automatic", True: "On", False: "Off"}, faces=("widget",), scope="display",
    )  # fmt: skip
    selector: str = setting(
        "text", "", "A Segment Anything model: a folder or a name on Hugging Face. Empty: colours and edges",
        label="Select with", more="what the select tool finds things by",
        max=1000, faces=("widget",), scope="display",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if str(self.matte) == "grabcut":
            words = 'matte="grabcut" is now part of matte="auto" and will go: say "auto"'
            warnings.warn(words, FutureWarning, stacklevel=3)
            object.__setattr__(self, "matte", "auto")
        for spec in SETTINGS:
            object.__setattr__(self, spec.name, spec.checked(getattr(self, spec.name)))
        if self.start is not None:
            check_stop(self.stop, self.start, self.preset)

    @property
    def gathers(self) -> bool:
        """Whether keys and values move along with the content."""
        return isinstance(self.attention_swap, str) and self.attention_swap == "gathered"

    @property
    def lives(self) -> bool:
        """Whether the cells that are computed read each other's keys and values as they are."""
        return isinstance(self.attention_swap, str) and self.attention_swap == "live"

    @property
    def swap(self) -> AttentionSwap:
        """Which layers read the inversion's keys and values."""
        return True if isinstance(self.attention_swap, str) else self.attention_swap

    def updated(self, changes: Mapping[str, Any], face: Face = "widget") -> EditSettings:
        """These settings with ``changes`` applied.

        Raises
        ------
        ValueError
            For a name that this face does not have, or a value out of range.
        TypeError
            For a value of another type.
        """
        known = names(face)
        for name, value in changes.items():
            if name not in known:
                near = unknown_name(str(name), known)
                raise ValueError(f"unknown setting {name!r}: choose from {', '.join(known)}{near}")
            if face == "widget":
                BY_NAME[name].checked_for_browser(value)
        return replace(self, **changes)

    def with_own(self, own: Mapping[str, Any]) -> EditSettings:
        """The model's own values, ``own``, in place of None; None stays where ``own`` has nothing."""
        filled = {
            spec.name: own[spec.name]
            for spec in SETTINGS
            if spec.of_model and getattr(self, spec.name) is None and own.get(spec.name) is not None
        }
        start, stop = filled.get("start", self.start), filled.get("stop", self.stop)
        if start is not None and stop is not None and stop > start:  # content is pasted once at least
            filled |= {name: min(start, stop) for name in ("start", "stop") if name in filled}
        return replace(self, **filled)

    def of_the_edit(self, face: Face = "widget") -> dict[str, Any]:
        """What each edit of a prepared picture is told anew; the rest is the preparation's."""
        return {name: getattr(self, name) for name in names(face, "edit")}

    def as_dict(self, face: Face = "widget") -> dict[str, Any]:
        """The settings that a face shows, in plain values."""
        return {name: getattr(self, name) for name in names(face)}

    def as_json(self) -> dict[str, Any]:
        """The edit's own settings as JSON has them: a predicate becomes its name."""
        record = {name: value for name, value in asdict(self).items() if name in OF_EDIT}
        if callable(self.attention_swap):
            record["attention_swap"] = getattr(self.attention_swap, "__name__", "predicate")
        return record


SETTINGS: tuple[SettingSpec, ...] = tuple(f.metadata["spec"].named(f.name) for f in fields(EditSettings))
BY_NAME = {spec.name: spec for spec in SETTINGS}
CHOICES = {s.name: s.values for s in SETTINGS if s.kind == "choice" and s.choices and s.scope == "edit"}
OF_EDIT = {s.name for s in SETTINGS if s.scope == "edit"} | {"preset"}


def names(face: Face, scope: Scope | None = None) -> tuple[str, ...]:
    """The settings that a face shows, or those of one scope."""
    return tuple(s.name for s in SETTINGS if face in s.faces and scope in (None, s.scope))


IN_PYTHON = tuple(s.name for s in SETTINGS if "python" in s.faces and s.scope != "model")

F = TypeVar("F", bound=Callable[..., Any])


def lists_settings(*listed: str) -> Callable[[F], F]:
    """Put table rows into a docstring, in place of its ``{settings}``.

    The rows are those named, or all that a loaded model takes in Python.
    """

    def fill(documented: F) -> F:
        lines = (documented.__doc__ or "").splitlines()
        rows = [BY_NAME[name] for name in listed or IN_PYTHON]
        filled: list[str] = []
        for line in lines:
            indent = line[: len(line) - len(line.lstrip())]
            if line.strip() == "{settings}":
                filled += [f"{indent}{text}" for row in rows for text in row.documentation()]
            else:
                filled.append(line)
        documented.__doc__ = "\n".join(filled) if lines else None  # none at all under python -OO
        return documented

    return fill


lists_settings(*BY_NAME)(EditSettings)

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
    for name in sorted(set(given) - OF_EDIT):
        near = unknown_name(name, OF_EDIT)
        raise TypeError(f"unknown setting {name!r}: an edit knows {', '.join(sorted(OF_EDIT))}{near}")
    base = RELEASED if preset == "released" else {k: v for k, v in defaults.items() if k in OF_EDIT}
    settings = EditSettings(**{**base, "preset": preset})
    return replace(settings, **{k: v for k, v in given.items() if v is not None})


def check_preset(preset: str) -> None:
    """ValueError unless the preset is one there is."""
    BY_NAME["preset"].checked(preset)


def check_stop(stop: float | None, start: float, preset: str) -> None:
    """ValueError when pasting is asked to end above the level the edit begins at."""
    if stop is not None and preset != "released" and stop > start:
        raise ValueError(f"stop ({stop:g}) lies above start ({start:g}): nothing would be pasted; lower stop")


def checked_guidance(scale: object) -> float:
    """The guidance as a float; raises ValueError or TypeError unless it is a number in its range."""
    return float(BY_NAME["guidance_scale"].checked(scale))


def checked_seed(seed: object) -> int:
    """The seed as an int; ValueError unless it is a whole number from 0 and below 2**63."""
    try:
        return int(BY_NAME["seed"].checked(seed))
    except TypeError as error:
        raise ValueError(str(error)) from None
