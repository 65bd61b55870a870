"""A widget's work is saved and comes back: picture, drawing, settings, results."""

from __future__ import annotations

import io
import json
import os
import warnings

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import regiondrag_widget as rd
from regiondrag_widget import RegionDragWidget
from regiondrag_widget.regions import archive_parts, container
from regiondrag_widget.widget import session_file
from tests.kernel.fake_browser import FakeBrowser


@pytest.fixture
def worked(drawn, handle):
    """A widget with two runs, a protected corner and settings."""
    drawn.protect = np.arange(128)[None] + np.zeros((96, 1)) > 120
    drawn.settings["seed"] = 5
    drawn.run(wait=True)
    drawn.settings.update(seed=8, matte="none")
    drawn.run(wait=True)
    drawn.pairs.append(rd.RegionPair.move(handle, 3, 30, name="second", carry="painted"))
    return drawn


@pytest.fixture(params=["session", "session.zip"])
def saved(request, worked, tmp_path):
    worked.save(tmp_path / request.param)
    return tmp_path / request.param


def assert_alike(again, w):
    assert np.array_equal(np.asarray(again.image), np.asarray(w.image))
    assert list(again.pairs) == list(w.pairs)
    assert np.array_equal(again.protect, w.protect)
    assert again.settings.asked == w.settings.asked
    assert len(again.history) == len(w.history)
    for mine, theirs in zip(again.history, w.history, strict=True):
        assert np.array_equal(np.asarray(mine.image), np.asarray(theirs.image))
        assert np.array_equal(np.asarray(mine.before), np.asarray(theirs.before))
        assert (mine.seed, mine.notes, dict(mine.timings)) == (
            theirs.seed,
            theirs.notes,
            dict(theirs.timings),
        )
        assert mine.pairs == theirs.pairs
    assert np.array_equal(np.asarray(again.result.image), np.asarray(w.result.image))


def test_everything_comes_back(saved, worked):
    again = RegionDragWidget.from_file(saved)
    assert_alike(again, worked)
    again.close()


def test_it_goes_on_where_it_was(saved, worked, handle, target):
    """The same edit gives the same picture, and results of the file can be restored and accepted."""
    again = RegionDragWidget.from_file(saved)
    page = FakeBrowser(again)
    del again.pairs[1], worked.pairs[1]
    first = np.asarray(again.run(wait=True).image)
    assert np.array_equal(first, np.asarray(worked.run(wait=True).image))
    keys = [entry["id"] for entry in again._history]
    assert len(keys) == len(set(keys)) == 3
    page.send({"type": "restore", "result": keys[0]})
    assert not page.of("error")
    assert again.settings["seed"] == 5
    assert len(again.pairs) == 1
    page.send({"type": "need", "what": "result", "result": keys[1]})
    assert page.of("blob")
    again.accept()
    assert len(again.pairs) == 0
    again.close()


def test_loading_replaces_the_work_and_keeps_earlier_results(saved, worked, engine, rgb, handle, target):
    other = RegionDragWidget(255 - rgb, pairs=[rd.RegionPair(target, handle)])
    other.run(wait=True)
    other.load(saved)
    assert list(other.pairs) == list(worked.pairs)
    assert other.settings["seed"] == 8
    assert len(other.history) == 3
    other.close()


def test_saved_again_it_is_the_same_and_small(saved, worked, tmp_path):
    again = RegionDragWidget.from_file(saved)
    again.save(tmp_path / "again.zip")
    third = RegionDragWidget.from_file(tmp_path / "again.zip")
    assert_alike(third, worked)
    third.save(tmp_path / "folder")
    names = sorted(path.name for path in (tmp_path / "folder").iterdir())
    pictures = [name for name in names if name.startswith(("image", "before", "result"))]
    assert pictures == ["image.png", "result_0.png", "result_1.png"], "the picture itself is saved once"
    for widget in (again, third):
        widget.close()


def test_other_readers_read_it_too(saved, worked):
    image, pairs = rd.load_regions(saved)
    assert np.array_equal(np.asarray(image), np.asarray(worked.image))
    assert pairs == list(worked.pairs)


def test_what_the_pictures_file_said_is_kept(engine, rgb, tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a gull")
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "PNG", dpi=(300, 300), pnginfo=texts)
    w = RegionDragWidget(out.getvalue())
    w.save(tmp_path / "s.zip")
    again = RegionDragWidget.from_file(tmp_path / "s.zip")
    assert again.image.info["parameters"] == "a gull"
    assert round(again.image.info["dpi"][0]) == 300
    for widget in (w, again):
        widget.close()


def test_settings_given_go_before_those_of_the_file(saved):
    again = RegionDragWidget.from_file(saved, seed=77, height=300)
    assert (again.settings["seed"], again.settings["matte"]) == (77, "none")
    again.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": {"seed": -1}}, "the settings in regions.json cannot be used"),
        ({"settings": {"seed": 10**400}}, "the settings in regions.json cannot be used"),
        ({"pairs": [{"handle": "h.png", "target": "h.png", "name": "x" * 10_001}]}, "has 10001 characters"),
        ({"pairs": [{"handle": "h.png", "target": "h.png", "name": "\ud83e"}]}, "half a character"),
        ({"results": 3}, "a list of at most 20 results"),
        ({"results": [{}] * 21}, "a list of at most 20 results"),
        ({"results": [7]}, "a result that is none"),
        ({"results": [{"size": [128, 96], "pairs": []}]}, "names the file None"),
        ({"results": [{"size": [13000, 13000], "pairs": []}] * 9}, "more than 400 megapixels of results"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(worked, tmp_path, change, words):
    worked.save(tmp_path / "s")
    index = json.loads((tmp_path / "s" / "regions.json").read_text())
    (tmp_path / "s" / "regions.json").write_text(json.dumps({**index, **change}))
    Image.fromarray(worked.pairs[0].handle).save(tmp_path / "s" / "h.png")
    seen = (worked._document.picture_rev, worked._regions_rev, len(worked.history), worked.settings.asked)
    with pytest.raises(ValueError, match=words):
        worked.load(tmp_path / "s")
    with pytest.raises(ValueError, match=words):
        RegionDragWidget.from_file(tmp_path / "s")
    now = (worked._document.picture_rev, worked._regions_rev, len(worked.history), worked.settings.asked)
    assert now == seen


def test_a_setting_of_a_newer_version_is_left_out(worked, tmp_path):
    worked.save(tmp_path / "s")
    path = tmp_path / "s" / "regions.json"
    index = json.loads(path.read_text())
    index["settings"]["sparkle"] = 3
    path.write_text(json.dumps(index))
    RegionDragWidget.from_file(tmp_path / "s").close()


def test_results_that_do_not_fit_are_left_out_with_a_warning(worked, tmp_path, monkeypatch):
    monkeypatch.setattr(session_file, "MAX_SESSION_PIXELS", 4 * 128 * 96)
    with pytest.warns(UserWarning, match="only the newest 1 of 2 results are saved"):
        worked.save(tmp_path / "s.zip")
    again = RegionDragWidget.from_file(tmp_path / "s.zip")
    assert [result.seed for result in again.history] == [8]
    again.close()


@pytest.mark.parametrize("step", range(1, 8))
def test_a_save_that_fails_at_any_step_leaves_the_earlier_one(worked, tmp_path, monkeypatch, step):
    worked.save(tmp_path / "s")
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    count, whole = 0, container.write_whole_bytes

    def failing(*arguments):
        nonlocal count
        count += 1
        if count == step:
            raise OSError(28, "No space left on device")
        return whole(*arguments)

    monkeypatch.setattr(container, "write_whole_bytes", failing)
    worked.settings["seed"] = 9
    worked.clear()
    with pytest.raises(OSError, match="No space left"):
        worked.save(tmp_path / "s")
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before
    monkeypatch.undo()
    worked.save(tmp_path / "s")
    assert rd.load_regions(tmp_path / "s")[1] == []


def test_a_widget_without_results_or_regions_is_saved_too(w, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Deprecated in traitlets")  # ipywidgets 7's own
        w.save(tmp_path / "s.zip")
        again = RegionDragWidget.from_file(tmp_path / "s.zip")
    assert again.result is None
    assert len(again.pairs) == len(again.history) == 0
    again.close()


def test_the_limits_of_both_sides_agree():
    assert archive_parts.MAX_PAIRS >= 512
    assert os.fspath(archive_parts.INDEX) == "regions.json"
