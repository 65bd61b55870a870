"""Edits as work: one row is one edit, and rows of one picture share its session."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget._version import __version__
from regiondrag_widget.batch.edit_row import EditRow, edit_row
from regiondrag_widget.batch.placing import Needs
from regiondrag_widget.batch.row import Row
from regiondrag_widget.batch.work import Depends, Made
from regiondrag_widget.engine.settings import BY_NAME, EditSettings

if TYPE_CHECKING:
    from regiondrag_widget.engine.result import EditResult
    from regiondrag_widget.engine.session import ImageSession

__all__ = ["EditWork"]

# settings that a session is made with; edits of one session may have seeds of their own
OF_SESSION = tuple(name for name, spec in BY_NAME.items() if spec.scope == "picture" and name != "seed")
SAMPLES, SAMPLE = 16, 1 << 16  # parts of a weights file that tell it from another, and their bytes


@dataclass(frozen=True)
class EditWork:
    """Edit the picture of each row and keep the result as a file.

    Parameters
    ----------
    model : str, path, RegionDragPipeline or Model
        As `load_pipeline` takes it. Only a name or a folder can be used by several processes.
    device, dtype : optional
        As `load_pipeline` takes them. With several GPUs and no device, the processes share them out.
    settings : mapping
        Settings of every row that does not have its own: see `EditSettings`.
    ending : str
        Of the results' files: ".png", ".jpg", ".webp", ".tif" or ".bmp".

    Raises
    ------
    ValueError, TypeError
        A setting that there is not or that is out of range, or an ending of no format.
    """

    model: Any = "mini"
    device: Any = None
    dtype: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    ending: str = ".png"

    def __post_init__(self) -> None:
        EditSettings().updated(self.settings, "python")
        if self.ending.lower() not in (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"):
            raise ValueError(
                f"{self.ending!r} names no format to save in: use .png, .jpg, .webp, .tif or .bmp"
            )

    def depends(self, row: Row) -> Depends:
        """The row's values, the settings, the model and the package's version; see `Work.depends`."""
        said = edit_row(row)
        values: dict[str, Any] = {
            name: [value if _is_said(value) else _digest(value) for value in getattr(said, name)]
            for name in ("selects", "moves", "scales", "turns", "points", "carries", "actions")
        }
        for name, given in (
            ("picture", [said.picture]),
            ("handles", said.handles),
            ("targets", said.targets),
        ):
            values[name] = [None if isinstance(one, (str, Path)) else _digest(one) for one in given]
        values |= {"protect": said.protect is not None, "regions": said.regions is not None}
        values["settings"] = {**self.settings, **said.settings}
        values["model"] = [self._identity, str(self.dtype or "")]
        values["ending"], values["version"] = self.ending, __version__
        return Depends(values, said.files)

    def group(self, row: Row) -> tuple[str, ...]:
        """The picture, and the settings that its session is made with; see `Work.group`."""
        said = edit_row(row)
        return _picture_name(said), repr(self._of_session(said))

    def open(self, number: int = 0) -> Callable[[Row], Made]:
        """Load the model; see `Work.open`.

        Raises
        ------
        ValueError, FileNotFoundError
            As `load_pipeline`.
        """
        from regiondrag_widget.api import load_pipeline

        pipe = load_pipeline(self.model, device=self.device or _device(number), dtype=self.dtype)
        return _Editing(self, pipe)

    def needs(self) -> Needs:
        """What a worker needs: memory for the weights of a model's folder, and the device."""
        folder = Path(self.model).expanduser() if isinstance(self.model, (str, os.PathLike)) else None
        weights = 0
        if folder is not None and folder.is_dir():
            weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
        return Needs(weights, None if self.device is None else str(self.device), str(self._identity))

    @cached_property
    def _identity(self) -> str:
        """The model's identity, found once: a later run has other work, and may have other weights."""
        return _identity(self.model)

    def _of_session(self, row: EditRow) -> dict[str, Any]:
        given = {**self.settings, **row.settings}
        return {name: given[name] for name in OF_SESSION if name in given}


class _Editing:
    """Edits rows with one model; the latest picture's session is kept for the next row."""

    def __init__(self, work: EditWork, pipe: Any) -> None:
        self._work, self._pipe = work, pipe
        self._key: tuple[str, ...] = ()
        self._session: ImageSession | None = None

    def __call__(self, row: Row) -> Made:
        from regiondrag_widget.batch.row_pairs import regions_of

        said = edit_row(row)
        session = self._session_of(row, said)
        pairs, editable = regions_of(said, session.picture)
        given = {**self._work.settings, **said.settings}
        settings = {name: value for name, value in given.items() if name not in (*OF_SESSION, "model")}
        for _ in session.edit(pairs, editable=editable, **settings):
            pass
        assert session.result is not None
        result: EditResult = session.result
        about = {
            "model": result.settings["model"],
            "prompt": session.prompt,
            "seed": result.seed,
            "notes": list(result.notes),
            "timings": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
        }
        # without the timings, the same edit is the same file
        return Made(about, {self._work.ending: partial(_save, replace(result, timings={}))})

    def _session_of(self, row: Row, said: EditRow) -> ImageSession:
        from regiondrag_widget.batch.row_pairs import picture_of
        from regiondrag_widget.engine.session import ImageSession

        key = self._work.group(row)
        if self._session is None or key != self._key or not key[0]:
            self._session = None  # its memory is free before the next one's is taken
            given = self._work._of_session(said)
            self._session = ImageSession(self._pipe, picture_of(said), **given)
            self._key = key
        return self._session


def _save(result: EditResult, path: Path) -> None:
    result.save(path)


def _is_said(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool, list, tuple, type(None)))


def _picture_name(row: EditRow) -> str:
    source = row.regions if row.picture is None else row.picture
    if isinstance(source, (str, Path)):
        return str(source)
    return _digest(source)


def _digest(value: Any) -> str:
    """A short text that is equal for equal bytes or arrays."""
    if value is None:
        return ""
    data = value if isinstance(value, (bytes, bytearray)) else value.tobytes()
    shape = "" if isinstance(value, (bytes, bytearray)) else f"{value.shape}{value.dtype}"
    return hashlib.sha256(shape.encode() + data).hexdigest()


def _device(number: int) -> str | None:
    """One GPU for each process of a machine with several; None where there is nothing to share out."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return f"cuda:{number % count}" if count > 1 else None


def _identity(model: Any) -> str:
    """What tells a model from another: its name; of a folder also its files' sizes and parts of them."""
    if not isinstance(model, (str, os.PathLike)):
        return str(getattr(getattr(model, "model", model), "name", type(model).__name__))
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return os.fspath(model)
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json") and path.is_file():
            size = path.stat().st_size
            state.update(f"{path.relative_to(folder).as_posix()} {size}".encode())
            with path.open("rb") as file:
                for part in range(SAMPLES):
                    file.seek(size * part // SAMPLES)
                    state.update(file.read(SAMPLE))
    return f"{folder.name} {state.hexdigest()[:16]}"
