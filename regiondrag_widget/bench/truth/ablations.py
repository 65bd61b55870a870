"""Ours with one decision changed at a time, a group for each decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from regiondrag_widget.bench.methods.fewpoints import few_points
from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.methods.own_edits import ATTENTION, session_method
from regiondrag_widget.bench.truth.careless import CARELESS, DRAWING_GROUP, careless_name, carelessly_drawn
from regiondrag_widget.bench.truth.claims import LATENTS_GROUP, RELEASED_SWAP_GROUP
from regiondrag_widget.bench.truth.scene import Scene
from regiondrag_widget.engine.settings import CHOICES
from regiondrag_widget.regions import RegionPairs

PAPER_STOP, PAPER_START = 0.2, 0.5
STOPS = (0.0, 0.2, 0.35)
LEVELS = (2, 4, 8, 10, 20)
STARTS = (0.1, 0.2, 0.35, 0.5)


def ablations(network: BenchNetwork, most_scenes: int | None = None) -> list[Method]:
    """Every value of every decision but the default's own, which the tables show as ``ours``."""
    found: list[Method] = []
    for name, group, settings in _settings(network.defaults):
        found.append(session_method(network, name, group, settings, most_scenes=most_scenes))
    found += [_careless(network, pixels, most_scenes) for pixels in CARELESS]
    return found + few_points(network, most_scenes)


def _settings(defaults: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, group and settings of every changed edit."""
    swap = {True: "all", False: "none"}.get(defaults["attention_swap"], str(defaults["attention_swap"]))
    for layers in ATTENTION:
        if layers != swap:
            group = f"attention swap (default: {swap})"
            yield f"attention swap {layers}", group, {"attention_swap": layers}
    for layers in ATTENTION:
        if layers != "all":
            settings = {"preset": "released", "attention_swap": layers}
            yield f"released rule, attention swap {layers}", RELEASED_SWAP_GROUP, settings
    for setting, choices in CHOICES.items():
        if setting == "method":  # it concerns regions without a matrix only
            continue
        for choice in choices:
            if choice == "positions":
                continue  # most models refuse it: it needs one that reads reference pictures
            if choice != defaults[setting]:
                yield f"{setting} {choice}", f"{setting} (default: {defaults[setting]})", {setting: choice}
    # the residual only matters below a stop: above it every cell of the target is pinned
    for residual in CHOICES["residual"]:
        on_latents: dict[str, Any] = {"content": "latents", "stop": PAPER_STOP, "residual": residual}
        if defaults["start"] <= PAPER_STOP:
            on_latents |= _begun_earlier(defaults)
        yield f"latents, stop {PAPER_STOP:g}, residual {residual}", LATENTS_GROUP, on_latents
    yield from _schedules(defaults)


def _schedules(defaults: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    start, stop = defaults["start"], defaults["stop"]
    own = _levels(defaults)
    for value in STOPS:
        if value == stop:
            continue
        if value < start:
            yield f"stop {value:g}", f"stop (default: {stop:g})", {"stop": value}
        else:  # pasting cannot end above the edit's start, so the edit starts where the paper's does
            settings = {"stop": value, **_begun_earlier(defaults)}
            yield f"stop {value:g}, start {PAPER_START:g}", f"stop (default: {stop:g})", settings
    for count in LEVELS:
        if count != own:
            yield f"{count} levels", f"levels (default: {own})", {"steps": round(count / start)}
    for value in STARTS:
        if value != start and value >= stop:
            settings = {"start": value, "steps": round(own / value)}  # as many levels as the default
            yield f"start {value:g}", f"start (default: {start:g})", settings


def _levels(defaults: dict[str, Any]) -> int:
    return max(1, round(float(defaults["steps"] * defaults["start"])))


def _begun_earlier(defaults: dict[str, Any]) -> dict[str, Any]:
    """As many levels as the default, from where the paper's edit begins."""
    return {"start": PAPER_START, "steps": round(_levels(defaults) / PAPER_START)}


def _careless(network: BenchNetwork, pixels: int, most_scenes: int | None) -> Method:
    def regions(scene: Scene) -> RegionPairs:
        return carelessly_drawn(scene, pixels)

    name = careless_name(pixels)
    return session_method(
        network, name, DRAWING_GROUP, regions=regions, drawing=name, most_scenes=most_scenes
    )
