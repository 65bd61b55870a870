"""The rows of the main tables: the released schedule, our edits and drafts, point dragging."""

from __future__ import annotations

from regiondrag_widget.bench.latency.lora_training import train_adapters
from regiondrag_widget.bench.latency.released import START, STEPS, released_calls, released_edit
from regiondrag_widget.bench.latency.rounds import Row, Trial
from regiondrag_widget.bench.latency.workbench import Workbench
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.methods.pointdrag import PointDrag, point_drag
from regiondrag_widget.pipeline import RegionDragPipeline

__all__ = ["COLD", "DRAFT", "POINT_DRAG", "POINT_TRAINING", "RELEASED", "SAME_LEVELS", "WARM", "edit_rows"]

RELEASED, COLD, WARM, DRAFT, POINT_DRAG = (
    "released schedule",
    "cold edit",
    "warm edit",
    "draft, {} calls",
    "point drag",
)
POINT_TRAINING = "point drag, LoRA training"
SAME_LEVELS = ", as many levels as released"
# DragDiffusion's own: 50 levels, from the 35th on, 80 steps of Adam
DRAG_DIFFUSION = PointDrag(steps=80, levels=50, start=0.7)


def edit_rows(work: Workbench, levels: int) -> list[Row]:
    """Return the rows of the baseline, our edits and drafts, and point dragging.

    ``levels`` is how many levels the default edit visits.
    """
    rows = [
        Row(
            RELEASED,
            "edits",
            lambda: _released(work),
            "released code's order of work: encodes, inverts and edits one call at a time, with hooks",
            released_calls(),
        ),
        Row(
            COLD,
            "edits",
            lambda: work.cold(work.pipe()),
            "a picture not seen before, to the result",
            2 * levels,
        ),
        Row(WARM, "edits", lambda: work.warm(work.pipe()), "another target in the same picture", levels),
    ]
    many = released_calls() // 2
    if levels != many:
        rows.append(
            Row(
                WARM + SAME_LEVELS,
                "edits",
                lambda: work.warm(work.pipe(), steps=STEPS, start=START),
                "what of the gain is not owed to fewer levels",
                many,
            )
        )
    rows += [
        Row(
            DRAFT.format(calls).replace("1 calls", "1 call"),
            "edits",
            lambda calls=calls: work.draft(work.pipe(), calls),  # type: ignore[misc]
            "while the pointer moves: another target in the same picture",
            min(calls, levels),
        )
        for calls in (1, 2, 4)
    ]
    rows.append(
        Row(
            POINT_DRAG,
            "edits",
            lambda: _point_drag(work),
            "DragDiffusion's schedule: 35 calls of inversion, 80 optimisation steps with their backward "
            "passes, 35 levels of denoising beside the original",
            35 + 80 + 2 * 35,
            most=3,
            warmups=1,
        )
    )
    rows.append(
        Row(
            POINT_TRAINING,
            "edits",
            lambda: _training(work),
            "what it does to each new picture first: 200 steps of low-rank adapters",
            200,
            most=1,
            warmups=1,
        )
    )
    return rows


def plain(work: Workbench) -> RegionDragPipeline:
    """Return the network as diffusers loads it, for methods of others."""
    return work.pipe("released", compile=False, channels_last=False, draft_vae=None)


def _released(work: Workbench) -> Trial:
    pipe, case = plain(work), work.case

    def trial(i: int) -> None:
        released_edit(pipe, case.picture, case.drag(i))

    return trial


def _point_drag(work: Workbench) -> Trial:
    network = BenchNetwork(plain(work))
    short = PointDrag(**{**vars(DRAG_DIFFUSION), "steps": 2})

    def trial(i: int) -> None:
        how = short if i < 0 else DRAG_DIFFUSION  # a warm-up needs each kind of call once or twice
        point_drag(network, how).run(work.case.scene(i))

    return trial


def _training(work: Workbench) -> Trial:
    pipe = plain(work)

    def trial(i: int) -> None:
        if i < 0:
            train_adapters(pipe, work.case.picture, steps=2)
        else:
            train_adapters(pipe, work.case.picture)

    return trial
