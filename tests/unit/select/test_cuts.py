"""Minimum cuts, and what they find around a click."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget.select.graph import cuts
from regiondrag_widget.select.proposals import Pieces, cuts_within, pieces_of
from regiondrag_widget.select.superpixels import segment

SIDE = 200
YY, XX = np.mgrid[:SIDE, :SIDE]
HEAD = (XX - 100) ** 2 + (YY - 65) ** 2 < 22**2
BODY = (abs(XX - 100) < 30) & (abs(YY - 105) < 22)
FEET = (abs(XX - 100) < 38) & (abs(YY - 136) < 9)
TOY = HEAD | BODY | FEET


@pytest.fixture(scope="module")
def pieces() -> Pieces:
    """A toy of three colours on a ground of two."""
    rgb = np.where((XX < 100)[..., None], (120, 118, 110), (150, 146, 138)).astype(float)
    for part, colour in ((HEAD, (200, 50, 40)), (BODY, (40, 60, 180)), (FEET, (220, 190, 60))):
        rgb[part] = colour
    rgb += np.random.default_rng(0).normal(0, 5, rgb.shape)
    return pieces_of(segment(rgb.clip(0, 255).astype(np.uint8)))


def test_a_thing_of_several_colours_stands_out_from_what_surrounds_it(pieces: Pieces):
    found = cuts_within(pieces, int(pieces.labels[105, 100]), np.array([30.0, 60.0]))
    overlaps = [(region[pieces.labels] & TOY).sum() / (region[pieces.labels] | TOY).sum() for region in found]
    assert max(overlaps) > 0.9
    assert all(region[pieces.labels[105, 100]] for region in found)


def test_cuts_made_at_once_are_those_made_one_by_one(pieces: Pieces):
    graph = pieces.coarse
    rng = np.random.default_rng(0)
    object_costs, ground_costs = rng.uniform(0, 9, (2, 3, graph.count)).astype(np.float32)
    border = rng.uniform(0, 6, len(graph.a)).astype(np.float32)
    together = cuts(graph, object_costs, ground_costs, border)
    for i in range(3):
        alone = cuts(graph, object_costs[i : i + 1], ground_costs[i : i + 1], border)
        np.testing.assert_array_equal(together[i], alone[0])
    assert together.any(1).all()
    assert not together.all(1).any()
    assert (together[0] != together[1]).any()
