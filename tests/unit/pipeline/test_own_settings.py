"""A pipeline's own steps, start and stop follow what its weights are called, however they came in."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.loaders.lora_base import LoraBaseMixin

import regiondrag_widget as rd
from regiondrag_widget.engine.settings import BY_NAME, IN_PYTHON, SETTINGS
from regiondrag_widget.models.profile import MINI_PROFILE, stable_diffusion_profile
from tests.unit.engine_kit import tiny_scheduler, tiny_unet
from tests.unit.pipeline.test_users_pipeline import edit_picture, users_pipeline


@pytest.fixture
def users(tmp_path: Path) -> StableDiffusionPipeline:
    return users_pipeline(tmp_path, torch.float32)


@pytest.fixture
def adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers' LoRA loading without PEFT: adapters are noted, weights stay."""

    def load(self: Any, told: Any, adapter_name: str | None = None, **_: Any) -> None:
        if not hasattr(self.unet, "peft_config"):
            self.unet.peft_config = {}
        self.unet.peft_config[adapter_name or f"default_{len(self.unet.peft_config)}"] = told

    def unload(self: Any, *_: Any, **__: Any) -> None:
        self.unet.peft_config = {}

    def delete(self: Any, names: Any) -> None:
        for name in [names] if isinstance(names, str) else names:
            del self.unet.peft_config[name]

    monkeypatch.setattr(StableDiffusionLoraLoaderMixin, "load_lora_weights", load)
    monkeypatch.setattr(LoraBaseMixin, "unload_lora_weights", unload)
    monkeypatch.setattr(LoraBaseMixin, "delete_adapters", delete)


@pytest.mark.parametrize(("name", "steps"), [("stabilityai/sd-turbo", 4), ("some/model", 20)])
def test_a_pipelines_own_name_tells_its_steps(users: StableDiffusionPipeline, name: str, steps: int):
    users.register_to_config(_name_or_path=name)
    ours = rd.RegionDragPipeline.from_pipe(users)
    assert (ours.name, ours.edit_defaults["steps"]) == (name, steps)


def test_an_edit_visits_the_few_levels(users: StableDiffusionPipeline):
    users.register_to_config(_name_or_path="stabilityai/sd-turbo")
    result = edit_picture(rd.RegionDragPipeline.from_pipe(users)).result
    assert (result.settings["steps"], len(result.settings["levels"])) == (4, 2)


@pytest.mark.parametrize(
    ("told", "options", "steps"),
    [
        ("latent-consistency/lcm-lora-sdv1-5", {}, 10),
        ("ByteDance/Hyper-SD", {"weight_name": "Hyper-SD15-8steps-lora.safetensors"}, 8),
        ("ByteDance/SDXL-Lightning", {"weight_name": "sdxl_lightning_4step_lora.safetensors"}, 4),
        ("some/style", {}, 20),
        ({"a": 1}, {"adapter_name": "lcm"}, 10),
    ],
)
@pytest.mark.usefixtures("adapters")
def test_lora_weights_that_are_loaded_tell_their_steps(
    users: StableDiffusionPipeline, told: Any, options: dict[str, Any], steps: int
):
    ours = rd.RegionDragPipeline.from_pipe(users)
    accelerated = ours.model
    ours.load_lora_weights(told, **options)
    assert ours.edit_defaults["steps"] == steps
    assert ours.model is accelerated  # sessions that have it see the same
    ours.unload_lora_weights()
    assert ours.edit_defaults["steps"] == 20


@pytest.mark.usefixtures("adapters")
def test_weights_that_are_deleted_tell_nothing_any_more(users: StableDiffusionPipeline):
    ours = rd.RegionDragPipeline.from_pipe(users)
    ours.load_lora_weights("some/style", "style")
    ours.load_lora_weights("latent-consistency/lcm-lora-sdv1-5", "fast")
    assert ours.name.endswith(" + some/style + latent-consistency/lcm-lora-sdv1-5")
    ours.delete_adapters("fast")
    assert ours.edit_defaults["steps"] == 20
    assert ours.name.endswith(" + some/style")


@pytest.mark.usefixtures("adapters")
def test_weights_that_the_user_has_loaded_before_tell_their_adapters_name(users: StableDiffusionPipeline):
    users.load_lora_weights("some/weights", "lcm")
    assert rd.RegionDragPipeline.from_pipe(users).edit_defaults["steps"] == 10


def test_the_bundled_models_parts_bring_its_own_settings():
    mini = rd.load_pipeline("mini")
    assert rd.RegionDragPipeline.from_pipe(mini).edit_defaults == MINI_PROFILE.defaults


def test_profiles_state_settings_that_follow_the_model():
    follow = {spec.name for spec in SETTINGS if spec.of_model}
    for profile in (MINI_PROFILE, stable_diffusion_profile(tiny_unet(), 8, tiny_scheduler())):
        assert {"steps", "start"} <= set(profile.defaults) <= follow
        for name, value in profile.defaults.items():
            assert BY_NAME[name].checked(value) == value


# ---- keywords ----


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda pipe: pipe.from_pipe(pipe, compiel=True),
            "has no argument 'compiel'. Did you mean 'compile'?",
        ),
        (lambda pipe: pipe.from_pipe(pipe, draft_va=None), "Did you mean 'draft_vae'?"),
        (
            lambda pipe: pipe.from_pipe(pipe, torch_dtype=torch.float16),
            "has no argument 'torch_dtype': parts are used in the format they have",
        ),
        (lambda pipe: pipe(None, None, step=3), "has no argument 'step'. Did you mean 'steps'?"),
        (lambda pipe: pipe(None, None, mate="none"), "Did you mean 'matte'?"),
        (
            lambda pipe: rd.edit(None, [], pipe, step=3),
            "edit() has no argument 'step'. Did you mean 'steps",
        ),
        (lambda pipe: rd.edit(None, [], pipe, vacate="keep"), "Did you mean 'vacated'?"),
    ],
)
def test_an_unknown_keyword_names_the_nearest(call: Any, words: str):
    with pytest.raises(TypeError) as error:
        call(rd.load_pipeline("mini"))
    assert words in str(error.value)


@pytest.mark.parametrize("function", [rd.RegionDragPipeline.__call__, rd.edit], ids=["pipeline", "edit"])
def test_docstrings_list_the_settings_as_the_table_has_them(function: Any):
    words = " ".join((function.__doc__ or "").split())
    for name in IN_PYTHON:
        assert " ".join(" ".join(BY_NAME[name].documentation()).split()) in words


def test_a_pipeline_takes_every_setting_of_python_by_name():
    parameters = inspect.signature(rd.RegionDragPipeline.__call__).parameters
    for name in IN_PYTHON:
        assert parameters[name].default in (None, BY_NAME[name].default)
