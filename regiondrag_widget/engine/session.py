"""Set the picture once, edit it many times: what does not depend on the regions is computed once and kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from regiondrag_widget.engine.cache import ByteCache, CacheReport, default_budgets
from regiondrag_widget.engine.denoise import EditStep
from regiondrag_widget.engine.drafts import Draft, draft_of
from regiondrag_widget.engine.edit_input import (
    EditInput,
    check_actions,
    check_content,
    checked_calls,
    checked_editable,
    checked_pairs,
    warn_unused,
)
from regiondrag_widget.engine.inversion import Inversion
from regiondrag_widget.engine.notes import notes_of
from regiondrag_widget.engine.passes import Passes
from regiondrag_widget.engine.prepared import PreparedPicture, whole_size
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.engine.settings import (
    check_preset,
    check_stop,
    checked_guidance,
    checked_seed,
    resolve,
    schedule,
)
from regiondrag_widget.engine.stopwatch import Stopwatch
from regiondrag_widget.imaging.picture import Picture, PictureSource, load_picture
from regiondrag_widget.models.backbone import check_swap
from regiondrag_widget.models.given_tensors import check_tensor
from regiondrag_widget.models.keyvalues import checked_keeping
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.memory import freeing_when_exhausted
from regiondrag_widget.models.model import model_of
from regiondrag_widget.models.placement import wait_for
from regiondrag_widget.models.threads import settle_threads
from regiondrag_widget.regions import RegionPair, RegionPairs

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from regiondrag_widget.engine.options import EditOptions

__all__ = ["ImageSession"]

Bool = npt.NDArray[np.bool_]


class ImageSession:
    """All that one picture's edits share, computed once: each edit then pays the reverse pass alone.

    Parameters
    ----------
    pipe : RegionDragPipeline or Model
        Whose network edits; it is not changed.
    image : path, bytes, Pillow image, or (H, W), (H, W, 3 or 4) array
        At least 64 px on a side.
    prompt : str
        Text condition; the bundled model takes none and warns.
    steps : int, optional
        Levels the whole noise schedule would have, from 1; an edit visits about `steps * start` of them.
    start : float, optional
        Fraction of the noise schedule an edit begins at, above 0 (clean) and up to 1 (pure noise).
    seed : int
        Of the noising path, from 0 and below 2**63. The same seed gives the same result on every device and
        batch size, up to rounding.
    preset : str
        "default", or "released" for the levels of the released code (20 steps, from 0.5, unless given).
    levels, path_noise : sequence of int, (K, C, h, w) Tensor, optional
        For reproduction: the timesteps, cleanest first, and the draws of the noising path.
    prompt_embeds, negative_prompt_embeds : (1, tokens, dim) Tensor, optional
        The text conditions themselves, instead of prompts.
    guidance_scale : float, optional
        Classifier-free guidance, above 1: every call is made twice, and twice the keys and values are kept.
        1 for most models; those distilled for guidance have a value of their own.
    negative_prompt : str
        What the picture should not show; counts where there is guidance.
    ip_adapter_image, ip_adapter_image_embeds : optional
        What IP-Adapters are told, as diffusers' pipelines take it, where some are loaded: a Pillow image for
        each, or ready embeds. The picture itself when left out, as in the released code.
    max_bytes : int, optional
        Memory that the kept data may take on the device and on the host each; the least recently used is
        dropped first. A quarter of the free memory when left out.
    keys_values : str
        Where the inversion's keys and values live: on the "device", on the "host" in pinned memory, or
        nowhere ("recompute": the source runs beside each edit); "auto" is the fastest that fits.

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
    progress : callable or None
        Called with a few words when a part of the work before an edit's first step begins, such as "Filling
        the place it left"; on the thread that edits. An exception in it ends the edit.

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
        levels: Sequence[float] | None = None,
        path_noise: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        guidance_scale: float | None = None,
        negative_prompt: str = "",
        negative_prompt_embeds: Tensor | None = None,
        ip_adapter_image: Any = None,
        ip_adapter_image_embeds: Sequence[Tensor] | None = None,
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
        if path_noise is not None:
            check_tensor(path_noise, "path_noise")
        self.steps, self.start = schedule(preset, model.edit_defaults, steps, start)
        self.levels: Levels = model.backbone.levels(
            self.steps,
            self.start,
            levels,
            released=preset == "released",
            size=whole_size(model, self.picture.shape),
        )
        own = model.edit_defaults["guidance_scale"]
        self.guidance_scale = checked_guidance(own if guidance_scale is None else guidance_scale)
        self.negative_prompt = negative_prompt
        self._network = model.network(
            prompt,
            prompt_embeds,
            guidance_scale=self.guidance_scale,
            negative_prompt=negative_prompt,
            negative_prompt_embeds=negative_prompt_embeds,
            images=model.image_prompt(ip_adapter_image, ip_adapter_image_embeds, self.picture.to_pil),
            edited=self.picture.to_pil,
        )
        model.warn_if_untrained(self.levels, stacklevel=3)
        self._clock = Stopwatch(lambda: wait_for(model.backbone.device))
        self._cache = ByteCache(default_budgets(model.backbone.device, max_bytes))
        self._prepared = PreparedPicture(
            model,
            self._network,
            self.picture,
            self.levels,
            path_noise=path_noise,
            cache=self._cache,
            keeping=checked_keeping(keys_values),
            clock=self._clock,
        )
        self._passes = Passes(self.picture.rgb, self._prepared, model.backbone, self._network, self._clock)
        self.result: EditResult | None = None
        self.drafted: Draft | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an ImageSession cannot be pickled or copied, since it holds a network and its data: pass "
            "the picture and the pairs on, and make the session where it is used"
        )

    @property
    def progress(self) -> Callable[[str], None] | None:
        """What is told in words what an edit does before its first step."""
        return self._clock.tell

    @progress.setter
    def progress(self, progress: Callable[[str], None] | None) -> None:
        self._clock.tell = progress

    @property
    def nbytes(self) -> int:
        """Memory that the kept data takes, in bytes."""
        return self._cache.used()

    @property
    def timings(self) -> dict[str, float]:
        """Seconds by stage of the latest edit or draft: encode, inversion, compose, edit, decode, total..."""
        return self._clock.seconds

    def cache_report(self) -> CacheReport:
        """What is kept between edits, where, and how much may be; safe to call from any thread."""
        return self._prepared.report()

    def shrink_cache(self) -> None:
        """Halve what may be kept and drop what no longer fits. Also done where memory runs out."""
        self._prepared.shrink()

    def inversion(
        self, pairs: RegionPairs | Sequence[RegionPair] | None = None, *, seed: int | None = None
    ) -> Inversion:
        """The inversion that edits of these pairs start from, made if need be.

        >>> found = session.inversion()
        >>> found.latents[0], found.latents[-1]         # clean, and noised up to the start
        >>> found.cache.keys, found.cache.values        # by layer; one tensor a level

        Parameters
        ----------
        pairs : RegionPairs or sequence of RegionPair, optional
            In a picture larger than the model's working size they decide which window is inverted; None
            inverts the whole picture.
        seed : int, optional
            See `edit`.

        Returns
        -------
        Inversion
            Latents, noise and residuals at each level, and the keys and values. Not to be written to.

        Raises
        ------
        ValueError, TypeError
            As `edit`.
        """
        given = None if pairs is None else checked_pairs(pairs, self.picture.shape)
        with freeing_when_exhausted(self.shrink_cache):
            return self._prepared.window_for(given if given else None, self._seed_of(seed)).inversion

    def prepare(
        self,
        pairs: RegionPairs | Sequence[RegionPair] | None = None,
        *,
        editable: Bool | None = None,
        seed: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        **settings: Unpack[EditOptions],
    ) -> None:
        """Compute ahead what edits and drafts of these handles need, wherever their targets will be.

        Encodes and inverts the window they would use, cuts the handles' content out and fills its place.

        Parameters
        ----------
        pairs : RegionPairs or sequence of RegionPair, optional
            Masks (H, W) bool of the picture's own size, at least one pair. None prepares the whole picture,
            without handles.
        editable, seed, **settings
            As the edits will have them: see `edit`.
        cancelled : callable
            Asked between the inversion's batched calls and after them, on the calling thread.

        Raises
        ------
        ValueError, TypeError
            As `edit`.
        Cancelled
            `cancelled` returned True.
        """
        given = self._checked(() if pairs is None else pairs, editable, settings, seed)
        with freeing_when_exhausted(self.shrink_cache):
            self._prepared.prepare(given, cancelled)

    def edit(
        self,
        pairs: RegionPairs | Sequence[RegionPair],
        *,
        editable: Bool | None = None,
        seed: int | None = None,
        generator: torch.Generator | None = None,
        **settings: Unpack[EditOptions],
    ) -> Generator[EditStep, None, None]:
        """Carry every handle to its target; `session.result` then holds the `EditResult`.

        Parameters
        ----------
        pairs : RegionPairs or sequence of RegionPair
            Masks (H, W) bool of the picture's own size; later pairs win where targets overlap. Without any
            the picture stays as it is.
        editable : (H, W) bool array, optional
            False where nothing may change.
        seed : int, optional
            Instead of the session's own. Each seed is inverted once, and the picture is encoded once for
            all of them.
        generator : torch.Generator, optional
            Of what the reverse pass draws; the seed decides when left out.
        **settings
            See `EditSettings`: stop, content, residual, vacated, matte, attention_swap...

        Yields
        ------
        EditStep
            One a level. Closing the generator cancels: the previous result stays.

        Raises
        ------
        ValueError, TypeError
            At once, before the first step: masks of another size than the picture, settings unknown or out of
            range.
        """
        return self._edit(self._checked(pairs, editable, settings, seed, generator))

    def draft(
        self,
        pairs: RegionPairs | Sequence[RegionPair],
        *,
        calls: int = 2,
        editable: Bool | None = None,
        seed: int | None = None,
        generator: torch.Generator | None = None,
        **settings: Unpack[EditOptions],
    ) -> Generator[EditStep, None, None]:
        """A quick look at the same edit while the pointer moves; `session.drafted` then holds the `Draft`.

        It visits `calls` of the levels, coarsely spaced, works at the model's own resolution and decodes only
        the edit's surroundings, by the draft codec where the model has one. `session.result` stays.

        Parameters
        ----------
        pairs, editable, seed, generator, **settings
            See `edit`; at least one pair.
        calls : int
            Network calls, from 1; all levels are visited where there are no more than that.

        Yields
        ------
        EditStep
            One before the first network call, with index 0, and one after each. Closing the generator
            cancels.

        Raises
        ------
        ValueError, TypeError
            As `edit`; and without pairs.
        """
        calls = checked_calls(calls)
        given = self._checked(pairs, editable, settings, seed, generator)
        if not len(given.pairs):
            raise ValueError("there are no region pairs to draft: add one first")
        return self._draft(given, calls)

    def _checked(
        self,
        pairs: RegionPairs | Sequence[RegionPair],
        editable: Bool | None,
        settings: Mapping[str, Any],
        seed: int | None,
        generator: torch.Generator | None = None,
    ) -> EditInput:
        chosen = resolve(self.preset, self.model.edit_defaults, dict(settings))
        check_stop(settings.get("stop"), self.start, self.preset)
        given = checked_pairs(pairs, self.picture.shape)
        check_actions(given, chosen)
        check_content(self._network, chosen)
        warn_unused(chosen, settings)
        check_swap(self._network, chosen.swap, gathers=chosen.gathers, lives=chosen.lives)
        seed = self._seed_of(seed)
        return EditInput(
            pairs=given,
            editable=checked_editable(editable, self.picture.shape),
            settings=chosen,
            seed=seed,
            rng=torch.Generator().manual_seed(seed + 1) if generator is None else generator,
        )

    def _seed_of(self, seed: int | None) -> int:
        return self.seed if seed is None else checked_seed(seed)

    def _edit(self, given: EditInput) -> Generator[EditStep, None, None]:
        self._clock.reset()
        if not len(given.pairs):
            warnings.warn("no region pairs: the picture comes back unchanged", stacklevel=3)
            self._finish(given, self.picture.to_pil(), (), ())
            return
        with freeing_when_exhausted(self.shrink_cache):
            window = self._prepared.window_for(given.pairs, given.seed, inverted=given.inverts)
            painted = yield from self._passes.run(window, given)
        self._finish(given, painted.over(self.picture), painted.previews, painted.verdicts)

    def _draft(self, given: EditInput, calls: int) -> Generator[EditStep, None, None]:
        self._clock.reset()
        with freeing_when_exhausted(self.shrink_cache):
            painted = yield from self._passes.run(
                self._prepared.window_for(given.pairs, given.seed, inverted=given.inverts), given, calls
            )
        self.drafted = draft_of(painted, self._clock.finish())

    def _finish(
        self,
        given: EditInput,
        edited: Image.Image,
        previews: Sequence[npt.NDArray[np.uint8]],
        verdicts: Sequence[str],
    ) -> None:
        self._clock.finish()
        told = self.levels.timesteps
        record = {
            "model": self.model.name,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "guidance_scale": self.guidance_scale,
            "steps": self.steps,
            "start": self.start,
            "levels": list(told if told[0] >= 0 else told[1:]),  # without the clean one, told nothing
            **given.settings.as_json(),
        }
        self.result = EditResult(
            image=edited,
            before=self.picture.to_pil(),
            settings=record,
            timings=dict(self.timings),
            seed=given.seed,
            steps=previews,
            pairs=given.pairs,
            notes=notes_of(given.pairs, verdicts),
        )
