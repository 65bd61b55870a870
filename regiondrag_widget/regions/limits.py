"""How large pictures, masks and saved regions may be: one table, checked before anything is allocated.

The sizes of messages and uploads are in the widget's protocol (`widget.protocol`).
"""

from __future__ import annotations

__all__ = [
    "MAX_INDEX_BYTES",
    "MAX_MASK_BYTES",
    "MAX_MEMBERS",
    "MAX_PAIRS",
    "MAX_PINS",
    "MAX_PIXELS",
    "MAX_SESSION_PIXELS",
    "MAX_TEXT",
    "MIN_SIDE",
    "check_density",
    "check_pixels",
    "max_png_bytes",
]

MIN_SIDE = 64  # pixels of a picture's shorter side: less holds nothing to edit
MAX_PIXELS = 178_956_970  # of a picture or a mask, about 13,000 x 13,000: Pillow decodes no more either
FREE_PIXELS = 8_000_000  # below this a file may be as short as it likes: a plain picture can be
MAX_PIXELS_A_BYTE = 8_500  # of a file: deflate makes 1,032 bytes of one, each 8 pixels at one bit
MAX_JPEG_PIXELS_A_BYTE = 1_100  # one bit for each 8 x 8 block of a progressive grey picture is 512
MAX_PAIRS = 512  # of one picture
MAX_PINS = 64  # of one bent pair
MAX_TEXT = 10_000  # characters of a pair's name, and of any text field of a message
MAX_MASK_BYTES = 256 * 2**20  # of all masks of a drawing, packed: one bit a pixel of their boxes
MAX_MEMBERS = 16_384  # files in an archive of saved regions
MAX_SESSION_PIXELS = 400_000_000  # of all pictures in a saved session
MAX_INDEX_BYTES = 4_000_000  # of regions.json, the index of saved regions


def check_pixels(name: str, width: int, height: int) -> None:
    """Refuse a picture or a mask of more than `MAX_PIXELS`.

    Parameters
    ----------
    name
        How the error message calls it.
    width, height
        Its size in pixels.

    Raises
    ------
    ValueError
        It is too large.
    """
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"{name} is too large: {width}x{height} px, and at most {MAX_PIXELS // 10**6} megapixels are read"
        )


def check_density(name: str, width: int, height: int, length: int, kind: str | None) -> None:
    """Refuse a file that is too short for the picture it announces, before memory is taken for that.

    Parameters
    ----------
    name
        How the error message calls it.
    width, height
        The size announced, in pixels.
    length
        Of the file, in bytes.
    kind
        Its format, as Pillow names it.

    Raises
    ------
    ValueError
        More pixels a byte than any picture worth editing has.
    """
    most = MAX_JPEG_PIXELS_A_BYTE if kind in ("JPEG", "MPO") else MAX_PIXELS_A_BYTE
    if width * height > max(FREE_PIXELS, most * length):
        raise ValueError(
            f"{name} is damaged or empty: it announces {width}x{height} px in a file of {length:,} bytes"
        )


def max_png_bytes(width: int, height: int) -> int:
    """Return what no PNG file of this size exceeds: four channels of 16 bits, twice over, and its header."""
    return 16 * width * height + 1_000_000
