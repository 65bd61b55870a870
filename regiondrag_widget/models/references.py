"""Tokens of a reference picture, and the positions at which a network is shown them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from regiondrag_widget.models.backbone import Network

__all__ = ["References", "check_reads_references", "referring", "with_picture"]


@dataclass(frozen=True)
class References:
    """Tokens of a clean picture of the same size as the edit's.

    Attributes
    ----------
    latents : (C, h, w) Tensor
        The picture.
    tokens, places : (n,) int64 Tensor
        Which of its tokens are shown, and where, both counted row by row.
    """

    latents: Tensor
    tokens: Tensor
    places: Tensor


def check_reads_references(network: Any) -> None:
    """Ask whether a network can be shown a reference picture.

    Raises
    ------
    ValueError
        It cannot.
    """
    if not getattr(network, "reads_references", False):
        raise ValueError(
            'content="positions" needs a model that reads reference pictures: FLUX.2 klein, FLUX.1 Kontext '
            "or Qwen-Image-Edit"
        )


def referring(network: Network, references: References) -> Network:
    """The network that is shown a reference picture beside the latents at every call.

    Raises
    ------
    ValueError
        It reads none.
    """
    check_reads_references(network)
    made: Network = network.referring(references)  # type: ignore[attr-defined]
    return made


def with_picture(network: Network, clean: Tensor) -> Network:
    """The network that is shown the picture beside the latents, where it always is; otherwise the network.

    Parameters
    ----------
    network : Network
        Its method `with_picture` takes the same where it is `pictured`.
    clean : (C, h, w) Tensor
        The picture.
    """
    if not getattr(network, "pictured", False):
        return network
    made: Network = network.with_picture(clean)  # type: ignore[attr-defined]
    return made
