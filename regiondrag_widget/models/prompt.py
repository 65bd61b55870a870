"""Text to condition, for the encoders of Stable Diffusion 1.5, 2.1 and SDXL."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.placement import device_of

__all__ = ["encode_prompt", "warn_if_cut"]

AESTHETIC_SCORE = 6.0  # what the refiner is told by default


@torch.inference_mode()
def encode_prompt(
    components: dict[str, Any],
    prompt: str,
    size: tuple[int, int],
    convert: Callable[[str, Any], str] = lambda prompt, _: prompt,
) -> Condition:
    """Condition of one prompt at guidance 1 (one row only, as in the paper).

    Parameters
    ----------
    components : dict
        tokenizer, text_encoder, and for SDXL tokenizer_2, text_encoder_2.
    prompt : str
        The text.
    size : (int, int)
        Height and width in pixels, which SDXL is told.
    convert : callable
        (prompt, tokenizer) to the text that is encoded: a textual inversion of several vectors is several
        tokens.

    Raises
    ------
    ValueError
        The network takes other sizes beside the text than SDXL's and its refiner's.
    """
    if components.get("text_encoder_2") is None:
        tokenizer = components["tokenizer"]
        encoded = _encode(tokenizer, components["text_encoder"], convert(prompt, tokenizer))
        return Condition(encoded[0])
    hidden, pooled = [], None
    for name in ("", "_2"):
        tokenizer, encoder = components.get(f"tokenizer{name}"), components.get(f"text_encoder{name}")
        if tokenizer is None or encoder is None:
            continue  # the refiner has the second encoder only
        output = _encode(tokenizer, encoder, convert(prompt, tokenizer), output_hidden_states=True)
        hidden.append(output.hidden_states[-2])
        pooled = output[0]
    assert pooled is not None
    told = _sizes(components["unet"].config, pooled.shape[-1], size)
    time_ids = torch.tensor([told], dtype=hidden[0].dtype, device=hidden[0].device)
    return Condition(torch.cat(hidden, -1), {"text_embeds": pooled, "time_ids": time_ids})


def _sizes(config: Any, pooled: int, size: tuple[int, int]) -> list[float]:
    """What the network is told of the picture besides the text: its size and crop, or how good it looks."""
    wanted = (config.projection_class_embeddings_input_dim - pooled) / config.addition_time_embed_dim
    if wanted == 6:
        return [*size, 0, 0, *size]
    if wanted == 5:  # the refiner
        return [*size, 0, 0, AESTHETIC_SCORE]
    raise ValueError(
        f"this UNet takes {wanted:g} numbers beside the text, where SDXL's takes 6, its refiner's 5"
    )


def _encode(tokenizer: Any, encoder: Any, prompt: str, **options: Any) -> Any:
    warn_if_cut(tokenizer, prompt, tokenizer.model_max_length)
    tokens = tokenizer(
        prompt,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    ids: Tensor = tokens.input_ids.to(device_of(encoder))
    return encoder(ids, **options)


def warn_if_cut(tokenizer: Any, prompt: str, limit: int, reader: str = "the model") -> None:
    """Warn where a prompt has more tokens than its encoder takes: the rest is left out.

    Parameters
    ----------
    tokenizer : tokenizer
        Of the encoder.
    prompt : str
        The text.
    limit : int
        Tokens that are read.
    reader : str
        What reads them, where a model has several encoders.
    """
    count = len(tokenizer(prompt, verbose=False).input_ids)
    if count > limit:
        warnings.warn(
            f"the prompt has {count} tokens and {reader} reads {limit}: the end is left out", stacklevel=6
        )
