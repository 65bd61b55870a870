"""Each lever of the engine switched off in turn: what it gains on top of the others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.bench.latency.rounds import Row, Trial
from regiondrag_widget.bench.latency.rows import COLD, DRAFT, WARM
from regiondrag_widget.bench.latency.workbench import Workbench
from regiondrag_widget.engine import coding
from regiondrag_widget.engine.session import ImageSession
from regiondrag_widget.models.attention import Reader
from regiondrag_widget.models.textattention import TextAttention
from regiondrag_widget.pipeline import RegionDragPipeline

__all__ = ["GROUP", "lever_rows"]

GROUP = "levers"
WHOLE = 1 << 20
"""More cells of halo than any picture has: the whole window is decoded."""


def lever_rows(
    work: Workbench, levels: int, dtype: torch.dtype, device: str = "cpu", small_decoder: bool = False
) -> list[Row]:
    """Return a row for each lever of this kind of device; ``against`` names the row with the lever on.

    The session cache has no row of its own: without it a warm edit is a cold one.

    Parameters
    ----------
    small_decoder
        Whether drafts are decoded by an autoencoder of their own.
    """
    draft = DRAFT.format(2)

    def row(name: str, prepare: Callable[[], Trial], what: str, against: str, calls: int) -> Row:
        return Row(f"without {name}", GROUP, prepare, what, calls, against)

    rows = [
        row(
            "batched inversion",
            lambda: work.cold(work.pipe("unbatched", _one_at_a_time)),
            "the inversion's calls one after another",
            COLD,
            2 * levels,
        ),
        row(
            "keys and values cache",
            lambda: work.warm(work.pipe(), keys_values="recompute"),
            "the original runs beside the edit, two pictures a call",
            WARM,
            2 * levels,
        ),
        row(
            "skipping overwritten projections",
            lambda: _patched(work.warm(work.pipe("projecting")), Reader, "_keys_values", _projecting),
            "keys and values computed, then those of the inversion read",
            WARM,
            levels,
        ),
        row(
            "the prompt's keys and values",
            lambda: _patched(work.warm(work.pipe("prompting")), TextAttention, "installed", nullcontext),
            "cross attention computes them at each call",
            WARM,
            levels,
        ),
        row(
            "background cache",
            lambda: _forgetful(work.warm, work),
            "matte and fill made anew for each target",
            WARM,
            levels,
        ),
        row(
            "background cache, draft",
            lambda: _forgetful(partial(work.draft, calls=2), work),
            "matte and fill made anew for each target",
            draft,
            2,
        ),
        row(
            "decoding the crop",
            lambda: _patched(work.warm(work.pipe()), coding, "LINEAR_HALO", WHOLE, "HALO"),
            "the whole window decoded",
            WARM,
            levels,
        ),
    ]
    rows += _crop_rows(work, levels, bool(work.pipe().edit_defaults.get("crop")))
    if small_decoder:
        rows.append(
            row(
                "the small decoder, draft",
                lambda: work.draft(work.pipe("full decoder", draft_vae=None), 2),
                "drafts decoded by the full autoencoder",
                draft,
                2,
            )
        )
    if device == "cuda":
        rows += _cuda_rows(work, levels, dtype, row)
    if dtype != torch.float32:
        name = str(dtype).removeprefix("torch.")
        rows.append(
            row(
                name,
                lambda: work.warm(work.pipe("float32", dtype="float32")),
                "the UNet in float32",
                WARM,
                levels,
            )
        )
    return rows


def _crop_rows(work: Workbench, levels: int, cropping: bool) -> list[Row]:
    """The reverse pass on the changing cells alone: off where that is the default, on where it is not."""
    name = "without the crop of the reverse pass" if cropping else "with the reverse pass on a crop"
    what = "the network at all cells" if cropping else "the network at the changing cells alone"
    settings = {"crop": not cropping}
    return [
        Row(name, GROUP, lambda: work.warm(work.pipe(), settings=settings), what, levels, WARM),
        Row(
            f"{name}, draft",
            GROUP,
            lambda: work.draft(work.pipe(), 2, settings=settings),
            what,
            2,
            DRAFT.format(2),
        ),
    ]


def _cuda_rows(work: Workbench, levels: int, dtype: torch.dtype, row: Callable[..., Row]) -> list[Row]:
    draft = DRAFT.format(2)
    rows = [
        row(
            "CUDA graph",
            lambda: work.warm(work.pipe("eager", compile=False)),
            "every kernel launched by the host",
            WARM,
            levels,
        ),
        row(
            "CUDA graph, draft",
            lambda: work.draft(work.pipe("eager", compile=False), 2),
            "every kernel launched by the host",
            draft,
            2,
        ),
        row(
            "keys and values on the GPU",
            lambda: work.warm(work.pipe(), keys_values="host"),
            "they wait in pinned host memory",
            WARM,
            levels,
        ),
        Row(
            "with torch.compile as well",
            GROUP,
            lambda: work.warm(work.pipe("compiled", compile=True)),
            "fused kernels inside the graph; off by default, as it takes minutes once",
            levels,
            WARM,
        ),
    ]
    if dtype != torch.float32:
        rows.append(
            row(
                "channels-last",
                lambda: work.warm(work.pipe("contiguous", channels_last=False)),
                "convolutions in the usual layout",
                WARM,
                levels,
            )
        )
    return rows


def _one_at_a_time(pipe: RegionDragPipeline) -> None:
    pipe.backbone.batch_size = 1


def _forgetful(make: Callable[..., Trial], work: Workbench) -> Trial:
    """Drop what was computed from the handles before each repetition."""
    sessions: list[ImageSession] = []
    trial = make(work.pipe(), change=sessions.append)

    def forgetting(i: int) -> Any:
        for kind in ("background", "cutout", "composite"):
            sessions[0]._cache.trim(kind, 0)
        return trial(i)

    return forgetting


def _patched(trial: Trial, owner: Any, name: str, value: Any, *others: str) -> Trial:
    """Run the trial with attributes of a module or a class of the engine replaced."""

    def patched(i: int) -> Any:
        before = {n: getattr(owner, n) for n in (name, *others)}
        for n in before:
            setattr(owner, n, value)
        try:
            return trial(i)
        finally:
            for n, old in before.items():
                setattr(owner, n, old)

    return patched


_READ = Reader._keys_values


def _projecting(self: Reader, attn: Any, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
    attn.to_k(hidden_states), attn.to_v(hidden_states)
    return _READ(self, attn, hidden_states)
