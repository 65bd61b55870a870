"""How a handle goes to a painted target, or by a dense map: worked out for the page, which draws it."""

from __future__ import annotations

from dataclasses import dataclass

from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.lattice import Lattice, lattice_of
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget.outgoing import Mapped
from regiondrag_widget.widget.regions_state import PairEntry, Regions, read_mask

__all__ = ["RouteAnswer", "RouteRequest"]


@dataclass(frozen=True)
class RouteRequest:
    """A handle and its target, and how the map between them is found; equal ones have equal answers.

    Attributes
    ----------
    shape
        (H, W) of the picture.
    handle, target
        The packed masks, not empty.
    method
        The setting.
    dense
        The dense map, where the pair has one.
    """

    shape: tuple[int, int]
    handle: bytes
    target: bytes
    method: str
    dense: DenseMap | None

    @classmethod
    def of(
        cls, regions: Regions, entry: PairEntry, shape: tuple[int, int], method: str
    ) -> RouteRequest | None:
        """The request for a pair as drawn; None where the page knows the map, or there is none yet."""
        handle, target = (regions.masks.get(key, b"") for key in (entry.handle_key, entry.target_key))
        exact = (entry.matrix is not None or entry.pins is not None) and entry.dense is None
        if exact or not handle or not target:
            return None
        dense = None if entry.dense is None else regions.maps.get(entry.dense)
        return cls(shape, handle, target, method, dense)

    def answer(self) -> RouteAnswer:
        """Work it out; ``ValueError`` for masks with no pixel."""
        handle, target = (read_mask(data, self.shape) for data in (self.handle, self.target))
        pair = RegionPair(handle, target, deformation=self.dense)
        return RouteAnswer(lattice_of(pair, self.method))


@dataclass(frozen=True, eq=False)
class RouteAnswer:
    """The map of a pair, as the page draws it."""

    lattice: Lattice

    def message(self, pair: str, rev: int) -> Mapped:
        """As the page is told."""
        rows, columns = (n - 1 for n in self.lattice.source.shape[:2])
        data = self.lattice.source.astype("<f4").tobytes()
        return Mapped(pair, rev, self.lattice.edges, columns, rows, data)
