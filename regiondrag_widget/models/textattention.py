"""Cross attention to a prompt: keys and values depend only on the prompt and are computed once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor

from regiondrag_widget.models.attention import (
    attended,
    attention_layers,
)
from regiondrag_widget.models.processors import for_installing_thread, installed, owners_processor

__all__ = ["PromptReader", "TextAttention"]


class PromptReader:
    """diffusers' cross attention (`AttnProcessor2_0`) with precomputed keys and values of the prompt.

    Parameters
    ----------
    key, value : (1, M, C) Tensor
        Of M text tokens.
    single : (1, 1, C) Tensor, optional
        The layer's output where there is one token only: it is the same for every query.
    """

    _attention_backend = None

    def __init__(self, key: Tensor, value: Tensor, single: Tensor | None = None) -> None:
        self.key, self.value, self.single = key, value, single

    @classmethod
    @torch.no_grad()
    def of(cls, attn: Any, embeds: Tensor) -> PromptReader:
        """The reader of a layer (a diffusers `Attention`) for a prompt's embeds (1, M, D)."""
        context = attn.norm_encoder_hidden_states(embeds) if attn.norm_cross else embeds
        key, value = attn.to_k(context), attn.to_v(context)
        single = attn.to_out[1](attn.to_out[0](value)) if key.shape[1] == 1 else None
        return cls(key, value, single)

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors it reads."""
        return [self.key, self.value] if self.single is None else [self.single]

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        """Attend to the text; called by diffusers with its own arguments."""
        batch, tokens, _ = hidden_states.shape
        if self.single is not None:
            out = self.single.expand(batch, tokens, -1)
        else:
            out = attended(attn, attn.to_q(hidden_states), self.key, self.value)
        if attn.residual_connection:
            out = out + hidden_states
        return out / attn.rescale_output_factor  # type: ignore[no-any-return]


class TextAttention:
    """A UNet's cross attentions under one prompt, to be installed for a call.

    Layers with another processor than diffusers' own (an IP-Adapter's, for example) stay as they are.

    Parameters
    ----------
    unet : UNet
        Whose layers read.
    embeds : (1, M, D) Tensor
        Of the prompt, in the network's format and place.
    modules : mapping, optional
        The network's attention modules by name, where they are known. Without any of them nothing is computed
        ahead, as is right where the weights are moved in for each call.
    """

    def __init__(self, unet: Any, embeds: Tensor, modules: Mapping[str, Any] | None = None) -> None:
        found = attention_layers(unet) if modules is None else modules
        layers = [m for name, m in found.items() if name.endswith("attn2") and _plain(m)]
        if layers and unet.config.get("encoder_hid_dim_type") == "text_proj":
            with torch.no_grad():
                embeds = unet.encoder_hid_proj(embeds)  # what the UNet does to them before its layers
        self._layers = [(module, PromptReader.of(module, embeds)) for module in layers]

    @property
    def readers(self) -> list[PromptReader]:
        """The layers' readers, in the layers' order."""
        return [reader for _, reader in self._layers]

    def twin(self) -> TextAttention:
        """A copy whose layers read copies of the tensors."""
        other = object.__new__(TextAttention)
        other._layers = [
            (
                module,
                PromptReader(r.key.clone(), r.value.clone(), None if r.single is None else r.single.clone()),
            )
            for module, r in self._layers
        ]
        return other

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While open, the layers read; before and after, the UNet is as it was found."""
        with installed(self._layers):
            yield


def _plain(attn: Any) -> bool:
    return (
        type(owners_processor(attn)) is AttnProcessor2_0
        and attn.spatial_norm is None
        and attn.group_norm is None
        and getattr(attn, "added_kv_proj_dim", None) is None
    )
