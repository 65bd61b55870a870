"""What an edit gives back: the picture before and after, how it was made and how long that took."""

from __future__ import annotations

import base64
import html
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image

from regiondrag_widget._version import __version__
from regiondrag_widget.imaging.colour import shown
from regiondrag_widget.imaging.metadata import read_settings, save_options
from regiondrag_widget.imaging.picture import existing_file, open_image
from regiondrag_widget.regions.writing import write_whole

if TYPE_CHECKING:
    from regiondrag_widget.regions.pairs import RegionPairs

SHOWN_SIDE = 512  # px, the longer side of each picture in a notebook
_OPAQUE_FORMATS = {"JPEG", "BMP"}


@dataclass(frozen=True, eq=False, repr=False)
class EditResult:
    """An edited picture and everything needed to make it again.

    Attributes
    ----------
    image : Pillow image
        The edited picture, of the input's size and mode (RGB or RGBA).
    before : Pillow image
        The picture as it was given, upright.
    settings : mapping
        What the edit was asked to do, as plain JSON values.
    timings : mapping of str to float
        Seconds by stage, such as "encode", "inversion", "edit", "decode", "total".
    seed : int, optional
        The seed that gives the same result again.
    steps : sequence of (h, w, 3) uint8 array
        Previews of the steps, rendered when first asked for; may be empty.
    pairs : RegionPairs, optional
        The region pairs that were carried.
    notes : tuple of str
        What was carried of each pair, in words; with several pairs each note begins with its pair.
    """

    image: Image.Image
    before: Image.Image
    settings: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None
    steps: Sequence[np.ndarray] = ()
    pairs: RegionPairs | None = None
    notes: tuple[str, ...] = ()

    @property
    def array(self) -> np.ndarray:
        """The edited picture as (H, W, 3) or (H, W, 4) uint8, a copy."""
        return np.array(self.image, dtype=np.uint8)

    @property
    def metadata(self) -> dict[str, Any]:
        """Settings, seed, timings and version in one dict: what `save` writes into the file."""
        return {
            **self.settings,
            "seed": self.seed,
            "timings": {stage: round(seconds, 4) for stage, seconds in self.timings.items()},
            "version": __version__,
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the edited picture.

        A PNG or JPEG carries the settings (see `load_settings`). Alpha, colour profile, EXIF, XMP,
        resolution, comment and a PNG's texts are kept where the format has a place for them. The file is
        written under another name and renamed, so it is never incomplete.

        Parameters
        ----------
        path : path
            The file. Its suffix names the format; without one ".png" is added.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        ValueError
            A suffix of no known format, or one that cannot hold this picture's transparency.
        OSError
            The file cannot be written; nothing is left behind.
        """
        goal = Path(path)
        if not goal.suffix:
            goal = goal.with_name(goal.name + ".png")
        file_format = output_format(goal, transparent=self.image.mode == "RGBA")
        document = json.dumps(self.metadata, default=_plain)
        options = save_options(self.image.info, file_format, document)
        if file_format == "JPEG":
            options |= {"quality": 95, "subsampling": 0}
        elif file_format == "WEBP":
            options |= {"lossless": True, "exact": True}

        def write(file: BinaryIO) -> None:
            self.image.save(file, file_format, **options)

        return write_whole(goal, write)

    def __repr__(self) -> str:
        pairs = "" if self.pairs is None else f", {len(self.pairs)} region pair{'s' * (len(self.pairs) != 1)}"
        seconds = f", {self.timings['total']:.1f} s" if "total" in self.timings else ""
        width, height = self.image.size
        return f"EditResult({width}x{height} px{pairs}, seed {self.seed}{seconds})"

    def _repr_html_(self) -> str:
        figures = "".join(
            f'<figure style="margin:0"><img src="{_data_uri(image)}" alt="{caption}" style="max-width:100%">'
            f"<figcaption>{caption}</figcaption></figure>"
            for caption, image in (("before", self.before), ("after", self.image))
        )
        return f'<div style="display:flex;gap:8px" title="{html.escape(repr(self))}">{figures}</div>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def output_format(path: Path, *, transparent: bool = False) -> str:
    """Pillow's name of the format that a file's suffix stands for.

    Parameters
    ----------
    path : Path
        The file; without a suffix it is a PNG.
    transparent : bool
        Whether the format must hold transparency.

    Raises
    ------
    ValueError
        No format to save in, or one without transparency where it is needed.
    """
    file_format = Image.registered_extensions().get(path.suffix.lower() or ".png", "")
    if file_format not in {"PNG", "JPEG", "WEBP", "TIFF", "BMP"}:
        raise ValueError(f"{path.suffix} names no format to save in: use .png, .jpg, .webp, .tif or .bmp")
    if transparent and file_format in _OPAQUE_FORMATS:
        raise ValueError(f"a {file_format} file holds no transparency: save {path.name} as .png or .webp")
    return file_format


def load_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The settings that `EditResult.save` wrote into a PNG or JPEG, with seed, timings and version.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        No picture, or one without the settings of an edit.
    """
    name = Path(path).name
    try:
        with existing_file(path).open("rb") as file:
            settings = read_settings(open_image(file, name))
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{name} is no picture that can be read") from error
    if settings is None:
        raise ValueError(f"{name} holds no settings of an edit")
    return settings


def _plain(value: object) -> Any:
    """Values that json cannot write, as plain ones."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return str(value)


def _data_uri(image: Image.Image) -> str:
    """A small copy of a picture, in the page itself."""
    small = image.copy()
    small.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    small = shown(small)
    file_format = "PNG" if small.mode == "RGBA" else "JPEG"
    buffer = io.BytesIO()
    small.save(buffer, file_format, **({"quality": 90, "comment": b""} if file_format == "JPEG" else {}))
    return f"data:image/{file_format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
