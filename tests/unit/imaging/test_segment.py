"""What a box holds."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from regiondrag_widget.bench.handles.handles import handle_of
from regiondrag_widget.bench.handles.objects import HandObject, load_objects
from regiondrag_widget.imaging.find import looked_at
from regiondrag_widget.imaging.segment import NETWORK, SIDE, segments_in
from regiondrag_widget.regions.box import Box, bounding_box


@pytest.fixture(scope="module")
def robot() -> HandObject:
    """A robot with black arms on a dark sofa."""
    return next(thing for thing in load_objects("fresh") if thing.name == "sofa-robot")


def window_of(thing: HandObject) -> tuple[np.ndarray, Box, np.ndarray]:
    """What is looked at, the handle's box in it, and the object's true mask."""
    handle = handle_of(thing.mask, "ellipse", 0)
    part, inside, _ = looked_at(np.asarray(thing.image()), handle, SIDE)
    true, _, _ = looked_at(thing.mask.astype(np.uint8) * 255, handle, SIDE)
    return part, bounding_box(inside), true > 127


def test_a_thing_is_told_from_what_has_its_colours(robot: HandObject):
    part, box, true = window_of(robot)
    seen = segments_in(part, box)
    for logits in (seen.best, seen.only):
        assert logits.shape == true.shape
        assert logits.dtype == np.float32
    found = seen.best > 0
    assert (found & true).sum() / (found | true).sum() > 0.95
    assert seen.quality > 0.9


def test_the_box_says_which_is_meant():
    picture = np.full((200, 300, 3), 150, np.uint8)
    left, right = np.zeros((200, 300), bool), np.zeros((200, 300), bool)
    left[70:130, 40:110], right[60:140, 190:250] = True, True
    picture[left], picture[right] = (200, 60, 40), (40, 60, 200)
    for meant, other in ((left, right), (right, left)):
        x0, y0, x1, y1 = bounding_box(meant)
        found = segments_in(picture, (x0 - 8, y0 - 8, x1 + 8, y1 + 8)).best > 0
        assert (found & meant).sum() / (found | meant).sum() > 0.9
        assert not (found & other).any()


def test_any_size_and_any_thread_sees_the_same(robot: HandObject):
    part, box, _ = window_of(robot)
    expected = segments_in(part, box)
    with ThreadPoolExecutor(3) as threads:
        for seen in threads.map(lambda _: segments_in(part, box), range(4)):
            np.testing.assert_array_equal(seen.best, expected.best)
    for height, width in ((1, 1), (3, 400), (700, 2)):
        seen = segments_in(np.full((height, width, 3), 90, np.uint8), (0, 0, width, height))
        assert seen.best.shape == (height, width)
        assert np.isfinite(seen.best).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forked children on Windows")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_sees_too(robot: HandObject):
    part, box, _ = window_of(robot)
    expected = segments_in(part, box).best
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(segments_in(part, box).best, expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_network_is_the_one_that_notice_names():
    """Whoever changes the file says so there."""
    assert hashlib.sha256(NETWORK.read_bytes()).hexdigest() == (
        "d69ca3b9ce11cc83494bddf48db7681f5842bfe7f653a2a67a820793482221a6"
    )
