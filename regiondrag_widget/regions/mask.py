"""What counts as a mask; everything else is refused here."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.limits import check_pixels

Mask: TypeAlias = NDArray[np.bool_]
Points: TypeAlias = NDArray[np.float64]  # (n, 2), columns x, y; an integer is a pixel's centre


def as_mask(value: Any, name: str = "mask") -> Mask:
    """Return ``value`` as a new, read-only (H, W) bool array.

    Parameters
    ----------
    value
        A bool array; an integer array of {0, 1} or {0, 255}; a float array of exactly {0.0, 1.0}; a PIL image
        in mode "1" or "L" holding two values. Tensors on the CPU work through ``np.asarray``.
    name
        What error messages call it ("handle", "target").

    Raises
    ------
    TypeError
        It is not an array of numbers.
    ValueError
        It is not two-dimensional, is too large, or has values that do not say clearly what is selected.
    """
    if value is None:
        raise TypeError(f"{name} is missing: give an (H, W) bool array")
    mode = getattr(value, "mode", None)
    if isinstance(mode, str) and mode not in ("1", "L"):
        raise ValueError(f"{name} is a picture in mode {mode!r}: convert it first, image.convert('L')")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has values of type {array.dtype}: give an (H, W) bool array")
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}: a mask has two dimensions, (H, W); take one channel"
        )
    if array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: a mask needs at least one pixel")
    check_pixels(name, array.shape[1], array.shape[0])
    mask = array.copy() if array.dtype.kind == "b" else _binary(array, name)
    mask.flags.writeable = False
    return mask


def require_pixels(mask: Mask, name: str) -> None:
    """Raise ``ValueError`` when nothing is selected."""
    if not mask.any():
        raise ValueError(f"{name} is empty: draw at least one pixel")


def _binary(array: NDArray[Any], name: str) -> Mask:
    selected = array != 0
    ones = array[selected]
    if ones.size == 0 or bool((ones == 1).all()):
        return np.asarray(selected, dtype=np.bool_)
    if array.dtype.kind in "iu" and bool((ones == 255).all()):
        return np.asarray(selected, dtype=np.bool_)
    allowed, between = ("0.0 and 1.0", 0.5) if array.dtype.kind == "f" else ("0 and 1, or 0 and 255", 127)
    raise ValueError(
        f"{name} holds other values than {allowed}, so what is selected is unclear: "
        f"threshold it first, for example {name} > {between}"
    )
