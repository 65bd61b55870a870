"""What is tried on a model: an edit, a draft, a stop, where keys and values lie, how calls are made."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regiondrag_widget import assets
from regiondrag_widget.check import reference
from regiondrag_widget.check.outcome import Failed, Finding, Skipped
from regiondrag_widget.engine.session import ImageSession
from regiondrag_widget.models.graphs import Accelerator
from regiondrag_widget.models.memory import is_out_of_memory
from regiondrag_widget.models.placement import device_of
from regiondrag_widget.pipeline import RegionDragPipeline
from regiondrag_widget.regions import RegionPair

__all__ = ["Bench", "relative"]

# relative errors that rounding may cause in an edit, by format; with TF32 a GPU's float32 is less exact
ROUNDING = {torch.float32: 1e-4, torch.float16: 3e-2, torch.bfloat16: 1e-1}
TF32 = 1e-2


@dataclass
class Bench:
    """A model and an edit to try on it.

    Attributes
    ----------
    pipe : RegionDragPipeline
        The model; left as it was found.
    image : (H, W, 3) uint8 array
        A bundled photograph at the model's size.
    pairs : list of RegionPair
        What is moved where.
    usual : Tensor or None
        The final latents of the edit by plain calls, once it was made.
    """

    pipe: RegionDragPipeline
    image: np.ndarray
    pairs: list[RegionPair]
    usual: Tensor | None = None

    @classmethod
    def of(cls, pipe: RegionDragPipeline) -> Bench:
        """The bundled photograph's suggested edit, at the size a model works at."""
        example = assets.load()
        side = max(256, pipe.profile.min_side)
        factor = side / max(example.image.size)
        size = tuple(round(n * factor) for n in example.image.size)
        image = example.image.resize((size[0], size[1]))
        handle = np.asarray(_resized(example.handle, (size[0], size[1])))
        dx, dy = (n * factor for n in example.move)
        return cls(pipe, np.asarray(image), [RegionPair.move(handle, dx, dy, example.scale, example.rotate)])

    @property
    def tolerance(self) -> float:
        """The relative error that the model's number format excuses."""
        return _tolerance(self.pipe.backbone.device, self.pipe.backbone.dtype)

    def session(self, **options: Any) -> ImageSession:
        """A session of the photograph."""
        return ImageSession(self.pipe, self.image, **options)

    def edited(self, session: ImageSession) -> Tensor:
        """The final latents of the edit, of the whole window: not every way of making it can crop."""
        return [step.latents for step in session.edit(self.pairs, crop=False)][-1]

    # -- drills ----

    def reference(self, dtype: torch.dtype) -> Finding:
        """The reference vectors on the model's device, in a number format."""
        device = self.pipe.backbone.device
        ours, theirs = reference.computed(reference.reference_pipeline(device, dtype)), reference.expected()
        errors = {name: relative(ours[name], theirs[name]) for name in theirs}
        worst, allowed = max(errors.values()), _tolerance(device, dtype)
        if not worst <= allowed:
            raise Failed(
                f"the edit differs by {worst:.2g} of its size from the reference: {allowed:g} is allowed"
            )
        return Finding(f"as the reference to {worst:.1g}", errors)

    def edit(self) -> Finding:
        """An edit of a picture not seen before, and again of one that is prepared."""
        begun = time.perf_counter()
        session = self.session()
        first = self.edited(session)
        cold = time.perf_counter() - begun
        begun = time.perf_counter()
        second = self.edited(session)
        warm = time.perf_counter() - begun
        if self.usual is None:
            self.usual = first
        if relative(second, first) > 0:
            raise Failed(f"the same edit twice differs by {relative(second, first):.2g} of its size")
        assert session.result is not None
        before, after = self.image, np.asarray(session.result.image)
        drawn = np.logical_or.reduce([pair.handle | pair.target for pair in self.pairs])
        if not np.array_equal(before[~drawn], after[~drawn]):
            raise Failed("pixels outside the regions have changed")
        if np.array_equal(before[drawn], after[drawn]):
            raise Failed("nothing has changed inside the regions")
        return Finding(f"first {cold:.2f} s, then {warm:.2f} s", {"cold_s": cold, "warm_s": warm})

    def draft(self) -> Finding:
        """A draft in two calls, of a prepared picture."""
        session = self.session()
        for _ in session.draft(self.pairs, calls=2):
            pass
        begun = time.perf_counter()
        for _ in session.draft(self.pairs, calls=2):
            pass
        seconds = time.perf_counter() - begun
        if session.drafted is None:
            raise Failed("the draft came to no end")
        return Finding(f"{seconds * 1000:.0f} ms in 2 calls", {"draft_s": seconds})

    def stop(self) -> Finding:
        """An edit that is stopped after its first step; the next one is not to notice."""
        session = self.session()
        before = dict(self.pipe.unet.attn_processors)
        running = session.edit(self.pairs)
        next(running)
        running.close()
        if any(self.pipe.unet.attn_processors[name] is not p for name, p in before.items()):
            raise Failed("the network was left with other attention processors")
        self._compare(self.edited(session), "the edit after a stop")
        return Finding("stopped after a step; the next edit is the usual one")

    def keys_values(self, place: str) -> Finding:
        """The edit with the original's keys and values in one place."""
        begun = time.perf_counter()
        session = self.session(keys_values=place)
        error = self._compare(self.edited(session), f"the edit with keys and values on {place}")
        self.edited(session)
        seconds, used = time.perf_counter() - begun, session.nbytes
        return Finding(
            f"the usual edit to {error:.1g}, {used / 1e6:.0f} MB kept",
            {"error": error, "seconds": seconds, "bytes": used},
        )

    def accelerated(self, compile: bool | str) -> Finding:
        """The edit with recorded or compiled calls, beside plain ones."""
        pipe = self.pipe
        pipe.accelerate(compile)
        try:
            if not isinstance(pipe.backbone.present_accelerator(), Accelerator):
                raise Skipped(pipe.acceleration)
            session = self.session()
            error = self._compare(self.edited(session), f"the edit by {pipe.acceleration}")
            begun = time.perf_counter()
            self.edited(session)
            seconds, words = time.perf_counter() - begun, pipe.acceleration
            if not pipe.backbone.replays:
                raise Failed(f"calls could not be replayed, and were made plainly: {words}")
            return Finding(f"{words}: {seconds:.2f} s", {"error": error, "warm_s": seconds})
        finally:
            pipe.accelerate(False)

    def offload(self) -> Finding:
        """The edit while the network's weights are parked elsewhere between its calls."""
        with _offloaded(self.pipe) as how:
            error = self._compare(self.edited(self.session()), f"the edit with {how}")
        if device_of(self.pipe.unet).type == "meta":
            raise Failed("the weights did not come back")
        self._compare(self.edited(self.session()), "the edit after it")
        return Finding(f"{how}: the usual edit to {error:.1g}", {"error": error})

    def out_of_memory(self) -> Finding:
        """Memory that runs out in the middle, as torch reports it; the session is to go on with less."""
        session = self.session()
        self.edited(session)
        kept = session.cache_report().budget

        def fail(*_: Any) -> None:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (a drill)")

        hook = self.pipe.unet.register_forward_pre_hook(fail)
        try:
            self.edited(session)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            raise Failed("the drill's error did not reach the caller")
        finally:
            hook.remove()
        left = session.cache_report().budget
        if left >= kept:
            raise Failed("the session still keeps as much as before")
        self._compare(self.edited(session), "the edit after memory ran out")
        return Finding(
            f"kept {kept / 1e6:.0f} MB at most, then {left / 1e6:.0f}; the next edit is the usual one"
        )

    def _compare(self, latents: Tensor, what: str) -> float:
        if self.usual is None:
            raise Skipped("there is no usual edit to compare with")
        error = relative(latents, self.usual)
        if not error <= self.tolerance:
            raise Failed(f"{what} differs by {error:.2g} of its size: {self.tolerance:g} is allowed")
        return error


def relative(ours: Tensor, expected: Tensor) -> float:
    """The norm of the difference over that of what is expected; infinite where a value is not a number."""
    ours, expected = ours.double().cpu(), expected.double().cpu()
    error = float((ours - expected).norm() / expected.norm())
    return error if math.isfinite(error) else math.inf


@contextmanager
def _offloaded(pipe: RegionDragPipeline) -> Iterator[str]:
    """While open, the network is offloaded; the way of it in words."""
    device = pipe.backbone.device
    if device.type != "cpu":
        pipe.enable_model_cpu_offload(device=device)
        try:
            yield "model offload"
        finally:
            pipe.remove_all_hooks()
            pipe.to(device)
        return
    from accelerate import cpu_offload
    from accelerate.hooks import remove_hook_from_submodules

    cpu_offload(pipe.unet, execution_device=device)  # no GPU here: the same hooks, from memory to memory
    try:
        yield "offload from memory to memory"
    finally:
        remove_hook_from_submodules(pipe.unet)


def _tolerance(device: torch.device, dtype: torch.dtype) -> float:
    exact = ROUNDING.get(dtype, TF32)
    return max(exact, TF32) if device.type != "cpu" else exact


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
