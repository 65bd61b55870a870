"""The target that follows from a handle and its deformation, and what cannot be used."""

from __future__ import annotations

from typing import TypeAlias

from regiondrag_widget.regions.bend import Bend
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.moved import require_in_front

__all__ = ["Deformation", "deformed_by", "require_usable"]

Deformation: TypeAlias = "Bend | DenseMap"


def deformed_by(handle: KeptMask, deformation: Deformation) -> KeptMask:
    """Return the handle's target under a deformation."""
    if isinstance(deformation, DenseMap):
        target = deformation.target(handle.region())
        if not target.any():
            raise ValueError(
                "source_xy leads to no pixel of the handle: give the handle's pixel that each target pixel "
                "comes from, x before y"
            )
        return target
    target = deformation.dense(handle.shape).target(handle.region())
    if not target.any():
        raise ValueError("the pins leave nothing of the handle in the picture: pull them less far")
    return target


def require_usable(deformation: object, handle: KeptMask) -> None:
    """Raise ``TypeError`` or ``ValueError`` for a deformation that cannot be the handle's."""
    if isinstance(deformation, Bend):
        require_in_front(deformation.matrix, handle.region())
    elif not isinstance(deformation, DenseMap):
        kind = type(deformation).__name__
        raise TypeError(f"deformation is a {kind}: make it by RegionPair.bend or RegionPair.warp")
    elif deformation.shape != handle.shape:
        height, width = deformation.shape
        raise ValueError(
            f"source_xy is {width}x{height} and the handle {handle.shape[1]}x{handle.shape[0]}: "
            "both must have the picture's size"
        )
