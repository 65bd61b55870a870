"""Figures of other papers, kept with their sources: for orientation beside one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["TITLES", "PublishedTable", "published_tables", "tables_in_markdown"]

TITLES = {
    "md_rd": "MD-RD x100",
    "md_px": "MD-px",
    "md_px_region": "MD-px in the region",
    "lpips": "LPIPS x100",
    "lpips_unit": "LPIPS",
    "if_bg": "IF bg",
    "if_s2t": "IF s2t",
    "if_s2s": "IF s2s",
    "mse": "MSE",
    "ssim": "SSIM",
    "seconds": "s",
}


@dataclass(frozen=True)
class PublishedTable:
    """One table of a paper.

    Parameters
    ----------
    source, read
        The paper, and whether its table or a summary of it was read.
    data
        The data set: ``"DragBench-SR"``, ``"DragBench-DR"``, ``"ReD"``, ``"PRDBench"``, ``"DragBench"``.
    measures, rows
        What the columns are, of `TITLES`, and for each method its figures.
    """

    source: str
    read: str
    data: str
    measures: Sequence[str]
    rows: Mapping[str, Sequence[float]]


@cache
def published_tables() -> tuple[PublishedTable, ...]:
    """All tables that are kept."""
    path = Path(__file__).with_name("published.json")
    return tuple(PublishedTable(**table) for table in json.loads(path.read_text("utf-8"))["tables"])


def tables_in_markdown(data: str | None = None) -> list[str]:
    """Lines of all tables, or of those of one data set."""
    lines: list[str] = []
    for table in published_tables():
        if data is not None and table.data != data:
            continue
        titles = [TITLES[name] for name in table.measures]
        lines += [
            f"**{table.data}**: {table.source}; read {table.read}.",
            "",
            "| method | " + " | ".join(titles) + " |",
            "|---|" + "---:|" * len(titles),
            *(f"| {name} | " + " | ".join(f"{x:g}" for x in row) + " |" for name, row in table.rows.items()),
            "",
        ]
    return lines
