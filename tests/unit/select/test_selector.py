"""Segment Anything models: each class with tiny random weights that were saved to disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import regiondrag_widget as rd

SIDE, CHANNELS = 64, 32


class TinyBackboneConfig(transformers.PretrainedConfig):
    """Of a backbone in the place of EdgeTAM's own, which needs timm."""

    model_type = "tiny_test_backbone"


class TinyBackbone(transformers.PreTrainedModel):
    """Four maps of falling size, as EdgeTAM's backbone gives them."""

    config_class = TinyBackboneConfig

    def __init__(self, config: TinyBackboneConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, s, s) for a, b, s in ((3, 8, 4), (8, 8, 2), (8, 8, 2), (8, 8, 2))
        )
        self.post_init()

    def forward(self, pixel_values: torch.Tensor, **_: Any) -> Any:
        maps = []
        for layer in self.layers:
            pixel_values = layer(pixel_values)
            maps.append(pixel_values)
        return transformers.modeling_outputs.BaseModelOutput(last_hidden_state=maps)


transformers.AutoConfig.register("tiny_test_backbone", TinyBackboneConfig)
transformers.AutoModel.register(TinyBackboneConfig, TinyBackbone)

PROMPTS = {"hidden_size": CHANNELS, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
DECODER = {
    "hidden_size": CHANNELS,
    "mlp_dim": 32,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 16,
    "num_hidden_layers": 1,
}
VIT = {
    "hidden_size": 16,
    "output_channels": CHANNELS,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 16,
    "window_size": 2,
    "global_attn_indexes": [1],
    "num_pos_feats": CHANNELS // 2,
    "mlp_dim": 32,
    "initializer_range": 0.02,
}
HIERA = {
    "hidden_size": 8,
    "image_size": [SIDE, SIDE],
    "blocks_per_stage": [1, 1, 2, 1],
    "embed_dim_per_stage": [8, 16, 24, 32],
    "num_attention_heads_per_stage": [1, 1, 1, 1],
    "window_size_per_stage": [4, 4, 4, 4],
    "global_attention_blocks": [3],
    "window_positional_embedding_background_size": [4, 4],
}
SIZES = [[16, 16], [8, 8], [4, 4]]
NECK = {"fpn_hidden_size": CHANNELS, "backbone_feature_sizes": SIZES}


def tiny(kind: str) -> Any:
    """A model of one class with random weights."""
    t = transformers
    torch.manual_seed(0)
    if kind == "sam":
        return t.SamModel(
            t.SamConfig(vision_config=VIT, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER)
        )
    if kind == "sam_hq":
        decoder = {**DECODER, "vit_dim": VIT["hidden_size"]}
        return t.SamHQModel(
            t.SamHQConfig(vision_config=VIT, prompt_encoder_config=PROMPTS, mask_decoder_config=decoder)
        )
    if kind == "sam2":
        vision = t.Sam2VisionConfig(
            backbone_config=t.Sam2HieraDetConfig(**HIERA), backbone_channel_list=[32, 24, 16, 8], **NECK
        )
        return t.Sam2Model(
            t.Sam2Config(vision_config=vision, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER)
        )
    vision = t.EdgeTamVisionConfig(
        backbone_config=TinyBackboneConfig(), backbone_channel_list=[8, 8, 8, 8], **NECK
    )
    return t.EdgeTamModel(
        t.EdgeTamConfig(vision_config=vision, prompt_encoder_config=PROMPTS, mask_decoder_config=DECODER)
    )


KINDS = ("sam", "sam_hq", "sam2", "edgetam")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    for kind in KINDS:
        tiny(kind).save_pretrained(root / kind)
    return {kind: root / kind for kind in KINDS}


def picture(height: int = 48, width: int = 96) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_answers_clicks_and_boxes(folders: dict[str, Path], kind: str):
    embedded = rd.select.Selector(folders[kind], device="cpu").embed(picture())
    found = embedded.candidates([(20, 10), (70, 30)], [True, False])
    assert len(found) == 3
    assert all(c.mask.shape == (48, 96) and c.mask.dtype == bool and 0 <= c.score <= 1 for c in found)
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    np.testing.assert_array_equal(embedded.click([(20, 10), (70, 30)], [True, False]), found[0].mask)
    assert embedded.box(5, 5, 60, 40).shape == (48, 96)
    assert len(embedded.candidates([(20, 10)], [True], box=(5, 5, 60, 40))) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_that_of_the_whole_model(folders: dict[str, Path], kind: str):
    """The picture embedded once and the decoder for each click give what one forward pass gives."""
    rgb = picture(SIDE, SIDE)  # of the model's own size: nothing is resized
    embedded = rd.select.Selector(folders[kind], device="cpu").embed(rgb)
    model = tiny(kind).eval()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = ((torch.from_numpy(rgb) / 255 - mean) / std).permute(2, 0, 1)[None].float()
    points, labels = torch.tensor([[[[20.0, 10.0]]]]), torch.tensor([[[1]]])
    with torch.inference_mode():
        whole = model(pixel_values=pixels, input_points=points, input_labels=labels)
    order = whole.iou_scores[0, 0].argsort(descending=True)
    masks = nn.functional.interpolate(whole.pred_masks[0], (SIDE, SIDE), mode="bilinear")[0, order] > 0
    found = embedded.candidates([(20, 10)])
    for mask, candidate in zip(masks.numpy(), found, strict=True):
        assert (mask != candidate.mask).mean() < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_is_embedded_once(folders: dict[str, Path], kind: str):
    selector = rd.select.Selector(folders[kind], device="cpu")
    calls: list[int] = []
    selector._sam.model.vision_encoder.register_forward_hook(lambda *_: calls.append(1))
    embedded = selector.embed(picture())
    embedded.click([(1, 1)])
    embedded.click([(2, 2)])
    assert len(calls) == 1


def test_a_video_models_checkpoint_selects_in_pictures(folders: dict[str, Path], tmp_path: Path):
    """SAM 2.1's checkpoints on the hub are of the video model, which has the picture's in it."""
    tiny("sam2").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_type"] = "sam2_video"
    (tmp_path / "config.json").write_text(json.dumps(config))
    of_video = rd.select.Selector(tmp_path, device="cpu").embed(picture())
    of_pictures = rd.select.Selector(folders["sam2"], device="cpu").embed(picture())
    np.testing.assert_array_equal(of_video.click([(20, 10)]), of_pictures.click([(20, 10)]))


def test_what_is_no_click_or_selects_nothing(folders: dict[str, Path]):
    embedded = rd.select.Selector(folders["sam"], device="cpu").embed(picture())
    assert not embedded.click([(1, 1)], [False]).any()
    assert embedded.candidates() == []
    with pytest.raises(ValueError, match="outside the picture"):
        embedded.click([(96, 1)])
    with pytest.raises(ValueError, match="2 points but 1 labels"):
        embedded.click([(1, 1), (2, 2)], [True])


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        rd.select.Selector(tmp_path / "gone")


def test_another_kind_of_model_is_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"of type 'bert': SAM, SAM-HQ, SAM 2\.1 and EdgeTAM"):
        rd.select.Selector(tmp_path)


def test_pickled_weights_are_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="only pickled weights, which can run code"):
        rd.select.Selector(tmp_path)


def test_a_folder_without_weights_or_configuration_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"no config\.json"):
        rd.select.Selector(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(ValueError, match="no weights"):
        rd.select.Selector(tmp_path)


def test_damaged_and_incomplete_weights_are_refused(folders: dict[str, Path], tmp_path: Path):
    from safetensors.torch import load_file, save_file

    (tmp_path / "config.json").write_bytes((folders["sam"] / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(ValueError, match="could not be loaded"):
        rd.select.Selector(tmp_path)
    weights = load_file(folders["sam"] / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "mask_decoder.iou_token" not in name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="lacks weights"):
        rd.select.Selector(tmp_path)


def test_code_of_a_model_is_never_run(folders: dict[str, Path], tmp_path: Path):
    ran = tmp_path / "ran"
    (tmp_path / "m").mkdir()
    for file in folders["sam"].iterdir():
        (tmp_path / "m" / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    (tmp_path / "m" / "evil.py").write_text(f"open({str(ran)!r}, 'w').write('ran')\n")
    rd.select.Selector(tmp_path / "m", device="cpu").embed(picture()).click([(1, 1)])
    assert not ran.exists()


def test_a_hub_id_that_cannot_be_fetched_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OSError("no way to the hub\nand more lines")

    monkeypatch.setattr("regiondrag_widget.select.sam.hf_hub_download", fail)
    with pytest.raises(ValueError, match=r"^nobody/nothing .*no way to the hub") as refused:
        rd.select.Selector("nobody/nothing")
    assert "\n" not in str(refused.value)


def test_colours_are_normalised_as_the_model_says(folders: dict[str, Path], tmp_path: Path):
    for file in folders["sam"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    own = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(own))
    assert rd.select.Selector(tmp_path, device="cpu")._sam.mean == (0.5, 0.5, 0.5)
    (tmp_path / "preprocessor_config.json").unlink()
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": own}))
    assert rd.select.Selector(tmp_path, device="cpu")._sam.std == (0.25, 0.25, 0.25)
