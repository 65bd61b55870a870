"""Loading a model: folders, the bundled one, the hub without a network; and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

import regiondrag_widget as rd
from tests.unit.engine_kit import (
    TEXT_WIDTH,
    box_pair,
    picture,
    save_tiny_sd15,
    tiny_unet,
)
from tests.unit.models.unet_kit import KITS, SECOND_WIDTH

SHAPE = (96, 128)


def edit(pipe: Any, **options: Any) -> Any:
    return pipe(picture(*SHAPE), [box_pair(SHAPE)], steps=4, **options)


@pytest.fixture(scope="session")
def sd15_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model folder as Stable Diffusion 1.5's is: do not change it, copy it."""
    folder, tokenizer = tmp_path_factory.mktemp("sd15"), tmp_path_factory.mktemp("tokenizer")
    return save_tiny_sd15(folder, tokenizer, prediction_type="v_prediction")


@pytest.fixture(scope="session")
def sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model folder as SDXL's is: do not change it, copy it."""
    return KITS["sdxl"].save(tmp_path_factory.mktemp("sdxl") / "model")


@pytest.fixture
def folder(sd15_folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(sd15_folder, tmp_path / "model"))


def load(model: Any, **options: Any) -> rd.RegionDragPipeline:
    return rd.RegionDragPipeline.from_pretrained(model, **{"device": "cpu", "dtype": "float32", **options})


def refusal(model: Any, error: Any = (ValueError, OSError), **options: Any) -> str:
    """What loading says; one sentence, whatever it is."""
    with pytest.raises(error) as caught:
        load(model, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


# ---- folders ----


def test_a_folder_like_stable_diffusion_1_5_loads_and_edits(sd15_folder: Path):
    pipe = load(sd15_folder)
    out = edit(pipe, prompt="a dog")
    assert out.images[0].size == (128, 96)
    assert out.result.settings["model"] == str(sd15_folder)


def test_a_folder_is_found_by_a_relative_path_too(sd15_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(sd15_folder.parent)
    assert load(sd15_folder.name).unet is not None
    assert load(f"./{sd15_folder.name}").unet is not None


def test_the_weights_are_those_of_the_folder(sd15_folder: Path):
    loaded, expected = load(sd15_folder).unet.state_dict(), tiny_unet().state_dict()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


def test_v_prediction_is_honoured_from_the_schedulers_config(sd15_folder: Path):
    assert load(sd15_folder).backbone.prediction_type == "v_prediction"


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", torch.bfloat16])
def test_the_number_format_asked_for_is_used(sd15_folder: Path, dtype: Any):
    expected = dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype)
    assert load(sd15_folder, dtype=dtype).unet.dtype == expected


def test_a_prompt_is_read_by_the_folders_tokenizer(sd15_folder: Path):
    pipe = load(sd15_folder)
    plain, dog = (edit(pipe, prompt=p, output_type="latent").images for p in ("", "a dog"))
    assert not torch.equal(plain, dog)


def test_a_folder_like_sdxl_loads_and_edits(sdxl_folder: Path):
    pipe = load(sdxl_folder)
    out = edit(pipe, prompt="a dog")
    assert out.images[0].size == (128, 96)
    assert pipe.backbone.vae.config.scaling_factor == 0.13025


def test_sdxl_is_told_both_prompts_and_the_size(sdxl_folder: Path):
    pipe = load(sdxl_folder)
    condition = pipe.network("a dog").condition
    assert tuple(condition.embeds.shape) == (1, 77, TEXT_WIDTH + SECOND_WIDTH)
    assert tuple(condition.added["text_embeds"].shape) == (1, SECOND_WIDTH)
    assert condition.added["time_ids"].tolist() == [[128, 128, 0, 0, 128, 128]]


def test_sdxls_condition_is_what_diffusers_makes_of_the_prompt(sdxl_folder: Path):
    theirs = StableDiffusionXLPipeline.from_pretrained(sdxl_folder, local_files_only=True)
    embeds, _, pooled, _ = theirs.encode_prompt("a dog", do_classifier_free_guidance=False)
    ours = load(sdxl_folder).network("a dog").condition
    assert torch.allclose(ours.embeds, embeds, atol=1e-5)
    assert torch.allclose(ours.added["text_embeds"], pooled, atol=1e-5)


def test_the_condition_is_what_diffusers_makes_of_the_prompt(sd15_folder: Path):
    theirs = StableDiffusionPipeline.from_pretrained(sd15_folder, local_files_only=True)
    embeds, _ = theirs.encode_prompt("a dog", "cpu", 1, do_classifier_free_guidance=False)
    assert torch.allclose(load(sd15_folder).network("a dog").condition.embeds, embeds, atol=1e-5)


def test_sdxls_autoencoder_works_in_full_precision(sdxl_folder: Path):
    pipe = load(sdxl_folder, dtype="float16")
    assert pipe.unet.dtype == torch.float16
    assert bool(edit(pipe, output_type="latent").images.isfinite().all())


def test_embeddings_alone_do_not_condition_sdxl(sdxl_folder: Path):
    with pytest.raises(ValueError, match=r"prompt_embeds .*SDXL"):
        edit(load(sdxl_folder), prompt_embeds=torch.zeros(1, 77, TEXT_WIDTH + SECOND_WIDTH))


def test_a_folder_with_a_variant_of_the_weights_loads(sd15_folder: Path, tmp_path: Path):
    StableDiffusionPipeline.from_pretrained(sd15_folder, local_files_only=True).save_pretrained(
        tmp_path, variant="fp16"
    )
    assert load(tmp_path).unet.dtype == torch.float32


def test_our_own_pipeline_saves_and_loads(sd15_folder: Path, tmp_path: Path):
    pipe = load(sd15_folder)
    pipe.save_pretrained(tmp_path / "ours")
    expected = edit(pipe, prompt="a dog").result.array
    assert np.array_equal(edit(load(tmp_path / "ours"), prompt="a dog").result.array, expected)


def test_loading_twice_gives_the_same_pipeline(sd15_folder: Path):
    first = rd.load_pipeline(sd15_folder, device="cpu", dtype="float32")
    assert rd.load_pipeline(sd15_folder, device="cpu", dtype="float32") is first
    assert rd.load_pipeline(first) is first


# ---- what is refused ----


@pytest.mark.parametrize("part", ["unet", "vae", "scheduler", "text_encoder", "tokenizer"])
def test_a_folder_that_lacks_a_part_is_refused(folder: Path, part: str):
    shutil.rmtree(folder / part)
    assert f"lacks its {part} part" in refusal(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_part_without_weights_is_refused(folder: Path, part: str):
    for file in (folder / part).glob("*.safetensors"):
        file.unlink()
    assert "has no weights (.safetensors)" in refusal(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_part_with_pickled_weights_only_is_refused(folder: Path, part: str):
    (weights,) = (folder / part).glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    text = refusal(folder)
    assert "only pickled weights (.bin)" in text
    assert "convert them to .safetensors" in text


def test_pickled_weights_are_never_opened(folder: Path):
    """A pickle beside safe weights is left alone."""
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04not for loading")
    assert load(folder).unet is not None


def test_a_part_without_its_config_is_refused(folder: Path):
    (folder / "unet" / "config.json").unlink()
    assert "has no config.json" in refusal(folder)


def test_damaged_weights_are_refused(folder: Path):
    (weights,) = (folder / "unet").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    assert str(folder) in refusal(folder)


def test_a_damaged_index_is_refused(folder: Path):
    (folder / "model_index.json").write_text("{")
    assert "is not readable JSON" in refusal(folder)


@pytest.mark.parametrize("index", ["[]", "3", "null"])
def test_an_index_that_is_no_table_is_refused(folder: Path, index: str):
    (folder / "model_index.json").write_text(index)
    assert "model_index.json" in refusal(folder)


def test_a_folder_of_something_else_is_refused(tmp_path: Path):
    assert "it is not a diffusers model folder" in refusal(tmp_path)


def test_a_model_of_another_family_is_refused(folder: Path):
    index = json.loads((folder / "model_index.json").read_text())
    index["transformer"] = ["diffusers", "AuraFlowTransformer2DModel"]
    del index["unet"]
    (folder / "model_index.json").write_text(json.dumps(index))
    index["_class_name"] = "AuraFlowPipeline"
    (folder / "model_index.json").write_text(json.dumps(index))
    text = refusal(folder)
    assert "is a AuraFlowPipeline" in text
    assert "Stable Diffusion 1.5, 2.1 and SDXL" in text


def test_a_path_where_no_folder_is_is_refused(tmp_path: Path):
    text = refusal(tmp_path / "nothing" / "here")
    assert "is not a model folder" in text
    assert "'mini'" in text


def test_a_file_is_no_model_folder(tmp_path: Path):
    (tmp_path / "model.png").write_bytes(b"")
    assert "is not a model folder" in refusal(tmp_path / "model.png")


@pytest.mark.parametrize("model", ["nobody/no-such-model", "no-such-model"])
def test_a_wrong_hub_id_without_network_says_how_to_work_offline(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = refusal(model, cache_dir=tmp_path)
    assert model in text
    assert "download the model elsewhere and pass its folder" in text
    assert "'mini' is always there" in text


def test_what_is_no_hub_id_at_all_is_refused(tmp_path: Path):
    assert "check the id" in refusal("no such model!", cache_dir=tmp_path)


@pytest.mark.parametrize("option", [{"trust_remote_code": True}, {"custom_pipeline": "some/code"}])
def test_code_from_model_folders_is_never_run(sd15_folder: Path, option: dict[str, Any]):
    assert "code from model folders is never run" in refusal(sd15_folder, **option)


def test_pickled_weights_may_not_be_asked_for(folder: Path):
    (weights,) = (folder / "unet").glob("*.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    assert "only pickled weights" in refusal(folder, use_safetensors=False)


def test_a_users_pipeline_keeps_its_layout(sd15_folder: Path):
    theirs = StableDiffusionPipeline.from_pretrained(sd15_folder, local_files_only=True)
    ours = rd.RegionDragPipeline.from_pipe(theirs)
    edit(ours)
    assert not theirs.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)


# ---- no code from a model folder ----


@pytest.mark.parametrize("place", ["None.py", "unet/evilmod.py", "pipeline.py"])
def test_a_folder_with_python_files_is_refused(folder: Path, place: str):
    (folder / place).write_text("raise SystemExit('this must not run')")
    assert "code from model folders is never run" in refusal(folder)


@pytest.mark.parametrize("library", ["evilmod", "os", "regiondrag_widget", "diffusers.pipelines", 3])
def test_a_part_of_another_library_is_refused(folder: Path, library: object):
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = [library, "UNet2DConditionModel"]
    (folder / "model_index.json").write_text(json.dumps(index))
    text = refusal(folder)
    assert "unet" in text
    assert "neither diffusers nor transformers" in text


def hub_cache(folder: Path, cache: Path, model: str) -> Path:
    """A model as the hub's cache has it; the folder it lies in."""
    repository = cache / f"models--{model.replace('/', '--')}"
    snapshot = repository / "snapshots" / ("0" * 40)
    shutil.copytree(folder, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    return snapshot


def test_a_model_in_the_hubs_cache_is_loaded_by_its_id(sd15_folder: Path, tmp_path: Path):
    hub_cache(sd15_folder, tmp_path, "someone/tiny-lcm")
    pipe = rd.RegionDragPipeline.from_pretrained(
        "someone/tiny-lcm", cache_dir=tmp_path, local_files_only=True, device="cpu"
    )
    assert pipe.name == "someone/tiny-lcm"
    assert pipe.edit_defaults["steps"] == 10  # told by the name


def test_code_in_the_hubs_cache_is_refused(sd15_folder: Path, tmp_path: Path):
    snapshot = hub_cache(sd15_folder, tmp_path, "someone/evil")
    (snapshot / "unet" / "evilmod.py").write_text("raise SystemExit('this must not run')")
    text = refusal("someone/evil", cache_dir=tmp_path, local_files_only=True)
    assert "code from model folders is never run" in text
