"""Values that are not numbers are an error that names the step, and not a black picture."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

__all__ = ["FiniteWatch", "NotFiniteError", "check_finite", "check_levels"]


class NotFiniteError(ArithmeticError):
    """A network or an autoencoder gave values that are not numbers.

    Parameters
    ----------
    where : str
        Which step of an edit it was.
    """

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where} gave values that are not numbers (NaN or infinite): half precision may have "
            "overflowed, so load the model with dtype='float32' or 'bfloat16'; or weights are broken"
        )


class FiniteWatch:
    """Looks at the output of each step without making a GPU wait: it is judged when the next is under way.

    A reader of the steps may thus see one bad step on a GPU, but never a result.
    """

    def __init__(self) -> None:
        self._flags: deque[tuple[str, Tensor]] = deque()

    def see(self, where: str, values: Tensor) -> None:
        """Take the output of a step.

        Parameters
        ----------
        where : str
            Which step, for the error.
        values : Tensor
            Its output.

        Raises
        ------
        NotFiniteError
            This step or the one before it gave values that are not numbers.
        """
        self._flags.append((where, values.isfinite().all()))
        self._judge(1 if values.device.type in ("cuda", "mps") else 0)

    def finish(self) -> None:
        """Judge the steps that are left; raises as `see` does."""
        self._judge(0)

    def _judge(self, left: int) -> None:
        while len(self._flags) > left:
            where, fine = self._flags.popleft()
            if not bool(fine):
                raise NotFiniteError(where)


def check_finite(where: str, values: Tensor) -> None:
    """Raise `NotFiniteError` unless all values are numbers.

    Parameters
    ----------
    where : str
        What gave them.
    values : Tensor
        Of any shape.
    """
    if not bool(values.isfinite().all()):
        raise NotFiniteError(where)


def check_levels(outputs: Tensor, timesteps: Tensor) -> None:
    """Raise `NotFiniteError` for the first level of an inversion whose output is not all numbers.

    Parameters
    ----------
    outputs : (K, C, h, w) Tensor
        Of the network.
    timesteps : (K,) Tensor
        Of the levels, cleanest first.
    """
    fine = outputs.flatten(1).isfinite().all(1)
    if not bool(fine.all()):
        k = int(torch.nonzero(~fine)[0])
        raise NotFiniteError(
            f"level {k + 1} of {len(outputs)} of the inversion (timestep {float(timesteps[k]):g})"
        )
