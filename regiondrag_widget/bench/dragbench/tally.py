"""What the experiment came to: a line for each edit, and means over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Line", "Tally"]

BY_POINT = frozenset({"md_px"})  # DragDiffusion's mean is over all points of all pictures


@dataclass(frozen=True)
class Line:
    """One edit: sample, method, seed, seconds, network calls, its figures and where its picture is.

    ``points`` is the number of the sample's points.
    """

    sample: str
    method: str
    seed: int
    seconds: float
    network_calls: int
    points: int
    figures: Mapping[str, float]
    picture: str

    def as_row(self) -> dict[str, Any]:
        """Plain values in one level, as CSV and JSON have them."""
        return {
            "sample": self.sample,
            "method": self.method,
            "seed": self.seed,
            "seconds": self.seconds,
            "network_calls": self.network_calls,
            "points": self.points,
            **self.figures,
            "picture": self.picture,
        }


@dataclass(frozen=True)
class Tally:
    """Every line of a run and what has to be said about it.

    Parameters
    ----------
    lines
        One for each edit that has its figures.
    about
        What was run: data set, model, features, seeds, versions; JSON-able.
    skipped, failed
        {sample: reason}, and {row: reason} of edits and measurements.
    missing
        {measure: why it was not computed}.
    """

    lines: tuple[Line, ...]
    about: Mapping[str, Any]
    skipped: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """The methods that have a line, in order."""
        return list(dict.fromkeys(line.method for line in self.lines))

    @property
    def samples(self) -> list[str]:
        """The samples that have a line, in order."""
        return list(dict.fromkeys(line.sample for line in self.lines))

    @property
    def measures(self) -> list[str]:
        """The measures that any line has, in order."""
        return list(dict.fromkeys(name for line in self.lines for name in line.figures))

    def of(self, method: str) -> list[Line]:
        """The lines of a method."""
        return [line for line in self.lines if line.method == method]

    def mean(self, method: str, measure: str) -> float | None:
        """The mean of a measure over a method's edits; of MD-px over their points. None without any."""
        return _mean(self.of(method), measure)

    def spread(self, method: str, measure: str) -> float | None:
        """Standard deviation of the seeds' means; None with fewer than two seeds."""
        lines = self.of(method)
        means = [_mean([a for a in lines if a.seed == seed], measure) for seed in {a.seed for a in lines}]
        known = [mean for mean in means if mean is not None]
        return float(np.std(known, ddof=1)) if len(known) > 1 else None

    def gain(self, method: str, other: str, measure: str) -> tuple[float, float] | None:
        """By how much one method's measure exceeds another's on a sample: the mean and its standard error.

        None where fewer than two samples have both.
        """
        mine, theirs = self._by_sample(method, measure), self._by_sample(other, measure)
        differences = [mine[name] - theirs[name] for name in mine if name in theirs]
        if len(differences) < 2:
            return None
        return float(np.mean(differences)), float(np.std(differences, ddof=1) / np.sqrt(len(differences)))

    def _by_sample(self, method: str, measure: str) -> dict[str, float]:
        """The mean over seeds of each sample that has the measure."""
        found: dict[str, list[float]] = {}
        for line in self.of(method):
            if measure in line.figures:
                found.setdefault(line.sample, []).append(line.figures[measure])
        return {name: float(np.mean(values)) for name, values in found.items()}

    def seconds(self, method: str) -> float | None:
        """The median of the seconds an edit took."""
        lines = self.of(method)
        return float(np.median([line.seconds for line in lines])) if lines else None

    def summary(self, methods: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """{method: {measure: mean, ..., "seconds", "edits"}}, JSON-able."""
        return {
            method: {
                "edits": len(self.of(method)),
                "seconds": self.seconds(method),
                **{name: self.mean(method, name) for name in self.measures},
                "spread_over_seeds": {name: self.spread(method, name) for name in self.measures},
            }
            for method in (self.methods if methods is None else methods)
        }


def _mean(lines: Sequence[Line], measure: str) -> float | None:
    known = [(line.figures[measure], line.points) for line in lines if measure in line.figures]
    if not known:
        return None
    weights = [points if measure in BY_POINT else 1 for _, points in known]
    return float(np.average([value for value, _ in known], weights=weights))
