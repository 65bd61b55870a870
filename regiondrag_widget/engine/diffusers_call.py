"""What a pipeline's call has in common with diffusers': generators, callbacks, and offloading afterwards."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeAlias, TypeVar

import torch
from torch import Tensor

from regiondrag_widget.engine.denoise import EditStep
from regiondrag_widget.engine.settings import checked_seed
from regiondrag_widget.models.given_tensors import check_tensor
from regiondrag_widget.models.turns import turns_of

__all__ = [
    "StepCallback",
    "check_tensor_inputs",
    "named_once",
    "offloading_afterwards",
    "reporting",
    "seeds_from",
]

P = ParamSpec("P")
T = TypeVar("T")

StepCallback: TypeAlias = "Callable[[Any, int, Tensor, dict[str, Any]], dict[str, Any] | None]"
"""callback(pipe, index, timestep, tensors), as diffusers calls it; the timestep is a 0-d tensor."""


def seeds_from(
    generator: torch.Generator | Sequence[torch.Generator] | None, seed: int | Sequence[int], count: int
) -> list[int]:
    """The seeds of a call's pictures.

    Parameters
    ----------
    generator : torch.Generator or a list of them, optional
        As diffusers' pipelines take it: one draws all seeds, a list has one for each picture.
    seed : int or a list of int
        Where there is no generator: of the first picture, which the others count on from; or of each.
    count : int
        Pictures, from 1; a list of seeds may stand for it.

    Raises
    ------
    ValueError
        Another number of generators or seeds than of pictures; a count below 1.
    TypeError
        Something else.
    """
    count = _checked_count(count)
    if generator is None:
        if isinstance(seed, (str, bytes)) or not isinstance(seed, Sequence):
            first = checked_seed(seed)
            return [checked_seed(first + i) for i in range(count)]
        if not seed or count not in (1, len(seed)):
            raise ValueError(f"{len(seed)} seeds are given for {count} pictures: give one for each")
        return [checked_seed(one) for one in seed]
    if isinstance(generator, (list, tuple)):
        if len(generator) != count:
            raise ValueError(
                f"num_images_per_prompt={count} takes as many generators, one for each picture, "
                f"got {len(generator)}"
            )
        return [_drawn(one) for one in generator]
    return [_drawn(generator) for _ in range(count)]


def _checked_count(count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1:
        raise ValueError(f"num_images_per_prompt must be a whole number from 1, got {count!r}")
    return int(count)


def _drawn(generator: object) -> int:
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator, got {type(generator).__name__}")
    return int(torch.randint(0, 2**31, (1,), generator=generator, device=generator.device).item())


def named_once(ours: str, value: Any, theirs: str, other: Any) -> Any:
    """The value of an argument that has two names, ours and diffusers'.

    Parameters
    ----------
    ours, theirs : str
        The names.
    value, other : object
        What was given under them; None for nothing.

    Raises
    ------
    ValueError
        Both were given.
    """
    if value is not None and other is not None:
        raise ValueError(f"{theirs} is {ours} by the name that diffusers has for it: give one of them")
    return other if value is None else value


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


def reporting(
    pipe: Any, callback: StepCallback | None, asked: Sequence[str], bar: Any
) -> Callable[[EditStep], None]:
    """A function that moves the progress bar, calls a callback after a step and takes the latents it returns.

    Parameters
    ----------
    pipe : RegionDragPipeline
        Whose call it is.
    callback : callable, optional
        Called as callback(pipe, index, timestep, tensors).
    asked : sequence of str
        The tensors it is given: "latents", "pred_original_sample".
    bar : tqdm
        Counts steps: a pipeline's `progress_bar`.

    Raises
    ------
    TypeError
        The callback is no function; later, where it returns something else than a dict of tensors.
    """
    if callback is not None and not callable(callback):
        raise TypeError(f"callback_on_step_end must be a function, got {type(callback).__name__}")

    def report(step: EditStep) -> None:
        bar.update()
        if callback is None:
            return
        tensors = {"latents": step.latents[None], "pred_original_sample": step.clean[None]}
        # whole numbers but for a flow, as diffusers' schedulers have them
        whole = getattr(pipe, "transformer", None) is None and float(step.timestep).is_integer()
        timestep = torch.tensor(int(step.timestep) if whole else float(step.timestep))
        changed = callback(pipe, step.index - 1, timestep, {name: tensors[name] for name in asked})
        if changed is None:
            return
        if not isinstance(changed, Mapping):
            raise TypeError(
                f"callback_on_step_end must return a dict of tensors or None, got {type(changed).__name__}"
            )
        latents = changed.get("latents")
        if latents is not None and latents is not tensors["latents"]:
            check_tensor(latents, "the latents that callback_on_step_end returns")
            if latents.shape != tensors["latents"].shape:
                raise ValueError(
                    f"the latents that callback_on_step_end returns must be "
                    f"{tuple(tensors['latents'].shape)}, got {tuple(latents.shape)}"
                )
        if latents is not None:
            step.latents = latents[0].to(step.latents)

    return report
