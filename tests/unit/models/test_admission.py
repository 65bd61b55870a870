"""What an edit cannot use is refused at the door and in words, before anything is computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    UNet2DModel,
    UNetMotionModel,
)

import regiondrag_widget as rd
from regiondrag_widget.models import checkpoint
from tests.unit.engine_kit import (
    box_pair,
    picture,
    save_tiny_sd15,
    tiny_pipeline,
    tiny_scheduler,
    tiny_unet,
    tiny_vae,
)

SHAPE = (96, 128)


def made(**parts: Any) -> rd.RegionDragPipeline:
    return rd.RegionDragPipeline(
        **{"vae": tiny_vae(), "unet": tiny_unet(), "scheduler": tiny_scheduler(), **parts}
    )


def motion_unet() -> Any:
    return UNetMotionModel(
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
        up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
        layers_per_block=1,
        cross_attention_dim=16,
        num_attention_heads=2,
        motion_num_attention_heads=2,
        norm_num_groups=4,
        motion_max_seq_length=4,
    )


def unconditional_unet() -> Any:
    return UNet2DModel(
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=4,
    )


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            lambda: {"unet": motion_unet()},
            "a UNetMotionModel: the UNets of Stable Diffusion",
        ),
        (lambda: {"unet": unconditional_unet()}, "a UNet2DModel"),
        (lambda: {"unet": tiny_unet(num_class_embeds=7)}, "conditioned on classes"),
        (
            lambda: {"unet": tiny_unet(class_embed_type="timestep")},
            "conditioned on classes",
        ),
        (lambda: {"unet": tiny_unet(in_channels=8)}, "8 channels and gives 4: it upscales or edits"),
        (
            lambda: {"scheduler": FlowMatchEulerDiscreteScheduler()},
            "flow matching cannot be used with a UNet",
        ),
        (lambda: {"vae": torch.nn.Identity()}, "has no encode and decode"),
    ],
    ids=["animatediff", "unconditional", "classes", "class type", "instructions", "flow", "vae"],
)
def test_parts_of_another_kind_are_refused(parts: Any, words: str):
    with pytest.raises(ValueError, match=words):
        made(**parts())


def test_weights_on_the_meta_device_are_refused():
    with torch.device("meta"):
        unet = tiny_unet()
    with pytest.raises(ValueError, match="the UNet has no weights: they are on torch's meta device"):
        made(unet=unet)


class Pipeline:
    """A user's pipeline of some class."""

    def __init__(self, **more: Any) -> None:
        self.components = {"vae": tiny_vae(), "unet": tiny_unet(), "scheduler": tiny_scheduler(), **more}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("controlnet", "a ControlNet, which an edit cannot use and would have to leave out"),
        ("adapter", "a T2I-Adapter"),
        ("motion_adapter", "a motion adapter"),
        ("prior", "a part called prior"),
    ],
)
def test_what_would_be_left_out_is_refused(part: str, words: str):
    with pytest.raises(ValueError, match=words):
        rd.RegionDragPipeline.from_pipe(Pipeline(**{part: object()}))


def test_what_only_looks_at_results_is_left_out():
    users = Pipeline(safety_checker=object(), feature_extractor=torch.nn.Identity(), image_encoder=None)
    assert rd.RegionDragPipeline.from_pipe(users).unet is users.components["unet"]


def test_parts_may_be_replaced_on_the_way():
    users, other = Pipeline(), tiny_unet(seed=5)
    scheduler = DDIMScheduler.from_config(tiny_scheduler(prediction_type="v_prediction").config)
    pipe = rd.RegionDragPipeline.from_pipe(users, unet=other, scheduler=scheduler)
    assert pipe.unet is other
    assert pipe.backbone.prediction_type == "v_prediction"
    assert pipe.vae is users.components["vae"]


@pytest.mark.parametrize(
    ("keyword", "words"),
    [("unett", "Did you mean 'unet'"), ("torch_dtype", "used in the format they have")],
)
def test_keywords_that_do_not_exist_are_refused(keyword: str, words: str):
    with pytest.raises(TypeError, match=words):
        rd.RegionDragPipeline.from_pipe(Pipeline(), **{keyword: None})


@pytest.mark.parametrize("given", ["stable-diffusion-v1-5", 3, None])
def test_what_is_no_pipeline_is_refused(given: Any):
    with pytest.raises(TypeError, match="from_pipe takes a diffusers pipeline that is already loaded"):
        rd.RegionDragPipeline.from_pipe(given)


def test_an_option_that_nobody_takes_is_refused_when_loading():
    with pytest.raises(TypeError, match=r"no argument 'varient'. Did you mean 'variant'"):
        rd.RegionDragPipeline.from_pretrained("mini", varient="fp16")


# ---- folders and hub ids ----


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_sd15(tmp_path_factory.mktemp("sd15"), tmp_path_factory.mktemp("words"))


def with_index(folder: Path, sd15: Path, **changes: Any) -> Path:
    shutil.copytree(sd15, folder, dirs_exist_ok=True)
    index = json.loads((folder / "model_index.json").read_text()) | changes
    (folder / "model_index.json").write_text(
        json.dumps({name: value for name, value in index.items() if value is not None})
    )
    return folder


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"unet": None, "_class_name": "WuerstchenDecoderPipeline"},
            "is a WuerstchenDecoderPipeline: ",
        ),
        ({"unet": None, "_class_name": "StableDiffusion3Pipeline"}, "is a StableDiffusion3Pipeline"),
        ({"unet": ["diffusers", "UNet3DConditionModel"]}, "with a UNet3DConditionModel"),
        ({"controlnet": ["diffusers", "ControlNetModel"]}, "with a ControlNet"),
    ],
    ids=["wuerstchen", "sd3", "video", "controlnet"],
)
def test_another_family_is_named(tmp_path: Path, sd15: Path, changes: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words) as caught:
        rd.RegionDragPipeline.from_pretrained(with_index(tmp_path, sd15, **changes), device="cpu")
    assert "Stable Diffusion 1.5, 2.1 and SDXL" in str(caught.value)


def test_another_family_is_refused_before_it_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    index = {"_class_name": "AuraFlowPipeline", "transformer": ["diffusers", "AuraFlowTransformer2DModel"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    monkeypatch.setattr(checkpoint, "hf_hub_download", lambda *_, **__: str(tmp_path / "model_index.json"))

    def download(*_: Any, **__: Any) -> str:
        raise AssertionError("the weights were fetched")

    monkeypatch.setattr(rd.RegionDragPipeline, "download", download)
    with pytest.raises(ValueError, match=r"fal/AuraFlow is a AuraFlowPipeline"):
        rd.RegionDragPipeline.from_pretrained("fal/AuraFlow", device="cpu")


def test_a_cache_of_attention_is_refused_with_its_remedy_and_taken_again_without_it():
    from diffusers import PyramidAttentionBroadcastConfig, apply_pyramid_attention_broadcast
    from diffusers.hooks import HookRegistry

    pipe = tiny_pipeline()
    image, pairs = picture(*SHAPE), [box_pair(SHAPE)]
    expected = rd.edit(image, pairs, pipe).image.tobytes()
    apply_pyramid_attention_broadcast(
        pipe.unet,
        PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=2, current_timestep_callback=lambda: 500
        ),
    )
    with pytest.raises(ValueError, match=r"hook 'pyramid_attention_broadcast'.*take it off first"):
        rd.edit(image, pairs, pipe)
    HookRegistry.check_if_exists_or_initialize(pipe.unet).remove_hook(
        "pyramid_attention_broadcast", recurse=True
    )
    assert rd.edit(image, pairs, pipe).image.tobytes() == expected
