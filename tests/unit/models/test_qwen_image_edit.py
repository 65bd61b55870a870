"""Qwen-Image-Edit: the picture is read with the prompt, and stands beside the latents."""

from __future__ import annotations

import copy
import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel
from PIL import Image
from torch import Tensor
from transformers import Qwen2VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

import regiondrag_widget as rd
from regiondrag_widget.models import loading, qwen_image_edit
from regiondrag_widget.models.joint_attention import TEXT
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.references import References, referring, with_picture
from regiondrag_widget.models.saving import diffusers_pipeline
from regiondrag_widget.models.tokenizers import with_own_tokenizers
from regiondrag_widget.models.transformer_lora import fuse_transformer_lora
from tests.unit.engine_kit import TEXT_WIDTH, box_pair, picture
from tests.unit.models.families_kit import qwen_vl
from tests.unit.models.test_transformer_lora import saved_lora
from tests.unit.models.transformer_kit import SIDE, chat_tokenizer, lively

SHAPE = (64, 96)
CELLS = (12, 16)
PROMPT = "a red duck"
# pipeline, and whether the picture's tokens are taken for noiseless ones, as in Qwen-Image-Edit-2511
KINDS = {
    "edit": ("QwenImageEditPipeline", False),
    "2509": ("QwenImageEditPlusPipeline", False),
    "2511": ("QwenImageEditPlusPipeline", True),
}


class PictureProcessor(Qwen2VLProcessor):
    """Qwen2-VL's processor without its part for videos, which needs torchvision."""

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_processor, self.tokenizer = image_processor, tokenizer
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id, self.video_token_id = tokenizer.convert_tokens_to_ids(
            [self.image_token, self.video_token]
        )
        self.chat_template = None


def save(folder: Path, kind: str) -> Any:
    """Save a model folder of a kind; its processor, which the tests pass on."""
    named, noiseless = KINDS[kind]
    torch.manual_seed(0)
    transformer = QwenImageTransformer2DModel(
        in_channels=64,
        out_channels=16,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=(4, 6, 6),
        zero_cond_t=noiseless,
    )
    vae = AutoencoderKLQwenImage(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1)
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, shift_terminal=0.02, max_image_seq_len=8192, max_shift=0.9
    )
    tokenizer, reader = chat_tokenizer(), qwen_vl()
    words = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": words})
    ids = tokenizer.convert_tokens_to_ids(words)
    for name, index in zip(("image", "video", "vision_start", "vision_end"), ids, strict=True):
        setattr(reader.config, f"{name}_token_id", index)
    pixels = Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=84 * 84)
    pipeline = getattr(diffusers, named)(scheduler, lively(vae), reader, tokenizer, None, lively(transformer))
    pipeline.save_pretrained(folder)
    index = folder / "model_index.json"
    parts = {**json.loads(index.read_text()), "processor": ["transformers", "Qwen2VLProcessor"]}
    index.write_text(json.dumps(parts))
    pixels.save_pretrained(folder / "processor")
    return PictureProcessor(pixels, tokenizer)


class Loaded:
    """One kind, loaded by us and by diffusers."""

    def __init__(self, kind: str, folder: Path, borrowed: Any = None) -> None:
        self.kind, self.folder = kind, folder
        if borrowed is None:
            processor = save(folder, kind)
            self.pipe = rd.RegionDragPipeline.from_pretrained(
                folder, device="cpu", dtype="float32", processor=processor
            )
        else:
            self.pipe = rd.RegionDragPipeline.from_pipe(borrowed)
        defaults = {**self.pipe.profile.defaults, "steps": 4, "start": 0.7, "stop": 0.2}
        self.pipe.profile = replace(self.pipe.profile, side=SIDE, min_side=SIDE, defaults=defaults)
        self.theirs = pipeline_of(kind, self.pipe)
        self.kept = self.session()

    def session(self, **options: Any) -> rd.ImageSession:
        return rd.ImageSession(self.pipe, picture(*SHAPE), PROMPT, **options)


def pipeline_of(kind: str, pipe: rd.RegionDragPipeline) -> Any:
    """diffusers' pipeline of a kind, with the parts of ours."""
    names = ("scheduler", "vae", "text_encoder", "tokenizer", "processor", "transformer")
    made = getattr(diffusers, KINDS[kind][0])(**{name: pipe.components[name] for name in names})
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Loaded]:
    folder = tmp_path_factory.mktemp("models")
    loaded = {kind: Loaded(kind, folder / kind) for kind in ("edit", "2511")}
    # Qwen-Image-Edit's network, used in another way
    return {**loaded, "2509": Loaded("2509", folder, pipeline_of("2509", loaded["edit"].pipe))}


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, kinds: dict[str, Loaded]) -> Loaded:
    return kinds[request.param]


@pytest.fixture(scope="module", params=["edit", "2511"])
def network_kind(request: pytest.FixtureRequest, kinds: dict[str, Loaded]) -> Loaded:
    """The kinds whose transformers differ."""
    return kinds[request.param]


@pytest.fixture
def edit(kinds: dict[str, Loaded]) -> Loaded:
    return kinds["edit"]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def latents_of(steps: Any) -> Tensor:
    return list(steps)[-1].latents


def test_a_step_is_the_one_of_the_pipeline(model: Loaded, monkeypatch: pytest.MonkeyPatch):
    """Its latents after the first step, from the same noise, prompt and picture."""
    size = 8 * CELLS[1], 8 * CELLS[0]
    theirs = importlib.import_module(type(model.theirs).__module__)
    asked: list[tuple[int, float]] = []

    def dimensions(area: int, ratio: float) -> tuple[int, ...]:
        asked.append((area, ratio))
        return size if "plus" in theirs.__name__ else (*size, None)  # theirs would be 1024 px

    monkeypatch.setattr(theirs, "calculate_dimensions", dimensions)
    monkeypatch.setattr(qwen_image_edit, "calculate_dimensions", dimensions)
    shown = Image.fromarray(picture(size[1], size[0]))
    scale = 4.0 if model.kind == "2509" else 1.0
    start, seen = noise(1, 16, *CELLS), []

    def keep(_: Any, index: int, t: Tensor, given: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(given["latents"].clone())
        return given

    model.theirs(
        shown,
        PROMPT,
        height=size[1],
        width=size[0],
        num_inference_steps=4,
        true_cfg_scale=scale,
        negative_prompt="a cat" if scale > 1 else None,
        latents=pack(start),
        output_type="latent",
        callback_on_step_end=keep,
    )
    encoded = {area for area, _ in asked} - ({1024 * 1024} if model.kind != "edit" else set())
    asked.clear()
    backbone = model.pipe.backbone
    guidance = {"guidance_scale": scale, "negative_prompt": "a cat" if scale > 1 else ""}
    network = model.pipe.model.network(PROMPT, edited=lambda: shown, **guidance)
    assert {area for area, _ in asked} == encoded
    pixels = torch.from_numpy(picture(size[1], size[0])).permute(2, 0, 1)[None] / 127.5 - 1
    beside = with_picture(network, backbone.encode(pixels)[0])
    first, second = backbone.sigmas(backbone.tokens(*CELLS), 4)[:2]
    with torch.no_grad():
        ours = start + (second - first) * beside.predict(start, torch.tensor([1000 * first]))
        without = start + (second - first) * network.predict(start, torch.tensor([1000 * first]))
    assert torch.allclose(pack(ours), seen[0], atol=1e-5)
    assert not torch.allclose(pack(without), seen[0], atol=1e-2)


def pack(x: Tensor) -> Tensor:
    return torch.nn.functional.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)


def test_another_picture_is_another_condition(edit: Loaded):
    conditions = [
        edit.pipe.model.network(PROMPT, edited=lambda seed=seed: Image.fromarray(picture(*SHAPE, seed=seed)))
        for seed in (0, 1)
    ]
    first, second = (network.condition.embeds for network in conditions)
    assert first.shape == second.shape
    assert not torch.allclose(first, second, atol=1e-3)
    assert not first.requires_grad


def test_the_processors_tokenizer_is_left_to_its_owner(edit: Loaded):
    """Padding and truncation are state of a tokenizer, which another thread may be using."""
    owners = edit.pipe.processor.tokenizer
    used = with_own_tokenizers(edit.pipe.components)["processor"]
    assert used.tokenizer is not owners
    assert edit.pipe.processor.tokenizer is owners
    assert used.image_processor is edit.pipe.processor.image_processor


def test_edits_are_exact(network_kind: Loaded):
    """Tokens that change alone, all of them, and a run beside the original: all are the same."""
    session, pair, settings = network_kind.kept, [box_pair(SHAPE)], {"content": "pixels", "vacated": "noise"}
    some = latents_of(session.edit(pair, **settings))
    assert torch.allclose(some, latents_of(session.edit(pair, crop=False, **settings)), atol=1e-4)
    if network_kind.kind != "edit":
        return  # the rest does not depend on the kind
    beside = network_kind.session(keys_values="recompute")
    assert torch.allclose(some, latents_of(beside.edit(pair, **settings)), atol=1e-4)
    alone = latents_of(session.edit(pair, attention_swap=lambda name: ".0." in name, **settings))
    assert bool(alone.isfinite().all())
    assert not torch.allclose(alone, some, atol=1e-4)


def test_an_empty_edit_gives_the_picture_back(network_kind: Loaded):
    nowhere = rd.Correspondence(np.zeros((0, 2), int), np.zeros((0, 2), int))
    clean = network_kind.kept.inversion().latents[0]
    out = network_kind.pipe(
        latents=clean[None], correspondence=nowhere, prompt=PROMPT, output_type="latent"
    ).images
    assert float((out[0] - clean).abs().max()) < 1e-4


def test_a_second_edit_computes_the_changed_tokens_alone(edit: Loaded):
    seen: list[int] = []
    hook = edit.pipe.transformer.register_forward_pre_hook(
        lambda _, args, named: seen.append(named["hidden_states"].shape[1]), with_kwargs=True
    )
    try:
        list(edit.kept.edit([box_pair(SHAPE)], content="pixels"))
        seen.clear()
        list(edit.kept.edit([box_pair(SHAPE, dx=24)], content="pixels"))
    finally:
        hook.remove()
    assert len(seen) == len(edit.kept.levels)
    assert max(seen) < edit.pipe.backbone.tokens(*(n // 8 for n in SHAPE))  # and none of the picture's


def test_the_bytes_of_a_level_are_counted(edit: Loaded):
    found = edit.kept.inversion()
    counted = edit.kept._network.level_bytes(*found.latents.shape[-2:])
    assert counted * len(edit.kept.levels) == found.cache.nbytes


def test_batched_inversion_equals_one_by_one(network_kind: Loaded):
    together, backbone = network_kind.kept.inversion(), network_kind.pipe.backbone
    assert len(together.levels) >= 2
    backbone.batch_size = 1
    try:
        alone = network_kind.session().inversion()
    finally:
        backbone.batch_size = None
    assert torch.allclose(together.residuals, alone.residuals, atol=1e-4)
    for name, keys in together.cache.keys.items():
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(keys, alone.cache.keys[name], strict=True))


def test_drafts_and_sizes_that_divide_by_nothing(edit: Loaded):
    list(edit.kept.draft([box_pair(SHAPE)], calls=1))
    assert edit.kept.drafted.calls == 1
    image, pair = picture(67, 91), box_pair((67, 91))
    out, touched = rd.edit(image, [pair], edit.pipe, prompt=PROMPT).array, pair.handle | pair.target
    assert np.array_equal(out[~touched], image[~touched])
    assert not np.array_equal(out[touched], image[touched])


def test_a_users_pipeline_is_left_as_it_was_also_after_an_exception(network_kind: Loaded):
    theirs = network_kind.theirs
    network = theirs.transformer

    def state() -> list[object]:
        held = {name: set(m.__dict__) for name, m in network.named_modules()}
        hooks = [m for m in network.modules() if m._forward_hooks or m._forward_pre_hooks]
        return [dict(network.attn_processors), held, hooks, network.dtype, dict(theirs.scheduler.config)]

    before = state()
    pipe = rd.RegionDragPipeline.from_pipe(theirs)
    pipe.profile = network_kind.pipe.profile
    session = rd.ImageSession(pipe, picture(*SHAPE), PROMPT)
    latents_of(session.edit([box_pair(SHAPE)], content="pixels"))
    assert state() == before
    *_, last = network.modules()
    broken = last.register_forward_pre_hook(lambda *_: 1 / 0)
    try:
        for call in (
            lambda: latents_of(session.edit([box_pair(SHAPE)], content="pixels")),
            session.inversion,
        ):
            with pytest.raises(ZeroDivisionError):
                call()
    finally:
        broken.remove()
    assert state() == before


def test_lora_weights_come_and_go_in_the_middle_of_a_session(edit: Loaded, tmp_path: Path):
    file = saved_lora(edit.pipe.transformer, tmp_path / "style.safetensors")
    session, pair = edit.session(), [box_pair(SHAPE)]
    before, kept = latents_of(session.edit(pair)), copy.deepcopy(edit.pipe.transformer.state_dict())
    fuse_transformer_lora(edit.pipe.transformer, edit.pipe.family, file, 0.5)
    try:
        changed = latents_of(session.edit(pair))
    finally:
        edit.pipe.transformer.load_state_dict(kept)
    assert not torch.allclose(changed, before, atol=1e-3)
    assert torch.allclose(latents_of(session.edit(pair)), before, atol=1e-6)


def test_a_list_of_pictures_is_refused(edit: Loaded):
    with pytest.raises(TypeError, match="one alone, not a list of them"):
        rd.ImageSession(edit.pipe, [picture(*SHAPE)] * 2, PROMPT)


def test_a_hole_is_hidden_in_the_picture_too(edit: Loaded):
    """What its tokens hold there makes no difference to the cells that may not look."""
    network = with_picture(edit.kept._network, noise(16, *CELLS))
    cache, hidden = KeyValueCache(), torch.zeros(CELLS, dtype=torch.bool)
    hidden[2:6, 4:8] = True
    outputs = []
    with torch.inference_mode():
        network.capture(noise(1, 16, *CELLS, seed=1), torch.tensor([500.0]), cache)
        for change in (0.0, 50.0):
            for name in [name for name in cache.keys if name.endswith(TEXT)]:
                kept = cache.values[name][0]
                picture_tokens = kept[len(kept) - 48 :]
                picture_tokens[hidden[::2, ::2].flatten()] += change
            with network.inject(cache, True, hidden, None) as predict:
                outputs.append(predict(1, 500.0, noise(1, 16, *CELLS)))
            with network.inject(cache, True, None, None) as predict:
                outputs.append(predict(1, 500.0, noise(1, 16, *CELLS)))
    assert torch.equal(outputs[0], outputs[2])
    assert not torch.allclose(outputs[1], outputs[3], atol=1e-2)


# ---- by position ----


def test_a_token_at_another_place_is_the_picture_with_it_there(network_kind: Loaded):
    network, x, clean = network_kind.kept._network, noise(1, 16, *CELLS), noise(16, *CELLS, seed=1)
    everything, moved = torch.arange(48), torch.randperm(48, generator=torch.Generator().manual_seed(0))
    there = torch.nn.functional.pixel_unshuffle(clean, 2).flatten(1)[:, moved].unflatten(1, (6, 8))
    there = torch.nn.functional.pixel_shuffle(there, 2)
    times = torch.tensor([500.0])
    with torch.no_grad():
        shown = referring(network, References(clean, moved, everything)).predict(x, times)
        assert torch.allclose(shown, with_picture(network, there).predict(x, times), atol=1e-5)
        assert not torch.allclose(shown, with_picture(network, clean).predict(x, times), atol=1e-2)


def test_a_drag_by_position_inverts_nothing_and_changes_the_regions_alone(network_kind: Loaded):
    image, pair, session = picture(*SHAPE), box_pair(SHAPE), network_kind.session()
    seen: list[int] = []
    hook = network_kind.pipe.transformer.register_forward_pre_hook(lambda *_: seen.append(1))
    try:
        list(session.edit([pair], content="positions"))
    finally:
        hook.remove()
    assert len(seen) == len(session.levels)
    out, touched = session.result.array, pair.handle | pair.target
    assert np.array_equal(out[~touched], image[~touched])
    assert not np.array_equal(out[touched], image[touched])


def test_guidance_tells_both_prompts_the_picture(edit: Loaded):
    session = edit.session(guidance_scale=4.0, negative_prompt="a cat")
    some = latents_of(session.edit([box_pair(SHAPE)], content="pixels"))
    assert torch.allclose(
        some, latents_of(session.edit([box_pair(SHAPE)], content="pixels", crop=False)), atol=1e-4
    )
    prompted = latents_of(edit.kept.edit([box_pair(SHAPE)], content="pixels"))
    assert not torch.allclose(some, prompted, atol=1e-4)


# ---- which one it is ----


def test_the_pipeline_tells_edit_from_plus(model: Loaded):
    named = {"edit": "Qwen-Image-Edit"}.get(model.kind, "Qwen-Image-Edit-Plus")
    assert model.pipe.family.name == named
    assert diffusers_pipeline(model.pipe) == KINDS[model.kind][0]  # what a saved folder says
    borrowed = rd.RegionDragPipeline.from_pipe(model.theirs)
    assert borrowed.family.name == named
    assert rd.RegionDragPipeline.from_pipe(borrowed).family.name == named
    assert isinstance(borrowed.backbone, model.pipe.family.backbone_class())


def test_without_a_picture_it_says_so(edit: Loaded):
    with pytest.raises(ValueError, match="reads the prompt together with the picture"):
        edit.pipe.network(PROMPT)
    assert edit.pipe.network(prompt_embeds=torch.zeros(1, 5, TEXT_WIDTH)).condition.embeds.shape[1] == 5
    without = {**edit.pipe.components, "processor": None}
    with pytest.raises(ValueError, match="by its processor, which is missing"):
        edit.pipe.backbone.encode_prompt(without, PROMPT, Image.fromarray(picture(*SHAPE)))


def test_a_missing_torchvision_is_named(edit: Loaded, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="a processor that needs torchvision: pip install torchvision"):
        rd.RegionDragPipeline.from_pretrained(edit.folder, device="cpu")
