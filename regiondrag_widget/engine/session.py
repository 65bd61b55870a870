"""Set the picture once, edit it many times: what does not depend on the regions is computed once and kept."""

from __future__ import annotations

import time
import warnings
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.cells import cells_of, copied_cells, moved_cells
from regiondrag_widget.engine.composite import warp_residual
from regiondrag_widget.engine.edit import EditPlan, EditStep, reverse
from regiondrag_widget.engine.images import Picture, PictureSource, load_picture
from regiondrag_widget.engine.levels import Levels, edit_levels, released_levels
from regiondrag_widget.engine.plan import latent_plan, pixel_plan
from regiondrag_widget.engine.prepared import PreparedPicture, PreparedView
from regiondrag_widget.engine.preview import Previewer
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.engine.seam import change_weight
from regiondrag_widget.engine.settings import EditSettings, check_preset, check_stop, checked_seed, resolve
from regiondrag_widget.engine.timing import Stopwatch
from regiondrag_widget.engine.view import crop_pairs
from regiondrag_widget.regions import RegionPair, RegionPairs
from regiondrag_widget.regions.masks import as_mask

if TYPE_CHECKING:
    from regiondrag_widget.engine.pipeline import RegionDragPipeline

__all__ = ["ImageSession"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
# rgb (h, w, 3) and alpha (h, w) of the view's box in 0..255, and the previews
Finished: TypeAlias = "tuple[Float, Float | None, list[npt.NDArray[np.uint8]]]"


class ImageSession:
    """All that one picture's edits share, computed once: each edit then pays the reverse pass alone.

    Parameters
    ----------
    pipe : the pipeline whose network edits; it is not changed
    image : path, bytes, Pillow image, or (H, W), (H, W, 3 or 4) array, at least 64 px on a side
    prompt : text condition; the bundled model takes none and says so
    steps : levels the whole noise schedule would have, from 1; an edit visits about `steps * start` of them
    start : fraction of the noise schedule an edit begins at, above 0 (clean) and up to 1 (pure noise)
    seed : of the noising path, from 0 and below 2**63; the same seed gives the same result on every device
        and batch size, up to rounding
    preset : "default", or "released" for the levels of the released code
    levels, path_noise, prompt_embeds : for reproduction: the timesteps, cleanest first; the draws
        (K, C, h, w) of the path; the text condition itself, (1, tokens, dim)
    max_bytes : memory the kept inversions may take before the least recently used goes; a quarter of the free
        GPU memory, or 2 GiB elsewhere, when left out

    Attributes
    ----------
    picture : Picture
        What was loaded.
    levels : Levels
        The levels of noise every edit visits.
    result : EditResult or None
        Of the latest edit that ran to its end.

    Raises
    ------
    ValueError, TypeError, OSError
        A picture that cannot be used (see `load_picture`), or an argument out of range.

    Notes
    -----
    A picture that fits the model's working size is inverted whole, once for all edits. Of a larger one a
    window around the edit is inverted at the picture's own resolution; edits that fall into a known window
    share it.
    """

    def __init__(
        self,
        pipe: RegionDragPipeline,
        image: PictureSource,
        prompt: str = "",
        steps: int | None = None,
        start: float | None = None,
        seed: int = 0,
        *,
        preset: str = "default",
        levels: Sequence[int] | None = None,
        path_noise: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        max_bytes: int | None = None,
    ) -> None:
        check_preset(preset)
        self.pipe, self.prompt, self.preset = pipe, prompt, preset
        self.picture: Picture = load_picture(image)
        self.seed = checked_seed(seed)
        defaults = pipe.edit_defaults
        self.steps = defaults["steps"] if steps is None else steps
        self.start = defaults["start"] if start is None else start
        make = released_levels if preset == "released" else edit_levels
        self.levels: Levels = make(pipe.backbone.alphas_cumprod, self.steps, self.start, levels)
        self._network = pipe.network(prompt, prompt_embeds)
        top = self.levels.fraction(len(self.levels))
        if top > pipe.profile.max_start:
            warnings.warn(
                f"the edit begins at {top:g} of the noise schedule but {pipe.name} was trained up to "
                f"{pipe.profile.max_start:g}: expect less; lower start, or raise steps",
                stacklevel=2,
            )
        self._clock = Stopwatch()
        self._prepared = PreparedPicture(
            pipe,
            self._network,
            self.picture,
            self.levels,
            seed=self.seed,
            path_noise=path_noise,
            max_bytes=max_bytes if max_bytes is not None else _default_budget(pipe.backbone.device),
            clock=self._clock,
        )
        self.result: EditResult | None = None

    @property
    def nbytes(self) -> int:
        """Memory the kept inversions take, in bytes."""
        return self._prepared.nbytes

    @property
    def timings(self) -> dict[str, float]:
        """Seconds by stage of the latest edit: encode, inversion, compose, edit, decode, total."""
        return self._clock.seconds

    def prepare(self, pairs: RegionPairs | Sequence[RegionPair] | None = None) -> None:
        """Encode and invert ahead of the first edit: the view these pairs would use, or the whole picture's.

        pairs : masks (H, W) bool of the picture's own size, at least one pair; None for the whole picture
        """
        self._prepared.view_for(None if pairs is None else RegionPairs.of(pairs))

    def edit(
        self,
        pairs: RegionPairs | Sequence[RegionPair],
        *,
        editable: Bool | None = None,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Generator[EditStep, None, None]:
        """Carry every handle to its target; `session.result` then holds the `EditResult`.

        Yields an `EditStep` a level. Closing the generator cancels: the previous result stays.

        Parameters
        ----------
        pairs : masks (H, W) bool of the picture's own size; later pairs win where targets overlap; without
            any the picture stays as it is
        editable : (H, W) bool, False where nothing may change
        generator : of what the reverse pass draws; the session's seed decides when left out
        settings : see `EditSettings`: stop, content, residual, vacated, matte, attention_swap...

        Raises
        ------
        ValueError, TypeError
            At once, before the first step: masks of another size than the picture, settings unknown or out of
            range.
        """
        chosen = resolve(self.preset, self.pipe.edit_defaults, settings)
        check_stop(settings.get("stop"), self.start, self.preset)
        region_pairs = RegionPairs(RegionPairs.of(pairs))  # the caller's list may change while the edit runs
        if len(region_pairs) and region_pairs.shape != self.picture.shape:
            h, w = self.picture.shape
            mh, mw = region_pairs.shape or (0, 0)
            raise ValueError(
                f"the masks are {mw}x{mh} but the picture is {w}x{h}: draw them at the picture's own size"
            )
        if editable is not None:
            editable = as_mask(editable, "editable")
            if editable.shape != self.picture.shape:
                raise ValueError(
                    f"editable must have the picture's size {self.picture.shape}, got {editable.shape}"
                )
        return self._edit(region_pairs, editable, generator, chosen)

    def _edit(
        self,
        pairs: RegionPairs,
        editable: Bool | None,
        generator: torch.Generator | None,
        settings: EditSettings,
    ) -> Generator[EditStep, None, None]:
        begun = time.perf_counter()
        self._clock.reset()
        if not len(pairs):
            warnings.warn("no region pairs: the picture comes back unchanged", stacklevel=3)
            self._finish(pairs, settings, self.picture.rgb, self.picture.alpha, [], begun)
            return
        prepared = self._prepared.view_for(pairs)
        view = prepared.view
        local = crop_pairs(pairs, view.box)
        inside = None if editable is None else editable[view.crop]
        rng = generator if generator is not None else torch.Generator().manual_seed(self.seed + 1)
        if settings.content == "pixels":
            finished = yield from self._edit_pixels(prepared, local, inside, settings, rng)
        else:
            finished = yield from self._edit_latents(prepared, local, inside, settings, rng)
        box_rgb, box_alpha, previews = finished
        touched = local.handle | local.target
        if inside is not None:
            touched = touched & inside
        rgb = self.picture.rgb.copy()
        rgb[view.crop][touched] = np.rint(box_rgb.clip(0, 255)).astype(np.uint8)[touched]
        alpha = self.picture.alpha
        if alpha is not None and box_alpha is not None:
            alpha = alpha.copy()
            alpha[view.crop][touched] = np.rint(box_alpha.clip(0, 255)).astype(np.uint8)[touched]
        self._finish(pairs, settings, rgb, alpha, previews, begun)

    def _edit_pixels(
        self,
        prepared: PreparedView,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        rng: torch.Generator,
    ) -> Generator[EditStep, None, Finished]:
        """The composite's own path, the vacated place left to the network; masks at the box's resolution."""
        view = prepared.view
        composed = self._prepared.composite_for(view, pairs, editable, settings)
        composite, device = composed.composite, composed.latents.device
        doubtful = composite.vacated
        if settings.vacated != "noise":
            doubtful = doubtful & (composite.doubt > 0.05)
        free = cells_of(view, doubtful, prepared.grid, 0.02)
        moved = moved_cells(view, pairs, prepared.grid, settings.method)
        plan = pixel_plan(
            prepared.inversion,
            composed.latents,
            settings,
            free=free.to(device),
            target=cells_of(view, composite.carried > 0.5, prepared.grid, 0.02).to(device),
            hidden=cells_of(view, composite.hole, prepared.grid, 0.5).to(device),
            correspondence=copied_cells(moved, view, composite.source_xy, composite.hole, free.numpy()),
            copied=composite.source_xy is not None,
            generator=rng,
        )
        weight = change_weight(composite, settings, view.scale)
        render = Previewer(
            self.picture.rgb,
            view,
            composite.rgb,
            weight,
            composed.latents,
            self._prepared.colour_of(prepared),
        )
        last, previews = yield from self._reverse(prepared, plan, settings, render)
        with self._clock.stage("decode"):
            # what the codec loses is given back: only the diffusion's change passes through it
            change = self._prepared.decode(torch.stack([last, composed.latents]))
            change = view.from_working(change[0] - change[1])
            out = composite.rgb + weight[..., None] * change
        return out, composite.alpha, previews

    def _edit_latents(
        self,
        prepared: PreparedView,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        rng: torch.Generator,
    ) -> Generator[EditStep, None, Finished]:
        """Noised latents pasted, as in the paper; masks at the box's resolution."""
        view = prepared.view
        cells = None if editable is None else ~cells_of(view, ~editable, prepared.grid, 0.5)
        plan = latent_plan(
            prepared.inversion,
            moved_cells(view, pairs, prepared.grid, settings.method),
            settings,
            editable=cells,
            generator=rng,
        )
        picture = self.picture.rgb[view.crop].astype(np.float32)
        touched = pairs.handle | pairs.target
        render = Previewer(
            self.picture.rgb,
            view,
            picture,
            touched.astype(np.float32),
            prepared.latents,
            self._prepared.colour_of(prepared),
        )
        last, previews = yield from self._reverse(prepared, plan, settings, render)
        with self._clock.stage("decode"):
            decoded = self._prepared.decode(torch.stack([last, prepared.latents]))
            edited, reconstructed = (view.from_working(d) + 127.5 for d in decoded)
            out = edited + warp_residual(picture - reconstructed, pairs, method=settings.method)
        return out, None, previews

    def _reverse(
        self, prepared: PreparedView, plan: EditPlan, settings: EditSettings, render: Previewer
    ) -> Generator[EditStep, None, tuple[Tensor, list[npt.NDArray[np.uint8]]]]:
        """The reverse pass, timed; returns the final latents (C, h, w) and a preview of each step."""
        previews: list[npt.NDArray[np.uint8]] = []
        last = plan.start
        begun = time.perf_counter()
        for step in reverse(self._network, prepared.inversion, plan, settings.attention_swap, render):
            previews.append(step.preview(256))
            yield step
            last = step.latents
        self._clock.seconds["edit"] = time.perf_counter() - begun
        return last, previews

    def _finish(
        self,
        pairs: RegionPairs,
        settings: EditSettings,
        rgb: npt.NDArray[np.uint8],
        alpha: npt.NDArray[np.uint8] | None,
        previews: list[npt.NDArray[np.uint8]],
        begun: float,
    ) -> None:
        self._clock.seconds["total"] = time.perf_counter() - begun
        record = {
            "model": self.pipe.name,
            "prompt": self.prompt,
            "steps": self.steps,
            "start": self.start,
            "levels": [t for t in self.levels.timesteps if t >= 0],
            **settings.as_json(),
        }
        edited = self.picture if alpha is self.picture.alpha else replace(self.picture, alpha=alpha)
        self.result = EditResult(
            image=edited.to_pil(rgb),
            before=self.picture.to_pil(),
            settings=record,
            timings=dict(self.timings),
            seed=self.seed,
            steps=tuple(previews),
            pairs=pairs,
        )


def _default_budget(device: torch.device) -> int:
    """Bytes the kept inversions may take."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] // 4)
    return 2 << 30
