"""The reverse pass's network call with every tensor at a fixed place, replayed instead of issued anew.

On a CUDA GPU the hundreds of small kernels of a call at batch 1 take longer to launch than to run; a CUDA
graph launches them as one. Graphs are captured by hand and not by `torch.compile(mode="reduce-overhead")`:
that takes a second and not minutes, needs no compiler, replays from any thread, and works for whatever the
UNet has been given (adapters). `compile=True` adds torch.compile's fused kernels to it.

Which level's keys and values are read is data that is copied in, not a constant of the graph: one graph
serves every level, any number of levels, every drag.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.models.attention import Injection, Reader, attention_layers, installed
from regiondrag_widget.models.device import DeviceLostError, lost_device
from regiondrag_widget.models.textattention import TextAttention

__all__ = ["Accelerator", "Inputs", "StaticCall", "accelerator_for", "record_graph"]

log = logging.getLogger(__name__)

KEPT = 4  # calls of different shapes kept at once: each has its own activations' memory
WARM_UPS = 3
Call = Callable[[], Tensor]
Level = Sequence[tuple[Tensor, Tensor]]  # key and value of each layer


class Inputs:
    """What one call of the UNet reads besides keys and values.

    x : (1, C, h, w) in the network's format; timestep : (1,)
    condition : further arguments of the UNet (the prompt, what SDXL adds, a distilled guidance), by name
    text : the prompt's cross attentions
    """

    def __init__(self, x: Tensor, timestep: Tensor, condition: dict[str, Any], text: TextAttention) -> None:
        self.x, self.timestep, self.condition, self.text = x, timestep, condition, text

    @property
    def conditions(self) -> list[Tensor]:
        """The condition's tensors, in order."""
        found: list[Tensor] = []
        for value in self.condition.values():
            found.extend(value.values() if isinstance(value, dict) else [value])
        return found


class StaticCall:
    """One call of a UNet that reads and writes tensors of its own, always the same ones.

    Made for the shapes of the inputs and the injection it is given; `run` copies others of these shapes in.
    """

    def __init__(
        self,
        unet: Any,
        inputs: Inputs,
        injection: Injection,
        level: Level,
        weights: tuple[object, ...] = (),
    ) -> None:
        with torch.inference_mode(False), torch.no_grad():
            self._x, self._timestep = inputs.x.clone(), inputs.timestep.clone()
            self._condition = {name: _cloned(value) for name, value in inputs.condition.items()}
            self._text = inputs.text.twin()
            self._biases = {n: bias.clone() for n, bias in injection.biases.items()}
            self._readers = [Reader() for _ in injection.layers]
            for reader, (key, value) in zip(self._readers, level, strict=True):
                reader.key, reader.value = (
                    torch.zeros_like(t, device=inputs.x.device, dtype=inputs.x.dtype)[None]
                    for t in (key, value)
                )
                reader.bias = self._biases.get(len(key))
        layers = attention_layers(unet)
        self._modules = [layers[name] for name in injection.layers]
        self._unet = unet
        self._loaded: tuple[object, object] | None = None
        self.weights = weights
        self._place = _place(unet)
        self.replay: Call = self.forward

    def fits(self, weights: tuple[object, ...]) -> bool:
        """Whether the network still is the one this call was made for, in the same place."""
        return self.weights == weights and self._place == _place(self._unet)

    def forward(self) -> Tensor:
        """The UNet's output at what lies in the tensors now."""
        out: Tensor = self._unet(self._x, self._timestep, return_dict=False, **self._condition)[0]
        return out

    def installed(self) -> ExitStack:
        """While open, the UNet reads this call's tensors."""
        stack = ExitStack()
        stack.enter_context(installed(zip(self._modules, self._readers, strict=True)))
        stack.enter_context(self._text.installed())
        return stack

    def load(self, inputs: Inputs, injection: Injection, level: Level) -> None:
        """Copy everything in; what stays the same for an edit only once."""
        self._x.copy_(inputs.x)
        self._timestep.copy_(inputs.timestep)
        targets = [t for r in self._readers for t in (r.key, r.value) if t is not None]
        sources = [t[None] for pair in level for t in pair]
        if targets:
            torch._foreach_copy_(targets, sources, non_blocking=True)
        if self._loaded is None or self._loaded[0] is not inputs.text:
            mine = Inputs(self._x, self._timestep, self._condition, self._text).conditions
            for ours, given in zip(mine, inputs.conditions, strict=True):
                ours.copy_(given)
            for ours_read, read in zip(self._text.readers, inputs.text.readers, strict=True):
                for ours, given in zip(ours_read.tensors, read.tensors, strict=True):
                    ours.copy_(given)
        if self._loaded is None or self._loaded[1] is not injection:
            for tokens, bias in injection.biases.items():
                self._biases[tokens].copy_(bias)
        self._loaded = (inputs.text, injection)


class Accelerator:
    """Replays a UNet's calls where that works; says why where not. Safe to call from any thread.

    record : call with fixed tensors -> what replays it
    needs_layers : whether the UNet's layers must be ours at every replay (compiled code looks at them)
    words : how calls are made now, for a read-out
    """

    def __init__(self, record: Callable[[Call], Call], words: str, *, needs_layers: bool = False) -> None:
        self._record, self._needs_layers = record, needs_layers
        self.words = words
        self._calls: OrderedDict[tuple[object, ...], StaticCall] = OrderedDict()
        self._refused: set[tuple[object, ...]] = set()
        self._lock = threading.Lock()

    def predict(
        self, unet: Any, inputs: Inputs, injection: Injection, k: int, weights: tuple[object, ...]
    ) -> Tensor | None:
        """The UNet's output, (1, C, h, w); None where the caller must make the call itself.

        k : the level of the injection's cache
        weights : the network's fingerprint: other weights lie elsewhere, and need another graph

        Raises DeviceLostError where the device is gone.
        """
        if not self._lock.acquire(blocking=False):
            return None  # another thread is at it: its tensors are not ours to write
        key: tuple[object, ...] = ()
        try:
            level = list(injection.at(k))
            key = _shapes(inputs, injection, level)
            if key in self._refused:
                return None
            with torch.inference_mode():
                call = self._made(key, weights, unet, inputs, injection, level)
                call.load(inputs, injection, level)
                if self._needs_layers:
                    with call.installed():
                        return call.replay().clone()
                return call.replay().clone()
        except Exception as error:
            # whatever a compiler or a driver raises: the plain call is always there
            self._calls.pop(key, None)
            self._refused.add(key)
            if lost_device(error):
                raise DeviceLostError(error) from error
            self._explain(error)
            return None
        finally:
            self._lock.release()

    def _made(
        self,
        key: tuple[object, ...],
        weights: tuple[object, ...],
        unet: Any,
        inputs: Inputs,
        injection: Injection,
        level: Level,
    ) -> StaticCall:
        known = self._calls.get(key)
        if known is not None and known.fits(weights):
            self._calls.move_to_end(key)
            return known
        self._calls.pop(key, None)
        while len(self._calls) >= KEPT:
            self._calls.popitem(last=False)
        if hooked(unet):
            raise RuntimeError("the UNet is moved or cast for every call (offloading)")
        call = StaticCall(unet, inputs, injection, level, weights)
        call.load(inputs, injection, level)
        with call.installed():
            call.replay = self._record(call.forward)
        self._calls[key] = call
        return call

    def _explain(self, error: Exception) -> None:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if isinstance(error, torch.cuda.OutOfMemoryError):
            first = "not enough memory on the GPU"
            torch.cuda.empty_cache()
        self.words = f"eager: {first}"
        log.info("the network is called without acceleration: %s", first)


def hooked(unet: Any) -> bool:
    """Whether something moves or casts the network's weights around its calls."""
    return any(hasattr(m, "_hf_hook") or hasattr(m, "_diffusers_hook") for m in unet.modules())


def accelerator_for(device: torch.device, compile: bool | str) -> Accelerator | str:
    """What makes a network's calls faster on a device, or in words why nothing does.

    compile : "auto" is a CUDA graph on a GPU and nothing elsewhere; True adds torch.compile, anywhere;
        False is nothing

    Raises ValueError for anything else.
    """
    if compile not in ("auto", True, False):
        raise ValueError(f'compile must be "auto", True or False, got {compile!r}')
    cuda = device.type == "cuda"
    if compile is True:
        words = "compiled, CUDA graph" if cuda else "compiled"
        return Accelerator(
            (lambda call: record_graph(_compiled(call), device)) if cuda else _compiled,
            words,
            needs_layers=not cuda,
        )
    if cuda and compile == "auto":
        return Accelerator(lambda call: record_graph(call, device), "CUDA graph")
    # compiling for a processor takes minutes and won 10 % on the bundled model
    return "eager" if compile is False else f"eager: nothing to gain on {device.type}"


def _compiled(call: Call) -> Call:
    made: Call = torch.compile(call, dynamic=False)
    made()  # where compiling fails it fails here
    return made


def record_graph(call: Call, device: torch.device) -> Call:
    """Capture a call as a CUDA graph; what comes back replays it and gives the same tensor every time.

    The call is made a few times first, so that libraries choose their kernels before the capture.
    """
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        benchmark, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
        try:
            with torch.cuda.stream(stream):
                for _ in range(WARM_UPS):
                    call()
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # thread_local: what other threads of the notebook do on the GPU does not spoil the capture
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                out = call()
        finally:
            torch.backends.cudnn.benchmark = benchmark

    def replay() -> Tensor:
        graph.replay()
        return out

    return replay


def _place(unet: Any) -> int:
    return int(next(unet.parameters()).data_ptr())


def _cloned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cloned(v) for name, v in value.items()}
    return value.clone()


def _shapes(inputs: Inputs, injection: Injection, level: Level) -> tuple[object, ...]:
    given = [inputs.x, *inputs.conditions, *(t for r in inputs.text.readers for t in r.tensors)]
    return (
        tuple((tuple(t.shape), t.dtype, str(t.device)) for t in given),
        tuple(injection.layers),
        tuple(tuple(key.shape) for key, _ in level),
        tuple((n, tuple(bias.shape)) for n, bias in sorted(injection.biases.items())),
    )
