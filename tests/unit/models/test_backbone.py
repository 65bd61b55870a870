"""A backbone that is neither a UNet nor variance preserving runs whole edits: the protocol is enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import regiondrag_widget as rd
from regiondrag_widget.models.backbone import Backbone, Condition, Network
from regiondrag_widget.models.flow_levels import flow_levels
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.model import Model, model_of
from regiondrag_widget.models.profile import BackboneProfile
from tests.unit.engine_kit import box_pair, picture

SHAPE = (64, 96)
CELL, WIDTH = 4, 32


class FlowBackbone:
    """A rectified flow on 4 px patches: one self-attention over the cells, random weights, an exact codec."""

    device, dtype, channels, cell, multiple = torch.device("cpu"), torch.float32, 3 * CELL * CELL, CELL, CELL
    replays, acceleration, has_draft_codec = False, "eager", False

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.basis = torch.linalg.qr(torch.randn(self.channels, self.channels))[0]
        self.qkv, self.out = nn.Linear(self.channels, 3 * WIDTH), nn.Linear(WIDTH, self.channels)

    def encode(self, pixels: Tensor) -> Tensor:
        return torch.einsum("bchw,dc->bdhw", nn.functional.pixel_unshuffle(pixels, CELL), self.basis)

    def decode(self, latents: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(torch.einsum("bdhw,dc->bchw", latents, self.basis), CELL)

    encode_draft, decode_draft = encode, decode

    def levels(
        self,
        steps: int,
        start: float,
        timesteps: Sequence[float] | None = None,
        *,
        released: bool = False,
        size: tuple[int, int] | None = None,
    ) -> Levels:
        if released or timesteps is not None:
            raise ValueError("a flow has levels of its own: say steps and start")
        return flow_levels([k / steps for k in range(1, steps + 1)], start)

    def condition(self, embeds: Tensor | None, name: str = "prompt") -> Condition:
        return Condition(torch.zeros(1, 1, 1))

    def network(self, condition: Condition) -> FlowNetwork:
        return FlowNetwork(self)

    def fingerprint(self) -> tuple[object, ...]:
        return (self.qkv.weight._version, self.out.weight._version)


class FlowNetwork:
    prediction_type = "flow_prediction"

    def __init__(self, backbone: FlowBackbone) -> None:
        self.backbone, self.calls = backbone, 0

    def _velocity(self, x: Tensor, given: tuple[Tensor, Tensor] | None, bias: Tensor | None = None) -> Any:
        self.calls += 1
        q, k, v = self.backbone.qkv(x.flatten(2).transpose(1, 2)).chunk(3, -1)  # (B, N, WIDTH) each
        k, v = (k, v) if given is None else (given[0].expand_as(k), given[1].expand_as(v))
        seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.backbone.out(seen).transpose(1, 2).reshape(x.shape), k, v

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        return self._velocity(x, None)[0]

    def capture(self, x: Tensor, timesteps: Tensor, cache: KeyValueCache) -> Tensor:
        output, key, value = self._velocity(x, None)
        cache.append("only", key, value)
        return output

    @contextmanager
    def inject(
        self, cache: KeyValueCache, swap: Any, hidden: Tensor | None, masked_queries: Tensor | None
    ) -> Iterator[Any]:
        bias = None
        if hidden is not None:
            queries = torch.ones_like(hidden) if masked_queries is None else masked_queries
            bias = torch.where(queries.flatten()[:, None] & hidden.flatten()[None], -torch.inf, 0.0)

        def predict(k: int, timestep: float, x: Tensor) -> Tensor:
            given = next(cache.level(k, ["only"])) if swap else None
            return self._velocity(x, given, bias)[0]

        yield predict

    def batch_size(self, height: int, width: int) -> int:
        return 2

    def level_bytes(self, height: int, width: int) -> int:
        return height * width * 2 * WIDTH * 4


@pytest.fixture
def model() -> Model:
    profile = BackboneProfile(96, 64, takes_text=False, defaults={"steps": 8, "start": 0.4, "stop": 0.1})
    return Model(FlowBackbone(), profile, "a flow")


def test_it_is_a_backbone(model: Model):
    backbone: Backbone = model.backbone  # mypy holds it to the protocol
    network: Network = model.network()
    assert backbone.channels == 48
    assert network.calls == 0


def test_rd_edit_takes_a_model(model: Model):
    image, pair = picture(*SHAPE), box_pair(SHAPE)
    assert rd.load_pipeline(model) is model
    result = rd.edit(image, [pair], model)
    session = rd.ImageSession(model, image, seed=0)
    list(session.edit([pair]))
    assert result.settings["model"] == "a flow"
    assert result.settings["steps"] == 8
    assert np.array_equal(result.array, session.result.array)


def test_a_widget_edits_with_a_model(model: Model):
    image, pair = picture(*SHAPE), box_pair(SHAPE)
    widget = rd.RegionDragWidget(image, pairs=[pair], model=model)
    try:
        assert widget.settings["model"] == "a flow"
        assert (widget.settings["steps"], widget.settings["stop"]) == (8, 0.1)  # before it was ever run
        widget.run(wait=True)
        assert np.array_equal(widget.result.array, rd.edit(image, [pair], model).array)
    finally:
        widget.close()


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_a_whole_edit_runs_on_a_flow(model: Model, content: str):
    image, pair = picture(*SHAPE), box_pair(SHAPE)
    session = rd.ImageSession(model, image, seed=0)
    steps = list(session.edit([pair], content=content))
    assert [step.index for step in steps] == [1, 2, 3, 4]
    assert all(bool(torch.isfinite(step.latents).all()) for step in steps)
    out, touched = session.result.array, pair.handle | pair.target
    assert np.array_equal(out[~touched], image[~touched])
    assert not np.array_equal(out[touched], image[touched])
    assert session.result.settings["model"] == "a flow"
    assert len(session.result.steps) == 4


def test_latents_where_nothing_changes_come_back_exactly(model: Model):
    session = rd.ImageSession(model, picture(*SHAPE), seed=0)
    pair = box_pair(SHAPE)
    last = list(session.edit([pair], content="latents"))[-1].latents
    clean = model.backbone.encode(torch.from_numpy(picture(*SHAPE)).permute(2, 0, 1)[None] / 127.5 - 1)[0]
    cells = torch.from_numpy((pair.handle | pair.target).reshape(16, 4, 24, 4).any((1, 3)))
    assert torch.allclose(last[:, ~cells], clean[:, ~cells], atol=1e-4)


def test_a_second_edit_makes_no_inversion_call(model: Model):
    session = rd.ImageSession(model, picture(*SHAPE), seed=0)
    list(session.edit([box_pair(SHAPE)]))
    before = session._network.calls
    list(session.edit([box_pair(SHAPE, dx=8)]))
    assert session._network.calls - before == 4  # the levels of the reverse pass, and no more


@pytest.mark.parametrize("keys_values", ["host", "device"])
def test_drafts_and_the_places_of_keys_and_values_work(model: Model, keys_values: str):
    session = rd.ImageSession(model, picture(*SHAPE), keys_values=keys_values)
    list(session.draft([box_pair(SHAPE)], calls=2))
    assert session.drafted.calls == 2


def test_a_level_the_backbone_does_not_have_is_refused(model: Model):
    with pytest.raises(ValueError, match="levels of its own"):
        rd.ImageSession(model, picture(*SHAPE), preset="released")


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="a RegionDragPipeline or a Model is needed, not str"):
        rd.ImageSession("mini", picture(*SHAPE))
    with pytest.raises(TypeError, match="not object"):
        model_of(object())


def test_a_replaced_part_is_noticed():
    from tests.unit.engine_kit import tiny_pipeline, tiny_unet

    pipe = tiny_pipeline()
    image, pair = picture(96, 128), box_pair((96, 128))
    before = rd.edit(image, [pair], pipe).array
    pipe.unet = tiny_unet(seed=5)
    assert pipe.backbone.unet is pipe.unet
    assert not np.array_equal(rd.edit(image, [pair], pipe).array, before)
