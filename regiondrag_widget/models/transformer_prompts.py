"""Text to condition, for the transformer families: as each family's own pipeline in diffusers encodes it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.placement import device_of, dtype_of
from regiondrag_widget.models.text_tokens import tokenised

__all__ = ["encode_qwen_image", "encode_sd3", "encode_z_image"]

T5_TOKENS = 256
QWEN_TOKENS = 1024
Z_TOKENS = 512
# around a prompt for Qwen-Image; the tokens of its first part are dropped from what the encoder gives
QWEN_TEMPLATE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, "
    "spatial relationships of the objects and background:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n"
    "<|im_start|>assistant\n"
)
QWEN_TEMPLATE_TOKENS = 34


@torch.inference_mode()
def encode_sd3(components: dict[str, Any], prompt: str) -> Condition:
    """Condition of a prompt for Stable Diffusion 3: two CLIP encoders, and T5 where there is one.

    Parameters
    ----------
    components : dict
        tokenizer, text_encoder, and the same with _2 and _3. Without text_encoder_3 its tokens are zeros, as
        in diffusers.
    prompt : str
        The text.

    Raises
    ------
    ValueError
        One of the two CLIP encoders is missing.
    """
    hidden, pooled = [], []
    for name in ("", "_2"):
        tokenizer, encoder = components.get(f"tokenizer{name}"), components.get(f"text_encoder{name}")
        if tokenizer is None or encoder is None:
            raise ValueError(
                f"Stable Diffusion 3 needs its text_encoder{name} and tokenizer{name} to read a prompt"
            )
        ids = tokenised(tokenizer, prompt, tokenizer.model_max_length).input_ids
        output = encoder(ids.to(device_of(encoder)), output_hidden_states=True)
        hidden.append(output.hidden_states[-2])
        pooled.append(output[0])
    clip = torch.cat([t.to(hidden[0]) for t in hidden], -1)
    t5, width = components.get("text_encoder_3"), components["transformer"].config.joint_attention_dim
    if t5 is None:
        words = clip.new_zeros(1, T5_TOKENS, width)
    else:
        ids = tokenised(components["tokenizer_3"], prompt, T5_TOKENS).input_ids
        words = t5(ids.to(device_of(t5)))[0].to(clip)
    embeds = torch.cat([F.pad(clip, (0, width - clip.shape[-1])), words], -2)
    return Condition(embeds, {"pooled": torch.cat([t.to(clip) for t in pooled], -1)})


@torch.inference_mode()
def encode_qwen_image(components: dict[str, Any], prompt: str) -> Condition:
    """Condition of a prompt for Qwen-Image: what Qwen2.5-VL makes of it inside a template.

    Parameters
    ----------
    components : dict
        tokenizer, text_encoder.
    prompt : str
        The text.
    """
    tokenizer, encoder = components["tokenizer"], components["text_encoder"]
    text = QWEN_TEMPLATE.format(prompt)
    tokens = tokenised(tokenizer, text, QWEN_TOKENS + QWEN_TEMPLATE_TOKENS, pad=False)
    hidden = _last(encoder, tokens, -1)[:, QWEN_TEMPLATE_TOKENS:]
    return Condition(hidden[:, :QWEN_TOKENS])


@torch.inference_mode()
def encode_z_image(components: dict[str, Any], prompt: str) -> Condition:
    """Condition of a prompt for Z-Image: what Qwen3 makes of it as a message in a chat.

    Parameters
    ----------
    components : dict
        tokenizer, text_encoder.
    prompt : str
        The text.
    """
    tokenizer, encoder = components["tokenizer"], components["text_encoder"]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True, enable_thinking=True
    )
    return Condition(_last(encoder, tokenised(tokenizer, text, Z_TOKENS, pad=False), -2))


def _last(encoder: Any, tokens: Any, layer: int) -> Tensor:
    """(1, n, dim) hidden states of one of the encoder's layers, in the format it computes in."""
    device = device_of(encoder)
    output = encoder(
        input_ids=tokens.input_ids.to(device),
        attention_mask=tokens.attention_mask.to(device),
        output_hidden_states=True,
    )
    return output.hidden_states[layer].to(dtype_of(encoder))  # type: ignore[no-any-return]
