"""What an engine needs of a network, whatever its family: two protocols and the condition they share.

A `Backbone` is an autoencoder, a network and a noise schedule. A `Network` is that network under one
condition, as the inversion and the reverse pass call it. Nothing here is peculiar to a UNet or to a variance
preserving schedule: `tests/unit/models/test_backbone.py` runs a whole edit on a flow without convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from regiondrag_widget.models.attention import AttentionSwap
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.levels import Levels, PredictionType

__all__ = ["Backbone", "Condition", "Network", "Predict", "check_swap", "inpaints", "told_picture"]

Predict: TypeAlias = "Callable[[int, float, Tensor], Tensor]"
"""predict(k, timestep, x): the output at latents x (1, C, h, w), with the keys and values of level k."""


@dataclass(frozen=True)
class Condition:
    """What a network is conditioned on.

    Attributes
    ----------
    embeds : (1, tokens, dim) Tensor
        Text embeds.
    added : dict of Tensor, optional
        What a family adds to them, by name, one row each (SDXL's pooled text and sizes).
    guidance : float, optional
        The guidance that a network distilled for it is told; None for others.
    images : tuple of Tensor
        What IP-Adapters are told, one tensor of each: see `ImagePrompt`.
    """

    embeds: Tensor
    added: dict[str, Tensor] | None = None
    guidance: float | None = None
    images: tuple[Tensor, ...] = ()


class Network(Protocol):
    """A backbone's network under one condition.

    Attributes
    ----------
    prediction_type : PredictionType
        What the output stands for: see `levels.clean_and_noise`.
    calls : int
        Network calls made so far.
    """

    prediction_type: PredictionType
    calls: int

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The network's output, float32, at latents (B, C, h, w) float32 and (B,) timesteps."""

    def capture(self, x: Tensor, timesteps: Tensor, cache: KeyValueCache) -> Tensor:
        """The same, every self-attention's keys and values appended to `cache`."""

    def inject(
        self,
        cache: KeyValueCache,
        swap: AttentionSwap,
        hidden: Tensor | None,
        masked_queries: Tensor | None,
    ) -> AbstractContextManager[Predict]:
        """Predictions that read the inversion's keys and values.

        Entered again for every step; with the same arguments it should reuse what it made.

        Parameters
        ----------
        cache : KeyValueCache
            What `capture` filled, or a `SourcePath`: then the source is computed beside the edit.
        swap : AttentionSwap
            The layers that read it.
        hidden : (h, w) bool Tensor, optional
            Latent cells whose keys may not be looked at.
        masked_queries : (h, w) bool Tensor, optional
            The cells that may not look at them; every cell when left out.
        """

    def batch_size(self, height: int, width: int) -> int:
        """How many latents of (height, width) cells one call may take."""

    def level_bytes(self, height: int, width: int) -> int:
        """Bytes of the keys and values of one level, for latents of (height, width) cells."""


def check_swap(network: Network, swap: AttentionSwap, *, gathers: bool = False, lives: bool = False) -> None:
    """Ask a network that has a say in it whether its layers can read an inversion's keys and values.

    Parameters
    ----------
    network : Network
        Its method `check_swap`, where it has one, raises what is wrong.
    swap : AttentionSwap
        Which layers are to read them.
    gathers : bool
        Whether they are to move along with the content.
    lives : bool
        Whether cells that are computed are to read each other as they are.

    Raises
    ------
    ValueError
        They cannot.
    """
    if lives and not getattr(network, "computes_cells", False):
        raise ValueError(
            "attention_swap='live' is for transformers, which compute any tokens alone: choose another "
            "attention_swap"
        )
    if gathers and getattr(network, "computes_cells", False):
        raise ValueError(
            "attention_swap='gathered' would move keys that a transformer has told their positions: choose "
            "another attention_swap"
        )
    check = getattr(network, "check_swap", None)
    if check is not None:
        check(swap)


def inpaints(network: Network) -> bool:
    """Whether a network is told a picture and its hole beside the noised latents: see `told_picture`."""
    return bool(getattr(network, "inpaints", False))


def told_picture(
    network: Network, clean: Tensor, hole: Tensor | None = None, source: Tensor | None = None
) -> Network:
    """The network that is told a picture and what of it is a hole; the network itself unless it inpaints.

    Parameters
    ----------
    network : Network
        Its method `told_picture` takes the same where it inpaints.
    clean : (C, h, w) Tensor
        Clean latents of the picture, whose hole is grey.
    hole : (h, w) bool Tensor, optional
        The cells of the hole; none when left out.
    source : (C, h, w) Tensor, optional
        Clean latents of another picture, without a hole, whose rows come first in a batch of two.
    """
    if not inpaints(network):
        return network
    made: Network = network.told_picture(clean, hole, source)  # type: ignore[attr-defined]
    return made


class Backbone(Protocol):
    """An autoencoder, a network and a noise schedule.

    Latents are float32 (B, C, h, w), scaled as the network expects; pictures float32 (B, 3, H, W) in [-1, 1].
    """

    @property
    def device(self) -> torch.device:
        """Where the network computes."""

    @property
    def dtype(self) -> torch.dtype:
        """The number format the network computes in."""

    @property
    def channels(self) -> int:
        """C, the channels of the latents."""

    @property
    def cell(self) -> int:
        """Pixels a side of one latent cell."""

    @property
    def multiple(self) -> int:
        """Working sizes are multiples of this many pixels."""

    @property
    def replays(self) -> bool:
        """Whether calls are replayed at fixed shapes, so that a crop of another size costs a recording."""

    @property
    def acceleration(self) -> str:
        """How calls are made, in words."""

    @property
    def has_draft_codec(self) -> bool:
        """Whether drafts are encoded and decoded by another, smaller autoencoder."""

    def encode(self, pixels: Tensor) -> Tensor:
        """Pictures to latents; the most likely ones where the autoencoder gives a distribution."""

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pictures in [-1, 1], but for overshoot."""

    def encode_draft(self, pixels: Tensor) -> Tensor:
        """`encode` by the draft codec where there is one; compare its latents with its own alone."""

    def decode_draft(self, latents: Tensor) -> Tensor:
        """`decode` by the draft codec where there is one."""

    def levels(
        self,
        steps: int,
        start: float,
        timesteps: Sequence[float] | None = None,
        *,
        released: bool = False,
        size: tuple[int, int] | None = None,
    ) -> Levels:
        """The levels of noise an edit visits, cleanest first.

        Parameters
        ----------
        steps, start
            Levels of the whole schedule, from 1, and the fraction of it in (0, 1] that the edit begins at.
        timesteps : sequence of float, optional
            The levels themselves, cleanest first.
        released : bool
            As the released RegionDrag code has them.
        size : (int, int), optional
            Height and width of the latents in cells, which some schedules depend on.

        Raises
        ------
        ValueError
            Values out of range, timesteps that do not rise, levels this backbone does not have.
        """

    def condition(self, embeds: Tensor | None, name: str = "prompt") -> Condition:
        """The condition of text embeds (1, tokens, dim); None for a network that takes no text.

        Parameters
        ----------
        embeds : (1, tokens, dim) Tensor or None
            The embeds.
        name : str
            The prompt that they stand for, as messages call it.

        Raises
        ------
        ValueError
            Embeds of another width, or that do not suffice.
        """

    def network(self, condition: Condition) -> Network:
        """The network under a condition."""

    def fingerprint(self) -> tuple[object, ...]:
        """Equal as long as network and autoencoder compute the same."""
