"""One edit of a prepared window, from its regions to pixels: composite or paste, reverse pass, decode."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.denoise import WHOLE, Crop, EditPlan, EditStep, crop_of, reverse
from regiondrag_widget.engine.inversion import Inversion
from regiondrag_widget.engine.latent_cells import cells_of, copied_cells, moved_cells
from regiondrag_widget.engine.plan import latent_plan, pixel_plan
from regiondrag_widget.engine.prepared import PreparedPicture, PreparedWindow
from regiondrag_widget.engine.preview import Previewer, StepPreviews
from regiondrag_widget.engine.seam import change_weight
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.engine.stopwatch import Stopwatch
from regiondrag_widget.imaging.composite import warp_residual
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.imaging.window import Box, bounding_box, slices_of
from regiondrag_widget.models.backbone import Backbone, Network
from regiondrag_widget.models.keyvalues import SourcePath
from regiondrag_widget.regions import RegionPairs

__all__ = ["Painted", "Passes"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
# rgb and alpha of the edit's box as in `Painted`, and the previews
Pixels: TypeAlias = "tuple[Float, Float | None, Sequence[npt.NDArray[np.uint8]]]"


PREVIEW_SIDE = 256  # pixels of the longer side of the previews that a result keeps


@dataclass(frozen=True)
class Painted:
    """What an edit has painted on its sheet.

    sheet : what it painted on
    box : x0, y0, x1, y1 in the sheet's pixels, the bounding box of all that was touched
    touched : (y1 - y0, x1 - x0) bool, where the painting counts
    rgb : (y1 - y0, x1 - x0, 3) float32 in 0..255, but for overshoot
    alpha : (y1 - y0, x1 - x0) float32 in 0..255, or None where the transparency stays
    calls : network calls made
    previews : of every step, (h, w, 3) uint8, rendered when asked for; none of a draft
    """

    sheet: Sheet
    box: Box
    touched: Bool
    rgb: Float
    alpha: Float | None
    calls: int
    previews: Sequence[npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class _Task:
    """One edit, as it is done on one sheet: masks of the sheet's size.

    inversion : with the levels that are visited
    drawn : (h, w) bool, all handles and targets; box : x0, y0, x1, y1, their bounding box
    """

    window: PreparedWindow
    sheet: Sheet
    inversion: Inversion
    pairs: RegionPairs
    editable: Bool | None
    settings: EditSettings
    rng: torch.Generator
    drawn: Bool
    box: Box
    draft: bool


@dataclass(frozen=True)
class Passes:
    """Edits of one picture by one network.

    picture : (H, W, 3) uint8, for the previews
    prepared : keeps what the edits share
    backbone, network : the model, and its network under the prompt's condition
    clock : gets the stages "edit" and "decode"
    """

    picture: npt.NDArray[np.uint8]
    prepared: PreparedPicture
    backbone: Backbone
    network: Network
    clock: Stopwatch

    def run(
        self,
        window: PreparedWindow,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        rng: torch.Generator,
        calls: int | None = None,
    ) -> Generator[EditStep, None, Painted]:
        """Carry pairs to their targets.

        pairs, editable : masks (H, W) of the picture's size
        calls : network calls of a draft; None for the full edit

        Yields an `EditStep` a level; a draft's first, with index 0, is the composite before any call.
        """
        sheet = window.sheet if calls is None else window.draft_sheet
        local = sheet.pairs(pairs)
        inside = None if editable is None else sheet.mask(editable)
        drawn = local.handle | local.target
        inversion = self.prepared.inversion_of(window, calls)
        task = _Task(
            window,
            sheet,
            inversion,
            local,
            inside,
            settings,
            rng,
            drawn,
            bounding_box(drawn),
            calls is not None,
        )
        rgb, alpha, previews = yield from (
            self._in_pixels(task) if settings.content == "pixels" else self._in_latents(task)
        )
        touched = drawn if inside is None else drawn & inside
        return Painted(
            sheet, task.box, touched[slices_of(task.box)], rgb, alpha, len(inversion.levels), previews
        )

    def _in_pixels(self, task: _Task) -> Generator[EditStep, None, Pixels]:
        """The composite's own path, the vacated place left to the network."""
        window, sheet, settings, box = task.window, task.sheet, task.settings, task.box
        composed = self.prepared.composite_for(
            window, sheet, task.pairs, task.editable, settings, draft=task.draft
        )
        composite, device = composed.composite, composed.latents.device
        with self.clock.stage("plan"):
            doubtful = composite.vacated
            if settings.vacated != "noise":
                doubtful = doubtful & (composite.doubt > 0.05)
            vacated = cells_of(sheet.window, doubtful, window.grid, 0.02)
            moved = moved_cells(sheet.window, task.pairs, window.grid, settings.method)
            plan = pixel_plan(
                task.inversion,
                composed.latents,
                settings,
                vacated=vacated.to(device),
                target=cells_of(sheet.window, composite.carried > 0.5, window.grid, 0.02).to(device),
                hidden=cells_of(sheet.window, composite.hole, window.grid, 0.5).to(device),
                correspondence=copied_cells(
                    moved, sheet.window, composite.source_xy, composite.hole, vacated.numpy()
                ),
                copied=composite.source_xy is not None,
                generator=task.rng,
            )
            weight = change_weight(composite, settings, sheet.window.scale)
        render = self._previewer(task, composite.rgb, weight, composed.latents)
        last, previews = yield from self._reverse(task, plan, render, composed.latents)
        with self.clock.stage("decode"):
            # what the codec loses is given back: only the diffusion's change passes through it
            at = slices_of(box)
            out = composite.rgb[at].copy()
            changing = weight[at] > 0
            if changing.any():
                x0, y0, x1, y1 = bounding_box(changing)
                part = box[0] + x0, box[1] + y0, box[0] + x1, box[1] + y1
                change = self.prepared.coder.change(
                    sheet.window, last, composed.latents, part, draft=task.draft
                )
                out[y0:y1, x0:x1] += weight[at][y0:y1, x0:x1, None] * change
            alpha = None if composite.alpha is None else composite.alpha[at]
        return out, alpha, previews

    def _in_latents(self, task: _Task) -> Generator[EditStep, None, Pixels]:
        """Noised latents pasted, as in the paper."""
        window, sheet, settings = task.window, task.sheet, task.settings
        with self.clock.stage("plan"):
            cells = None
            if task.editable is not None:
                cells = ~cells_of(sheet.window, ~task.editable, window.grid, 0.5)
            plan = latent_plan(
                task.inversion,
                moved_cells(sheet.window, task.pairs, window.grid, settings.method),
                settings,
                editable=cells,
                generator=task.rng,
            )
        picture = sheet.rgb.astype(np.float32)
        render = self._previewer(task, picture, task.drawn.astype(np.float32), window.latents)
        last, previews = yield from self._reverse(task, plan, render, window.latents)
        with self.clock.stage("decode"):
            decoded = self.prepared.coder.decode(torch.stack([last, window.latents]))
            edited, reconstructed = (sheet.window.from_working(d) + 127.5 for d in decoded)
            out = edited + warp_residual(picture - reconstructed, task.pairs, method=settings.method)
        return out[slices_of(task.box)], None, previews

    def _previewer(self, task: _Task, base: Float, weight: Float, anchor: Tensor) -> Previewer:
        """Draws an edit's steps in the whole picture, a draft's on its sheet."""
        colour = self.prepared.coder.colour_of(task.window.latents, task.window.colours)
        picture, window = (
            (task.sheet.rgb, task.sheet.window) if task.draft else (self.picture, task.window.window)
        )
        return Previewer(picture, window, base, weight, anchor, colour)

    def _crop(self, inversion: Inversion, plan: EditPlan, settings: EditSettings) -> Crop:
        """The cells to compute: all, but where a crop was asked for and keys and values are kept for it.

        A network whose calls are replayed at fixed shapes would have to be recorded anew for every crop.
        """
        if not settings.crop or self.backbone.replays or isinstance(inversion.cache, SourcePath):
            return WHOLE
        return crop_of(plan, self.backbone.multiple // self.backbone.cell)

    def _reverse(
        self, task: _Task, plan: EditPlan, render: Previewer, clean: Tensor
    ) -> Generator[EditStep, None, tuple[Tensor, Sequence[npt.NDArray[np.uint8]]]]:
        """The reverse pass, timed; returns the final latents (C, h, w) and the previews."""
        cleans: list[Tensor] = []
        last, inversion, settings = plan.start, task.inversion, task.settings
        begun = time.perf_counter()
        if task.draft:  # before the first call, so that a draft no longer wanted costs none
            total, top = len(inversion.levels), inversion.levels.timesteps[-1]
            yield EditStep(0, total, top, plan.start, clean, render)
        crop = self._crop(inversion, plan, settings)
        for step in reverse(self.network, inversion, plan, settings.swap, render, crop):
            cleans.append(step.clean)
            yield step
            last = step.latents
        self.clock.seconds["edit"] = time.perf_counter() - begun
        if task.draft:
            return last, ()
        return last, StepPreviews(render.sized(PREVIEW_SIDE), cleans)
