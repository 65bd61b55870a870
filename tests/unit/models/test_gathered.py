"""Keys and values that move along with the content."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import regiondrag_widget as rd
from regiondrag_widget.engine.inversion import Inversion, draw_path_noise, invert
from regiondrag_widget.engine.plan import latent_plan
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.models.attention import captured, injected
from regiondrag_widget.models.gathered import gathered
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.levels import edit_levels
from regiondrag_widget.regions import Correspondence
from tests.unit.engine_kit import box_pair, picture, tiny_embeds, tiny_pipeline, tiny_unet

SIDE = 16


def numbered(*sides: int) -> KeyValueCache:
    """A cache whose keys are the numbers of their tokens, a layer each resolution, values their negatives."""
    cache = KeyValueCache()
    for side in sides:
        key = torch.arange(side * side).float()[None, :, None]
        cache.append(f"layer of {side}", key, -key)
    return cache


def own(side: int = SIDE) -> Tensor:
    return torch.arange(side * side).view(side, side)


def box_moved(dx: int, dy: int) -> Tensor:
    """The 4 x 4 cells at (8, 8) come from (8 - dx, 8 - dy)."""
    index = own()
    index[8:12, 8:12] = own()[8 - dy : 12 - dy, 8 - dx : 12 - dx]
    return index


def grid(cache: KeyValueCache, side: int) -> Tensor:
    ((key, _),) = cache.level(1, [f"layer of {side}"])
    return key.view(side, side).long()


def shifted(reach: int) -> Correspondence:
    """16 cells at (4, 4) to `reach` cells further right."""
    ys, xs = np.mgrid[4:8, 4:8]
    source = np.stack([xs.ravel(), ys.ravel()], -1)
    return Correspondence(source, source + np.array([reach, 0]))


@pytest.fixture(scope="module")
def unet() -> Any:
    return tiny_unet()


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def predict(unet: Any, x: Tensor) -> Tensor:
    return unet(x, torch.tensor([300]), encoder_hidden_states=tiny_embeds()).sample  # type: ignore[no-any-return]


def cache_of(unet: Any, x: Tensor) -> KeyValueCache:
    cache = KeyValueCache()
    with captured(unet, cache):
        predict(unet, x)
    return cache


def test_cells_offer_what_they_came_from_at_the_finest_resolution():
    moved = gathered(numbered(SIDE), box_moved(5, 3))
    assert torch.equal(grid(moved, SIDE), box_moved(5, 3))


def test_coarser_cells_follow_by_their_share_of_the_way():
    moved = gathered(numbered(8, 4), box_moved(8, 4))
    expected = own(8)
    expected[4:6, 4:6] = own(8)[2:4, 0:2]
    assert torch.equal(grid(moved, 8), expected)
    expected = own(4)
    expected[2, 2] = own(4)[1, 0]
    assert torch.equal(grid(moved, 4), expected)


def test_a_coarse_cell_stays_where_less_than_half_of_it_moved():
    index = own()
    index[8, 8] = 0
    assert torch.equal(grid(gathered(numbered(8), index), 8), own(8))


def test_values_move_as_keys_do_at_every_level():
    cache, name = numbered(SIDE), f"layer of {SIDE}"
    cache.append(name, 2 * cache.keys[name][0][None], 2 * cache.values[name][0][None])
    moved = gathered(cache, box_moved(5, 3))
    for k in (1, 2):
        ((key, value),) = moved.level(k, [name])
        assert key.equal(k * box_moved(5, 3).flatten()[:, None].float())
        assert value.equal(-key)


def test_the_cache_itself_stays_as_it_was():
    cache = numbered(SIDE)
    list(gathered(cache, box_moved(5, 3)).level(1, list(cache.keys)))
    assert torch.equal(grid(cache, SIDE), own())


def test_a_cache_that_keeps_nothing_is_refused():
    with pytest.raises(ValueError, match="none are kept"):
        gathered(KeyValueCache(), own())


@pytest.mark.parametrize("shape", [(15, 16), (9, 7), (1, 3)])
def test_odd_grids_shrink_as_the_network_shrinks_them(shape: tuple[int, int]):
    h, w = shape
    cache = KeyValueCache()
    while True:
        cache.append(f"{h}x{w}", torch.rand(1, h * w, 1), torch.rand(1, h * w, 1))
        if h == w == 1:
            break
        h, w = -(-h // 2), -(-w // 2)
    layers = list(cache.keys)
    still = gathered(cache, torch.arange(shape[0] * shape[1]).view(shape))
    for (key, value), (own_key, own_value) in zip(
        still.level(1, layers), cache.level(1, layers), strict=True
    ):
        assert key.equal(own_key)
        assert value.equal(own_value)


def test_attention_does_not_care_where_among_all_a_key_lies(unet: Any, x: Tensor):
    """Both halves of the picture changed about: the same keys, so the same prediction."""
    cache = cache_of(unet, torch.flip(x, (2, 3)))
    with injected(unet, cache, True):
        plain = predict(unet, x)
    with injected(unet, gathered(cache, own().roll(SIDE // 2, 1)), True):
        exchanged = predict(unet, x)
    with injected(unet, gathered(cache, box_moved(5, 3)), True):
        moved = predict(unet, x)
    assert torch.allclose(plain, exchanged, atol=1e-5)
    assert not torch.allclose(plain, moved, atol=1e-5)


def edited(correspondence: Correspondence, **settings: Any) -> Tensor:
    clean = torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    out = tiny_pipeline()(
        latents=clean, correspondence=correspondence, content="latents", output_type="latent", **settings
    )
    return out.images  # type: ignore[no-any-return]


def test_where_nothing_moves_gathering_changes_nothing():
    assert torch.equal(edited(shifted(0), attention_swap="gathered"), edited(shifted(0), attention_swap=True))


def test_a_move_is_told_from_the_plain_swap_and_from_none():
    by = {str(swap): edited(shifted(6), attention_swap=swap) for swap in ("gathered", True, False)}
    assert not torch.allclose(by["gathered"], by["True"], atol=1e-4)
    assert not torch.allclose(by["gathered"], by["False"], atol=1e-4)


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_an_edit_with_gathered_keys_touches_nothing_outside(content: str):
    image, pair = picture(128, 128), box_pair((128, 128))
    session = rd.ImageSession(tiny_pipeline(), image)
    for _ in session.edit([pair], content=content, attention_swap="gathered"):
        pass
    assert session.result is not None
    assert session.result.settings["attention_swap"] == "gathered"
    out = np.asarray(session.result.image)
    assert (out == image)[~(pair.handle | pair.target)].all()
    assert (out != image)[pair.target].any()


def inversion() -> Inversion:
    pipe = tiny_pipeline()
    levels = edit_levels(pipe.backbone.alphas_cumprod, 6, 0.5)
    clean = torch.randn(4, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    noise = draw_path_noise(len(levels), tuple(clean.shape), torch.Generator().manual_seed(0))
    return invert(pipe.network(), clean, levels, noise)


def test_what_came_to_a_cell_is_seen_and_what_is_left_of_the_old_is_not():
    plan = latent_plan(inversion(), shifted(2), EditSettings(content="latents", attention_swap="gathered"))
    assert plan.sources is not None
    assert plan.hidden is not None
    assert plan.sources[5, 8] == 5 * SIDE + 6
    assert plan.hidden[4:8, 4:6].all()
    assert int(plan.hidden.sum()) == 8


def test_only_the_one_word_is_known():
    assert EditSettings(attention_swap="gathered").swap is True
    assert not EditSettings(attention_swap=True).gathers
    with pytest.raises(TypeError, match="or 'gathered' or 'live', got 'scattered'"):
        EditSettings(attention_swap="scattered")  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["device", "host"])
def test_it_does_not_matter_where_the_keys_are_kept(place: str):
    image, pair = picture(128, 128), box_pair((128, 128))
    session = rd.ImageSession(tiny_pipeline(), image, keys_values=place)
    usual = rd.ImageSession(tiny_pipeline(), image)
    for s in (session, usual):
        for _ in s.edit([pair], attention_swap="gathered"):
            pass
    assert session.result is not None
    assert usual.result is not None
    assert np.array_equal(np.asarray(session.result.image), np.asarray(usual.result.image))


def test_keys_kept_nowhere_cannot_be_gathered():
    session = rd.ImageSession(tiny_pipeline(), picture(128, 128), keys_values="recompute")
    with pytest.raises(ValueError, match="keys_values='host' or 'device'"):
        list(session.edit([box_pair((128, 128))], attention_swap="gathered"))
