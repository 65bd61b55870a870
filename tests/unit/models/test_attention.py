"""Keys and values: captured from the inversion, read by the edit, and the network left as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

import regiondrag_widget as rd
from regiondrag_widget.models.attention import captured, injected, swapped_layers
from regiondrag_widget.models.attention_masks import key_masks
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.regions import Correspondence
from tests.unit.engine_kit import box_pair, picture, processors_of, tiny_embeds, tiny_pipeline, tiny_unet

T = torch.tensor([300])


@pytest.fixture(scope="module")
def unet() -> Any:
    return tiny_unet()


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def other() -> Tensor:
    return torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _left_as_found(unet: Any) -> Iterator[None]:
    before = processors_of(unet)
    yield
    assert same_processors(unet, before)


def same_processors(unet: Any, before: dict[str, Any]) -> bool:
    now = processors_of(unet)
    return now.keys() == before.keys() and all(now[name] is before[name] for name in before)


@torch.inference_mode()
def predict(unet: Any, x: Tensor) -> Tensor:
    embeds = tiny_embeds().expand(len(x), -1, -1)
    return unet(x, T.expand(len(x)), encoder_hidden_states=embeds).sample


def cache_of(unet: Any, x: Tensor) -> KeyValueCache:
    cache = KeyValueCache()
    with captured(unet, cache):
        predict(unet, x)
    return cache


# ---- capture ----


def test_capturing_changes_nothing_of_the_prediction(unet: Any, x: Tensor):
    with captured(unet, KeyValueCache()):
        ours = predict(unet, x)
    assert torch.allclose(ours, predict(unet, x), atol=1e-5)


def test_what_is_captured_is_what_the_layer_projects(unet: Any, x: Tensor):
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1"
    seen: list[Tensor] = []
    hook = unet.get_submodule(layer).to_k.register_forward_hook(lambda *a: seen.append(a[2]))
    cache = cache_of(unet, x)
    hook.remove()
    assert torch.equal(cache.keys[layer][0], seen[0][0])


def test_a_batch_is_captured_level_by_level(unet: Any, x: Tensor, other: Tensor):
    cache = KeyValueCache()
    with captured(unet, cache):
        predict(unet, torch.cat([x, other]))
    for layer in cache.keys:
        assert torch.allclose(cache.keys[layer][0], cache_of(unet, x).keys[layer][0], atol=1e-5)
        assert torch.allclose(cache.keys[layer][1], cache_of(unet, other).keys[layer][0], atol=1e-5)


# ---- which layers ----


def test_only_self_attention_is_replaced(unet: Any):
    before = processors_of(unet)
    with injected(unet, KeyValueCache(), True):
        replaced = {name for name, p in processors_of(unet).items() if p is not before[name]}
    assert replaced == {name for name in before if name.endswith("attn1.processor")}


def test_without_the_swap_nothing_is_replaced(unet: Any):
    before = processors_of(unet)
    with injected(unet, KeyValueCache(), False):
        assert same_processors(unet, before)


def test_a_predicate_chooses_layers(unet: Any):
    chosen = swapped_layers(unet, lambda name: name.startswith("up_blocks"))
    assert chosen
    assert all(name.startswith("up_blocks") and name.endswith("attn1") for name in chosen)
    before = processors_of(unet)
    with injected(unet, KeyValueCache(), lambda name: name.startswith("up_blocks")):
        replaced = {name for name, p in processors_of(unet).items() if p is not before[name]}
    assert replaced == {f"{name}.processor" for name in chosen}


def test_a_predicate_that_refuses_all_is_no_swap(unet: Any, x: Tensor, other: Tensor):
    with injected(unet, cache_of(unet, other), lambda name: False):
        assert torch.equal(predict(unet, x), predict(unet, x))


# ---- injection ----


def test_injecting_its_own_keys_and_values_changes_nothing(unet: Any, x: Tensor):
    with injected(unet, cache_of(unet, x), True):
        ours = predict(unet, x)
    assert torch.allclose(ours, predict(unet, x), atol=1e-5)


def test_injected_keys_and_values_are_read(unet: Any, x: Tensor, other: Tensor):
    with injected(unet, cache_of(unet, other), True):
        ours = predict(unet, x)
    assert not torch.allclose(ours, predict(unet, x), atol=1e-4)


@pytest.mark.parametrize("store", ["keys", "values"])
def test_emptying_the_cache_changes_the_output(unet: Any, x: Tensor, other: Tensor, store: str):
    cache, zeroed = cache_of(unet, other), cache_of(unet, other)
    for layer, levels in getattr(zeroed, store).items():
        getattr(zeroed, store)[layer] = [torch.zeros_like(t) for t in levels]
    with injected(unet, cache, True):
        expected = predict(unet, x)
    with injected(unet, zeroed, True):
        assert not torch.allclose(predict(unet, x), expected, atol=1e-5)


def test_the_level_set_is_the_level_read(unet: Any, x: Tensor, other: Tensor):
    both = KeyValueCache()
    with captured(unet, both):
        predict(unet, torch.cat([x, other]))
    with injected(unet, both, True) as set_level:
        set_level(1)
        first = predict(unet, x)
        set_level(2)
        second = predict(unet, x)
    with injected(unet, cache_of(unet, other), True):
        expected = predict(unet, x)
    assert torch.allclose(first, predict(unet, x), atol=1e-5)
    assert torch.allclose(second, expected, atol=1e-5)


def test_keys_and_values_are_not_projected_only_to_be_thrown_away(unet: Any, x: Tensor, other: Tensor):
    cache = cache_of(unet, other)
    calls: list[str] = []
    hooks = [
        getattr(unet.get_submodule(layer), name).register_forward_hook(lambda *_, n=name: calls.append(n))
        for layer in swapped_layers(unet, True)
        for name in ("to_q", "to_k", "to_v")
    ]
    with injected(unet, cache, True):
        predict(unet, x)
    for hook in hooks:
        hook.remove()
    assert set(calls) == {"to_q"}


def test_hidden_keys_have_no_influence(unet: Any, x: Tensor, other: Tensor):
    """Whatever stands in the cache at hidden cells, at any resolution, the prediction is the same."""
    hidden = torch.zeros(16, 16, dtype=torch.bool)
    hidden[4:12, 4:12] = True
    spoilt = cache_of(unet, other)
    for store in (spoilt.keys, spoilt.values):
        for levels in store.values():
            side = int(levels[0].shape[0] ** 0.5)
            grid = levels[0].clone().view(side, side, -1)
            grid[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] += 100.0
            levels[0] = grid.flatten(0, 1)
    with injected(unet, cache_of(unet, other), True, hidden):
        expected = predict(unet, x)
    with injected(unet, spoilt, True, hidden):
        assert torch.allclose(predict(unet, x), expected, atol=1e-5)
    with injected(unet, spoilt, True):
        assert not torch.allclose(predict(unet, x), expected, atol=1e-3)


def test_only_the_blind_cells_miss_the_hidden_keys():
    """The moved content may look at its old place; the place it left may not."""
    hidden, masked_queries = torch.zeros(16, 16, dtype=torch.bool), torch.zeros(16, 16, dtype=torch.bool)
    hidden[:, :8], masked_queries[8:] = True, True
    masks = key_masks(hidden, masked_queries)
    seen = masks[256][0, 0].reshape(16, 16, 16, 16)  # query row, column; key row, column
    assert bool(seen[:8].all())
    assert not bool(seen[8:, :, :, :8].any())
    assert bool(seen[8:, :, :, 8:].all())


def test_hiding_all_keys_hides_none(unet: Any, x: Tensor, other: Tensor):
    with injected(unet, cache_of(unet, other), True, torch.ones(16, 16, dtype=torch.bool)):
        assert bool(predict(unet, x).isfinite().all())


# ---- put back ----


class Broken(Exception):
    pass


def fail_at(pipe: Any, call: int) -> None:
    """The UNet raises at its so-manieth call from now."""
    calls = [0]

    def count(*_: Any) -> None:
        calls[0] += 1
        if calls[0] == call:
            raise Broken

    pipe.unet.register_forward_pre_hook(count)


def latent_edit(pipe: Any, **options: Any) -> Any:
    cells = Correspondence(torch.tensor([[2, 3], [3, 3]]), torch.tensor([[9, 9], [10, 9]]))
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))
    return pipe(latents=latents, correspondence=cells, output_type="latent", **options).images


def test_attention_is_restored_after_an_edit():
    pipe = tiny_pipeline()
    before = processors_of(pipe.unet)
    latent_edit(pipe)
    assert same_processors(pipe.unet, before)


@pytest.mark.parametrize("call", [1, 2, 3])
def test_attention_is_restored_after_an_exception_in_the_middle_of_an_edit(call: int):
    """Call 1 is the inversion, the others the reverse pass."""
    pipe = tiny_pipeline()
    before = processors_of(pipe.unet)
    fail_at(pipe, call)
    with pytest.raises(Broken):
        latent_edit(pipe)
    assert same_processors(pipe.unet, before)


def test_attention_is_restored_after_an_exception_in_the_users_callback():
    pipe = tiny_pipeline()
    before = processors_of(pipe.unet)

    def callback(*_: Any) -> None:
        raise Broken

    with pytest.raises(Broken):
        latent_edit(pipe, callback_on_step_end=callback)
    assert same_processors(pipe.unet, before)


@pytest.fixture
def open_edit() -> tuple[Any, Callable[[], Any]]:
    pipe = tiny_pipeline()
    session = rd.ImageSession(pipe, picture(96, 96))
    return pipe, lambda: session.edit([box_pair((96, 96))])


def test_attention_is_restored_after_closing_the_generator_half_way(open_edit: Any):
    pipe, edit = open_edit
    before = processors_of(pipe.unet)
    steps = edit()
    next(steps)
    steps.close()
    assert same_processors(pipe.unet, before)


def test_attention_is_the_users_own_between_two_steps(open_edit: Any):
    """Whoever waits at a step may use the network for something else meanwhile."""
    pipe, edit = open_edit
    before = processors_of(pipe.unet)
    steps = edit()
    next(steps)
    assert same_processors(pipe.unet, before)


def test_two_edits_under_way_at_once_do_not_disturb_each_other():
    pipe = tiny_pipeline()
    before = processors_of(pipe.unet)
    pairs = [[box_pair((96, 96))], [box_pair((96, 96), dx=20, dy=40)]]
    alone = []
    for regions in pairs:
        session = rd.ImageSession(pipe, picture(96, 96))
        alone.append([step.latents for step in session.edit(regions)][-1])
    edits = [rd.ImageSession(pipe, picture(96, 96)).edit(regions) for regions in pairs]
    last: list[Any] = [None, None]
    for steps in zip(*edits, strict=True):
        last = [step.latents for step in steps]
    assert all(torch.allclose(ours, expected, atol=1e-5) for ours, expected in zip(last, alone, strict=True))
    assert same_processors(pipe.unet, before)


def test_gradients_are_the_users_own_between_two_steps(open_edit: Any):
    _, edit = open_edit
    steps = edit()
    next(steps)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_gradients_are_the_users_own_after_edits_that_end_out_of_order(open_edit: Any):
    _, edit = open_edit
    first, second = edit(), edit()
    next(first), next(second)
    first.close()
    second.close()
    try:
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
    finally:
        torch.set_grad_enabled(True)
