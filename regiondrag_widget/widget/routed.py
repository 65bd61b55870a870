"""A trait whose value lives elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import traitlets

Read = TypeVar("Read")
Written = TypeVar("Written")

if TYPE_CHECKING:

    class _Trait(traitlets.TraitType[Read, Written]): ...

else:  # older traitlets name no types

    class _Trait(traitlets.TraitType, Generic[Read, Written]): ...


class Routed(_Trait[Read, Written]):
    """A trait that is read and written by functions; observable as any other, by whoever notifies.

    Parameters
    ----------
    read
        Takes the object and returns the value.
    write
        Takes the object and a value; None for a trait that cannot be set.
    help
        What it is.
    """

    def __init__(
        self, read: Callable[[Any], Read], write: Callable[[Any, Any], None] | None, help: str
    ) -> None:
        super().__init__(default_value=None, allow_none=True, help=help)
        self._read = read
        self._write = write

    def get(self, obj: Any, cls: Any = None) -> Read:
        """The value."""
        return self._read(obj)

    def set(self, obj: Any, value: Any) -> None:
        """Change it; ``TraitError`` where it cannot be set."""
        if self._write is None:
            raise traitlets.TraitError(f'The "{self.name}" trait is read-only.')
        self._write(obj, value)
