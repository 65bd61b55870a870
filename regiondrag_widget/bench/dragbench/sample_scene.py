"""A sample of a data set as the scene that the benchmarks' methods edit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.truth.scene import Scene, ScenePair
from regiondrag_widget.bench.truth.transforms import Homography
from regiondrag_widget.datasets import Sample
from regiondrag_widget.regions import RegionPairs

__all__ = ["SampleScene", "scene_of"]


@dataclass(frozen=True)
class SampleScene(Scene):
    """A scene with the sample's points and regions.

    Parameters
    ----------
    points
        (N, 2, 2) as the sample has them.
    drawn
        The sample's own pairs; scenes have masks and matrices alone.
    """

    points: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2, 2)))
    drawn: RegionPairs = field(default_factory=lambda: RegionPairs([]))


def scene_of(sample: Sample) -> SampleScene:
    """Make the scene of a sample; where there is no truth the picture before stands for it.

    Raises
    ------
    ValueError
        The sample has no region that moves.
    """
    moving = [pair for pair in sample.pairs if pair.moves]
    if not moving:
        raise ValueError(f"sample {sample.name} has no regions: expand its points first")
    pairs = tuple(
        ScenePair(
            np.asarray(pair.handle),
            np.asarray(pair.target),
            None if pair.matrix is None else Homography(np.asarray(pair.matrix)),
        )
        for pair in moving
    )
    after = sample.image if sample.truth is None else sample.truth
    return SampleScene(
        sample.name,
        "sample",
        "drag",
        sample.image,
        after,
        pairs,
        points=sample.points,
        drawn=RegionPairs(moving),
    )
