"""IP-Adapters: loaded from safetensors, told the picture or another, equal to diffusers' own calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

import regiondrag_widget as rd
from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.unet import UNetBackbone
from tests.unit.engine_kit import (
    TEXT_WIDTH,
    box_pair,
    picture,
    processors_of,
    tiny_scheduler,
    tiny_unet,
    tiny_vae,
)
from tests.unit.pipeline.test_users_pipeline import assert_unchanged, snapshot, users_pipeline

SHAPE = (96, 128)
SEEN = 12  # width of the image encoder's projection
OTHER = Image.fromarray(picture(40, 40, seed=5))


def adapter_weights(unet: Any, *, plus: bool = False, width: int = TEXT_WIDTH) -> dict[str, torch.Tensor]:
    """Random weights as released IP-Adapters have them; `plus` reads all tokens of the encoder."""
    generator = torch.Generator().manual_seed(11)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) / shape[-1] ** 0.5

    weights: dict[str, torch.Tensor] = {}
    key = 1
    for name, processor in unet.attn_processors.items():
        del processor
        if "attn2" not in name:
            continue
        layer = unet.get_submodule(name.removesuffix(".processor"))
        for which in ("to_k_ip", "to_v_ip"):
            weights[f"ip_adapter.{key}.{which}.weight"] = drawn(layer.to_k.out_features, width)
        key += 2
    if plus:
        weights |= {
            "image_proj.proj.0.weight": drawn(SEEN, SEEN),
            "image_proj.proj.0.bias": drawn(SEEN),
            "image_proj.proj.2.weight": drawn(width, SEEN),
            "image_proj.proj.2.bias": drawn(width),
            "image_proj.proj.3.weight": drawn(width),
            "image_proj.proj.3.bias": drawn(width),
        }
    else:
        weights |= {
            "image_proj.proj.weight": drawn(4 * width, SEEN),
            "image_proj.proj.bias": drawn(4 * width),
            "image_proj.norm.weight": torch.ones(width),
            "image_proj.norm.bias": torch.zeros(width),
        }
    return weights


def save_image_encoder(folder: Path) -> None:
    """What sees the pictures that adapters are given, in the folder of adapters."""
    config = CLIPVisionConfig(
        hidden_size=SEEN,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=SEEN,
    )
    CLIPVisionModelWithProjection(config).eval().save_pretrained(folder / "image_encoder")


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of IP-Adapters as the released one is."""
    folder = tmp_path_factory.mktemp("adapters") / "models"
    torch.manual_seed(4)
    save_image_encoder(folder)
    save_file(adapter_weights(tiny_unet()), folder / "ip.safetensors")
    save_file(adapter_weights(tiny_unet(), plus=True), folder / "plus.safetensors")
    return folder.parent


@pytest.fixture
def users(request: pytest.FixtureRequest, adapters: Path, tmp_path: Path) -> StableDiffusionPipeline:
    """With the plain adapter, or the one that a test asks for."""
    weights = getattr(request, "param", "ip.safetensors")
    pipe = users_pipeline(tmp_path, torch.float32)
    pipe.register_modules(image_encoder=None)
    pipe.load_ip_adapter(str(adapters), subfolder="models", weight_name=weights)
    if weights == "plus.safetensors":  # 17 tokens of the encoder instead of 257
        for processor in pipe.unet.attn_processors.values():
            if isinstance(processor, IPAdapterAttnProcessor2_0):
                processor.num_tokens = [17]
    pipe.set_ip_adapter_scale(0.7)
    return pipe


@torch.inference_mode()
@pytest.mark.parametrize("scale", [1.0, 4.0])
@pytest.mark.parametrize("users", ["ip.safetensors", "plus.safetensors"], indirect=True)
def test_a_prediction_is_that_of_diffusers(users: StableDiffusionPipeline, scale: float):
    guided = scale > 1
    prompted, negative = users.encode_prompt("a dog", "cpu", 1, True, "a cat")
    images = users.prepare_ip_adapter_image_embeds(OTHER, None, "cpu", 1, guided)
    x, t = torch.randn(1, 4, 16, 16), torch.tensor([300])
    rows = 2 if guided else 1
    out = users.unet(
        x.expand(rows, -1, -1, -1),
        t,
        encoder_hidden_states=torch.cat([negative, prompted][-rows:]),
        added_cond_kwargs={"image_embeds": images},
        return_dict=False,
    )[0]
    theirs = out[:1] + scale * (out[1:] - out[:1]) if guided else out
    model = rd.RegionDragPipeline.from_pipe(users).model
    network = model.network(
        "a dog", guidance_scale=scale, negative_prompt="a cat" * guided, images=model.image_prompt(OTHER)
    )
    assert torch.allclose(network.predict(x, t), theirs, atol=1e-5)


@torch.inference_mode()
def test_sdxl_is_told_its_sizes_and_the_image():
    unet = tiny_unet(
        cross_attention_dim=2 * TEXT_WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + TEXT_WIDTH,
    )
    weights: dict[str, Any] = {"image_proj": {}, "ip_adapter": {}}
    for key, value in adapter_weights(unet, width=2 * TEXT_WIDTH).items():
        part, _, rest = key.partition(".")
        weights[part][rest] = value
    unet._load_ip_adapter_weights([weights])
    added = {"text_embeds": torch.randn(1, TEXT_WIDTH), "time_ids": torch.randn(1, 6)}
    text, image = torch.randn(1, 5, 2 * TEXT_WIDTH), torch.randn(1, 1, SEEN)
    x, t = torch.randn(2, 4, 16, 16), torch.tensor([300, 400])
    told: dict[str, Any] = {name: value.expand(2, -1) for name, value in added.items()}
    told["image_embeds"] = [image.expand(2, -1, -1)]
    theirs = unet(
        x, t, encoder_hidden_states=text.expand(2, -1, -1), added_cond_kwargs=told, return_dict=False
    )[0]
    network = UNetBackbone(tiny_vae(), unet, tiny_scheduler()).network(
        Condition(text, added, images=(image,))
    )
    assert torch.allclose(network.predict(x, t), theirs, atol=1e-5)


def test_an_edit_is_told_the_picture_itself_unless_told_another(users: StableDiffusionPipeline):
    pipe = rd.RegionDragPipeline.from_pipe(users)
    pipe.set_progress_bar_config(disable=True)
    image, pairs = picture(*SHAPE), [box_pair(SHAPE)]

    def edited(**options: Any) -> np.ndarray:
        return pipe(image, pairs, steps=4, **options).result.array

    own = edited()
    seen = Image.fromarray(image)
    embeds = users.prepare_ip_adapter_image_embeds(seen, None, "cpu", 1, False)
    assert np.array_equal(edited(ip_adapter_image_embeds=embeds), own)
    assert not np.array_equal(edited(ip_adapter_image=OTHER), own)


@pytest.mark.parametrize("broken", [False, True])
def test_the_users_pipeline_is_left_as_it_was(users: StableDiffusionPipeline, broken: bool):
    before, processors = snapshot(users), processors_of(users.unet)
    pipe = rd.RegionDragPipeline.from_pipe(users)
    hook = users.unet.mid_block.register_forward_pre_hook(lambda *_: 1 / 0) if broken else None
    session = rd.ImageSession(pipe, picture(*SHAPE), "a dog", 4, guidance_scale=3.0)
    if hook is None:
        for step in session.edit([rd.RegionPair.move(box_pair(SHAPE).handle, 0, 0)], content="latents"):
            last = step.latents
        assert torch.allclose(last, session.inversion().latents[0], atol=1e-4)
    else:
        with pytest.raises(ZeroDivisionError):
            list(session.edit([box_pair(SHAPE)]))
        hook.remove()
    assert_unchanged(users, before)
    assert all(processors_of(users.unet)[name] is p for name, p in processors.items())


# ---- on our pipeline ----


@pytest.fixture
def pipe(tmp_path: Path) -> rd.RegionDragPipeline:
    made = rd.RegionDragPipeline.from_pipe(users_pipeline(tmp_path, torch.float32))
    made.set_progress_bar_config(disable=True)
    return made


def test_one_is_loaded_and_taken_out_between_two_edits(pipe: rd.RegionDragPipeline, adapters: Path):
    image, pairs = picture(*SHAPE), [box_pair(SHAPE)]
    without = pipe(image, pairs, steps=4).result.array
    sessions = [rd.ImageSession(pipe, image, steps=4, keys_values=kept) for kept in ("auto", "recompute")]
    pipe.load_ip_adapter(str(adapters), subfolder="models", weight_name="ip.safetensors")
    for plain in sessions:
        with pytest.raises(ValueError, match="an IP-Adapter is loaded, and this edit has no image prompt"):
            list(plain.edit(pairs))
    session = rd.ImageSession(pipe, image, steps=4)
    list(session.edit(pairs))
    told = session.result.array
    assert not np.array_equal(told, without)
    pipe.set_ip_adapter_scale(0.1)
    list(session.edit(pairs))  # another scale is another network: it is inverted again
    assert not np.array_equal(session.result.array, told)
    pipe.unload_ip_adapter()
    with pytest.raises(ValueError, match="made with 1 IP-Adapters and the network now has 0"):
        list(session.edit(pairs))
    assert np.array_equal(pipe(image, pairs, steps=4).result.array, without)


def test_several_are_told_an_image_each(pipe: rd.RegionDragPipeline, adapters: Path):
    weights = ["ip.safetensors", "ip.safetensors"]
    pipe.load_ip_adapter(str(adapters), subfolder="models", weight_name=weights)
    image, pairs = picture(*SHAPE), [box_pair(SHAPE)]
    assert pipe(image, pairs, steps=4, ip_adapter_image=[OTHER, OTHER]).result is not None
    with pytest.raises(ValueError, match="2 IP-Adapters take as many ip_adapter_image, got 1"):
        pipe(image, pairs, ip_adapter_image=OTHER)
    with pytest.raises(ValueError, match=r"must be \(1 or 2, pictures, dim\)"):
        pipe(image, pairs, ip_adapter_image_embeds=[torch.zeros(1, SEEN)] * 2)


@pytest.mark.parametrize(
    ("weights", "shape", "words"),
    [
        ("ip.safetensors", (1, 1, SEEN + 1), rf"IP-Adapter 1 must be \(1 or 2, pictures, {SEEN}\)"),
        ("ip.safetensors", (1, 1, 3, SEEN), rf"must be \(1 or 2, pictures, {SEEN}\), got \(1, 1, 3, 12\)"),
        ("plus.safetensors", (1, 1, SEEN), rf"must be \(1 or 2, pictures, tokens, {SEEN}\), got"),
    ],
)
def test_embeds_of_another_encoder_are_refused(
    pipe: rd.RegionDragPipeline, adapters: Path, weights: str, shape: tuple[int, ...], words: str
):
    pipe.load_ip_adapter(str(adapters), subfolder="models", weight_name=weights)
    with pytest.raises(ValueError, match=words):
        pipe(picture(*SHAPE), [box_pair(SHAPE)], ip_adapter_image_embeds=[torch.zeros(shape)])


def test_another_image_encoder_is_refused(pipe: rd.RegionDragPipeline, adapters: Path):
    pipe.load_ip_adapter(str(adapters), subfolder="models", weight_name="ip.safetensors")
    layer = pipe.unet.encoder_hid_proj.image_projection_layers[0]
    layer.image_embeds = torch.nn.Linear(SEEN + 1, layer.image_embeds.out_features)
    with pytest.raises(ValueError, match="gives 12 numbers and the IP-Adapter reads 13: load it again"):
        pipe(picture(*SHAPE), [box_pair(SHAPE)], ip_adapter_image=OTHER)


def test_what_cannot_be_is_refused(pipe: rd.RegionDragPipeline, adapters: Path, tmp_path: Path):
    image, pairs = picture(*SHAPE), [box_pair(SHAPE)]
    with pytest.raises(ValueError, match="no IP-Adapter is loaded to read an image"):
        pipe(image, pairs, ip_adapter_image=OTHER)
    with pytest.raises(ValueError, match="ip_adapter_image or ip_adapter_image_embeds, not both"):
        pipe(image, pairs, ip_adapter_image=OTHER, ip_adapter_image_embeds=[torch.zeros(1, 1, SEEN)])
    with pytest.raises(ValueError, match=r"ip\.bin holds pickled weights"):
        pipe.load_ip_adapter(str(adapters), subfolder="models", weight_name="ip.bin")
    (tmp_path / "models" / "image_encoder").mkdir(parents=True)
    (tmp_path / "models" / "image_encoder" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="has only pickled weights"):
        pipe.load_ip_adapter(str(tmp_path), subfolder="models", weight_name="ip.safetensors")
    pipe.load_ip_adapter(
        str(adapters), subfolder="models", weight_name="ip.safetensors", image_encoder_folder=None
    )
    with pytest.raises(ValueError, match="without its image encoder: pass ip_adapter_image_embeds"):
        pipe(image, pairs)
    cells = rd.Correspondence([[2, 3]], [[9, 9]])
    with pytest.raises(ValueError, match="an IP-Adapter is loaded: pass ip_adapter_image"):
        pipe(latents=torch.zeros(1, 4, 16, 16), correspondence=cells)
