"""The methods of the main table that use the network."""

from __future__ import annotations

from collections.abc import Sequence

from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.methods.own_edits import (
    POSITION_STARTS,
    by_position,
    ours,
    released,
    warp_and_inpaint,
)
from regiondrag_widget.bench.methods.pointdrag import point_drag
from regiondrag_widget.bench.methods.sdedit import sdedit

SDEDIT_STARTS = (0.3, 0.5)
"""Its authors recommend 0.3 to 0.6."""


def diffusion_methods(
    network: BenchNetwork, presets: Sequence[str] = ("default", "released"), few_scenes: int | None = None
) -> list[Method]:
    """Our edit by each preset, then what others do with the same network; the costly one on few scenes.

    The released rule and point dragging need a UNet, a drag by position needs a network that reads reference
    pictures. What a network cannot do is left out.
    """
    unet = network.pipe.unet is not None
    by_preset = {"default": ours, "released": released} if unet else {"default": ours}
    return [
        *(by_preset[preset](network) for preset in dict.fromkeys(presets) if preset in by_preset),
        *(by_position(network, start) for start in POSITION_STARTS if _reads_references(network)),
        *(sdedit(network, start) for start in SDEDIT_STARTS),
        warp_and_inpaint(network),
        *([point_drag(network, most_scenes=few_scenes)] if unet else []),
    ]


def _reads_references(network: BenchNetwork) -> bool:
    return bool(getattr(network.pipe.backbone, "reads_references", False))
