"""Write the README's table of speed from the results of `regiondrag bench latency` in docs/benchmarks.

    regiondrag bench latency --pointer -o docs/benchmarks
    python scripts/publish_latency.py

Every `latency-*.json` there gets a table, between the README's two markers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS, README = ROOT / "docs" / "benchmarks", ROOT / "README.md"
BEGIN, END = "<!-- latency: written by scripts/publish_latency.py -->", "<!-- latency: end -->"
RELEASED = "released schedule"


def main() -> int:
    """Run the script and return its exit code."""
    found = results(BENCHMARKS)
    if not found:
        print(f"there is no latency-*.json in {BENCHMARKS}: run the benchmark first", file=sys.stderr)
        return 2
    README.write_text(with_tables(README.read_text("utf-8"), found), "utf-8")
    print(f"wrote the README's speed: {', '.join(found)}")
    return 0


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """The figures of every run, by the name of its files."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("latency-*.json"))}


def with_tables(page: str, found: dict[str, dict[str, Any]]) -> str:
    """The page with what stands between the markers replaced; ValueError when it has no markers."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page must hold {BEGIN} and {END} once each")
    before, rest = page.split(BEGIN)
    tables = "\n\n".join(table(name, data) for name, data in found.items())
    return f"{before}{BEGIN}\n{tables}\n{END}{rest.split(END)[1]}"


def table(name: str, data: dict[str, Any]) -> str:
    """One run in Markdown: its edits, its plot, and a line on the machine."""
    edits = [row for row in data["rows"] if row["group"] == "edits"]
    released = next((row["median"] for row in edits if row["name"] == RELEASED), None)
    lines = [
        "| | network calls | median ms | p95 ms | released takes |",
        "|---|---:|---:|---:|---:|",
        *(_row(row, released) for row in edits),
        *_pointer(data.get("pointer") or {}),
        "",
        f"![Medians, and how they grow with size and pairs](docs/benchmarks/{name}.png)",
        "",
        _about(name, data),
    ]
    return "\n".join(lines)


def _row(row: dict[str, Any], released: float | None) -> str:
    calls = "" if row["calls"] is None else str(row["calls"])
    if row["median"] is None:
        return f"| {row['name']} | {calls} | {row['problem'] or 'not measured'} | | |"
    times = "" if released is None else f"{released / row['median']:.3g}x"
    return f"| {row['name']} | {calls} | {_ms(row['median'])} | {_ms(row['p95'])} | {times} |"


def _pointer(pointer: dict[str, Any]) -> list[str]:
    labels = {
        "draft": "pointer to the kernel's draft on screen, in JupyterLab",
        "preview": "script of the browser's own preview",
    }
    return [
        f"| {label} | | {spans['median']:.1f} | {spans['p95']:.1f} | |"
        for kind, label in labels.items()
        if (spans := pointer.get(kind))
    ]


def _about(name: str, data: dict[str, Any]) -> str:
    about, bars = data["about"], data["bars"]
    held, judged = (sum(bar["holds"] is wanted for bar in bars) for wanted in (True, False))
    reached = f" {held} of {held + judged} bars are reached:" if bars else ""
    device = about["device"] if about["device"] != "cpu" else f"{about['cpu']}, {about['threads']} threads"
    return (
        f"Model {about['model']}, {about['size']}x{about['size']} pixels, {about['dtype']}, {device}, "
        f"torch {about['torch']}.{reached} [the whole report](docs/benchmarks/{name}.md), "
        f"[its figures](docs/benchmarks/{name}.json)."
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}" if seconds >= 0.1 else f"{seconds * 1000:.1f}"


if __name__ == "__main__":
    sys.exit(main())
