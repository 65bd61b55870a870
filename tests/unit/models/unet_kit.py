"""Model folders of the UNet families: exactly their architecture, tiny, with random weights.

`KITS` has them by name. Tokenizers are made here, so that nothing comes from a hub.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusers import (
    EulerAncestralDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
    TCDScheduler,
    UNet2DConditionModel,
)

from tests.unit.engine_kit import (
    TEXT_WIDTH,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_tokenizer,
    tiny_unet,
    tiny_vae,
)

__all__ = [
    "KITS",
    "SDXL_INPAINTING",
    "SECOND_WIDTH",
    "UNetKit",
    "make_sdxl",
    "sdxl_unet",
    "second_text_encoder",
]

SECOND_WIDTH = 24  # of SDXL's second text encoder
TIME_IDS = 8  # the width that each of SDXL's numbers beside the text is embedded in


@dataclass(frozen=True)
class UNetKit:
    """What tests need of a family.

    Attributes
    ----------
    make : callable
        Makes diffusers' pipeline; takes an empty folder to work in.
    pipeline : type
        diffusers' pipeline, which loads it.
    steps : int
        Levels of the whole schedule that its edits have unless told otherwise.
    encoders : int
        How many text encoders it has.
    """

    make: Callable[[Path], Any]
    pipeline: Any
    steps: int = 20
    encoders: int = 1

    def save(self, folder: Path) -> Path:
        """The model's folder, saved as diffusers saves it."""
        self.make(folder.parent / f"{folder.name}-words").save_pretrained(folder)
        return folder


def sdxl_unet(refiner: bool = False, **changes: Any) -> UNet2DConditionModel:
    """Three levels, the first without attention, and more transformer layers the deeper; told its sizes.

    The refiner has another text encoder fewer, four levels, and is told how good the picture looks.
    """
    cross = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D")
    down, up = ("DownBlock2D", *cross[0]), (*cross[1], "UpBlock2D")
    config: dict[str, Any] = {
        "down_block_types": (*down, "DownBlock2D") if refiner else down,
        "up_block_types": ("UpBlock2D", *up) if refiner else up,
        "block_out_channels": (8, 16, 16, 16) if refiner else (8, 16, 16),
        "transformer_layers_per_block": 2 if refiner else (1, 2, 3),
        "attention_head_dim": (1, 2, 2, 2) if refiner else (1, 2, 4),
        "cross_attention_dim": SECOND_WIDTH + (0 if refiner else TEXT_WIDTH),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": TIME_IDS,
        "projection_class_embeddings_input_dim": (5 if refiner else 6) * TIME_IDS + SECOND_WIDTH,
        "use_linear_projection": True,
    }
    return tiny_unet(**{**config, **changes})


def make_sd(words: Path, *, unet: Any = None, scheduler: Any = None, kind: Any = None) -> Any:
    """Stable Diffusion 1.5, or what has the same parts."""
    return (kind or StableDiffusionPipeline)(
        vae=tiny_vae(),
        text_encoder=tiny_text_encoder(),
        tokenizer=tiny_tokenizer(words),
        unet=unet or tiny_unet(),
        scheduler=scheduler or tiny_scheduler(steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def make_sd21(words: Path) -> Any:
    """Stable Diffusion 2.1: predicts velocity, has linear projections and more heads the deeper."""
    unet = tiny_unet(use_linear_projection=True, attention_head_dim=(1, 2))
    return make_sd(words, unet=unet, scheduler=tiny_scheduler(steps_offset=1, prediction_type="v_prediction"))


def second_text_encoder(layers: int = 2) -> Any:
    """SDXL's second text encoder, wider than its first."""
    return tiny_text_encoder(5, projection=True, width=SECOND_WIDTH, layers=layers)


def make_sdxl(words: Path, *, unet: Any = None, scheduler: Any = None, kind: Any = None, **parts: Any) -> Any:
    """SDXL: two text encoders, size and crop as time ids, an autoencoder that overflows in float16."""
    tokenizers = tiny_tokenizer(words), tiny_tokenizer(words)
    made = {
        "vae": tiny_vae(force_upcast=True, scaling_factor=0.13025),
        "text_encoder": tiny_text_encoder(),
        "text_encoder_2": second_text_encoder(),
    }
    return (kind or StableDiffusionXLPipeline)(
        **{**made, **parts},
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        unet=unet or sdxl_unet(),
        scheduler=scheduler or tiny_scheduler(steps_offset=1),
        add_watermarker=False,
    )


def make_refiner(words: Path) -> Any:
    """SDXL's refiner: the second text encoder alone."""
    return StableDiffusionXLImg2ImgPipeline(
        vae=tiny_vae(force_upcast=True, scaling_factor=0.13025),
        text_encoder=None,
        text_encoder_2=second_text_encoder(),
        tokenizer=None,
        tokenizer_2=tiny_tokenizer(words),
        unet=sdxl_unet(refiner=True),
        scheduler=tiny_scheduler(steps_offset=1),
        requires_aesthetics_score=True,
        add_watermarker=False,
    )


def make_sdxl_turbo(words: Path) -> Any:
    """SDXL-Turbo: SDXL with a schedule of few trailing steps."""
    kept = ("beta_start", "beta_end", "beta_schedule")
    config = {name: tiny_scheduler().config[name] for name in kept}
    return make_sdxl(words, scheduler=EulerAncestralDiscreteScheduler(**config, timestep_spacing="trailing"))


def make_lcm(words: Path) -> Any:
    """A latent consistency model, which is told its guidance."""
    scheduler = LCMScheduler.from_config(tiny_scheduler().config)
    return make_sd(
        words,
        unet=tiny_unet(time_cond_proj_dim=8),
        scheduler=scheduler,
        kind=LatentConsistencyModelPipeline,
    )


def make_lcm_sdxl(words: Path) -> Any:
    """SDXL distilled to a latent consistency model."""
    scheduler = LCMScheduler.from_config(tiny_scheduler().config)
    return make_sdxl(words, unet=sdxl_unet(time_cond_proj_dim=8), scheduler=scheduler)


def make_hyper_sd(words: Path) -> Any:
    """SDXL with Hyper-SD's schedule."""
    return make_sdxl(words, scheduler=TCDScheduler.from_config(tiny_scheduler().config))


def make_sdxl_inpainting(words: Path) -> Any:
    """SDXL's inpainting UNet, which reads a mask and a picture beside the latents."""
    return make_sdxl(words, unet=sdxl_unet(in_channels=9), kind=StableDiffusionXLInpaintPipeline)


SDXL_INPAINTING = UNetKit(make_sdxl_inpainting, StableDiffusionXLInpaintPipeline, encoders=2)
KITS = {
    "sd15": UNetKit(make_sd, StableDiffusionPipeline),
    "sd21": UNetKit(make_sd21, StableDiffusionPipeline),
    "sdxl": UNetKit(make_sdxl, StableDiffusionXLPipeline, encoders=2),
    "refiner": UNetKit(make_refiner, StableDiffusionXLImg2ImgPipeline),
    "lcm": UNetKit(make_lcm, LatentConsistencyModelPipeline, steps=10),
    "lcm-sdxl": UNetKit(make_lcm_sdxl, StableDiffusionXLPipeline, steps=10, encoders=2),
    "sdxl-turbo": UNetKit(make_sdxl_turbo, StableDiffusionXLPipeline, steps=4, encoders=2),
    "hyper-sd": UNetKit(make_hyper_sd, StableDiffusionXLPipeline, steps=8, encoders=2),
}
