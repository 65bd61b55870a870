"""Tensors that a user hands in, looked at before anything is computed with them."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["check_tensor"]


def check_tensor(value: object, name: str) -> None:
    """Refuse what is no tensor of finite numbers.

    Its shape is checked where it is known what it must be. The values are read once, which waits for a GPU.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The argument that it was given as.

    Raises
    ------
    TypeError
        It is no tensor, or one of whole numbers.
    ValueError
        It is empty, has no values (on the meta device), or some are NaN or infinite.
    """
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor, got {type(value).__name__}: torch.as_tensor makes one"
        )
    if not value.is_floating_point():
        raise TypeError(
            f"{name} must hold floating point numbers, got {value.dtype}: tensor.float() makes them"
        )
    if value.is_meta:
        raise ValueError(f"{name} has no values: it is on torch's meta device")
    if not value.numel():
        raise ValueError(f"{name} is empty: its shape is {tuple(value.shape)}")
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} holds values that are not numbers (NaN or infinite)")
