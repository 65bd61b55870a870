"""Set the picture once, edit it many times: all that does not depend on the regions is computed once and kept."""

from __future__ import annotations

import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.composite import Composite, compose, warp_residual
from regiondrag_widget.engine.edit import EditStep, reverse
from regiondrag_widget.engine.images import Picture, PictureSource, load_picture
from regiondrag_widget.engine.levels import Levels, edit_levels, released_levels
from regiondrag_widget.engine.path import Inversion, draw_path_noise, invert
from regiondrag_widget.engine.plan import latent_plan, pixel_plan
from regiondrag_widget.engine.preview import LatentColours, Previewer
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.engine.settings import EditSettings, resolve
from regiondrag_widget.engine.view import View, choose_view, crop_pairs
from regiondrag_widget.regions import Correspondence, RegionPair, RegionPairs, cell_correspondence

if TYPE_CHECKING:
    from regiondrag_widget.engine.pipeline import RegionDragPipeline

__all__ = ["ImageSession"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Prepared:
    """One view of the picture, encoded and inverted."""

    view: View
    inversion: Inversion
    colours: LatentColours

    @property
    def latents(self) -> Tensor:
        return self.inversion.latents[0]


@dataclass(frozen=True)
class _Composed:
    """The composite of one set of regions in one view, and its latents."""

    composite: Composite
    latents: Tensor


class ImageSession:
    """Everything about one picture that does not depend on the regions, computed once: `edit` pays the reverse pass alone.

    Parameters
    ----------
    pipe : the pipeline whose network edits; it is not changed
    image : path, bytes, Pillow image, or (H, W), (H, W, 3 or 4) array, at least 64 px on a side
    prompt : text condition; the bundled model takes none and says so
    steps : levels the whole noise schedule would have, from 1; the edit visits about `steps * start` of them
    start : fraction of the noise schedule the edit begins at, above 0 (clean) and up to 1 (pure noise)
    seed : of the noising path; the same seed gives the same result on every device and batch size, up to rounding
    preset : "default", or "released" for the levels of the released code
    levels, path_noise, prompt_embeds : for reproduction: the timesteps, cleanest first; the draws (K, C, h, w) of the
        path; the text condition itself (1, tokens, dim)
    max_bytes : memory the kept inversions may take before the least recently used goes

    Raises
    ------
    ValueError, TypeError : see `load_picture`, and settings out of range

    Notes
    -----
    A picture that fits the model's working size is inverted whole, once for all edits. Of a larger one a window
    around the edit is inverted at the picture's own resolution, and edits that fall into a known window share it.
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
        self.pipe, self.prompt, self.preset = pipe, prompt, preset
        self.picture: Picture = load_picture(image)
        self.seed = _checked_seed(seed)
        defaults = pipe.edit_defaults
        self.steps = defaults["steps"] if steps is None else steps
        self.start = defaults["start"] if start is None else start
        make = released_levels if preset == "released" else edit_levels
        self.levels: Levels = make(pipe.backbone.alphas_cumprod, self.steps, self.start, levels)
        self._path_noise = path_noise
        self._network = pipe.network(prompt, prompt_embeds)
        self._max_bytes = max_bytes if max_bytes is not None else _default_budget(pipe.backbone.device)
        self._prepared: OrderedDict[View, _Prepared] = OrderedDict()
        self._composed: OrderedDict[Any, _Composed] = OrderedDict()
        self.result: EditResult | None = None
        self.timings: dict[str, float] = {}

    @property
    def nbytes(self) -> int:
        """Memory the kept inversions take, in bytes."""
        return sum(p.inversion.nbytes for p in self._prepared.values())

    def prepare(self, pairs: RegionPairs | Sequence[RegionPair] | None = None) -> None:
        """Encode and invert ahead of the first edit: the view these pairs would use, or the whole picture's."""
        self._prepare(None if pairs is None else RegionPairs.of(pairs))

    def edit(
        self,
        pairs: RegionPairs | Sequence[RegionPair],
        *,
        editable: Bool | None = None,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Iterator[EditStep]:
        """Carry every handle to its target; yields an `EditStep` a level, then `session.result` holds the `EditResult`.

        Closing the generator cancels: the previous result stays. Arguments are checked at once, before the first step.

        pairs : bool masks of the picture's size (later pairs win where targets overlap); none leaves the picture as it is
        editable : (H, W) bool, False where nothing may change
        settings : see `EditSettings`: stop, content, residual, vacated, matte, attention_swap...

        Raises ValueError for masks of another size than the picture, and for settings out of range.
        """
        chosen = resolve(self.preset, self.pipe.edit_defaults, settings)
        if chosen.stop > self.levels.fraction(len(self.levels)) + 1e-9 and chosen.preset != "released":
            raise ValueError(
                f"stop ({chosen.stop}) lies above start ({self.start}): nothing would be pasted; lower stop"
            )
        region_pairs = RegionPairs(RegionPairs.of(pairs))  # the caller's list may change while the edit runs
        if len(region_pairs) and region_pairs.shape != self.picture.shape:
            h, w = self.picture.shape
            mh, mw = region_pairs.shape or (0, 0)
            raise ValueError(
                f"the masks are {mw}x{mh} but the picture is {w}x{h}: draw them at the picture's own size"
            )
        if editable is not None:
            editable = np.asarray(editable)
            if editable.shape != self.picture.shape or editable.dtype != np.bool_:
                raise ValueError(
                    f"editable must be a bool mask of the picture's size {self.picture.shape}, got {editable.dtype} {editable.shape}"
                )
        return self._edit(region_pairs, editable, generator, chosen)

    def _edit(
        self,
        pairs: RegionPairs,
        editable: Bool | None,
        generator: torch.Generator | None,
        settings: EditSettings,
    ) -> Iterator[EditStep]:
        begun = time.perf_counter()
        self.timings = {}
        if not len(pairs):
            warnings.warn("no region pairs: the picture comes back unchanged", stacklevel=3)
            self._finish(pairs, settings, self.picture.rgb, self.picture.alpha, [], begun)
            return
        prepared = self._prepare(pairs)
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
        prepared: _Prepared,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        rng: torch.Generator,
    ) -> Iterator[EditStep]:
        view = prepared.view
        composed = self._compose(prepared, pairs, editable, settings)
        composite = composed.composite
        grid = prepared.latents.shape[-2:]
        doubtful = (
            composite.vacated if settings.vacated == "noise" else composite.vacated & (composite.doubt > 0.05)
        )
        free = self._cells(view, doubtful, grid, 0.02)
        plan = pixel_plan(
            prepared.inversion,
            composed.latents,
            settings,
            free=free,
            target=self._cells(view, composite.carried > 0.5, grid, 0.02),
            hidden=self._cells(view, composite.hole, grid, 0.5),
            correspondence=self._with_copied(
                self._correspondence(view, pairs, grid, settings), view, composite, free.cpu().numpy()
            ),
            copied=composite.source_xy is not None,
            generator=rng,
        )
        weight = _fading_in(
            composite.vacated if settings.stop <= 0 else composite.hole | (composite.carried > 0), view.scale
        )
        if settings.stop <= 0:
            weight = weight * (1 - composite.carried)
        if settings.vacated != "noise":
            weight = np.where(composite.vacated, weight * composite.doubt, weight).astype(np.float32)
        render = Previewer(
            self.picture.rgb, view, composite.rgb, weight, composed.latents, self._colour_of(prepared)
        )
        last, previews = composed.latents, []
        begun = time.perf_counter()
        for step in reverse(self._network, prepared.inversion, plan, settings.attention_swap, render):
            previews.append(step.preview(256))
            yield step
            last = step.latents
        self.timings["edit"] = time.perf_counter() - begun
        with self._timed("decode"):
            # what the codec loses is given back: only what the diffusion changed of the composite passes through it
            change = self._decode(torch.stack([last, composed.latents]))
            change = view.from_working(change[0] - change[1])
            out = composite.rgb + weight[..., None] * change
        return out, composite.alpha, previews

    def _edit_latents(
        self,
        prepared: _Prepared,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        rng: torch.Generator,
    ) -> Iterator[EditStep]:
        view = prepared.view
        grid = prepared.latents.shape[-2:]
        cells = None if editable is None else ~self._cells(view, ~editable, grid, 0.5)
        plan = latent_plan(
            prepared.inversion,
            self._correspondence(view, pairs, grid, settings),
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
            self._colour_of(prepared),
        )
        last, previews = prepared.latents, []
        begun = time.perf_counter()
        for step in reverse(self._network, prepared.inversion, plan, settings.attention_swap, render):
            previews.append(step.preview(256))
            yield step
            last = step.latents
        self.timings["edit"] = time.perf_counter() - begun
        with self._timed("decode"):
            decoded = self._decode(torch.stack([last, prepared.latents]))
            edited, reconstructed = (view.from_working(d) + 127.5 for d in decoded)
            out = edited + warp_residual(picture - reconstructed, pairs, method=settings.method)
        return out, None, previews

    def _prepare(self, pairs: RegionPairs | None) -> _Prepared:
        profile = self.pipe.profile
        edit = None if pairs is None else _bounding_box(pairs.handle | pairs.target)
        view = choose_view(
            self.picture.shape,
            edit,
            side=profile.side,
            min_side=profile.min_side,
            multiple=self.pipe.backbone.multiple,
            known=list(reversed(self._prepared)),
        )
        if view in self._prepared:
            self._prepared.move_to_end(view)
            return self._prepared[view]
        with self._timed("encode"):
            working = view.to_working(self.picture.rgb[view.crop].astype(np.float32))
            latents = self._encode(working)
        with self._timed("inversion"):
            shape = tuple(latents.shape)
            noise = self._path_noise
            if noise is None:
                noise = draw_path_noise(len(self.levels), shape, torch.Generator().manual_seed(self.seed))
            inversion = invert(self._network, latents, self.levels, noise.to(latents))
        pixels = torch.from_numpy(working).permute(2, 0, 1).to(latents.device) / 127.5 - 1
        self._prepared[view] = _Prepared(view, inversion, LatentColours(latents, pixels))
        while self.nbytes > self._max_bytes and len(self._prepared) > 1:
            self._prepared.popitem(last=False)
        return self._prepared[view]

    def _compose(
        self, prepared: _Prepared, pairs: RegionPairs, editable: Bool | None, settings: EditSettings
    ) -> _Composed:
        key = (
            prepared.view,
            tuple(pairs),
            None if editable is None else editable.tobytes(),
            settings.vacated,
            settings.matte,
            settings.method,
            settings.prefill,
        )
        if key in self._composed:
            self._composed.move_to_end(key)
            return self._composed[key]
        view = prepared.view
        with self._timed("compose"):
            alpha = None if self.picture.alpha is None else self.picture.alpha[view.crop]
            composite = compose(
                self.picture.rgb[view.crop],
                pairs,
                alpha=alpha,
                editable=editable,
                vacated=settings.vacated,
                matte=settings.matte,
                method=settings.method,
                prefill=settings.prefill,
                seed=self.seed,
            )
        with self._timed("encode"):
            latents = self._encode(view.to_working(composite.rgb))
        self._composed[key] = _Composed(composite, latents)
        while len(self._composed) > 4:
            self._composed.popitem(last=False)
        return self._composed[key]

    def _correspondence(
        self, view: View, pairs: RegionPairs, grid: Sequence[int], settings: EditSettings
    ) -> Correspondence:
        h, w = view.size
        inner_h, inner_w = view.inner
        box_h, box_w = pairs.shape or (1, 1)
        if (h, w) != (inner_h, inner_w):  # the grid covers the padding too: the masks must
            pad = (round((h - inner_h) / view.scale), round((w - inner_w) / view.scale))
            padded = [np.pad(m, ((0, pad[0]), (0, pad[1]))) for p in pairs for m in (p.handle, p.target)]
            pairs = RegionPairs(
                RegionPair(padded[2 * i], padded[2 * i + 1], p.matrix, name=p.name)
                for i, p in enumerate(pairs)
            )
        return cell_correspondence(pairs, (int(grid[0]), int(grid[1])), method=settings.method)

    def _with_copied(
        self, moved: Correspondence, view: View, composite: Composite, free: Bool
    ) -> Correspondence:
        """The targets' correspondence and that of the vacated cells, by where their pixels were copied from."""
        if composite.source_xy is None:
            return moved
        h, w = free.shape
        cell = np.array([view.size[1] / w, view.size[0] / h]) / view.scale  # picture pixels a cell
        rows, columns = np.nonzero(free)
        # the vacated pixel of each cell that lies nearest to the cell's centre speaks for it
        hole = composite.hole.astype(np.uint8)
        _, labels = cv2.distanceTransformWithLabels(1 - hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        ys, xs = np.nonzero(hole)
        by_label = np.zeros((labels.max() + 1, 2), np.int64)
        by_label[labels[ys, xs]] = np.stack([xs, ys], -1)
        centres = (np.stack([columns, rows], -1) + 0.5) * cell - 0.5
        limit = np.array([hole.shape[1], hole.shape[0]]) - 1
        at = np.clip(np.rint(centres).astype(np.int64), 0, limit)
        speaker = by_label[labels[at[:, 1], at[:, 0]]]
        offset = composite.source_xy[speaker[:, 1], speaker[:, 0]] - speaker
        source = np.floor((centres + offset + 0.5) / cell).astype(np.int64)
        inside = (source >= 0).all(1) & (source < [w, h]).all(1)
        target = np.stack([columns, rows], -1)
        kept = np.ones(len(moved), bool)
        kept[free[moved.target_xy[:, 1], moved.target_xy[:, 0]]] = False
        return Correspondence(
            np.concatenate([moved.source_xy[kept], np.where(inside[:, None], source, target)]),
            np.concatenate([moved.target_xy[kept], target]),
        )

    def _cells(self, view: View, mask: Bool, grid: Sequence[int], share: float) -> Tensor:
        """Latent cells of which more than `share` is in the mask (given at the box's resolution), (h, w) bool."""
        working = view.to_working(mask.astype(np.float32))
        working[view.inner[0] :] = 0
        working[:, view.inner[1] :] = 0
        cells = cv2.resize(working, (int(grid[1]), int(grid[0])), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(cells > share).to(self.pipe.backbone.device)

    def _colour_of(self, prepared: _Prepared) -> Any:
        if not self.pipe.profile.cheap_decoder:
            return prepared.colours
        zero = torch.zeros_like(prepared.latents)
        with torch.inference_mode():
            origin = self.pipe.backbone.decode(zero[None])[0]

        def decoded(
            difference: Tensor,
        ) -> Tensor:  # the codec is linear: a difference decodes to a difference
            with torch.inference_mode():
                return self.pipe.backbone.decode(difference[None])[0] - origin

        return decoded

    @torch.inference_mode()
    def _encode(self, working: Float) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(working)).permute(2, 0, 1)[None] / 127.5 - 1
        return self.pipe.backbone.encode(pixels)[0]

    @torch.inference_mode()
    def _decode(self, latents: Tensor) -> Float:
        """(B, C, h, w) latents -> (B, H, W, 3) float32 in -127.5..127.5."""
        pixels = torch.cat([self.pipe.backbone.decode(z[None]) for z in latents]) * 127.5
        return pixels.permute(0, 2, 3, 1).cpu().numpy().astype(np.float32)

    def _finish(
        self,
        pairs: RegionPairs,
        settings: EditSettings,
        rgb: npt.NDArray[np.uint8],
        alpha: npt.NDArray[np.uint8] | None,
        previews: list[npt.NDArray[np.uint8]],
        begun: float,
    ) -> None:
        self.timings["total"] = time.perf_counter() - begun
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

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] = self.timings.get(stage, 0.0) + time.perf_counter() - begun


def _fading_in(mask: Bool, scale: float) -> Float:
    """1 inside the mask, falling to 0 within it over a few working pixels at its rim: the feathered seam."""
    width = max(2.0, 4.0 / max(scale, 1e-6))
    framed = cv2.copyMakeBorder(
        mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE
    )  # the box's edge is no seam
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.clip(depth / width, 0, 1).astype(np.float32)


def _bounding_box(mask: Bool) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f"seed must be a whole number from 0, got {seed!r}")
    return int(seed)


def _default_budget(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] // 4)
    return 2 << 30
