"""Outputs of a network's parts changed for one call, by the calling thread alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

__all__ = ["tapped"]


@contextmanager
def tapped(changes: dict[Any, Callable[[Any], Any]]) -> Iterator[None]:
    """While open, modules give what a function makes of their outputs.

    Only the calling thread is affected. Hold the network's turn meanwhile (`turns_of`).

    Parameters
    ----------
    changes : dict of module to callable
        The function gets a module's output and returns the one to use.
    """
    me = threading.get_ident()

    def hook_of(change: Callable[[Any], Any]) -> Callable[[Any, Any, Any], Any]:
        return lambda _, __, output: change(output) if threading.get_ident() == me else output

    with ExitStack() as stack:
        for module, change in changes.items():
            stack.callback(module.register_forward_hook(hook_of(change)).remove)
        yield
