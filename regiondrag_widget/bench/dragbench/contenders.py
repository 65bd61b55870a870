"""The methods of the paper's experiment, by the names that the command line knows, and its ablations."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from regiondrag_widget.bench.dragbench.sample_scene import SampleScene
from regiondrag_widget.bench.methods.baselines import inpainted, pasted
from regiondrag_widget.bench.methods.fewpoints import of_region, pasted_at
from regiondrag_widget.bench.methods.method import Method, MethodOutput
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.methods.own_edits import (
    ATTENTION,
    released,
    session_method,
    warp_and_inpaint,
)
from regiondrag_widget.bench.methods.pointdrag import point_drag
from regiondrag_widget.bench.methods.points import COUNTS
from regiondrag_widget.bench.methods.sdedit import sdedit
from regiondrag_widget.bench.methods.workspace import Workspace
from regiondrag_widget.bench.truth.careless import carelessly_drawn
from regiondrag_widget.bench.truth.scene import Scene
from regiondrag_widget.regions import Correspondence, RegionPairs

__all__ = ["ABLATIONS", "CONTENDERS", "Contender"]

CARELESS_SHARES = (-0.1, 0.1, 0.25)
"""By how much a careless handle is too large, or too small, as a share of the root of its area."""

Make = Callable[["BenchNetwork | None", int], Method]


@dataclass(frozen=True)
class Contender:
    """A method that may be compared.

    Parameters
    ----------
    words
        What it does, for the report.
    make
        From the network and a seed to the method.
    network, seeded
        Whether it needs a network, and whether a seed changes its results.
    group
        The table it belongs to: ``"main"``, or the name of an ablation.
    """

    words: str
    make: Make
    network: bool = True
    seeded: bool = True
    group: str = "main"


def _needed(network: BenchNetwork | None) -> BenchNetwork:
    if network is None:
        raise ValueError("this method needs a network: leave --model none out")
    return network


def _drawn(scene: Scene) -> RegionPairs:
    return scene.drawn if isinstance(scene, SampleScene) else RegionPairs([])


def _ours(network: BenchNetwork | None, seed: int) -> Method:
    return session_method(_needed(network), "ours", "ours", regions=_drawn, seed=seed)


def _own_points(network: BenchNetwork | None, seed: int) -> Method:
    def cells(scene: Scene, work: Workspace, grid: tuple[int, int]) -> Correspondence:
        points = scene.points if isinstance(scene, SampleScene) else np.zeros((0, 2, 2))
        if not len(points):
            raise ValueError("the sample has no points")
        x0, y0, _, _ = work.window.box
        cell = work.window.size[1] / grid[1]
        at = np.floor((points + 0.5 - [x0, y0]) * work.window.scale / cell).astype(np.int64)
        at = np.clip(at, 0, np.array([grid[1], grid[0]]) - 1)
        return Correspondence(at[:, 0], at[:, 1])

    return pasted_at(_needed(network), "points", cells, {"points": "own"}, group="baseline", seed=seed)


def _plain(edit: Callable[[Scene], np.ndarray]) -> Make:
    """A method without a network."""

    def make(network: BenchNetwork | None, seed: int) -> Method:
        def run(scene: Scene) -> MethodOutput:
            begun = time.perf_counter()
            image = edit(scene)
            return MethodOutput(image, time.perf_counter() - begun)

        return Method("plain", run)

    return make


def _pasted(scene: Scene) -> np.ndarray:
    return pasted(scene, inpainted(scene, cv2.INPAINT_TELEA))


CONTENDERS: Mapping[str, Contender] = {
    "ours": Contender("our edit with its defaults", _ours),
    "released": Contender(
        "the rule of the released RegionDrag code on the same network",
        lambda network, seed: released(_needed(network), seed),
    ),
    "points": Contender("the paper's rule at the sample's own points alone", _own_points),
    "point-drag": Contender(
        "point dragging by optimisation, as DragDiffusion without its LoRA; slow",
        lambda network, seed: point_drag(_needed(network)),
        seeded=False,
    ),
    "sdedit": Contender(
        "paste by hand, noise to 0.3 and denoise (SDEdit)",
        lambda network, seed: sdedit(_needed(network), 0.3, seed),
    ),
    "warp-inpaint": Contender(
        "warp the handle and inpaint the hole by the network (the scheme of Inpaint4Drag)",
        lambda network, seed: warp_and_inpaint(_needed(network), seed),
    ),
    "paste": Contender("paste, and inpaint the hole by OpenCV", _plain(_pasted), network=False, seeded=False),
    "copy": Contender(
        "the picture unchanged: what a fidelity measure gives for doing nothing",
        _plain(lambda scene: scene.before.copy()),
        network=False,
        seeded=False,
    ),
}


def _swapped(layers: str, preset: str) -> Contender:
    name = "ours" if preset == "default" else "released"
    words = f"{name}, keys and values of the original read in: {layers}"
    settings = {"preset": preset, "attention_swap": layers}

    def make(network: BenchNetwork | None, seed: int) -> Method:
        return session_method(_needed(network), words, "ablation", settings, regions=_drawn, seed=seed)

    return Contender(words, make, group=f"attention swap, {name}")


def _of_region(count: int | None) -> Contender:
    words = "every cell of the region" if count is None else f"{count} cells of the region, spread out"

    def make(network: BenchNetwork | None, seed: int) -> Method:
        return of_region(_needed(network), count, seed=seed)

    return Contender(words, make, group="region or points")


def _careless(share: float) -> Contender:
    words = f"the handle drawn {abs(share):.0%} too {'large' if share > 0 else 'small'}"

    def regions(scene: Scene) -> RegionPairs:
        side = float(np.sqrt(np.mean([pair.handle.sum() for pair in scene.pairs])))
        pixels = round(share * side) or (1 if share > 0 else -1)
        return carelessly_drawn(scene, pixels)

    def make(network: BenchNetwork | None, seed: int) -> Method:
        return session_method(
            _needed(network), words, "ablation", regions=regions, drawing=f"careless {share}", seed=seed
        )

    return Contender(words, make, group="careless region")


ABLATIONS: Mapping[str, Contender] = {
    **{f"swap-{layers}": _swapped(layers, "default") for layers in ATTENTION},
    **{
        f"released-swap-{layers}": _swapped(layers, "released")
        for layers in ATTENTION
        if layers != "gathered"
    },
    **{f"region-{'all' if n is None else n}": _of_region(n) for n in (None, *COUNTS)},
    **{f"careless{100 * share:+.0f}": _careless(share) for share in CARELESS_SHARES},
}
"""The paper's: which attention layers read the original, region against points, a careless region."""
