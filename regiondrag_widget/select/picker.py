"""Superpixels of one picture, and what clicks, boxes and brush strokes select among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.picture import PictureSource
from regiondrag_widget.select.candidate import Candidate
from regiondrag_widget.select.clicking import Click, Regions, corrected, different, regions_at, regions_in
from regiondrag_widget.select.dots import Dot, dot_for, dotted
from regiondrag_widget.select.enlarging import enlarged
from regiondrag_widget.select.given import Box, Point, checked_box, checked_clicks, checked_points, rgb_of
from regiondrag_widget.select.proposals import pieces_of
from regiondrag_widget.select.superpixels import segment

__all__ = ["Superpixels"]

KEPT = 64  # answers that are kept, so that one more click corrects the last answer and nothing is done twice

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Answer:
    """What clicks may mean, and the dots that correct each of these."""

    regions: Regions
    dots: tuple[Dot, ...] = ()


class Superpixels:
    """A picture cut into superpixels, ready for clicks: made once, then each click takes milliseconds.

    They are made at a working size, so that clicks take the same time in pictures of any size.

    >>> pieces = rd.select.Superpixels("photo.jpg")
    >>> mask = pieces.click([(120, 80)], [True])

    Parameters
    ----------
    image : path, bytes, Pillow image or array
        As `rd.edit` takes it; an array (H, W, 3) uint8 may be smaller, from one pixel.

    Raises
    ------
    ValueError, TypeError, OSError
        The picture cannot be read.
    """

    def __init__(self, image: PictureSource) -> None:
        rgb = rgb_of(image)
        self.shape: tuple[int, int] = (rgb.shape[0], rgb.shape[1])
        parts = segment(rgb)
        self._labels, self._count = parts.labels, parts.count
        self._pieces = pieces_of(parts)
        self._answers: dict[tuple[tuple[Click, ...], bytes], _Answer] = {}

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """(h, w) int32: the superpixel of each pixel at the working size, from 0."""
        return self._labels

    @property
    def count(self) -> int:
        """How many superpixels there are."""
        return self._count

    def index_at(self, x: float, y: float) -> int:
        """The superpixel at a place of the picture.

        Raises ``ValueError`` for a place outside the picture.
        """
        ((x, y),) = checked_points([(x, y)], self.shape)
        height, width = self.labels.shape
        row, column = int((y + 0.5) * height / self.shape[0]), int((x + 0.5) * width / self.shape[1])
        return int(self.labels[min(row, height - 1), min(column, width - 1)])

    def piece_at(self, x: float, y: float) -> Bool:
        """(H, W) bool: the superpixel under the pointer.

        Raises ``ValueError`` for a place outside the picture.
        """
        return self.mask(np.arange(self.count) == self.index_at(x, y))

    def click(self, points: Sequence[Point], labels: Sequence[bool] | None = None) -> Bool:
        """Select the object that clicks mean; the best of `candidates`.

        Parameters
        ----------
        points
            (x, y) in pixels of the picture, in the order in which they were clicked: each corrects what the
            ones before it selected.
        labels
            For each point, True where it lies in the object and False where it does not; all True when left
            out.

        Returns
        -------
        (H, W) bool array
            Empty when no point lies in the object.

        Raises
        ------
        ValueError
            A point outside the picture, or not one label for each point.
        """
        return enlarged(self.chosen(points, labels), self.shape)

    def chosen(
        self, points: Sequence[Point] = (), labels: Sequence[bool] | None = None, box: Box | None = None
    ) -> Bool:
        """(h, w) bool: the best of `candidates` at the working size; raises as that does."""
        found = self._found(points, labels, box)
        return np.zeros(self.labels.shape, bool) if found is None else self._drawn(found)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> Bool:
        """(H, W) bool: the object in a box of the picture; x1 and y1 are one past its last pixel.

        Raises ``ValueError`` for a box without a pixel of the picture.
        """
        return enlarged(self.chosen(box=(x0, y0, x1, y1)), self.shape)

    def candidates(
        self, points: Sequence[Point] = (), labels: Sequence[bool] | None = None, box: Box | None = None
    ) -> list[Candidate]:
        """What clicks, a box or both may mean, the best first.

        Parameters
        ----------
        points, labels
            As `click` takes them.
        box
            (x0, y0, x1, y1) in pixels of the picture, around the object.

        Returns
        -------
        list of Candidate
            At most three, which differ clearly. Empty when there is no box and no point lies in the object.

        Raises
        ------
        ValueError
            As `click` and `box` do.
        """
        return [
            Candidate(enlarged(small, self.shape), score)
            for small, score in self.readings(points, labels, box)
        ]

    def readings(
        self, points: Sequence[Point] = (), labels: Sequence[bool] | None = None, box: Box | None = None
    ) -> list[tuple[Bool, float]]:
        """Each of the `candidates` at the working size, (h, w) bool, and its score; raises as that does."""
        found = self._found(points, labels, box)
        if found is None:
            return []
        return [
            (self._drawn(found, i), float(np.clip(found.regions.scores[i], 0, 1)))
            for i in different(self._pieces.graph, found.regions)
        ]

    def brush(self, points: Sequence[Point], radius: float) -> Bool:
        """(H, W) bool: the superpixels that a round brush touches on its way.

        Parameters
        ----------
        points
            (x, y) in pixels of the picture, joined by straight lines.
        radius
            Pixels of the picture, at least 0.

        Raises
        ------
        ValueError
            A point outside the picture, or a negative radius.
        """
        return self.mask(self.touched(points, radius))

    def touched(self, points: Sequence[Point], radius: float) -> Bool:
        """(n,) bool: the superpixels that `brush` selects; raises as `brush` does."""
        if not radius >= 0:
            raise ValueError(f"radius must be at least 0, got {radius!r}")
        points = checked_points(points, self.shape)
        height, width = self.labels.shape
        scale = width / self.shape[1]
        way = [tuple(round(v) for v in self._to_work(x, y)) for x, y in points]
        stroke = np.zeros((height, width), np.uint8)
        for start, end in zip(way, [*way[1:], way[-1]] if way else [], strict=True):
            cv2.line(stroke, start, end, 1, max(1, round(2 * radius * scale)), cv2.LINE_8)
        found = np.zeros(self.count, bool)
        found[self.labels[stroke > 0]] = True
        return found

    def mask(self, chosen: Bool) -> Bool:
        """(H, W) bool: chosen superpixels (n,) bool in the whole picture."""
        return enlarged(chosen[self.labels], self.shape)

    def _found(
        self, points: Sequence[Point], labels: Sequence[bool] | None, box: Box | None
    ) -> _Answer | None:
        """What clicks and a box may mean; None where nothing is asked for."""
        clicks = [
            Click(self.index_at(x, y), *self._to_work(x, y), label)
            for x, y, label in checked_clicks(points, labels, self.shape)
        ]
        if box is not None:
            inside = self._inside(checked_box(box, self.shape))
        elif any(click.takes for click in clicks):
            inside = np.zeros(0, bool)
            first = next(i for i, click in enumerate(clicks) if click.takes)
            clicks.insert(0, clicks.pop(first))  # there must be something to take away from
        else:
            return None
        return self._answer(tuple(clicks), inside)

    def _drawn(self, answer: _Answer, which: int = 0) -> Bool:
        """(h, w) bool: one of the regions that clicks may mean, at the working size."""
        return dotted(answer.regions.members[which][self._labels], answer.dots)

    def _answer(self, clicks: tuple[Click, ...], inside: Bool) -> _Answer:
        key = clicks, inside.tobytes()
        if key not in self._answers:
            if len(self._answers) >= KEPT:
                self._answers.pop(next(iter(self._answers)))
            self._answers[key] = self._made(clicks, inside)
        return self._answers[key]

    def _made(self, clicks: tuple[Click, ...], inside: Bool) -> _Answer:
        if not clicks:
            return _Answer(regions_in(self._pieces, inside))
        if len(clicks) == 1 and not len(inside):
            return _Answer(regions_at(self._pieces, clicks[0]))
        known, click = self._answer(clicks[:-1], inside), clicks[-1]
        before = known.regions.members[0]
        piece = self._labels == click.superpixel
        dot = dot_for(self._drawn(known), piece, click.x, click.y, click.takes)
        if dot is not None:
            return _Answer(Regions(before[None], np.ones(1, np.float32)), (*known.dots, dot))
        dots = [dot for dot in known.dots if dot.takes == click.takes or not dot.covers(click.x, click.y)]
        return _Answer(corrected(self._pieces, before, clicks), tuple(dots))

    def _inside(self, box: tuple[float, float, float, float]) -> Bool:
        """(n,) bool: the superpixels of which most lies in a box; at least the one in its middle."""
        (left, top), (right, bottom) = self._to_work(box[0], box[1]), self._to_work(box[2], box[3])
        height, width = self.labels.shape
        rows, columns = np.arange(height)[:, None], np.arange(width)
        cells = (rows >= top) & (rows <= bottom - 1) & (columns >= left) & (columns <= right - 1)
        found = np.bincount(self.labels.ravel(), cells.ravel(), self.count) > 0.5 * self._pieces.graph.area
        found[self.index_at((box[0] + box[2] - 1) / 2, (box[1] + box[3] - 1) / 2)] = True
        return np.asarray(found)

    def _to_work(self, x: float, y: float) -> tuple[float, float]:
        """A place of the picture at the working size; an integer is a pixel's centre in both."""
        height, width = self.labels.shape
        return (x + 0.5) * width / self.shape[1] - 0.5, (y + 0.5) * height / self.shape[0] - 0.5
