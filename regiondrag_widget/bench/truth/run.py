"""Run methods over scenes and gather the figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.truth.metrics import measure
from regiondrag_widget.bench.truth.result_store import ResultStore, Row
from regiondrag_widget.bench.truth.scene import Scene, SceneError

# ratios are averaged as ratios: half and double cancel
GEOMETRIC = frozenset({"texture"})


@dataclass(frozen=True)
class Report:
    """Every finished figure of a run.

    Parameters
    ----------
    rows
        One for each scene and method.
    methods
        The methods in the order they were given.
    problems
        One sentence for each scene that could not be read and each edit that failed.
    about
        What the run was: seed, size, versions and machine, JSON-able.
    """

    rows: tuple[Row, ...]
    methods: tuple[Method, ...]
    problems: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    def select(self, method: str, motion: str | None = None, kind: str | None = None) -> list[Row]:
        """The rows of a method, of one motion or kind of scene if asked."""
        return [
            row
            for row in self.rows
            if row.method == method and motion in (None, row.motion) and kind in (None, row.kind)
        ]

    def mean(
        self, method: str, measure_name: str, motion: str | None = None, kind: str | None = None
    ) -> float | None:
        """The mean of a measure over the scenes that have it; None when none has."""
        return mean_of(measure_name, self.select(method, motion, kind))

    def gain(
        self, method: str, other: str, measure_name: str, motion: str | None = None
    ) -> tuple[float, float] | None:
        """By how much ``method`` exceeds ``other`` scene by scene: mean difference and its standard error."""
        theirs = {row.scene: row.figures.get(measure_name) for row in self.select(other, motion)}
        differences = [
            float(mine) - float(value)
            for row in self.select(method, motion)
            if (mine := row.figures.get(measure_name)) is not None
            and (value := theirs.get(row.scene)) is not None
        ]
        if not differences:
            return None
        count, mean = len(differences), sum(differences) / len(differences)
        spread = math.sqrt(sum((d - mean) ** 2 for d in differences) / max(1, count - 1))
        return mean, spread / math.sqrt(count)

    def common(self, methods: Iterable[str]) -> Report:
        """Return the report on the scenes that all of these methods have finished."""
        finished = [{row.scene for row in self.rows if row.method == name} for name in methods]
        scenes = set.intersection(*finished) if finished else set()
        return replace(self, rows=tuple(row for row in self.rows if row.scene in scenes))

    @property
    def motions(self) -> list[str]:
        """The kinds of movement that occur, in the order of the rows."""
        return list(dict.fromkeys(row.motion for row in self.rows))

    @property
    def kinds(self) -> list[str]:
        """The kinds of scene that occur, in the order of the rows."""
        return list(dict.fromkeys(row.kind for row in self.rows))

    @property
    def scene_count(self) -> int:
        """How many scenes have a figure."""
        return len({row.scene for row in self.rows})


def run(
    scenes: Iterable[Scene | SceneError],
    methods: Sequence[Method],
    *,
    store: ResultStore | None = None,
    about: dict[str, Any] | None = None,
    progress: Callable[[Row | str], None] | None = None,
) -> Report:
    """Edit every scene with every method and measure the outcomes.

    A scene that cannot be read or an edit that fails becomes a problem of the report; the others go on.
    ``progress`` is called with each finished row and each problem. Results that the store has are not
    computed again, so an interrupted run continues where it stopped.

    Raises
    ------
    ValueError
        Two methods have the same name.
    """
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise ValueError(
            f"two methods have one name: {', '.join(sorted(n for n in set(names) if names.count(n) > 1))}"
        )
    rows: list[Row] = []
    problems: list[str] = []
    for outcome in _outcomes(scenes, methods, store):
        if isinstance(outcome, str):
            problems.append(outcome)
        else:
            rows.append(outcome)
        if progress is not None:
            progress(outcome)
    return Report(tuple(rows), tuple(methods), tuple(problems), dict(about or {}))


def mean_of(measure_name: str, rows: Iterable[Row]) -> float | None:
    """The mean of a measure over rows (geometric for ratios); rows without it do not count."""
    values = [float(value) for row in rows if (value := row.figures.get(measure_name)) is not None]
    if not values:
        return None
    if measure_name in GEOMETRIC:
        return math.exp(sum(math.log(value) for value in values) / len(values))
    return sum(values) / len(values)


def _outcomes(
    scenes: Iterable[Scene | SceneError], methods: Sequence[Method], store: ResultStore | None
) -> Iterator[Row | str]:
    number = -1
    for scene in scenes:
        if isinstance(scene, SceneError):
            yield str(scene)
            continue
        number += 1  # a scene that cannot be read does not count
        for method in methods:
            if method.most_scenes is not None and number >= method.most_scenes:
                continue
            known = store.find(scene, method) if store is not None else None
            if known is not None:
                yield known
                continue
            try:
                output = method.run(scene)
                figures = measure(scene, output.image, output.drawn).as_dict()
            except Exception as error:  # one failing edit must not lose the others
                yield f"scene {scene.name}: {method.name} failed: {type(error).__name__}: {error}"
                continue
            figures |= {"seconds": output.seconds, "network_calls": output.network_calls}
            row = Row(scene.name, scene.kind, scene.motion, method.name, method.group, figures)
            if store is not None:
                store.add(scene, method, row, output.image)
            yield row
