"""Pixels of every kind to 8 bits: Pillow's modes and numpy's number types, each by its own rule."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from regiondrag_widget.imaging.colour import gamma_curve, grey_curve

REMEDY = "give uint8 values from 0 to 255"


def planes(
    image: Image.Image, name: str, *, sixteen_bit_file: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
    """Any Pillow mode -> (H, W, 3) uint8 and alpha (H, W) uint8 or None.

    The gamma of a PNG and a profile for greys are applied: both end with the pixels.
    """
    mode = image.mode
    gamma = None if "srgb" in image.info or "icc_profile" in image.info else image.info.get("gamma")
    if mode.startswith("I;16") or (mode == "I" and sixteen_bit_file):
        return _sixteen_bits(image, gamma)
    rgb, alpha = _eight_bits(image, name)
    curve = gamma_curve(gamma, 256)
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and profile[16:20] == b"GRAY" and mode in ("1", "L", "LA", "La"):
        curve = grey_curve(profile)
    return rgb if curve is None else curve[rgb], alpha


def _sixteen_bits(image: Image.Image, gamma: object) -> tuple[np.ndarray, np.ndarray | None]:
    """Grey of 16 bits, of which one value may be transparent."""
    values = np.asarray(image).astype(np.uint32)
    clear = image.info.get("transparency")
    alpha = np.where(values == clear, 0, 255).astype(np.uint8) if isinstance(clear, int) else None
    curve = gamma_curve(gamma, 65536)
    grey = _eight_bits_of_16(values) if curve is None else curve[np.minimum(values, 65535)]
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and profile[16:20] == b"GRAY":
        of_profile = grey_curve(profile)
        grey = grey if of_profile is None else of_profile[grey]
    return grey_to_rgb(grey), alpha


def _eight_bits(image: Image.Image, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    mode = image.mode
    if mode in ("I", "F"):
        return grey_to_rgb(to_eight_bits(np.asarray(image), name)), None
    if mode == "La":  # premultiplied grey: Pillow goes through LA only
        image = image.convert("LA")
    clear = image.info.get("transparency")
    if mode == "RGB" and isinstance(clear, tuple) and max(clear) > 255:  # of 16 bits: the upper 8 count
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    if image.has_transparency_data or mode in ("La", "RGBa", "PA"):
        rgba = np.array(image.convert("RGBA"))
        return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
    if mode in ("CMYK", "LAB"):
        return np.array(_through_profile(image)), None
    return np.array(image if mode == "RGB" else image.convert("RGB")), None


def _through_profile(image: Image.Image) -> Image.Image:
    """Inks to light by the picture's own profile where it has one; the plain formula where not."""
    profile = image.info.get("icc_profile")
    try:
        source: Any = ImageCms.createProfile("LAB") if image.mode == "LAB" else io.BytesIO(profile)  # type: ignore[arg-type]
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        if converted is not None:
            return converted
    except (TypeError, OSError, ImageCms.PyCMSError):
        pass
    return image.convert("RGB")


def to_eight_bits(values: np.ndarray, name: str) -> np.ndarray:
    """Numbers of any type -> uint8, where it is plain which range they have.

    bool is black and white; uint16 runs to 65535; whole numbers with one above 1 run to 255; fractions within
    0..1 run to 1. Anything else is refused with a ValueError (a TypeError when it holds no numbers).
    """
    kind = values.dtype.kind
    if values.dtype == np.uint8:
        return values
    if kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if kind not in "uif":
        raise TypeError(f"{name} holds {values.dtype}, not numbers: {REMEDY}")
    if kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name} has values that are not finite: {REMEDY}")
    low, high = float(values.min()), float(values.max())
    whole = kind != "f" or bool(np.all(values == np.rint(values)))
    unclear = f"{name} is {values.dtype} from {low:g} to {high:g}, which is unclear: {REMEDY}"
    if low < 0:
        raise ValueError(unclear)
    if high == 0:
        return np.zeros(values.shape, dtype=np.uint8)
    if values.dtype == np.uint16 or (kind in "ui" and 255 < high <= 65535):
        if high <= 255:
            raise ValueError(unclear)
        return _eight_bits_of_16(values.astype(np.uint32))
    if whole and 1 < high <= 255:
        return values.astype(np.uint8)
    if not whole and high <= 1:
        return np.asarray(np.rint(values * 255), dtype=np.uint8)
    raise ValueError(unclear)


def _eight_bits_of_16(values: np.ndarray) -> np.ndarray:
    """0..65535 -> 0..255, rounded: the ends map to the ends."""
    return ((values + 128) // 257).astype(np.uint8)


def grey_to_rgb(grey: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W, 3), the same in each channel."""
    return np.repeat(grey[..., None], 3, axis=-1)
