"""LPIPS (Zhang et al., CVPR 2018) and what DragFlow makes of it: image fidelity in three places."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from regiondrag_widget.regions import RegionPairs, pixel_map

__all__ = ["SIDE", "Distance", "fidelity", "load_lpips", "lpips_of"]

SIDE = 224  # pixels at which RegionDrag and DragFlow compare
ALEXNET = "alexnet-owt-7be5be79.pth"  # torchvision's weights, as torch.hub keeps them

Distance = Callable[[Tensor, Tensor], float]
"""From two pictures (1, 3, 224, 224) in [-1, 1] to how unlike they look."""
Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def load_lpips() -> Distance:
    """LPIPS by AlexNet, from the package ``lpips``; nothing is downloaded.

    Raises
    ------
    ValueError
        The package or AlexNet's weights are not there; the message says in one sentence what to do.
    """
    if importlib.util.find_spec("lpips") is None or importlib.util.find_spec("torchvision") is None:
        raise ValueError(
            "the packages lpips and torchvision are not installed: pip install lpips torchvision"
        )
    weights = Path(torch.hub.get_dir()) / "checkpoints" / ALEXNET
    if not weights.is_file():
        raise ValueError(
            f"AlexNet's weights are not at {weights}: fetch them once, python -c "
            "\"import lpips; lpips.LPIPS(net='alex')\""
        )
    try:
        import lpips

        network: Any = lpips.LPIPS(net="alex", verbose=False).eval()
    except (ImportError, RuntimeError, OSError) as error:  # a torchvision of another torch, damaged weights
        raise ValueError(f"lpips cannot be used: {error}") from error

    def distance(a: Tensor, b: Tensor) -> float:
        with torch.inference_mode():
            return float(network(a, b))

    return distance


def lpips_of(a: Picture, b: Picture, distance: Distance) -> float:
    """How unlike two pictures (H, W, 3) uint8 look, at 224 x 224 pixels; papers print it times 100."""
    return distance(_small(_scaled(a)), _small(_scaled(b)))


def fidelity(
    before: Picture, after: Picture, pairs: RegionPairs, editable: Mask | None, distance: Distance
) -> dict[str, float]:
    """Image fidelity: 1 - LPIPS of masked pictures, everything outside the mask grey.

    ``if_bg``: outside what may change (the editable mask, else handles and targets), before against after; 1
    is untouched. ``if_s2t``: each target, the picture carried there against the edited one; 1 is carried
    faithfully. ``if_s2s``: each handle's old place, before against after; lower is emptier. The last two are
    means over the pairs.

    Parameters
    ----------
    before, after
        (H, W, 3) uint8.
    pairs
        At least one; removals do not count.
    editable
        (H, W) bool.
    distance
        As `load_lpips` gives it.
    """
    moving = [pair for pair in pairs if pair.moves]
    original, edited = _scaled(before), _scaled(after)

    def alike(a: NDArray[np.float32], b: NDArray[np.float32], mask: Mask) -> float:
        seen = mask[..., None].astype(np.float32)
        return 1 - distance(_small(a * seen), _small(b * seen))

    changing = (pairs.handle | pairs.target) if editable is None else editable
    found = {"if_bg": alike(original, edited, ~np.asarray(changing))}
    if moving:
        carried, emptied = [], []
        for pair in moving:
            where = pixel_map(RegionPairs([pair]))
            x, y = (np.ascontiguousarray(where.source_xy[..., axis]) for axis in (0, 1))
            warped = cv2.remap(original, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            carried.append(alike(np.asarray(warped, np.float32), edited, where.target))
            emptied.append(alike(original, edited, np.asarray(pair.handle)))
        found |= {"if_s2t": float(np.mean(carried)), "if_s2s": float(np.mean(emptied))}
    return found


def _scaled(picture: Picture) -> NDArray[np.float32]:
    return np.asarray(picture, np.float32) / 127.5 - 1


def _small(picture: NDArray[np.float32]) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    return F.interpolate(tensor, size=(SIDE, SIDE), mode="bilinear")
