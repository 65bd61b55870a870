"""Classifier-free guidance: a network under a prompt and under a negative one, as one network.

Both predictions are made at every level, in the inversion and in the edit, where each reads the keys and
values of its own inversion. So the residuals are those of the guided prediction, and an edit that changes
nothing gives the picture back at any guidance. It costs twice the calls and twice the keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from torch import Tensor

from regiondrag_widget.models.attention import AttentionSwap
from regiondrag_widget.models.backbone import Network, Predict, check_swap, inpaints, told_picture
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.levels import PredictionType
from regiondrag_widget.models.references import References, referring, with_picture

__all__ = ["GuidedNetwork", "guided"]

Combine: TypeAlias = "Callable[[Tensor, Tensor, float], Tensor]"


class GuidedNetwork:
    """Two networks that differ by their condition alone: see `Network`.

    The prediction is u + scale (p - u), of p under the prompt and u under the negative one (Ho, Salimans
    2022), whatever it stands for: all prediction types are linear in it.

    Parameters
    ----------
    prompted, negative : Network
        The network under the prompt and under the negative prompt.
    scale : float
        The guidance; 1 is the prompt alone.
    combine : callable, optional
        Makes the guided prediction of p, u and the scale where a family has a rule of its own.

    Attributes
    ----------
    calls : int
        Network calls made so far, of both.
    """

    def __init__(
        self, prompted: Network, negative: Network, scale: float, combine: Combine | None = None
    ) -> None:
        self.prompted, self.negative, self.scale = prompted, negative, scale
        self._combine = combine or guided
        self.prediction_type: PredictionType = prompted.prediction_type
        self.calls = 0

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """See `Network.predict`."""
        return self._guided(self.prompted.predict(x, timesteps), self.negative.predict(x, timesteps))

    def capture(self, x: Tensor, timesteps: Tensor, cache: KeyValueCache) -> Tensor:
        """See `Network.capture`; those of the negative prompt go to `cache.negative`."""
        if cache.negative is None:
            cache.negative = cache.twin()
        prompted = self.prompted.capture(x, timesteps, cache)
        return self._guided(prompted, self.negative.capture(x, timesteps, cache.negative))

    def check_swap(self, swap: AttentionSwap) -> None:
        """See `backbone.check_swap`."""
        check_swap(self.prompted, swap)

    @property
    def reads_references(self) -> bool:
        """Whether it can be shown a reference picture."""
        return bool(getattr(self.prompted, "reads_references", False))

    def referring(self, references: References) -> GuidedNetwork:
        """See `references.referring`."""
        prompted, negative = (referring(network, references) for network in (self.prompted, self.negative))
        return GuidedNetwork(prompted, negative, self.scale, self._combine)

    @property
    def pictured(self) -> bool:
        """Whether it is always shown the picture beside the latents."""
        return bool(getattr(self.prompted, "pictured", False))

    def with_picture(self, clean: Tensor) -> GuidedNetwork:
        """See `references.with_picture`."""
        prompted, negative = (with_picture(network, clean) for network in (self.prompted, self.negative))
        return GuidedNetwork(prompted, negative, self.scale, self._combine)

    @property
    def computes_cells(self) -> bool:
        """Whether `inject` takes `open_cells`, as transformers do."""
        return bool(getattr(self.prompted, "computes_cells", False))

    @property
    def inpaints(self) -> bool:
        """See `backbone.inpaints`."""
        return inpaints(self.prompted)

    def told_picture(self, clean: Tensor, hole: Tensor | None, source: Tensor | None) -> GuidedNetwork:
        """See `backbone.told_picture`."""
        prompted = told_picture(self.prompted, clean, hole, source)
        negative = told_picture(self.negative, clean, hole, source)
        return GuidedNetwork(prompted, negative, self.scale, self._combine)

    def inject(
        self,
        cache: KeyValueCache,
        swap: AttentionSwap,
        hidden: Tensor | None,
        masked_queries: Tensor | None,
        **cells: Any,
    ) -> AbstractContextManager[Predict]:
        """See `Network.inject`."""
        return self._injected(cache, swap, hidden, masked_queries, cells)

    @contextmanager
    def _injected(
        self,
        cache: KeyValueCache,
        swap: AttentionSwap,
        hidden: Tensor | None,
        masked_queries: Tensor | None,
        cells: dict[str, Any],
    ) -> Iterator[Predict]:
        # a cache that keeps nothing is the source itself, which serves both
        halves = (self.prompted, cache), (self.negative, cache if cache.negative is None else cache.negative)

        def predict(k: int, timestep: float, x: Tensor) -> Tensor:
            outputs = []
            for network, kept in halves:  # one after the other: a network may have one cache installed
                with network.inject(kept, swap, hidden, masked_queries, **cells) as predicted:
                    outputs.append(predicted(k, timestep, x))
            return self._guided(*outputs)

        yield predict

    def batch_size(self, height: int, width: int) -> int:
        """See `Network.batch_size`."""
        return self.prompted.batch_size(height, width)

    def level_bytes(self, height: int, width: int) -> int:
        """See `Network.level_bytes`."""
        return self.prompted.level_bytes(height, width) + self.negative.level_bytes(height, width)

    def _guided(self, prompted: Tensor, negative: Tensor) -> Tensor:
        self.calls = self.prompted.calls + self.negative.calls
        return self._combine(prompted, negative, self.scale)


def guided(prompted: Tensor, negative: Tensor, scale: float) -> Tensor:
    """The guided prediction of those under the prompt and the negative one."""
    return negative + scale * (prompted - negative)
