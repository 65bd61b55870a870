"""What a network computes with, as a value that changes when its weights or adapters do."""

from __future__ import annotations

from typing import Any

from torch import Tensor

__all__ = ["fingerprint"]


def fingerprint(*networks: Any) -> tuple[object, ...]:
    """Equal as long as the networks compute the same: weights, their place and format, adapters and scales.

    Nothing is read from the device, so it costs only a walk over the modules. Weights overwritten through
    `.data` are not noticed.

    Parameters
    ----------
    *networks : torch module or None
        None is passed over.
    """
    return tuple(_of(network) for network in networks if network is not None)


def _of(network: Any) -> tuple[object, ...]:
    network = getattr(network, "_orig_mod", network)  # what torch.compile has wrapped
    weights = tuple((id(p), p.data_ptr(), _version(p), p.dtype) for p in network.parameters())
    return (hash(weights), len(weights), *_adapters(network))


def _version(weight: Tensor) -> int:
    return 0 if weight.is_inference() else weight._version


def _adapters(network: Any) -> tuple[object, ...]:
    """LoRA layers that are on, with their scales; the scales of IP-Adapters."""
    found: list[object] = []
    for name, module in network.named_modules():
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, dict) and hasattr(module, "active_adapters"):
            on = tuple((a, scaling.get(a)) for a in module.active_adapters)
            merged = tuple(getattr(module, "merged_adapters", ()))
            found.append((name, on, merged, bool(getattr(module, "disable_adapters", False))))
        processor = getattr(module, "processor", None)
        if processor is not None and hasattr(processor, "scale"):
            found.append((name, type(processor).__name__, str(processor.scale)))
    return tuple(found)
