"""What a pair's handle carries, worked out from its packed mask, and kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from PIL import Image

from regiondrag_widget.imaging.carried import carried_in
from regiondrag_widget.imaging.carry import MATTES
from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.regions.codec import encode_mask
from regiondrag_widget.widget.outgoing import Carried
from regiondrag_widget.widget.regions_state import CHOSEN, Mask, PairEntry, Regions, read_mask

KEPT = 64  # answers, of a few kilobytes each


@dataclass(frozen=True)
class CarriedRequest:
    """A handle on a picture, and what of it is to be carried; equal ones have equal answers.

    Attributes
    ----------
    picture_rev
        The number of the picture.
    handle
        The packed handle, not empty.
    carry
        "object" or "painted", or the packed mask of what was chosen.
    """

    picture_rev: int
    handle: bytes
    carry: str | bytes

    @classmethod
    def of(cls, regions: Regions, entry: PairEntry, picture_rev: int, matte: str) -> CarriedRequest | None:
        """The request for a pair as drawn, or None while it has no handle."""
        handle = regions.masks.get(entry.handle_key, b"")
        if not handle:
            return None
        carry: str | bytes | None = entry.carry
        if carry == CHOSEN:
            carry = regions.masks.get(entry.chosen_key)
        return cls(picture_rev, handle, MATTES[matte] if carry is None else carry)


@dataclass(frozen=True)
class CarriedAnswer:
    """What a handle carries; the masks are packed.

    Attributes
    ----------
    mask
        What is carried.
    verdict, words
        Why, as `imaging.carry.VERDICTS` has it.
    larger
        The handle grown to the whole object, where that goes on beyond it.
    """

    mask: bytes
    verdict: str
    words: str
    larger: bytes | None

    def message(self, pair: str, rev: int) -> Carried:
        """As the page is told."""
        return Carried(pair, rev, self.verdict, self.words, self.mask, self.larger)


class CarriedAnswers:
    """Works answers out, and keeps the latest. Safe on any thread."""

    def __init__(self) -> None:
        self._lock = OrderedLock(Rank.REGISTRY)
        self._kept: OrderedDict[CarriedRequest, CarriedAnswer] = OrderedDict()

    def get(self, request: CarriedRequest, image: Image.Image) -> CarriedAnswer:
        """The answer to a request, on its picture; ``ValueError`` for a handle with no pixel."""
        with self._lock:
            known = self._kept.get(request)
            if known is not None:
                self._kept.move_to_end(request)
                return known
        answer = _answer(request, image)
        with self._lock:
            self._kept[request] = answer
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return answer

    def clear(self) -> None:
        """Forget all, as for another picture."""
        with self._lock:
            self._kept.clear()


def _answer(request: CarriedRequest, image: Image.Image) -> CarriedAnswer:
    shape = image.height, image.width
    handle = read_mask(request.handle, shape)
    if not handle.any():
        raise ValueError("handle is empty: draw what is to be moved")
    carry: str | Mask = "object"
    if isinstance(request.carry, str):
        carry = request.carry
    else:
        chosen = np.asarray(read_mask(request.carry, shape) & handle)
        carry = chosen if chosen.any() else carry
    found = carried_in(image, handle, carry)
    larger = None if found.larger is None else encode_mask(found.larger)
    return CarriedAnswer(encode_mask(found.mask), found.verdict, found.words, larger)
