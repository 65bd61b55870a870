"""What the RegionDrag paper claims, each beside what this run found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from regiondrag_widget.bench.methods.points import COUNTS, fewpoints_name
from regiondrag_widget.bench.truth.bars import Bar
from regiondrag_widget.bench.truth.careless import CARELESS, careless_name
from regiondrag_widget.bench.truth.run import Report

OURS, RELEASED, POINT_DRAG = "ours", "released rule", "point drag"
LATENTS_GROUP = "residual in the paper's rule on latents"
RELEASED_SWAP_GROUP = "attention swap in the released rule"
REGION = fewpoints_name(None)
LAYERS = ("none", "down", "middle", "up", "all")


def claims(report: Report) -> list[Bar]:
    """Return the paper's claims (Lu, Li and Han, ECCV 2024) that this report has methods for."""
    return [
        *_seams(report),
        *_layers(report),
        *_precision(report),
        *_region_beats_points(report),
        *_faster(report),
    ]


def _seams(report: Report) -> Iterator[Bar]:
    for default, prefix in ((OURS, ""), (RELEASED, f"{RELEASED}, ")):
        found = report.gain(default, f"{prefix}attention swap none", "flip_seam")
        if found is not None:
            claim = f"attention swap removes seams ({default}: FLIP along seams, with minus without)"
            yield Bar(claim, "< 0", f"{found[0]:+.4f} ± {found[1]:.4f}", found[0] < 0)


def _layers(report: Report) -> Iterator[Bar]:
    for default, prefix in ((OURS, ""), (RELEASED, f"{RELEASED}, ")):
        methods = {layers: f"{prefix}attention swap {layers}" for layers in LAYERS}
        known = {layers: name for layers, name in methods.items() if report.select(name)}
        if len(known) < 3 or not report.select(default):
            continue
        known |= {layers: default for layers in LAYERS if layers not in known}  # the default's own choice
        common = report.common([*known.values()])
        figures = {layers: common.mean(name, "flip") for layers, name in known.items()}
        order = sorted((value, layers) for layers, value in figures.items() if value is not None)
        text = ", ".join(f"{layers} {value:.4f}" for value, layers in order)
        nothing = _alike(common, known["middle"], known["none"])
        if nothing:
            text += "; the network attends to nothing in the middle"
        claim = f"middle layers are the best to swap ({default}: FLIP touched)"
        yield Bar(claim, "middle first", text, not nothing and order[:1] == [(figures["middle"], "middle")])


def _alike(report: Report, method: str, other: str) -> bool:
    """Whether two methods gave the same figures on every scene, time aside."""
    figures = [
        {row.scene: {**row.figures, "seconds": None} for row in report.select(name)}
        for name in (method, other)
    ]
    return figures[0] == figures[1]


def _precision(report: Report) -> Iterator[Bar]:
    for pixels in CARELESS:
        found = report.gain(careless_name(pixels), OURS, "psnr_picture")
        if found is not None:
            claim = f"a region need not be precise ({careless_name(pixels)}: PSNR of the whole picture)"
            yield Bar(claim, ">= -1 dB", f"{found[0]:+.2f} ± {found[1]:.2f} dB", found[0] >= -1)


def _region_beats_points(report: Report) -> Iterator[Bar]:
    for other in [*map(fewpoints_name, COUNTS), POINT_DRAG]:
        mine = OURS if other == POINT_DRAG else REGION
        psnr, distance = (report.gain(mine, other, measure) for measure in ("psnr_target", "distance"))
        if psnr is None or distance is None:
            continue
        text = f"{psnr[0]:+.2f} ± {psnr[1]:.2f} dB, {distance[0]:+.1f} ± {distance[1]:.1f} px"
        claim = f"a region beats points ({mine} against {other}: PSNR in the target, MD)"
        yield Bar(claim, "> 0 dB, < 0 px", text, psnr[0] > 0 and distance[0] < 0)


def _faster(report: Report) -> Iterator[Bar]:
    for mine in (OURS, RELEASED):
        both = report.common([mine, POINT_DRAG])
        ours, theirs = both.mean(mine, "seconds"), both.mean(POINT_DRAG, "seconds")
        if not ours or not theirs:
            continue
        calls = [both.mean(name, "network_calls") or 0 for name in (mine, POINT_DRAG)]
        ratio = theirs / ours
        text = f"{ratio:.0f} times ({ours:.2f} s, {calls[0]:.0f} calls; {theirs:.2f} s, {calls[1]:.0f} calls)"
        yield Bar(f"100 times faster than dragging points ({mine})", ">= 100", text, ratio >= 100)


def claims_heading(found: Sequence[Bar]) -> str:
    """The sentence under the table's title."""
    held = sum(bar.holds for bar in found)
    return (
        f"{held} of {len(found)} hold here. Point dragging is by optimisation on the same network, without "
        "the LoRA that its authors train for every picture (which the paper's figure of time includes)."
    )
