"""What the newest run is doing, as the browser and the users' observers are shown it."""

from __future__ import annotations

from typing import TypedDict

from regiondrag_widget.widget.protocol import StateName


class RunState(TypedDict):
    """What the newest run is doing, or the idle state after it; ``eta`` is in seconds."""

    state: StateName
    message: str
    step: int
    total: int
    eta: float | None
    run: int


def idle_state(name: StateName, message: str, run: int) -> RunState:
    """A state in which nothing runs."""
    return {"state": name, "message": message, "step": 0, "total": 0, "eta": None, "run": run}
