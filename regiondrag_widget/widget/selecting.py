"""Answering the selection tools: what a click, a stroke, a box or a wand selects, the moment it is asked."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from regiondrag_widget import select
from regiondrag_widget.errors import first_line
from regiondrag_widget.regions.codec import encode_mask
from regiondrag_widget.select.flood import WORK_SIDE as WAND_SIDE
from regiondrag_widget.select.given import checked_points
from regiondrag_widget.widget.changes import Change
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.host import Outbox
from regiondrag_widget.widget.incoming import Select
from regiondrag_widget.widget.outgoing import Outgoing, Selected
from regiondrag_widget.widget.regions_state import Mask, read_mask
from regiondrag_widget.widget.worker import InferenceWorker, Job

log = logging.getLogger(__name__)

HOVERING = ("piece", "object", "path")  # asked with every move of the pointer: only the newest is answered
MOST_WAITING = 16  # other requests that wait; with more the oldest is dropped
KEPT_PIXELS = 12_000_000  # of larger pictures no second copy of the pixels is kept


class Selecting:
    """Answers the selection tools of one widget.

    The work is done by a thread of its own, so that no message waits for it and it waits for no edit. The
    picture is cut into superpixels once, when a tool is taken in hand.

    Parameters
    ----------
    document
        Whose picture is selected in.
    worker
        Does the work.
    outbox
        Delivers the answers.
    send
        Sends one message to the browser.
    """

    def __init__(
        self,
        document: Document,
        worker: InferenceWorker,
        outbox: Outbox,
        send: Callable[[Outgoing], None],
    ) -> None:
        self._document, self._worker, self._outbox, self._send = document, worker, outbox, send
        self._owner = ("selecting", id(document))
        self._hovering: Select | None = None
        self._waiting: deque[Select] = deque()
        self._picture: _Picture | None = None
        self._models = _Models()

    def select(self, message: Select) -> None:
        """Answer a request, or drop it when a newer one makes it useless."""
        document = self._document
        with document.lock:
            if message.rev != document.picture_rev:
                return self.refuse(message, "")  # asked of the picture before this one
            if message.how in HOVERING:
                if self._hovering is not None:
                    self.refuse(self._hovering, "")
                self._hovering = message
            else:
                self._waiting.append(message)
                if len(self._waiting) > MOST_WAITING:
                    self.refuse(self._waiting.popleft(), "")
        job = Job(self._owner, self._work)
        if self._outbox.pump:  # nothing that another thread sends would arrive before the next message
            self._work(job)
        else:
            self._worker.submit(job)
        return None

    def refuse(self, message: Select, words: str) -> None:
        """Say that a request selects nothing; no words where the user is not to be told."""
        self._send(Selected(message.seq, message.how, found=False, message=words))

    def changed(self, what: Change) -> None:
        """Forget what belongs to another picture."""
        if Change.PICTURE in what:
            self._forget()

    def close(self) -> None:
        """The widget is gone."""
        self._forget()
        self._models = _Models()
        self._worker.cancel(self._owner)

    def _forget(self) -> None:
        assert self._document.lock.held()
        self._hovering, self._picture = None, None
        self._waiting.clear()

    def _next(self) -> tuple[Select, _Picture] | None:
        """The next request: clicks before what the pointer only passes over."""
        with self._document.lock:
            if self._waiting:
                message = self._waiting.popleft()
            elif self._hovering is not None:
                message, self._hovering = self._hovering, None
            else:
                return None
            if self._picture is None:
                self._picture = _Picture(self._document.picture.image, self._models)
            self._picture.selector = self._document.settings.selector
            return message, self._picture

    def _work(self, job: Job) -> None:
        while not job.cancelled and (found := self._next()) is not None:
            message, picture = found
            try:
                answer = picture.answer(message)
            except ValueError as error:
                answer = Selected(message.seq, message.how, found=False, message=str(error))
            except Exception:
                log.warning("a selection failed", exc_info=True)
                words = "The selection failed: try another tool."
                answer = Selected(message.seq, message.how, found=False, message=words)
            self._outbox.post(partial(self._send, answer))


class _Seen(Protocol):
    """A picture that a model has seen."""

    def candidates(
        self,
        points: Sequence[tuple[float, float]] = (),
        labels: Sequence[bool] | None = None,
        box: tuple[float, float, float, float] | None = None,
    ) -> list[select.Candidate]:
        """All that clicks and a box may mean, the likeliest first."""


class _Models:
    """The Segment Anything model that was asked for last. For one thread."""

    def __init__(self) -> None:
        self._name = ""
        self._model: Any = None

    def get(self, name: str) -> Any:
        """The model of that name, loaded once; ``ValueError`` or ``OSError`` in words, once, then None."""
        if name != self._name:
            self._name, self._model = name, None
            if name:
                self._model = select.Selector(name)
        return self._model


class _Picture:
    """A picture that is selected in, and what is made of it once. For one thread.

    Attributes
    ----------
    selector
        Name of the Segment Anything model that finds things, or empty.
    """

    def __init__(self, image: Image.Image, models: _Models | None = None) -> None:
        self.selector = ""
        self._models = models or _Models()
        self._seen: tuple[Any, _Seen | None] = (None, None)  # the model, and the picture as it has seen it
        self._image = image
        self._pixels: NDArray[np.uint8] | None = None
        self._reduced: NDArray[np.uint8] | None = None
        self._superpixels: select.Superpixels | None = None
        self._lasso: select.MagneticLasso | None = None

    def answer(self, message: Select) -> Selected:
        """Select as the message asks; ``ValueError`` where it asks for what is not there."""
        if message.how == "prepare":
            self._pieces()
            return Selected(message.seq, message.how, found=True, message=self._load())
        if message.how == "path":
            way = np.rint(self._path(message)).astype(int)
            return Selected(message.seq, message.how, found=True, path=tuple(way.ravel().tolist()))
        if message.how in ("click", "wand") and not self._holds(message.points):
            raise ValueError("That is outside the picture: click inside it")
        trouble = self._load() if message.how in ("object", "click", "box") else ""
        mask = self._mask(message)
        found = bool(mask.any())
        if found and message.margin:
            mask = select.with_margin(mask)
        data = encode_mask(mask) if found else b""
        return Selected(message.seq, message.how, found=True, message=trouble, data=data)

    def _holds(self, points: Sequence[tuple[float, float]]) -> bool:
        width, height = self._image.size
        return all(-0.5 <= x < width and -0.5 <= y < height for x, y in points)

    def _load(self) -> str:
        """Let the model look at the picture, if there is one; why it cannot, in words, the first time."""
        try:
            model = self._models.get(self.selector)
            if model is not self._seen[0]:
                self._seen = model, None if model is None else model.embed(self._rgb())
        except Exception as error:  # whatever is wrong with a model, the tool goes on without it
            log.debug("the selector could not be loaded", exc_info=True)
            self._seen = (None, None)
            return f"{first_line(str(error))}. Selecting goes on without it."
        return ""

    def _mask(self, message: Select) -> Mask:
        """What is selected, bool, at the picture's size or at a smaller one that it was found at."""
        points, amount = message.points, message.amount
        match message.how:
            case "piece":
                pieces = self._pieces()
                return np.asarray(pieces.labels == pieces.index_at(*points[0]))
            case "object" | "click" | "box":
                return self._object(message)
            case "brush":
                pieces = self._pieces()
                return pieces.touched(points, amount)[pieces.labels]
            case "wand":
                return self._wand(points[0], amount, message.contiguous)
        mask = read_mask(message.mask, self._shape)
        match message.how:
            case "grow":
                return select.grow(mask, amount)
            case "shrink":
                return select.shrink(mask, amount)
            case "smooth":
                return select.smooth(mask, amount)
            case "fill_holes":
                return select.fill_holes(mask)
            case _:
                return select.invert(mask)

    def _object(self, message: Select) -> Mask:
        """The object that clicks or a box mean: as the model sees it, or else by superpixels of any size."""
        points, labels = message.points, message.labels or None
        box = None
        if message.how == "box":
            (ax, ay), (bx, by) = points
            box = min(ax, bx), min(ay, by), max(ax, bx) + 1, max(ay, by) + 1
            points = ()
        model = self._seen[1]
        if model is not None:
            found = model.candidates(points, labels, box)
            return found[message.choice % len(found)].mask if found else np.zeros(self._shape, bool)
        pieces = self._pieces()
        if message.choice == 0:
            return pieces.chosen(points, labels, box)
        found_here = [small for small, _ in pieces.readings(points, labels, box)]
        return found_here[message.choice % len(found_here)] if found_here else np.zeros(self._shape, bool)

    @property
    def _shape(self) -> tuple[int, int]:
        return self._image.height, self._image.width

    def _wand(self, point: tuple[float, float], tolerance: float, contiguous: bool) -> Mask:
        """What has the colour of a point, found in a picture that was reduced once."""
        x, y = checked_points([point], self._shape)[0]
        small = self._small()
        scale = small.shape[1] / self._image.width, small.shape[0] / self._image.height
        at = (x + 0.5) * scale[0] - 0.5, (y + 0.5) * scale[1] - 0.5
        return select.wand(small, at, tolerance, contiguous)

    def _path(self, message: Select) -> NDArray[np.float64]:
        """(n, 2): the way along edges from the first point to the second."""
        anchor, place = message.points
        lasso = self._lasso
        if lasso is None:
            lasso = self._lasso = select.MagneticLasso(self._rgb())
        if lasso.anchors != [anchor]:
            while lasso.anchors:
                lasso.undo()
            lasso.anchor(*anchor)
        return lasso.path_to(*place)

    def _pieces(self) -> select.Superpixels:
        if self._superpixels is None:
            self._superpixels = select.Superpixels(self._rgb())
        return self._superpixels

    def _small(self) -> NDArray[np.uint8]:
        """The picture at the size at which the wand compares colours."""
        if self._reduced is None:
            rgb = self._rgb()
            scale = WAND_SIDE / max(rgb.shape[:2])
            if scale < 1:
                size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
                rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
            self._reduced = rgb
        return self._reduced

    def _rgb(self) -> NDArray[np.uint8]:
        if self._pixels is not None:
            return self._pixels
        pixels = np.asarray(self._image.convert("RGB"))
        if self._image.width * self._image.height <= KEPT_PIXELS:
            self._pixels = pixels
        return pixels
