"""Which photographs train the bundled model and which only test it: decided by their names alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePath

TEST_FRACTION = 0.16
_SALT = "regiondrag-split-5"
_CROP = re.compile(r"_c\d+$")
_SERIES = re.compile(r"-(?:\d{1,2}|i{1,3})$")


def split_photos(names: Sequence[str], test_fraction: float = TEST_FRACTION) -> tuple[list[str], list[str]]:
    """Divide photographs into a training and a test part that share no scene.

    A photograph's side depends on its own name only, so that adding or removing files never moves another one
    across. Crops of one photograph (``beach_c1.jpg``, ``beach_c2.jpg``) and the numbered pictures of one
    series (``duck-toy-01.jpg``, ``corporation-beach-ii.jpg``) always fall on the same side, whatever folder
    or suffix they have.

    Parameters
    ----------
    names
        File names or paths; only the base name without its suffix counts.
    test_fraction
        Expected share of series in the test part, 0 to 1.

    Returns
    -------
    train, test
        The names as they were given, each list sorted by base name.

    Raises
    ------
    ValueError
        When ``test_fraction`` is not within [0, 1].
    """
    if not 0.0 <= test_fraction <= 1.0:
        raise ValueError(f"test_fraction is {test_fraction}: give a number from 0 to 1")
    ordered = sorted((str(name) for name in names), key=lambda name: (PurePath(name).name, name))
    train = [name for name in ordered if _unit_hash(series_of(name)) >= test_fraction]
    test = [name for name in ordered if _unit_hash(series_of(name)) < test_fraction]
    return train, test


def series_of(name: str) -> str:
    """The series a photograph belongs to: ``"toys/duck-toy-01_c2.jpg"`` gives ``"duck-toy"``."""
    stem = _CROP.sub("", PurePath(name).stem.lower())
    return _SERIES.sub("", stem)


def _unit_hash(text: str) -> float:
    digest = hashlib.sha256(f"{_SALT}:{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64
