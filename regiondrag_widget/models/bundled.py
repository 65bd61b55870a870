"""What the package brings along."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BundledWeightsMissingError"]


class BundledWeightsMissingError(FileNotFoundError):
    """Weights that belong to the package are not where it keeps them: the installation is broken."""

    def __init__(self, what: str, place: Path) -> None:
        super().__init__(f"{what} is missing from {place}: reinstall regiondrag-widget")
