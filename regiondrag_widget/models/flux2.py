"""FLUX.2 klein: joint blocks, then parallel ones; a cell of the latents is a token of 16 px."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.flux import FluxBlock
from regiondrag_widget.models.joint_attention import JointProcessor
from regiondrag_widget.models.placement import device_of
from regiondrag_widget.models.processors import for_installing_thread
from regiondrag_widget.models.profile import BackboneProfile
from regiondrag_widget.models.prompt import warn_if_cut
from regiondrag_widget.models.references import References
from regiondrag_widget.models.transformer import SIDE, TransformerBackbone, check_codec, scattered

__all__ = ["Flux2Backbone"]

TEXT_TOKENS = 512
REFERENCE_TIME = 10  # of the first reference picture; the edit's own is 0


class Flux2Backbone(TransformerBackbone):
    """FLUX.2 klein's autoencoder, transformer and schedule: see `TransformerBackbone`.

    The autoencoder's 32 channels at 8 px are folded 2 x 2 and normed as one, so a cell has 128 channels.
    """

    family = "FLUX.2 klein"
    plain: ClassVar[set[str]] = {
        "Flux2AttnProcessor",
        "Flux2KVAttnProcessor",
        "Flux2ParallelSelfAttnProcessor",
        "Flux2KVParallelSelfAttnProcessor",
    }
    patch = 1
    folding: ClassVar[int] = 2  # cells of the autoencoder a side of one of the latents
    reads_references = True

    def __init__(self, vae: Any, transformer: Any, scheduler: Any, draft_vae: Any = None) -> None:
        if transformer.config.guidance_embeds:
            raise ValueError(
                "this transformer is told its guidance, as FLUX.2 dev is, whose text encoder is another: use "
                "FLUX.2 klein"
            )
        check_codec(
            self.family, vae.config.get("latent_channels"), transformer.config.in_channels // self.folding**2
        )
        super().__init__(vae, transformer, scheduler, draft_vae)

    @classmethod
    def encode_prompt(cls, components: dict[str, Any], prompt: str) -> Condition:
        """See `TransformerBackbone.encode_prompt`: of three layers of Qwen3, as diffusers' pipeline does."""
        from diffusers import Flux2KleinPipeline  # brings the text encoder's code along

        encoder, tokenizer = components["text_encoder"], components["tokenizer"]
        warn_if_cut(tokenizer, prompt, TEXT_TOKENS - 16)  # the chat's own words take some
        theirs = Flux2KleinPipeline(None, None, encoder, tokenizer, None)
        embeds, _ = theirs.encode_prompt(prompt, device=device_of(encoder), max_sequence_length=TEXT_TOKENS)
        return Condition(embeds)

    @property
    def profile(self) -> BackboneProfile:
        """8 levels, of which an edit visits the lowest 2: sigma 0.51 and 0.71 at 512 px, its last of 4."""
        defaults = {"steps": 8, "start": 0.6, "stop": 0.2, "crop": True}
        return BackboneProfile(side=SIDE, min_side=512, defaults=defaults)

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.transformer.config.in_channels)

    @property
    def cell(self) -> int:
        """Pixels a side of one latent cell."""
        return self.folding * super().cell

    def mu(self, tokens: int, steps: int) -> float | None:
        """See `TransformerBackbone.mu`; it depends on the steps too."""
        from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

        return float(compute_empirical_mu(tokens, steps))

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
        batch, _, height, width = x.shape
        tokens, places = x.flatten(2).transpose(1, 2), image_places(height, width, x.device)
        if where is not None:
            tokens, places = tokens[:, where], places[where]
        live = tokens.shape[1]
        if "references" in shown:
            beside, addresses = self._shown(shown["references"], x)
            tokens = torch.cat([tokens, beside.expand(batch, -1, -1)], 1)
            places = torch.cat([places, addresses])
        text = condition.embeds[:, : None if with_text else 0].expand(batch, -1, -1)
        out = self.transformer(
            hidden_states=tokens,
            timestep=timesteps / 1000,
            guidance=None,
            encoder_hidden_states=text,
            txt_ids=text_places(text.shape[1], x.device),
            img_ids=places,
            return_dict=False,
        )[0][:, :live]
        velocity: Tensor = scattered(out, where, height * width).transpose(1, 2)
        return velocity.reshape(batch, -1, height, width)

    def _shown(self, references: References, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reference tokens (1, n, C) and their positions (n, 4)."""
        tokens = references.latents.flatten(1).T.to(x)[None, references.tokens]
        return tokens, image_places(x.shape[2], x.shape[3], x.device, REFERENCE_TIME)[references.places]

    def processor_of(self, module: Any) -> JointProcessor:
        """See `TransformerBackbone.processor_of`."""
        return ParallelBlock() if hasattr(module, "to_qkv_mlp_proj") else FluxBlock()

    def scaled(self, vae: Any, raw: Tensor) -> Tensor:
        """Folded 2 x 2 and normed by the means and deviations that the autoencoder has learned."""
        mean, deviation = _statistics(vae, raw)
        return (F.pixel_unshuffle(raw, 2) - mean) / deviation

    def unscaled(self, vae: Any, latents: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        mean, deviation = _statistics(vae, latents)
        return F.pixel_shuffle(latents * deviation + mean, 2)

    def set_draft_vae(self, draft_vae: Any) -> None:
        """See `TransformerBackbone.set_draft_vae`; there is none whose latents are known to be the same."""
        if draft_vae is not None:
            raise ValueError("no small autoencoder is known for FLUX.2's latents: leave draft_vae out")
        self.draft_vae = None


def _statistics(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    mean, variance = (t.to(like).view(1, -1, 1, 1) for t in (vae.bn.running_mean, vae.bn.running_var))
    return mean, (variance + vae.config.batch_norm_eps).sqrt()


def image_places(height: int, width: int, device: torch.device, time: int = 0) -> Tensor:
    """(height * width, 4) positions of image tokens: time, row, column, and 0 where text counts its words."""
    ranges = [torch.tensor([time]), torch.arange(height), torch.arange(width), torch.tensor([0])]
    return torch.cartesian_prod(*ranges).to(device)


def text_places(count: int, device: torch.device) -> Tensor:
    """(count, 4) positions of text tokens."""
    places = torch.zeros(count, 4, dtype=torch.int64, device=device)
    places[:, 3] = torch.arange(count, device=device)
    return places


class ParallelBlock(JointProcessor):
    """diffusers' `Flux2ParallelSelfAttnProcessor`, whose keys and values may be exchanged."""

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        projected = attn.to_qkv_mlp_proj(hidden_states)
        inner, rest = 3 * attn.inner_dim, attn.mlp_hidden_dim * attn.mlp_mult_factor
        together, feed = projected.split([inner, rest], dim=-1)
        query, key, value = (t.unflatten(-1, (-1, attn.head_dim)) for t in together.chunk(3, dim=-1))
        query, key = attn.norm_q(query), attn.norm_k(key)
        query, key = (apply_rotary_emb(t, image_rotary_emb, sequence_dim=1) for t in (query, key))
        out = self.attend(query, key, value)
        result: Tensor = attn.to_out(torch.cat([out, attn.mlp_act_fn(feed)], dim=-1))
        return result
