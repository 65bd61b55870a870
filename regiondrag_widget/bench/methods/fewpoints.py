"""Region against points: the same rule given every cell of the drawn region, or a few of them."""

from __future__ import annotations

import numpy as np

from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.methods.points import COUNTS, POINTS_GROUP, fewpoints_name, spread_out
from regiondrag_widget.bench.methods.workspace import Workspace
from regiondrag_widget.bench.truth.scene import Image, Scene
from regiondrag_widget.engine.latent_edit import edit_latents
from regiondrag_widget.engine.settings import resolve
from regiondrag_widget.regions import Correspondence

SEED = 0


def few_points(network: BenchNetwork, most_scenes: int | None = None) -> list[Method]:
    """The paper's algorithm on latents, content pasted at every cell of the correspondence or at some.

    Everything touched may change; what the codec loses stays where it was, in all of them alike.
    """
    return [_method(network, count, most_scenes) for count in (None, *COUNTS)]


def _method(network: BenchNetwork, count: int | None, most_scenes: int | None) -> Method:
    def edit(scene: Scene) -> Image:
        work = Workspace(network, scene)
        clean = work.encode(scene.before)
        grid = (clean.shape[1], clean.shape[2])
        whole = work.correspondence(grid)
        chosen = whole if count is None else _some(whole, count)
        settings = resolve("default", network.pipe.edit_defaults, {"content": "latents"})
        edited = edit_latents(
            network.pipe.model,
            clean[None],
            chosen,
            settings,
            network=work.network,
            seeds=[SEED],
            editable=work.cells(scene.touched, grid),
        )[0][0]
        change = work.decode(edited) - work.decode(clean)
        return work.pasted(scene.before[work.window.slices].astype(np.float32) + change)

    settings = {"seed": SEED, "points": count, "defaults": network.defaults}
    return network.method(
        fewpoints_name(count), edit, group=POINTS_GROUP, settings=settings, most_scenes=most_scenes
    )


def _some(whole: Correspondence, count: int) -> Correspondence:
    rows = spread_out(whole.target_xy.astype(np.float64), count)
    return Correspondence(whole.source_xy[rows], whole.target_xy[rows])
