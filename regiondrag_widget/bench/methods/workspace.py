"""A scene as a network works on it: picture and masks to latents and back, for methods without a session."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from regiondrag_widget.bench.methods.method import drawn_pairs
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.truth.scene import Image, Mask, Scene
from regiondrag_widget.imaging.window import choose_window, crop_pairs
from regiondrag_widget.models.levels import Levels, edit_levels
from regiondrag_widget.regions import Correspondence, RegionPair, RegionPairs, cell_correspondence


class Workspace:
    """The part of a scene that an edit works on, at the resolution that ``ImageSession`` would choose."""

    def __init__(self, network: BenchNetwork, scene: Scene) -> None:
        pipe = network.pipe
        self.scene, self.backbone, self.network = scene, pipe.backbone, pipe.network()
        rows, columns = (np.flatnonzero(scene.touched.any(axis=axis)) for axis in (1, 0))
        self.window = choose_window(
            scene.shape,
            (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1),
            side=pipe.profile.side,
            min_side=pipe.profile.min_side,
            multiple=pipe.backbone.multiple,
        )
        self.pairs = crop_pairs(drawn_pairs(scene), self.window.box)

    def levels(self, steps: int, start: float) -> Levels:
        return edit_levels(self.backbone.alphas_cumprod, steps, start)

    def encode(self, picture: Image) -> Tensor:
        """A picture (H, W, 3) uint8 of the scene's size -> clean latents (C, h, w) float32 of the window."""
        working = self.window.to_working(picture[self.window.slices].astype(np.float32))
        pixels = torch.from_numpy(np.ascontiguousarray(working)).permute(2, 0, 1)[None] / 127.5 - 1
        with torch.no_grad():
            return self.backbone.encode(pixels)[0]

    def decode(self, latents: Tensor) -> NDArray[np.float32]:
        """(C, h, w) latents -> (h_box, w_box, 3) float32, 0 to 255 but for overshoot."""
        with torch.no_grad():
            pixels = (self.backbone.decode(latents[None])[0] + 1) * 127.5
        return self.window.from_working(pixels.permute(1, 2, 0).float().cpu().numpy())

    def cells(self, mask: Mask, grid: tuple[int, int]) -> Tensor:
        """The latent cells (h, w) bool that a mask of the scene's size touches."""
        working = self.window.to_working(mask[self.window.slices].astype(np.float32))
        share = cv2.resize(working, (grid[1], grid[0]), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(share > 0.02).to(self.backbone.device)

    def correspondence(self, grid: tuple[int, int]) -> Correspondence:
        """Which latent cell comes from which, by the drawn regions."""
        pad = [
            round((full - inner) / self.window.scale)
            for full, inner in zip(self.window.size, self.window.inner, strict=True)
        ]
        around = ((0, pad[0]), (0, pad[1]))  # the grid covers the padding too: the masks must
        padded = [
            RegionPair(np.pad(pair.handle, around), np.pad(pair.target, around), pair.matrix)
            for pair in self.pairs
        ]
        return cell_correspondence(RegionPairs(padded), grid)

    def pasted(self, box: NDArray[np.float32]) -> Image:
        """The scene's picture with its handle and target taken from an edited box (h_box, w_box, 3)."""
        edited = self.scene.before.copy()
        touched = self.scene.touched[self.window.slices]
        edited[self.window.slices][touched] = np.rint(np.clip(box, 0, 255)).astype(np.uint8)[touched]
        return edited
