"""Whether each decision of the default earns its place: against every other value it could have."""

from __future__ import annotations

from dataclasses import dataclass

from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.truth.run import Report

SURE = 2.0
"""A difference counts when it is this many standard errors, and no smaller than these."""
LEAST_PSNR, LEAST_FLIP = 0.05, 0.001
TEXTURE = (0.7, 1.4)


@dataclass(frozen=True)
class Decision:
    """The default against one other value: mean differences and their standard errors, default minus other.

    ``verdict``: ``"earned"`` (better in one of PSNR and FLIP, worse in none), ``"even"``,
    ``"trade"`` (better in one, worse in the other), ``"lost"`` (worse in one, better in none),
    ``"lost, by blur or noise"`` (the other wins with a texture ratio outside 0.7 to 1.4).
    """

    group: str
    method: str
    psnr: tuple[float, float]
    flip: tuple[float, float]
    texture: float | None
    seconds: float | None
    verdict: str


def decisions(report: Report, default: str, groups: tuple[str, ...] = ()) -> list[Decision]:
    """Return a decision for every ablation of the report, except those in ``groups``."""
    members = [m for m in report.methods if m.group not in ("baseline", "ours", *groups)]
    found = [_decision(report, default, method) for method in members]
    return [decision for decision in found if decision is not None]


def _decision(report: Report, default: str, method: Method) -> Decision | None:
    psnr, flip = (report.gain(default, method.name, measure) for measure in ("psnr", "flip"))
    if psnr is None or flip is None:
        return None
    both = report.common([default, method.name])
    texture, mine, other = (
        both.mean(method.name, "texture"),
        both.mean(default, "seconds"),
        both.mean(method.name, "seconds"),
    )
    least_psnr, least_flip = max(LEAST_PSNR, SURE * psnr[1]), max(LEAST_FLIP, SURE * flip[1])
    better = [psnr[0] > least_psnr, flip[0] < -least_flip]
    worse = [psnr[0] < -least_psnr, flip[0] > least_flip]
    verdict = "even"
    if any(better):
        verdict = "trade" if any(worse) else "earned"
    elif any(worse):
        real = texture is None or TEXTURE[0] <= texture <= TEXTURE[1]
        verdict = "lost" if real else "lost, by blur or noise"
    seconds = None if mine is None or other is None else mine - other
    return Decision(method.group, method.name, psnr, flip, texture, seconds, verdict)
