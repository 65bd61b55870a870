"""The fingerprint of a network changes when what it computes does, and only then."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from regiondrag_widget.models.fingerprint import fingerprint
from tests.unit.engine_kit import tiny_pipeline, tiny_unet


class LoraLinear(torch.nn.Linear):
    """What a LoRA library puts in a layer's place, as far as its state shows."""

    def __init__(self, inner: torch.nn.Linear) -> None:
        super().__init__(inner.in_features, inner.out_features)
        self.weight, self.bias = inner.weight, inner.bias
        self.active_adapters, self.scaling = ["style"], {"style": 1.0}
        self.merged_adapters: list[str] = []
        self.disable_adapters = False


def with_adapter() -> tuple[Any, LoraLinear]:
    unet = tiny_unet()
    layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    layer.to_q = LoraLinear(layer.to_q)
    return unet, layer.to_q


def test_a_network_at_rest_keeps_its_fingerprint():
    pipe = tiny_pipeline()
    before = pipe.backbone.fingerprint()
    with torch.inference_mode():
        pipe.backbone.decode(torch.zeros(1, 4, 8, 8))
    assert pipe.backbone.fingerprint() == before
    assert hash(before) == hash(pipe.backbone.fingerprint())


def test_two_networks_have_two():
    first, second = tiny_unet(), tiny_unet()
    assert fingerprint(first) != fingerprint(second)


@pytest.mark.parametrize(
    "change",
    [
        lambda unet: unet.conv_in.weight.mul_(2),
        lambda unet: unet.load_state_dict(tiny_unet(seed=1).state_dict()),
        lambda unet: unet.to(torch.float16),
        lambda unet: setattr(unet, "conv_in", torch.nn.Conv2d(4, 8, 3, padding=1)),
    ],
    ids=["in place", "loaded", "cast", "replaced"],
)
def test_other_weights_change_it(change: Any):
    unet = tiny_unet()
    before = fingerprint(unet)
    with torch.no_grad():
        change(unet)
    assert fingerprint(unet) != before


def test_an_adapter_changes_it():
    unet = tiny_unet()
    before = fingerprint(unet)
    layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    layer.to_q = LoraLinear(layer.to_q)
    assert fingerprint(unet) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.scaling.update(style=0.5),
        lambda layer: setattr(layer, "active_adapters", []),
        lambda layer: setattr(layer, "disable_adapters", True),
        lambda layer: layer.merged_adapters.append("style"),
    ],
    ids=["scale", "off", "disabled", "merged"],
)
def test_an_adapters_state_changes_it(change: Any):
    unet, layer = with_adapter()
    before = fingerprint(unet)
    change(layer)
    assert fingerprint(unet) != before


def test_the_scale_of_an_image_prompt_changes_it():
    unet = tiny_unet()
    processor = next(m.processor for n, m in unet.named_modules() if n.endswith("attn2"))
    processor.scale = [1.0]
    before = fingerprint(unet)
    processor.scale = [0.5]
    assert fingerprint(unet) != before
