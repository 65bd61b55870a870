"""Attention processors on a network that may not be ours: for one thread, and only while they are needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor

__all__ = ["for_installing_thread", "installed", "owners_processor"]


def for_installing_thread(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A processor's `__call__` that serves only the thread that installed it; others get the replaced one.

    The network's owner may run it on another thread at any time, and must not notice us.

    Parameters
    ----------
    call : callable
        The `__call__` of a processor.
    """

    @wraps(call)
    def served(self: Any, attn: Any, *args: Any, **kwargs: Any) -> Tensor:
        # compiled code is traced and run by the installing thread alone
        if not torch.compiler.is_compiling():
            found = self.__dict__.get("installation")
            if found is not None and found[0] != threading.get_ident():
                replaced: Tensor = found[1](attn, *args, **kwargs)
                return replaced
        return call(self, attn, *args, **kwargs)

    return served


def owners_processor(module: Any) -> Any:
    """The attention processor of a module as its owner set it, also while one of ours stands in for it."""
    processor = module.processor
    while (installation := getattr(processor, "__dict__", {}).get("installation")) is not None:
        processor = installation[1]
    return processor


@contextmanager
def installed(processors: Iterable[tuple[Any, Any]]) -> Iterator[None]:
    """While open, attention modules use the given processors; afterwards they have their own back.

    Only the calling thread is affected: see `for_installing_thread`. Hold the network's turn (`turns_of`) so
    that no other edit installs its own meanwhile. A processor that someone else has set meanwhile stays.

    Parameters
    ----------
    processors : iterable of (module, processor)
        What to install where.
    """
    before: list[tuple[Any, Any, Any]] = []
    me = threading.get_ident()
    try:
        for module, processor in processors:
            before.append((module, processor, module.processor))
            processor.installation = (me, module.processor)
            module.set_processor(processor)
        yield
    finally:
        _restore(before)


def _restore(before: list[tuple[Any, Any, Any]]) -> None:
    """Put back the processors of (module, ours, theirs); an interrupt waits until all are back."""
    try:
        while before:
            module, ours, theirs = before[-1]
            if module.processor is ours:
                module.set_processor(theirs)
            before.pop()
    except BaseException:
        _restore(before)
        raise
