"""Qwen-Image-Edit: Qwen-Image that reads the picture with the prompt, and beside the latents."""

from __future__ import annotations

from typing import Any, ClassVar

import diffusers
from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit import calculate_dimensions

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.placement import device_of
from regiondrag_widget.models.qwen_image import QwenImageBackbone

__all__ = ["QwenImageEditBackbone", "QwenImageEditPlusBackbone"]


class QwenImageEditBackbone(QwenImageBackbone):
    """Qwen-Image-Edit's autoencoder, transformer and schedule: see `TransformerBackbone`."""

    family = "Qwen-Image-Edit"
    reads_references = True
    pictured = True
    pipeline: ClassVar[str] = "QwenImageEditPipeline"
    area: ClassVar[int] = 1024 * 1024  # pixels of the picture that is read with the prompt

    @classmethod
    def encode_prompt(cls, components: dict[str, Any], prompt: str, picture: Any = None) -> Condition:
        """The condition of a prompt and a picture, as diffusers' pipeline reads them by Qwen2.5-VL.

        Parameters
        ----------
        components : dict
            text_encoder, tokenizer and processor.
        prompt : str
            The text.
        picture : Pillow image
            The whole picture that is edited.

        Raises
        ------
        ValueError
            No picture, or no processor to read it.
        """
        if picture is None:
            raise ValueError(
                f"{cls.family} reads the prompt together with the picture, and there is none here: make an "
                "ImageSession of the picture, or pass prompt_embeds"
            )
        encoder, processor = components["text_encoder"], components.get("processor")
        if processor is None:
            raise ValueError(f"{cls.family} reads the picture by its processor, which is missing")
        theirs = getattr(diffusers, cls.pipeline)(
            None, None, encoder, components["tokenizer"], processor, None
        )
        picture = picture.convert("RGB")
        width, height = calculate_dimensions(cls.area, picture.width / picture.height)[:2]
        resized = theirs.image_processor.resize(picture, height, width)
        embeds, _ = theirs.encode_prompt(prompt, resized, device=device_of(encoder))
        return Condition(embeds)


class QwenImageEditPlusBackbone(QwenImageEditBackbone):
    """Qwen-Image-Edit-2509, which reads a smaller picture in other words, and could read several."""

    family = "Qwen-Image-Edit-Plus"
    pipeline = "QwenImageEditPlusPipeline"
    area = 384 * 384
