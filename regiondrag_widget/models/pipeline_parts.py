"""The parts of a pipeline of diffusers, whichever family they are of, as the one model that an edit uses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from regiondrag_widget.models.admission import is_edm
from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.edm import EDMBackbone
from regiondrag_widget.models.families import Family, family_of
from regiondrag_widget.models.image_prompt import ImagePrompt, encode_pictures, given_embeds
from regiondrag_widget.models.ip_adapters import SafeIPAdapters
from regiondrag_widget.models.linear_codec import LinearCodec
from regiondrag_widget.models.model import Model
from regiondrag_widget.models.named_loras import NamedLoras
from regiondrag_widget.models.placement import moving_turn
from regiondrag_widget.models.profile import (
    MINI_PROFILE,
    BackboneProfile,
    stable_diffusion_profile,
    with_named_steps,
)
from regiondrag_widget.models.prompt import encode_prompt
from regiondrag_widget.models.saving import write_index
from regiondrag_widget.models.textual_inversion import SafeTextualInversion
from regiondrag_widget.models.tokenizers import with_own_tokenizers
from regiondrag_widget.models.transformer import TransformerBackbone
from regiondrag_widget.models.unet import UNetBackbone

__all__ = ["PARTS", "PipelineParts"]

PARTS = (
    "vae",
    "unet",
    "transformer",
    "scheduler",
    "text_encoder",
    "tokenizer",
    "text_encoder_2",
    "tokenizer_2",
    "text_encoder_3",
    "tokenizer_3",
    "image_encoder",
    "feature_extractor",
    "processor",
    "draft_vae",
)


class PipelineParts(DiffusionPipeline, NamedLoras, SafeTextualInversion, SafeIPAdapters):
    """Holds the parts and makes a `Model` of them; `RegionDragPipeline` loads them and edits.

    The parts are used as they are: never cast, never reconfigured.
    """

    # set by register_modules
    vae: Any
    unet: Any
    transformer: Any
    scheduler: Any
    text_encoder: Any
    tokenizer: Any
    text_encoder_2: Any
    tokenizer_2: Any
    text_encoder_3: Any
    tokenizer_3: Any
    draft_vae: Any
    image_encoder: Any
    feature_extractor: Any
    processor: Any

    model_cpu_offload_seq = (
        "text_encoder->text_encoder_2->text_encoder_3->image_encoder->unet->transformer->vae"
    )
    _optional_components: ClassVar[list[str]] = [name for name in PARTS if name not in ("vae", "scheduler")]

    def __init__(
        self,
        vae: Any,
        unet: Any,
        scheduler: Any,
        text_encoder: Any = None,
        tokenizer: Any = None,
        text_encoder_2: Any = None,
        tokenizer_2: Any = None,
        draft_vae: Any = None,
        transformer: Any = None,
        text_encoder_3: Any = None,
        tokenizer_3: Any = None,
        image_encoder: Any = None,
        feature_extractor: Any = None,
        processor: Any = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            unet=unet,
            transformer=transformer,
            scheduler=scheduler,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            text_encoder_2=text_encoder_2,
            tokenizer_2=tokenizer_2,
            text_encoder_3=text_encoder_3,
            tokenizer_3=tokenizer_3,
            draft_vae=draft_vae,
            image_encoder=image_encoder,
            feature_extractor=feature_extractor,
            processor=processor,
        )
        self._loras: dict[str, str] = {}  # what `load_lora_weights` loaded, by the adapter's name
        self._profile: BackboneProfile | None = None  # where it is not told by the parts
        self._parts: tuple[Any, ...] = ()
        self._compile: bool | str = "auto"
        self._own_name = "custom"
        self._named = ""  # diffusers' class of the pipeline that the parts are of, where it is known
        self._model = self._made_of("custom")

    # -- the model ----

    @property
    def model(self) -> Model:
        """The parts as the engine uses them; made again where one of them was replaced."""
        if any(a is not b for a, b in zip(self._parts, self._present_parts(), strict=True)):
            self._model = self._made_of(self._model.name)
        return self._model

    @property
    def backbone(self) -> Any:
        """Autoencoder, network and noise schedule: a `UNetBackbone` or a family's `TransformerBackbone`."""
        return self.model.backbone

    @property
    def family(self) -> Family:
        """The family of the transformer.

        Raises
        ------
        ValueError
            There is none, or it is of a family that is not known.
        """
        return family_of(self.transformer, self._named, self.processor, self.vae)

    def use_as(self, named: str) -> None:
        """Use the parts as a pipeline of diffusers does, where they do not tell it: Qwen-Image-Edit-Plus.

        Parameters
        ----------
        named : str
            Its class.
        """
        self._named = named
        if self.transformer is not None and type(self.backbone) is not self.family.backbone_class():
            self._model = self._made_of(self._model.name)

    @property
    def profile(self) -> BackboneProfile:
        """How the network is best used: working size, default levels."""
        return self.model.profile

    @profile.setter
    def profile(self, profile: BackboneProfile) -> None:
        self._profile = self.model.profile = profile

    @property
    def name(self) -> str:
        """What results call the model, with the LoRA weights in it.

        Names of few-step weights give few steps: see `edit_defaults`.
        """
        return self.model.name

    @name.setter
    def name(self, name: str) -> None:
        self._own_name = name
        self._use_as_named()

    def _use_as_named(self) -> None:
        model = self.model
        model.name = " + ".join([self._own_name, *self._loras.values()])
        model.profile = self._profile_of(model.name, self.backbone)

    def _present_parts(self) -> tuple[Any, ...]:
        return self.vae, self.denoiser, self.scheduler, self.draft_vae

    def _made_of(self, name: str) -> Model:
        kind: Any = EDMBackbone if is_edm(self.scheduler) else UNetBackbone
        if self.transformer is not None:
            kind = self.family.backbone_class()
        backbone = kind(self.vae, self.denoiser, self.scheduler, self.draft_vae)
        backbone.accelerate(self._compile)
        self._parts = self._present_parts()
        reads = self.text_encoder is not None or self.text_encoder_2 is not None
        profile = self._profile_of(name, backbone)
        # as SDXL was trained; its refiner, which has the second encoder alone, was not
        zeros = self.unet is not None and self.text_encoder is not None and self.text_encoder_2 is not None
        encoded = self._encoded if reads else None
        return Model(backbone, profile, name, encoded, zeros, self._prompt_images)

    def _profile_of(self, name: str, backbone: UNetBackbone | TransformerBackbone) -> BackboneProfile:
        if self._profile is not None:
            return self._profile
        if isinstance(backbone, TransformerBackbone):
            return with_named_steps(backbone.profile, name, backbone.turbo)
        if isinstance(self.vae, LinearCodec):
            return MINI_PROFILE
        return stable_diffusion_profile(self.unet, backbone.cell, self.scheduler, name)

    def _encoded(self, prompt: str, picture: Any = None) -> Condition:
        side, backbone = self.profile.side, self.backbone
        if self.text_encoder is None and self.text_encoder_2 is None:  # taken out since
            raise ValueError("this pipeline has no text encoder: pass prompt_embeds")
        for name, part in self.components.items():
            tokenizer = name.replace("text_encoder", "tokenizer")
            if part is not None and tokenizer != name and self.components.get(tokenizer) is None:
                raise ValueError(f"this pipeline has a {name} and no {tokenizer} to read a prompt: pass both")
        components = with_own_tokenizers(self.components)
        # or the embeds would keep all that the text encoder computed, for gradients
        with torch.no_grad(), moving_turn(self.text_encoder or self.text_encoder_2, self.denoiser):
            if isinstance(backbone, TransformerBackbone):
                told = {"picture": picture} if backbone.pictured else {}
                return backbone.encode_prompt(components, prompt, **told)
            return encode_prompt(components, prompt, (side, side), self.maybe_convert_prompt)

    def _prompt_images(self, pictures: Any, embeds: Any) -> ImagePrompt:
        if embeds is not None:
            return given_embeds(self.unet, embeds)
        with moving_turn(self.image_encoder or self.unet, self.unet):
            return encode_pictures(self.components, pictures)

    def save_config(self, save_directory: str | os.PathLike[str], *args: Any, **options: Any) -> None:
        """Write the list of parts, for `save_pretrained`: diffusers' own pipelines load the folder too.

        Parameters
        ----------
        save_directory : str or path
            The folder.
        *args, **options
            As diffusers takes them.
        """
        super().save_config(save_directory, *args, **options)
        write_index(self, Path(save_directory))

    def set_draft_vae(self, draft_vae: Any) -> None:
        """Encode and decode drafts by another small autoencoder.

        Parameters
        ----------
        draft_vae : AutoencoderTiny or None
            On the network's device; None uses the full autoencoder.

        Raises
        ------
        ValueError
            Its latents are not the model's.
        """
        self.backbone.set_draft_vae(draft_vae)
        self.register_modules(draft_vae=draft_vae)
        self._parts = self._present_parts()

    # -- speed ----

    def accelerate(self, compile: bool | str = "auto") -> None:
        """Choose how the network's calls are made faster.

        Results differ only by rounding. Where it fails (too little memory, no compiler) calls are plain ones,
        and `acceleration` gives the reason.

        Parameters
        ----------
        compile : "auto" or bool
            "auto" replays each call as one CUDA graph on a GPU, and does nothing elsewhere. True also
            compiles the kernels with torch.compile, which takes minutes once. False makes plain calls.

        Raises
        ------
        ValueError
            Anything else.
        """
        self.backbone.accelerate(compile)
        self._compile = compile

    @property
    def acceleration(self) -> str:
        """How the network's calls are made, in words: "CUDA graph", "eager: nothing to gain on cpu"..."""
        return str(self.backbone.acceleration)

    @property
    def edit_defaults(self) -> dict[str, Any]:
        """Settings of edits that name none: steps, start, stop..."""
        return self.model.edit_defaults

    def network(self, prompt: str = "", prompt_embeds: Tensor | None = None) -> Any:
        """The `Network` under a prompt's condition, or that of prompt_embeds (1, tokens, dim).

        Raises
        ------
        ValueError
            Embeds of another width, or a prompt where there is no text encoder.
        """
        return self.model.network(prompt, prompt_embeds)
