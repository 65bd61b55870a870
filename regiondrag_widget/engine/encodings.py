"""Latents of windows encoded lately: another seed, prompt or schedule does not encode them again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from torch import Tensor

from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.backbone import Backbone

__all__ = ["encoded_once"]

Float = npt.NDArray[np.float32]

KEPT = 8  # windows of one backbone, of some tens of kilobytes each

_known: WeakKeyDictionary[Backbone, OrderedDict[Hashable, Tensor]] = WeakKeyDictionary()
_lock = OrderedLock(Rank.REGISTRY)


def encoded_once(backbone: Backbone, working: Float, encode: Callable[[Float], Tensor]) -> Tensor:
    """The latents of a window, encoded unless this backbone has encoded the same pixels before.

    Parameters
    ----------
    backbone : Backbone
        Whose autoencoder makes them.
    working : (H, W, 3) float32 array
        The window's pixels.
    encode : callable
        Makes the latents.

    Returns
    -------
    (C, h, w) float32 Tensor
        Not to be written to.
    """
    digest = hashlib.blake2b(np.ascontiguousarray(working).tobytes(), digest_size=16).digest()
    key = (backbone.fingerprint(), working.shape, digest)
    with _lock:
        kept = _of(backbone)
        if key in kept:
            kept.move_to_end(key)
            return kept[key]
    latents = encode(working)
    with _lock:
        kept[key] = latents
        while len(kept) > KEPT:
            kept.popitem(last=False)
    return latents


def _of(backbone: Backbone) -> OrderedDict[Hashable, Tensor]:
    try:
        return _known.setdefault(backbone, OrderedDict())
    except TypeError:  # a backbone of the user's that cannot be referred to weakly: nothing is kept
        return OrderedDict()
