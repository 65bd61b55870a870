"""Pictures in: whatever the user calls a picture becomes upright 8-bit RGB, with alpha and colour profile."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from regiondrag_widget.imaging.metadata import read_metadata
from regiondrag_widget.imaging.pixels import grey_to_rgb, planes, to_eight_bits
from regiondrag_widget.regions.limits import MAX_PIXELS, MIN_SIDE, check_density, check_pixels

RAW = "a camera's raw file is not opened; develop it and save it as TIFF or JPEG"
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "TGA", "AVIF", "HEIF")
HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc", b"ftyphevx", b"ftypheim")
REMEDIES: tuple[tuple[tuple[bytes, ...], str], ...] = (
    (
        HEIC,
        "HEIC needs the package pillow-heif: pip install pillow-heif, then open it again",
    ),
    ((b"ftypavif", b"ftypavis"), "AVIF needs Pillow 11.3 or newer; or save it as PNG"),
    ((b"JXL \r\n", b"\xff\x0a"), "JPEG XL is not opened; save it as PNG or JPEG"),
    (
        (b"CR\x02\x00", b"ftypcrx", b"FUJIFILMCCD-RAW", b"IIRO", b"IIU\x00"),
        RAW,
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
    metadata : what else its file said, in the form of Pillow's ``info`` (see `imaging.metadata`).
    name : where it came from, for messages.
    note : what the user should know of how it was read; empty if there is nothing.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    name: str = "picture"
    note: str = ""

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
        """As a Pillow image; or other colours (H, W, 3) uint8 with this one's alpha, profile and metadata."""
        image = Image.fromarray(np.ascontiguousarray(self.rgb if rgb is None else rgb))
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        if self.icc_profile is not None:
            image.info["icc_profile"] = self.icc_profile
        image.info.update(self.metadata)
        return image


def load_picture(source: PictureSource) -> Picture:
    """Read a picture from a file, from bytes, from Pillow or from numpy.

    Parameters
    ----------
    source
        A path; the bytes of a picture file; a Pillow image of any mode; an array (H, W), (H, W, 3) or
        (H, W, 4) of uint8, bool, uint16 (scaled to 8 bits), or other numbers where it is plain whether they
        run to 1 or to 255. EXIF orientation, a PNG's gamma, and profiles of greys and inks are applied; the
        profile of RGB stays with the picture. Of several frames or pages the first is taken, with a warning.

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
    picture = read_picture(source)
    if picture.note and picture is not source:
        warnings.warn(picture.note, stacklevel=2)
    return picture


def read_picture(source: PictureSource) -> Picture:
    """As `load_picture`, but what it would warn of is only in the picture's ``note``."""
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
        "a picture may be a path, bytes, a Pillow image or a numpy array (one alone, not a list of them), "
        f"not {type(source).__name__}"
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
            image = _opened(file)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is too large: at most {MAX_PIXELS // 10**6} megapixels are read") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is no picture that can be read: {_remedy(file)}") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers fail in many ways; each means the same to the user
        raise ValueError(f"{name} is damaged: {error}") from error
    _check_size(image.size, name)
    check_density(name, *image.size, _length(file), image.format)
    if _is_raw(image):
        raise ValueError(f"{name} is no picture that can be read: {RAW}")
    _decode(image, name)
    return image


def _opened(file: Any) -> Image.Image:
    """The file's header read; a HEIC file brings its package along if that is installed."""
    try:
        return Image.open(file, formats=_readable())
    except UnidentifiedImageError:
        if "HEIF" in Image.OPEN or not _head(file)[4:12].startswith(HEIC):
            raise
        try:
            from pillow_heif import register_heif_opener  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            raise UnidentifiedImageError from None
        register_heif_opener()
        file.seek(0)
        return Image.open(file, formats=_readable())


def _is_raw(image: Image.Image) -> bool:
    """Whether a TIFF is a camera's raw file, of which Pillow would open the small preview."""
    if image.format != "TIFF":
        return False
    tags = getattr(image, "tag_v2", {})
    preview_first = tags.get(254) == 1 and 330 in tags  # a smaller copy before the picture itself
    return 50706 in tags or preview_first or _head(getattr(image, "fp", None))[8:12] == b"CR\x02\x00"


def _readable() -> list[str]:
    """The formats that are opened, of those this Pillow knows; others may start programs (EPS does)."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _remedy(file: Any) -> str:
    """What to do about a file of no format that is opened, by its first bytes."""
    head = _head(file)
    for signs, remedy in REMEDIES:
        if any(sign in head[:32] for sign in signs):
            return remedy
    if b"<svg" in head:
        return "SVG is a drawing; export it as PNG"
    return "PNG, JPEG, WebP, TIFF, BMP and GIF files are"


def _head(file: Any) -> bytes:
    """The first bytes of an open file, which stays where it was; none where it cannot be read."""
    try:
        place = file.tell()
        file.seek(0)
        head: bytes = file.read(512)
        file.seek(place)
    except (OSError, ValueError, AttributeError):
        return b""
    return head


def _length(file: Any) -> int:
    """Bytes of an open file, which stays where it was."""
    place = file.tell()
    length: int = file.seek(0, os.SEEK_END)
    file.seek(place)
    return length


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
    return Picture(rgb, alpha, profile, read_metadata(image, turned), name, _frames_note(image, name))


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says."""
    try:
        if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return image  # not copied: it may be large
        return ImageOps.exif_transpose(image)
    except Exception:  # an unreadable EXIF block orders no turn
        return image


def _frames_note(image: Image.Image, name: str) -> str:
    """What is said of a file with several frames; in an MPO the others are a camera's helpers."""
    if image.format in (None, "MPO", "JPEG"):
        return ""
    try:
        several = bool(getattr(image, "is_animated", False))
    except Exception:  # whatever is wrong with the second frame, the first has been read
        several = False
    return f"{name} has several frames or pages: the first one is taken" if several else ""


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
