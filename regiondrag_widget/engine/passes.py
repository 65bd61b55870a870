"""One edit of a prepared window, from its regions to pixels: composite or paste, reverse pass, decode."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.denoise import (
    WHOLE,
    Crop,
    EditPlan,
    EditStep,
    crop_of,
    live_cells_of,
    open_cells_of,
    reverse,
)
from regiondrag_widget.engine.edit_input import EditInput
from regiondrag_widget.engine.edit_task import EditTask
from regiondrag_widget.engine.inversion import Inversion
from regiondrag_widget.engine.latent_cells import cells_of, copied_cells, moved_cells
from regiondrag_widget.engine.painting import Painted
from regiondrag_widget.engine.plan import latent_plan, pixel_plan
from regiondrag_widget.engine.position_plan import moved_references, position_plan
from regiondrag_widget.engine.prepared import PreparedPicture
from regiondrag_widget.engine.prepared_window import PreparedWindow
from regiondrag_widget.engine.preview import Previewer, StepPreviews
from regiondrag_widget.engine.seam import change_weight
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.engine.stopwatch import Stopwatch
from regiondrag_widget.imaging.composite import Composite, warp_residual
from regiondrag_widget.imaging.strips import in_strips
from regiondrag_widget.imaging.window import Box, bounding_box, slices_of
from regiondrag_widget.models.backbone import Backbone, Network, inpaints, told_picture
from regiondrag_widget.models.keyvalues import SourcePath
from regiondrag_widget.models.references import References, referring, with_picture
from regiondrag_widget.regions.box import within_box

__all__ = ["Passes"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
# rgb and alpha of the edit's box, the previews and the verdicts, as in `Painted`
Pixels: TypeAlias = "tuple[Float, Float | None, Sequence[npt.NDArray[np.uint8]], tuple[str, ...]]"

PREVIEW_SIDE = 256  # pixels of the longer side of the previews that a result keeps


@dataclass(frozen=True)
class _Told:
    """What a network that inpaints is told: latents (C, h, w) of the picture, and the hole's cells (h, w)."""

    latents: Tensor
    hole: Tensor


@dataclass(frozen=True)
class Passes:
    """Edits of one picture by one network.

    Attributes
    ----------
    picture : (H, W, 3) uint8 array
        For the previews.
    prepared : PreparedPicture
        Keeps what the edits share.
    backbone, network : Backbone, Network
        The model, and its network under the prompt's condition.
    clock : Stopwatch
        Gets the stages "edit" and "decode".
    """

    picture: npt.NDArray[np.uint8]
    prepared: PreparedPicture
    backbone: Backbone
    network: Network
    clock: Stopwatch

    def run(
        self, window: PreparedWindow, given: EditInput, calls: int | None = None
    ) -> Generator[EditStep, None, Painted]:
        """Carry pairs to their targets.

        Parameters
        ----------
        window : PreparedWindow
            The window that holds the pairs.
        given : EditInput
            The edit, with at least one pair.
        calls : int, optional
            Network calls of a draft; the full edit is made when left out.

        Yields
        ------
        EditStep
            One a level. A draft's first, with index 0, is the composite before any call.

        Returns
        -------
        Painted
            What the edit painted.
        """
        sheet = window.sheet if calls is None else window.draft_sheet
        task = EditTask(
            window=window,
            sheet=sheet,
            inversion=self.prepared.inversion_of(window, calls),
            pairs=sheet.pairs(given.pairs),
            editable=None if given.editable is None else sheet.mask(given.editable),
            settings=given.settings,
            seed=given.seed,
            rng=given.rng,
            draft=calls is not None,
        )
        made_by = {"pixels": self._in_pixels, "latents": self._in_latents, "positions": self._by_position}
        rgb, alpha, previews, verdicts = yield from made_by[given.settings.content](task)
        return Painted(
            sheet=sheet,
            box=task.box,
            touched=task.touched_in_box,
            rgb=rgb,
            alpha=alpha,
            calls=len(task.inversion.levels),
            previews=previews,
            verdicts=verdicts,
        )

    def _in_pixels(self, task: EditTask) -> Generator[EditStep, None, Pixels]:
        """Follow the composite's own path, and leave the vacated place to the network."""
        window, sheet, settings, box = task.window, task.sheet, task.settings, task.box
        composed = self.prepared.composites.encoded(
            window, sheet, task.pairs, task.editable, settings, task.seed, draft=task.draft
        )
        composite, device = composed.composite, composed.latents.device
        with self.clock.stage("plan"):
            doubtful = composite.vacated
            if settings.vacated != "noise":
                doubtful = doubtful & (composite.doubt > 0.05)
            part = composite.box
            vacated = cells_of(sheet.window, doubtful, window.grid, 0.02, part)
            moved = moved_cells(sheet.window, task.pairs, window.grid, settings.method)
            plan = pixel_plan(
                task.inversion,
                composed.latents,
                settings,
                vacated=vacated.to(device),
                target=cells_of(sheet.window, composite.carried > 0.5, window.grid, 0.02, part).to(device),
                hidden=cells_of(sheet.window, composite.hole, window.grid, 0.5, part).to(device),
                correspondence=copied_cells(
                    moved, sheet.window, composite.source_offset, composite.hole, vacated.numpy(), part
                ),
                copied=composite.source_offset is not None,
                generator=task.rng,
            )
            weight = change_weight(composite, settings, sheet.window.scale)
            told = None
            if inpaints(self.network):
                told = _Told(self._with_hole(task, composite, doubtful), vacated.to(device))
                # where the hole came from there was none, so what its residuals hold is nothing to replay
                plan = replace(plan, deterministic=plan.deterministic | told.hole)
        render = self._previewer(task, part, composite.rgb, weight, composed.latents)
        last, previews = yield from self._reverse(task, plan, render, composed.latents, told)
        with self.clock.stage("decode"):
            # only the diffusion's change passes through the codec, so that its losses do not show
            at = within_box(box, part)
            out, weight = composite.rgb[at].copy(), weight[at]
            changing = weight > 0
            if changing.any():
                x0, y0, x1, y1 = bounding_box(changing)
                change = self.prepared.coder.change(
                    sheet.window,
                    last,
                    composed.latents,
                    (box[0] + x0, box[1] + y0, box[0] + x1, box[1] + y1),
                    draft=task.draft,
                )

                def add(rows: slice) -> None:
                    strip = box[0] + x0, box[1] + rows.start, box[0] + x1, box[1] + rows.stop
                    out[rows, x0:x1] += weight[rows, x0:x1, None] * change(strip)

                in_strips(add, slice(y0, y1), x1 - x0)
            alpha = None if composite.alpha is None else composite.alpha[at]
        return out, alpha, previews, composed.verdicts

    def _with_hole(self, task: EditTask, composite: Composite, hole: Bool) -> Tensor:
        """(C, h, w) latents of a picture whose hole is grey, as inpainting networks are told it."""
        grey = np.where(hole[..., None], np.float32(127.5), composite.rgb)
        sheet = task.sheet
        working = sheet.window.part_to_working(grey, composite.box, sheet.rgb, sheet.working)
        if task.draft and self.prepared.coder.has_draft_codec:
            return self.prepared.coder.encode_draft(working, task.window.sheet.working, task.window.latents)
        return self.prepared.coder.encode(working)

    def _in_latents(self, task: EditTask) -> Generator[EditStep, None, Pixels]:
        """Paste noised latents, as in the paper."""
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
        render = self._previewer(task, *self._drawn(task), window.latents)
        last, previews = yield from self._reverse(task, plan, render, window.latents)
        with self.clock.stage("decode"):
            decoded = self.prepared.coder.decode(torch.stack([last, window.latents]))
            edited, reconstructed = (sheet.window.from_working(d) + 127.5 for d in decoded)
            picture = sheet.rgb.astype(np.float32)
            out = edited + warp_residual(picture - reconstructed, task.pairs, method=settings.method)
        return out[slices_of(task.box)], None, previews, ("painted",) * len(task.pairs)

    def _by_position(self, task: EditTask) -> Generator[EditStep, None, Pixels]:
        """Show the network the picture's tokens where they should be, and make what changes from noise."""
        window, sheet, settings = task.window, task.sheet, task.settings
        with self.clock.stage("plan"):
            grid, device = window.grid, window.latents.device
            patch = getattr(self.backbone, "patch", 1)
            tokens = grid[0] // patch, grid[1] // patch
            leaving = np.zeros(sheet.rgb.shape[:2], bool)
            for pair in task.pairs:
                if pair.action == "remove" or (pair.action == "move" and settings.vacated != "keep"):
                    leaving |= pair.handle
            references = moved_references(
                window.latents,
                moved_cells(sheet.window, task.pairs, tokens, settings.method),
                dropped=cells_of(sheet.window, leaving | task.pairs.target, tokens, 0.5),
                tokens=tokens,
            )
            plan = position_plan(
                task.inversion,
                moved_cells(sheet.window, task.pairs, grid, settings.method),
                open_cells=cells_of(sheet.window, task.touched, grid, 0.02).to(device),
                vacated=cells_of(sheet.window, leaving, grid, 0.02).to(device),
            )
        render = self._previewer(task, *self._drawn(task), window.latents)
        last, previews = yield from self._reverse(task, plan, render, window.latents, shown=references)
        with self.clock.stage("decode"):
            decoded = self.prepared.coder.decode(last[None])[0]
            out = sheet.window.from_working(decoded) + 127.5
        return out[slices_of(task.box)], None, previews, ("painted",) * len(task.pairs)

    @staticmethod
    def _drawn(task: EditTask) -> tuple[Box, Float, Float]:
        """The box of what is drawn, its pixels and where the change shows in it."""
        at = slices_of(task.box)
        return task.box, task.sheet.rgb[at].astype(np.float32), task.drawn[at].astype(np.float32)

    def _previewer(self, task: EditTask, box: Box, base: Float, weight: Float, anchor: Tensor) -> Previewer:
        """Draws an edit's steps in the whole picture, a draft's on its sheet."""
        colour = self.prepared.coder.colour_of(task.window.latents, task.window.colours)
        picture, window = (
            (task.sheet.rgb, task.sheet.window) if task.draft else (self.picture, task.window.window)
        )
        return Previewer(picture, window, box, base, weight, anchor, colour)

    def _crop(self, inversion: Inversion, plan: EditPlan, settings: EditSettings) -> Crop:
        """The cells to compute: all, unless a crop was asked for and keys and values are kept.

        A network whose calls are replayed at fixed shapes would have to be recorded again for every crop.
        """
        if not settings.crop or self.backbone.replays or isinstance(inversion.cache, SourcePath):
            return WHOLE
        if getattr(self.network, "computes_cells", False):  # any cells, not only a rectangle of them
            return WHOLE
        return crop_of(plan, self.backbone.multiple // self.backbone.cell)

    def _reverse(
        self,
        task: EditTask,
        plan: EditPlan,
        render: Previewer,
        clean: Tensor,
        told: _Told | None = None,
        shown: References | None = None,
    ) -> Generator[EditStep, None, tuple[Tensor, Sequence[npt.NDArray[np.uint8]]]]:
        """The reverse pass, timed; returns the final latents (C, h, w) and the previews."""
        cleans: list[Tensor] = []
        last, inversion, settings = plan.start, task.inversion, task.settings
        begun = time.perf_counter()
        if task.draft:  # before the first call, so that a draft that is no longer wanted costs none
            total, top = len(inversion.levels), inversion.levels.timesteps[-1]
            yield EditStep(0, total, top, plan.start, clean, render)
        crop = self._crop(inversion, plan, settings)
        cells = None
        if settings.crop and shown is None and getattr(self.network, "computes_cells", False):
            cells = open_cells_of(plan)
        if settings.lives and shown is None:
            cells = live_cells_of(plan)
        if shown is None:
            network = with_picture(self.network, task.window.latents)
        else:
            network = referring(self.network, shown)
        if told is not None:
            beside = inversion.latents[0] if isinstance(inversion.cache, SourcePath) else None
            network = told_picture(network, told.latents[:, crop[0], crop[1]], told.hole[crop], beside)
        for step in reverse(network, inversion, plan, settings.swap, render, crop, cells, settings.lives):
            cleans.append(step.clean)
            yield step
            last = step.latents
        self.clock.wait()
        self.clock.seconds["edit"] = time.perf_counter() - begun
        if task.draft:
            return last, ()
        return last, StepPreviews(render.sized(PREVIEW_SIDE), cleans)
