"""An IP-Adapter's image prompt: pictures to embeds, as diffusers' pipelines make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.embeddings import ImageProjection
from torch import Tensor

from regiondrag_widget.models.given_tensors import check_tensor
from regiondrag_widget.models.placement import device_of, dtype_of

__all__ = ["ImagePrompt", "adapters_of", "encode_pictures", "given_embeds"]

# projections of adapters that read all of the encoder's tokens, and not their summary
READ_TOKENS = {"IPAdapterFullImageProjection", "IPAdapterPlusImageProjection"}


@dataclass(frozen=True)
class ImagePrompt:
    """What the IP-Adapters of a network are told, and what they are told in place of it under guidance.

    Attributes
    ----------
    embeds, negative : tuple of Tensor
        One of each adapter: (1, pictures, dim), or (1, pictures, tokens, dim) for adapters that read all of
        the encoder's tokens.
    """

    embeds: tuple[Tensor, ...]
    negative: tuple[Tensor, ...]


def adapters_of(unet: Any) -> list[Any]:
    """The image projections of the IP-Adapters that are loaded into a network."""
    # diffusers marks them by an attribute of the configuration, which its entries do not show
    return list(getattr(getattr(unet, "encoder_hid_proj", None), "image_projection_layers", ()))


@torch.inference_mode()
def encode_pictures(components: Mapping[str, Any], pictures: Any) -> ImagePrompt:
    """The prompt of pictures, by a pipeline's CLIP image encoder.

    Parameters
    ----------
    components : mapping
        unet, image_encoder and feature_extractor.
    pictures : Pillow image or a list of them
        One for each adapter, or a list of several for an adapter.

    Raises
    ------
    ValueError
        No image encoder, or another one than an adapter's; another number of pictures than of adapters.
    """
    encoder, prepared = components.get("image_encoder"), components.get("feature_extractor")
    adapters = adapters_of(components["unet"])
    if encoder is None or prepared is None:
        raise ValueError(
            "an IP-Adapter is loaded without its image encoder: pass ip_adapter_image_embeds, or load it "
            "again with image_encoder_folder="
        )
    listed = pictures if isinstance(pictures, list) else [pictures]
    if len(listed) != len(adapters):
        raise ValueError(f"{len(adapters)} IP-Adapters take as many ip_adapter_image, got {len(listed)}")
    embeds, negative = [], []
    for picture, adapter in zip(listed, adapters, strict=True):
        pixels = prepared(picture, return_tensors="pt").pixel_values
        pixels = pixels.to(device_of(encoder), dtype_of(encoder))
        if isinstance(adapter, ImageProjection):
            found = encoder(pixels).image_embeds
            nothing = torch.zeros_like(found)
        else:  # it reads all tokens of the last layer but one, and those of an empty picture for nothing
            found = encoder(pixels, output_hidden_states=True).hidden_states[-2]
            nothing = encoder(torch.zeros_like(pixels), output_hidden_states=True).hidden_states[-2]
        if found.shape[-1] != _width(adapter):
            raise ValueError(
                f"the image encoder gives {found.shape[-1]} numbers and the IP-Adapter reads "
                f"{_width(adapter)}: load it again with its own by image_encoder_folder="
            )
        embeds.append(found[None])
        negative.append(nothing[None])
    return ImagePrompt(tuple(embeds), tuple(negative))


def given_embeds(unet: Any, embeds: Sequence[Tensor]) -> ImagePrompt:
    """The prompt of ready embeds, as diffusers' ``ip_adapter_image_embeds`` has them.

    Parameters
    ----------
    unet : UNet
        With IP-Adapters.
    embeds : sequence of Tensor
        One of each adapter, one row, or two of which the first is the negative one.

    Raises
    ------
    ValueError
        Another number of embeds than of adapters, or of rows; embeds of another width than an adapter reads.
    """
    adapters = adapters_of(unet)
    if len(embeds) != len(adapters):
        raise ValueError(
            f"{len(adapters)} IP-Adapters take as many ip_adapter_image_embeds, got {len(embeds)}"
        )
    for number, (one, adapter) in enumerate(zip(embeds, adapters, strict=True), 1):
        check_tensor(one, "ip_adapter_image_embeds")
        if one.ndim < 3 or len(one) not in (1, 2):
            raise ValueError(
                "ip_adapter_image_embeds must be (1 or 2, pictures, dim) or (1 or 2, pictures, tokens, dim), "
                f"got {tuple(one.shape)}"
            )
        shape = ("pictures", "tokens")[: 2 if type(adapter).__name__ in READ_TOKENS else 1]
        width = _width(adapter)
        if one.shape[-1] != width or one.ndim != len(shape) + 2:
            raise ValueError(
                f"ip_adapter_image_embeds of IP-Adapter {number} must be (1 or 2, {', '.join(shape)}, "
                f"{width}), got {tuple(one.shape)}: make them by its own image encoder, or pass "
                "ip_adapter_image"
            )
    return ImagePrompt(
        tuple(one[-1:] for one in embeds),
        tuple(one[:1] if len(one) == 2 else torch.zeros_like(one) for one in embeds),
    )


def _width(adapter: Any) -> int:
    """How many numbers of an image encoder a projection reads at a time."""
    return next(int(m.in_features) for m in adapter.modules() if isinstance(m, torch.nn.Linear))
