"""What was computed last is kept."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget.imaging import find
from regiondrag_widget.imaging.recent import Recent


def test_the_same_arrays_are_computed_once_and_the_oldest_is_dropped():
    computed: list[str] = []

    def compute(name: str) -> str:
        computed.append(name)
        return name

    recent: Recent[str] = Recent(2)
    a, b, c = (np.full((2, 3), value, np.uint8) for value in (1, 2, 3))
    assert recent.of([a], lambda: compute("a")) == "a"
    assert recent.of([a.copy()], lambda: compute("again")) == "a"
    assert recent.of([b], lambda: compute("b")) == "b"
    assert recent.of([a], lambda: compute("again")) == "a"
    assert recent.of([c], lambda: compute("c")) == "c"
    assert recent.of([a], lambda: compute("again")) == "a"  # b was used longest ago
    assert recent.of([b], lambda: compute("b again")) == "b again"
    assert computed == ["a", "b", "c", "b again"]


def test_shape_type_and_order_tell_arrays_apart():
    flat = np.arange(6, dtype=np.uint8)
    keys = [
        [flat],
        [flat.reshape(2, 3)],
        [flat.reshape(3, 2)],
        [flat.astype(np.int8)],
        [flat.reshape(2, 3).T],
        [flat, flat],
        [np.concatenate([flat, flat])],
    ]
    recent: Recent[int] = Recent(len(keys))
    for number, key in enumerate(keys):
        assert recent.of(key, lambda number=number: number) == number


def test_a_handle_that_was_looked_at_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch):
    picture = np.random.default_rng(3).integers(90, 110, (90, 120, 3)).astype(np.uint8)
    picture[30:60, 40:80] = (200, 40, 40)
    handle = np.zeros((90, 120), bool)
    handle[24:66, 34:86] = True
    first = find.find_object(picture, handle)
    assert first is not None
    monkeypatch.setattr(find, "cues_of", None)  # not called
    again = find.find_object(picture.copy(), handle.copy())
    assert again is not None
    np.testing.assert_array_equal(again.object_, first.object_)
    monkeypatch.undo()
    handle[24] = False
    other = find.find_object(picture, handle)
    assert other is not None
    assert not other.object_[24].any()
