"""What stands out of a picture."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from regiondrag_widget.bench.handles.handles import handle_of
from regiondrag_widget.bench.handles.objects import HandObject, load_objects
from regiondrag_widget.imaging.find import looked_at
from regiondrag_widget.imaging.salient import NETWORK, salience


@pytest.fixture(scope="module")
def robot() -> HandObject:
    """A robot with black arms on a dark sofa."""
    return next(thing for thing in load_objects("fresh") if thing.name == "sofa-robot")


def window_of(thing: HandObject) -> tuple[np.ndarray, np.ndarray]:
    handle = handle_of(thing.mask, "ellipse", 0)
    part, _, _ = looked_at(np.asarray(thing.image()), handle)
    true, _, _ = looked_at(thing.mask.astype(np.uint8) * 255, handle)
    return part, true > 127


def test_a_thing_stands_out_of_what_has_its_colours(robot: HandObject):
    part, true = window_of(robot)
    seen = salience(part)
    assert seen.shape == true.shape
    assert seen.dtype == np.float32
    assert seen.min() >= 0
    assert seen.max() <= 1
    found = seen > 0.5
    assert (found & true).sum() / (found | true).sum() > 0.95


def test_any_size_and_any_thread_sees_the_same(robot: HandObject):
    part, _ = window_of(robot)
    expected = salience(part)
    with ThreadPoolExecutor(3) as threads:
        for seen in threads.map(salience, [part] * 6):
            np.testing.assert_array_equal(seen, expected)
    for shape in ((1, 1), (3, 400), (500, 2)):
        seen = salience(np.full((*shape, 3), 90, np.uint8))
        assert seen.shape == shape
        assert np.isfinite(seen).all()
    assert np.isfinite(salience(np.zeros((5, 5, 3), np.uint8))).all()


def test_the_network_is_the_one_that_notice_names():
    """Whoever changes the file says so there."""
    assert hashlib.sha256(NETWORK.read_bytes()).hexdigest() == (
        "58efa9b2a413e4a3cc0c8dfcf921e039553a89bfdfe8e6dbc75601f4d7cbe5cc"
    )
