"""Train the bundled flow transformer: FLUX.2 klein's architecture, tiny, over the bundled codec's latents.

    python -m training.train_flow PHOTOS --out RUN [--minutes 55] [--config training/config_flow.json]

It learns to make a picture from noise, alone and beside reference tokens (see `reference_task`). PHOTOS is
split as `training.train` splits it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
from torch import Tensor

from regiondrag_widget.bench.truth.split import split_photos
from regiondrag_widget.models.flux2 import REFERENCE_TIME, image_places, text_places
from regiondrag_widget.models.linear_codec import LinearCodec
from regiondrag_widget.models.mini import WEIGHTS
from training.data import SUFFIXES, CropStream, load_photos, to_model
from training.reference_task import draw_task
from training.running import Run, cosine, log, run_parser, use_threads

__all__ = ["main", "train"]

DEFAULT_CONFIG = Path(__file__).with_name("config_flow.json")
FARTHEST = 32  # positions of a crop begin anywhere up to here


def train(photos: Path, out: Path, config: dict[str, Any], minutes: float, seed: int = 0) -> None:
    """Train until `minutes` of active time have been spent on this run, counted over all its resumptions.

    Parameters
    ----------
    photos
        Folder of pictures; the benchmark's test split of it is held out and used for the validation figures.
    out
        The run's folder: `state.safetensors` (resume), `transformer/` and `scheduler/` (diffusers format,
        averaged weights, float16), `log.jsonl`.
    config
        See `config_flow.json` beside this file.
    seed
        Seed of the pictures, the tasks and the noise.

    Raises
    ------
    ValueError
        The folder holds no pictures or a file that is not one.
    """
    out.mkdir(parents=True, exist_ok=True)
    names = sorted(p.name for p in photos.iterdir() if p.suffix.lower() in SUFFIXES)
    if not names:
        raise ValueError(f"{photos} holds no pictures: name a folder of .jpg or .png files")
    train_names, test_names = split_photos(names)
    pictures = load_photos([photos / n for n in train_names])
    validation = Validation.of(load_photos([photos / n for n in test_names]), codec := _codec())
    net = Flux2Transformer2DModel(**config["transformer"])
    _begin_as_identity(net)
    run = Run(net, torch.optim.AdamW(net.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=0.01))
    run.resume(out)
    torch.manual_seed(seed + run.step)
    generator = torch.Generator().manual_seed(seed + run.step)
    if config["compile"]:
        for block in (*net.transformer_blocks, *net.single_transformer_blocks):
            block.compile(dynamic=True)  # whole, it takes minutes to compile
    print(f"{len(pictures)} photographs, step {run.step}, {run.spent / 60:.1f} min spent")

    budget, last_saved, losses = minutes * 60, run.spent, []
    stage, stream = -1, None
    batches: Iterator[Any] = iter(())
    try:
        while run.spent < budget:
            now = next(i for i, s in enumerate(config["stages"]) if run.spent / budget < s["until"])
            if now != stage:
                if stream is not None:
                    stream.close()
                stage, s = now, config["stages"][now]
                stream = CropStream(
                    pictures, size=s["size"], batch=s["batch"], leaves=config["leaves"], seed=seed + run.step
                )
                batches = iter(stream)
            tick = time.perf_counter()
            rate = config["learning_rate"] * cosine(run.step, run.spent / budget, 100, 0.02)
            with torch.no_grad():
                clean = codec.encode(to_model(next(batches))).latents
            loss = _loss(net, clean, config, generator)
            run.take(loss, rate, config["ema"])
            losses.append(float(loss.detach()))
            run.took(time.perf_counter() - tick)
            if run.step % 50 == 0:
                log(out, step=run.step, minutes=run.spent / 60, loss=float(np.mean(losses[-50:])))
            if run.spent - last_saved > config["save_minutes"] * 60 or run.spent >= budget:
                run.save(out)
                half = _export(out, run.average, config)
                log(out, step=run.step, minutes=run.spent / 60, **validation.figures(half, codec))
                last_saved = run.spent
    finally:
        if stream is not None:
            stream.close()


def _codec() -> LinearCodec:
    codec: LinearCodec = LinearCodec.from_pretrained(WEIGHTS / "codec", torch_dtype=torch.float32)
    codec.eval()
    return codec


def _begin_as_identity(net: Flux2Transformer2DModel) -> None:
    """Zeros where a block's output is scaled and where the network's is made (Peebles & Xie 2023)."""
    shared = (
        net.double_stream_modulation_img.linear,
        net.double_stream_modulation_txt.linear,
        net.single_stream_modulation.linear,
        net.norm_out.linear,
        net.proj_out,
    )
    for layer in shared:
        torch.nn.init.zeros_(layer.weight)


def _loss(net: Any, clean: Tensor, config: dict[str, Any], generator: torch.Generator) -> Tensor:
    """Mean squared error of the velocity at noise levels that are spread over the batch."""
    batch, grid = len(clean), (clean.shape[-2], clean.shape[-1])
    task = draw_task(clean, config["plain"], config["pasted"], generator)
    spread = torch.randperm(batch, generator=generator) + torch.rand(batch, generator=generator)
    sigma = (spread / batch).clamp(min=0.01)
    noise = torch.randn(task.target.shape, generator=generator)
    noisy = task.target + sigma.view(-1, 1, 1) * (noise - task.target)
    corner = torch.randint(0, FARTHEST + 1, (2,), generator=generator)
    found = velocity(net, noisy, sigma, grid, task.target, task.shown, corner)
    return (found - (noise - task.target)).square().mean()


def velocity(
    net: Any,
    noisy: Tensor,
    sigma: Tensor,
    grid: tuple[int, int],
    clean: Tensor,
    shown: Tensor | None,
    corner: Tensor,
) -> Tensor:
    """The network's velocity of (B, n, C) tokens on a grid, the shown of the clean ones beside them.

    Parameters
    ----------
    net
        The transformer.
    noisy, clean
        (B, n, C) tokens.
    sigma
        (B,) noise levels.
    grid
        Rows and columns; n is their product.
    shown
        (k,) int64 or None, which clean tokens are shown.
    corner
        (2,) int64, row and column of the first token's position.
    """
    live, origin = noisy.shape[1], torch.tensor([0, *corner.tolist(), 0])
    tokens, places = noisy, image_places(*grid, noisy.device) + origin
    if shown is not None:
        tokens = torch.cat([tokens, clean[:, shown]], 1)
        places = torch.cat([places, (image_places(*grid, noisy.device, REFERENCE_TIME) + origin)[shown]])
    text = noisy.new_ones(1, 1, net.config.joint_attention_dim).expand(len(noisy), -1, -1)
    out: Tensor = net(
        hidden_states=tokens,
        timestep=sigma,
        guidance=None,
        encoder_hidden_states=text,
        txt_ids=text_places(1, noisy.device),
        img_ids=places,
        return_dict=False,
    )[0]
    return out[:, :live]


@dataclass(frozen=True)
class Validation:
    """16 crops of held-out photographs, 128 px a side, an ellipse of each shown no references."""

    clean: Tensor  # (16, C, 16, 16)
    noise: Tensor  # (16, 256, C)
    hidden: Tensor  # (16, 16) bool

    @classmethod
    def of(cls, held_out: list[Any], codec: LinearCodec) -> Validation:
        """Crop held-out photographs, always the same way."""
        stream = CropStream(held_out, size=128, batch=16, leaves=0.0, seed=7)
        with torch.no_grad():
            clean = codec.encode(to_model(next(iter(stream)))).latents
        stream.close()
        noise = torch.randn(16, 256, clean.shape[1], generator=torch.Generator().manual_seed(7))
        across = (torch.arange(16) - 7.5) / 5
        return cls(clean, noise, across[:, None] ** 2 + across[None] ** 2 < 1)

    @torch.no_grad()
    def figures(self, net: Any, codec: LinearCodec) -> dict[str, float]:
        """The velocity's error without references, and PSNR of what one call makes of pure noise.

        Parameters
        ----------
        net
            The transformer.
        codec
            Of the latents.

        Returns
        -------
        dict[str, float]
            `plain`, at sigmas spread over 0.03 to 1; `copied` and `filled` in dB against the decoded
            latents, where references are shown and where not; `blurred`, the same of the hidden place
            filled with its picture's mean.
        """
        grid, corner = (16, 16), torch.zeros(2, dtype=torch.int64)
        clean = self.clean.flatten(2).transpose(1, 2)
        sigma = torch.linspace(0.03, 1, 16)
        noisy = clean + sigma.view(-1, 1, 1) * (self.noise - clean)
        plain = velocity(net, noisy, sigma, grid, clean, None, corner) - (self.noise - clean)
        shown = (~self.hidden).flatten().nonzero().flatten()
        made = self.noise - velocity(net, self.noise, torch.ones(16), grid, clean, shown, corner)
        mean = clean[:, shown].mean(1, keepdim=True).expand_as(clean)
        found = {"plain": float(plain.square().mean())}
        for name, tokens, place in (
            ("copied", made, ~self.hidden),
            ("filled", made, self.hidden),
            ("mean", mean, self.hidden),
        ):
            picture = codec.decode(tokens.transpose(1, 2).reshape(self.clean.shape)).sample
            where = place.repeat_interleave(8, 0).repeat_interleave(8, 1)
            error = (picture - codec.decode(self.clean).sample)[..., where].square().mean()
            found[name] = float(10 * torch.log10(4 / error))
        return found


def _export(out: Path, average: dict[str, Tensor], config: dict[str, Any]) -> Flux2Transformer2DModel:
    """Write what an edit loads, in diffusers' format, and return it in float32."""
    net = Flux2Transformer2DModel(**config["transformer"])
    net.load_state_dict(average)
    net.half().save_pretrained(out / "transformer")
    FlowMatchEulerDiscreteScheduler(**config["scheduler"]).save_pretrained(out / "scheduler")
    return net.float().eval()


def main(argv: list[str] | None = None) -> None:
    """Run the command line that the module describes."""
    parser = run_parser("training.train_flow", __doc__, DEFAULT_CONFIG, minutes=55.0)
    args = parser.parse_args(argv)
    use_threads(args.threads)
    train(args.photos, args.out, json.loads(args.config.read_text("utf-8")), args.minutes, args.seed)


if __name__ == "__main__":
    main()
