"""Which base LoRA weights were made for, told by the names and widths of their layers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

__all__ = ["base_of"]

# the width of the text embeds tells the bases of Stable Diffusion apart
UNETS = {768: "Stable Diffusion 1.5", 1024: "Stable Diffusion 2", 2048: "SDXL"}
# the width of a token inside the transformers that have joint blocks alone
JOINT = {1536: "Stable Diffusion 3", 2432: "Stable Diffusion 3"}
FLUX_BLOCKS = 19  # joint blocks of FLUX.1, which are as wide as Qwen-Image's 60


def base_of(factors: Mapping[str, Mapping[str, Tensor]]) -> str:
    """What a base is called; "" where it cannot be told.

    Parameters
    ----------
    factors : mapping
        The factors A and B of each layer, by the layer's name in diffusers.
    """
    for name, pair in factors.items():
        width = pair["A"].shape[-1] if "A" in pair else 0
        if name.endswith("attn2.to_k") and width in UNETS:
            return UNETS[width]
        if name.startswith(("layers.", "noise_refiner.", "context_refiner.")):
            return "Z-Image"
        if name.startswith("single_transformer_blocks."):
            ours = name.endswith(("to_qkv_mlp_proj", "attn.to_out"))
            return "FLUX.2" if ours else "FLUX.1"
    for name, pair in factors.items():
        if not name.startswith("transformer_blocks.") or "A" not in pair:
            continue
        if int(name.split(".")[1]) >= FLUX_BLOCKS and pair["A"].shape[-1] == 3072:
            return "Qwen-Image"
        if name.endswith(("attn.to_q", "attn.to_k", "attn.to_v")) and pair["A"].shape[-1] in JOINT:
            return JOINT[pair["A"].shape[-1]]
    return ""
