"""What a picture file says besides its pixels: read from one file, kept, and written into the next."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

SETTINGS_KEY = "regiondrag"  # the name of an edit's settings in a PNG, and of their blocks in a JPEG
_XMP_TEXT = "XML:com.adobe.xmp"  # the name under which a PNG has its XMP
_BLOCK = 65533  # bytes that one block of a JPEG holds
_XMP_TAG = 700
_SIZES = {
    ExifTags.Base.ImageWidth: 0,
    ExifTags.Base.ImageLength: 1,
    ExifTags.Base.ExifImageWidth: 0,
    ExifTags.Base.ExifImageHeight: 1,
}
# of a TIFF's tags those that describe the picture: the others describe the file's own strips and tiles
_DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 316, 33432, 40091, 40092, 40093, 40094, 40095)
_NOT_TEXT = {SETTINGS_KEY, _XMP_TEXT, "compression"}


def read_metadata(image: Image.Image, turned: Image.Image) -> dict[str, Any]:
    """What is to be kept of an open picture file, in the form of Pillow's ``info``.

    Parameters
    ----------
    image
        The file as it was opened.
    turned
        The same upright, as its EXIF orientation says.

    Returns
    -------
    dict
        ``dpi`` (two numbers), ``comment`` and ``xmp`` (bytes), ``exif`` (without the orientation, which has
        been applied, and with the size of the upright picture), and the texts of a PNG under their own
        names; what the file does not say is left out. The colour profile is not among them.
    """
    info = turned.info
    kept: dict[str, Any] = {}
    dpi = _dpi(info.get("dpi"))
    if dpi is not None:
        kept["dpi"] = dpi
    exif = _exif(image, turned.size)
    if exif is not None:
        kept["exif"] = exif
    xmp = info.get("xmp", info.get(_XMP_TEXT))
    if isinstance(xmp, (str, bytes)) and xmp:
        kept["xmp"] = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp
    comment = info.get("comment")
    if isinstance(comment, (str, bytes)) and comment:
        comment = comment.encode("utf-8", "replace") if isinstance(comment, str) else comment
        if parsed_settings(comment) is None:  # an earlier edit's settings are replaced by the next one's
            kept["comment"] = comment
    texts = getattr(image, "text", None) or {k: v for k, v in info.items() if isinstance(v, str)}
    kept |= {key: str(value) for key, value in texts.items() if _is_keyword(key) and key not in _NOT_TEXT}
    return kept


def save_options(info: Mapping[Any, Any], file_format: str, settings: str) -> dict[str, Any]:
    """How Pillow is to save a picture so that the file says what it is to say.

    Parameters
    ----------
    info
        Of the picture: a colour profile, and what `read_metadata` returned.
    file_format
        Pillow's name of it.
    settings
        An edit's settings as ASCII JSON; a PNG and a JPEG carry them. Empty for none.

    Returns
    -------
    dict
        Options for ``Image.save``. What the format cannot hold is left out.
    """
    options: dict[str, Any] = {key: info[key] for key in ("icc_profile", "exif", "dpi") if info.get(key)}
    xmp, comment = info.get("xmp"), info.get("comment")
    if file_format == "PNG":
        options["pnginfo"] = _png_texts(info, settings)
    elif file_format == "JPEG":
        blocks = [_block(0xEF, piece) for piece in _pieces(settings.encode("ascii"))]
        if xmp and len(xmp) + 29 <= _BLOCK:
            blocks.append(_block(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp))
        if len(info.get("exif", b"")) > _BLOCK:
            del options["exif"]
        comment = comment or str(info.get("Comment", "")).encode("utf-8", "replace")
        options |= {"extra": b"".join(blocks), "comment": comment[:_BLOCK]}
    elif file_format == "WEBP" and xmp:
        options["xmp"] = xmp
    elif file_format == "TIFF" and xmp:
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        directory.tagtype[_XMP_TAG] = 1  # bytes
        directory[_XMP_TAG] = xmp
        options["tiffinfo"] = directory
    return options


def read_settings(image: Image.Image) -> dict[str, Any] | None:
    """The settings that an open PNG or JPEG carries, or None."""
    text = image.info.get(SETTINGS_KEY)
    if text:
        return parsed_settings(text)
    head = SETTINGS_KEY.encode() + b"\0"
    blocks = [data for name, data in getattr(image, "applist", ()) if name == "APP15"]
    pieces = [data[len(head) :] for data in blocks if data.startswith(head)]
    if pieces:
        return parsed_settings(b"".join(pieces))
    return parsed_settings(image.info.get("comment"))  # where earlier versions wrote them


def parsed_settings(document: object) -> dict[str, Any] | None:
    """The settings in a document, or None where it holds none."""
    if not isinstance(document, (str, bytes)):
        return None
    try:
        settings = json.loads(document)
    except (ValueError, RecursionError):
        return None
    known = isinstance(settings, dict) and "version" in settings and "timings" in settings
    return settings if known else None


def _dpi(value: object) -> tuple[float, float] | None:
    try:
        x, y = (float(number) for number in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    usable = all(math.isfinite(number) and 0 < number < 1e6 for number in (x, y))
    return (x, y) if usable else None


def _exif(image: Image.Image, size: tuple[int, int]) -> bytes | None:
    try:
        given = image.getexif()
        if not len(given):
            return None
        exif = Image.Exif()
        tiff = isinstance(image, TiffImagePlugin.TiffImageFile)
        for tag, value in given.items():
            if tag not in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) and (not tiff or tag in _DESCRIPTIVE):
                exif[tag] = value
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            fields = given.get_ifd(ifd)
            if fields:
                exif.get_ifd(ifd).update(fields)
        exif.pop(ExifTags.Base.Orientation, None)
        exif.pop(_XMP_TAG, None)
        own = exif.get_ifd(ExifTags.IFD.Exif) if given.get_ifd(ExifTags.IFD.Exif) else {}
        for tag, side in _SIZES.items():
            if tag in exif:
                exif[tag] = size[side]
            if tag in own:
                own[tag] = size[side]
        data = exif.tobytes()
    except Exception:  # a damaged block is not worth a picture
        return None
    return data if len(data) > 20 else None  # an empty one is a header alone


def _is_keyword(key: object) -> bool:
    """Whether a PNG takes ``key`` as the name of a text."""
    return isinstance(key, str) and 0 < len(key) < 80 and key.isascii() and key.isprintable()


def _png_texts(info: Mapping[Any, Any], settings: str) -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    if settings:
        texts.add_text(SETTINGS_KEY, settings)
    for key, value in info.items():
        if isinstance(value, str) and _is_keyword(key) and key not in _NOT_TEXT:
            texts.add_text(key, value.encode("utf-8", "replace").decode())
    if info.get("xmp"):
        texts.add_itxt(_XMP_TEXT, info["xmp"].decode("utf-8", "replace"))
    if info.get("comment") and "Comment" not in info:
        texts.add_text("Comment", info["comment"].decode("utf-8", "replace"))
    return texts


def _pieces(settings: bytes) -> list[bytes]:
    """The settings in blocks of a JPEG, which are short."""
    head = SETTINGS_KEY.encode() + b"\0"
    room = _BLOCK - len(head)
    return [head + settings[at : at + room] for at in range(0, len(settings), room)]


def _block(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2, "big") + data
