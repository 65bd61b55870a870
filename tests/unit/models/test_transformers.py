"""Edits with flow transformers, from folders on the disk through the public calls."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

import regiondrag_widget as rd
from regiondrag_widget.engine.inversion import draw_path_noise
from regiondrag_widget.models.transformer import TransformerBackbone
from regiondrag_widget.models.transformer_lora import fuse_transformer_lora
from tests.unit.engine_kit import box_pair, picture, tiny_embeds, tiny_pipeline
from tests.unit.models.families_kit import KITS
from tests.unit.models.flow_reference import reference_edit
from tests.unit.models.properties_kit import (
    PROMPT,
    assert_a_window_is_edited,
    assert_batched_equals_one_by_one,
    assert_text_encoders_may_go,
    last_latents,
)
from tests.unit.models.test_transformer_lora import saved_lora
from tests.unit.models.transformer_kit import SIDE, Kit

SHAPE = (64, 96)


class Loaded:
    """One family, loaded by us and by diffusers."""

    def __init__(self, kit: Kit, folder: Path) -> None:
        self.kit, self.folder = kit, kit.save(folder)
        self.pipe = rd.RegionDragPipeline.from_pretrained(self.folder, device="cpu", dtype="float32")
        self.pipe.profile = small(self.pipe)
        self.theirs = kit.pipeline.from_pretrained(self.folder, local_files_only=True)
        self.condition = self.pipe.model.encode_prompt(PROMPT)
        self.kept = self.session()  # shared by tests that only edit

    @property
    def backbone(self) -> TransformerBackbone:
        return self.pipe.backbone

    def session(self, **options: Any) -> rd.ImageSession:
        return rd.ImageSession(self.pipe, picture(*SHAPE), PROMPT, **options)


def small(pipe: rd.RegionDragPipeline) -> Any:
    """Its profile with the tests' working size, at three levels or so."""
    defaults = {**pipe.profile.defaults, "steps": 8, "start": 0.7, "stop": 0.2}
    return replace(pipe.profile, side=SIDE, min_side=SIDE, defaults=defaults)


@pytest.fixture(scope="module", params=list(KITS))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A family's model: do not change it."""
    return Loaded(KITS[request.param], tmp_path_factory.mktemp(request.param))


@contextmanager
def computed_tokens(family: Loaded) -> Iterator[list[int]]:
    """How many tokens a block computes, call by call: the inversion's first, where it is not made yet."""
    name, counts = family.kit.layer, []
    layer = next(m for n, m in family.pipe.transformer.named_modules() if n.endswith(name))

    def count(_: Any, args: Any, named: dict[str, Any]) -> None:
        counts.append((args[0] if args else named["hidden_states"]).shape[1])

    hook = layer.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield counts
    finally:
        hook.remove()


# ---- as diffusers has it ----


def test_the_latents_are_those_of_diffusers_pipeline(family: Loaded):
    pixels = torch.from_numpy(picture(*SHAPE)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        expected = family.kit.encoded(family.theirs, pixels)
        ours = family.backbone.encode(pixels)
        assert torch.allclose(ours, expected, atol=1e-5)
        raw = family.backbone.unscaled(family.backbone.vae, ours)
        assert torch.allclose(family.backbone.scaled(family.backbone.vae, raw), ours, atol=1e-5)
        assert family.backbone.decode(ours).shape == pixels.shape


def test_the_condition_is_that_of_diffusers_pipeline(family: Loaded):
    expected = family.kit.embeds(family.theirs, PROMPT)
    assert torch.allclose(family.condition.embeds, expected, atol=1e-5)
    assert not family.condition.embeds.requires_grad  # which would keep all that the encoder computed
    other = family.pipe.model.encode_prompt("").embeds
    assert other.shape != expected.shape or not torch.allclose(other, expected, atol=1e-3)


def test_the_levels_are_on_diffusers_schedule(family: Loaded):
    tokens = family.backbone.tokens(*(n // family.backbone.cell for n in (512, 512)))
    scheduler = family.theirs.scheduler
    family.kit.schedule(scheduler, tokens, 8)
    cells = 512 // family.backbone.cell
    levels = family.backbone.levels(8, 0.7, size=(cells, cells))
    expected = sorted(scheduler.timesteps.tolist())[: len(levels)]
    assert levels.timesteps[1:] == pytest.approx(expected, abs=1e-3)


def test_an_edit_is_that_of_the_reference(family: Loaded):
    """A plain-torch flow form that runs beside the original, one level at a time."""
    backbone, cells = family.backbone, [n // family.backbone.cell for n in SHAPE]
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(backbone.channels, *cells, generator=generator)
    sigmas = [0.3, 0.55, 0.8]
    noise = draw_path_noise(3, tuple(clean.shape), generator)
    source, target = torch.tensor([0, 1, cells[1]]), torch.tensor([10, 11, 10 + cells[1]])
    velocity = family.kit.velocity(family.theirs, PROMPT)
    expected = reference_edit(
        velocity,
        family.kit.attention,
        backbone.tokens(*cells),
        clean,
        sigmas,
        noise,
        source,
        target,
    )
    places = [np.stack([(i % cells[1]).numpy(), (i // cells[1]).numpy()], 1) for i in (source, target)]
    ours = family.pipe(
        latents=clean[None],
        correspondence=rd.Correspondence(*places),
        prompt=PROMPT,
        levels=[1000 * s for s in sigmas],
        path_noise=noise,
        vacated="keep",
        residual="stay",
        stop=0.0,
        output_type="latent",
    ).images
    assert float((ours[0] - expected).abs().max()) < 2e-4
    assert float((ours[0] - clean).abs().max()) > 0.1


# ---- the edit ----


def test_an_empty_edit_gives_the_picture_back(family: Loaded):
    nowhere = rd.Correspondence(np.zeros((0, 2), int), np.zeros((0, 2), int))
    clean = family.kept.inversion().latents[0]
    out = family.pipe(latents=clean[None], correspondence=nowhere, prompt=PROMPT, output_type="latent").images
    assert float((out[0] - clean).abs().max()) < 1e-4


def test_batched_inversion_equals_one_by_one(family: Loaded):
    assert_batched_equals_one_by_one(family)


@pytest.mark.parametrize("settings", [{}, {"content": "pixels"}])
def test_injected_keys_equal_a_run_beside_the_original(family: Loaded, settings: dict[str, Any]):
    kept = last_latents(family.kept, **settings)
    beside = last_latents(family.session(keys_values="recompute"), **settings)
    assert float((kept - beside).abs().max()) < 1e-4
    without = last_latents(family.kept, attention_swap=False, **settings)
    assert float((kept - without).abs().max()) > 1e-3


@pytest.mark.parametrize("settings", [{}, {"content": "pixels"}, {"content": "pixels", "vacated": "noise"}])
def test_computing_the_changed_tokens_alone_equals_the_full_run(family: Loaded, settings: dict[str, Any]):
    session = family.kept
    with computed_tokens(family) as seen:
        some = last_latents(session, crop=True, **settings)
    with computed_tokens(family) as seen_of_all:
        everything = last_latents(session, crop=False, **settings)
    assert float((some - everything).abs().max()) < 1e-4
    if settings:  # an edit of latents changes all of them
        assert seen[-1] < seen_of_all[-1]


def test_what_changes_may_read_itself_as_it_is(family: Loaded):
    session = family.kept
    pixels = {"content": "pixels"}
    live, kept = last_latents(session, attention_swap="live", **pixels), last_latents(session, **pixels)
    changed = (live != kept).any(0)
    assert bool(changed.any())
    assert not bool(changed.all())  # what the edit may not change is as it was
    clean = session.inversion().latents[0]
    nowhere = rd.Correspondence(np.zeros((0, 2), int), np.zeros((0, 2), int))
    out = family.pipe(
        latents=clean[None],
        correspondence=nowhere,
        prompt=PROMPT,
        attention_swap="live",
        output_type="latent",
    ).images
    assert float((out[0] - clean).abs().max()) < 1e-4
    with pytest.raises(ValueError, match="is for transformers"):
        rd.edit(picture(*SHAPE), [box_pair(SHAPE)], attention_swap="live")


def test_layers_are_chosen_by_name(family: Loaded):
    session, seen = family.kept, []
    one = last_latents(
        session, attention_swap=lambda name: seen.append(name) or name.endswith(family.kit.layer)
    )
    assert seen
    everything, nothing = last_latents(session), last_latents(session, attention_swap=False)
    assert float((one - everything).abs().max()) > 1e-4
    assert float((one - nothing).abs().max()) > 1e-4


def test_a_second_edit_makes_no_inversion_call(family: Loaded):
    session = family.kept
    list(session.edit([box_pair(SHAPE)], content="latents"))
    before = session._network.calls
    list(session.edit([box_pair(SHAPE, dx=24)], content="latents"))
    assert session._network.calls - before == len(session.levels)


def test_drafts_make_the_calls_they_are_given(family: Loaded):
    session = family.kept
    list(session.draft([box_pair(SHAPE)], calls=1))
    assert session.drafted.calls == 1


def test_a_window_of_a_large_picture_is_edited_and_shown_at_every_step(family: Loaded):
    assert_a_window_is_edited(family.pipe)


def test_text_encoders_may_go_once_a_session_has_read_its_prompt(family: Loaded):
    assert_text_encoders_may_go(rebuilt(family), family.kept)


@pytest.mark.parametrize("shape", [(67, 91)])
def test_sizes_that_divide_by_nothing(family: Loaded, shape: tuple[int, int]):
    image, pair = picture(*shape), box_pair(shape)
    out = rd.edit(image, [pair], family.pipe, prompt=PROMPT).array
    assert out.shape == image.shape
    touched = pair.handle | pair.target
    assert np.array_equal(out[~touched], image[~touched])
    assert not np.array_equal(out[touched], image[touched])


def test_several_seeds_are_encoded_once_and_told_as_diffusers_tells_them(
    family: Loaded, monkeypatch: pytest.MonkeyPatch
):
    encoded: list[int] = []
    seen: list[torch.Tensor] = []
    encode = type(family.pipe.vae).encode

    def counting(vae: Any, *args: Any, **options: Any) -> Any:
        encoded.append(1)
        return encode(vae, *args, **options)

    monkeypatch.setattr(type(family.pipe.vae), "encode", counting)
    out = family.pipe(
        picture(*SHAPE, seed=8),  # not encoded by another test
        [box_pair(SHAPE)],
        prompt=PROMPT,
        num_images_per_prompt=2,
        seed=[3, 8],
        content="latents",
        output_type="np",
        callback_on_step_end=lambda _, index, t, given: seen.append(t) or given,
    )
    assert len(encoded) == 1
    assert [result.seed for result in out.results] == [3, 8]
    assert (out.images.shape, out.images.dtype) == ((2, *SHAPE, 3), np.float32)
    assert all(t.ndim == 0 and t.dtype == torch.float32 for t in seen)


def test_a_prompt_changes_the_edit(family: Loaded):
    one, other = family.kept, rd.ImageSession(family.pipe, picture(*SHAPE), "a cat on a mat")
    assert float((last_latents(one) - last_latents(other)).abs().max()) > 1e-4


def test_guidance_reads_both_inversions_and_computes_the_changed_tokens_alone(family: Loaded):
    session = family.session(guidance_scale=3.0, negative_prompt="a cat")
    pixels = {"content": "pixels"}
    last_latents(session, **pixels)
    with computed_tokens(family) as seen:
        some = last_latents(session, crop=True, **pixels)
    with computed_tokens(family) as seen_of_all:
        everything = last_latents(session, crop=False, **pixels)
    assert float((some - everything).abs().max()) < 1e-4
    assert seen[-1] < seen_of_all[-1]
    assert float((some - last_latents(family.kept, **pixels)).abs().max()) > 1e-4


def test_lora_weights_come_and_go_in_the_middle_of_a_session(family: Loaded, tmp_path: Path):
    """Another network is inverted anew, and the first one is back when they are gone."""
    network = family.pipe.transformer
    file = saved_lora(network, tmp_path / "style.safetensors")
    session = family.session()
    before, calls = last_latents(session), session._network.calls
    kept = copy.deepcopy(network.state_dict())
    fuse_transformer_lora(network, family.pipe.family, file, 0.5)
    try:
        changed = last_latents(session)
        assert session._network.calls - calls > len(session.levels)
    finally:
        network.load_state_dict(kept)
    assert not torch.allclose(changed, before, atol=1e-3)
    assert torch.allclose(last_latents(session), before, atol=1e-6)


# ---- a user's own pipeline ----


def processors_of(network: Any) -> dict[str, Any]:
    """The very processor objects, by name."""
    return {name: m.processor for name, m in network.named_modules() if hasattr(m, "get_processor")}


def test_a_users_pipeline_is_left_as_it_was(family: Loaded):
    theirs = family.theirs
    network = theirs.transformer
    hook = network.register_forward_pre_hook(lambda *_: None)

    def state() -> list[object]:
        return [
            processors_of(network),
            network.dtype,
            network.device,
            dict(network._forward_pre_hooks),
            theirs.scheduler,
            theirs.scheduler.timesteps.tolist(),
            dict(theirs.scheduler.config),
            theirs.vae.dtype,
        ]

    before = state()
    pipe = rd.RegionDragPipeline.from_pipe(theirs)
    pipe.profile = family.pipe.profile
    assert pipe.transformer is network
    session = rd.ImageSession(pipe, picture(*SHAPE), PROMPT)
    expected = last_latents(family.kept)
    assert torch.allclose(last_latents(session), expected, atol=1e-5)
    assert state() == before
    hook.remove()

    def fail(*_: Any) -> None:
        raise RuntimeError("out of order")

    *_, last = network.modules()
    broken = last.register_forward_pre_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="out of order"):
            list(session.edit([box_pair(SHAPE)], content="latents"))
        with pytest.raises(RuntimeError, match="out of order"):
            rd.ImageSession(pipe, picture(*SHAPE), PROMPT).inversion()
    finally:
        broken.remove()
    assert processors_of(network) == before[0]


def test_processors_of_the_users_own_are_not_replaced(family: Loaded):
    pipe = rd.RegionDragPipeline.from_pipe(family.theirs)
    pipe.profile = family.pipe.profile
    module = next(m for name, m in pipe.transformer.named_modules() if name.endswith(family.kit.layer))
    original, called = module.processor, []

    class Own(type(original)):  # type: ignore[misc]
        def __call__(self, attn: Any, *args: Any, **options: Any) -> Any:
            called.append(1)
            return super().__call__(attn, *args, **options)

    module.set_processor(Own())
    try:
        session = rd.ImageSession(pipe, picture(*SHAPE), PROMPT)
        with pytest.raises(ValueError, match="processor of its own"):
            session.edit([box_pair(SHAPE)])
        last_latents(session, attention_swap=lambda name: ".0." not in name)
    finally:
        module.set_processor(original)
    assert called


# ---- parts that do not fit ----


def rebuilt(family: Loaded, **parts: Any) -> rd.RegionDragPipeline:
    """An edit's pipeline of the user's, with some parts exchanged."""
    pipe = rd.RegionDragPipeline.from_pipe(family.theirs, **parts)
    pipe.profile = family.pipe.profile
    return pipe


def test_a_text_encoder_without_its_tokenizer_is_refused(family: Loaded):
    names = [name for name in family.theirs.components if name.startswith("tokenizer")]
    assert names
    for name in names:
        with pytest.raises(
            ValueError, match=f"a text_encoder.* and no {name} to read a prompt|needs its {name}"
        ):
            rebuilt(family, **{name: None}).model.encode_prompt(PROMPT)


def test_a_network_of_several_formats_is_refused_in_words(family: Loaded):
    mixed = type(family.theirs.transformer).from_config(family.theirs.transformer.config)
    *_, last = (m for m in mixed.modules() if isinstance(m, torch.nn.Linear))
    last.half()
    with pytest.raises(
        ValueError, match=r"layers of one network are of different number formats .*: load it"
    ):
        rd.ImageSession(rebuilt(family, transformer=mixed), picture(*SHAPE), PROMPT).inversion()


def test_what_is_no_scheduler_is_refused(family: Loaded):
    with pytest.raises(ValueError, match="the scheduler is a object, which an edit cannot use"):
        rebuilt(family, scheduler=object())


def test_a_controlnet_is_refused_in_words(family: Loaded):
    for make in (rebuilt, lambda _, **parts: rd.RegionDragPipeline.from_pretrained(family.folder, **parts)):
        with pytest.raises(TypeError, match="an edit has no ControlNet"):
            make(family, controlnet=object())


# ---- loading ----


def test_our_own_pipeline_saves_and_loads(family: Loaded, tmp_path: Path):
    family.pipe.save_pretrained(tmp_path / "ours")
    again = rd.RegionDragPipeline.from_pretrained(tmp_path / "ours", device="cpu", dtype="float32")
    again.profile = family.pipe.profile
    session = rd.ImageSession(again, picture(*SHAPE), PROMPT)
    assert torch.equal(last_latents(session), last_latents(family.kept))


def test_bfloat16_edits(family: Loaded):
    pipe = rd.RegionDragPipeline.from_pretrained(family.folder, device="cpu", dtype="bfloat16")
    pipe.profile = family.pipe.profile
    assert pipe.backbone.dtype == torch.bfloat16
    last = last_latents(rd.ImageSession(pipe, picture(*SHAPE), PROMPT))
    assert bool(last.isfinite().all())


def copied(family: Loaded, place: Path, **changes: Any) -> Path:
    folder = Path(shutil.copytree(family.folder, place / "model"))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, **changes}))
    return folder


def test_a_schedule_of_another_family_is_refused(family: Loaded, tmp_path: Path):
    folder = copied(family, tmp_path, scheduler=["diffusers", "DDIMScheduler"])
    DDIMScheduler().save_pretrained(folder / "scheduler")
    with pytest.raises(ValueError, match="DDIMScheduler is not a schedule of"):
        rd.RegionDragPipeline.from_pretrained(folder, device="cpu")


def test_a_part_that_is_missing_is_named(family: Loaded, tmp_path: Path):
    folder = copied(family, tmp_path)
    shutil.rmtree(folder / "text_encoder")
    with pytest.raises(ValueError, match="lacks its text_encoder part"):
        rd.RegionDragPipeline.from_pretrained(folder, device="cpu")


def test_without_a_text_encoder_embeds_are_asked_for(family: Loaded):
    pipe = rd.RegionDragPipeline(
        vae=family.pipe.vae,
        unet=None,
        transformer=family.pipe.transformer,
        scheduler=family.pipe.scheduler,
    )
    pipe.profile = family.pipe.profile
    with pytest.raises(ValueError, match="pass prompt_embeds"):
        rd.ImageSession(pipe, picture(*SHAPE))


def test_guidance_without_a_text_encoder_asks_for_negative_embeds():
    model = tiny_pipeline().model
    model.encode_prompt = None
    with pytest.raises(ValueError, match="needs negative_prompt_embeds too"):
        model.network(prompt_embeds=tiny_embeds(), guidance_scale=3.0)


def test_the_released_levels_are_refused(family: Loaded):
    with pytest.raises(ValueError, match="leave preset='released' out"):
        family.session(preset="released")


def test_a_prompt_that_is_too_long_is_cut_with_a_warning(family: Loaded):
    with pytest.warns(UserWarning, match="the end is left out"):
        family.pipe.model.encode_prompt("word " * 300)


def test_keys_that_know_their_positions_are_not_moved(family: Loaded):
    with pytest.raises(ValueError, match="choose another attention_swap"):
        family.kept.edit([box_pair(SHAPE)], attention_swap="gathered")


def test_a_widget_edits_with_it(family: Loaded):
    image, pair = picture(*SHAPE), box_pair(SHAPE)
    widget = rd.RegionDragWidget(image, pairs=[pair], model=family.pipe, prompt=PROMPT)
    try:
        widget.run(wait=True)
        assert np.array_equal(widget.result.array, rd.edit(image, [pair], family.pipe, prompt=PROMPT).array)
    finally:
        widget.close()
