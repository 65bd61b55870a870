"""One progress bar over the steps of an edit."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from tqdm import tqdm


class ProgressBar:
    """A bar on stderr, to be called with each EditStep (its index counts from 1)."""

    def __init__(self, label: str, *, disable: bool = False) -> None:
        self._bar: Any = tqdm(desc=label, unit="step", file=sys.stderr, disable=disable, leave=True)

    def __call__(self, step: Any) -> None:
        """Move the bar to this step."""
        self._bar.total = step.total
        self._bar.update(step.index - self._bar.n)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
