"""A flow transformer under one condition, as the inversion and the reverse pass call it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from regiondrag_widget.models.admission import check_network
from regiondrag_widget.models.attention import AttentionSwap
from regiondrag_widget.models.backbone import Condition, Predict
from regiondrag_widget.models.device import device_errors
from regiondrag_widget.models.fingerprint import NetworkState, network_state
from regiondrag_widget.models.joint_attention import (
    TEXT,
    JointProcessor,
    Reading,
    beside,
    captured,
    chosen_layers,
    image_bias,
)
from regiondrag_widget.models.keyvalues import KeyValueCache, SourcePath
from regiondrag_widget.models.levels import PredictionType
from regiondrag_widget.models.placement import device_of, dtype_of, free_memory
from regiondrag_widget.models.references import References
from regiondrag_widget.models.turns import turns_of

__all__ = ["TransformerHost", "TransformerNetwork"]

CPU_BUDGET = 1 << 30  # bytes of activations one batched call may take
# live values of one token in a block, in multiples of the network's width: the stream, the projections of
# attention and feed-forward (12 of FLUX.2's parallel blocks), and their copies for the attention
ACTIVATION_WIDTHS = 24


class TransformerHost(Protocol):
    """What a `TransformerNetwork` needs of its backbone, `TransformerBackbone`."""

    transformer: Any
    batch_size: int | None
    patch: int
    reads_references: bool
    pictured: bool
    plain: ClassVar[set[str]]

    def tokens(self, height: int, width: int) -> int:
        """Image tokens of latents of (height, width) cells."""

    def width(self) -> int:
        """Channels of a token inside the network: heads times their width."""

    def attention_layers(self, found: dict[str, Any]) -> dict[str, Any]:
        """Those of the transformer's attention layers, by name, that see the image."""

    def kept_tokens(self, layer: str, image: int, text: int) -> int:
        """How many tokens an attention layer sees, of so many image and text tokens."""

    def processor_of(self, module: Any) -> JointProcessor:
        """A new processor for an attention layer."""

    def velocity(
        self,
        x: Tensor,
        timesteps: Tensor,
        condition: Condition,
        where: Tensor | None,
        with_text: bool,
        **shown: References,
    ) -> Tensor:
        """See `TransformerBackbone.velocity`."""


@dataclass(frozen=True)
class _Edit:
    """What an edit's steps share, and what it was made of; the inversion is not kept alive."""

    cache: weakref.ref[KeyValueCache]
    given: tuple[object, ...]
    where: Tensor | None
    reading: Reading


class TransformerNetwork:
    """A backbone's transformer under one condition: see `Network`.

    Parameters
    ----------
    backbone : TransformerBackbone
        Whose transformer is called.
    condition : Condition
        What it is conditioned on.
    """

    prediction_type: PredictionType = "flow_prediction"
    computes_cells = True  # `inject` takes `open_cells`

    def __init__(self, backbone: TransformerHost, condition: Condition) -> None:
        self._backbone, self.condition = backbone, condition
        self.turns = turns_of(backbone.transformer)
        self.calls = 0
        self._state: NetworkState | None = None
        self.references: References | None = None  # what `referring` was given
        self._picture: References | None = None  # what `with_picture` was given
        self._edit: _Edit | None = None
        self._given: tuple[torch.device, torch.dtype, Condition] | None = None

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The velocity e - clean, float32, at (B, C, h, w) float32 latents and (B,) timesteps."""
        with self.turns:
            return self._predict(x, timesteps)

    def _predict(
        self, x: Tensor, timesteps: Tensor, where: Tensor | None = None, with_text: bool = True
    ) -> Tensor:
        self._check_size(*x.shape[-2:])
        self.calls += 1
        network = self._backbone.transformer
        with device_errors():
            given = self._condition_at(x.device, dtype_of(network))
            # kept keys and values of the text have those of the picture with them
            beside = self._picture if self.references is None and with_text else self.references
            shown = {} if beside is None else {"references": beside}
            x = x.to(dtype_of(network))
            out = self._backbone.velocity(x, timesteps, given, where, with_text, **shown)
        return out.float()

    def _check_size(self, height: int, width: int) -> None:
        patch = self._backbone.patch
        if height % patch or width % patch:
            raise ValueError(
                f"latents must be whole tokens of {patch} x {patch} cells, got {height} x {width} cells"
            )

    def capture(self, x: Tensor, timesteps: Tensor, cache: KeyValueCache) -> Tensor:
        """See `Network.capture`; layers with processors of their owner's own are left out."""
        with self.turns:
            check_network(self._backbone.transformer)
            state = self._state = network_state(self._backbone.transformer)
            cache.made_by = state.key
            names = chosen_layers(self._layers(state), True, self._backbone.plain, strict=False)
            tokens = self._backbone.tokens(*x.shape[-2:])
            with captured(self._layers(state), names, self._backbone.processor_of, cache, tokens):
                return self._predict(x, timesteps)

    def check_swap(self, swap: AttentionSwap) -> None:
        """Refuse layers whose attention processors are the user's own and would have to be replaced.

        Raises
        ------
        ValueError
            In one sentence.
        """
        chosen_layers(self._layers(self._present_state()), swap, self._backbone.plain)

    def _present_state(self) -> NetworkState:
        if self._state is None:
            with self.turns:
                self._state = network_state(self._backbone.transformer)
        return self._state

    def _layers(self, state: NetworkState) -> dict[str, Any]:
        """The attention layers that see the image, by name."""
        return self._backbone.attention_layers(state.attention)

    def inject(
        self,
        cache: KeyValueCache,
        swap: AttentionSwap,
        hidden: Tensor | None,
        masked_queries: Tensor | None,
        open_cells: Tensor | None = None,
        live: bool = False,
    ) -> AbstractContextManager[Predict]:
        """See `Network.inject`.

        Parameters
        ----------
        cache, swap, hidden, masked_queries
            As there.
        open_cells : (h, w) bool Tensor, optional
            The cells whose velocity is wanted. Where every layer reads the inversion, no others are computed,
            and theirs is 0.
        live : bool
            Whether the tokens that are computed read each other as they are.
        """
        if self.references is not None:  # the references stand for the original's keys and values
            return nullcontext(self._at_level)
        if isinstance(cache, SourcePath):
            if live:
                raise ValueError(
                    "attention_swap='live' needs kept keys and values: not keys_values='recompute'"
                )
            return self._beside(cache, swap, hidden, masked_queries)
        return self._injected(cache, swap, hidden, masked_queries, open_cells, live)

    def _at_level(self, k: int, timestep: float, x: Tensor) -> Tensor:
        return self.predict(x, torch.full((len(x),), timestep, device=x.device))

    @property
    def reads_references(self) -> bool:
        """Whether it can be shown a reference picture."""
        return self._backbone.reads_references

    def referring(self, references: References) -> TransformerNetwork:
        """See `references.referring`."""
        made = TransformerNetwork(self._backbone, self.condition)
        made.references = references
        return made

    @property
    def pictured(self) -> bool:
        """Whether it is always shown the picture beside the latents."""
        return self._backbone.pictured

    def with_picture(self, clean: Tensor) -> TransformerNetwork:
        """See `references.with_picture`.

        The picture's tokens are of the text's kind: the edit changes none of them, and their keys and values
        are kept with the text's.
        """
        made = TransformerNetwork(self._backbone, self.condition)
        everything = torch.arange(self._backbone.tokens(*clean.shape[-2:]), device=clean.device)
        made._picture, made._given = References(clean, everything, everything), self._given
        return made

    @contextmanager
    def _injected(
        self,
        cache: KeyValueCache,
        swap: AttentionSwap,
        hidden: Tensor | None,
        masked_queries: Tensor | None,
        open_cells: Tensor | None,
        live: bool,
    ) -> Iterator[Predict]:
        with self.turns:
            edit = self._edit_of(cache, swap, hidden, masked_queries, open_cells, live)
        reading = edit.reading

        def predict(k: int, timestep: float, x: Tensor) -> Tensor:
            with self.turns:
                stored = reading.stored
                reading.set_level(dict(zip(stored, cache.level(k, stored), strict=True)))
                with reading.installed():
                    times = torch.full((len(x),), timestep, device=x.device)
                    return self._predict(x, times, edit.where, not reading.with_text)

        yield predict

    def _edit_of(self, cache: KeyValueCache, *given: Any) -> _Edit:
        """What the steps of an edit share; that of the previous step in the same edit."""
        known = self._edit
        if known is not None and known.cache() is cache and _same(known.given, given):
            return known
        swap, hidden, masked_queries, open_cells, live = given
        state = self._state
        if state is None or cache.made_by != state.key:
            state = self._state = network_state(self._backbone.transformer)
        backbone = self._backbone
        names = chosen_layers(self._layers(state), swap, backbone.plain)
        whole = 0 < len(names) == len(self._layers(state)) and all(n + TEXT in cache.keys for n in names)
        where, tokens = None, len(cache.keys[names[0]][0]) if names else 0
        if whole and open_cells is not None:
            where = self._tokens_of(open_cells, tokens)
        dtype = dtype_of(backbone.transformer)
        if live and where is None:
            where = torch.arange(tokens, device=cache.keys[names[0]][0].device) if whole else None
        shown = bias = image_bias(hidden, masked_queries, dtype, tokens, where) if names else None
        if live and bias is not None and where is not None:
            bias = bias.index_fill(3, where, 0.0)  # what is live is not what the original had there
        bias = self._hiding_twice(shown, bias)
        reading = Reading(
            self._layers(state),
            names,
            backbone.processor_of,
            with_text=whole,
            bias=bias,
            live=where if live else None,
        )
        known = self._edit = _Edit(weakref.ref(cache), given, where, reading)
        return known

    def _hiding_twice(self, shown: Tensor | None, bias: Tensor | None) -> Tensor | None:
        """A bias of the image's tokens, with that of the picture's, which stand before them."""
        if bias is None or shown is None or self._picture is None:
            return bias
        return torch.cat([shown, bias], 3)

    def _told(self, height: int, width: int) -> int:
        """How many tokens the text has, and the picture where it is always shown."""
        text = self.condition.embeds.shape[1]
        return text + self._backbone.tokens(height, width) if self.pictured else text

    def _tokens_of(self, cells: Tensor, tokens: int) -> Tensor | None:
        """Indices (n,) of the tokens that hold any of the cells; None for all of them."""
        side = round((cells.numel() / tokens) ** 0.5)
        some = torch.nn.functional.max_pool2d(cells[None, None].float(), side).flatten() > 0
        where = some.nonzero().flatten()
        return None if len(where) in (0, tokens) else where

    @contextmanager
    def _beside(
        self, source: SourcePath, swap: AttentionSwap, hidden: Tensor | None, masked_queries: Tensor | None
    ) -> Iterator[Predict]:
        """As `_injected`, but each prediction is a batch of the source and the edit."""
        backbone, state = self._backbone, self._present_state()
        names = chosen_layers(self._layers(state), swap, backbone.plain)
        tokens = backbone.tokens(*source.path.shape[-2:])
        bias = image_bias(hidden, masked_queries, dtype_of(backbone.transformer), tokens)
        bias = self._hiding_twice(bias, bias)

        def predict(k: int, timestep: float, x: Tensor) -> Tensor:
            if not names:
                return self.predict(x, torch.full((len(x),), timestep, device=x.device))
            both = torch.cat([source.path[k - 1][None].to(x), x])
            times = torch.full((len(both),), timestep, device=x.device)
            with self.turns, beside(self._layers(state), names, backbone.processor_of, tokens, bias):
                return self._predict(both, times)[1:]

        yield predict

    def _condition_at(self, device: torch.device, dtype: torch.dtype) -> Condition:
        """The condition, where and as the network computes."""
        if self._given is None or self._given[:2] != (device, dtype):
            with torch.inference_mode(False), torch.no_grad():
                added = self.condition.added
                if added is not None:
                    added = {
                        k: v.to(device, dtype if v.is_floating_point() else v.dtype) for k, v in added.items()
                    }
                embeds = self.condition.embeds.to(device, dtype)
                given = replace(self.condition, embeds=embeds, added=added)
            self._given = (device, dtype, given)
        return self._given[2]

    def level_bytes(self, height: int, width: int) -> int:
        """Bytes of the keys and values of one level, the text's included."""
        network = self._backbone.transformer
        size = torch.finfo(dtype_of(network)).bits // 8
        image, text = self._backbone.tokens(height, width), self._told(height, width)
        layers = self._layers(self._present_state())
        tokens = sum(self._backbone.kept_tokens(name, image, text) for name in layers)
        return tokens * self._backbone.width() * 2 * size

    def batch_size(self, height: int, width: int) -> int:
        """How many latents of (height, width) cells one call may take, by the free memory of a GPU."""
        if self._backbone.batch_size is not None:
            return self._backbone.batch_size
        network = self._backbone.transformer
        device = device_of(network)
        if device.type == "mps":
            return 1  # batches are known to fail there
        free = free_memory(device)
        budget = CPU_BUDGET if free is None else free // 2
        tokens = self._backbone.tokens(height, width) + self._told(height, width)
        each = tokens * self._backbone.width() * ACTIVATION_WIDTHS * torch.finfo(dtype_of(network)).bits // 8
        return int(max(1, budget // max(1, each)))


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(a is b for a, b in zip(one, other, strict=True))
