"""The families of flow transformers that are known, told by the class of their transformer."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regiondrag_widget.models.admission import KNOWN_MODELS

if TYPE_CHECKING:
    from regiondrag_widget.models.transformer import TransformerBackbone

__all__ = ["FAMILIES", "Family", "family_in_index", "family_of", "known_families"]


@dataclass(frozen=True)
class Family:
    """A family of transformers.

    Attributes
    ----------
    name : str
        What messages call it.
    transformer : str
        diffusers' class of its network.
    pipelines : tuple of str
        diffusers' classes of its pipelines.
    backbone : str
        Module and class of its backbone, which are imported when a model of the family is loaded.
    pictured : bool
        Whether its prompt is read together with the picture, by a part called processor.
    codec : str
        The class of its autoencoder, where that tells it from another family.
    """

    name: str
    transformer: str
    pipelines: tuple[str, ...]
    backbone: str
    pictured: bool = False
    codec: str = ""

    def backbone_class(self) -> type[TransformerBackbone]:
        """The class of its backbone."""
        module, _, kind = self.backbone.partition(":")
        found = importlib.import_module(f"regiondrag_widget.models.{module}")
        return getattr(found, kind)  # type: ignore[no-any-return]

    def pipeline_class(self) -> Any:
        """The class of the pipeline that diffusers has for the family."""
        import diffusers

        return getattr(diffusers, self.pipelines[0])

    def own_pipeline(self, components: Mapping[str, Any]) -> Any:
        """The pipeline that diffusers has for the family, made of parts that are loaded.

        Parameters
        ----------
        components : mapping
            The parts by name; those that the pipeline does not take are passed over.
        """
        kind = self.pipeline_class()
        wanted = inspect.signature(kind.__init__).parameters
        return kind(**{name: part for name, part in components.items() if name in wanted})


FAMILIES = (
    Family(
        "FLUX.1",
        "FluxTransformer2DModel",
        ("FluxPipeline", "FluxKontextPipeline", "FluxImg2ImgPipeline"),
        "flux:FluxBackbone",
    ),
    Family(
        "FLUX.2 klein",
        "Flux2Transformer2DModel",
        ("Flux2KleinPipeline",),
        "flux2:Flux2Backbone",
    ),
    Family(
        "mini-flow",
        "Flux2Transformer2DModel",
        ("Flux2KleinPipeline",),
        "mini_flow:MiniFlowBackbone",
        codec="LinearCodec",
    ),
    Family(
        "Stable Diffusion 3",
        "SD3Transformer2DModel",
        ("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline", "StableDiffusion3InpaintPipeline"),
        "sd3:SD3Backbone",
    ),
    Family(
        "Qwen-Image",
        "QwenImageTransformer2DModel",
        ("QwenImagePipeline", "QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline"),
        "qwen_image:QwenImageBackbone",
    ),
    Family(
        "Qwen-Image-Edit",
        "QwenImageTransformer2DModel",
        ("QwenImageEditPipeline", "QwenImageEditInpaintPipeline"),
        "qwen_image_edit:QwenImageEditBackbone",
        pictured=True,
    ),
    Family(
        "Qwen-Image-Edit-Plus",
        "QwenImageTransformer2DModel",
        ("QwenImageEditPlusPipeline",),
        "qwen_image_edit:QwenImageEditPlusBackbone",
        pictured=True,
    ),
    Family(
        "Z-Image",
        "ZImageTransformer2DModel",
        ("ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline"),
        "z_image:ZImageBackbone",
    ),
)


def known_families() -> str:
    """The models that can be used, in words."""
    return ", ".join([KNOWN_MODELS, *(family.name for family in FAMILIES if not family.codec)])


def family_of(transformer: Any, named: str = "", processor: Any = None, codec: Any = None) -> Family:
    """The family of a loaded transformer.

    Parameters
    ----------
    transformer : diffusers transformer
        Whose class tells the family, or the few that have it.
    named : str
        diffusers' class of the pipeline that it is a part of, which tells those apart.
    processor : optional
        What reads a picture with the prompt, which tells them apart where the pipeline does not.
    codec : optional
        The autoencoder, whose class tells the bundled model's family.

    Raises
    ------
    ValueError
        It is of none that is known.
    """
    kind = type(getattr(transformer, "_orig_mod", transformer)).__name__
    found = [family for family in FAMILIES if family.transformer == kind]
    own = [family for family in found if family.codec == type(codec).__name__]
    found = own or [family for family in found if not family.codec]
    for family in found:
        if named in family.pipelines:
            return family
    for family in found:
        if family.pictured == (processor is not None):
            return family
    if found:
        return found[0]
    raise ValueError(f"the network is a {kind}: {known_families()} can be used")


def family_in_index(index: Mapping[str, Any]) -> Family | None:
    """The family of a model folder by its model_index.json; None where it has no known transformer.

    Parameters
    ----------
    index : mapping
        Class names by part. A pipeline of diffusers that the family does not name is another model, with the
        same transformer.
    """
    part, kind = index.get("transformer"), str(index.get("_class_name", ""))
    named = part[1] if isinstance(part, list) and len(part) == 2 else None
    for family in FAMILIES:
        if family.transformer == named and (kind in family.pipelines or kind.startswith("RegionDrag")):
            return family
    return None
