"""Training pictures of the bundled model: random crops of photographs, dead leaves among them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["CropStream", "dead_leaves", "load_photos", "to_model"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def load_photos(paths: Sequence[Path]) -> list[npt.NDArray[np.uint8]]:
    """Decode photographs to RGB arrays (H, W, 3) uint8.

    Raises
    ------
    ValueError
        A file is not a picture; the message names the first.
    """
    photos = []
    for path in paths:
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ValueError(f"{path} is not a picture that can be read: remove it from the folder")
        photos.append(np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8))
    return photos


def to_model(images: npt.NDArray[np.uint8]) -> Tensor:
    """Pictures (B, H, W, 3) uint8 as networks take them: (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def dead_leaves(rng: np.random.Generator, size: int) -> npt.NDArray[np.uint8]:
    """Occluding ellipses with power-law radii, each flat, shaded or noisy: the statistics of edges, for free.

    Lee, Mumford, Huang: Occlusion models for natural images (2001). Returns (size, size, 3) uint8.
    """
    canvas: npt.NDArray[np.floating] = np.full((size, size, 3), rng.integers(0, 256, 3), np.float32)
    for _ in range(int(rng.integers(12, 60))):
        radius = size * 0.03 * (1 - rng.random()) ** -0.6
        axes = (int(min(radius * rng.uniform(0.5, 1.5), size)) + 1, int(min(radius, size)) + 1)
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        mask = np.zeros((size, size), np.uint8)
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
        colour = rng.uniform(0, 255, 3).astype(np.float32)
        ramp = np.linspace(-1, 1, size, dtype=np.float32) * rng.uniform(0, 60)
        leaf = colour + (ramp[:, None, None] if rng.random() < 0.5 else ramp[None, :, None])
        if rng.random() < 0.4:
            grain = rng.normal(0, rng.uniform(4, 40), (size, size, 1)).astype(np.float32)
            leaf = leaf + cv2.GaussianBlur(grain, (0, 0), float(rng.uniform(0.6, 3)))[..., None]
        alpha = mask[..., None].astype(np.float32) / 255
        canvas = canvas * (1 - alpha) + leaf * alpha
    return canvas.clip(0, 255).astype(np.uint8)


def random_crop(photo: npt.NDArray[np.uint8], rng: np.random.Generator, size: int) -> npt.NDArray[np.uint8]:
    """A square crop of random position and scale, mirrored half of the time, resized to (size, size, 3)."""
    height, width = photo.shape[:2]
    side = int(min(height, width, max(size * 0.8, min(height, width) * rng.uniform(0.3, 1.0))))
    y, x = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    crop = photo[y : y + side, x : x + side]
    interpolation = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
    crop = np.asarray(cv2.resize(crop, (size, size), interpolation=interpolation), np.uint8)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    if rng.random() < 0.3:  # tone: exposure and gamma as cameras vary
        gamma = np.float32(rng.uniform(0.7, 1.4))
        crop = ((crop.astype(np.float32) / 255) ** gamma * 255).astype(np.uint8)
    return np.ascontiguousarray(crop)


class CropStream:
    """Batches (B, size, size, 3) uint8 made in advance by one background thread.

    Parameters
    ----------
    photos
        (H, W, 3) uint8 each.
    leaves
        Share of dead leaves, in [0, 1].
    seed
        The same seed gives the same batches in the same order.
    """

    def __init__(
        self,
        photos: Sequence[npt.NDArray[np.uint8]],
        *,
        size: int,
        batch: int,
        leaves: float = 0.05,
        seed: int = 0,
    ) -> None:
        self._photos, self._size, self._batch, self._leaves = photos, size, batch, leaves
        self._rng = np.random.default_rng(seed)
        self._queue: queue.Queue[npt.NDArray[np.uint8]] = queue.Queue(maxsize=4)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        while True:
            yield self._queue.get()

    def close(self) -> None:
        """Let the thread end; no more batches are made."""
        self._closed.set()

    def _fill(self) -> None:
        while not self._closed.is_set():
            batch = np.stack([self._one() for _ in range(self._batch)])
            while not self._closed.is_set():
                try:
                    self._queue.put(batch, timeout=0.2)
                    break
                except queue.Full:
                    continue

    def _one(self) -> npt.NDArray[np.uint8]:
        if self._rng.random() < self._leaves:
            return dead_leaves(self._rng, self._size)
        return random_crop(self._photos[int(self._rng.integers(len(self._photos)))], self._rng, self._size)
