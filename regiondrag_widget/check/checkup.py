"""The drills in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch

from regiondrag_widget.check.drills import Bench
from regiondrag_widget.check.outcome import Finding, Outcome, judged
from regiondrag_widget.pipeline import RegionDragPipeline

__all__ = ["check"]


def check(
    model: str, device: torch.device, dtype: torch.dtype, *, compile: bool = False
) -> Iterator[Outcome]:
    """Try everything that an edit may meet, on a device.

    Parameters
    ----------
    model : str
        As `RegionDragPipeline.from_pretrained` takes it.
    device : torch.device
        Where to compute.
    dtype : torch.dtype
        The number format to compute in.
    compile : bool
        Compile the network as well, which takes minutes.

    Yields
    ------
    Outcome
        As soon as each is known. Where the model cannot be loaded, only that.
    """
    loaded: list[RegionDragPipeline] = []

    def load() -> Finding:
        pipe = RegionDragPipeline.from_pretrained(model, device=device, dtype=dtype, compile=False)
        loaded.append(pipe)
        weights = sum(p.numel() * p.element_size() for p in pipe.unet.parameters())
        return Finding(f"{pipe.name}: a network of {weights / 1e6:.0f} MB", {"network_bytes": weights})

    outcome = judged("load the model", load)
    yield outcome
    if not loaded:
        return
    bench = Bench.of(loaded[0])
    for name, drill in _drills(bench, dtype, compile):
        yield judged(name, drill)


def _drills(bench: Bench, dtype: torch.dtype, compile: bool) -> Iterator[tuple[str, Callable[[], Finding]]]:
    for kind in dict.fromkeys((torch.float32, dtype)):
        yield f"reference vectors, {str(kind).removeprefix('torch.')}", partial(bench.reference, kind)
    yield "an edit", bench.edit
    yield "a draft", bench.draft
    yield "a stop", bench.stop
    for place in ("device", "host", "recompute"):
        yield f"keys and values: {place}", partial(bench.keys_values, place)
    yield "calls replayed", partial(bench.accelerated, "auto")
    if compile:
        yield "calls compiled", partial(bench.accelerated, True)
    yield "offload", bench.offload
    yield "memory runs out", bench.out_of_memory
    yield "an edit after all", bench.edit
