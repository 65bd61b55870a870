"""Methods that are settings of our own editor: ours, the released rule, warp + inpaint, every ablation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from regiondrag_widget.bench.methods.method import Method, drawn_pairs
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.truth.scene import Image, Mask, Scene
from regiondrag_widget.engine.session import ImageSession
from regiondrag_widget.regions import RegionPairs

SEED = 0
POSITION_STEPS = 8
POSITION_STARTS = (1.0, 0.5)
"""From pure noise, as models distilled to few steps are used, and from the moved content, noised."""
ATTENTION: dict[str, bool | str] = {
    "none": False,
    "down": "down_blocks",
    "middle": "mid_block",
    "up": "up_blocks",
    "all": True,
    "gathered": "gathered",
}
"""Which self-attention layers read the inversion's keys and values, by the start of their names;
``gathered``: all of them, keys and values moved along with the content.
"""


def session_method(
    network: BenchNetwork,
    name: str,
    group: str,
    settings: Mapping[str, Any] | None = None,
    *,
    regions: Callable[[Scene], RegionPairs] = drawn_pairs,
    drawing: str = "as given",
    most_scenes: int | None = None,
    seed: int = SEED,
) -> Method:
    """An edit by ``ImageSession``, timed from the bare picture to the result.

    Parameters
    ----------
    settings
        Of the session and the edit together: ``steps``, ``start``, ``preset`` and those of ``EditSettings``;
        ``attention_swap`` is a key of :data:`ATTENTION`. The default's values apply to the rest.
    regions, drawing
        What is drawn on a scene, and its name.
    seed
        Of the noise.
    """
    chosen = dict(settings or {})

    def edit(scene: Scene) -> tuple[Image, Mask]:
        given = dict(chosen)
        if "attention_swap" in given:
            given["attention_swap"] = _layers(given["attention_swap"])
        own = {key: given.pop(key) for key in ("steps", "start", "preset") if key in given}
        pairs = regions(scene)
        session = ImageSession(network.pipe, scene.before, seed=seed, **own)
        for _ in session.edit(pairs, **given):
            pass
        assert session.result is not None
        return np.asarray(session.result.image.convert("RGB")), pairs.handle | pairs.target

    # the default's own values are part of what the result depends on
    depends_on = {"seed": seed, "drawing": drawing, "defaults": network.defaults, **chosen}
    return network.method(name, edit, group=group, settings=depends_on, most_scenes=most_scenes)


def ours(network: BenchNetwork, seed: int = SEED) -> Method:
    """The default edit."""
    return session_method(network, "ours", "ours", seed=seed)


def released(network: BenchNetwork, seed: int = SEED) -> Method:
    """The rule of the released RegionDrag code (Lu, Li and Han, ECCV 2024) on the same network.

    Latents gathered, residuals not moved, handle noised, content pasted at every level.
    """
    return session_method(network, "released rule", "baseline", {"preset": "released"}, seed=seed)


def by_position(network: BenchNetwork, start: float, seed: int = SEED) -> Method:
    """The picture's tokens shown at the positions where they should be, without an inversion.

    For networks that read reference pictures beside the latents. ``start`` is where the noise begins.
    """
    settings = {"content": "positions", "start": start, "steps": POSITION_STEPS}
    return session_method(network, f"drag by position {start:g}", "ours", settings, seed=seed)


def warp_and_inpaint(network: BenchNetwork, seed: int = SEED) -> Method:
    """Warp the drawn handle, then inpaint the hole from noise by the network, everything else held.

    The scheme of Inpaint4Drag (Lu and Han, ICCV 2025), which inpaints with a model trained for that; here the
    known cells are imposed at each level, as in RePaint (Lugmayr et al., CVPR 2022). It starts at the
    highest noise level that the network was trained on: 0.7 of the schedule for the bundled one.
    """
    settings = {
        "start": 0.7 if network.pipe.name == "mini" else 1.0,
        "steps": 20,
        "stop": 0.0,
        "content": "pixels",
        "vacated": "noise",
        "matte": "none",
        "prefill": "smooth",
        "attention_swap": "none",
    }
    return session_method(network, "warp + inpaint", "baseline", settings, seed=seed)


def _layers(part: str) -> bool | str | Callable[[str], bool]:
    prefix = ATTENTION[part]
    if isinstance(prefix, bool) or prefix == "gathered":
        return prefix

    def chosen(layer: str) -> bool:
        return layer.startswith(prefix)

    return chosen
