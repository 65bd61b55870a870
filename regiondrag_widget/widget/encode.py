"""Pictures on their way to the browser, each encoded no larger than it has to be."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from regiondrag_widget.imaging.colour import shown as in_srgb
from regiondrag_widget.text import printable

PREVIEW_SIZE = 384  # long side of a preview, px
THUMB_SIZE = 128
PNG_LIMIT = 1_500_000  # bytes; a larger opaque picture is sent as JPEG, for display only


@dataclass(frozen=True, eq=False)
class ShownPicture:
    """A picture together with what the browser shows of it.

    Attributes
    ----------
    image
        RGB or RGBA.
    name
        How it is called on the screen.
    data, mime
        A PNG or JPEG file in the colours of sRGB, for display.
    note
        What the user should know of how it was read; empty if there is nothing.
    """

    image: Image.Image
    name: str
    data: bytes
    mime: str
    note: str = ""

    @cached_property
    def key(self) -> str:
        """Equal for pictures with equal pixels and equal metadata."""
        return content_key(self.image)

    @classmethod
    def of(cls, source: Any, name: str | None = None) -> ShownPicture:
        """Load and encode whatever the user calls a picture; raises as `to_image`."""
        from regiondrag_widget.imaging.picture import read_picture

        picture = read_picture(source)
        image = picture.to_pil()
        data, mime = encode_for_display(image)
        called = picture_name(source) if name is None else printable(name)
        made = cls(image, called, data, mime, picture.note)
        _ = made.key  # worked out here, where time is taken anyway, and not when a message asks for it
        return made

    def said(self) -> ShownPicture:
        """The picture itself, after its note was given as a warning: for one that comes from Python."""
        if self.note:
            warnings.warn(self.note, stacklevel=4)
        return self


def encode_for_display(image: Image.Image) -> tuple[bytes, str]:
    """The picture as PNG, or as a high-quality JPEG where that PNG would be large; with its mime type.

    Its colours are those of sRGB: on a canvas, beside drafts and in thumbnails, all must look the same.
    """
    image = in_srgb(image)
    if image.width * image.height <= 4_000_000 or image.mode == "RGBA":
        png = encode_png(image)
        if len(png) <= PNG_LIMIT or image.mode == "RGBA":
            return png, "image/png"
    return encode_jpeg(image, quality=92, subsampling=0), "image/jpeg"


def encode_png(image: Image.Image) -> bytes:
    """Lossless, with the colour profile and without texts."""
    out = io.BytesIO()
    profile = image.info.get("icc_profile")
    Image.fromarray(np.asarray(image)).save(out, "PNG", compress_level=4, icc_profile=profile)
    return out.getvalue()


def encode_jpeg(image: Image.Image, *, quality: int = 75, subsampling: int = 2) -> bytes:
    """Opaque, in the colours of sRGB; transparency is shown on white."""
    image = in_srgb(image)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    out = io.BytesIO()
    image = image if image.mode == "RGB" else image.convert("RGB")
    image.save(out, "JPEG", quality=quality, subsampling=subsampling, comment=b"")
    return out.getvalue()


def encode_preview(rgb: NDArray[np.uint8], profile: bytes | None = None) -> tuple[bytes, int, int]:
    """Return a preview (h, w, 3) uint8 as JPEG, with its width and height: `PREVIEW_SIZE` px at most.

    ``profile`` is the colour profile of its picture.
    """
    image = Image.fromarray(np.ascontiguousarray(rgb))
    image.thumbnail((PREVIEW_SIZE, PREVIEW_SIZE), Image.Resampling.BILINEAR)
    image = in_srgb(image, profile)
    return encode_jpeg(image), image.width, image.height


def encode_thumb(image: Image.Image) -> bytes:
    """A JPEG of at most `THUMB_SIZE` px."""
    small = image.convert("RGBA" if image.mode == "RGBA" else "RGB")
    small.thumbnail((THUMB_SIZE, THUMB_SIZE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small.info["icc_profile"] = image.info.get("icc_profile")
    return encode_jpeg(small, quality=80)


def content_key(image: Image.Image) -> str:
    """Equal for pictures with equal pixels and equal metadata: a result has those of its picture."""
    said = sorted((str(key), value) for key, value in image.info.items())
    digest = hashlib.blake2b(f"{image.mode} {image.size} {said}".encode("utf-8", "replace"), digest_size=16)
    for top in range(0, image.height, 256):  # in strips: a large picture is not copied as a whole
        strip = image.crop((0, top, image.width, min(top + 256, image.height)))
        digest.update(np.ascontiguousarray(np.asarray(strip)).data)
    return digest.hexdigest()


def to_image(source: Any) -> Image.Image:
    """Whatever the user calls a picture, as an upright RGB or RGBA Pillow image.

    Raises as `imaging.picture.load_picture`.
    """
    from regiondrag_widget.imaging.picture import load_picture

    return load_picture(source).to_pil()


def picture_name(source: Any) -> str:
    """How a picture is called on the screen."""
    path = source if isinstance(source, (str, Path)) else getattr(source, "filename", "") or "picture"
    return printable(Path(path).name)  # a file's name may have bytes that are no text
