"""Regions, picture and settings: what Python writes the browser sees, and the other way round."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.regions import decode_mask, encode_mask
from regiondrag_widget.widget.regions_state import UnfinishedPair
from tests.kernel.fake_browser import FakeBrowser

SHIFT = [[1, 0, 50], [0, 1, 0], [0, 0, 1]]


def heard(w, *names):
    """What observers are told from now on: (name, new)."""
    said = []
    w.observe(lambda change: said.append((change["name"], change["new"])), list(names))
    return said


# -- pairs ---------------------------------------------------------------------------------------------------


def test_a_pair_added_in_python_reads_back_bit_for_bit(w, handle, target):
    w.add_pair(handle, target, name="disc")
    pair = w.pairs[0]
    assert pair.name == "disc"
    assert np.array_equal(pair.handle, handle)
    assert np.array_equal(pair.target, target)
    assert pair.handle.dtype == bool


def test_a_pair_with_a_matrix_has_the_target_the_matrix_gives(w, handle, target):
    w.add_pair(handle, matrix=SHIFT)
    assert np.array_equal(w.pairs[0].target, target)
    assert np.array_equal(w.pairs[0].matrix, SHIFT)


def test_a_pair_added_in_python_reaches_the_browser_in_one_update(w, browser, handle, target):
    w.add_pair(handle, target)
    (update,) = browser.updates
    assert {"_pairs", "_masks", "_regions_rev"} <= update["state"].keys()
    (entry,) = update["state"]["_pairs"]
    assert entry["hasTarget"] is True
    assert len(update["buffer_paths"]) == 2


def test_what_the_browser_draws_is_there_at_once(w, browser, handle, target):
    browser.draw("p1", handle, target)
    assert len(w.pairs) == 1
    assert np.array_equal(w.pairs[0].handle, handle)
    assert np.array_equal(w.pairs[0].target, target)


def test_a_handle_without_a_target_reads_as_a_draft(w, browser, handle):
    browser.draw("p1", handle, None)
    draft = w.pairs[0]
    assert isinstance(draft, UnfinishedPair)
    assert np.array_equal(draft.handle, handle)
    assert not draft.target.any()
    assert "target is empty" in draft.missing


def test_masks_are_decoded_once_until_they_change(w, browser, handle, target):
    browser.draw("p1", handle, target)
    first = w.pairs[0]
    assert w.pairs[0] is first
    browser.draw("p1", target, handle)
    assert w.pairs[0] is not first
    assert np.array_equal(w.pairs[0].handle, target)


def test_the_pairs_behave_like_a_list(w, handle, target):
    a, b = rd.RegionPair(handle, target, name="a"), rd.RegionPair(target, handle, name="b")
    w.pairs = [a]
    w.pairs.append(b)
    assert w.pairs == [a, b]
    assert w.pairs[-1] == b
    assert w.pairs[0:2] == [a, b]
    w.pairs[0] = b
    assert [p.name for p in w.pairs] == ["b", "b"]
    w.pairs.insert(0, a)
    del w.pairs[1:]
    assert w.pairs == [a]
    w.pairs += [b]
    assert len(w.pairs) == 2
    w.pairs.reverse()
    assert w.pairs == [b, a]


def test_the_list_of_pairs_is_live(w, browser, handle, target):
    pairs = w.pairs
    browser.draw("p1", handle, target)
    assert len(pairs) == 1


def test_a_pair_can_be_removed_and_all_cleared(w, handle, target):
    w.add_pair(handle, target, name="a")
    w.add_pair(target, handle, name="b")
    w.remove_pair(0)
    assert [p.name for p in w.pairs] == ["b"]
    assert len(w._masks) == 2
    w.clear()
    assert len(w.pairs) == 0
    assert w._masks == {}


def test_removing_a_pair_that_is_not_there_says_so(w):
    with pytest.raises(IndexError):
        w.remove_pair(0)
    with pytest.raises(IndexError, match="there is no pair 3"):
        w.pairs[3]


def test_each_pair_gets_a_shade_of_its_own_and_a_freed_one_is_used_again(w, handle, target):
    for _ in range(3):
        w.add_pair(handle, target)
    w.remove_pair(1)
    w.add_pair(handle, target)
    assert [entry["color"] for entry in w._pairs] == [0, 2, 1]


def test_masks_of_another_size_than_the_picture_are_refused(w, handle, target):
    with pytest.raises(ValueError, match="128x96"):
        w.add_pair(handle[:50], target[:50])
    assert len(w.pairs) == 0


def test_something_else_than_a_pair_is_refused(w):
    with pytest.raises(TypeError, match="RegionPair"):
        w.pairs = [3]


def test_observers_hear_of_every_change_to_the_pairs_once(w, browser, handle, target):
    said = heard(w, "pairs")
    w.add_pair(handle, target)
    browser.draw("p1", handle, target)
    w.pairs = [rd.RegionPair(handle, target)] * 2
    w.clear()
    assert len(said) == 4
    assert said[0][1] is w.pairs


def test_the_protect_mask_goes_both_ways(w, browser, target):
    assert w.protect is None
    w.protect = target
    assert np.array_equal(w.protect, target)
    assert np.array_equal(decode_mask(w._masks["protect"]), target)
    browser.write(_masks={"protect": encode_mask(~target)}, _regions_rev=9)
    assert np.array_equal(w.protect, ~target)
    w.protect = None
    assert "protect" not in w._masks
    with pytest.raises(ValueError, match="shape"):
        w.protect = target[:10]


# -- the picture ---------------------------------------------------------------------------------------------


def png_of(array):
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    "make",
    [lambda rgb, path: path, lambda rgb, path: str(path), lambda rgb, path: path.read_bytes(),
     lambda rgb, path: Image.fromarray(rgb), lambda rgb, path: rgb],
    ids=["path", "string", "bytes", "PIL", "array"],
)  # fmt: skip
def test_a_picture_comes_as_path_bytes_image_or_array(engine, rgb, photo, make):
    w = rd.RegionDragWidget(make(rgb, photo))
    assert np.array_equal(np.asarray(w.image), rgb)
    shown = Image.open(io.BytesIO(w._image))
    assert np.array_equal(np.asarray(shown), rgb)
    assert w._image_info["width"], w._image_info["height"] == (128, 96)
    w.close()


def test_without_a_picture_a_bundled_one_is_shown(engine):
    w = rd.RegionDragWidget()
    assert min(w.image.size) >= 256
    assert w._image_info["name"] in rd.examples.names()
    w.close()


def test_a_path_names_the_picture(engine, photo):
    w = rd.RegionDragWidget(photo)
    assert w._image_info["name"] == "photo.png"
    w.close()


def test_transparency_survives(engine, rgb):
    rgba = np.dstack([rgb, np.arange(96)[:, None].repeat(128, 1).astype(np.uint8)])
    w = rd.RegionDragWidget(rgba)
    assert w._image_info["alpha"] is True
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(w._image)))[..., 3], rgba[..., 3])
    w.close()


def test_a_large_photograph_travels_as_jpeg(engine):
    noise = np.random.default_rng(0).integers(0, 255, (1200, 1600, 3), dtype=np.uint8)
    w = rd.RegionDragWidget(noise)
    assert w._image_info["mime"] == "image/jpeg"
    assert Image.open(io.BytesIO(w._image)).size == (1600, 1200)
    assert np.array_equal(np.asarray(w.image), noise)
    w.close()


def test_another_picture_clears_the_drawing_and_has_a_new_revision(w, browser, rgb, handle, target):
    w.add_pair(handle, target)
    revision = w._image_info["rev"]
    said = heard(w, "image", "pairs")
    w.image = rgb[:80, :90]
    assert w.image.size == (90, 80)
    assert len(w.pairs) == 0
    assert w._image_info["rev"] > revision
    assert {name for name, _ in said} == {"image", "pairs"}
    update = browser.updates[-1]["state"]
    assert {"_image_info", "_pairs", "_masks"} <= update.keys()


def test_a_picture_that_cannot_be_read_loses_nothing(w, handle, target):
    w.add_pair(handle, target)
    with pytest.raises(ValueError, match="no picture"):
        w.image = b"not a picture at all"
    assert len(w.pairs) == 1
    assert w.image.size == (128, 96)


# -- settings and construction -------------------------------------------------------------------------------


def test_settings_are_given_by_name_and_read_as_a_dict(engine, rgb):
    w = rd.RegionDragWidget(rgb, seed=7, prompt="a duck")
    assert w.settings["seed"] == 7
    assert w.settings["prompt"] == "a duck"
    w.close()


def test_one_setting_can_be_changed_in_place_and_observers_and_browser_hear_of_it(w, browser):
    said = heard(w, "settings")
    w.settings["seed"] = 3
    w.settings.update(steps=9, stop=0.1)
    w.settings |= {"vacated": "keep"}
    w.settings = {"prompt": "x"}
    assert (w.settings["seed"], w.settings["steps"], w.settings["vacated"], w.settings["prompt"]) == (
        3,
        9,
        "keep",
        "x",
    )
    assert len(said) == 4
    assert browser.trait("settings")["seed"] == 3


@pytest.mark.parametrize("change", [{"seed": -1}, {"nonsense": 1}, {"stop": 0.9, "start": 0.1}])
def test_a_bad_setting_is_refused_and_changes_nothing(w, change):
    before = dict(w.settings)
    with pytest.raises(ValueError):
        w.settings.update(change)
    with pytest.raises(ValueError):
        w.settings = change
    assert dict(w.settings) == before


def test_settings_cannot_be_removed(w):
    with pytest.raises(TypeError, match="cannot be removed"):
        del w.settings["seed"]


def test_a_pipeline_of_the_users_is_known_by_a_name_of_its_own(engine, rgb):
    class Pipeline:
        name = "stable-diffusion-v1-5"
        edit_defaults: ClassVar = {"steps": 20, "start": 0.5, "stop": 0.2}

        def network(self):
            """As `RegionDragPipeline` has it."""

    first, second = Pipeline(), Pipeline()
    names = []
    for model in (first, second, first):
        w = rd.RegionDragWidget(rgb, model=model)
        names.append(w.settings["model"])
        assert w._models == ["mini", w.settings["model"]]
        assert w.settings["steps"] == 20
        w.close()
    assert names == ["stable-diffusion-v1-5", "stable-diffusion-v1-5 (2)", "stable-diffusion-v1-5"]


def test_something_else_than_a_model_is_refused(engine, rgb):
    with pytest.raises(TypeError, match="RegionDragPipeline"):
        rd.RegionDragWidget(rgb, model=3)


def test_drawing_on_the_picture_that_was_handed_out_changes_nothing(w, rgb):
    w.image.putpixel((0, 0), (9, 9, 9))
    assert np.array_equal(np.asarray(w.image), rgb)


def test_making_a_widget_brings_no_torch(photo):
    code = (
        "import sys, regiondrag_widget as rd\n"
        f"w = rd.RegionDragWidget({str(photo)!r})\n"
        "sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    )
    root = os.path.dirname(os.path.dirname(rd.__file__))
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0


def test_an_unknown_argument_is_refused_by_name(engine, rgb):
    with pytest.raises(TypeError, match="'colour'"):
        rd.RegionDragWidget(rgb, colour="red")


def test_a_bad_argument_is_refused_at_once(engine, rgb):
    with pytest.raises(ValueError, match="steps"):
        rd.RegionDragWidget(rgb, steps=0)


def test_pairs_can_be_given_at_the_start(engine, rgb, handle, target):
    w = rd.RegionDragWidget(rgb, pairs=[rd.RegionPair(handle, target)])
    assert np.array_equal(w.pairs[0].target, target)
    w.close()


def test_settings_from_the_browser_are_taken_over(w, browser):
    browser.write(settings={**w.settings, "seed": 99})
    assert w.settings["seed"] == 99


# -- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["edit.zip", "folder"])
def test_picture_and_regions_are_saved_and_loaded(w, engine, rgb, handle, target, tmp_path, name):
    w.add_pair(handle, matrix=SHIFT, name="disc")
    w.save(tmp_path / name)
    other = rd.RegionDragWidget(rgb[:70, :70])
    other.load(tmp_path / name)
    assert other.pairs == w.pairs
    assert np.array_equal(np.asarray(other.image), rgb)
    other.close()


@pytest.mark.parametrize("name", ["edit.zip", "folder"])
def test_the_protect_mask_is_saved_and_loaded(w, browser, handle, target, tmp_path, name):
    w.add_pair(handle, target)
    w.protect = ~(handle | target)
    w.save(tmp_path / name)
    kept = w.protect
    w.protect = handle
    w.load(tmp_path / name)
    assert np.array_equal(w.protect, kept)
    assert np.array_equal(decode_mask(w._masks["protect"]), kept)


def test_a_save_without_a_protect_mask_takes_the_present_one_away(w, handle, target, tmp_path):
    w.add_pair(handle, target)
    w.save(tmp_path / "edit.zip")
    w.protect = handle
    w.load(tmp_path / "edit.zip")
    assert w.protect is None


def test_saving_passes_over_what_is_only_half_drawn(w, browser, rgb, handle, tmp_path):
    browser.draw("p1", handle, None)
    w.add_pair(handle, matrix=SHIFT, name="disc")
    w.save(tmp_path / "edit.zip")
    w.load(tmp_path / "edit.zip")
    assert [pair.name for pair in w.pairs] == ["disc"]


def test_a_picture_with_nothing_drawn_is_saved_too(w, rgb, tmp_path):
    w.save(tmp_path / "edit.zip")
    w.image = rgb[:70, :70]
    w.load(tmp_path / "edit.zip")
    assert np.array_equal(np.asarray(w.image), rgb)
    assert len(w.pairs) == 0


def test_loading_something_else_loses_nothing(w, handle, target, tmp_path):
    w.add_pair(handle, target)
    (tmp_path / "x.zip").write_bytes(os.urandom(100))
    with pytest.raises(ValueError):
        w.load(tmp_path / "x.zip")
    assert len(w.pairs) == 1


def test_a_removal_runs_without_a_target_and_reads_as_one(engine, rgb, handle):
    widget = rd.RegionDragWidget(rgb)
    browser = FakeBrowser(widget)
    pair = {"id": "a", "name": "", "matrix": None, "handle": 0, "target": None, "action": "remove"}
    message = {"type": "run", "run": 1, "rev": 1, "params": {}, "pairs": [pair], "protect": None}
    browser.send(message, [encode_mask(handle)])
    browser.until("done", 1)
    (asked,) = engine.edits
    assert [p.action for p in asked["pairs"]] == ["remove"]
    widget.add_pair(handle, action="remove")
    assert widget.pairs[-1].action == "remove"
    assert browser.trait("_pairs")[-1] | {"id": "", "rev": 0} == {
        "id": "", "name": "", "color": 0, "matrix": None, "visible": True, "locked": False, "rev": 0,
        "hasTarget": False, "carry": None, "action": "remove", "pins": None, "dense": None,
    }  # fmt: skip
