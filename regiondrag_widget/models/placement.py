"""Where a module computes and in which number format, also where hooks move or cast its weights for a call.

accelerate's offloading parks weights in the computer's memory or on torch's "meta" device between calls, and
a device map spreads them over several GPUs. diffusers' layerwise casting keeps them in a format that nothing
computes in. In both cases the first weight says nothing about where and how a call computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from regiondrag_widget.models.turns import turns_of

__all__ = ["device_of", "dtype_of", "empty_cache", "free_memory", "is_moved", "moving_turn", "wait_for"]

COMPUTES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def device_of(module: Any) -> torch.device:
    """Where a torch module computes: where its weights are, or where its hooks take them for a call."""
    if is_moved(module):
        for device in _execution_devices(module):
            return device
    return next(module.parameters()).device  # type: ignore[no-any-return]


def dtype_of(module: Any) -> torch.dtype:
    """The number format a torch module computes in: its weights', or the one they are cast to for a call."""
    first: torch.dtype | None = None
    for weight in module.parameters():
        if weight.dtype in COMPUTES:
            return weight.dtype  # type: ignore[no-any-return]
        first = first or weight.dtype
        if weight.is_floating_point():  # a format to keep weights in, such as float8
            for part in module.modules():
                registry = part.__dict__.get("_diffusers_hook")
                cast = getattr(registry, "hooks", {}).get("layerwise_casting")
                if cast is not None:
                    return cast.compute_dtype  # type: ignore[no-any-return]
    assert first is not None, "the module has no weights"
    return first


def is_moved(module: Any) -> bool:
    """Whether hooks move a module's weights for its calls, as told by the module and its first weights."""
    for part in module.modules():
        if "_hf_hook" in part.__dict__ or "_diffusers_hook" in part.__dict__:
            return True
        if any(weight is not None for weight in part._parameters.values()):
            return False
    return False


def moving_turn(module: Any, network: Any) -> AbstractContextManager[None]:
    """Hold the network's turn while another part is called whose hooks may move the network away.

    Model offload takes a part to the GPU and the one before it off, so no two may be called at once.

    Parameters
    ----------
    module, network : torch module
        The part that is called, and the network beside it.
    """
    return turns_of(network) if is_moved(module) else nullcontext()


def free_memory(device: torch.device) -> int | None:
    """Bytes of a GPU that are free for tensors, with those that torch holds ready; None on other devices.

    Parameters
    ----------
    device : torch.device
        Where the tensors would be.
    """
    if device.type == "cuda":
        ready = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + max(0, ready))
    return None


def empty_cache(device: torch.device) -> None:
    """Give memory that torch holds ready on a GPU back to it."""
    library = {"cuda": torch.cuda, "mps": torch.mps}.get(device.type)
    if library is not None:
        library.empty_cache()


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was given: calls return before that."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _execution_devices(module: Any) -> Iterator[torch.device]:
    """The devices that the hooks on a module and its parts name, the outermost first."""
    for part in module.modules():
        hook = part.__dict__.get("_hf_hook")
        found = [getattr(one, "execution_device", None) for one in getattr(hook, "hooks", (hook,))]
        registry = part.__dict__.get("_diffusers_hook")
        configs = [getattr(one, "config", None) for one in getattr(registry, "hooks", {}).values()]
        found += [getattr(config, "onload_device", None) for config in configs]
        for device in found:
            if device is not None:
                yield torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
