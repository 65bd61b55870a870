"""The report on speed: Markdown to read, JSON to compare.

`bench/truth/report.py` is its twin for quality.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from regiondrag_widget.bench.latency.bars import Bar
from regiondrag_widget.bench.latency.growth import PAIRS_GROUP, SIZE_GROUP
from regiondrag_widget.bench.latency.levers import GROUP as LEVERS
from regiondrag_widget.bench.latency.rounds import Result
from regiondrag_widget.bench.latency.rows import RELEASED
from regiondrag_widget.regions.writing import write_whole_text

__all__ = ["Measured", "markdown", "write_report"]

WAYS = ("cold", "warm", "draft")


@dataclass
class Measured:
    """Everything one run measured; parts it did not reach are empty.

    Attributes
    ----------
    about
        Machine, network, versions.
    noise
        Seconds of the same matrix product, before every repetition.
    memory
        For each way to edit, ``{"way", "bytes"}`` or ``{"way", "problem"}``.
    pointer
        See `pointer_to_pixels`.
    load
        Load averages over the last minute, at the beginning and at the end.
    """

    about: Mapping[str, Any]
    results: list[Result] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)
    pointer: dict[str, Any] | None = None
    bars: list[Bar] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    interrupted: bool = False

    def of_group(self, group: str) -> list[Result]:
        """Return the results of one table."""
        return [result for result in self.results if result.row.group == group]

    def named(self, name: str | None) -> Result | None:
        """Return the result of the row with this name, or None."""
        return next((result for result in self.results if result.row.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "about": dict(self.about),
            "interrupted": self.interrupted,
            "noise": _wavering(self.noise),
            "load": self.load,
            "bars": [bar.as_json() for bar in self.bars],
            "rows": [result.as_json() for result in self.results],
            "memory": self.memory,
            "pointer": self.pointer,
        }


def write_report(measured: Measured, folder: Path, stem: str, plot: str | None) -> None:
    """Write ``stem``.json and ``stem``.md into the folder; raises OSError when that fails."""
    write_whole_text(folder / f"{stem}.json", json.dumps(measured.as_json(), indent=1) + "\n")
    write_whole_text(folder / f"{stem}.md", markdown(measured, plot))


def markdown(measured: Measured, plot: str | None = None) -> str:
    """The report to read; ``plot`` is the name of a picture beside it."""
    return "\n".join(_lines(measured, plot)) + "\n"


def _lines(measured: Measured, plot: str | None) -> Iterator[str]:
    about = measured.about
    yield f"# Latency: {about.get('model')}, {about.get('size')} px, {about.get('device')}"
    yield ""
    yield ", ".join(
        f"{name} {value}" for name, value in about.items() if name not in ("model", "size", "device")
    )
    if measured.interrupted:
        yield "\nInterrupted: these are the repetitions that were finished."
    if measured.bars:
        yield "\n## What was asked\n"
        yield from _table(
            ("", "asked", "found", "holds"),
            (
                (b.what, b.asked, b.found, {True: "yes", False: "no", None: "-"}[b.holds])
                for b in measured.bars
            ),
        )
    if edits := measured.of_group("edits"):
        yield "\n## Edits\n"
        yield from _table(
            ("", "network calls", "median", "p95", "least", "repetitions", "released takes"),
            (_edit_row(result, measured.named(RELEASED)) for result in edits),
        )
        yield "\nMilliseconds. " + " ".join(f"*{r.row.name}*: {r.row.what}." for r in edits)
        yield from _stages(edits)
    if levers := measured.of_group(LEVERS):
        yield "\n## Each lever off in turn\n"
        yield from _table(
            ("", "", "median", "p95", "with it", "without it, times"),
            (_lever_row(result, measured.named(result.row.against)) for result in levers),
        )
        yield "\nMilliseconds. Without the session cache a warm edit is a cold one: see above."
    yield from _growth(
        measured, SIZE_GROUP, "Picture size", "px a side", "The regions grow with the picture."
    )
    yield from _growth(
        measured, PAIRS_GROUP, "Number of pairs", "pairs", "The same area in all, shared by so many pairs."
    )
    if measured.memory:
        yield "\n## Peak memory\n"
        yield from _table(
            ("", "peak"),
            (
                (m["way"], f"{m['bytes'] / 2**20:,.0f} MiB" if "bytes" in m else m["problem"])
                for m in measured.memory
            ),
        )
        cuda = "CUDA" in str(about.get("device"))
        kind = "Allocated on the GPU" if cuda else "Resident, Python and its libraries included"
        yield f"\n{kind}; each in a process of its own."
    if measured.pointer is not None:
        yield "\n## Pointer to pixels\n"
        yield from _pointer(measured.pointer)
    if measured.noise:
        w = _wavering(measured.noise)
        yield "\n## Noise of the machine\n"
        yield (
            f"The same matrix product before each of {w['probes']} repetitions: "
            f"median {w['median'] * 1000:.2f} ms, "
            f"p95 {w['p95'] / w['median']:.2f} times that, least {w['least'] / w['median']:.2f} times. "
            f"Load average {' at the start, '.join(f'{x:.1f}' for x in measured.load)} at the end."
        )
    if plot is not None:
        yield f"\n![medians, and how they grow]({plot})"


def _edit_row(result: Result, released: Result | None) -> tuple[str, ...]:
    calls = "" if result.row.calls is None else str(result.row.calls)
    if result.median is None:
        return result.row.name, calls, result.problem or "not measured", "", "", "0", ""
    ratio = "" if released is None or released.median is None else f"{released.median / result.median:.2f}x"
    note = f" ({result.problem})" if result.problem else ""
    return (
        result.row.name,
        calls,
        f"{_ms(result.median)}{note}",
        _ms(result.p95),
        _ms(result.least),
        str(len(result.seconds)),
        ratio,
    )


def _lever_row(result: Result, on: Result | None) -> tuple[str, ...]:
    if result.median is None:
        return result.row.name, result.row.what, result.problem or "not measured", "", "", ""
    beside = on.median if on is not None else None
    return (
        result.row.name,
        result.row.what,
        _ms(result.median),
        _ms(result.p95),
        "" if beside is None else f"{_ms(beside)} ({result.row.against})",
        "" if beside is None else f"{result.median / beside:.2f}x",
    )


def _stages(edits: Sequence[Result]) -> Iterator[str]:
    staged = [result for result in edits if result.stages]
    names = list(dict.fromkeys(name for result in staged for name in result.stages))
    if not names:
        return
    yield "\nWhere the time goes, medians in milliseconds (of a GPU, until work was handed over):\n"
    yield from _table(
        ("", *names),
        (
            (
                result.row.name,
                *(_ms(float(np.median(result.stages[n]))) if n in result.stages else "" for n in names),
            )
            for result in staged
        ),
    )


def _growth(measured: Measured, group: str, title: str, unit: str, note: str) -> Iterator[str]:
    results = measured.of_group(group)
    if not results:
        return
    ways = [way for way in WAYS if any(r.row.what == way for r in results)]
    found = {(r.row.what, r.row.x): _ms(r.median) or r.problem or "not measured" for r in results}
    yield f"\n## {title}\n"
    yield from _table(
        (unit, *ways),
        (
            (f"{x:g}", *(found.get((way, x), "") for way in ways))
            for x in dict.fromkeys(r.row.x for r in results)
            if x is not None
        ),
    )
    yield f"\nMedians in milliseconds. {note}"


def _pointer(pointer: Mapping[str, Any]) -> Iterator[str]:
    if pointer.get("problem"):
        yield f"Not measured: {pointer['problem']}."
        return
    labels = {
        "draft": "pointer event to the kernel's draft on screen",
        "preview": "script time of the browser's own preview, an event",
    }
    yield from _table(
        ("", "median", "p95", "least", "samples"),
        (
            (label, f"{s['median']:.1f}", f"{s['p95']:.1f}", f"{s['least']:.1f}", str(s["count"]))
            for kind, label in labels.items()
            if (s := pointer.get(kind))
        ),
    )
    yield f"\nMilliseconds, by the page's own clock. {pointer.get('note', '')}".rstrip()


def _wavering(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {
        "probes": len(seconds),
        "median": float(np.median(seconds)),
        "p95": float(np.percentile(seconds, 95)),
        "least": min(seconds),
    }


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return ""
    milliseconds = seconds * 1000
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.1f}"


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "/") for cell in row) + " |"
