"""What the experiment found, as Markdown, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from regiondrag_widget.bench.dragbench.contenders import ABLATIONS
from regiondrag_widget.bench.dragbench.drag_work import contender
from regiondrag_widget.bench.dragbench.figures import MEASURES
from regiondrag_widget.bench.dragbench.published_rows import tables_in_markdown
from regiondrag_widget.bench.dragbench.tally import Tally
from regiondrag_widget.regions.writing import write_whole_text

__all__ = ["markdown", "write_report"]

REFERENCES = {"region or points": "region-all", "attention swap, released": "released-swap-all"}
"""What the variants of an ablation are compared with, where it is not our edit."""


def markdown(tally: Tally, pictures: Sequence[str] = (), published: bool = True) -> str:
    """The tables, the variant of every number, what was not computed, and what was skipped."""
    main = [name for name in tally.methods if name not in ABLATIONS]
    lines = ["# DragBench", "", _about(tally), ""]
    if main:
        lines += _table(tally, main)
    for picture in pictures:
        lines += ["", f"![{_caption(picture)}]({picture})"]
    lines += _ablations(tally)
    lines += ["", "## What the numbers are", ""]
    features = str(tally.about.get("features") or "no network")
    for name in tally.measures:
        measure = MEASURES[name]
        better = "lower" if measure.better == "low" else "higher"
        lines.append(
            f"- **{measure.title}** ({better} is better): {measure.words.replace('{features}', features)}."
        )
    lines += ["- **s**: median seconds of an edit, from the bare picture to the result."]
    if any(tally.spread(method, name) is not None for method in main for name in tally.measures):
        lines += ["- After ±: the standard deviation of the seeds' means."]
    if tally.missing:
        lines += ["", "## Not computed", ""]
        by_reason: dict[str, list[str]] = {}
        for name, reason in tally.missing.items():
            by_reason.setdefault(reason, []).append(MEASURES[name].title)
        lines += [f"- {', '.join(names)}: {reason}." for reason, names in by_reason.items()]
    for title, entries in (("Skipped samples", tally.skipped), ("Failed edits", tally.failed)):
        if entries:
            lines += ["", f"## {title}", "", *(f"- {name}: {why}" for name, why in entries.items())]
    if published:
        note = (
            "These are of the whole data sets, on other machines"
            if tally.about.get("comparable")
            else "These are of the whole data sets, with features of Stable Diffusion 2.1, which this run "
            "does not have: its MD must not be compared with them"
        )
        lines += ["", "## Published figures", "", f"{note}.", "", *tables_in_markdown()]
    return "\n".join(lines).rstrip() + "\n"


def write_report(tally: Tally, folder: Path, pictures: Sequence[str] = ()) -> str:
    """Write ``dragbench.md``, ``dragbench.json`` and ``dragbench.csv``; returns the Markdown."""
    text = markdown(tally, pictures)
    write_whole_text(folder / "dragbench.md", text)
    record = {
        "about": dict(tally.about),
        "methods": tally.summary(),
        "missing": dict(tally.missing),
        "skipped": dict(tally.skipped),
        "failed": dict(tally.failed),
        "edits": [line.as_row() for line in tally.lines],
    }
    write_whole_text(folder / "dragbench.json", json.dumps(record, indent=1) + "\n")
    write_whole_text(folder / "dragbench.csv", _csv(line.as_row() for line in tally.lines))
    return text


def _about(tally: Tally) -> str:
    about = tally.about
    parts = [f"{len(tally.samples)} samples of {about.get('data')}"]
    parts += [f"{key} {about[key]}" for key in ("model", "features", "seeds", "device") if about.get(key)]
    if tally.skipped:
        parts.append(f"{len(tally.skipped)} samples skipped, named below")
    if about.get("expanded"):
        parts.append(f"regions of {about['expanded']} samples expanded from their points")
    return ", ".join(parts) + "."


def _table(tally: Tally, methods: Iterable[str]) -> list[str]:
    names = tally.measures
    titles = [MEASURES[name].title for name in names]
    lines = ["| method | " + " | ".join([*titles, "s", "edits"]) + " |"]
    lines.append("|---|" + "---:|" * (len(titles) + 2))
    for method in methods:
        cells = [_cell(tally, method, name) for name in names]
        seconds = tally.seconds(method)
        cells += [f"{seconds:.2f}" if seconds is not None else "", str(len(tally.of(method)))]
        lines.append(f"| {_title(method)} | " + " | ".join(cells) + " |")
    return lines


def _cell(tally: Tally, method: str, name: str) -> str:
    mean, measure = tally.mean(method, name), MEASURES[name]
    if mean is None:
        return "–"
    text = f"{mean * measure.scale:.{measure.digits}f}"
    spread = tally.spread(method, name)
    return text if spread is None else f"{text} ± {spread * measure.scale:.{measure.digits}f}"


def _ablations(tally: Tally) -> list[str]:
    done = [name for name in tally.methods if name in ABLATIONS]
    lines: list[str] = []
    for group in dict.fromkeys(ABLATIONS[name].group for name in done):
        rows = [name for name in done if ABLATIONS[name].group == group]
        beside = ["ours"] if "ours" in tally.methods else []
        lines += ["", f"## Ablation: {group}", "", *_table(tally, beside + rows)]
        lines += _verdicts(tally, rows, REFERENCES.get(group, "ours"))
    return lines


def _verdicts(tally: Tally, methods: Sequence[str], reference: str) -> list[str]:
    """What each measure says of each variant, sample by sample, and whether that is more than chance."""
    lines: list[str] = []
    for name in tally.measures:
        measure = MEASURES[name]
        told = []
        for method in methods:
            found = tally.gain(method, reference, name)
            if method == reference or found is None:
                continue
            mean, error = (value * measure.scale for value in found)
            clear = abs(mean) > 2 * error
            words = f"{method} {mean:+.{measure.digits}f} ± {error:.{measure.digits}f}"
            told.append(f"**{words}**" if clear else words)
        if told:
            lines.append(f"- {measure.title}: {', '.join(told)}.")
    if not lines:
        return []
    head = (
        f"Against {reference}, sample by sample, mean and standard error; what is more than two standard "
        "errors is bold:"
    )
    return ["", head, "", *lines]


def _title(method: str) -> str:
    return f"{method}: {contender(method).words}"


def _caption(picture: str) -> str:
    return "Distance against seconds" if picture.endswith("time.png") else "Contact sheet"


def _csv(rows: Iterable[dict[str, Any]]) -> str:
    found = list(rows)
    columns = list(dict.fromkeys(name for row in found for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()
