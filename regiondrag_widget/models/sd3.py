"""Stable Diffusion 3 and 3.5: joint blocks, and in 3.5 medium a second attention of the picture alone."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.joint_attention import JointProcessor
from regiondrag_widget.models.placement import device_of
from regiondrag_widget.models.processors import for_installing_thread
from regiondrag_widget.models.prompt import warn_if_cut
from regiondrag_widget.models.references import References
from regiondrag_widget.models.tapped import tapped
from regiondrag_widget.models.transformer import TransformerBackbone, check_codec, scattered
from regiondrag_widget.models.transformer_network import TransformerNetwork

__all__ = ["SD3Backbone"]

T5_TOKENS = 256


class SD3Backbone(TransformerBackbone):
    """Stable Diffusion 3's autoencoder, transformer and schedule: see `TransformerBackbone`."""

    family = "Stable Diffusion 3"
    turbo = 4
    plain: ClassVar[set[str]] = {"JointAttnProcessor2_0", "FusedJointAttnProcessor2_0"}

    def __init__(self, vae: Any, transformer: Any, scheduler: Any, draft_vae: Any = None) -> None:
        check_codec(self.family, vae.config.get("latent_channels"), transformer.config.in_channels)
        super().__init__(vae, transformer, scheduler, draft_vae)

    @classmethod
    def encode_prompt(cls, components: dict[str, Any], prompt: str) -> Condition:
        """See `TransformerBackbone.encode_prompt`: two CLIP encoders, and T5, which may be left out.

        Raises
        ------
        ValueError
            One of the two CLIP encoders is missing.
        """
        from diffusers import StableDiffusion3Pipeline  # brings the text encoders' code along

        parts: dict[str, Any] = {
            f"{part}{n}": components.get(f"{part}{n}") for part in PARTS for n in ("", "_2", "_3")
        }
        for name in ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"):
            if parts[name] is None:
                raise ValueError(
                    f"{cls.family} needs its {name} to read a prompt: load the model with it "
                    "(text_encoder_3 alone may be left out)"
                )
        warn_if_cut(parts["tokenizer"], prompt, parts["tokenizer"].model_max_length, "its CLIP")
        if parts["text_encoder_3"] is not None:
            warn_if_cut(parts["tokenizer_3"], prompt, T5_TOKENS, "its T5")
        theirs = StableDiffusion3Pipeline(components["transformer"], None, None, **parts)
        embeds, _, pooled, _ = theirs.encode_prompt(
            prompt,
            prompt,
            prompt,
            device=device_of(parts["text_encoder"]),
            do_classifier_free_guidance=False,
            max_sequence_length=T5_TOKENS,
        )
        return Condition(embeds, {"pooled": pooled})

    def condition(self, embeds: Tensor | None, name: str = "prompt") -> Condition:
        """See `Backbone.condition`; this family reads a summary of the prompt beside its embeds.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError(f"{name}_embeds alone do not condition {self.family}: pass a {name}")

    def network(self, condition: Condition) -> TransformerNetwork:
        """See `Backbone.network`."""
        if getattr(self.transformer, "image_proj", None) is not None:
            raise ValueError(
                "an IP-Adapter is loaded, and an edit has no image prompt to give it: load the model without"
            )
        return super().network(condition)

    def sigmas(self, tokens: int, steps: int) -> list[float]:
        """See `TransformerBackbone.sigmas`; the pipeline leaves them to the scheduler."""
        return self.schedule.sigmas(steps, self.mu(tokens, steps))

    def velocity(
        self,
        x: Tensor,
        timesteps: Tensor,
        condition: Condition,
        where: Tensor | None,
        with_text: bool,
        **shown: References,
    ) -> Tensor:
        """See `TransformerBackbone.velocity`."""
        assert condition.added is not None
        batch, tokens, net = len(x), self.tokens(*x.shape[-2:]), self.called(partly=where is not None)
        some: Any = nullcontext()
        if where is not None:
            # tokens are made of latents, and latents of tokens, inside the transformer
            some = tapped(
                {
                    net.pos_embed: lambda placed: placed[:, where],
                    net.proj_out: lambda out: scattered(out, where, tokens),
                }
            )
        with some:
            out: Tensor = net(
                hidden_states=x,
                encoder_hidden_states=condition.embeds[:, : None if with_text else 0].expand(batch, -1, -1),
                pooled_projections=condition.added["pooled"].expand(batch, -1),
                timestep=timesteps,
                return_dict=False,
            )[0]
        return out

    def kept_tokens(self, layer: str, image: int, text: int) -> int:
        """See `TransformerBackbone.kept_tokens`; the second attention of a block sees the image alone."""
        return image + (0 if layer.endswith(".attn2") else text)

    def processor_of(self, module: Any) -> JointProcessor:
        """See `TransformerBackbone.processor_of`."""
        return JointBlock()


PARTS = ("text_encoder", "tokenizer")


class JointBlock(JointProcessor):
    """diffusers' `JointAttnProcessor2_0`, whose keys and values may be exchanged.

    Its order is image before text, and here text before image, which makes no difference to attention.
    """

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        image = _projected(attn, hidden_states, ("to_q", "to_k", "to_v"), ("norm_q", "norm_k"))
        if encoder_hidden_states is None:  # the second attention
            return _image_out(attn, self.attend(*image))
        added = ("add_q_proj", "add_k_proj", "add_v_proj")
        words = _projected(attn, encoder_hidden_states, added, ("norm_added_q", "norm_added_k"))
        out = self.attend(*(torch.cat([w, i], 1) for w, i in zip(words, image, strict=True)))
        text = encoder_hidden_states.shape[1]
        text_out = out[:, :text] if attn.context_pre_only else attn.to_add_out(out[:, :text])
        return _image_out(attn, out[:, text:]), text_out


def _projected(attn: Any, tokens: Tensor, layers: tuple[str, ...], norms: tuple[str, ...]) -> list[Tensor]:
    """Queries, keys and values (B, n, heads, width) of tokens (B, n, C)."""
    found = [getattr(attn, layer)(tokens).unflatten(-1, (attn.heads, -1)) for layer in layers]
    for index, name in enumerate(norms):
        norm = getattr(attn, name, None)
        found[index] = found[index] if norm is None else norm(found[index])
    return found


def _image_out(attn: Any, out: Tensor) -> Tensor:
    return attn.to_out[1](attn.to_out[0](out))  # type: ignore[no-any-return]
