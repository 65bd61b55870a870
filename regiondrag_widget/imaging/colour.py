"""Colour: what a file's profile or gamma means, and how a picture looks on an ordinary (sRGB) screen."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_PROBE = np.array([0, 32, 64, 96, 128, 160, 192, 224, 255], np.uint8)
_CLOSE = 2  # steps of 255 by which a profile may differ from sRGB and still be taken for it
_SCREEN_GAMMA = 1 / 2.2


def shown(image: Image.Image, profile: bytes | None = None) -> Image.Image:
    """A picture in the colours of sRGB, for a place that knows no profiles.

    Parameters
    ----------
    image
        RGB or RGBA.
    profile
        Its colour profile; left out, the one in its ``info``.

    Returns
    -------
    Pillow image
        Of the same mode and size; the picture itself where its colours are those of sRGB already.
    """
    profile = image.info.get("icc_profile") if profile is None else profile
    if profile is None or image.mode not in ("RGB", "RGBA"):
        return image
    transform = _to_srgb(profile, image.mode)
    if transform is None:
        return image
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None
    converted.info.pop("icc_profile", None)
    return converted


def grey_curve(profile: bytes) -> np.ndarray | None:
    """(256,) uint8, the greys of sRGB for those of a grey profile; None where it cannot be used."""
    steps = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    try:
        with io.BytesIO(profile) as file:
            converted = ImageCms.profileToProfile(steps, file, _srgb(), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):
        return None
    return None if converted is None else np.asarray(converted)[0, :, 1].copy()


def gamma_curve(gamma: object, levels: int) -> np.ndarray | None:
    """(levels,) uint8, the values of sRGB for those of a PNG's gamma; None where they are the same.

    Parameters
    ----------
    gamma
        As the file has it: a value is its light to this power; 1.0 is linear, 0.45455 is that of screens.
    levels
        Number of values: 256 or 65536.
    """
    if not isinstance(gamma, (int, float)) or not 0.05 <= gamma <= 5 or abs(gamma / _SCREEN_GAMMA - 1) < 0.05:
        return None
    light = np.linspace(0, 1, levels) ** (1 / gamma)
    curved = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(curved * 255), np.uint8)


@lru_cache(maxsize=1)
def _srgb() -> Any:
    return ImageCms.createProfile("sRGB")


@lru_cache(maxsize=8)
def _to_srgb(profile: bytes, mode: str) -> Any:
    """The transform from a profile, or None where none is needed or the profile cannot be used."""
    try:
        with io.BytesIO(profile) as file:
            given = ImageCms.ImageCmsProfile(file)
        probe = ImageCms.buildTransform(given, _srgb(), "RGB", "RGB")
        colours = np.stack(np.meshgrid(_PROBE, _PROBE, _PROBE), axis=-1).reshape(1, -1, 3)
        seen = ImageCms.applyTransform(Image.fromarray(colours), probe)
        if seen is None or np.abs(np.asarray(seen).astype(int) - colours).max() <= _CLOSE:
            return None
        return ImageCms.buildTransform(given, _srgb(), mode, mode)
    except (OSError, ImageCms.PyCMSError):
        return None
