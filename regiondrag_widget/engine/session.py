"""Set the picture once, edit it many times: what does not depend on the regions is computed once and kept."""

from __future__ import annotations

import gc
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.cache import ByteCache, CacheReport, default_budgets
from regiondrag_widget.engine.denoise import EditStep
from regiondrag_widget.engine.drafts import Draft, check_calls, draft_of
from regiondrag_widget.engine.passes import Passes
from regiondrag_widget.engine.prepared import PreparedPicture
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.engine.settings import (
    EditSettings,
    check_preset,
    check_stop,
    checked_seed,
    resolve,
    schedule,
)
from regiondrag_widget.engine.stopwatch import Stopwatch
from regiondrag_widget.imaging.picture import Picture, PictureSource, load_picture
from regiondrag_widget.imaging.window import slices_of
from regiondrag_widget.models.keyvalues import checked_keeping
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.memory import is_out_of_memory
from regiondrag_widget.models.model import model_of
from regiondrag_widget.models.threads import settle_threads
from regiondrag_widget.regions import RegionPair, RegionPairs
from regiondrag_widget.regions.mask import as_mask

__all__ = ["ImageSession"]

Bool = npt.NDArray[np.bool_]


class ImageSession:
    """All that one picture's edits share, computed once: each edit then pays the reverse pass alone.

    Parameters
    ----------
    pipe : RegionDragPipeline or Model
        Whose network edits; it is not changed.
    image : path, bytes, Pillow image, or (H, W), (H, W, 3 or 4) array, at least 64 px on a side
    prompt : text condition; the bundled model takes none and says so
    steps : levels the whole noise schedule would have, from 1; an edit visits about `steps * start` of them
    start : fraction of the noise schedule an edit begins at, above 0 (clean) and up to 1 (pure noise)
    seed : of the noising path, from 0 and below 2**63; the same seed gives the same result on every device
        and batch size, up to rounding
    preset : "default", or "released" for the levels of the released code (20 steps, from 0.5, unless given)
    levels, path_noise, prompt_embeds : for reproduction: the timesteps, cleanest first; the draws
        (K, C, h, w) of the path; the text condition itself, (1, tokens, dim)
    max_bytes : memory that what is kept may take before the least recently used goes, on the device and on
        the host each; a quarter of what is free when left out
    keys_values : where the inversion's keys and values live: on the "device", on the "host" in pinned memory,
        or nowhere ("recompute": the source runs beside each edit); "auto" is the fastest that fits

    Attributes
    ----------
    picture : Picture
        What was loaded.
    levels : Levels
        The levels of noise every edit visits.
    result : EditResult or None
        Of the latest edit that ran to its end.
    drafted : Draft or None
        The latest draft that ran to its end.

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
        pipe: Any,
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
        keys_values: str = "auto",
    ) -> None:
        check_preset(preset)
        self.pipe, self.prompt, self.preset = pipe, prompt, preset
        self.model = model = model_of(pipe)
        if model.backbone.device.type == "cpu":
            settle_threads()
        self.picture: Picture = load_picture(image)
        self.seed = checked_seed(seed)
        self.steps, self.start = schedule(preset, model.defaults, steps, start)
        self.levels: Levels = model.backbone.levels(
            self.steps, self.start, levels, released=preset == "released"
        )
        self._network = model.network(prompt, prompt_embeds)
        top = self.levels.fraction(len(self.levels))
        if top > model.profile.max_start:
            warnings.warn(
                f"the edit begins at {top:g} of the noise schedule but {model.name} was trained up to "
                f"{model.profile.max_start:g}: expect less; lower start, or raise steps",
                stacklevel=2,
            )
        self._clock = Stopwatch()
        self._cache = ByteCache(default_budgets(model.backbone.device, max_bytes))
        self._prepared = PreparedPicture(
            model,
            self._network,
            self.picture,
            self.levels,
            seed=self.seed,
            path_noise=path_noise,
            cache=self._cache,
            keeping=checked_keeping(keys_values),
            clock=self._clock,
        )
        self._passes = Passes(self.picture.rgb, self._prepared, model.backbone, self._network, self._clock)
        self.result: EditResult | None = None
        self.drafted: Draft | None = None

    @property
    def nbytes(self) -> int:
        """Memory that what is kept takes, in bytes."""
        return self._cache.used()

    @property
    def timings(self) -> dict[str, float]:
        """Seconds by stage of the latest edit or draft: encode, inversion, compose, edit, decode, total..."""
        return self._clock.seconds

    def cache_report(self) -> CacheReport:
        """What is kept between edits, where, and how much may be; may be asked from any thread."""
        cache, place = self._cache, self._prepared.place
        return CacheReport(
            budget=cache.budget(place),
            used=cache.used(place),
            host_budget=cache.budget("host"),
            host_used=cache.used("host"),
            entries=cache.counts(),
            keys_values=self._prepared.keys_values,
        )

    def shrink_cache(self) -> None:
        """Halve what may be kept and drop at once what no longer fits, as is done where memory runs out."""
        self._cache.shrink()
        gc.collect()
        if self.model.backbone.device.type == "cuda":
            torch.cuda.empty_cache()

    def prepare(
        self,
        pairs: RegionPairs | Sequence[RegionPair] | None = None,
        *,
        editable: Bool | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        **settings: Any,
    ) -> None:
        """Do ahead what edits and drafts of these handles will need, wherever their targets come to lie.

        Encodes and inverts the window they would use, cuts the handles' content out and fills its place.

        pairs : masks (H, W) bool of the picture's own size, at least one pair; None for the whole picture,
            which has no handles to empty
        editable, settings : as the edits will have them
        cancelled : asked between the inversion's batched calls and after them, on the thread that prepares

        Raises as `edit`, and Cancelled where `cancelled` says so.
        """
        region_pairs, mask, chosen = self._checked(() if pairs is None else pairs, editable, settings)
        with self._surviving():
            window = self._prepared.window_for(region_pairs if len(region_pairs) else None, cancelled)
            if len(region_pairs) and chosen.content == "pixels" and not cancelled():
                sheet = window.draft_sheet
                inside = None if mask is None else sheet.mask(mask)
                self._prepared.background_for(sheet, sheet.pairs(region_pairs), inside, chosen)

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
        return self._edit(*self._checked(pairs, editable, settings), generator)

    def draft(
        self,
        pairs: RegionPairs | Sequence[RegionPair],
        *,
        calls: int = 2,
        editable: Bool | None = None,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Generator[EditStep, None, None]:
        """A quick look at the same edit while the pointer moves; `session.drafted` then holds the `Draft`.

        It visits `calls` of the levels, coarsely spaced, works at the model's own resolution and decodes the
        edit's crop alone, by the cheap decoder where the pipeline has one. `session.result` stays. Yields an
        `EditStep` before the first network call, with index 0, and one after each; closing the generator
        cancels.

        calls : network calls, from 1; all levels are visited where there are no more than that
        pairs, editable, generator, settings : see `edit`; at least one pair

        Raises as `edit`, and ValueError without pairs.
        """
        calls = check_calls(calls)
        region_pairs, mask, chosen = self._checked(pairs, editable, settings)
        if not len(region_pairs):
            raise ValueError("there are no region pairs to draft: add one first")
        return self._draft(region_pairs, mask, chosen, generator, calls)

    def _checked(
        self, pairs: RegionPairs | Sequence[RegionPair], editable: Bool | None, settings: dict[str, Any]
    ) -> tuple[RegionPairs, Bool | None, EditSettings]:
        chosen = resolve(self.preset, self.model.defaults, settings)
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
        return region_pairs, editable, chosen

    def _edit(
        self,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        generator: torch.Generator | None,
    ) -> Generator[EditStep, None, None]:
        begun = time.perf_counter()
        self._clock.reset()
        if not len(pairs):
            warnings.warn("no region pairs: the picture comes back unchanged", stacklevel=3)
            self._finish(pairs, settings, self.picture.rgb, self.picture.alpha, (), begun)
            return
        with self._surviving():
            prepared = self._prepared.window_for(pairs)
            painted = yield from self._passes.run(prepared, pairs, editable, settings, self._rng(generator))
        at, touched = slices_of(painted.box), painted.touched
        rgb = self.picture.rgb.copy()
        inside = rgb[prepared.window.slices][at]
        inside[touched] = np.rint(painted.rgb.clip(0, 255)).astype(np.uint8)[touched]
        alpha = self.picture.alpha
        if alpha is not None and painted.alpha is not None:
            alpha = alpha.copy()
            inside = alpha[prepared.window.slices][at]
            inside[touched] = np.rint(painted.alpha.clip(0, 255)).astype(np.uint8)[touched]
        self._finish(pairs, settings, rgb, alpha, painted.previews, begun)

    def _draft(
        self,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        generator: torch.Generator | None,
        calls: int,
    ) -> Generator[EditStep, None, None]:
        begun = time.perf_counter()
        self._clock.reset()
        with self._surviving():
            prepared = self._prepared.window_for(pairs)
            painted = yield from self._passes.run(
                prepared, pairs, editable, settings, self._rng(generator), calls
            )
        seconds = time.perf_counter() - begun
        self._clock.seconds["total"] = seconds
        self.drafted = draft_of(painted, seconds)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Memory that runs out in the block leaves a smaller cache behind, and the session usable."""
        try:
            yield
        except Exception as error:
            if is_out_of_memory(error):
                traceback.clear_frames(error.__traceback__)  # they hold the tensors of the call that failed
                self.shrink_cache()
            raise

    def _rng(self, generator: torch.Generator | None) -> torch.Generator:
        return generator if generator is not None else torch.Generator().manual_seed(self.seed + 1)

    def _finish(
        self,
        pairs: RegionPairs,
        settings: EditSettings,
        rgb: npt.NDArray[np.uint8],
        alpha: npt.NDArray[np.uint8] | None,
        previews: Sequence[npt.NDArray[np.uint8]],
        begun: float,
    ) -> None:
        self._clock.seconds["total"] = time.perf_counter() - begun
        record = {
            "model": self.model.name,
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
            steps=previews,
            pairs=pairs,
        )
