"""One call of a UNet that always reads and writes the same tensors: what a CUDA graph can record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias

import torch
from torch import Tensor

from regiondrag_widget.models.attention import Injection, Reader, attention_layers
from regiondrag_widget.models.processors import installed
from regiondrag_widget.models.textattention import TextAttention

__all__ = ["Call", "Inputs", "Level", "StaticCall", "of_tensors", "shapes_of"]

Call: TypeAlias = "Callable[[], Tensor]"
Level: TypeAlias = "Sequence[tuple[Tensor, Tensor]]"
"""Key and value of each layer."""


class Inputs:
    """What one call of the UNet reads besides keys and values.

    Parameters
    ----------
    x : (1, C, h, w) Tensor
        Latents in the network's format.
    timestep : (1,) Tensor
        The level.
    condition : dict
        Further arguments of the UNet, by name: the prompt, SDXL's additions, a distilled guidance.
    text : TextAttention
        The prompt's cross attentions.
    """

    def __init__(self, x: Tensor, timestep: Tensor, condition: dict[str, Any], text: TextAttention) -> None:
        self.x, self.timestep, self.condition, self.text = x, timestep, condition, text

    @property
    def conditions(self) -> list[Tensor]:
        """The condition's tensors, in the order of its arguments."""
        found: list[Tensor] = []
        for value in self.condition.values():
            of_tensors(value, found.append)
        return found


class StaticCall:
    """One call of a UNet that always reads and writes the same tensors of its own.

    Made for the shapes of the inputs and the injection it is given; `load` copies others of these shapes in.

    Parameters
    ----------
    unet : UNet
        What is called.
    inputs, injection : Inputs, Injection
        Of the shapes that the call is for.
    level : sequence of (key, value)
        Of each layer, (tokens, channels).
    weights : tuple
        The network's fingerprint.

    Attributes
    ----------
    replay : callable
        Makes the call again; plain `forward` until it is recorded.
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
            self._condition = {n: of_tensors(value, torch.clone) for n, value in inputs.condition.items()}
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
        """Whether the network is still the one this call was made for, in the same place."""
        return self.weights == weights and self._place == _place(self._unet)

    def forward(self) -> Tensor:
        """The UNet's output for the present content of the tensors."""
        out: Tensor = self._unet(self._x, self._timestep, return_dict=False, **self._condition)[0]
        return out

    def installed(self) -> ExitStack:
        """While open, the UNet reads this call's tensors."""
        stack = ExitStack()
        stack.enter_context(installed(zip(self._modules, self._readers, strict=True)))
        stack.enter_context(self._text.installed())
        return stack

    def load(self, inputs: Inputs, injection: Injection, level: Level) -> None:
        """Copy everything in; what is the same for all of an edit only once.

        Parameters
        ----------
        inputs, injection, level
            As at creation, of the same shapes.
        """
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


def _place(unet: Any) -> int:
    return int(next(unet.parameters()).data_ptr())


def of_tensors(value: Any, function: Callable[[Tensor], Any]) -> Any:
    """An argument of the UNet with a function of each tensor in place of it.

    Parameters
    ----------
    value : Tensor, or dict or list of them
        The argument.
    function : callable
        Called with each tensor, in order.
    """
    if isinstance(value, dict):
        return {name: of_tensors(v, function) for name, v in value.items()}
    if isinstance(value, list):
        return [of_tensors(v, function) for v in value]
    return function(value)


def shapes_of(inputs: Inputs, injection: Injection, level: Level) -> tuple[object, ...]:
    """The shapes, formats and places of all that a call reads: equal where one `StaticCall` serves both."""
    given = [inputs.x, *inputs.conditions, *(t for r in inputs.text.readers for t in r.tensors)]
    return (
        tuple((tuple(t.shape), t.dtype, str(t.device)) for t in given),
        tuple(injection.layers),
        tuple(tuple(key.shape) for key, _ in level),
        tuple((n, tuple(bias.shape)) for n, bias in sorted(injection.biases.items())),
    )
