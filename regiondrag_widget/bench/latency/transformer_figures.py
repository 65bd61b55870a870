"""What an edit with a flow transformer costs, counted on its true size without weights.

The network stands on torch's meta device: shapes are worked out and nothing is computed. Counted are the
floating point operations of matrix products and attention, and the bytes of keys and values. On a GPU the
same network, with random weights, is timed as well.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import diffusers
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.configuration_utils import FrozenDict
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.families import FAMILIES
from regiondrag_widget.models.fingerprint import network_state
from regiondrag_widget.models.joint_attention import captured
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.placement import wait_for
from regiondrag_widget.models.transformer_network import TransformerNetwork

__all__ = [
    "SHARES",
    "TRANSFORMERS",
    "Figures",
    "TransformerArchitecture",
    "counted",
    "figures_table",
    "timed",
]

SHARES = (0.05, 0.2, 0.5, 1.0)
META = torch.device("meta")


@dataclass(frozen=True)
class TransformerArchitecture:
    """The shapes of one transformer.

    Attributes
    ----------
    transformer : str
        diffusers' class.
    config : mapping
        Its configuration, where that is not the class's default.
    text : int
        Text tokens that are counted: those a prompt is padded to, or a usual prompt's.
    width : int
        Of the text embeds.
    pooled : int
        Of the pooled text; 0 without.
    channels : int
        Of the autoencoder's latents.
    schedule : mapping
        Of the scheduler.
    family : str
        Its `Family`, where several have the transformer; the first of them when left out.
    """

    transformer: str
    config: Mapping[str, Any]
    text: int
    width: int
    pooled: int = 0
    channels: int = 16
    schedule: Mapping[str, Any] = field(default_factory=dict)
    family: str = ""


_SHIFTED = {"use_dynamic_shifting": True, "shift": 3.0}
TRANSFORMERS = {
    "flux2-klein": TransformerArchitecture(
        "Flux2Transformer2DModel",
        {
            "num_layers": 5,
            "num_single_layers": 20,
            "num_attention_heads": 24,
            "joint_attention_dim": 7680,
            "guidance_embeds": False,
        },
        text=512,
        width=7680,
        channels=32,
        schedule=_SHIFTED,
    ),
    "flux1": TransformerArchitecture(
        "FluxTransformer2DModel", {"guidance_embeds": True}, 512, 4096, pooled=768, schedule=_SHIFTED
    ),
    "sd35": TransformerArchitecture(
        "SD3Transformer2DModel",
        {
            "num_layers": 38,
            "num_attention_heads": 38,
            "caption_projection_dim": 2432,
            "pos_embed_max_size": 192,
            "qk_norm": "rms_norm",
        },
        text=333,
        width=4096,
        pooled=2048,
        schedule={"shift": 3.0},
    ),
    "sd35-medium": TransformerArchitecture(
        "SD3Transformer2DModel",
        {
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 384,
            "dual_attention_layers": tuple(range(13)),
            "qk_norm": "rms_norm",
        },
        text=333,
        width=4096,
        pooled=2048,
        schedule={"shift": 3.0},
    ),
    "qwen": TransformerArchitecture("QwenImageTransformer2DModel", {}, 64, 3584, schedule=_SHIFTED),
    "qwen-edit": TransformerArchitecture(
        "QwenImageTransformer2DModel", {}, 64, 3584, schedule=_SHIFTED, family="Qwen-Image-Edit"
    ),
    "zimage": TransformerArchitecture("ZImageTransformer2DModel", {}, 64, 2560, schedule={"shift": 3.0}),
}


@dataclass(frozen=True)
class Figures:
    """What an edit of one size costs.

    Attributes
    ----------
    model, size : str, int
        The name in `TRANSFORMERS`, and pixels a side.
    parameters : int
        Of the transformer.
    calls : int
        Network calls of an edit with the default levels.
    inversion : float
        Floating point operations of the inversion.
    edit : dict of float
        Those of an edit, by the share of the tokens that it changes.
    key_value_bytes : int
        Bytes of keys and values of one level, in half precision.
    seconds : float, optional
        Median of the network calls of a warm edit of 20 %, where it was timed.
    """

    model: str
    size: int
    parameters: int
    calls: int
    inversion: float
    edit: dict[float, float]
    key_value_bytes: int
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        return asdict(self)


@torch.inference_mode()
def counted(model: str, size: int, shares: Sequence[float] = SHARES) -> Figures:
    """Count the cost of an edit.

    Parameters
    ----------
    model : str
        A name in `TRANSFORMERS`.
    size : int
        Pixels a side, a multiple of 16.
    shares : sequence of float
        Parts of the picture that change, above 0 and up to 1.

    Raises
    ------
    ValueError
        A size that is not a multiple of 16.
    """
    case = _Case(TRANSFORMERS[model], size, META)
    once = _operations(case.invert)
    edit = {share: case.calls * _operations(partial(case.step, share)) for share in shares}
    parameters = sum(p.numel() for p in case.backbone.transformer.parameters())
    bytes_a_level = case.network.level_bytes(case.cells, case.cells)
    return Figures(model, size, parameters, case.calls, case.calls * once, edit, bytes_a_level)


@torch.inference_mode()
def timed(
    architecture: TransformerArchitecture,
    size: int,
    device: torch.device,
    repetitions: int,
    share: float = 0.2,
) -> float:
    """Median seconds of the network calls of a warm edit, with random weights.

    Parameters
    ----------
    architecture : TransformerArchitecture
        A value of `TRANSFORMERS`.
    size : int
        Pixels a side, a multiple of 16.
    device : torch.device
        Where it computes.
    repetitions : int
        After two that are not counted.
    share : float
        The part of the picture that changes.

    Raises
    ------
    ValueError
        A size that is not a multiple of 16.
    """
    case = _Case(architecture, size, device)
    case.invert()
    seconds = []
    for _ in range(2 + repetitions):
        wait_for(device)
        begun = time.perf_counter()
        for _ in range(case.calls):
            case.step(share)
        wait_for(device)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[2:])


class _Case:
    """One network, and a picture of one size."""

    def __init__(self, architecture: TransformerArchitecture, size: int, device: torch.device) -> None:
        if size < 16 or size % 16:
            raise ValueError(f"--size is {size}: give a multiple of 16 for a transformer")
        self.backbone = _without_autoencoder(architecture, device)
        half = {"device": device, "dtype": torch.bfloat16}
        embeds = torch.zeros(1, architecture.text, architecture.width, **half)  # type: ignore[call-overload]
        added = {"pooled": torch.zeros(1, architecture.pooled, **half)}  # type: ignore[call-overload]
        condition = Condition(embeds, added if architecture.pooled else None)
        self.network = TransformerNetwork(self.backbone, condition)
        self.cells = size // self.backbone.cell
        self.x = torch.zeros(1, self.backbone.channels, self.cells, self.cells, device=device)
        if self.network.pictured:
            self.network = self.network.with_picture(self.x[0])
        defaults = self.backbone.profile.defaults
        found = self.backbone.levels(defaults["steps"], defaults["start"], size=(self.cells, self.cells))
        self.calls, self.cache = len(found), KeyValueCache()
        self._open: dict[float, Tensor] = {}

    def invert(self) -> None:
        """The network at one level, its keys and values kept."""
        state = network_state(self.backbone.transformer)
        layers = self.backbone.attention_layers(state.attention)
        tokens = self.backbone.tokens(self.cells, self.cells)
        times = torch.full((1,), 500.0, device=self.x.device)
        with captured(layers, list(layers), self.backbone.processor_of, self.cache, tokens):
            self.network.predict(self.x, times)
        self.cache.made_by = state.key

    def step(self, share: float) -> None:
        """One call of an edit that changes a share of the tokens."""
        if share not in self._open:
            self._open[share] = _open_cells(self.cells, self.backbone.patch, share)
        with self.network.inject(self.cache, True, None, None, self._open[share]) as predict:
            predict(1, 500.0, self.x)


def figures_table(figures: Sequence[Figures]) -> str:
    """The figures as a table in Markdown."""
    shares = list(figures[0].edit)
    heads = ["model", "parameters", "pixels", "calls", "inversion"]
    heads += [f"edit of {share:.0%}" for share in shares]
    heads += ["keys and values a level"]
    was_timed = any(found.seconds is not None for found in figures)
    heads += ["network calls of a warm edit of 20%"] if was_timed else []
    rows = [" | ".join(heads), " | ".join(["---"] * len(heads))]
    for found in figures:
        cost = [found.inversion, *(found.edit[share] for share in shares)]
        cells = [found.model, f"{found.parameters / 1e9:.1f} B", str(found.size), str(found.calls)]
        cells += [f"{value / 1e12:.1f} TFLOP" for value in cost]
        cells += [f"{found.key_value_bytes / 1e9:.2f} GB"]
        if was_timed:
            cells += ["" if found.seconds is None else f"{found.seconds * 1e3:.1f} ms"]
        rows.append(" | ".join(cells))
    return "\n".join(f"| {row} |" for row in rows)


def _without_autoencoder(architecture: TransformerArchitecture, device: torch.device) -> Any:
    """A backbone whose autoencoder has a configuration alone, since it is never called."""
    found = [f for f in FAMILIES if f.transformer == architecture.transformer and not f.codec]
    family = next(f for f in found if architecture.family in ("", f.name))
    kind = family.backbone_class()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)  # no larger copy first
    try:
        with device:
            transformer = getattr(diffusers, architecture.transformer)(**architecture.config)
    finally:
        torch.set_default_dtype(before)
    config = FrozenDict(
        latent_channels=architecture.channels,
        block_out_channels=(0,) * 4,
        z_dim=architecture.channels,
        temperal_downsample=(0,) * 3,
    )
    vae = SimpleNamespace(config=config, temperal_downsample=(0,) * 3, clear_cache=lambda: None)

    class Counted(kind):  # type: ignore[misc, valid-type]
        """Of the family, but its transformer may lack weights."""

        def check_transformer(self) -> None:
            """Nothing is refused."""

    backbone = Counted(vae, transformer.eval(), FlowMatchEulerDiscreteScheduler(**architecture.schedule))
    backbone.batch_size = 1
    return backbone


def _open_cells(cells: int, patch: int, share: float) -> Tensor:
    """(cells, cells) bool with about a share of the tokens, row by row."""
    side = cells // patch
    tokens = torch.zeros(side * side, dtype=torch.bool)
    tokens[: max(1, math.ceil(share * side * side))] = True
    return tokens.view(side, side).repeat_interleave(patch, 0).repeat_interleave(patch, 1)


def _operations(run: Any) -> float:
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())
