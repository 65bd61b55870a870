"""Bent pairs and dense maps in the widget: from Python, from the browser, through runs, drafts and files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget.regions import encode_mask
from regiondrag_widget.widget.regions_state import UnfinishedPair
from tests.kernel.fake_browser import until


@pytest.fixture
def inside(handle):
    """Pins on the handle, and where they go."""
    y, x = (axis.astype(float) for axis in np.nonzero(handle))
    left, right = (x.min() + 2, np.median(y)), (x.max() - 2, np.median(y))
    middle = (x.mean(), y.mean())
    return [left, right, middle], [left, (right[0] + 4, right[1] - 5), middle]


def rows(pins, goals):
    return [[float(v) for v in (*pin, *goal)] for pin, goal in zip(pins, goals, strict=True)]


def dense_of(handle, dx=40):
    x, y = np.meshgrid(np.arange(handle.shape[1]), np.arange(handle.shape[0]))
    return np.stack([x - dx, y], axis=-1)


def test_a_bent_pair_reads_back_as_it_was(w, browser, handle, inside):
    pair = rd.RegionPair.bend(handle, *inside, name="arm")
    w.pairs.append(pair)
    assert w.pairs[0] == pair
    (entry,) = browser.updates[-1]["state"]["_pairs"]
    assert np.allclose(entry["pins"], rows(*inside))
    assert entry["matrix"] == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert pickle.loads(pickle.dumps(w.pairs[0])) == pair  # noqa: S301


def test_pins_that_the_browser_puts_are_there_at_once(w, browser, handle, inside):
    entry = {"id": "p1", "pins": rows(*inside), "matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1], "rev": 1}
    browser.write(_pairs=[entry], _masks={"h:p1": encode_mask(handle)}, _regions_rev=5)
    pair = w.pairs[0]
    assert pair == rd.RegionPair.bend(handle, *inside)
    assert pair.deformation is not None


def test_pins_that_fold_the_region_leave_it_unfinished_and_say_so(w, browser, handle, inside):
    pins, _ = inside
    entry = {"id": "p1", "pins": rows(pins, [pins[0], pins[2], pins[1]]), "rev": 1}
    browser.write(_pairs=[entry], _masks={"h:p1": encode_mask(handle)}, _regions_rev=5)
    assert isinstance(w.pairs[0], UnfinishedPair)
    assert "fold the handle over itself" in w.pairs[0].missing
    with pytest.raises(ValueError, match="pair 1: the pins fold"):
        w.run(wait=True)


@pytest.mark.parametrize(
    "pins",
    [
        [],
        "pins",
        [[1, 2, 3]],
        [[1, 2, 3, 4, 5]],
        [[1, 2, 3, None]],
        [[1, 2, 3, float("nan")]],
        [[1, 2, 3, 10**400]],
        [[0, 0, 0, 0]] * 65,
        {"0": [1, 2, 3, 4]},
    ],
)
def test_pins_of_another_form_are_refused(w, browser, handle, pins):
    entry = {"id": "p1", "pins": pins, "rev": 1}
    browser.write(_pairs=[entry], _masks={"h:p1": encode_mask(handle)}, _regions_rev=5)
    assert len(w.pairs) == 0
    assert "pins must be 1 to 64 rows of 4 finite numbers" in browser.messages[-1][0]["message"]


def test_a_run_of_the_browser_brings_its_pins(w, browser, handle, inside):
    pair = {"id": "p1", "name": "", "pins": rows(*inside), "matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1]}
    message = {
        "type": "run",
        "run": 1,
        "rev": 1,
        "params": {},
        "pairs": [{**pair, "handle": 0, "target": None}],
    }
    browser.send(message, [encode_mask(handle)])
    w.wait(timeout=60)
    assert w.result.pairs[0] == rd.RegionPair.bend(handle, *inside)
    restored = w.history[0].pairs[0]
    assert restored.deformation == w.result.pairs[0].deformation


def test_a_dense_map_stays_in_the_kernel_and_the_page_knows_its_key(w, browser, handle):
    pair = rd.RegionPair.warp(handle, dense_of(handle))
    w.pairs.append(pair)
    assert w.pairs[0] == pair
    state = browser.updates[-1]["state"]
    assert state["_pairs"][0]["dense"] == pair.deformation.key
    assert sorted(key[:2] for key in state["_masks"]) == ["h:", "t:"] or len(state["_masks"]) == 0


def test_a_dense_map_comes_back_when_the_page_undoes_its_removal(w, browser, handle):
    pair = rd.RegionPair.warp(handle, dense_of(handle))
    w.pairs.append(pair)
    entry = dict(browser.updates[-1]["state"]["_pairs"][0])
    browser.write(_pairs=[], _masks={}, _regions_rev=w._regions_rev + 1)
    assert len(w.pairs) == 0
    masks = {f"h:{entry['id']}": encode_mask(pair.handle), f"t:{entry['id']}": encode_mask(pair.target)}
    browser.write(_pairs=[entry], _masks=masks, _regions_rev=w._regions_rev + 1)
    assert w.pairs[0] == pair


def test_a_dense_map_is_there_for_undo_after_other_pairs_were_set(w, browser, handle, target):
    pair = rd.RegionPair.warp(handle, dense_of(handle))
    w.pairs.append(pair)
    entry = dict(browser.updates[-1]["state"]["_pairs"][0])
    w.pairs = [rd.RegionPair(handle, target)]
    masks = {f"h:{entry['id']}": encode_mask(pair.handle), f"t:{entry['id']}": encode_mask(pair.target)}
    browser.write(_pairs=[entry], _masks=masks, _regions_rev=w._regions_rev + 1)
    assert w.pairs[0] == pair


def test_a_dense_map_of_another_kernel_is_gone_and_says_so(w, browser, handle, target):
    entry = {"id": "p1", "dense": "0123", "rev": 1}
    masks = {"h:p1": encode_mask(handle), "t:p1": encode_mask(target)}
    browser.write(_pairs=[entry], _masks=masks, _regions_rev=5)
    assert isinstance(w.pairs[0], UnfinishedPair)
    assert "its dense map is gone" in w.pairs[0].missing


def test_a_bent_pair_is_run_and_saved_with_its_map(w, handle, inside, tmp_path):
    w.pairs = [rd.RegionPair.bend(handle, *inside), rd.RegionPair.warp(handle, dense_of(handle))]
    result = w.run(wait=True)
    assert [pair.deformation is None for pair in result.pairs] == [False, False]
    rd.save_regions(tmp_path / "s.zip", w.image, result.pairs)
    _, pairs = rd.load_regions(tmp_path / "s.zip")
    assert pairs == result.pairs


# -- what the page is told of maps that it cannot work out ---------------------------------------------------


@pytest.fixture
def page(browser):
    """A browser that has greeted the kernel."""
    browser.send({"type": "hello", "view": "v", "have": {}})
    return browser


def lattices(page, number):
    """The newest of at least so many `mapped` messages: its content, and the sources of its points."""
    until(lambda: len(page.of("mapped")) >= number)
    content, (data,) = [m for m in page.messages if m[0]["type"] == "mapped"][-1]
    return content, np.frombuffer(data, "<f4").reshape(content["rows"] + 1, content["columns"] + 1, 2)


def test_the_page_is_told_how_a_painted_target_goes(w, page, handle, target):
    page.draw("a", handle, target)
    content, source = lattices(page, 1)
    assert (content["pair"], content["rev"]) == ("a", w._regions_rev)
    left, top, right, bottom = content["edges"]
    x, y = np.meshgrid(
        np.linspace(left, right, content["columns"] + 1), np.linspace(top, bottom, content["rows"] + 1)
    )
    found = rd.pixel_map(w.pairs[0]).source_xy
    inside = np.zeros(x.shape, bool)
    on_picture = (x >= 0) & (y >= 0) & (x < 127) & (y < 95)
    inside[on_picture] = target[y[on_picture].astype(int), x[on_picture].astype(int)]
    off = np.linalg.norm(source - found[y.astype(int).clip(0, 95), x.astype(int).clip(0, 127)], axis=-1)
    assert off[inside].mean() < 1


def test_the_page_is_told_how_a_dense_map_goes_and_nothing_of_a_matrix(w, page, handle, inside):
    w.add_pair(handle, matrix=[[1, 0, 50], [0, 1, 0], [0, 0, 1]])
    w.pairs.append(rd.RegionPair.bend(handle, *inside))
    w.pairs.append(rd.RegionPair.warp(handle, dense_of(handle)))
    content, source = lattices(page, 1)
    assert content["pair"] == w._pairs[2]["id"]
    assert len(page.of("mapped")) == 1
    left, top, *_ = content["edges"]
    assert np.allclose(source[0, 0], [left - 40, top], atol=0.51)


def test_another_target_is_told_again_and_the_same_one_is_not(w, page, handle, target):
    page.draw("a", handle, target)
    lattices(page, 1)
    page.write(_selected=0)
    page.draw("a", handle, np.roll(target, 5, axis=0))
    lattices(page, 2)
    assert len(page.of("mapped")) == 2
