"""A run's figures as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.methods.points import POINTS_GROUP
from regiondrag_widget.bench.truth.bars import Bar, bars
from regiondrag_widget.bench.truth.careless import DRAWING_GROUP
from regiondrag_widget.bench.truth.claims import (
    LATENTS_GROUP,
    RELEASED,
    RELEASED_SWAP_GROUP,
    claims,
    claims_heading,
)
from regiondrag_widget.bench.truth.decisions import decisions
from regiondrag_widget.bench.truth.run import Report, mean_of
from regiondrag_widget.regions.writing import write_whole_text

MAIN_GROUPS = ("baseline", "ours")
# compared with the rule they belong to, not with ours
NOT_ABOUT_OURS = (RELEASED_SWAP_GROUP, LATENTS_GROUP, POINTS_GROUP, DRAWING_GROUP)
# measure, heading, digits, and whether more is better (None: neither)
COLUMNS: tuple[tuple[str, str, int, bool | None], ...] = (
    ("psnr", "PSNR touched", 2, True),
    ("psnr_target", "target", 2, True),
    ("psnr_vacated", "vacated", 2, True),
    ("psnr_seam", "seam", 2, True),
    ("ssim", "SSIM", 3, True),
    ("flip", "FLIP", 3, False),
    ("flip_seam", "FLIP seam", 3, False),
    ("texture", "texture", 2, None),
    ("distance", "MD px", 2, False),
    ("seconds", "seconds", 3, False),
    ("network_calls", "calls", 0, None),
)
REGION_COLUMNS: tuple[tuple[str, str, int, bool | None], ...] = (
    ("ssim", "SSIM touched", 3, True),
    ("ssim_target", "target", 3, True),
    ("ssim_vacated", "vacated", 3, True),
    ("ssim_seam", "seam", 3, True),
    ("flip", "FLIP touched", 3, False),
    ("flip_target", "target", 3, False),
    ("flip_vacated", "vacated", 3, False),
    ("flip_seam", "seam", 3, False),
    ("psnr_picture", "PSNR of the whole picture", 2, True),
    ("outside", "outside", 0, None),
)


def markdown(report: Report, pictures: Sequence[str] = ()) -> str:
    """The report as Markdown; ``pictures`` are file names of sheets and plots to show at its end."""
    lines = ["# Edits against the known truth", "", _outline(report), ""]
    main = [method for method in report.methods if method.group in MAIN_GROUPS]
    lines += ["## All scenes", "", *_table(report, main), "", _LEGEND, "", _outside(report), ""]
    lines += ["## Region by region", "", *_table(report, main, REGION_COLUMNS), ""]
    default = [method for method in report.methods if method.group == "ours"][:1]
    lines += _bars(report, default)
    lines += _claims(report)
    lines += _decisions(report, default)
    for name, title in (
        ("psnr", "PSNR over the touched region, dB"),
        ("flip", "FLIP over the touched region"),
    ):
        lines += [f"## {title}, by movement", "", *_grouped(report, main, name, "motion", report.motions), ""]
    lines += ["## Texture ratio in the vacated place, by movement", ""]
    lines += [*_grouped(report, main, "texture", "motion", report.motions), ""]
    lines += ["## PSNR over the touched region, by kind of scene", ""]
    lines += [*_grouped(report, main, "psnr", "kind", report.kinds), ""]
    for group in dict.fromkeys(method.group for method in report.methods if method.group not in MAIN_GROUPS):
        members = [method for method in report.methods if method.group == group]
        shown = [*_reference(report, default, group), *members]
        common = report.common([method.name for method in shown])
        lines += [f"## {group[:1].upper()}{group[1:]}", "", *_table(common, shown), ""]
    if report.problems:
        lines += ["## Problems", "", *(f"- {problem}" for problem in report.problems), ""]
    lines += [f"![{name}]({name})" for name in pictures]
    return "\n".join(lines).rstrip() + "\n"


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as plain data.

    It has the run, the bars that hold, each method's means (over scenes, movements and kinds) and every row.
    """
    default = [method.name for method in report.methods if method.group == "ours"][:1]
    return {
        "about": report.about,
        "scenes": report.scene_count,
        "problems": list(report.problems),
        "shown": [asdict(bar) for name in default for bar in bars(report, name)],
        "claims": [asdict(bar) for bar in claims(report)],
        "decisions": [asdict(d) for name in default for d in decisions(report, name, NOT_ABOUT_OURS)],
        "methods": {method.name: _summary(report, method) for method in report.methods},
        "rows": [row.__dict__ for row in report.rows],
    }


def write_report(report: Report, folder: Path, pictures: Sequence[str] = ()) -> None:
    """``report.md`` and ``report.json`` in a folder; raises OSError when it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole_text(folder / "report.json", json.dumps(as_json(report), indent=1) + "\n")
    write_whole_text(folder / "report.md", markdown(report, pictures))


_LEGEND = (
    "Means over scenes. Touched: handle or target; vacated: handle without target; seam: 4 px on either side "
    "of their outlines. Texture: mean gradient in the vacated place, edited over true (1 is right, below 0.6 "
    "blur, above 1.6 noise; geometric mean). "
    "MD: how far points of the moved things are from where they should be. Best in bold."
)

_DECISIONS = (
    "Differences scene by scene, mean ± standard error. Earned: better in PSNR or FLIP (by two standard "
    "errors, and 0.05 dB or 0.001) and worse in neither; trade: better in one, worse in the other; lost: "
    "worse in one, better in none; by blur or noise: the winner's texture ratio is outside 0.7 to 1.4. "
    "Attention swap gathered: all layers, each cell's keys and values taken from where its content came from."
)


def _outline(report: Report) -> str:
    facts = [f"{report.scene_count} scenes, {len(report.methods)} methods"]
    facts += [f"{key.replace('_', ' ')} {value}" for key, value in report.about.items()]
    return "; ".join(facts) + "."


def _outside(report: Report) -> str:
    worst: dict[str, int] = {}
    for row in report.rows:
        worst[row.method] = max(worst.get(row.method, 0), int(row.figures["outside"]))
    changed = [f"{name} (up to {value} grey levels)" for name, value in worst.items() if value]
    if not changed:
        return "Outside handle and target no method changed any pixel: the largest difference is 0."
    return "**Changed pixels outside handle and target:** " + ", ".join(changed) + ". All others: 0."


def _bars(report: Report, default: Sequence[Method]) -> list[str]:
    found = [bar for method in default for bar in bars(report, method.name)]
    if not found:
        return []
    return [f"## What {default[0].name} must show", "", *_judged(found), ""]


def _claims(report: Report) -> list[str]:
    found = claims(report)
    if not found:
        return []
    return ["## What the paper claims", "", claims_heading(found), "", *_judged(found), ""]


def _decisions(report: Report, default: Sequence[Method]) -> list[str]:
    """Each value of each decision against the default's."""
    found = [d for method in default[:1] for d in decisions(report, method.name, NOT_ABOUT_OURS)]
    if not found:
        return []
    cells = [
        [
            decision.group,
            decision.method,
            f"{decision.psnr[0]:+.2f} ± {decision.psnr[1]:.2f}",
            f"{decision.flip[0]:+.4f} ± {decision.flip[1]:.4f}",
            "" if decision.texture is None else f"{decision.texture:.2f}",
            "" if decision.seconds is None else f"{decision.seconds:+.2f}",
            f"**{decision.verdict}**" if decision.verdict.startswith("lost") else decision.verdict,
        ]
        for decision in found
    ]
    name = default[0].name
    headings = [
        "decision",
        "instead",
        f"PSNR touched, {name} minus it",
        "FLIP",
        "its texture",
        "seconds",
        name,
    ]
    return [f"## What each decision of {name} is worth", "", _DECISIONS, "", *_rows(headings, cells), ""]


def _judged(found: Sequence[Bar]) -> list[str]:
    cells = [[bar.claim, bar.required, bar.found, "yes" if bar.holds else "**no**"] for bar in found]
    headings = ["claim", "required", "found (mean ± standard error over scenes)", "holds"]
    return _rows(headings, cells)


def _reference(report: Report, default: Sequence[Method], group: str) -> list[Method]:
    """The row that an ablation is read against."""
    if group == RELEASED_SWAP_GROUP:
        return [method for method in report.methods if method.name == RELEASED]
    return [] if group in (POINTS_GROUP, LATENTS_GROUP) else list(default)


def _table(
    report: Report, methods: Sequence[Method], measures: Sequence[tuple[str, str, int, bool | None]] = COLUMNS
) -> list[str]:
    headings = ["method", "scenes", *(heading for _, heading, _, _ in measures)]
    columns = [
        [str(len(report.select(method.name))) for method in methods],
        *(
            _cells([report.mean(method.name, name) for method in methods], digits, better)
            for name, _, digits, better in measures
        ),
    ]
    return _rows(headings, [[method.name, *cells] for method, *cells in zip(methods, *columns, strict=True)])


def _grouped(
    report: Report, methods: Sequence[Method], name: str, by: str, groups: Sequence[str]
) -> list[str]:
    digits, better = next((digits, better) for measure, _, digits, better in COLUMNS if measure == name)
    columns = [
        _cells([report.mean(method.name, name, **{by: group}) for method in methods], digits, better)
        for group in groups
    ]
    counts = {group: len({row.scene for row in report.rows if getattr(row, by) == group}) for group in groups}
    headings = ["method", *(f"{group} ({counts[group]})" for group in groups)]
    return _rows(headings, [[method.name, *cells] for method, *cells in zip(methods, *columns, strict=True)])


def _cells(values: Sequence[float | None], digits: int, more_is_better: bool | None) -> list[str]:
    texts = ["" if value is None else f"{value:.{digits}f}" for value in values]
    known = [value for value in values if value is not None]
    if more_is_better is None or len(known) < 2:
        return texts
    best = f"{max(known) if more_is_better else min(known):.{digits}f}"
    return [f"**{text}**" if text == best else text for text in texts]


def _rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    head = ["| " + " | ".join(headings) + " |", "|---" + "|---:" * (len(headings) - 1) + "|"]
    return head + ["| " + " | ".join(row) + " |" for row in rows]


def _summary(report: Report, method: Method) -> dict[str, Any]:
    names = list(dict.fromkeys(name for row in report.select(method.name) for name in row.figures))
    rows = report.select(method.name)
    return {
        "group": method.group,
        "settings": dict(method.settings),
        "mean": {name: mean_of(name, rows) for name in names},
        "by_motion": {
            m: {name: report.mean(method.name, name, motion=m) for name in names} for m in report.motions
        },
        "by_kind": {
            k: {name: report.mean(method.name, name, kind=k) for name in names} for k in report.kinds
        },
    }
