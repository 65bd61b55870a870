"""Keys and values of the picture's tokens, in the attention of each transformer family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from regiondrag_widget.models.attention_masks import score_biases
from regiondrag_widget.models.fingerprint import network_state
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.processors import installed
from regiondrag_widget.models.qwen_attention import QwenAttention
from regiondrag_widget.models.sd3_attention import SD3Attention
from regiondrag_widget.models.token_attention import BesideSource, KeyValueRole, Read, Written
from regiondrag_widget.models.z_attention import ZAttention
from tests.unit.engine_kit import TEXT_WIDTH
from tests.unit.transformer_kit import qwen_transformer, sd3_transformer, z_transformer

GRID = (3, 5)  # tokens; 15, which is no multiple of 32, so that Z-Image fills it up
TOKENS = GRID[0] * GRID[1]
WORDS = 7


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Family:
    """One family's network, and how it is called on (B, 16, h, w) latents."""

    def __init__(self, net: Any, processor: Any, call: Callable[[Any, Tensor, Tensor], Tensor]) -> None:
        self.net, self.processor, self._call = net, processor, call
        found = network_state(net).attention
        self.layers = {name: module for name, module in found.items() if "context_refiner" not in name}

    def __call__(self, x: Tensor, sigma: float = 0.5) -> Tensor:
        with torch.inference_mode():
            return self._call(self.net, x, torch.full((len(x),), sigma))

    def using(self, roles: dict[str, KeyValueRole]) -> Any:
        return installed((self.layers[name], self.processor(role)) for name, role in roles.items())

    def captured(self, x: Tensor) -> KeyValueCache:
        cache = KeyValueCache()
        with self.using({name: Written(name, cache, TOKENS) for name in self.layers}):
            self(x)
        return cache


def call_sd3(net: Any, x: Tensor, sigma: Tensor) -> Tensor:
    text, pooled = noise(1, WORDS, 2 * TEXT_WIDTH + 8, seed=1), noise(1, 2 * TEXT_WIDTH, seed=2)
    rows = len(x)
    return net(x, text.expand(rows, -1, -1), pooled.expand(rows, -1), 1000 * sigma, return_dict=False)[0]


def call_qwen(net: Any, x: Tensor, sigma: Tensor, references: int = 0) -> Tensor:
    rows, text = len(x), noise(1, WORDS, TEXT_WIDTH, seed=1)
    packed = torch.nn.functional.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)
    shapes = [(1, *GRID)]
    if references:
        packed = torch.cat([packed, noise(1, TOKENS, 64, seed=8).expand(rows, -1, -1)], 1)
        shapes.append((1, *GRID))
    out = net(packed, text.expand(rows, -1, -1), None, sigma, [shapes] * rows, return_dict=False)[0]
    return out[:, :TOKENS]


def call_z(net: Any, x: Tensor, sigma: Tensor) -> Tensor:
    text = noise(WORDS, TEXT_WIDTH, seed=1)
    out = net(list(x[:, :, None]), 1 - sigma, [text] * len(x), return_dict=False)[0]
    return -torch.stack(list(out))


FAMILIES: dict[str, Callable[[], Family]] = {
    "sd3": lambda: Family(sd3_transformer(), SD3Attention, call_sd3),
    "sd3 without a second attention": lambda: Family(sd3_transformer(dual=False), SD3Attention, call_sd3),
    "qwen": lambda: Family(qwen_transformer(), QwenAttention, call_qwen),
    "qwen with a reference": lambda: Family(
        qwen_transformer(), QwenAttention, lambda net, x, sigma: call_qwen(net, x, sigma, 1)
    ),
    "zimage": lambda: Family(z_transformer(), ZAttention, call_z),
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]()


@pytest.fixture
def x() -> Tensor:
    return noise(2, 16, 2 * GRID[0], 2 * GRID[1], seed=3)


def test_our_attention_equals_the_familys_own(family: Family, x: Tensor):
    plain = family(x)
    with family.using({name: KeyValueRole() for name in family.layers}):
        assert torch.allclose(family(x), plain, atol=1e-6)
    assert all(type(m.processor).__module__.startswith("diffusers.") for m in family.layers.values())


def test_the_pictures_tokens_alone_are_kept(family: Family, x: Tensor):
    cache = family.captured(x)
    assert list(cache.keys) == list(family.layers)
    for name, module in family.layers.items():
        assert [t.shape for t in cache.keys[name]] == [(TOKENS, module.to_k.out_features)] * 2
        assert [t.shape for t in cache.values[name]] == [(TOKENS, module.to_v.out_features)] * 2


def test_reading_ones_own_keys_changes_nothing(family: Family, x: Tensor):
    cache, roles = family.captured(x[:1]), {name: Read() for name in family.layers}
    for (key, value), role in zip(cache.level(1, list(roles)), roles.values(), strict=True):
        role.key, role.value = key[None], value[None]
    with family.using(roles):
        reading = family(x[:1])
    assert torch.allclose(reading, family(x[:1]), atol=1e-6)


def test_injected_keys_equal_a_run_beside_the_original(family: Family, x: Tensor):
    cache, roles = family.captured(x[:1]), {name: Read() for name in family.layers}
    for (key, value), role in zip(cache.level(1, list(roles)), roles.values(), strict=True):
        role.key, role.value = key[None], value[None]
    with family.using(roles):
        injected = family(x[1:])
    with family.using({name: BesideSource(TOKENS) for name in family.layers}):
        beside = family(x)
    assert torch.allclose(beside[:1], family(x[:1]), atol=1e-6)  # the source sees itself
    assert torch.allclose(beside[1:], injected, atol=1e-6)
    assert not torch.allclose(injected, family(x[1:]), atol=1e-4)


@pytest.mark.parametrize("everyone", [True, False])
def test_hidden_keys_are_not_looked_at(family: Family, x: Tensor, everyone: bool):
    """What stands in hidden cells does not matter to the queries that may not see them."""
    hidden = torch.zeros(2 * GRID[0], 2 * GRID[1], dtype=torch.bool)
    hidden[:2, :4] = True  # two tokens
    masked = None
    if not everyone:
        masked = torch.zeros_like(hidden)
        masked[4:, 4:] = True
    bias = score_biases(hidden, masked, torch.float32, {TOKENS})[TOKENS]
    last = list(family.layers)[-1]
    cache = family.captured(x[:1])
    outputs = []
    for change in (0.0, 5.0):
        role = Read()
        key, value = cache.keys[last][0].clone(), cache.values[last][0].clone()
        key[:2] += change
        value[:2] -= change
        role.key, role.value, role.bias = key[None], value[None], bias
        with family.using({last: role}):
            outputs.append(as_tokens(family(x[1:])))
    same = (outputs[0] - outputs[1]).abs().amax(-1)[0].reshape(GRID) < 1e-6
    assert bool(same.all()) if everyone else same[2:, 2:].all() and not same[:2, :2].any()


def as_tokens(out: Tensor) -> Tensor:
    """(B, N, C), of latents or of tokens."""
    if out.ndim == 3:
        return out
    return torch.nn.functional.pixel_unshuffle(out.flatten(1, -3), 2).flatten(2).transpose(1, 2)
