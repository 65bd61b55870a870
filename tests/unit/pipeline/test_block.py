"""The Modular Diffusers block: built by its script, loaded from its folder, equal to the pipeline."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import ModularPipelineBlocks
from diffusers.utils import dynamic_modules_utils

import regiondrag_widget as rd
from tests.unit.engine_kit import box_pair, picture, processors_of
from tests.unit.models.unet_kit import KITS

SHAPE = (96, 128)


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KITS["sdxl"].save(tmp_path_factory.mktemp("sdxl") / "model")


@pytest.fixture(scope="module")
def block_folder(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script writes."""
    spec = importlib.util.spec_from_file_location("build_block", repository / "scripts" / "build_block.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    built: Path = script.build(tmp_path_factory.mktemp("block"))
    return built


@pytest.fixture
def modular(block_folder: Path, sdxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A modular pipeline made of the folder's block and of the model's parts."""
    monkeypatch.setattr(dynamic_modules_utils, "HF_MODULES_CACHE", str(tmp_path))
    blocks = ModularPipelineBlocks.from_pretrained(str(block_folder), trust_remote_code=True)
    pipe = blocks.init_pipeline(str(sdxl))
    pipe.load_components()
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_the_folder_has_what_the_hub_wants(block_folder: Path):
    config = json.loads((block_folder / "modular_config.json").read_text())
    assert config["auto_map"] == {"ModularPipelineBlocks": "block.RegionDragBlock"}
    assert {p.name for p in block_folder.iterdir()} >= {"block.py", "modular_config.json", "README.md"}


def test_the_block_makes_the_pipelines_edit(modular: Any, sdxl: Path):
    before = processors_of(modular.unet)
    pair = box_pair(SHAPE)
    said = {"prompt": "a dog", "num_inference_steps": 4, "seed": 3, "guidance_scale": 2.0}
    images = modular(image=picture(*SHAPE), pairs=[pair], **said, output="images")
    pipe = rd.RegionDragPipeline.from_pretrained(sdxl, device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    expected = pipe(picture(*SHAPE), [pair], **said).result.array
    assert np.array_equal(np.asarray(images[0]), expected)
    assert all(processors_of(modular.unet)[name] is p for name, p in before.items())
    masks = {"handle": pair.handle, "target": pair.target}
    results = modular(image=picture(*SHAPE), **masks, num_inference_steps=4, output="results")
    assert isinstance(results[0], rd.EditResult)


def test_an_edit_without_regions_is_refused(modular: Any):
    with pytest.raises(ValueError, match="say what moves and where"):
        modular(image=picture(*SHAPE))
