"""One sample of a data set, and a data set that names and skips those it cannot read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions import RegionPairs

__all__ = ["Dataset", "Sample", "SampleError"]

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Points = NDArray[np.float64]

MAX_POINTS = 1000  # of one sample: a dense map is no list of points


class SampleError(ValueError):
    """A sample that cannot be used; the message says what is wrong with it and what to do."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and the drag that is asked for.

    Parameters
    ----------
    name
        Unique in its data set: the sample's path below the data set's folder.
    image
        (H, W, 3) uint8 RGB.
    prompt
        What the picture shows, empty where the data set does not say.
    pairs
        Handles and targets; none where the data set has points alone (`expand` makes regions of them).
    points
        (N, 2, 2) float64: for each of N points where it is (the handle) and where it goes (the target), each
        as x, y in pixels; N may be 0.
    editable
        (H, W) bool, where the edit may change the picture; None where the data set does not say.
    truth
        (H, W, 3) uint8, the right answer; None where there is none.

    Raises
    ------
    SampleError
        Sizes differ, or a point lies outside the picture.
    """

    name: str
    image: Image
    prompt: str
    pairs: RegionPairs
    points: Points
    editable: Mask | None = None
    truth: Image | None = None

    def __post_init__(self) -> None:
        height, width = self.shape
        if self.points.ndim != 3 or self.points.shape[1:] != (2, 2):
            raise SampleError(f"the points have shape {self.points.shape}: they must be (N, 2, 2)")
        if len(self.points) > MAX_POINTS:
            raise SampleError(f"it has {len(self.points)} points, and at most {MAX_POINTS} are read")
        if not np.isfinite(self.points).all():
            raise SampleError("a point is not finite: each is x, y in pixels")
        outside = ((self.points < -0.5) | (self.points > np.array([width, height]) - 0.5)).any(axis=(1, 2))
        if outside.any():
            (x0, y0), (x1, y1) = self.points[int(outside.argmax())]
            raise SampleError(
                f"the point ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}) is outside the picture of {width}x{height}"
            )
        if self.pairs.shape is not None and self.pairs.shape != self.shape:
            raise SampleError(f"the regions are {_size(self.pairs.shape)}, the picture {width}x{height}")
        if self.editable is not None and self.editable.shape != self.shape:
            raise SampleError(
                f"the editable mask is {_size(self.editable.shape)}, the picture {width}x{height}"
            )
        if self.truth is not None and self.truth.shape != self.image.shape:
            raise SampleError(f"the true picture is {_size(self.truth.shape)}, the picture {width}x{height}")

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return int(self.image.shape[0]), int(self.image.shape[1])


@dataclass(eq=False)
class Dataset:
    """Samples that are read when they are iterated over; those that cannot be read are named and skipped.

    Parameters
    ----------
    name
        What reports call it.
    folder
        Where its samples are.
    places
        For each sample its name and what `read` needs.
    read
        From a name and a place to the sample. Raises `SampleError` or another ``ValueError``, or ``OSError``.
    files
        From a place to the files that its sample is read from; all in the folder when left out.

    Attributes
    ----------
    skipped
        {name: reason} of the samples that could not be read, filled while iterating.
    """

    name: str
    folder: Path
    places: Sequence[tuple[str, Any]]
    read: Callable[[str, Any], Sample] = field(repr=False)
    files: Callable[[Any], Sequence[Path]] = field(repr=False, default=lambda place: _files_in(place))
    skipped: dict[str, str] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        """Count the samples that are there, readable or not."""
        return len(self.places)

    @property
    def names(self) -> list[str]:
        """Names of all samples, in order."""
        return [name for name, _ in self.places]

    def __iter__(self) -> Iterator[Sample]:
        """Read one sample after another; warns of each one that is skipped, and why, the first time."""
        for name, place in self.places:
            try:
                sample = self.read(name, place)
            except Exception as error:  # what a stranger's file does to a library cannot be listed
                reason = _reason(error)
                if name not in self.skipped:
                    warnings.warn(f"sample {name} is skipped: {reason}", stacklevel=2)
                self.skipped[name] = reason
                continue
            yield sample

    def __getitem__(self, name: str) -> Sample:
        """Read one sample by its name.

        Raises ``KeyError`` for an unknown name, and what is wrong with a sample that cannot be read.
        """
        return self.read(name, self._places[name])

    def only(self, names: Sequence[str]) -> Dataset:
        """The same data set with some of its samples."""
        chosen = set(names)
        places = [(name, place) for name, place in self.places if name in chosen]
        return Dataset(self.name, self.folder, places, self.read, self.files)

    def files_of(self, name: str) -> list[Path]:
        """The files that a sample is read from; ``KeyError`` for an unknown name."""
        return list(self.files(self._places[name]))

    @cached_property
    def _places(self) -> dict[str, Any]:
        return dict(self.places)


def _files_in(folder: Path) -> list[Path]:
    """All files in a folder and the folders in it that hold no sample of their own, such as ReD's temp."""
    inside = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return inside + sorted(path for path in folder.glob("temp/*") if path.is_file())


def _reason(error: Exception) -> str:
    """Why a sample is skipped, in words."""
    expected = isinstance(error, (ValueError, TypeError, OSError)) and str(error)
    return str(error) if expected else f"it cannot be read: {type(error).__name__}: {error}"


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
