"""A model as the engine uses it: a backbone, how it is best used, its name and its text encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.models.backbone import Backbone, Condition, Network
from regiondrag_widget.models.given_tensors import check_tensor
from regiondrag_widget.models.guidance import GuidedNetwork
from regiondrag_widget.models.image_prompt import ImagePrompt
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.profile import BackboneProfile

__all__ = ["Model", "model_of"]


@dataclass
class Model:
    """A backbone with everything an edit needs to know about it.

    Attributes
    ----------
    backbone : Backbone
        Autoencoder, network and schedule.
    profile : BackboneProfile
        Working size and default levels.
    name : str
        What results call it.
    encode_prompt : callable, optional
        Prompt to `Condition`, and a Pillow image besides where the backbone is `pictured`; None where there
        is no text encoder.
    zeros_for_empty : bool
        Whether an empty negative prompt is zeros instead of its embeds, as SDXL was trained.
    prompt_images : callable, optional
        Pictures, or ready embeds, to the `ImagePrompt` of IP-Adapters.
    """

    backbone: Backbone
    profile: BackboneProfile
    name: str = "custom"
    encode_prompt: Callable[..., Condition] | None = None
    zeros_for_empty: bool = False
    prompt_images: Callable[[Any, Any], ImagePrompt] | None = None

    @property
    def edit_defaults(self) -> dict[str, Any]:
        """Settings of edits that name none: steps, start, stop..."""
        return {"guidance_scale": 1.0, **self.profile.defaults}

    def network(
        self,
        prompt: str = "",
        prompt_embeds: Tensor | None = None,
        *,
        guidance_scale: float | None = None,
        negative_prompt: str = "",
        negative_prompt_embeds: Tensor | None = None,
        images: ImagePrompt | None = None,
        edited: Callable[[], Any] | None = None,
    ) -> Network:
        """The network under a prompt's condition, or that of prompt_embeds (1, tokens, dim).

        Parameters
        ----------
        prompt, prompt_embeds : str, (1, tokens, dim) Tensor
            What the picture shows.
        guidance_scale : float, optional
            Above 1 a `GuidedNetwork`, but for networks that are told their guidance; the model's own when
            left out.
        negative_prompt, negative_prompt_embeds : str, (1, tokens, dim) Tensor
            What it should not show, where there is guidance.
        images : ImagePrompt, optional
            What IP-Adapters are told: see `image_prompt`.
        edited : callable, optional
            Gives the picture that is edited as a Pillow image, which some models read with the prompt.

        Raises
        ------
        ValueError
            Embeds of another width, a prompt where there is no text encoder, or no picture to read it with.
        TypeError
            A prompt that is no text.
        """
        condition = self._condition(prompt, prompt_embeds, edited, "prompt")
        if images is not None:
            condition = replace(condition, images=images.embeds)
        scale = self.edit_defaults["guidance_scale"] if guidance_scale is None else guidance_scale
        named = bool(negative_prompt) or negative_prompt_embeds is not None
        if getattr(self.backbone, "told_guidance", False):
            if named:
                _warn_unused("this model is told its guidance and reads no negative prompt")
            return self.backbone.network(replace(condition, guidance=scale))
        if scale <= 1 or not self.profile.takes_text:
            if named:
                _warn_unused("a negative prompt counts where guidance_scale is above 1: it is unused")
            return self.backbone.network(condition)
        if self.encode_prompt is None and negative_prompt_embeds is None:
            raise ValueError(
                "this pipeline has no text encoder: guidance_scale above 1 needs negative_prompt_embeds too"
            )
        negative = self._condition(negative_prompt, negative_prompt_embeds, edited, "negative_prompt")
        if self.zeros_for_empty and not named:
            negative = _zeros(negative)
        if images is not None:
            negative = replace(negative, images=images.negative)
        networks = self.backbone.network(condition), self.backbone.network(negative)
        return GuidedNetwork(*networks, scale, getattr(self.backbone, "guided", None))

    def image_prompt(
        self, pictures: Any = None, embeds: Any = None, edited: Callable[[], Any] | None = None
    ) -> ImagePrompt | None:
        """What the IP-Adapters of the network are told; None where there are none.

        Parameters
        ----------
        pictures : Pillow image or a list of them, optional
            As diffusers' ``ip_adapter_image``.
        embeds : sequence of Tensor, optional
            As diffusers' ``ip_adapter_image_embeds``.
        edited : callable, optional
            Gives the picture that is edited as a Pillow image, which stands for pictures that are not given.

        Raises
        ------
        ValueError
            Images where there is no adapter; adapters without an image; pictures and embeds.
        """
        if pictures is not None and embeds is not None:
            raise ValueError("give ip_adapter_image or ip_adapter_image_embeds, not both")
        given = pictures is not None or embeds is not None
        adapters = getattr(self.backbone, "image_adapters", 0)
        if not adapters or self.prompt_images is None:
            if given:
                raise ValueError(
                    "no IP-Adapter is loaded to read an image: pipeline.load_ip_adapter loads one"
                )
            return None
        if not given:
            if edited is None:
                raise ValueError(
                    "an IP-Adapter is loaded: pass ip_adapter_image, or take it out by unload_ip_adapter()"
                )
            pictures = [edited()] * adapters
        return self.prompt_images(pictures, embeds)

    def warn_if_untrained(self, levels: Levels, stacklevel: int = 2) -> None:
        """Warn where levels reach further into the noise than the network was trained for.

        Parameters
        ----------
        levels : Levels
            Of an edit.
        stacklevel : int
            As `warnings.warn` takes it.
        """
        top, trained = levels.fraction(len(levels)), self.profile.max_start
        if top > trained:
            warnings.warn(
                f"the edit begins at {top:g} of the noise schedule but {self.name} was trained up to "
                f"{trained:g}: expect less; lower start, or raise steps",
                stacklevel=stacklevel,
            )

    def _condition(
        self, prompt: str, prompt_embeds: Tensor | None, edited: Callable[[], Any] | None, name: str
    ) -> Condition:
        if prompt_embeds is not None:
            if prompt:
                _warn_unused(f"{name}_embeds stand for {name}, whose text is unused")
            check_tensor(prompt_embeds, f"{name}_embeds")
            return self.backbone.condition(prompt_embeds, name)
        if not isinstance(prompt, str):
            raise TypeError(f"{name} must be a text, got {type(prompt).__name__}")
        if not self.profile.takes_text:
            if prompt:
                _warn_unused("the bundled model takes no text: the prompt is unused")
            return self.backbone.condition(None)
        if self.encode_prompt is None:
            raise ValueError("this pipeline has no text encoder: pass prompt_embeds")
        if getattr(self.backbone, "pictured", False):
            return self.encode_prompt(prompt, None if edited is None else edited())
        return self.encode_prompt(prompt)


def _zeros(condition: Condition) -> Condition:
    """A condition with text embeds of zeros; what else a network is told stays."""
    added = condition.added and {
        name: torch.zeros_like(value) if name == "text_embeds" else value
        for name, value in condition.added.items()
    }
    return replace(condition, embeds=torch.zeros_like(condition.embeds), added=added)


def _warn_unused(words: str) -> None:
    warnings.warn(words, stacklevel=6)


def model_of(given: Any) -> Model:
    """The `Model` of a pipeline, or the model itself.

    Raises
    ------
    TypeError
        Something else.
    """
    found = given if isinstance(given, Model) else getattr(given, "model", None)
    if not isinstance(found, Model):
        raise TypeError(
            f"a RegionDragPipeline or a Model is needed, not {type(given).__name__}: "
            "rd.load_pipeline(name) or rd.RegionDragPipeline.from_pipe(pipeline) makes one"
        )
    return found
