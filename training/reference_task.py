"""What a flow transformer is taught to do with reference tokens: copy those that stand there, fill the rest.

A network knows a reference token by its content and its position, so a token that an edit moves to another
place looks like one that has always stood there, in surroundings it does not belong to. Content that does
not belong comes from another picture here; places that are shown no token are blobs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ReferenceTask", "draw_task"]


@dataclass(frozen=True)
class ReferenceTask:
    """One task for a whole batch, since the tokens of a batch share their positions.

    Attributes
    ----------
    target
        (B, n, C) clean tokens to be made.
    shown
        (k,) int64, which of them the network is shown as references; None where it is shown none.
    """

    target: Tensor
    shown: Tensor | None


def draw_task(clean: Tensor, plain: float, pasted: float, generator: torch.Generator) -> ReferenceTask:
    """Draw a task.

    Parameters
    ----------
    clean
        (B, C, h, w) latents of pictures.
    plain, pasted
        Probabilities that no references are shown, and that a blob of each picture comes from another.
    generator
        Of the random numbers.
    """
    height, width = clean.shape[-2:]

    def chance(probability: float) -> bool:
        return float(torch.rand((), generator=generator)) < probability

    if chance(plain):
        return ReferenceTask(clean.flatten(2).transpose(1, 2), None)
    if chance(pasted):
        clean = torch.where(_blob(height, width, generator), clean.roll(1, 0), clean)
    hidden = torch.zeros(height, width, dtype=torch.bool)
    for _ in range(int(torch.randint(1, 4, (), generator=generator))):
        hidden |= _blob(height, width, generator)
    if chance(0.1):  # few tokens alone are shown
        hidden = ~hidden
    return ReferenceTask(clean.flatten(2).transpose(1, 2), (~hidden).flatten().nonzero().flatten())


def _blob(height: int, width: int, generator: torch.Generator) -> Tensor:
    """(height, width) bool: an ellipse or a rectangle up to two thirds of the picture a side."""
    cy, cx, ry, rx, square = torch.rand(5, generator=generator).tolist()
    rows = (torch.arange(height) + 0.5 - cy * height) / (1 + ry * height / 3)
    columns = (torch.arange(width) + 0.5 - cx * width) / (1 + rx * width / 3)
    rows, columns = rows.abs()[:, None], columns.abs()[None]
    return (torch.maximum(rows, columns) if square < 0.3 else (rows**2 + columns**2).sqrt()) < 1
