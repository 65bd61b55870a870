"""Qwen-Image's attention with a say in the picture's keys and values: text first, then picture."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.transformers.transformer_qwenimage import apply_rotary_emb_qwen
from torch import Tensor

from regiondrag_widget.models.processors import for_installing_thread
from regiondrag_widget.models.token_attention import KeyValueRole, joint_bias, split_heads

__all__ = ["QwenAttention"]


class QwenAttention:
    """Joint attention of Qwen-Image and Qwen-Image-Edit, whose reference pictures follow the edited one.

    It equals diffusers' `QwenDoubleStreamAttnProcessor2_0`.

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
        encoder_hidden_states: Tensor,
        encoder_hidden_states_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        turns, text_turns = image_rotary_emb or (None, None)

        def project(hidden: Tensor, start: int) -> tuple[Tensor, Tensor]:
            key = split_heads(attn.to_k(hidden), attn.heads)
            return _placed(attn.norm_k, key, turns, start), split_heads(attn.to_v(hidden), attn.heads)

        words, pixels = encoder_hidden_states.shape[1], hidden_states.shape[1]
        added = (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
        q, k, v = (split_heads(layer(encoder_hidden_states), attn.heads) for layer in added)
        query = _placed(attn.norm_q, split_heads(attn.to_q(hidden_states), attn.heads), turns)
        key, value = self.role.keys_values(hidden_states, attn.heads, project)
        query = torch.cat([_placed(attn.norm_added_q, q, text_turns), query], 1)
        key = torch.cat([_placed(attn.norm_added_k, k, text_turns), key], 1)
        value = torch.cat([v, value], 1)

        mask = encoder_hidden_states_mask
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(len(mask), pixels)], 1)[:, None, None, :]
        bias = self.role.bias
        after = 0 if bias is None else pixels - bias.shape[-1]
        out = dispatch_attention_fn(
            query,
            key,
            value,
            attn_mask=joint_bias(self.role, words, after, mask),
            backend=self._attention_backend,
            parallel_config=self._parallel_config,
        )
        out = out.flatten(2).to(query.dtype)
        picture = attn.to_out[1](attn.to_out[0](out[:, words:].contiguous()))
        return picture, attn.to_add_out(out[:, :words].contiguous())


def _placed(norm: Any, t: Tensor, turns: Tensor | None, start: int = 0) -> Tensor:
    """Normalised, and turned by the tokens' positions."""
    t = t if norm is None else norm(t)
    if turns is None:
        return t
    return apply_rotary_emb_qwen(t, turns[start:], use_real=False)  # type: ignore[return-value]
