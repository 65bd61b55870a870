"""What the rows of one run share: the picture, the drags and the networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from regiondrag_widget.bench.latency.case import Case
from regiondrag_widget.bench.latency.rounds import Trial
from regiondrag_widget.engine.session import ImageSession
from regiondrag_widget.pipeline import RegionDragPipeline

__all__ = ["Workbench"]


class Workbench:
    """Makes trials on one case. Rows that ask for the same network share it.

    Parameters
    ----------
    case
        What is edited; may be set later, when the network's sizes are known.
    load
        Makes a network from keyword arguments that differ from the run's own (`dtype`).
    """

    def __init__(self, case: Case | None, load: Callable[..., RegionDragPipeline]) -> None:
        self._case, self._load = case, load
        self._pipes: dict[str, RegionDragPipeline] = {}

    @property
    def case(self) -> Case:
        """What is edited."""
        assert self._case is not None, "no case was given"
        return self._case

    @case.setter
    def case(self, case: Case) -> None:
        """Set what is edited."""
        self._case = case

    def pipe(
        self, variant: str = "", change: Callable[[RegionDragPipeline], None] | None = None, **options: Any
    ) -> RegionDragPipeline:
        """Return the network of that name, loaded and changed on first use."""
        if variant not in self._pipes:
            pipe = self._load(**options)
            if change is not None:
                change(pipe)
            self._pipes[variant] = pipe
        return self._pipes[variant]

    def pipes(self) -> list[RegionDragPipeline]:
        """The networks loaded so far."""
        return list(self._pipes.values())

    def cold(self, pipe: RegionDragPipeline, case: Case | None = None, **options: Any) -> Trial:
        """Time a session and an edit, from the bare picture to the result."""
        chosen = case or self.case

        def trial(i: int) -> Mapping[str, float]:
            session = ImageSession(pipe, chosen.picture, **options)
            return _edited(session, chosen, i)

        return trial

    def warm(
        self,
        pipe: RegionDragPipeline,
        case: Case | None = None,
        change: Callable[[ImageSession], object] | None = None,
        settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Trial:
        """Time another target on one session, which has everything that does not depend on the regions."""
        chosen = case or self.case
        session = _prepared(pipe, chosen, change, options)
        return lambda i: _edited(session, chosen, i, **(settings or {}))

    def draft(
        self,
        pipe: RegionDragPipeline,
        calls: int,
        case: Case | None = None,
        change: Callable[[ImageSession], object] | None = None,
        settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Trial:
        """Time the draft of another target on one session."""
        chosen = case or self.case
        session = _prepared(pipe, chosen, change, options)

        def trial(i: int) -> Mapping[str, float]:
            for _ in session.draft(chosen.drag(i), calls=calls, **(settings or {})):
                pass
            return _stages(session)

        return trial


def _prepared(
    pipe: RegionDragPipeline,
    case: Case,
    change: Callable[[ImageSession], object] | None,
    options: Mapping[str, Any],
) -> ImageSession:
    """A session that has all but what depends on the target."""
    session = ImageSession(pipe, case.picture, **options)
    if change is not None:
        change(session)
    session.prepare(case.drag(0))
    return session


def _edited(session: ImageSession, case: Case, i: int, **settings: Any) -> Mapping[str, float]:
    for _ in session.edit(case.drag(i), **settings):
        pass
    return _stages(session)


def _stages(session: ImageSession) -> Mapping[str, float]:
    return {name: seconds for name, seconds in session.timings.items() if name != "total"}
