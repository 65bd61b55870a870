"""Attention processors of the user's own are called or refused in words, never replaced silently."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0, SlicedAttnProcessor

import regiondrag_widget as rd
from tests.unit.engine_kit import box_pair, picture, processors_of, tiny_pipeline

SHAPE = (96, 128)
calls: Counter[str] = Counter()


class Own:
    """A processor of the user's: half of plain attention."""

    def __init__(self, name: str) -> None:
        self.name, self.plain = name, AttnProcessor2_0()

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        calls[self.name] += 1
        return self.plain(attn, hidden_states, *args, **kwargs) / 2


class Deaf:
    """One that has keys of its own and asks the layer for none."""

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return hidden_states


def with_own(kind: str, where: str, processor: Any = Own) -> rd.RegionDragPipeline:
    pipe = tiny_pipeline()
    for name, module in pipe.unet.named_modules():
        if name.endswith(kind) and name.startswith(where):
            module.set_processor(processor(name) if processor is Own else processor())
    calls.clear()
    return pipe


def edited(pipe: Any, **settings: Any) -> torch.Tensor:
    session = rd.ImageSession(pipe, picture(*SHAPE))
    return [step.latents for step in session.edit([box_pair(SHAPE)], **settings)][-1]


def test_layers_that_would_be_replaced_are_refused_before_anything_is_computed():
    pipe = with_own("attn1", "up_blocks")
    session = rd.ImageSession(pipe, picture(*SHAPE))
    with pytest.raises(ValueError, match=r"up_blocks.*attn1 has an attention processor of its own \(Own\)"):
        session.edit([box_pair(SHAPE)])
    with pytest.raises(ValueError, match="set_default_attn_processor"):
        session.draft([box_pair(SHAPE)])
    assert not calls
    assert not session.nbytes


@pytest.mark.parametrize(
    "swap", [False, lambda name: not name.startswith("up_blocks")], ids=["none", "others"]
)
def test_layers_that_are_left_out_of_the_swap_are_called(swap: Any):
    pipe = with_own("attn1", "up_blocks")
    before = processors_of(pipe.unet)
    edited(pipe, attention_swap=swap)
    names = {name for name, p in before.items() if isinstance(p, Own)}
    assert set(calls) == {name.removesuffix(".processor") for name in names}
    assert all(count == 4 for count in calls.values()), "the inversion's call in one batch, and three steps"
    assert all(processors_of(pipe.unet)[name] is p for name, p in before.items())


def test_what_they_compute_is_in_the_edit():
    plain = edited(tiny_pipeline(), attention_swap=False)
    assert not torch.allclose(edited(with_own("attn1", ""), attention_swap=False), plain, atol=1e-4)


def test_an_edit_that_changes_nothing_is_exact_with_them_too():
    """So the inversion and the reverse pass call the same network."""
    pipe = with_own("attn1", "")
    session = rd.ImageSession(pipe, picture(*SHAPE))
    still = box_pair(SHAPE, dx=8)
    shape = rd.RegionPair(still.handle, still.handle)
    out = [s.latents for s in session.edit([shape], attention_swap=False, content="latents")][-1]
    window = session._prepared.window_for(None, 0)
    assert torch.allclose(out, window.latents, atol=1e-4)


def test_a_processor_that_reads_no_keys_is_refused():
    pipe = with_own("attn1", "mid_block", Deaf)
    with pytest.raises(ValueError, match=r"the attention processor Deaf of mid_block.* does not call"):
        edited(pipe, attention_swap=False)


def test_cross_attention_of_the_users_own_is_called():
    pipe = with_own("attn2", "")
    edited(pipe)
    assert calls
    assert all(count == 4 for count in calls.values())


@pytest.mark.parametrize(
    "processor", [AttnProcessor, lambda: SlicedAttnProcessor(1)], ids=["plain", "sliced"]
)
def test_diffusers_own_plain_attention_is_replaced_and_gives_the_same(processor: Any):
    pipe = tiny_pipeline()
    expected = edited(pipe)
    for name, module in pipe.unet.named_modules():
        if name.endswith(("attn1", "attn2")):
            module.set_processor(processor())
    assert torch.allclose(edited(pipe), expected, atol=1e-4)
