"""Pictures in: whatever the user calls a picture becomes upright 8-bit RGB, with alpha and colour profile."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from regiondrag_widget.imaging.pixels import grey_to_rgb, planes, to_eight_bits
from regiondrag_widget.regions.limits import MAX_PIXELS, MIN_SIDE, check_pixels

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "TGA", "AVIF", "HEIF")
REMEDIES: tuple[tuple[tuple[bytes, ...], str], ...] = (
    (
        (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"),
        (
            "HEIC needs the package pillow-heif: pip install pillow-heif, then "
            "`import pillow_heif; pillow_heif.register_heif_opener()`"
        ),
    ),
    ((b"ftypavif", b"ftypavis"), "AVIF needs Pillow 11.3 or newer; or save it as PNG"),
    ((b"JXL \r\n", b"\xff\x0a"), "JPEG XL is not opened; save it as PNG or JPEG"),
    (
        (b"CR\x02\x00", b"ftypcrx", b"FUJIFILMCCD-RAW", b"IIRO", b"IIU\x00"),
        ("a camera's raw file is not opened; develop it and save it as TIFF or JPEG"),
    ),
    ((b"%!PS", b"\xc5\xd0\xd3\xc6", b"%PDF"), "PostScript and PDF are not opened; export a PNG"),
)

PictureSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | np.ndarray | Picture"
)


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright 8-bit picture.

    Attributes
    ----------
    rgb : (H, W, 3) uint8, read-only.
    alpha : (H, W) uint8, read-only, or None for a picture without transparency.
    icc_profile : the RGB colour profile it came with, or None.
    exif : its EXIF block without the orientation, which has been applied to the pixels; or None.
    name : where it came from, for messages.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    name: str = "picture"

    def __post_init__(self) -> None:
        for plane in (self.rgb, self.alpha):
            if plane is not None:
                plane.setflags(write=False)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), as Pillow has it."""
        return self.rgb.shape[1], self.rgb.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as numpy has it."""
        return self.rgb.shape[0], self.rgb.shape[1]

    def to_pil(self, rgb: np.ndarray | None = None) -> Image.Image:
        """As a Pillow image; or other colours (H, W, 3) uint8 with this picture's alpha, profile and EXIF."""
        image = Image.fromarray(np.ascontiguousarray(self.rgb if rgb is None else rgb))
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        if self.icc_profile is not None:
            image.info["icc_profile"] = self.icc_profile
        if self.exif is not None:
            image.info["exif"] = self.exif
        return image


def load_picture(source: PictureSource) -> Picture:
    """Read a picture from a file, from bytes, from Pillow or from numpy.

    Parameters
    ----------
    source
        A path; the bytes of a picture file; a Pillow image of any mode; an array (H, W), (H, W, 3) or
        (H, W, 4) of uint8, bool, uint16 (scaled to 8 bits), or other numbers where it is plain whether they
        run to 1 or to 255. EXIF orientation is applied; of an animation the first frame is taken.

    Raises
    ------
    FileNotFoundError, OSError
        There is no such file, or it may not be read.
    ValueError
        No picture, a damaged one, one smaller than 64 px on a side or larger than 178 megapixels (refused
        from the header, before decoding), an array of another shape or of unclear range.
    TypeError
        None of the kinds above.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _from_pil(source, "the Pillow image")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_pil(open_image(io.BytesIO(source), "the bytes given"), "the bytes given")
    if isinstance(source, (str, os.PathLike)):
        path = existing_file(source)
        with path.open("rb") as file:
            return _from_pil(open_image(file, path.name), path.name)
    raise TypeError(
        f"a picture may be a path, bytes, a Pillow image or a numpy array, not {type(source).__name__}"
    )


# -- files: the header is looked at before anything is decoded ----


def existing_file(source: str | os.PathLike[str]) -> Path:
    """The path of a file that is there and may be read, or an error that says what is wrong."""
    text = os.fspath(source)
    if text.startswith(("http://", "https://")):
        raise ValueError(f"{text} is an address: save the picture to a file first, nothing is downloaded")
    path = Path(text).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a picture")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    if not path.is_file():  # opening a pipe would wait for ever, and a device may have no end
        raise ValueError(f"{path} is a pipe or a device, not a picture file")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"{path} may not be read: its permissions forbid it")
    return path


def open_image(file: Any, name: str) -> Image.Image:
    """Open a binary file, refuse from its header what is too large, then decode it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit speaks
            image = Image.open(file, formats=_readable())
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is too large: at most {MAX_PIXELS // 10**6} megapixels are read") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is no picture that can be read: {_remedy(file)}") from error
    except (SyntaxError, ValueError, OSError, EOFError) as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    _check_size(image.size, name)
    _decode(image, name)
    return image


def _readable() -> list[str]:
    """The formats that are opened, of those this Pillow knows; others may start programs (EPS does)."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _remedy(file: Any) -> str:
    """What to do about a file of no format that is opened, by its first bytes."""
    try:
        file.seek(0)
        head = file.read(512)
    except (OSError, ValueError):
        head = b""
    for signs, remedy in REMEDIES:
        if any(sign in head[:32] for sign in signs):
            return remedy
    if b"<svg" in head:
        return "SVG is a drawing; export it as PNG"
    return "PNG, JPEG, WebP, TIFF, BMP and GIF files are"


def _decode(image: Image.Image, name: str) -> None:
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders fail in many ways; each means the same to the user
        raise ValueError(f"{name} is damaged or cut off: {str(error).rstrip('.')}") from error


def _check_size(size: tuple[int, int], name: str, smallest: int = 1) -> None:
    width, height = size
    check_pixels(name, width, height)
    if min(width, height) < smallest:
        raise ValueError(f"{name} is too small: {width}x{height} px, and a side needs at least {smallest} px")


# -- Pillow ----


def _from_pil(image: Image.Image, name: str) -> Picture:
    _check_size(image.size, name, smallest=MIN_SIDE)
    _decode(image, name)  # a Pillow image may not have read its file yet
    turned = upright(image)
    rgb, alpha = planes(turned, name, sixteen_bit_file=image.format == "PNG")
    profile = turned.info.get("icc_profile")
    if not (isinstance(profile, bytes) and profile[16:20] == b"RGB "):
        profile = None  # a grey or CMYK profile says nothing about the RGB it has become
    return Picture(rgb, alpha, profile, _exif_of(turned), name)


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # an unreadable EXIF block orders no turn
        return image


def _exif_of(image: Image.Image) -> bytes | None:
    """The EXIF block to keep. A TIFF's describes its own strips and tiles, and stays behind."""
    if "exif" not in image.info:
        return None
    try:
        exif = image.getexif()
        exif.pop(ExifTags.Base.Orientation, None)
        return exif.tobytes() if len(exif) else None
    except Exception:
        return None


# -- numpy ----


def _from_array(array: np.ndarray) -> Picture:
    name = "the array"
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; move the channels last with np.moveaxis(array, 0, -1)"
        raise ValueError(f"a picture array has shape (H, W), (H, W, 3) or (H, W, 4), not {array.shape}{hint}")
    _check_size((array.shape[1], array.shape[0]), name, smallest=MIN_SIDE)
    values = np.array(to_eight_bits(array, name))  # a copy: the caller's array stays the caller's
    if values.ndim == 2:
        return Picture(grey_to_rgb(values), name=name)
    alpha = np.ascontiguousarray(values[..., 3]) if values.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(values[..., :3]), alpha, name=name)
