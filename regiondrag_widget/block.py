"""A block for Modular Diffusers: the whole edit with the parts of an SDXL or Stable Diffusion pipeline.

``scripts/build_block.py`` makes a Hub folder of this file: block.py, modular_config.json and a README.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, ModularPipelineBlocks, UNet2DConditionModel
from diffusers.modular_pipelines import ComponentSpec, InputParam, OutputParam
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from regiondrag_widget.pipeline import RegionDragPipeline
from regiondrag_widget.regions import RegionPair

__all__ = ["RegionDragBlock"]

PARTS = {
    "vae": AutoencoderKL,
    "unet": UNet2DConditionModel,
    "scheduler": EulerDiscreteScheduler,
    "text_encoder": CLIPTextModel,
    "tokenizer": CLIPTokenizer,
    "text_encoder_2": CLIPTextModelWithProjection,
    "tokenizer_2": CLIPTokenizer,
}
# what the pipeline's call takes under the same name, with its default here and its description
SETTINGS: dict[str, tuple[Any, str]] = {
    "prompt": ("", "What the picture shows."),
    "negative_prompt": (None, "What it should not show; counts where guidance_scale is above 1."),
    "guidance_scale": (None, "Classifier-free guidance; above 1 every call is made twice."),
    "num_inference_steps": (None, "Levels that the whole noise schedule would have."),
    "strength": (None, "Fraction of the noise schedule at which the edit begins."),
    "num_images_per_prompt": (1, "Pictures to make, each from a seed of its own."),
    "seed": (0, "Of the first picture, or a list of seeds."),
    "generator": (None, "Draws the seeds instead."),
    "output_type": ("pil", '"pil", "np", "pt" or "latent".'),
}


class RegionDragBlock(ModularPipelineBlocks):
    """Carry regions of a picture to where they should be.

    Inputs are the picture, and either region pairs or the masks of one handle and its target; outputs are the
    pictures and the `EditResult` of each.
    """

    model_name = "stable-diffusion-xl"

    @property
    def description(self) -> str:
        """What the block does."""
        return "Carries the content of a handle region to a target and fills the place it left (RegionDrag)."

    @property
    def expected_components(self) -> list[ComponentSpec]:
        """The parts of an SDXL pipeline."""
        return [ComponentSpec(name, kind) for name, kind in PARTS.items()]

    @property
    def inputs(self) -> list[InputParam]:
        """The picture, the regions and the settings."""
        return [
            InputParam("image", required=True, description="A path, a Pillow image or an (H, W, 3) array."),
            InputParam("pairs", description="Region pairs: a list of regiondrag_widget.RegionPair."),
            InputParam("handle", description="(H, W) bool mask of what moves, where there are no pairs."),
            InputParam("target", description="(H, W) bool mask of where it goes."),
            *(
                InputParam(name, default=default, description=words)
                for name, (default, words) in SETTINGS.items()
            ),
        ]

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        """The pictures and their results."""
        return [
            OutputParam("images", description="By output_type, as diffusers' pipelines give them."),
            OutputParam("results", description="A regiondrag_widget.EditResult of each picture."),
        ]

    @torch.no_grad()
    def __call__(self, components: Any, state: Any) -> Any:
        """Make the edit.

        Parameters
        ----------
        components : ModularPipeline
            Has the parts.
        state : PipelineState
            Has the inputs, and gets the outputs.

        Raises
        ------
        ValueError
            Neither pairs nor a handle and a target; what `RegionDragPipeline` refuses.
        """
        given = self.get_block_state(state)
        pairs = given.pairs
        if pairs is None:
            if given.handle is None or given.target is None:
                raise ValueError("say what moves and where: pairs=, or handle= and target= as masks (H, W)")
            pairs = [RegionPair(given.handle, given.target)]
        pipe = RegionDragPipeline(**{name: getattr(components, name, None) for name in PARTS})
        pipe.set_progress_bar_config(**getattr(components, "_progress_bar_config", {}))
        out = pipe(given.image, pairs, **{name: getattr(given, name) for name in SETTINGS})
        given.images, given.results = out.images, out.results
        self.set_block_state(state, given)
        return components, state
