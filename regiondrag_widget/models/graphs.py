"""The reverse pass's network call with every tensor at a fixed address, replayed instead of launched again.

On a CUDA GPU the hundreds of small kernels of a call at batch 1 take longer to launch than to run; a CUDA
graph launches them as one. Graphs are captured by hand and not by `torch.compile(mode="reduce-overhead")`:
that takes a second and not minutes, needs no compiler, replays from any thread, and works for whatever the
UNet has been given (adapters). `compile=True` adds torch.compile's fused kernels to it.

Which level's keys and values are read is data that is copied in, not a constant of the graph: one graph
serves every level, any number of levels, every drag.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.errors import first_line
from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.attention import Injection
from regiondrag_widget.models.device import DeviceLostError, lost_device
from regiondrag_widget.models.fingerprint import NetworkState
from regiondrag_widget.models.static_call import Call, Inputs, Level, StaticCall, shapes_of

__all__ = ["Accelerator", "accelerator_for", "record_graph"]

log = logging.getLogger(__name__)

KEPT = 4  # calls of different shapes kept at once: each has its own activations' memory
WARM_UPS = 3


class Accelerator:
    """Replays a UNet's calls where that works, and says why where it does not. Safe to use from any thread.

    Parameters
    ----------
    record : callable
        Takes a call with fixed tensors and returns what replays it.
    words : str
        How calls are made where they are replayed, for a read-out.
    needs_layers : bool
        Whether our processors must be installed at every replay (compiled code looks at them).
    """

    def __init__(self, record: Callable[[Call], Call], words: str, *, needs_layers: bool = False) -> None:
        self._record, self._needs_layers, self._words = record, needs_layers, words
        self._calls: OrderedDict[tuple[object, ...], StaticCall] = OrderedDict()
        self._refused: tuple[object, ...] | None = None  # the network that calls cannot be replayed of
        self._reason = ""
        self._lock = OrderedLock(Rank.RECORDED_CALLS)

    @property
    def words(self) -> str:
        """How calls are made, for a read-out: the reason where they cannot be replayed."""
        return f"eager: {self._reason}" if self._reason else self._words

    @property
    def replays(self) -> bool:
        """Whether calls are replayed, as far as is known: False once that has failed for this network."""
        return not self._reason

    def predict(
        self, unet: Any, inputs: Inputs, injection: Injection, k: int, state: NetworkState
    ) -> Tensor | None:
        """The UNet's output.

        Parameters
        ----------
        unet : UNet
            What is called.
        inputs, injection : Inputs, Injection
            What it reads.
        k : int
            The level of the injection's cache.
        state : NetworkState
            The network as it is. Another one needs another graph; one with hooks of the user's is called
            plainly, since a replay makes no call of Python.

        Returns
        -------
        (1, C, h, w) Tensor or None
            None where the caller must make the call itself.

        Raises
        ------
        DeviceLostError
            The GPU is lost.
        """
        if not self._lock.acquire(blocking=False):
            return None  # another thread is using the tensors
        key: tuple[object, ...] = ()
        try:
            level = list(injection.at(k))
            if self._refused == state.key:
                return None
            self._refused, self._reason = None, ""
            key = shapes_of(inputs, injection, level)
            with torch.inference_mode():
                call = self._made(key, state, unet, inputs, injection, level)
                call.load(inputs, injection, level)
                if self._needs_layers:
                    with call.installed():
                        return call.replay().clone()
                return call.replay().clone()
        except Exception as error:
            # whatever a compiler or a driver raises, a plain call is still possible
            self._calls.pop(key, None)
            self._refused = state.key
            if lost_device(error):
                raise DeviceLostError(error) from error
            self._explain(error)
            return None
        finally:
            self._lock.release()

    def _made(
        self,
        key: tuple[object, ...],
        state: NetworkState,
        unet: Any,
        inputs: Inputs,
        injection: Injection,
        level: Level,
    ) -> StaticCall:
        known = self._calls.get(key)
        if known is not None and known.fits(state.key):
            self._calls.move_to_end(key)
            return known
        self._calls.pop(key, None)
        while len(self._calls) >= KEPT:
            self._calls.popitem(last=False)
        if state.moved:
            raise RuntimeError("the UNet is moved or cast for every call (offloading)")
        if state.python:
            raise RuntimeError(f"{state.python}, which a recording would leave out")
        call = StaticCall(unet, inputs, injection, level, state.key)
        call.load(inputs, injection, level)
        with call.installed():
            call.replay = self._record(call.forward)
        self._calls[key] = call
        return call

    def _explain(self, error: Exception) -> None:
        first = first_line(error)
        if isinstance(error, torch.cuda.OutOfMemoryError):
            first = "not enough memory on the GPU"
            torch.cuda.empty_cache()
        self._reason = first or type(error).__name__
        log.info("the network is called without acceleration: %s", first)


def accelerator_for(device: torch.device, compile: bool | str) -> Accelerator | str:
    """What makes a network's calls faster on a device, or in words why nothing does.

    Parameters
    ----------
    device : torch.device
        Where the network computes.
    compile : "auto" or bool
        "auto" is a CUDA graph on a GPU and nothing elsewhere; True adds torch.compile on any device; False is
        nothing.

    Raises
    ------
    ValueError
        Anything else.
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
    made()  # compiles now, so that a failure shows here
    return made


def record_graph(call: Call, device: torch.device) -> Call:
    """Capture a call as a CUDA graph.

    The call is made a few times first, so that libraries choose their kernels before the capture.

    Parameters
    ----------
    call : callable
        Reads and writes fixed tensors.
    device : torch.device
        A CUDA device.

    Returns
    -------
    callable
        Replays the call and returns the same tensor every time.
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
            # thread_local: other threads of the notebook may use the GPU during the capture
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                out = call()
        finally:
            torch.backends.cudnn.benchmark = benchmark

    def replay() -> Tensor:
        graph.replay()
        return out

    return replay
