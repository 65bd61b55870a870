"""Results: accepted, discarded, restored, and the list of earlier ones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.kernel.fake_browser import FakeBrowser


def test_accepting_makes_the_result_the_picture_and_clears_the_drawing(drawn):
    result = drawn.run(wait=True)
    drawn.accept()
    assert np.array_equal(np.asarray(drawn.image), np.asarray(result.image))
    assert len(drawn.pairs) == 0
    assert drawn.result is None
    assert drawn.history == [result]


def test_discarding_takes_the_result_off_the_screen_and_keeps_the_drawing(drawn, rgb):
    drawn.run(wait=True)
    drawn.discard()
    assert drawn.result is None
    assert drawn._result == b""
    assert len(drawn.pairs) == 1
    assert len(drawn.history) == 1
    assert np.array_equal(np.asarray(drawn.image), rgb)


@pytest.mark.parametrize("method", ["accept", "discard"])
def test_without_a_result_there_is_nothing_to_accept_or_discard(w, method):
    with pytest.raises(ValueError, match="run an edit first"):
        getattr(w, method)()


def test_an_earlier_result_comes_back_with_its_regions_and_settings(drawn, handle):
    browser = FakeBrowser(drawn)
    first = drawn.run(wait=True, seed=5)
    pairs = list(drawn.pairs)
    drawn.clear()
    drawn.add_pair(handle, matrix=[[1, 0, 0], [0, 1, 20], [0, 0, 1]])
    drawn.run(wait=True, seed=6)
    browser.send({"type": "restore", "result": drawn._history[0]["id"]})
    assert drawn.result is first
    assert drawn.pairs == pairs
    assert drawn.settings["seed"] == 5
    assert drawn._result_info["seed"] == 5


def test_restoring_a_result_of_before_an_accept_brings_its_picture_back(drawn, rgb):
    browser = FakeBrowser(drawn)
    first = drawn.run(wait=True)
    drawn.accept()
    browser.send({"type": "restore", "result": "r1"})
    assert drawn.result is first
    assert np.array_equal(np.asarray(drawn.image), rgb)
    assert len(drawn.pairs) == 1


def test_restoring_a_result_that_is_gone_says_so(drawn):
    browser = FakeBrowser(drawn)
    browser.send({"type": "restore", "result": "r77"})
    assert "r77" in browser.of("error")[0]["message"]


def test_the_history_names_seed_seconds_and_settings_and_has_a_small_picture(drawn):
    drawn.run(wait=True, seed=3)
    (entry,) = drawn._history
    assert entry["seed"] == 3
    assert entry["seconds"] >= 0
    assert entry["settings"]["steps"] == 6
    assert max(Image.open(io.BytesIO(drawn._thumbs[entry["id"]])).size) == 128
