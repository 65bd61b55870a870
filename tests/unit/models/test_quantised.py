"""Networks with quantised layers, as bitsandbytes and torchao make them: known by their interface alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import regiondrag_widget as rd
from regiondrag_widget.models.lora import fuse_lora
from tests.unit.engine_kit import box_pair, picture, tiny_pipeline, tiny_unet
from tests.unit.models.test_fewstep import write_lora

SHAPE = (96, 128)


class Int8Linear(nn.Module):
    """As bitsandbytes' Linear8bitLt: whole numbers for weights, which a call makes floats of."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        scale = plain.weight.detach().abs().max() / 127
        self.weight = nn.Parameter((plain.weight / scale).round().to(torch.int8), requires_grad=False)
        self.register_buffer("scale", scale)
        self.bias = plain.bias

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype) * self.scale, self.bias)


class Packed(Tensor):
    """As torchao's tensors: a float to whoever asks, whole numbers inside."""

    values: Tensor
    scale: Tensor

    @staticmethod
    def __new__(cls, values: Tensor, scale: Tensor) -> Packed:
        made = Tensor._make_wrapper_subclass(cls, values.shape, dtype=scale.dtype, device=values.device)
        made.values, made.scale = values, scale
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.detach.default:
            return cls(args[0].values, args[0].scale)
        plain = [a.values.to(a.scale.dtype) * a.scale if isinstance(a, Packed) else a for a in args]
        return func(*plain, **(kwargs or {}))


def int8(linear: nn.Linear) -> nn.Module:
    return Int8Linear(linear)


def packed(linear: nn.Linear) -> nn.Module:
    rounded = Int8Linear(linear)
    linear.weight = nn.Parameter(Packed(rounded.weight.data, rounded.scale), requires_grad=False)
    return linear


def rounded(linear: nn.Linear) -> nn.Module:
    """What both stand for, in plain floats."""
    kept = Int8Linear(linear)
    linear.weight = nn.Parameter(kept.weight.float() * kept.scale, requires_grad=False)
    return linear


def quantise(unet: Any, change: Any) -> None:
    for name, module in list(unet.named_modules()):
        if isinstance(module, nn.Linear) and "transformer_blocks" in name:
            above, _, last = name.rpartition(".")
            setattr(unet.get_submodule(above), last, change(module))


def edited(change: Any, **options: Any) -> tuple[Tensor, rd.ImageSession]:
    pipe = tiny_pipeline()
    quantise(pipe.unet, change)
    session = rd.ImageSession(pipe, picture(*SHAPE), **options)
    return [step.latents for step in session.edit([box_pair(SHAPE)])][-1], session


@pytest.mark.parametrize("change", [int8, packed])
def test_an_edit_is_that_of_the_rounded_weights(change: Any):
    expected, _ = edited(rounded)
    ours, session = edited(change)
    assert torch.allclose(ours, expected, atol=1e-4)
    assert session.inversion().cache.nbytes > 0
    list(session.edit([box_pair(SHAPE)]))
    assert "inversion" not in session.timings


def test_lora_weights_cannot_be_added_into_whole_numbers(tmp_path: Any):
    file = write_lora(tmp_path / "style.safetensors", "peft", tiny_unet())
    unet = tiny_unet()
    quantise(unet, int8)
    with pytest.raises(ValueError, match="is quantised, so LoRA weights cannot be added into it"):
        fuse_lora(unet, file)
