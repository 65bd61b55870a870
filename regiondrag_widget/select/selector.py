"""Selecting with a Segment Anything model, when its weights are there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from regiondrag_widget.imaging.picture import PictureSource
from regiondrag_widget.models.device import choose_device
from regiondrag_widget.models.turns import turns_of
from regiondrag_widget.select.candidate import Candidate
from regiondrag_widget.select.given import Box, Point, checked_box, checked_clicks, rgb_of
from regiondrag_widget.select.sam import Sam, load_sam

__all__ = ["EmbeddedPicture", "Selector"]

Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]


class Selector:
    """A Segment Anything model: SAM (SlimSAM too), SAM-HQ, SAM 2.1 or EdgeTAM.

    >>> selector = rd.select.Selector("Zigeng/SlimSAM-uniform-77")
    >>> picture = selector.embed("photo.jpg")       # once for each picture
    >>> mask = picture.click([(120, 80)], [True])   # the decoder alone

    Parameters
    ----------
    model : str or path
        A folder, or a hub id, which is fetched into the hub's cache. Weights are safetensors alone, and no
        code of a model is ever run.
    device : str or torch.device, optional
        Where to compute: cuda, mps or cpu, chosen automatically when left out.

    Raises
    ------
    ValueError, FileNotFoundError
        In one sentence, for what cannot be loaded.
    """

    def __init__(self, model: str | os.PathLike[str], device: str | torch.device | None = None) -> None:
        self.name = os.fspath(model)
        self._sam: Sam = load_sam(model, choose_device(device))

    def embed(self, image: PictureSource) -> EmbeddedPicture:
        """Look at a picture once, so that clicks on it run the decoder alone.

        Parameters
        ----------
        image : path, bytes, Pillow image or array
            As `rd.edit` takes it.

        Raises
        ------
        ValueError, TypeError, OSError
            The picture cannot be read.
        """
        return EmbeddedPicture(self._sam, rgb_of(image))


class EmbeddedPicture:
    """A picture that a `Selector` has looked at; made by `Selector.embed`."""

    def __init__(self, sam: Sam, rgb: Pixels) -> None:
        self.shape: tuple[int, int] = (rgb.shape[0], rgb.shape[1])
        self._sam = sam
        height, width = self.shape
        scale = sam.side / max(self.shape)
        # the part of the model's square that the picture takes, width and height
        self._seen = (
            (sam.side, sam.side)
            if sam.squashed
            else (max(1, round(width * scale)), max(1, round(height * scale)))
        )
        self._embedding = self._embed(rgb)

    def click(self, points: Sequence[Point], labels: Sequence[bool] | None = None) -> Bool:
        """Select the object that clicks mean.

        Parameters
        ----------
        points
            (x, y) in pixels of the picture.
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
        return self._best(self.candidates(points, labels))

    def box(self, x0: float, y0: float, x1: float, y1: float) -> Bool:
        """(H, W) bool: the object in a box of the picture; x1 and y1 are one past its last pixel.

        Raises ``ValueError`` for a box without a pixel of the picture.
        """
        return self._best(self.candidates(box=(x0, y0, x1, y1)))

    def candidates(
        self, points: Sequence[Point] = (), labels: Sequence[bool] | None = None, box: Box | None = None
    ) -> list[Candidate]:
        """All that clicks, a box or both may mean, the best first.

        Parameters
        ----------
        points, labels
            As `click` takes them.
        box
            (x0, y0, x1, y1) in pixels of the picture, around the object.

        Returns
        -------
        list of Candidate
            Empty when there is no box and no point lies in the object.

        Raises
        ------
        ValueError
            As `click` and `box` do.
        """
        clicks = checked_clicks(points, labels, self.shape)
        if box is None and not any(label for _, _, label in clicks):
            return []
        given: dict[str, Any] = {}
        if clicks:
            where = [[self._to_square(x + 0.5, y + 0.5) for x, y, _ in clicks]]
            given["input_points"] = (
                self._tensor([where]) - 0.5
            )  # the model adds it: a point is a pixel's centre
            given["input_labels"] = self._tensor([[[int(label) for _, _, label in clicks]]]).int()
        if box is not None:
            x0, y0, x1, y1 = checked_box(box, self.shape)
            given["input_boxes"] = self._tensor([[[*self._to_square(x0, y0), *self._to_square(x1, y1)]]])
        with torch.inference_mode(), turns_of(self._sam.model):
            found = self._sam.model(**self._embedding, **given, multimask_output=True)
            masks = found.pred_masks[0, 0].float().cpu().numpy()
            scores = found.iou_scores[0, 0].float().cpu().numpy()
        answers = [
            Candidate(self._full(mask), float(np.clip(score, 0, 1)))
            for mask, score in zip(masks, scores, strict=True)
        ]
        return sorted(answers, key=lambda answer: -answer.score)

    def _best(self, candidates: list[Candidate]) -> Bool:
        return candidates[0].mask if candidates else np.zeros(self.shape, bool)

    def _embed(self, rgb: Pixels) -> dict[str, Any]:
        """What the model's forward pass needs besides clicks."""
        side = self._sam.side
        seen = cv2.resize(
            rgb, self._seen, interpolation=cv2.INTER_AREA if max(self.shape) > side else cv2.INTER_LINEAR
        )
        colours = (seen.astype(np.float32) / 255 - self._sam.mean) / self._sam.std
        square = np.zeros((side, side, 3), np.float32)
        square[: self._seen[1], : self._seen[0]] = colours
        pixels = self._tensor(square.transpose(2, 0, 1)[None])
        with torch.inference_mode(), turns_of(self._sam.model):
            found = self._sam.model.get_image_embeddings(pixels)
        if isinstance(found, tuple):  # SAM-HQ's decoder reads earlier layers too
            return {"image_embeddings": found[0], "intermediate_embeddings": found[1]}
        return {"image_embeddings": found}

    def _full(self, mask: npt.NDArray[np.float32]) -> Bool:
        """A mask of the model's output, logits (h, w), in the whole picture."""
        height, width = self.shape
        square = cv2.resize(mask, (self._sam.side, self._sam.side), interpolation=cv2.INTER_LINEAR)
        part = square[: self._seen[1], : self._seen[0]]
        return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR) > 0)

    def _to_square(self, x: float, y: float) -> tuple[float, float]:
        return x * self._seen[0] / self.shape[1], y * self._seen[1] / self.shape[0]

    def _tensor(self, values: Any) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=self._sam.model.device)
