"""FLUX.1 dev, schnell and Kontext: joint blocks, then single ones; a token is 2 x 2 cells of the latents."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.joint_attention import JointProcessor
from regiondrag_widget.models.placement import device_of
from regiondrag_widget.models.processors import for_installing_thread
from regiondrag_widget.models.profile import BackboneProfile
from regiondrag_widget.models.prompt import warn_if_cut
from regiondrag_widget.models.references import References
from regiondrag_widget.models.transformer import SIDE, TransformerBackbone, check_codec, scattered

__all__ = ["FluxBackbone", "FluxBlock"]

GUIDANCE = 3.5  # what diffusers' pipeline tells dev


class FluxBackbone(TransformerBackbone):
    """FLUX.1's autoencoder, transformer and schedule: see `TransformerBackbone`.

    Kontext edits as dev does, and is shown a reference picture by `content="positions"` alone.
    """

    family = "FLUX.1"
    plain: ClassVar[set[str]] = {"FluxAttnProcessor"}

    def __init__(self, vae: Any, transformer: Any, scheduler: Any, draft_vae: Any = None) -> None:
        config = transformer.config
        takes, gives = config.in_channels, config.out_channels or config.in_channels
        if takes != gives:
            raise ValueError(
                f"this transformer takes {takes} channels and gives {gives}: it reads a map or a mask (Fill, "
                "Depth, Canny); use FLUX.1 dev, schnell or Kontext"
            )
        check_codec(self.family, vae.config.get("latent_channels"), takes // 4)
        super().__init__(vae, transformer, scheduler, draft_vae)

    @classmethod
    def encode_prompt(cls, components: dict[str, Any], prompt: str) -> Condition:
        """See `TransformerBackbone.encode_prompt`: T5's tokens, and CLIP's pooled ones."""
        from diffusers import FluxPipeline  # brings the text encoders' code along

        clip, t5 = components["text_encoder"], components["text_encoder_2"]
        if clip is None or t5 is None:
            raise ValueError(
                "FLUX.1 reads a prompt by text_encoder and text_encoder_2: one of them is missing"
            )
        limit = 512 if components["transformer"].config.guidance_embeds else 256  # schnell was trained with
        warn_if_cut(components["tokenizer_2"], prompt, limit)
        theirs = FluxPipeline(None, None, clip, components["tokenizer"], t5, components["tokenizer_2"], None)
        embeds, pooled, _ = theirs.encode_prompt(prompt, device=device_of(t5), max_sequence_length=limit)
        return Condition(embeds, {"pooled": pooled})

    @property
    def told_guidance(self) -> bool:
        """Whether the transformer is told its guidance, as dev and Kontext are."""
        return bool(self.transformer.config.guidance_embeds)

    @property
    def profile(self) -> BackboneProfile:
        """20 levels of which about half are visited; schnell has 4."""
        defaults: dict[str, Any] = {"steps": 20, "start": 0.5, "stop": 0.2, "crop": True}
        if self.told_guidance:
            defaults["guidance_scale"] = GUIDANCE
        else:
            defaults["steps"] = 4
        return BackboneProfile(side=SIDE, min_side=512, defaults=defaults)

    def condition(self, embeds: Tensor | None, name: str = "prompt") -> Condition:
        """See `TransformerBackbone.condition`.

        Raises
        ------
        ValueError
            Always: the transformer needs CLIP's pooled embeds too.
        """
        raise ValueError(f"{name}_embeds alone do not condition FLUX.1: pass a {name}")

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
        batch = len(x)
        folded = F.pixel_unshuffle(x, 2)  # (B, 4 C, h / 2, w / 2)
        height, width = folded.shape[-2:]
        tokens, places = folded.flatten(2).transpose(1, 2), image_places(height, width, x.device)
        if where is not None:
            tokens, places = tokens[:, where], places[where]
        live = tokens.shape[1]
        if "references" in shown:
            beside, addresses = self._shown(shown["references"], x)
            tokens = torch.cat([tokens, beside.expand(batch, -1, -1)], 1)
            places = torch.cat([places, addresses])
        text = condition.embeds[:, : None if with_text else 0].expand(batch, -1, -1)
        assert condition.added is not None
        guidance = None
        if self.told_guidance:
            told = GUIDANCE if condition.guidance is None else condition.guidance
            guidance = x.new_full((batch,), told, dtype=torch.float32)
        out = self.transformer(
            hidden_states=tokens,
            timestep=timesteps / 1000,
            guidance=guidance,
            pooled_projections=condition.added["pooled"].expand(batch, -1),
            encoder_hidden_states=text,
            txt_ids=torch.zeros(text.shape[1], 3, device=x.device),
            img_ids=places,
            return_dict=False,
        )[0][:, :live]
        velocity = scattered(out, where, height * width).transpose(1, 2)
        return F.pixel_shuffle(velocity.reshape(batch, -1, height, width), 2)

    @property
    def reads_references(self) -> bool:  # type: ignore[override]
        """Whether reference pictures are read: Kontext does, and cannot be told from dev by its parts."""
        return self.told_guidance

    def _shown(self, references: References, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reference tokens (1, n, C) and their positions (n, 3)."""
        folded = F.pixel_unshuffle(references.latents[None], 2)
        tokens = folded.flatten(2).transpose(1, 2).to(x)[:, references.tokens]
        return tokens, image_places(folded.shape[2], folded.shape[3], x.device, 1)[references.places]

    def processor_of(self, module: Any) -> JointProcessor:
        """See `TransformerBackbone.processor_of`."""
        return FluxBlock()


def image_places(height: int, width: int, device: torch.device, picture: int = 0) -> Tensor:
    """(height * width, 3) positions of image tokens: 0 for the edit and 1 for a reference, row, column."""
    ranges = [torch.tensor([picture]), torch.arange(height), torch.arange(width)]
    return torch.cartesian_prod(*ranges).to(device, torch.float32)


class FluxBlock(JointProcessor):
    """diffusers' `FluxAttnProcessor`, whose keys and values may be exchanged."""

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Any:
        """The layer's output for the image tokens and, in a joint block, for the text's."""
        names = ("to_q", "to_k", "to_v")
        query, key, value = _projected(attn, hidden_states, "to_qkv", names)
        query, key = attn.norm_q(query), attn.norm_k(key)
        if encoder_hidden_states is not None:  # in a single block the text stands before the image already
            names = ("add_q_proj", "add_k_proj", "add_v_proj")
            words = _projected(attn, encoder_hidden_states, "to_added_qkv", names)
            query = torch.cat([attn.norm_added_q(words[0]), query], 1)
            key = torch.cat([attn.norm_added_k(words[1]), key], 1)
            value = torch.cat([words[2], value], 1)
        query, key = (apply_rotary_emb(t, image_rotary_emb, sequence_dim=1) for t in (query, key))
        out = self.attend(query, key, value)
        if encoder_hidden_states is None:
            return out
        text = encoder_hidden_states.shape[1]
        image_out: Tensor = attn.to_out[1](attn.to_out[0](out[:, text:]))
        return image_out, attn.to_add_out(out[:, :text])


def _projected(attn: Any, hidden: Tensor, fused: str, names: tuple[str, ...]) -> list[Tensor]:
    """Queries, keys and values (B, tokens, heads, width), where the layer's projections may be fused."""
    if attn.fused_projections:
        parts = getattr(attn, fused)(hidden).chunk(3, dim=-1)
    else:
        parts = [getattr(attn, name)(hidden) for name in names]
    return [t.unflatten(-1, (-1, attn.head_dim)) for t in parts]
