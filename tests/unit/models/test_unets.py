"""Edits with every family of UNets, from folders on the disk through the public calls."""

from __future__ import annotations

import copy
import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import pytest
import torch
from accelerate.hooks import add_hook_to_module
from diffusers import AutoencoderTiny, FlowMatchEulerDiscreteScheduler
from safetensors.torch import save_file
from torch import Tensor

import regiondrag_widget as rd
from regiondrag_widget.engine.inversion import draw_path_noise
from regiondrag_widget.models.lora import fuse_lora
from regiondrag_widget.models.unet import UNetBackbone
from regiondrag_widget.models.unet_network import guidance_embedding
from tests.unit.engine_kit import WORKING_SIDE, box_pair, counted, picture, processors_of
from tests.unit.models.flow_reference import Seam, reference_edit
from tests.unit.models.properties_kit import (
    PROMPT,
    assert_a_window_is_edited,
    assert_batched_equals_one_by_one,
    assert_text_encoders_may_go,
    last_latents,
)
from tests.unit.models.test_placement import Parked
from tests.unit.models.unet_kit import KITS, UNetKit

SHAPE = (96, 128)
PAIRS = [box_pair(SHAPE)]
CPU = torch.device("cpu")
ATTENTION = Seam(torch.nn.functional, "scaled_dot_product_attention", axis=2, image_first=True)
EVERY_TOKEN = 1 << 20  # also the text's, which the original and the edit have in common


class Loaded:
    """One family, loaded by us and by diffusers."""

    def __init__(self, kit: UNetKit, folder: Path) -> None:
        self.kit, self.folder = kit, kit.save(folder)
        self.pipe = self.load()
        self.kept = self.session()  # shared by tests that only edit

    @cached_property
    def theirs(self) -> Any:
        made = self.kit.pipeline.from_pretrained(self.folder, local_files_only=True)
        made.set_progress_bar_config(disable=True)
        return made

    @property
    def backbone(self) -> UNetBackbone:
        return self.pipe.backbone

    def load(self, **options: Any) -> rd.RegionDragPipeline:
        said = {"device": "cpu", "dtype": "float32", **options}
        pipe = rd.RegionDragPipeline.from_pretrained(self.folder, **said)
        return few_levels(pipe)

    def session(self, **options: Any) -> rd.ImageSession:
        return rd.ImageSession(self.pipe, picture(*SHAPE), PROMPT, **options)


def few_levels(pipe: rd.RegionDragPipeline) -> rd.RegionDragPipeline:
    """The same, with three levels unless told otherwise."""
    pipe.profile = replace(pipe.profile, defaults={**pipe.profile.defaults, "steps": 6, "start": 0.5})
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Loaded]:
    """A family's model by its name: do not change it."""
    return functools.cache(lambda name: Loaded(KITS[name], tmp_path_factory.mktemp(name) / "model"))


@pytest.fixture(params=["sd15", "sd21", "sdxl", "refiner", "lcm"])
def family(request: pytest.FixtureRequest, families: Callable[[str], Loaded]) -> Loaded:
    """Every kind of network: for what it, its prediction or its text encoders make different."""
    return families(request.param)


@pytest.fixture(params=["sdxl", "lcm"])
def some(request: pytest.FixtureRequest, families: Callable[[str], Loaded]) -> Loaded:
    """SDXL, and what is told its guidance: for the rest, in which the others are as these."""
    return families(request.param)


@pytest.fixture
def sdxl(families: Callable[[str], Loaded]) -> Loaded:
    return families("sdxl")


def far(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


# ---- as diffusers has it ----


@pytest.mark.parametrize("name", list(KITS))
def test_an_edit_has_the_familys_own_settings(name: str, tmp_path: Path):
    kit = KITS[name]
    pipe = rd.RegionDragPipeline.from_pipe(kit.make(tmp_path))
    pipe.set_progress_bar_config(disable=True)
    with counted(pipe) as counts:
        out = pipe(picture(*SHAPE), PAIRS, prompt=PROMPT, content="latents")
    assert out.result.settings["steps"] == kit.steps
    assert counts["unet"] == 1 + round(kit.steps * 0.5)
    assert pipe.profile.side == WORKING_SIDE


def test_the_condition_is_that_of_diffusers_pipeline(family: Loaded):
    given = family.theirs.encode_prompt(
        PROMPT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
    )
    ours = family.pipe.network(PROMPT).condition
    assert torch.allclose(ours.embeds, given[0], atol=1e-5)
    assert not ours.embeds.requires_grad  # which would keep all that the encoders computed
    if ours.added is not None:
        assert torch.allclose(ours.added["text_embeds"], given[2], atol=1e-5)
        sizes = [WORKING_SIDE, WORKING_SIDE, 0, 0, WORKING_SIDE, WORKING_SIDE]
        told = ours.added["time_ids"].tolist()[0]
        assert told == (sizes if family.pipe.text_encoder is not None else [*sizes[:4], 6.0])


def clean_velocity(family: Loaded) -> Callable[[Tensor, float], Tensor]:
    """Noise minus clean, as diffusers' UNet has it.

    A schedule that preserves variance is a flow in other units: of the latents over the sum of both shares.
    """
    pipe, condition = family.theirs, family.pipe.network(PROMPT).condition
    alphas = pipe.scheduler.alphas_cumprod
    sigmas = (1 - alphas).sqrt() / (alphas.sqrt() + (1 - alphas).sqrt())
    size = pipe.unet.config.get("time_cond_proj_dim")
    velocity_is_predicted = pipe.scheduler.config.prediction_type == "v_prediction"

    def velocity(x: Tensor, sigma: float) -> Tensor:
        t = int((sigmas - sigma).abs().argmin())
        signal, noise = float(alphas[t].sqrt()), float((1 - alphas[t]).sqrt())
        rows, x = len(x), x * (signal + noise)
        given = {k: v.expand(rows, *v.shape[1:]) for k, v in (condition.added or {}).items()}
        told = None if size is None else guidance_embedding(2.0, size).expand(rows, -1)
        out = pipe.unet(
            x,
            t,
            encoder_hidden_states=condition.embeds.expand(rows, -1, -1),
            added_cond_kwargs=given or None,
            timestep_cond=told,
            return_dict=False,
        )[0]
        eps = noise * x + signal * out if velocity_is_predicted else out
        return eps - (x - noise * eps) / signal

    return velocity


def test_an_edit_is_that_of_the_reference(family: Loaded):
    """A plain-torch edit that runs beside the original, one level at a time."""
    cells = [n // 8 for n in SHAPE]
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(4, *cells, generator=generator)
    timesteps = [150, 350, 520]
    alphas = family.theirs.scheduler.alphas_cumprod[timesteps]
    sigmas = ((1 - alphas).sqrt() / (alphas.sqrt() + (1 - alphas).sqrt())).tolist()
    noise = draw_path_noise(3, tuple(clean.shape), generator)
    source, target = torch.tensor([0, 1, cells[1]]), torch.tensor([10, 11, 10 + cells[1]])
    expected = reference_edit(
        clean_velocity(family), ATTENTION, EVERY_TOKEN, clean, sigmas, noise, source, target
    )
    places = [np.stack([(i % cells[1]).numpy(), (i // cells[1]).numpy()], 1) for i in (source, target)]
    ours = family.pipe(
        latents=clean[None],
        correspondence=rd.Correspondence(*places),
        prompt=PROMPT,
        levels=timesteps,
        path_noise=noise,
        vacated="keep",
        residual="stay",
        stop=0.0,
        output_type="latent",
    ).images[0]
    assert far(ours, expected) < 2e-4
    assert far(ours, clean) > 0.1


# ---- the edit ----


@pytest.mark.parametrize("swap", [True, "gathered"])
def test_an_empty_edit_gives_the_picture_back(family: Loaded, swap: bool | str):
    nowhere = rd.Correspondence(np.zeros((0, 2), int), np.zeros((0, 2), int))
    clean = family.kept.inversion().latents[0]
    out = family.pipe(
        latents=clean[None],
        correspondence=nowhere,
        prompt=PROMPT,
        attention_swap=swap,
        output_type="latent",
    ).images[0]
    assert far(out, clean) < 1e-4


def test_batched_inversion_equals_one_by_one(family: Loaded):
    assert len(family.kept.inversion().levels) == 3
    assert_batched_equals_one_by_one(family)


@pytest.mark.parametrize("settings", [{}, {"content": "pixels"}])
def test_injected_keys_equal_a_run_beside_the_original(sdxl: Loaded, settings: dict[str, Any]):
    kept = last_latents(sdxl.kept, **settings)
    beside = last_latents(sdxl.session(keys_values="recompute"), **settings)
    assert far(kept, beside) < 1e-4
    assert far(kept, last_latents(sdxl.kept, **{**settings, "attention_swap": False})) > 1e-4


def test_layers_are_chosen_by_name(sdxl: Loaded):
    seen: list[str] = []
    up = last_latents(sdxl.kept, attention_swap=lambda name: seen.append(name) or name.startswith("up"))
    assert {name.split(".")[0] for name in seen} == {"down_blocks", "mid_block", "up_blocks"}
    assert far(up, last_latents(sdxl.kept)) > 1e-5
    assert far(up, last_latents(sdxl.kept, attention_swap=False)) > 1e-5


def test_a_second_edit_makes_no_inversion_call(family: Loaded):
    session = family.session()
    session.prepare()
    with counted(family.pipe) as counts:
        list(session.edit([box_pair(SHAPE, dx=24)], content="latents"))
    assert (counts["unet"], counts["encode"]) == (len(session.levels), 0)


def test_drafts_make_the_calls_they_are_given(some: Loaded):
    with counted(some.pipe) as counts:
        list(some.kept.draft(PAIRS, calls=1))
        assert counts["unet"] == 1
        list(some.kept.draft(PAIRS, calls=2))
        assert counts["unet"] == 3
    assert some.kept.drafted.calls == 2


def test_drafts_are_made_by_a_small_autoencoder(sdxl: Loaded):
    small = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    blocks = {"num_encoder_blocks": (1,) * 4, "num_decoder_blocks": (1,) * 4}
    pipe = few_levels(
        rd.RegionDragPipeline.from_pipe(sdxl.theirs, draft_vae=AutoencoderTiny(**small, **blocks))
    )
    session = rd.ImageSession(pipe, picture(*SHAPE), PROMPT)
    session.prepare()
    with counted(pipe) as counts:
        list(session.draft(PAIRS, calls=1))
    assert (counts["encode"], counts["decode"]) == (0, 0)
    assert session.drafted.calls == 1


def test_a_window_of_a_large_picture_is_edited_and_shown_at_every_step(sdxl: Loaded):
    assert_a_window_is_edited(sdxl.pipe)


def test_text_encoders_may_go_once_a_session_has_read_its_prompt(sdxl: Loaded):
    assert_text_encoders_may_go(few_levels(rd.RegionDragPipeline.from_pipe(sdxl.theirs)), sdxl.kept)


@pytest.mark.parametrize("shape", [(67, 91), (211, 64)])
def test_sizes_that_divide_by_nothing(some: Loaded, shape: tuple[int, int]):
    image, pair = picture(*shape), box_pair(shape)
    out = rd.edit(image, [pair], some.pipe, prompt=PROMPT).array
    assert out.shape == image.shape
    touched = pair.handle | pair.target
    assert np.array_equal(out[~touched], image[~touched])
    assert not np.array_equal(out[touched], image[touched])


def test_several_seeds_are_encoded_once_and_inverted_once_each(some: Loaded):
    with counted(some.pipe) as counts:
        out = some.pipe(
            picture(*SHAPE, seed=8),  # not encoded by another test
            PAIRS,
            prompt=PROMPT,
            num_images_per_prompt=2,
            seed=[3, 8],
            content="latents",
            output_type="np",
        )
    assert (counts["encode"], counts["unet"]) == (1, 2 * (1 + 3))
    assert [result.seed for result in out.results] == [3, 8]
    assert (out.images.shape, out.images.dtype) == ((2, *SHAPE, 3), np.float32)
    assert not np.array_equal(*out.images)


def test_a_prompt_changes_the_edit(sdxl: Loaded):
    other = rd.ImageSession(sdxl.pipe, picture(*SHAPE), "a cat on a mat")
    assert far(last_latents(sdxl.kept), last_latents(other)) > 1e-5


def test_guidance_with_a_negative_prompt(family: Loaded):
    told = family.backbone.told_guidance
    given = {} if told else {"negative_prompt": "a cat"}
    guided = family.session(guidance_scale=5.0, **given)
    guided.prepare()
    with counted(family.pipe) as counts:
        last = last_latents(guided)
    assert counts["unet"] == (1 if told else 2) * len(guided.levels)
    assert far(last, last_latents(family.kept)) > 1e-5
    if not told:
        assert far(last, last_latents(family.session(guidance_scale=5.0))) > 1e-5


# ---- LoRA and words of one's own ----


def saved_lora(unet: Any, file: Path, rank: int = 2, **more: Tensor) -> Path:
    """Factors of what every self-attention puts out, as diffusers saves them."""
    torch.manual_seed(7)
    factors = dict(more)
    for name, module in unet.named_modules():
        if name.endswith("attn1.to_out.0"):
            factors[f"unet.{name}.lora_A.weight"] = torch.randn(rank, module.in_features)
            factors[f"unet.{name}.lora_B.weight"] = torch.randn(module.out_features, rank)
    save_file(factors, file)
    return file


def test_lora_weights_come_and_go_in_the_middle_of_a_session(some: Loaded, tmp_path: Path):
    """Another network is inverted anew, and the first one is back when they are gone."""
    unet, session = some.pipe.unet, some.session()
    file = saved_lora(unet, tmp_path / "style.safetensors")
    before, kept = last_latents(session), copy.deepcopy(unet.state_dict())
    fuse_lora(unet, file, 0.5)
    try:
        with counted(some.pipe) as counts:
            changed = last_latents(session)
        assert counts["unet"] > len(session.levels)
    finally:
        unet.load_state_dict(kept)
    assert not torch.allclose(changed, before, atol=1e-3)
    assert torch.allclose(last_latents(session), before, atol=1e-6)


# ---- a user's own pipeline ----


def state_of(pipe: Any) -> list[object]:
    """What must be as it was after an edit; the text encoders as well, and what hangs on the UNet."""
    parts = {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    unet = pipe.unet
    return [
        processors_of(unet),
        {name: (part.dtype, part.device, part.training) for name, part in parts.items()},
        {
            name: [(p.dtype, p._version, p.data_ptr()) for p in part.parameters()]
            for name, part in parts.items()
        },
        set(pipe.unet.__dict__),
        set(pipe.vae.__dict__),
        [(dict(m._forward_hooks), dict(m._forward_pre_hooks)) for p in (unet, pipe.vae) for m in p.modules()],
        dict(pipe.components),
        pipe.scheduler.timesteps.tolist(),
        dict(pipe.scheduler.config),
        pipe.dtype,
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_users_pipeline_is_left_as_it_was(sdxl: Loaded, dtype: torch.dtype):
    users = sdxl.kit.pipeline.from_pretrained(sdxl.folder, dtype=dtype)
    users.scheduler.set_timesteps(7)  # as the user's last call has left it
    hook = users.unet.register_forward_pre_hook(lambda *_: None)
    before = state_of(users)
    pipe = few_levels(rd.RegionDragPipeline.from_pipe(users))
    assert pipe.unet is users.unet
    session = rd.ImageSession(pipe, picture(*SHAPE), PROMPT, guidance_scale=3.0)
    last = last_latents(session, content="pixels")
    assert last.isfinite().all()
    list(session.draft(PAIRS))
    assert state_of(users) == before

    def fail(*_: Any) -> None:
        raise RuntimeError("out of order")

    *_, last_module = users.unet.up_blocks.modules()
    broken = last_module.register_forward_pre_hook(fail)
    amid = state_of(users)
    for act in (lambda: list(session.edit(PAIRS)), rd.ImageSession(pipe, picture(*SHAPE), PROMPT).inversion):
        with pytest.raises(RuntimeError, match="out of order"):
            act()
    assert state_of(users) == amid
    broken.remove()
    assert state_of(users) == before
    hook.remove()


def test_processors_of_the_users_own_are_not_replaced(some: Loaded):
    pipe = few_levels(rd.RegionDragPipeline.from_pipe(some.theirs))
    name = next(n for n in pipe.unet.attn_processors if n.endswith("attn1.processor"))
    layer, called = pipe.unet.get_submodule(name.removesuffix(".processor")), []
    original = layer.processor

    class Own(type(original)):  # type: ignore[misc]
        def __call__(self, *args: Any, **options: Any) -> Any:
            called.append(1)
            return super().__call__(*args, **options)

    layer.set_processor(Own())
    try:
        session = rd.ImageSession(pipe, picture(*SHAPE), PROMPT)
        with pytest.raises(ValueError, match="processor of its own"):
            session.edit(PAIRS)
        last_latents(session, attention_swap=lambda at: at != name.removesuffix(".processor"))
    finally:
        layer.set_processor(original)
    assert called


def grouped(users: Any) -> None:
    for part in users.components.values():
        if hasattr(part, "enable_group_offload"):
            part.enable_group_offload(onload_device=CPU, offload_device=CPU, offload_type="leaf_level")


def whole(users: Any) -> None:
    """As `enable_model_cpu_offload` does, whose own hooks want a GPU."""
    add_hook_to_module(users.unet, Parked())


def in_sequence(users: Any) -> None:
    accelerate.cpu_offload(users.unet, execution_device=CPU)


def cast(users: Any) -> None:
    users.unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)


@pytest.mark.parametrize("move", [grouped, whole, in_sequence, cast])
def test_weights_that_are_moved_or_cast_for_each_call(sdxl: Loaded, move: Callable[[Any], None]):
    users = sdxl.kit.pipeline.from_pretrained(sdxl.folder)
    move(users)
    pipe = few_levels(rd.RegionDragPipeline.from_pipe(users))
    session = rd.ImageSession(pipe, picture(*SHAPE), PROMPT)
    last, expected = last_latents(session), last_latents(sdxl.kept)
    if move is cast:  # the weights have lost some digits
        assert 0 < float((last - expected).norm() / expected.norm()) < 0.5
    else:
        assert far(last, expected) < 1e-4
    calls = session._network.calls
    last_latents(session)
    assert session._network.calls - calls == len(session.levels)


# ---- parts that do not fit ----


def test_a_text_encoder_without_its_tokenizer_is_refused(sdxl: Loaded):
    names = [n for n, part in sdxl.theirs.components.items() if n.startswith("tokenizer") and part]
    assert len(names) == sdxl.kit.encoders
    for name in names:
        pipe = rd.RegionDragPipeline.from_pipe(sdxl.theirs, **{name: None})
        with pytest.raises(ValueError, match=f"a text_encoder.* and no {name} to read a prompt"):
            pipe.network(PROMPT)


def test_a_network_of_several_formats_is_refused_in_words(sdxl: Loaded):
    mixed = type(sdxl.theirs.unet).from_config(sdxl.theirs.unet.config)
    mixed.mid_block.half()
    pipe = rd.RegionDragPipeline.from_pipe(sdxl.theirs, unet=mixed)
    with pytest.raises(
        ValueError, match=r"layers of one network are of different number formats .*: load it"
    ):
        rd.ImageSession(pipe, picture(*SHAPE), PROMPT).inversion()


def test_a_controlnet_is_refused_in_words(sdxl: Loaded):
    for make in (
        lambda **parts: rd.RegionDragPipeline.from_pipe(sdxl.theirs, **parts),
        lambda **parts: rd.RegionDragPipeline.from_pretrained(sdxl.folder, **parts),
    ):
        with pytest.raises(TypeError, match="an edit has no ControlNet"):
            make(controlnet=object())


def copied(family: Loaded, place: Path, **changes: Any) -> Path:
    folder = Path(shutil.copytree(family.folder, place / "model"))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, **changes}))
    return folder


def test_a_schedule_of_another_family_is_refused(sdxl: Loaded, tmp_path: Path):
    folder = copied(sdxl, tmp_path, scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"])
    FlowMatchEulerDiscreteScheduler().save_pretrained(folder / "scheduler")
    with pytest.raises(
        ValueError, match="a schedule of flow matching cannot be used with a UNet; use one of"
    ):
        rd.RegionDragPipeline.from_pretrained(folder, device="cpu")


def test_a_text_encoder_that_is_missing_is_named(sdxl: Loaded, tmp_path: Path):
    folder = copied(sdxl, tmp_path)
    name = "text_encoder" if sdxl.pipe.text_encoder is not None else "text_encoder_2"
    shutil.rmtree(folder / name)
    with pytest.raises(ValueError, match=f"lacks its {name} part"):
        rd.RegionDragPipeline.from_pretrained(folder, device="cpu")


def test_a_prompt_that_is_too_long_is_cut_with_a_warning(sdxl: Loaded):
    with pytest.warns(UserWarning, match="the prompt has 102 tokens and .* reads 77: the end is left out"):
        cut = sdxl.pipe.network("a " * 100).condition
    assert torch.equal(cut.embeds, sdxl.pipe.network("a " * 75).condition.embeds)


# ---- loading and saving ----


def test_any_pipeline_loads_what_ours_saved(sdxl: Loaded, tmp_path: Path):
    sdxl.pipe.save_pretrained(tmp_path / "ours")
    plain = sdxl.kit.pipeline.from_pretrained(tmp_path / "ours", safety_checker=None)
    for name, weight in sdxl.theirs.unet.state_dict().items():
        assert torch.equal(plain.unet.state_dict()[name], weight)
    again = few_levels(
        rd.RegionDragPipeline.from_pretrained(tmp_path / "ours", device="cpu", dtype="float32")
    )
    session = rd.ImageSession(again, picture(*SHAPE), PROMPT)
    assert torch.equal(last_latents(session), last_latents(sdxl.kept))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_edits(sdxl: Loaded, dtype: str):
    pipe = sdxl.load(dtype=dtype)
    assert pipe.backbone.dtype == getattr(torch, dtype)
    session = rd.ImageSession(pipe, picture(*SHAPE), PROMPT)
    expected = last_latents(sdxl.kept)
    assert float((last_latents(session) - expected).norm() / expected.norm()) < 0.1


def test_a_widget_edits_with_it(sdxl: Loaded):
    image = picture(*SHAPE)
    widget = rd.RegionDragWidget(image, pairs=PAIRS, model=sdxl.pipe, prompt=PROMPT)
    try:
        widget.run(wait=True)
        assert np.array_equal(widget.result.array, rd.edit(image, PAIRS, sdxl.pipe, prompt=PROMPT).array)
    finally:
        widget.close()
