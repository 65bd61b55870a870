"""What finished and unfinished pairs share: masks held in little memory, a map, a name."""

from __future__ import annotations

from typing import Any

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.mask import Mask
from regiondrag_widget.regions.target import Deformation


class HeldPair:
    """The masks of a pair, held in little memory; nothing of it can be assigned."""

    matrix: mx.Matrix | None
    name: str
    _handle: KeptMask
    _target: KeptMask
    deformation: Deformation | None
    action: str
    _carry: str | KeptMask | None

    def _hold(
        self,
        handle: KeptMask,
        target: KeptMask,
        matrix: mx.Matrix | None,
        name: str,
        carry: str | KeptMask | None,
        deformation: Deformation | None = None,
        action: str = "move",
    ) -> None:
        values = {"_handle": handle, "_target": target, "matrix": matrix, "name": name, "_carry": carry}
        for field, value in {**values, "deformation": deformation, "action": action}.items():
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name} of a pair cannot be assigned: make a new one, rd.RegionPair(...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} of a pair cannot be deleted")

    @property
    def handle(self) -> Mask:
        """(H, W) bool, read-only: what is to be moved."""
        return self._handle.full

    @property
    def target(self) -> Mask:
        """(H, W) bool, read-only: the place it is to cover."""
        return self._target.full

    @property
    def carry(self) -> str | Mask | None:
        """What of the handle is carried: a word, an (H, W) bool mask, or None where nothing is said."""
        return self._carry.full if isinstance(self._carry, KeptMask) else self._carry

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self._handle.shape
