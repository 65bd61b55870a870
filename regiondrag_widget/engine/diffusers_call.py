"""What a pipeline's call has in common with diffusers': generators, callbacks, and offloading afterwards."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeAlias, TypeVar

import torch

from regiondrag_widget.engine.denoise import EditStep
from regiondrag_widget.models.turns import turns_of

__all__ = ["StepCallback", "check_tensor_inputs", "offloading_afterwards", "reporting", "seed_from"]

P = ParamSpec("P")
T = TypeVar("T")

StepCallback: TypeAlias = "Callable[[Any, int, int, dict[str, Any]], dict[str, Any] | None]"
"""callback(pipe, index, timestep, tensors), as diffusers calls it."""


def seed_from(generator: torch.Generator | Sequence[torch.Generator] | None, seed: int) -> int:
    """The seed that a generator draws; ``seed`` where there is none.

    Parameters
    ----------
    generator : torch.Generator or a list of one, optional
        As diffusers' pipelines take it.
    seed : int
        Where it is left out.

    Raises
    ------
    ValueError
        Several generators: an edit makes one picture.
    TypeError
        Something else.
    """
    if generator is None:
        return seed
    if isinstance(generator, (list, tuple)):
        if len(generator) != 1:
            raise ValueError(
                f"an edit makes one picture and takes one generator, got {len(generator)}: "
                "call it once for each"
            )
        generator = generator[0]
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator, got {type(generator).__name__}")
    return int(torch.randint(0, 2**31, (1,), generator=generator, device=generator.device).item())


def offloading_afterwards(call: Callable[P, T]) -> Callable[P, T]:
    """A pipeline's `__call__` after which its parts are off the GPU again, where model offload is on."""

    @functools.wraps(call)
    def called(*args: P.args, **keywords: P.kwargs) -> T:
        try:
            return call(*args, **keywords)
        finally:
            pipe: Any = args[0]
            if getattr(pipe, "_all_hooks", None):
                with turns_of(pipe.denoiser):
                    pipe.maybe_free_model_hooks()

    return called


def check_tensor_inputs(asked: Sequence[str], known: Sequence[str]) -> None:
    """Raise ValueError for tensors that a callback cannot be given."""
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise ValueError(f"callback_on_step_end_tensor_inputs knows {known}, not {unknown}")


def reporting(pipe: Any, callback: StepCallback | None, asked: Sequence[str]) -> Callable[[EditStep], None]:
    """A function that calls a callback after a step and takes the latents it returns.

    Parameters
    ----------
    pipe : RegionDragPipeline
        Whose call it is.
    callback : callable, optional
        Called as callback(pipe, index, timestep, tensors).
    asked : sequence of str
        The tensors it is given: "latents", "pred_original_sample".
    """

    def report(step: EditStep) -> None:
        if callback is None:
            return
        tensors = {"latents": step.latents[None], "pred_original_sample": step.clean[None]}
        changed = callback(pipe, step.index - 1, int(step.timestep), {name: tensors[name] for name in asked})
        if changed and changed.get("latents") is not None:
            step.latents = changed["latents"][0].to(step.latents)

    return report
