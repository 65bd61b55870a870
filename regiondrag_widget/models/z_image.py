"""Z-Image and Z-Image-Turbo: one stream of image and text; both are filled up to multiples of 32 tokens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.joint_attention import JointProcessor
from regiondrag_widget.models.placement import device_of
from regiondrag_widget.models.processors import for_installing_thread, installed
from regiondrag_widget.models.profile import BackboneProfile
from regiondrag_widget.models.prompt import warn_if_cut
from regiondrag_widget.models.references import References
from regiondrag_widget.models.transformer import SIDE, TransformerBackbone, check_codec, scattered

__all__ = ["ZImageBackbone"]

TEXT_TOKENS = 512
FILLED = 32  # image and text are filled up to multiples of this many tokens
TURBO_SHIFT = 3.0  # the schedule of the weights distilled to 8 steps; the others' is shifted by 6


class ZImageBackbone(TransformerBackbone):
    """Z-Image's autoencoder, transformer and schedule: see `TransformerBackbone`.

    What fills the image up to a multiple of 32 tokens sees the image and is no part of it. It is counted as
    text here.
    """

    family = "Z-Image"
    plain: ClassVar[set[str]] = {"ZSingleStreamAttnProcessor"}

    def __init__(self, vae: Any, transformer: Any, scheduler: Any, draft_vae: Any = None) -> None:
        if transformer.config.get("siglip_feat_dim") is not None:
            raise ValueError("this transformer is Z-Image-Omni's, which reads pictures: use Z-Image's")
        check_codec(self.family, vae.config.get("latent_channels"), transformer.config.in_channels)
        self._live = _Live()
        super().__init__(vae, transformer, scheduler, draft_vae)

    @classmethod
    def encode_prompt(cls, components: dict[str, Any], prompt: str) -> Condition:
        """See `TransformerBackbone.encode_prompt`: Qwen3, as diffusers' pipeline talks to it."""
        from diffusers import ZImagePipeline  # brings the text encoder's code along

        encoder, tokenizer = components["text_encoder"], components["tokenizer"]
        warn_if_cut(tokenizer, prompt, TEXT_TOKENS - 16)  # the chat's own words take some
        theirs = ZImagePipeline(None, None, encoder, tokenizer, None)
        embeds, _ = theirs.encode_prompt(
            prompt,
            device=device_of(encoder),
            do_classifier_free_guidance=False,
            max_sequence_length=TEXT_TOKENS,
        )
        return Condition(embeds[0][None])

    @property
    def profile(self) -> BackboneProfile:
        """8 levels for the weights that are distilled to so many, as their schedule tells; otherwise 20."""
        turbo = float(self.schedule.config.get("shift") or 0) == TURBO_SHIFT
        defaults = {"steps": 8 if turbo else 20, "start": 0.5, "stop": 0.2, "crop": True}
        return BackboneProfile(side=SIDE, min_side=512, defaults=defaults)

    def width(self) -> int:
        """See `TransformerBackbone.width`."""
        return int(self.transformer.config.dim)

    def attention_layers(self, found: dict[str, Any]) -> dict[str, Any]:
        """The layers that see the image; those that prepare the text alone do not."""
        return {name: module for name, module in found.items() if not name.startswith("context_refiner.")}

    def kept_tokens(self, layer: str, image: int, text: int) -> int:
        """See `TransformerBackbone.kept_tokens`; both are filled up, and the first layers see no text."""
        image, text = (-(-count // FILLED) * FILLED for count in (image, text))
        return image + (0 if layer.startswith("noise_refiner.") else text)

    def text_width(self) -> int:
        """Width of text embeds."""
        return int(self.transformer.config.cap_feat_dim)

    def velocity(
        self,
        x: Tensor,
        timesteps: Tensor,
        condition: Condition,
        where: Tensor | None,
        with_text: bool,
        **shown: References,
    ) -> Tensor:
        """See `TransformerBackbone.velocity`; the network gives clean - e, and is told 1 - sigma."""
        batch = len(x)
        self._live.count = self.tokens(*x.shape[-2:]) if where is None else len(where)
        net = self.called(partly=not with_text)
        with nullcontext() if with_text else _image_alone(net, where):
            out = net(
                list(x[:, :, None].unbind(0)),
                1 - timesteps / 1000,
                [condition.embeds[0]] * batch,
                return_dict=False,
            )[0]
        return -torch.stack(list(out))[:, :, 0]

    def processor_of(self, module: Any) -> JointProcessor:
        """See `TransformerBackbone.processor_of`."""
        return SingleStream(self._live)


class _Live:
    """How many image tokens the present call computes; they are the first of the stream."""

    count = 0


@contextmanager
def _image_alone(net: Any, where: Tensor | None) -> Iterator[None]:
    """While open, this thread's calls compute image tokens alone: no text, and nothing that fills up.

    Parameters
    ----------
    net : ZImageTransformer2DModel
        Its own way from latents to tokens and back is used.
    where : (n,) int64 Tensor, optional
        The image tokens to compute; all when left out.
    """
    me, cut, joined = threading.get_ident(), net.patchify_and_embed, net.unpatchify
    found: dict[str, Any] = {}

    def fewer(images: list[Tensor], captions: list[Tensor], patch: int, *rest: int) -> Any:
        given = cut(images, captions, patch, *rest)
        if threading.get_ident() != me:
            return given
        image, text, sizes, places, text_places, filling, text_filling = given
        found["tokens"] = tokens = images[0].shape[-2] // patch * (images[0].shape[-1] // patch)
        some = slice(tokens) if where is None else where
        return (
            [t[some] for t in image],
            [t[:0] for t in text],
            sizes,
            [t[some] for t in places],
            [t[:0] for t in text_places],
            [t[some] for t in filling],
            [t[:0] for t in text_filling],
        )

    def whole(x: list[Tensor], *rest: Any) -> Any:
        if threading.get_ident() == me:
            x = [scattered(t[None], where, found["tokens"])[0] for t in x]
        return joined(x, *rest)

    net.patchify_and_embed, net.unpatchify = fewer, whole
    try:
        with installed((block.attention, _NoText()) for block in net.context_refiner):
            yield
    finally:
        del net.patchify_and_embed, net.unpatchify


class _NoText:
    """Stands in for attention among no tokens, which diffusers' processor cannot compute."""

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        freqs_cis: Tensor | None = None,  # by name: diffusers looks for it and warns
    ) -> Tensor:
        return hidden_states


class SingleStream(JointProcessor):
    """diffusers' `ZSingleStreamAttnProcessor`, whose keys and values may be exchanged.

    Its order is image before text, and here text before image, which makes no difference to attention.

    Parameters
    ----------
    live : _Live, optional
        How many of the tokens are the image's; all when left out.
    """

    def __init__(self, live: _Live | None = None) -> None:
        self._live = live

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        freqs_cis: Tensor | None = None,
    ) -> Tensor:
        parts = [
            to(hidden_states).unflatten(-1, (attn.heads, -1)) for to in (attn.to_q, attn.to_k, attn.to_v)
        ]
        for index, norm in enumerate((attn.norm_q, attn.norm_k)):
            placed = parts[index] if norm is None else norm(parts[index])
            parts[index] = placed if freqs_cis is None else _turned(placed, freqs_cis)
        tokens = hidden_states.shape[1]
        image = tokens if self._live is None else self._live.count
        out = self.attend(*(t.roll(-image, 1) for t in parts)).roll(image, 1)
        out = attn.to_out[0](out)
        return attn.to_out[1](out) if len(attn.to_out) > 1 else out  # type: ignore[no-any-return]


def _turned(t: Tensor, turns: Tensor) -> Tensor:
    """Turned by the tokens' positions, (B, n, width / 2) complex."""
    with torch.amp.autocast("cuda", enabled=False):
        pairs = torch.view_as_complex(t.float().unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * turns.unsqueeze(2)).flatten(3).type_as(t)
