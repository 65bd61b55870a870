"""What is compared: a method edits a scene, and sees only the picture before and the drawn regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from regiondrag_widget.bench.truth.scene import Image, Mask, Scene
from regiondrag_widget.regions import RegionPair, RegionPairs


@dataclass(frozen=True)
class MethodOutput:
    """An edited picture (H, W, 3) uint8, the seconds it took and how often a network was called.

    Each picture of a batch counts as one call. ``drawn`` (H, W) bool is where the method was allowed to
    change the picture; None for the scene's own handle and target.
    """

    image: Image
    seconds: float
    network_calls: int = 0
    drawn: Mask | None = None


@dataclass(frozen=True)
class Method:
    """A named way to edit.

    Parameters
    ----------
    name
        What the report calls it, unique.
    run
        From a scene to its output. It must not look at ``after``, ``alpha`` or the transforms of the scene.
    group
        The table it belongs to: ``"baseline"``, ``"ours"``, or the name of an ablation.
    settings
        Everything its output depends on besides the scene, as plain data; when it changes, finished results
        are computed again.
    most_scenes
        How many scenes of a run it edits, from the first; all when None.
    """

    name: str
    run: Callable[[Scene], MethodOutput]
    group: str = "baseline"
    settings: Mapping[str, Any] = field(default_factory=dict)
    most_scenes: int | None = None


def drawn_pairs(scene: Scene) -> RegionPairs:
    """What a user gives: masks, and the exact matrix where there is one (bending has none)."""
    return RegionPairs([RegionPair(pair.handle, pair.target, pair.matrix) for pair in scene.pairs])
