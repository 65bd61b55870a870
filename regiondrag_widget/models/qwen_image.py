"""Qwen-Image: joint blocks whose positions are counted from the picture's middle; a video autoencoder."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar, TypeAlias

import torch
import torch.nn.functional as F
from diffusers.models.transformers.transformer_qwenimage import apply_rotary_emb_qwen
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.device import device_errors
from regiondrag_widget.models.guidance import guided
from regiondrag_widget.models.joint_attention import JointProcessor
from regiondrag_widget.models.placement import device_of, dtype_of, is_moved
from regiondrag_widget.models.processors import for_installing_thread
from regiondrag_widget.models.prompt import warn_if_cut
from regiondrag_widget.models.references import References
from regiondrag_widget.models.tapped import tapped
from regiondrag_widget.models.transformer import TransformerBackbone, check_codec, scattered
from regiondrag_widget.models.turns import Turns, turns_of

__all__ = ["QwenImageBackbone"]

TEXT_TOKENS = 1024
Sizes: TypeAlias = "list[tuple[int, int, int]]"  # frames, rows and columns of each picture


class QwenImageBackbone(TransformerBackbone):
    """Qwen-Image's autoencoder, transformer and schedule: see `TransformerBackbone`."""

    family = "Qwen-Image"
    plain: ClassVar[set[str]] = {"QwenDoubleStreamAttnProcessor2_0"}

    def __init__(self, vae: Any, transformer: Any, scheduler: Any, draft_vae: Any = None) -> None:
        config = transformer.config
        if config.get("use_layer3d_rope") or config.get("use_additional_t_cond"):
            raise ValueError("this transformer is Qwen-Image-Layered's, which makes layers: use Qwen-Image's")
        check_codec(self.family, vae.config.get("z_dim"), transformer.config.in_channels // self.patch**2)
        super().__init__(vae, transformer, scheduler, draft_vae)
        vae.clear_cache()  # or its first call makes its lists, and it looks like another autoencoder

    @classmethod
    def encode_prompt(cls, components: dict[str, Any], prompt: str) -> Condition:
        """See `TransformerBackbone.encode_prompt`: Qwen2.5-VL, in the template of diffusers' pipeline."""
        from diffusers import QwenImagePipeline  # brings the text encoder's code along

        encoder, tokenizer = components["text_encoder"], components["tokenizer"]
        warn_if_cut(tokenizer, prompt, TEXT_TOKENS - 5)  # the template's last words take some
        theirs = QwenImagePipeline(None, None, encoder, tokenizer, None)
        embeds, _ = theirs.encode_prompt(prompt, device=device_of(encoder), max_sequence_length=TEXT_TOKENS)
        return Condition(embeds)

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.vae.config.z_dim)

    @property
    def cell(self) -> int:
        """Pixels a side of one latent cell."""
        return int(2 ** len(self.vae.config.temperal_downsample))

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
        grid = (height // self.patch, width // self.patch)
        tokens, addresses = self._folded(x), where
        sizes = [(1, *grid)]
        if where is not None:
            tokens = tokens[:, where]
        live = tokens.shape[1]
        if "references" in shown:
            # in a frame of their own, and first, so that the edit's own tokens stay the last of all
            beside, sizes = shown["references"], sizes * 2
            count = grid[0] * grid[1]
            own = torch.arange(count, device=x.device) if where is None else where
            addresses = torch.cat([count + beside.places, own])
            given = self._folded(beside.latents[None]).to(x)[:, beside.tokens]
            tokens = torch.cat([given.expand(batch, -1, -1), tokens], 1)
        net = self.called(partly=addresses is not None)
        words = condition.embeds[:, : None if with_text else 0].expand(batch, -1, -1)
        some: Any = nullcontext()
        if addresses is not None:
            some = tapped({net.pos_embed: lambda turns: (turns[0][addresses], turns[1])})
        if addresses is not None and net.config.get("zero_cond_t"):
            some, sizes = _told_apart(net, addresses, sizes, live, words)
        with some:
            out = net(
                hidden_states=tokens,
                encoder_hidden_states=words,
                timestep=timesteps / 1000,
                img_shapes=[sizes] * batch,
                return_dict=False,
            )[0][:, tokens.shape[1] - live :]
        whole = scattered(out, where, grid[0] * grid[1])
        return F.pixel_shuffle(whole.transpose(1, 2).unflatten(2, grid), self.patch)

    def guided(self, prompted: Tensor, negative: Tensor, scale: float) -> Tensor:
        """The guided prediction, each token as long as under the prompt alone, as diffusers' pipeline has it.

        Parameters
        ----------
        prompted, negative : (B, C, h, w) Tensor
            The predictions under the prompt and the negative one; 0 where a token was not computed.
        scale : float
            The guidance.
        """
        both = guided(prompted, negative, scale)
        wanted, length = (
            F.pixel_unshuffle(t, self.patch).norm(dim=1, keepdim=True) for t in (prompted, both)
        )
        ratio = torch.where(length > 0, wanted / length.clamp_min(torch.finfo(length.dtype).tiny), 1.0)
        return both * F.interpolate(ratio, scale_factor=float(self.patch))

    def _folded(self, x: Tensor) -> Tensor:
        """Latents (B, C, h, w) as tokens (B, n, 4 C)."""
        return F.pixel_unshuffle(x, self.patch).flatten(2).transpose(1, 2)

    def processor_of(self, module: Any) -> JointProcessor:
        """See `TransformerBackbone.processor_of`."""
        return JointBlock()

    def _encoded(self, vae: Any, pixels: Tensor) -> Tensor:
        with self._turn(vae), device_errors():
            encoded = vae.encode(pixels[:, :, None].to(device_of(vae), dtype_of(vae))).latent_dist.mode()
        return self.scaled(vae, encoded[:, :, 0].to(self.device, torch.float32))

    def _decoded(self, vae: Any, latents: Tensor) -> Tensor:
        raw = self.unscaled(vae, latents)[:, :, None]
        with self._turn(vae), device_errors():
            pixels = vae.decode(raw.to(device_of(vae), dtype_of(vae))).sample[:, :, 0]
        return pixels.to(latents.device, torch.float32)  # type: ignore[no-any-return]

    def _turn(self, vae: Any) -> Turns:
        # it keeps what it has seen of a video in itself, so two threads must not call it at once
        return turns_of(self.transformer if is_moved(vae) else vae)

    def scaled(self, vae: Any, raw: Tensor) -> Tensor:
        """Normed by the means and deviations of the autoencoder's channels."""
        mean, deviation = _statistics(vae, raw)
        return (raw - mean) / deviation

    def unscaled(self, vae: Any, latents: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        mean, deviation = _statistics(vae, latents)
        return latents * deviation + mean

    def set_draft_vae(self, draft_vae: Any) -> None:
        """See `TransformerBackbone.set_draft_vae`; there is none whose latents are known to be the same."""
        if draft_vae is not None:
            raise ValueError("no small autoencoder is known for Qwen-Image's latents: leave draft_vae out")
        self.draft_vae = None


def _told_apart(net: Any, addresses: Tensor, sizes: Sizes, live: int, words: Tensor) -> tuple[Any, Sizes]:
    """What to change for Qwen-Image-Edit-2511, which takes a picture's tokens for noiseless, and the sizes.

    It counts tokens by the sizes it is told, the edit's own first. So it is told of rows of as many tokens as
    there are, and as the picture's stand first here, it is given each kind's modulation for the other.
    """
    turns = net.pos_embed([sizes], max_txt_seq_len=words.shape[1], device=words.device)
    changes: dict[Any, Any] = {net.pos_embed: lambda _: (turns[0][addresses], turns[1])}
    shown = len(addresses) - live
    if shown:
        for block in net.transformer_blocks:
            changes[block.img_mod] = lambda out: out.roll(len(out) // 2, 0)
    return tapped(changes), [(1, 1, count) for count in (shown, live) if count]


def _statistics(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    given = (vae.config.latents_mean, vae.config.latents_std)
    mean, deviation = (torch.tensor(t).to(like).view(1, -1, 1, 1) for t in given)
    return mean, deviation


class JointBlock(JointProcessor):
    """diffusers' `QwenDoubleStreamAttnProcessor2_0`, whose keys and values may be exchanged."""

    @for_installing_thread
    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> Any:
        image_turns, text_turns = image_rotary_emb or (None, None)
        text = encoder_hidden_states.shape[1]
        image = [to(hidden_states) for to in (attn.to_q, attn.to_k, attn.to_v)]
        words = [to(encoder_hidden_states) for to in (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)]
        image, words = ([t.unflatten(-1, (attn.heads, -1)) for t in part] for part in (image, words))
        query, key = (
            torch.cat([_placed(w, added, text_turns), _placed(i, norm, image_turns)], 1)
            for i, w, norm, added in (
                (image[0], words[0], attn.norm_q, attn.norm_added_q),
                (image[1], words[1], attn.norm_k, attn.norm_added_k),
            )
        )
        out = self.attend(query, key, torch.cat([words[2], image[2]], 1))
        image_out = attn.to_out[1](attn.to_out[0](out[:, text:].contiguous()))
        return image_out, attn.to_add_out(out[:, :text].contiguous())


def _placed(t: Tensor, norm: Any, turns: Tensor | None) -> Tensor:
    """Normed, and turned by the tokens' positions."""
    t = t if norm is None else norm(t)
    if turns is None or not t.shape[1]:
        return t
    turned: Tensor = apply_rotary_emb_qwen(t, turns, use_real=False)
    return turned
