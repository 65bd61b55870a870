"""The bars the default edit is held to: each requirement, its figure and whether it holds.

`bench/latency/bars.py` is its twin for speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from regiondrag_widget.bench.truth.run import Report

PASTE, MATTE, RELEASED = "paste + Telea", "matte + Telea", "released rule"
MOTIONS = ("translation", "scaling", "rotation")


@dataclass(frozen=True)
class Bar:
    """A claim, the figure required, the figure found, and whether it holds."""

    claim: str
    required: str
    found: str
    holds: bool


def bars(report: Report, default: str) -> list[Bar]:
    """Return the bars that this report has methods for, judged for the method named ``default``."""
    if not report.select(default):
        return []
    return [
        *_gains(report, default, PASTE, 1.5),
        *_gains(report, default, RELEASED, 6.0),
        *_textures(report, default),
        *_target(report, default),
        *_best_flip(report, default),
        _outside(report, default),
    ]


def _gains(report: Report, default: str, other: str, least: float) -> Iterator[Bar]:
    for motion in MOTIONS:
        found = report.gain(default, other, "psnr", motion)
        if found is not None:
            mean, error = found
            claim = f"PSNR touched above {other}, {motion}"
            yield Bar(claim, f">= {least} dB", f"{mean:+.2f} ± {error:.2f} dB", mean >= least)


def _textures(report: Report, default: str) -> Iterator[Bar]:
    for motion in MOTIONS:
        found = report.mean(default, "texture", motion)
        if found is not None:
            yield Bar(f"texture ratio, {motion}", "0.7 to 1.4", f"{found:.2f}", 0.7 <= found <= 1.4)


def _target(report: Report, default: str) -> Iterator[Bar]:
    found = report.gain(default, MATTE, "psnr_target")
    if found is not None:
        claim = f"PSNR in the target against {MATTE}"
        yield Bar(claim, ">= -0.3 dB", f"{found[0]:+.2f} ± {found[1]:.2f} dB", found[0] >= -0.3)


def _best_flip(report: Report, default: str) -> Iterator[Bar]:
    """Against each method of the main table but ours."""
    for method in report.methods:
        found = report.gain(default, method.name, "flip")
        if method.group == "baseline" and method.name != default and found is not None:
            claim = f"FLIP touched below {method.name}"
            yield Bar(claim, "< 0", f"{found[0]:+.4f} ± {found[1]:.4f}", found[0] < 0)


def _outside(report: Report, default: str) -> Bar:
    worst = max(int(row.figures["outside"]) for row in report.select(default))
    return Bar("largest difference outside handle and target", "0", str(worst), worst == 0)
