"""The fingerprint of a network changes when what it computes does, and only then."""

from __future__ import annotations

from typing import Any

import accelerate
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0

import regiondrag_widget as rd
from regiondrag_widget.models import attention, unet_network
from regiondrag_widget.models import fingerprint as fingerprints
from regiondrag_widget.models.attention import captured
from regiondrag_widget.models.fingerprint import fingerprint
from regiondrag_widget.models.keyvalues import KeyValueCache
from tests.unit.engine_kit import box_pair, picture, tiny_pipeline, tiny_unet


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


# ---- whatever changes what is computed ----


def hooked(unet: Any) -> None:
    unet.mid_block.register_forward_hook(lambda *_: None)


def forward_replaced(unet: Any) -> None:
    block = unet.mid_block
    original = block.forward
    block.forward = lambda *args, **kwargs: original(*args, **kwargs)


def seamless(unet: Any) -> None:
    for module in unet.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.padding_mode = "circular"


def own_processor(unet: Any) -> None:
    class Own(AttnProcessor2_0):
        pass

    first = next(m for n, m in unet.named_modules() if n.endswith("attn1"))
    first.set_processor(Own())


CHANGES = {
    "FreeU": lambda unet: unet.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4),
    "a hook": hooked,
    "a hook before": lambda unet: unet.conv_in.register_forward_pre_hook(lambda *_: None),
    "a forward": forward_replaced,
    "padding": seamless,
    "a processor": own_processor,
    "training": lambda unet: unet.train(),
    "an activation": lambda unet: setattr(unet, "conv_act", torch.nn.ReLU()),
    "a convolution": lambda unet: setattr(unet.conv_in, "stride", (2, 2)),
    "a scale in a list": lambda unet: setattr(unet.mid_block, "strengths", [0.5, {"a": 1}]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_is_changed_on_a_network_changes_it(change: Any):
    unet = tiny_unet()
    before = fingerprint(unet)
    change(unet)
    assert fingerprint(unet) != before


def test_freeu_is_off_again_when_it_is_off():
    """FreeU's factors are taken out by setting them to None; a second time off is no change."""
    unet = tiny_unet()
    unet.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    on = fingerprint(unet)
    unet.disable_freeu()
    off = fingerprint(unet)
    unet.disable_freeu()
    assert off != on
    assert fingerprint(unet) == off


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_a_call_changes_nothing(part: str):
    pipe = tiny_pipeline()
    before = fingerprint(getattr(pipe, part))
    list(rd.ImageSession(pipe, picture(96, 128)).edit([box_pair((96, 128))]))
    assert fingerprint(getattr(pipe, part)) == before


def test_our_processors_on_it_are_no_change():
    """Another thread may ask while an edit has its own on the network."""
    unet = tiny_unet()
    before = fingerprint(unet)
    with captured(unet, KeyValueCache()):
        assert fingerprint(unet) == before


def test_offloading_put_on_again_after_a_call_is_no_change():
    unet = tiny_unet()
    accelerate.cpu_offload_with_hook(unet, execution_device=torch.device("cpu"))
    before = fingerprint(unet)
    accelerate.hooks.remove_hook_from_module(unet)
    accelerate.cpu_offload_with_hook(unet, execution_device=torch.device("cpu"))
    assert fingerprint(unet) == before


@pytest.mark.parametrize("change", [CHANGES["FreeU"], CHANGES["padding"], CHANGES["a hook"]])
def test_a_session_edits_by_the_network_as_it_is(change: Any):
    """Its inversion was the unchanged network's; an edit after the change is that of a new session."""
    pipe = tiny_pipeline()
    pairs = [box_pair((96, 128))]
    session = rd.ImageSession(pipe, picture(96, 128))
    list(session.edit(pairs))
    change(pipe.unet)
    ours = [s.latents for s in session.edit(pairs)][-1]
    new = [s.latents for s in rd.ImageSession(pipe, picture(96, 128)).edit(pairs)][-1]
    assert torch.equal(ours, new)


def test_an_edit_walks_over_the_network_once(monkeypatch: pytest.MonkeyPatch):
    """A walk over SDXL takes longer than a graph saves in a call."""
    pipe = tiny_pipeline()
    walks: list[Any] = []
    real = fingerprints.network_state

    def counting(network: Any) -> Any:
        walks.append(network)
        return real(network)

    session = rd.ImageSession(pipe, picture(96, 128))
    list(session.edit([box_pair((96, 128))]))
    for module in (fingerprints, unet_network, attention):
        monkeypatch.setattr(module, "network_state", counting)
    list(session.edit([box_pair((96, 128), dx=20)]))
    assert [network is pipe.unet for network in walks].count(True) == 1
