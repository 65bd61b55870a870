"""The map of a pair at the points of a lattice: little data, for a page that draws the map itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.box import bounding_box
from regiondrag_widget.regions.correspondence import pixel_map
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.framing import framed_pairs
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.pairs import RegionPairs

__all__ = ["Lattice", "lattice_of"]

CELL = 4  # pixels of the target; larger where the lattice would have more than MOST_CELLS a side
MOST_CELLS = 64
SIDE = 512  # pixels that the map is worked out at: for looking at, more would only take longer


@dataclass(frozen=True, eq=False)
class Lattice:
    """Where the points of a lattice over a target come from.

    Attributes
    ----------
    edges
        Left, top, right, bottom: the outer edges of the target's bounding box.
    source
        (rows + 1, columns + 1, 2) float32 x, y.
    """

    edges: tuple[float, float, float, float]
    source: NDArray[np.float32]


def lattice_of(pair: RegionPair, method: str = "auto") -> Lattice:
    """Return a pair's map at the points of a lattice over its target.

    Beyond the target the map goes on as at its nearest pixel.

    Parameters
    ----------
    pair
        Any pair.
    method
        See `pixel_map`.
    """
    x0, y0, x1, y1 = bounding_box(pair.target)
    edges = (x0 - 0.5, y0 - 0.5, x1 - 0.5, y1 - 0.5)
    columns, rows = (min(MOST_CELLS, -(-length // CELL)) for length in (x1 - x0, y1 - y0))
    both = bounding_box(pair.handle | pair.target)
    width, height = both[2] - both[0], both[3] - both[1]
    scale = min(1.0, SIDE / max(width, height))
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    framed = framed_pairs(RegionPairs([pair]), both, shape)
    found = pixel_map(framed, method=method)
    dense = DenseMap(np.where(found.target[..., None], found.source_xy, np.float32(np.nan)))
    across, down = np.linspace(edges[0], edges[2], columns + 1), np.linspace(edges[1], edges[3], rows + 1)
    x, y = np.meshgrid(across, down)
    per = np.array([width / shape[1], height / shape[0]])  # integers are pixel centres, here and there
    corner = np.array(both[:2])
    there = (np.stack([x, y], axis=-1).reshape(-1, 2) - corner + 0.5) / per - 0.5
    source = (dense.to_source(there) + 0.5) * per - 0.5 + corner
    return Lattice(edges, source.reshape(rows + 1, columns + 1, 2).astype(np.float32))
