"""What unit tests have in common: each picture is looked at once for what stands out of it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from regiondrag_widget.imaging import cues, salient

KEPT = 200  # maps of 256 px a side at most

_maps: OrderedDict[tuple[Any, ...], np.ndarray] = OrderedDict()


def _remembered(rgb: np.ndarray) -> np.ndarray:
    """`salience` of (h, w, 3) uint8, computed once for the same pixels and then copied."""
    key = rgb.shape, rgb.tobytes()
    seen = _maps.pop(key, None)
    if seen is None:
        seen = salient.salience(rgb)
        if len(_maps) >= KEPT:
            _maps.popitem(last=False)
    _maps[key] = seen
    return seen.copy()


@pytest.fixture(autouse=True)
def salience_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a picture once in all tests: the network is slow, and most tests edit the same few pictures.

    What it sees depends on the pixels alone (tests/unit/imaging/test_salient.py). Tests of what threads and
    large pictures do to it are marked `looks_anew`.
    """
    if request.node.get_closest_marker("looks_anew") is None:
        monkeypatch.setattr(cues, "salience", _remembered)
