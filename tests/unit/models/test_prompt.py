"""What a prompt becomes: textual inversions of several vectors, projected embeds, SDXL's sizes."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.models.prompt import _sizes
from tests.unit.engine_kit import (
    TEXT_WIDTH,
    box_pair,
    picture,
    tiny_pipeline,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_tokenizer,
    tiny_unet,
    tiny_vae,
)

SHAPE = (96, 128)


@pytest.fixture
def pipe(tmp_path: Path) -> rd.RegionDragPipeline:
    return rd.RegionDragPipeline(
        tiny_vae(), tiny_unet(), tiny_scheduler(), tiny_text_encoder(), tiny_tokenizer(tmp_path)
    )


def embeds_of(pipe: rd.RegionDragPipeline, prompt: str) -> torch.Tensor:
    condition = pipe.model.encode_prompt
    assert condition is not None
    return condition(prompt).embeds


def test_a_textual_inversion_of_several_vectors_is_all_of_them(pipe: rd.RegionDragPipeline):
    vectors = torch.randn(3, TEXT_WIDTH, generator=torch.Generator().manual_seed(0))
    embeds_of(pipe, "a")  # before there is such a word
    pipe.load_textual_inversion(vectors, token="<duck>")
    seen: list[list[int]] = []
    handle = pipe.text_encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0][0].tolist()))
    embeds_of(pipe, "a <duck>")
    handle.remove()
    wanted = pipe.tokenizer.convert_tokens_to_ids(["<duck>", "<duck>_1", "<duck>_2"])
    at = seen[0].index(wanted[0])
    assert seen[0][at : at + 3] == wanted


def test_the_owners_tokenizer_keeps_its_padding(pipe: rd.RegionDragPipeline):
    """It may be in the midst of a call of its owner's, on another thread."""
    expected = embeds_of(pipe, "a dog")
    pipe.tokenizer("a dog", padding="longest")
    backend = pipe.tokenizer.backend_tokenizer
    before = backend.padding, backend.truncation
    found: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: found.append(embeds_of(pipe, "a dog")))
    thread.start()
    thread.join()
    assert (backend.padding, backend.truncation) == before
    assert torch.equal(found[0], expected)


def test_a_prompt_beyond_what_is_read_is_cut_with_a_warning(pipe: rd.RegionDragPipeline):
    with pytest.warns(UserWarning, match="the prompt has 102 tokens and the model reads 77"):
        cut = embeds_of(pipe, "a " * 100)
    assert torch.equal(cut, embeds_of(pipe, "a " * 75))


def test_a_prompt_beside_its_embeds_is_said_to_be_unused(pipe: rd.RegionDragPipeline):
    embeds = torch.zeros(1, 5, TEXT_WIDTH)
    with pytest.warns(UserWarning, match="prompt_embeds stand for prompt, whose text is unused"):
        pipe.network("a dog", embeds)


def test_embeds_that_the_network_projects_are_projected_for_the_keys_too():
    """The prompt's keys are computed ahead: of the projected embeds, as the network's own layers see them."""
    unet = tiny_unet(encoder_hid_dim=24, encoder_hid_dim_type="text_proj")
    pipe = rd.RegionDragPipeline(tiny_vae(), unet, tiny_scheduler())
    embeds = torch.randn(1, 5, 24, generator=torch.Generator().manual_seed(1))
    network = pipe.network(prompt_embeds=embeds)
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))
    from regiondrag_widget.models.keyvalues import KeyValueCache

    t = torch.tensor([400])
    with torch.inference_mode():
        ours, theirs = network.capture(x, t, KeyValueCache()), network.predict(x, t)
    assert torch.allclose(ours, theirs, atol=1e-5)
    out = pipe(picture(*SHAPE), [box_pair(SHAPE)], prompt_embeds=embeds, steps=4, output_type="latent")
    assert bool(out.images.isfinite().all())
    with pytest.raises(ValueError, match=r"\(1, tokens, 24\)"):
        pipe.network(prompt_embeds=torch.zeros(1, 5, TEXT_WIDTH))


def config(total: int, pooled: int = 16, each: int = 8) -> Any:
    return SimpleNamespace(
        projection_class_embeddings_input_dim=pooled + total * each, addition_time_embed_dim=each
    )


def test_sdxl_is_told_the_size_and_its_refiner_how_good_the_picture_looks():
    assert _sizes(config(6), 16, (64, 96)) == [64, 96, 0, 0, 64, 96]
    assert _sizes(config(5), 16, (64, 96)) == [64, 96, 0, 0, 6.0]
    with pytest.raises(ValueError, match="takes 4 numbers beside the text"):
        _sizes(config(4), 16, (64, 96))


def test_a_prompt_without_inversions_is_left_alone(pipe: rd.RegionDragPipeline):
    assert torch.equal(embeds_of(pipe, "a dog"), embeds_of(pipe, "a dog"))
    assert not torch.equal(embeds_of(pipe, "a dog"), embeds_of(pipe, "a cat"))
    assert tiny_pipeline().model.encode_prompt is not None
