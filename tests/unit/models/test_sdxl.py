"""SDXL's own ways: adapters of its two text encoders, image prompts, words of one's own, inpainting."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor

import regiondrag_widget as rd
from tests.unit.engine_kit import TEXT_WIDTH, box_pair, picture, processors_of
from tests.unit.models.properties_kit import last_latents
from tests.unit.models.test_ip_adapter import OTHER, adapter_weights, save_image_encoder
from tests.unit.models.test_unets import few_levels, saved_lora
from tests.unit.models.unet_kit import SDXL_INPAINTING, SECOND_WIDTH, make_sdxl

SHAPE = (96, 128)
PAIRS = [box_pair(SHAPE)]
PROMPT = "a dog"


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """diffusers' pipeline: do not change it, or undo it."""
    return make_sdxl(tmp_path_factory.mktemp("words"))


@pytest.fixture
def pipe(users: Any) -> rd.RegionDragPipeline:
    return few_levels(rd.RegionDragPipeline.from_pipe(users))


def session(pipe: rd.RegionDragPipeline, prompt: str = PROMPT, **options: Any) -> rd.ImageSession:
    return rd.ImageSession(pipe, picture(*SHAPE), prompt, **options)


# ---- image prompts ----


@pytest.fixture(scope="module")
def adapters(users: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of IP-Adapters for SDXL, as the released one is."""
    folder = tmp_path_factory.mktemp("adapters") / "sdxl_models"
    save_image_encoder(folder)
    weights = adapter_weights(users.unet, width=TEXT_WIDTH + SECOND_WIDTH)
    save_file(weights, folder / "ip.safetensors")
    return folder.parent


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_an_edit_with_an_ip_adapter(pipe: rd.RegionDragPipeline, adapters: Path, guidance: float):
    """It is told the picture or another, an edit of nothing changes nothing, and it comes out again."""
    before, plain = processors_of(pipe.unet), last_latents(session(pipe, guidance_scale=guidance))
    pipe.load_ip_adapter(str(adapters), subfolder="sdxl_models", weight_name="ip.safetensors")
    try:
        pipe.set_ip_adapter_scale(0.7)
        loaded = processors_of(pipe.unet)
        told = session(pipe, guidance_scale=guidance)
        still = [rd.RegionPair.move(PAIRS[0].handle, 0, 0)]
        *_, step = told.edit(still, content="latents")
        assert torch.allclose(step.latents, told.inversion().latents[0], atol=1e-4)
        own = last_latents(told)
        other = last_latents(session(pipe, guidance_scale=guidance, ip_adapter_image=OTHER))
        assert not torch.allclose(own, plain, atol=1e-4)
        assert not torch.allclose(own, other, atol=1e-4)
        beside = session(pipe, guidance_scale=guidance, keys_values="recompute")
        assert torch.allclose(last_latents(beside), own, atol=1e-4)
        assert all(processors_of(pipe.unet)[name] is p for name, p in loaded.items())
    finally:
        pipe.unload_ip_adapter()
    assert processors_of(pipe.unet).keys() == before.keys()
    assert torch.equal(last_latents(session(pipe, guidance_scale=guidance)), plain)


# ---- words of one's own ----


@pytest.fixture
def fresh(tmp_path: Path) -> rd.RegionDragPipeline:
    """A pipeline whose text encoders a test may change."""
    return few_levels(rd.RegionDragPipeline.from_pipe(make_sdxl(tmp_path / "words")))


def written(path: Path, **vectors: Tensor) -> Path:
    save_file(vectors, path)
    return path


def vectors(count: int, width: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(width))


def test_a_textual_inversion_goes_into_both_text_encoders(fresh: rd.RegionDragPipeline, tmp_path: Path):
    both = {"clip_l": vectors(2, TEXT_WIDTH), "clip_g": vectors(2, SECOND_WIDTH)}
    before = last_latents(session(fresh, "a <duck>"))
    fresh.load_textual_inversion(written(tmp_path / "duck.safetensors", **both), token="<duck>")
    for key, ending in (("clip_l", ""), ("clip_g", "_2")):
        tokenizer = getattr(fresh, f"tokenizer{ending}")
        ids = tokenizer.convert_tokens_to_ids(["<duck>", "<duck>_1"])
        table = getattr(fresh, f"text_encoder{ending}").get_input_embeddings().weight
        assert torch.equal(table[ids], both[key])
    assert not torch.allclose(last_latents(session(fresh, "a <duck>")), before, atol=1e-5)


def test_it_is_read_as_diffusers_pipeline_reads_it(fresh: rd.RegionDragPipeline, users: Any):
    theirs = copy.deepcopy(users)
    one, other = vectors(2, TEXT_WIDTH), vectors(2, SECOND_WIDTH)
    fresh.load_textual_inversion({"clip_l": one, "clip_g": other}, token="<duck>")
    theirs.load_textual_inversion(one, "<duck>", theirs.tokenizer, theirs.text_encoder)
    theirs.load_textual_inversion(other, "<duck>", theirs.tokenizer_2, theirs.text_encoder_2)
    expected = theirs.encode_prompt("a <duck>", do_classifier_free_guidance=False)
    ours = fresh.network("a <duck>").condition
    assert torch.allclose(ours.embeds, expected[0], atol=1e-5)
    assert ours.added is not None
    assert torch.allclose(ours.added["text_embeds"], expected[2], atol=1e-5)


def test_vectors_alone_go_where_their_width_fits(fresh: rd.RegionDragPipeline):
    fresh.load_textual_inversion(vectors(1, SECOND_WIDTH), token="<duck>")
    assert "<duck>" in fresh.tokenizer_2.get_vocab()
    assert "<duck>" not in fresh.tokenizer.get_vocab()
    fresh.load_textual_inversion([{"<cat>": vectors(1, TEXT_WIDTH)}, {"<cow>": vectors(1, TEXT_WIDTH)}])
    assert {"<cat>", "<cow>"} < set(fresh.tokenizer.get_vocab())


def test_textual_inversions_that_do_not_fit_are_refused(fresh: rd.RegionDragPipeline, tmp_path: Path):
    sd2 = written(tmp_path / "sd2.safetensors", duck=vectors(1, 1024))
    with pytest.raises(
        ValueError, match="is not this model's: its vectors have 1024 numbers, as those of Sta"
    ):
        fresh.load_textual_inversion(sd2)
    pair = written(tmp_path / "both.safetensors", clip_l=vectors(1, TEXT_WIDTH), clip_g=vectors(1, 1280))
    with pytest.raises(ValueError, match="names no word: pass token="):
        fresh.load_textual_inversion(pair)
    with pytest.raises(
        ValueError, match="as those of SDXL's second text encoder, and this model's text has 24"
    ):
        fresh.load_textual_inversion(pair, token="<duck>")
    assert "<duck>" not in fresh.tokenizer.get_vocab(), "nothing is added of what does not fit whole"
    (tmp_path / "duck.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"duck.pt holds pickled weights, which can run code"):
        fresh.load_textual_inversion(str(tmp_path / "duck.pt"))
    with pytest.raises(ValueError, match="could not be loaded: "):
        fresh.load_textual_inversion(str(tmp_path))
    with pytest.raises(ValueError, match="2 textual inversions need as many tokens, got 1"):
        fresh.load_textual_inversion([sd2, sd2], ["<duck>"])


# ---- LoRA ----


def test_lora_weights_are_read_by_sdxls_names_and_for_both_text_encoders(
    fresh: rd.RegionDragPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """kohya's trainers count blocks as Stability's code does. diffusers' loading itself needs PEFT."""
    given: list[tuple[Any, list[str]]] = []

    def note(state: dict[str, Tensor], *_: Any, **options: Any) -> None:
        part = options.get("unet") or options["text_encoder"]
        prefix = f"{options.get('prefix') or 'unet'}."
        given.append((part, [key for key in state if key.startswith(prefix)]))

    monkeypatch.setattr("diffusers.utils.USE_PEFT_BACKEND", True)
    monkeypatch.setattr(rd.RegionDragPipeline, "load_lora_into_unet", staticmethod(note))
    monkeypatch.setattr(rd.RegionDragPipeline, "load_lora_into_text_encoder", staticmethod(note))
    block = "lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_q"
    text = "text_model_encoder_layers_0_self_attn_q_proj"
    weights = {}
    for name in (block, f"lora_te1_{text}", f"lora_te2_{text}"):
        weights[f"{name}.lora_down.weight"] = torch.zeros(2, 16)
        weights[f"{name}.lora_up.weight"] = torch.zeros(16, 2)
        weights[f"{name}.alpha"] = torch.tensor(2.0)
    file = written(tmp_path / "style.safetensors", **weights)
    fresh.load_lora_weights(str(file))
    (unet, layers), (first, ones), (second, others) = given
    assert (unet, first, second) == (fresh.unet, fresh.text_encoder, fresh.text_encoder_2)
    assert "down_blocks.1.attentions.0.transformer_blocks.0.attn1" in layers[0]
    assert all(name.startswith("text_encoder.") for name in ones)
    assert all(name.startswith("text_encoder_2.") for name in others)
    assert ones
    assert others
    with pytest.raises(ValueError, match=r"style\.bin holds pickled weights"):
        fresh.load_lora_weights(str(tmp_path / "style.bin"))


@pytest.mark.parametrize(
    ("layer", "shapes", "words"),
    [
        (
            "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
            (768, 1280),
            "one of Stable Diffusion 1",
        ),
        (
            "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_k",
            (99, 99),
            "its mid.* has another size",
        ),
        (
            "unet.mid_block.attentions.3.transformer_blocks.0.attn1.to_k",
            (16, 16),
            "it has none of its layers",
        ),
        (
            "transformer.single_transformer_blocks.0.attn.to_q",
            (3072, 3072),
            "no LoRA of a UNet, but one of FLUX.1",
        ),
    ],
)
def test_a_lora_of_another_base_is_named_before_anything_is_changed(
    users: Any, tmp_path: Path, layer: str, shapes: tuple[int, int], words: str
):
    """`load_lora_weights` says so without PEFT too."""
    pipe, (taken, given) = rd.RegionDragPipeline.from_pipe(users), shapes
    before = set(dict(pipe.unet.named_modules()))
    factors = {
        f"{layer}.lora_A.weight": torch.zeros(2, taken),
        f"{layer}.lora_B.weight": torch.zeros(given, 2),
    }
    with pytest.raises(ValueError, match=f"^the LoRA .*{words}"):
        pipe.load_lora_weights(str(written(tmp_path / "style.safetensors", **factors)))
    with pytest.raises(ValueError, match=f"^the LoRA that was given .*{words}"):
        pipe.load_lora_weights(factors)
    assert set(dict(pipe.unet.named_modules())) == before


def test_what_a_lora_says_of_the_text_is_left_out_with_a_warning(users: Any, tmp_path: Path):
    users.save_pretrained(tmp_path / "model")
    file = saved_lora(users.unet, tmp_path / "style.safetensors")
    layer = "text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj"
    down, up = torch.zeros(2, SECOND_WIDTH), torch.zeros(SECOND_WIDTH, 2)
    saved_lora(users.unet, file, **{f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up})
    with pytest.warns(UserWarning, match="changes the text encoder as well, which is left out: load it by"):
        rd.RegionDragPipeline.from_pretrained(tmp_path / "model", lora=file, device="cpu", dtype="float32")
    saved_lora(
        users.unet, file, **{"unet.mid_block.resnets.0.conv1.lora_mid.weight": torch.zeros(2, 2, 3, 3)}
    )
    with pytest.raises(
        ValueError, match=r"has unet\.mid_block.*lora_mid\.weight, which is no factor of a layer"
    ):
        rd.RegionDragPipeline.from_pretrained(tmp_path / "model", lora=file, device="cpu", dtype="float32")


def test_adapters_of_peft_come_and_go_in_the_middle_of_a_session(
    fresh: rd.RegionDragPipeline, tmp_path: Path
):
    pytest.importorskip("peft", reason="PEFT, which diffusers loads adapters by, is optional")
    open_session = session(fresh)
    before = last_latents(open_session)
    fresh.load_lora_weights(str(saved_lora(fresh.unet, tmp_path / "style.safetensors")), "style")
    styled = last_latents(open_session)
    assert not torch.allclose(styled, before, atol=1e-3)
    fresh.unet.disable_adapters()
    assert torch.equal(last_latents(open_session), before)
    fresh.unet.enable_adapters()
    assert torch.equal(last_latents(open_session), styled)
    fresh.unload_lora_weights()
    assert torch.equal(last_latents(open_session), before)


# ---- inpainting ----


def test_its_inpainting_network_is_told_the_hole(tmp_path: Path):
    folder = SDXL_INPAINTING.save(tmp_path / "model")
    pipe = few_levels(rd.RegionDragPipeline.from_pretrained(folder, device="cpu", dtype="float32"))
    given: list[Tensor] = []
    hook = pipe.unet.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    open_session = session(pipe)
    still = rd.RegionPair.move(PAIRS[0].handle, 0, 0, carry="painted")
    *_, step = open_session.edit([still], vacated="keep")
    assert torch.allclose(step.latents, open_session.inversion().latents[0], atol=1e-4)
    assert not any(g[:, 4].any() for g in given[:1])
    given.clear()
    last = last_latents(open_session, content="pixels", matte="none")
    assert all(g.shape[1] == 9 and g[:, 4].any() for g in given)
    hook.remove()
    beside = session(pipe, keys_values="recompute")
    assert torch.allclose(last_latents(beside, content="pixels", matte="none"), last, atol=1e-4)
    with pytest.raises(ValueError, match="an inpainting network is told a picture with a hole"):
        open_session.edit(PAIRS, content="latents")
    pipe.save_pretrained(tmp_path / "again")
    saved = DiffusionPipeline.from_pretrained(tmp_path / "again")
    assert type(saved) is SDXL_INPAINTING.pipeline
    assert np.array_equal(*(m.conv_in.weight.detach().numpy() for m in (saved.unet, pipe.unet)))
