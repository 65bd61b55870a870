"""Region against points: the same rule given every cell of the drawn region, or a few of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
    return [of_region(network, count, most_scenes) for count in (None, *COUNTS)]


def of_region(
    network: BenchNetwork, count: int | None, most_scenes: int | None = None, seed: int = SEED
) -> Method:
    """Content pasted at so many cells of the drawn region; at all of them when ``count`` is None."""

    def some(scene: Scene, work: Workspace, grid: tuple[int, int]) -> Correspondence:
        whole = work.correspondence(grid)
        if count is None:
            return whole
        rows = spread_out(whole.target_xy.astype(np.float64), count)
        return Correspondence(whole.source_xy[rows], whole.target_xy[rows])

    settings = {"points": count}
    return pasted_at(
        network, fewpoints_name(count), some, settings, group=POINTS_GROUP, most_scenes=most_scenes, seed=seed
    )


def pasted_at(
    network: BenchNetwork,
    name: str,
    cells: Callable[[Scene, Workspace, tuple[int, int]], Correspondence],
    settings: Mapping[str, Any],
    *,
    group: str,
    most_scenes: int | None = None,
    seed: int = SEED,
) -> Method:
    """The paper's algorithm on latents, with the cells that ``cells(scene, work, grid)`` gives."""

    def edit(scene: Scene) -> Image:
        work = Workspace(network, scene)
        clean = work.encode(scene.before)
        grid = (clean.shape[1], clean.shape[2])
        edited = edit_latents(
            network.pipe.model,
            clean[None],
            cells(scene, work, grid),
            resolve("default", network.pipe.edit_defaults, {"content": "latents"}),
            network=work.network,
            seeds=[seed],
            editable=work.cells(scene.touched, grid),
        )[0][0]
        change = work.decode(edited) - work.decode(clean)
        return work.pasted(scene.before[work.window.slices].astype(np.float32) + change)

    known = {"seed": seed, "defaults": network.defaults, **settings}
    return network.method(name, edit, group=group, settings=known, most_scenes=most_scenes)
