"""Cross attention with the prompt's keys and values ready: diffusers' own numbers, computed once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.textattention import TextAttention
from regiondrag_widget.models.unet import UNetBackbone, UNetNetwork
from tests.unit.engine_kit import TEXT_WIDTH, processors_of, tiny_scheduler, tiny_unet, tiny_vae

T = torch.tensor([300])


def embeds(tokens: int) -> Tensor:
    return torch.randn(1, tokens, TEXT_WIDTH, generator=torch.Generator().manual_seed(tokens))


def latents(batch: int = 1) -> Tensor:
    return torch.randn(batch, 4, 16, 16, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def predicted(unet: Any, text: Tensor, batch: int = 1) -> Tensor:
    given = text.expand(batch, -1, -1)
    return unet(latents(batch), T.expand(batch), encoder_hidden_states=given).sample


@pytest.mark.parametrize("tokens", [1, 2, 77])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_prompts_ready_keys_and_values_change_nothing(tokens: int, batch: int):
    unet = tiny_unet()
    expected = predicted(unet, embeds(tokens), batch)
    text = TextAttention(unet, embeds(tokens))
    with text.installed():
        assert torch.allclose(predicted(unet, embeds(tokens), batch), expected, atol=1e-5)


def test_the_prompt_ready_is_the_one_that_is_read():
    unet = tiny_unet()
    with TextAttention(unet, embeds(7)).installed():
        assert torch.allclose(predicted(unet, embeds(3)), predicted(unet, embeds(7)), atol=1e-5)


def test_the_prompt_is_not_projected_again():
    unet = tiny_unet()
    text = TextAttention(unet, embeds(7))
    calls: list[str] = []
    for name, module in unet.named_modules():
        if name.endswith(("attn2.to_k", "attn2.to_v")):
            module.register_forward_hook(lambda *_, n=name: calls.append(n))
    with text.installed():
        predicted(unet, embeds(7))
    assert calls == []
    predicted(unet, embeds(7))
    assert calls


def test_of_a_single_token_nothing_is_asked():
    unet = tiny_unet()
    text = TextAttention(unet, embeds(1))
    calls: list[str] = []
    for name, module in unet.named_modules():
        if ".attn2.to_" in name:
            module.register_forward_hook(lambda *_, n=name: calls.append(n))
    with text.installed():
        predicted(unet, embeds(1))
    assert calls == []


class Adapter(AttnProcessor2_0):
    """As an IP-Adapter's: not diffusers' stock processor."""


def test_processors_of_adapters_stay():
    unet = tiny_unet()
    layer = next(m for n, m in unet.named_modules() if n.endswith("attn2"))
    layer.set_processor(Adapter())
    with TextAttention(unet, embeds(3)).installed():
        assert type(layer.processor) is Adapter


def test_the_network_is_as_it_was_afterwards():
    unet = tiny_unet()
    before = processors_of(unet)
    with pytest.raises(KeyError), TextAttention(unet, embeds(3)).installed():
        raise KeyError
    assert all(p is before[name] for name, p in processors_of(unet).items())


def test_the_networks_own_gradients_still_flow():
    """What the inversion has kept of the prompt does not stand in the way of an optimisation."""
    backbone = UNetBackbone(tiny_vae(), tiny_unet(), tiny_scheduler())
    network = UNetNetwork(backbone, Condition(embeds(3).double()))
    with torch.inference_mode():
        network.capture(latents(), T, KeyValueCache())
    x = latents().requires_grad_()
    network.predict(x, T).sum().backward()
    assert x.grad is not None
    assert bool(x.grad.abs().sum() > 0)


def test_other_weights_are_projected_anew():
    backbone = UNetBackbone(tiny_vae(), tiny_unet(), tiny_scheduler())
    network = UNetNetwork(backbone, Condition(embeds(3)))
    network.capture(latents(), T, KeyValueCache())
    with torch.no_grad():
        for name, weight in backbone.unet.named_parameters():
            if name.endswith("attn2.to_v.weight"):
                weight.mul_(-3)
    with torch.inference_mode():
        ours = network.capture(latents(), T, KeyValueCache())
    assert torch.allclose(ours, predicted(backbone.unet, embeds(3)), atol=1e-5)
