"""What a network computes with, as a value that changes when anything does that it computes with."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any

from torch import Tensor

from regiondrag_widget.models.processors import owners_processor

__all__ = ["NetworkState", "fingerprint", "network_state"]

PLAIN = (bool, int, float, complex, str, bytes, type(None))
# torch's own tables of a module, which the walk reads by themselves or which change nothing in a forward pass
TABLES = frozenset(
    {
        "_parameters",
        "_buffers",
        "_modules",
        "_non_persistent_buffers_set",
        "_forward_hooks",
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
        "_forward_pre_hooks",
        "_forward_pre_hooks_with_kwargs",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_is_full_backward_hook",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
        # what accelerate and diffusers put on a module to move or cast it, with the forward they replaced
        "_hf_hook",
        "_diffusers_hook",
        "_old_forward",
        "forward",
        "processor",
    }
)


@dataclass(frozen=True)
class NetworkState:
    """A network as one walk over its modules finds it.

    Attributes
    ----------
    key : tuple
        Equal as long as the network computes the same.
    attention : dict of module
        Its attention modules by name, as `unet.attn_processors` names them without ".processor".
    moved : bool
        Whether hooks move or cast its weights for every call (offloading, layerwise casting).
    python : str
        What of it a recording of its kernels would drop, in words: hooks, processors of the user's own. Empty
        where there is nothing of the kind.
    """

    key: tuple[object, ...]
    attention: dict[str, Any] = field(default_factory=dict)
    moved: bool = False
    python: str = ""


def fingerprint(*networks: Any) -> tuple[object, ...]:
    """Equal as long as the networks compute the same.

    It covers weights, their format and place, adapters and their scales, forward hooks, attention processors,
    and every plain value that a module holds: FreeU's factors, a convolution's padding mode, chunk sizes.
    Nothing is read from the device, so it costs only a walk over the modules. Weights overwritten through
    `.data` are not noticed where they stay in place. Where hooks move or cast the weights for every call,
    neither their present place counts nor that they were overwritten, which a move looks like.

    Parameters
    ----------
    *networks : torch module or None
        None is passed over.
    """
    return tuple(network_state(network).key for network in networks if network is not None)


def network_state(network: Any) -> NetworkState:
    """The state of a network, by one walk over its modules."""
    network = getattr(network, "_orig_mod", network)  # what torch.compile has wrapped
    weights: list[object] = []
    contents: list[tuple[int, int]] = []
    parts: list[object] = []
    attention: dict[str, Any] = {}
    moved, python = False, ""
    seen: set[int] = set()
    stack: list[tuple[str, Any]] = [("", network)]
    while stack:
        name, module = stack.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        held = module.__dict__
        mine: list[object] = [id(type(module))]
        accelerate = held.get("_hf_hook")
        if accelerate is not None or "_diffusers_hook" in held:
            moved = True
            mine.append(_moving(held))
        offloaded = _offloaded_weights(accelerate)
        if offloaded is not None:  # the module has stand-ins, made anew for every call
            mine.append(id(offloaded))
        else:
            for weight in (*held["_parameters"].values(), *held["_buffers"].values()):
                if weight is not None:
                    weights.append((id(weight), weight.dtype))
                    contents.append((weight.data_ptr(), _version(weight)))
        hooks = (*held["_forward_pre_hooks"], *held["_forward_hooks"])
        if hooks:
            mine.append(hooks)
            python = python or f"the network has forward hooks ({name or 'on the whole'})"
        replaced = _replaced_forward(module, held)
        if replaced:
            mine.append(replaced)
            python = python or f"the forward of {name or 'the network'} was replaced"
        if hasattr(type(module), "get_processor"):
            attention[name] = module
            processor = owners_processor(module)
            mine.append((id(processor), *_values(getattr(processor, "__dict__", {}))))
            if not type(processor).__module__.startswith("diffusers."):
                python = (
                    python or f"{name} has an attention processor of its own ({type(processor).__name__})"
                )
        mine.extend(_values(held))
        parts.append(tuple(mine))
        prefix = f"{name}." if name else ""
        stack.extend(
            (prefix + child, inner)
            for child, inner in reversed(held["_modules"].items())
            if inner is not None
        )
    if not moved:
        weights.append(tuple(contents))
    return NetworkState((hash(tuple(weights)), len(seen), hash(tuple(parts))), attention, moved, python)


def _version(weight: Tensor) -> int:
    return 0 if weight.is_inference() else weight._version


def _values(held: dict[str, Any]) -> list[object]:
    """What an object holds besides modules and weights, by name: plain values, collections, tensors."""
    found: list[object] = []
    for name, value in held.items():
        if name in TABLES:
            continue
        kind = type(value)
        if kind in PLAIN:
            found.append((name, value))
        elif kind is not MethodType:
            found.append((name, _value(value)))
    return found


def _value(value: Any, depth: int = 3) -> object:
    """A hashable stand-in that changes with a value; an object without plain content counts by identity."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if depth and kind in (list, tuple, set, frozenset):
        inner = [_value(item, depth - 1) for item in value]
        return (kind.__name__, *(sorted(map(repr, inner)) if kind in (set, frozenset) else inner))
    if depth and kind is dict:
        return ("dict", *((str(k), _value(v, depth - 1)) for k, v in value.items()))
    if isinstance(value, Tensor):
        return (id(value), _version(value), value.dtype)
    return id(value)


def _offloaded_weights(hook: Any) -> Any:
    """The table an accelerate hook takes a module's weights from for every call; None where it has none."""
    for one in getattr(hook, "hooks", (hook,)):
        if getattr(one, "offload", False):
            return getattr(one, "weights_map", None)
    return None


def _moving(held: dict[str, Any]) -> tuple[object, ...]:
    """The kinds of hooks that move or cast a module; diffusers makes them anew after every call."""
    accelerate, diffusers = held.get("_hf_hook"), held.get("_diffusers_hook")
    names = tuple(getattr(diffusers, "hooks", ()))
    return (*(type(one).__name__ for one in getattr(accelerate, "hooks", (accelerate,))), *names)


def _replaced_forward(module: Any, held: dict[str, Any]) -> int:
    """Stands for a `forward` that somebody put on this module; 0 where it is its class's own."""
    forward = held.get("_old_forward", held.get("forward"))
    if forward is None or ("_diffusers_hook" in held and "_old_forward" not in held):
        return 0
    if isinstance(forward, MethodType):
        forward = forward.__func__
    own = getattr(type(module), "forward", None)
    if forward is own or (isinstance(forward, FunctionType) and forward.__name__ == "_forward_unimplemented"):
        return 0
    return id(forward)
