"""The pairs of a widget: as `RegionPair` has them, and what they carry can be changed and looked at."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.pair import RegionPair, as_carry
from regiondrag_widget.widget.regions_state import AnyPair, Mask, UnfinishedPair


class Drawing(Protocol):
    """The drawing that a pair belongs to."""

    def set_carry(self, key: str, carry: str | Mask | None) -> None:
        """Change what a pair carries; ``KeyError`` when it is not drawn any more."""

    def carried(self, key: str) -> Mask:
        """(H, W) bool, what a pair carries; ``KeyError`` when it is not drawn any more."""


class _Live:
    """Lets ``carry`` be assigned, and reads ``carried``."""

    def _join(self, pair: AnyPair, drawing: Drawing, key: str) -> None:
        """Hold what a pair holds, as a part of a drawing."""
        self._hold(  # type: ignore[attr-defined]
            pair._handle,
            pair._target,
            pair.matrix,
            pair.name,
            pair._carry,
            pair.deformation,
            pair.action,
        )
        object.__setattr__(self, "_drawing", drawing)
        object.__setattr__(self, "_key", key)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "carry":
            raise AttributeError(
                f"{name} of a drawn pair cannot be assigned: w.pairs[0] = rd.RegionPair(...)"
            )
        carry = as_carry(value, self.handle)  # type: ignore[attr-defined]
        self._drawing.set_carry(self._key, carry)  # type: ignore[attr-defined]
        held = KeptMask(carry) if isinstance(carry, np.ndarray) else carry
        object.__setattr__(self, "_carry", held)

    @property
    def carried(self) -> Mask:
        """(H, W) bool, what of the handle is carried. ``ValueError`` while the handle is empty."""
        mask: Mask = self._drawing.carried(self._key)  # type: ignore[attr-defined]
        return mask


class LivePair(_Live, RegionPair):
    """A pair of a widget: a `RegionPair` of which ``carry`` can be assigned.

    >>> w.pairs[0].carry = "painted"        # all that is painted; "object", a mask, or None for `matte`
    >>> w.pairs[0].carried                  # (H, W) bool, what a run carries
    """

    def __init__(self, pair: RegionPair, drawing: Drawing, key: str) -> None:
        self._join(pair, drawing, key)

    def __reduce__(self) -> Any:
        parts = self.handle, self.target, self.matrix, self.name, self.carry, self.action, self.deformation
        return _plain, parts


class LiveUnfinishedPair(_Live, UnfinishedPair):
    """An unfinished pair of a widget, of which ``carry`` can be assigned."""

    def __init__(self, pair: UnfinishedPair, drawing: Drawing, key: str) -> None:
        object.__setattr__(self, "missing", pair.missing)
        self._join(pair, drawing, key)


def _plain(
    handle: Mask, target: Mask, matrix: Any, name: str, carry: Any, action: str, deformation: Any
) -> RegionPair:
    """A copy of a drawn pair belongs to no drawing."""
    if action == "remove":
        return RegionPair.remove(handle, name=name, carry=carry)
    how = {"name": name, "carry": carry, "action": action, "deformation": deformation}
    return RegionPair(handle, target, matrix, **how)


def joined(pair: AnyPair, drawing: Drawing, key: str) -> AnyPair:
    """The pair as part of a drawing, under its key there."""
    kind = LivePair if isinstance(pair, RegionPair) else LiveUnfinishedPair
    return kind(pair, drawing, key)  # type: ignore[arg-type]
