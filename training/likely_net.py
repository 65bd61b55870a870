"""The network of `imaging/likely.py` as a module, to be fitted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from regiondrag_widget.imaging.likely import CAP, GROUPS, LEVELS

__all__ = ["LikelyNet"]

Float = npt.NDArray[np.float32]

CHANNELS = 24, 24, 32, 32  # of each level
DROPPED = 0.1  # of the cues, while it is fitted: no cue may be relied on alone


class LikelyNet(nn.Module):
    """A U-Net on cues at half size.

    Parameters
    ----------
    mean, deviation
        (c,) float32 of each cue.
    """

    def __init__(self, mean: Float, deviation: Float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("deviation", torch.from_numpy(deviation))
        first = CHANNELS[0]
        self.drop = nn.Dropout2d(DROPPED)
        self.enter = nn.Conv2d(len(mean), first, 1)
        self.down = nn.ModuleList(
            _block(CHANNELS[max(0, level - 1)], CHANNELS[level]) for level in range(LEVELS)
        )
        self.up = nn.ModuleList(
            _block(CHANNELS[level] + CHANNELS[level + 1], CHANNELS[level]) for level in range(LEVELS - 1)
        )
        self.leave = nn.Conv2d(2 * first, 1, 1)

    def forward(self, values: Tensor) -> Tensor:
        """Logits (n, h, w) for cues (n, c, h, w)."""
        height, width = values.shape[-2:]
        mean, deviation = (self.get_buffer(name).view(-1, 1, 1) for name in ("mean", "deviation"))
        x = ((values - mean) / deviation).clamp(-CAP, CAP)
        step = 2 ** (LEVELS - 1)
        x = functional.pad(x, (0, -width % step, 0, -height % step))
        entered = functional.relu(self.enter(self.drop(x)))
        seen = [self.down[0](entered)]
        for down in self.down[1:]:
            seen.append(down(functional.avg_pool2d(seen[-1], 2)))
        x = seen.pop()
        for up in reversed(self.up):
            larger = functional.interpolate(x, scale_factor=2, mode="bilinear")
            x = up(torch.cat([larger, seen.pop()], 1))
        logits: Tensor = self.leave(torch.cat([x, entered], 1))[:, 0, :height, :width]
        return logits


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1), nn.GroupNorm(GROUPS, after), nn.ReLU()]
    return nn.Sequential(*layers)
