"""A scene as a network works on it: picture and masks to latents and back, for methods without a session."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from regiondrag_widget.bench.methods.method import drawn_pairs
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.truth.scene import Image, Mask, Scene
from regiondrag_widget.engine.coding import Coder
from regiondrag_widget.engine.latent_cells import cells_of, moved_cells
from regiondrag_widget.imaging.window import choose_window
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.regions import Correspondence
from regiondrag_widget.regions.box import bounding_box
from regiondrag_widget.regions.framing import framed_pairs


class Workspace:
    """The part of a scene that an edit works on, at the resolution that ``ImageSession`` would choose.

    Parameters
    ----------
    network
        The network whose latents are used.
    scene
        What is edited.
    """

    def __init__(self, network: BenchNetwork, scene: Scene) -> None:
        pipe = network.pipe
        self.scene, self.backbone, self.network = scene, pipe.backbone, pipe.network()
        self.window = choose_window(
            scene.shape,
            bounding_box(scene.touched),
            side=pipe.profile.side,
            min_side=pipe.profile.min_side,
            multiple=pipe.backbone.multiple,
        )
        self._coder = Coder(pipe.model)
        self.pairs = framed_pairs(drawn_pairs(scene), self.window.box)

    def levels(self, steps: int, start: float) -> Levels:
        """Return the levels of an edit that begins at a fraction of a schedule of so many steps."""
        found: Levels = self.backbone.levels(steps, start)
        return found

    def encode(self, picture: Image) -> Tensor:
        """Encode a picture (H, W, 3) uint8 of the scene's size to clean latents (C, h, w) of the window."""
        working = self.window.to_working(picture[self.window.slices].astype(np.float32))
        return self._coder.encode(working).clone()  # a normal tensor: point dragging needs gradients

    def decode(self, latents: Tensor) -> NDArray[np.float32]:
        """Decode latents (C, h, w) to (h_box, w_box, 3) float32, 0 to 255 but for overshoot."""
        return self.window.from_working(self._coder.decode(latents[None])[0] + 127.5)

    def cells(self, mask: Mask, grid: tuple[int, int]) -> Tensor:
        """Return the latent cells (h, w) bool that a mask of the scene's size touches."""
        return cells_of(self.window, mask[self.window.slices], grid, share=0.02).to(self.backbone.device)

    def correspondence(self, grid: tuple[int, int]) -> Correspondence:
        """Return which latent cell comes from which, by the drawn regions."""
        return moved_cells(self.window, self.pairs, grid, method="auto")

    def pasted(self, box: NDArray[np.float32]) -> Image:
        """The scene's picture with its handle and target taken from an edited box (h_box, w_box, 3)."""
        edited = self.scene.before.copy()
        touched = self.scene.touched[self.window.slices]
        edited[self.window.slices][touched] = np.rint(np.clip(box, 0, 255)).astype(np.uint8)[touched]
        return edited
