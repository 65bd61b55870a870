"""Stable Diffusion 3's attention with a say in the picture's keys and values: picture first, then text."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.models.processors import for_installing_thread
from regiondrag_widget.models.token_attention import KeyValueRole, joint_bias, split_heads

__all__ = ["SD3Attention"]


class SD3Attention:
    """Joint attention of Stable Diffusion 3 and 3.5, and the picture's own second one of 3.5 medium.

    It equals diffusers' `JointAttnProcessor2_0`, which calls torch's attention itself, whatever backend is set.

    Parameters
    ----------
    role : KeyValueRole, optional
        What is done with the picture's keys and values.
    """

    def __init__(self, role: KeyValueRole | None = None) -> None:
        self.role = role or KeyValueRole()

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        def project(hidden: Tensor, start: int) -> tuple[Tensor, Tensor]:
            key = split_heads(attn.to_k(hidden), attn.heads)
            return _normed(attn.norm_k, key), split_heads(attn.to_v(hidden), attn.heads)

        pixels = hidden_states.shape[1]
        query = _normed(attn.norm_q, split_heads(attn.to_q(hidden_states), attn.heads))
        key, value = self.role.keys_values(hidden_states, attn.heads, project)
        words = 0
        if encoder_hidden_states is not None:
            words = encoder_hidden_states.shape[1]
            added = (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
            q, k, v = (split_heads(layer(encoder_hidden_states), attn.heads) for layer in added)
            query = torch.cat([query, _normed(attn.norm_added_q, q)], 1)
            key = torch.cat([key, _normed(attn.norm_added_k, k)], 1)
            value = torch.cat([value, v], 1)
        query, key, value = (t.transpose(1, 2) for t in (query, key, value))
        out = F.scaled_dot_product_attention(query, key, value, joint_bias(self.role, 0, words))
        out = out.transpose(1, 2).flatten(2).to(query.dtype)
        picture = attn.to_out[1](attn.to_out[0](out[:, :pixels]))
        if encoder_hidden_states is None:
            return picture
        text = out[:, pixels:]
        return picture, text if attn.context_pre_only else attn.to_add_out(text)


def _normed(norm: Any, t: Tensor) -> Tensor:
    return t if norm is None else norm(t)  # type: ignore[no-any-return]
