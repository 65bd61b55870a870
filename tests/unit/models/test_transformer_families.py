"""Stable Diffusion 3, Qwen-Image and Z-Image: what their pipelines compute, what each can do without."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from diffusers import AutoencoderTiny, DiffusionPipeline
from diffusers.models import attention_processor
from torch import Tensor

import regiondrag_widget as rd
from regiondrag_widget.models.families import family_of
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.transformer import TransformerBackbone
from tests.unit.engine_kit import box_pair, picture, tiny_vae
from tests.unit.models.families_kit import KITS

PROMPT = "a red duck"
CPU = torch.device("cpu")
CELLS = (12, 16)  # 48 tokens, which is no multiple of 32


class Loaded:
    """One family, as diffusers loads it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.kit = KITS[name]
        self.folder = self.kit.save(folder)
        self.pipe: Any = DiffusionPipeline.from_pretrained(self.folder)
        self.pipe.set_progress_bar_config(disable=True)
        self.backbone = backbone_of(self.pipe)

    @cached_property
    def expected(self) -> Tensor:
        return edited_twice(rd.RegionDragPipeline.from_pipe(self.pipe))

    def network(self, prompt: str = PROMPT) -> Any:
        return self.backbone.network(self.backbone.encode_prompt(self.pipe.components, prompt))


def backbone_of(pipe: Any) -> TransformerBackbone:
    return family_of(pipe.transformer).backbone_class()(pipe.vae, pipe.transformer, pipe.scheduler)


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Loaded]:
    return {name: Loaded(name, tmp_path_factory.mktemp(name)) for name in KITS if not name.startswith("flux")}


@pytest.fixture(scope="module", params=[name for name in KITS if not name.startswith("flux")])
def family(request: pytest.FixtureRequest, families: dict[str, Loaded]) -> Loaded:
    return families[request.param]


@pytest.fixture
def sd3(families: dict[str, Loaded]) -> Loaded:
    return families["sd3"]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_step_is_the_one_of_the_familys_pipeline(family: Loaded):
    """Its latents after the first step, from the same noise and prompt, and every timestep."""
    pipe, backbone, seen = family.pipe, family.backbone, []

    def keep(_: Any, index: int, t: Tensor, given: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append((float(t), given["latents"].clone()))
        return given

    packed = "Qwen" in type(pipe).__name__
    guidance = {"true_cfg_scale" if packed else "guidance_scale": 0.0}
    start = noise(1, 16, *CELLS)
    pipe(
        PROMPT,
        height=8 * CELLS[0],
        width=8 * CELLS[1],
        num_inference_steps=4,
        latents=pack(start) if packed else start,
        output_type="latent",
        callback_on_step_end=keep,
        **guidance,
    )
    sigmas = backbone.sigmas(backbone.tokens(*CELLS), 4)
    assert [t for t, _ in seen] == pytest.approx([1000 * s for s in sigmas], rel=1e-5)
    velocity = family.network().predict(start, torch.tensor([1000 * sigmas[0]]))
    ours = start + (sigmas[1] - sigmas[0]) * velocity
    assert torch.allclose(pack(ours) if packed else ours, seen[0][1], atol=1e-5)


def pack(x: Tensor) -> Tensor:
    return torch.nn.functional.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)


def test_the_bytes_of_a_level_are_counted(family: Loaded):
    network, cache = family.network(), KeyValueCache()
    with torch.inference_mode():
        network.capture(noise(1, 16, *CELLS), torch.tensor([500.0]), cache)
    assert network.level_bytes(*CELLS) == cache.nbytes


def test_latents_that_are_no_whole_tokens_are_refused(family: Loaded):
    with pytest.raises(ValueError, match="whole tokens of 2 x 2 cells, got 4 x 3 cells"):
        family.network().predict(noise(1, 16, 4, 3), torch.tensor([500.0]))


def test_some_tokens_leave_nothing_behind(family: Loaded):
    """Neither hooks nor methods stay on the transformer, also where a call of some tokens fails."""
    transformer, network, cache = family.pipe.transformer, family.network(), KeyValueCache()
    held = set(transformer.__dict__)
    cells = torch.zeros(CELLS, dtype=torch.bool)
    cells[2:6, 4:10] = True
    *_, last = transformer.modules()
    with torch.inference_mode():
        network.capture(noise(1, 16, *CELLS), torch.tensor([500.0]), cache)
        with network.inject(cache, True, None, None, cells) as predict:
            out = predict(1, 500.0, noise(1, 16, *CELLS, seed=1))
            assert float(out[..., ~cells].abs().max()) == 0.0
            assert float(out[..., cells].abs().min()) > 0.0
            broken = last.register_forward_pre_hook(lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                predict(1, 500.0, noise(1, 16, *CELLS, seed=1))
    broken.remove()
    assert set(transformer.__dict__) == held
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in transformer.modules())


def test_parts_of_other_formats_work_together(family: Loaded):
    """A transformer in bfloat16 with an autoencoder and text encoders in float32."""
    transformer = type(family.pipe.transformer).from_pretrained(
        family.folder / "transformer", torch_dtype=torch.bfloat16
    )
    parts = {**family.pipe.components, "transformer": transformer}
    pipe = rd.RegionDragPipeline(unet=None, **{k: v for k, v in parts.items() if v is not None})
    clean = noise(1, 16, *CELLS)
    pair = rd.Correspondence([[0, 0]], [[5, 5]])
    out = pipe(latents=clean, correspondence=pair, prompt=PROMPT, steps=4, output_type="latent").images
    assert pipe.backbone.dtype == torch.bfloat16
    assert out.dtype == torch.float32
    assert bool(out.isfinite().all())


def test_calls_do_not_look_like_other_weights(family: Loaded, monkeypatch: pytest.MonkeyPatch):
    """Or the second edit would invert again; and diffusers has nothing to warn of."""
    said: list[str] = []
    monkeypatch.setattr(attention_processor.logger, "warning", said.append)
    pipe = type(family.pipe).from_pretrained(family.folder)
    backbone = backbone_of(pipe)
    before = backbone.fingerprint()
    backbone.decode(backbone.encode(torch.zeros(1, 3, 64, 64)))
    network = backbone.network(backbone.encode_prompt(pipe.components, PROMPT))
    cache = KeyValueCache()
    with torch.inference_mode():
        network.capture(noise(1, 16, *CELLS), torch.tensor([500.0]), cache)
        with network.inject(cache, True, None, None, torch.eye(*CELLS).bool()) as predict:
            predict(1, 500.0, noise(1, 16, *CELLS))
    assert backbone.fingerprint() == before
    assert not said


def test_lora_weights_are_read_as_the_familys_pipeline_reads_them(
    family: Loaded, monkeypatch: pytest.MonkeyPatch
):
    """diffusers' loading itself needs PEFT; here a stand-in of it says what it was asked for."""
    pipe = rd.RegionDragPipeline.from_pretrained(family.folder, device="cpu", dtype="float32")
    asked: list[Any] = []

    def load(theirs: Any, told: str, adapter_name: str | None = None, **options: Any) -> None:
        asked.append((theirs.transformer, theirs.text_encoder, told, options))
        theirs.transformer.peft_config = {adapter_name or "default_0": told}

    monkeypatch.setattr(type(family.pipe), "load_lora_weights", load)
    pipe.load_lora_weights("some/ducks", weight_name="ducks.safetensors")
    assert asked == [
        (
            pipe.transformer,
            pipe.text_encoder,
            "some/ducks",
            {"weight_name": "ducks.safetensors", "use_safetensors": True},
        )
    ]
    with pytest.raises(ValueError, match="holds pickled weights, which can run code"):
        pipe.load_lora_weights("some/ducks", weight_name="ducks.bin")
    assert pipe.name.endswith(" + some/ducks/ducks.safetensors")
    with pytest.raises(ValueError, match="has no textual inversion: use a LoRA"):
        pipe.load_textual_inversion(torch.zeros(1, 16), token="<duck>")


@pytest.mark.parametrize("some", [False, True])
def test_another_threads_call_in_the_midst_of_ours_is_its_own(family: Loaded, some: bool):
    """A user may run the pipeline while an edit has its processors, hooks and methods on the transformer."""
    x, network, cache = noise(1, 16, *CELLS), family.network(), KeyValueCache()
    theirs = family.kit.velocity(family.pipe, PROMPT)
    with torch.inference_mode():
        expected = theirs(x, 0.5)
        network.capture(x, torch.tensor([500.0]), cache)
    found: list[Tensor] = []

    def call() -> None:
        with torch.inference_mode():
            found.append(theirs(x, 0.5))

    def in_the_midst(*_: Any) -> None:
        if not found:
            found.append(x)  # so that their call does not start another
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()

    cells = torch.zeros(CELLS, dtype=torch.bool)
    cells[2:6, 4:10] = True
    other = noise(1, 16, *CELLS, seed=1)
    with torch.inference_mode(), network.inject(cache, True, None, None, cells if some else None) as predict:
        alone = predict(1, 500.0, other)
        *_, last = family.pipe.transformer.modules()
        handle = last.register_forward_pre_hook(in_the_midst)
        try:
            disturbed = predict(1, 500.0, other)
        finally:
            handle.remove()
    assert torch.allclose(found[1], expected, atol=1e-5)
    assert torch.allclose(disturbed, alone, atol=1e-5)


def test_an_autoencoder_of_another_family_is_refused(family: Loaded):
    parts = family.pipe.transformer, family.pipe.scheduler
    with pytest.raises(ValueError, match="takes 16: use the model's own autoencoder"):
        type(family.backbone)(tiny_vae(), *parts)


def grouped(part: Any) -> None:
    part.enable_group_offload(onload_device=CPU, offload_device=CPU, offload_type="leaf_level")


def in_sequence(part: Any) -> None:
    accelerate.cpu_offload(part, execution_device=CPU)


def cast(part: Any) -> None:
    part.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)


@pytest.mark.parametrize("move", [grouped, in_sequence, cast])
def test_weights_that_are_moved_or_cast_for_each_call(family: Loaded, move: Callable[[Any], None]):
    pipe = rd.RegionDragPipeline.from_pipe(type(family.pipe).from_pretrained(family.folder))
    move(pipe.transformer)
    moved = edited_twice(pipe)
    if move is cast:  # the weights have lost some digits
        assert 0 < float((moved - family.expected).norm() / family.expected.norm()) < 0.5
    else:
        assert torch.allclose(moved, family.expected, atol=1e-4)


def edited_twice(pipe: rd.RegionDragPipeline) -> Tensor:
    """The latents of an edit, which made the inversion of the next one needless."""
    pipe.profile = replace(pipe.profile, side=96, min_side=96, defaults={**pipe.profile.defaults, "steps": 4})
    session = rd.ImageSession(pipe, picture(64, 96), PROMPT)
    last = list(session.edit([box_pair((64, 96))], content="latents"))[-1].latents
    calls = session._network.calls
    list(session.edit([box_pair((64, 96))], content="latents"))
    assert session._network.calls - calls == len(session.levels)
    return last


@pytest.mark.parametrize("name", ["sd3", "zimage"])
def test_drafts_by_a_small_autoencoder(families: dict[str, Loaded], name: str):
    backbone = backbone_of(families[name].pipe)
    channels = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    blocks = {"num_encoder_blocks": (1,) * 4, "num_decoder_blocks": (1,) * 4}
    with pytest.raises(ValueError, match="latents of 4 channels but this model's have 16"):
        backbone.set_draft_vae(AutoencoderTiny(**channels, **blocks))
    small = AutoencoderTiny(**channels, **blocks, latent_channels=16).eval()
    backbone.set_draft_vae(small)
    latents = noise(1, 16, *CELLS)
    with torch.inference_mode():
        assert torch.allclose(backbone.decode_draft(latents), small.decode(latents).sample)
        assert backbone.encode_draft(noise(1, 3, 96, 128)).shape == latents.shape


def test_no_small_autoencoder_is_known_for_qwen_image(families: dict[str, Loaded]):
    with pytest.raises(ValueError, match="leave draft_vae out"):
        families["qwen"].backbone.set_draft_vae(AutoencoderTiny())


# ---- Stable Diffusion 3 ----


def test_t5_may_be_left_out(sd3: Loaded):
    pipe = rd.RegionDragPipeline.from_pretrained(
        sd3.folder, device="cpu", dtype="float32", text_encoder_3=None, tokenizer_3=None
    )
    embeds, _, _, _ = type(sd3.pipe)(
        **{**sd3.pipe.components, "text_encoder_3": None, "tokenizer_3": None}
    ).encode_prompt(PROMPT, None, None, do_classifier_free_guidance=False)
    assert torch.allclose(pipe.model.encode_prompt(PROMPT).embeds, embeds, atol=1e-5)
    assert pipe.components["text_encoder_3"] is None
    pair = rd.Correspondence([[0, 0]], [[5, 5]])
    out = pipe(latents=noise(1, 16, *CELLS), correspondence=pair, prompt=PROMPT, output_type="latent").images
    assert bool(out.isfinite().all())


def test_a_clip_encoder_that_is_missing_is_named(sd3: Loaded):
    parts = {**sd3.pipe.components, "text_encoder_2": None}
    with pytest.raises(ValueError, match="needs its text_encoder_2 to read a prompt"):
        sd3.backbone.encode_prompt(parts, PROMPT)


def test_embeds_alone_are_refused(sd3: Loaded):
    with pytest.raises(ValueError, match="do not condition Stable Diffusion 3: pass a prompt"):
        sd3.backbone.condition(torch.zeros(1, 5, 40))


def test_an_ip_adapter_is_refused(sd3: Loaded):
    sd3.pipe.transformer.image_proj = torch.nn.Identity()
    try:
        with pytest.raises(ValueError, match="an IP-Adapter is loaded"):
            sd3.network()
    finally:
        del sd3.pipe.transformer.image_proj


def test_which_encoder_cuts_a_prompt_is_said(sd3: Loaded):
    with pytest.warns(UserWarning, match="its CLIP reads 77: the end is left out") as warned:
        sd3.backbone.encode_prompt(sd3.pipe.components, "duck " * 30)
    assert not any("its T5" in str(w.message) for w in warned)


# ---- Qwen-Image and Z-Image ----


@pytest.mark.parametrize("name", ["qwen", "zimage"])
def test_embeds_of_another_width_are_refused(families: dict[str, Loaded], name: str):
    backbone = families[name].backbone
    assert backbone.condition(torch.zeros(1, 5, 16)).embeds.shape == (1, 5, 16)
    with pytest.raises(ValueError, match=r"must be \(1, tokens, 16\)"):
        backbone.condition(torch.zeros(2, 5, 16))  # of which prompt would the picture be?
    with pytest.raises(ValueError, match=r"must be \(1, tokens, 16\)"):
        backbone.condition(torch.zeros(1, 5, 24))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [("qwen", {"use_layer3d_rope": True}, "Layered"), ("zimage", {"siglip_feat_dim": 8}, "Omni")],
)
def test_relatives_that_do_something_else_are_refused(
    families: dict[str, Loaded], name: str, change: dict[str, Any], said: str
):
    pipe = families[name].pipe
    transformer = type(pipe.transformer).from_config({**pipe.transformer.config, **change})
    with pytest.raises(ValueError, match=said):
        rd.RegionDragPipeline(pipe.vae, None, pipe.scheduler, transformer=transformer)


@pytest.mark.parametrize(
    ("name", "called", "steps"),
    [
        ("sd3", "stabilityai/stable-diffusion-3.5-large", 20),
        ("sd3", "stabilityai/stable-diffusion-3.5-large-turbo", 4),
        (
            "qwen",
            "Qwen/Qwen-Image + lightx2v/Qwen-Image-Lightning/Qwen-Image-Lightning-8steps-V1.0.safetensors",
            8,
        ),
        ("zimage", "Tongyi-MAI/Z-Image-Turbo", 8),
    ],
)
def test_few_step_weights_are_told_by_their_name(
    families: dict[str, Loaded], name: str, called: str, steps: int
):
    pipe = rd.RegionDragPipeline.from_pipe(families[name].pipe)
    pipe.name = called
    assert pipe.edit_defaults["steps"] == steps


def test_turbo_gets_few_levels_by_its_schedule(families: dict[str, Loaded]):
    pipe = families["zimage"].pipe
    slower = type(pipe.scheduler).from_config({**pipe.scheduler.config, "shift": 6.0})
    base = type(families["zimage"].backbone)(pipe.vae, pipe.transformer, slower)
    assert backbone_of(pipe).profile.defaults["steps"] == 8
    assert base.profile.defaults["steps"] == 20
