"""One answer to clicks that may mean several things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Candidate"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A selection that clicks may mean, with how likely that is.

    Attributes
    ----------
    mask : (H, W) bool, of the picture's size.
    score : how good it is thought to be, in 0..1; to be compared among the candidates of one answer.
    """

    mask: npt.NDArray[np.bool_]
    score: float
