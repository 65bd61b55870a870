"""Text to condition, for the encoders of Stable Diffusion 1.5, 2.1 and SDXL."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.models.backbone import Condition

__all__ = ["encode_prompt"]


@torch.inference_mode()
def encode_prompt(components: dict[str, Any], prompt: str, size: tuple[int, int]) -> Condition:
    """Condition of one prompt at guidance 1 (one row only, as in the paper).

    Parameters
    ----------
    components : dict
        tokenizer, text_encoder, and for SDXL tokenizer_2, text_encoder_2.
    prompt : str
        The text.
    size : (int, int)
        Height and width in pixels, which SDXL is told.
    """
    if components.get("text_encoder_2") is None:
        encoded = _encode(components["tokenizer"], components["text_encoder"], prompt)
        return Condition(encoded[0])
    hidden, pooled = [], None
    for name in ("", "_2"):
        tokenizer, encoder = components.get(f"tokenizer{name}"), components.get(f"text_encoder{name}")
        if tokenizer is None or encoder is None:
            continue  # the refiner has the second encoder only
        output = _encode(tokenizer, encoder, prompt, output_hidden_states=True)
        hidden.append(output.hidden_states[-2])
        pooled = output[0]
    assert pooled is not None
    time_ids = torch.tensor([[*size, 0, 0, *size]], dtype=hidden[0].dtype, device=hidden[0].device)
    return Condition(torch.cat(hidden, -1), {"text_embeds": pooled, "time_ids": time_ids})


def _encode(tokenizer: Any, encoder: Any, prompt: str, **options: Any) -> Any:
    tokens = tokenizer(
        prompt,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    ids: Tensor = tokens.input_ids.to(next(encoder.parameters()).device)
    return encoder(ids, **options)
