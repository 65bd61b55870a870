"""Z-Image's attention with a say in the picture's keys and values: one stream, the picture first."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor

from regiondrag_widget.models.processors import for_installing_thread
from regiondrag_widget.models.token_attention import KeyValueRole, joint_bias, split_heads

__all__ = ["ZAttention"]


class ZAttention:
    """Attention of Z-Image over one stream: the picture, what fills it up to a multiple of 32, then the text.

    It equals diffusers' `ZSingleStreamAttnProcessor`.

    Parameters
    ----------
    role : KeyValueRole, optional
        What is done with the picture's keys and values.
    """

    _attention_backend = None
    _parallel_config = None

    def __init__(self, role: KeyValueRole | None = None) -> None:
        self.role = role or KeyValueRole()

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        freqs_cis: Tensor | None = None,
    ) -> Tensor:
        def project(hidden: Tensor, start: int) -> tuple[Tensor, Tensor]:
            key = split_heads(attn.to_k(hidden), attn.heads)
            return _placed(attn.norm_k, key, freqs_cis, start), split_heads(attn.to_v(hidden), attn.heads)

        query = _placed(attn.norm_q, split_heads(attn.to_q(hidden_states), attn.heads), freqs_cis)
        key, value = self.role.keys_values(hidden_states, attn.heads, project)
        mask = attention_mask
        if mask is not None and mask.ndim == 2:
            mask = mask[:, None, None, :]
        bias = self.role.bias
        after = 0 if bias is None else hidden_states.shape[1] - bias.shape[-1]
        out = dispatch_attention_fn(
            query,
            key,
            value,
            attn_mask=joint_bias(self.role, 0, after, mask),
            backend=self._attention_backend,
            parallel_config=self._parallel_config,
        )
        out = attn.to_out[0](out.flatten(2).to(query.dtype))
        return attn.to_out[1](out) if len(attn.to_out) > 1 else out  # type: ignore[no-any-return]


def _placed(norm: Any, t: Tensor, turns: Tensor | None, start: int = 0) -> Tensor:
    """Normalised, and turned by the tokens' positions, (B, S, dim / 2) complex."""
    t = t if norm is None else norm(t)
    if turns is None:
        return t
    with torch.amp.autocast("cuda", enabled=False):
        pairs = torch.view_as_complex(t.float().unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * turns[:, start:].unsqueeze(2)).flatten(3).type_as(t)
