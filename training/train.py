"""Train the bundled model: `python -m training.train PHOTOS --out RUN [--minutes N]`.

Can be stopped at any time: started again with the same `--out`, it resumes from its last checkpoint and
learning rate. Runs on a GPU when there is one, else on the CPU. The test photographs
of the benchmark are held out, by the benchmark's own rule.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor

from regiondrag_widget.bench.truth.split import split_photos
from regiondrag_widget.models.linear_codec import LinearCodec, fit_codec
from training.data import SUFFIXES, CropStream, load_photos, to_model
from training.running import Run, cosine, log, run_parser, use_threads

__all__ = ["main", "train"]

DEFAULT_CONFIG = Path(__file__).with_name("config.json")


def train(
    photos: Path,
    out: Path,
    config: dict[str, Any],
    minutes: float,
    seed: int = 0,
    init: Path | None = None,
) -> None:
    """Train until `minutes` of active time have been spent on this run, counted over all its resumptions.

    Parameters
    ----------
    photos
        Folder of pictures; the benchmark's test split of it is held out and used for the validation loss.
    out
        The run's folder: `state.safetensors` (resume), `codec/` and `unet/` (diffusers format, averaged
        weights, float16), `log.jsonl`.
    config
        See `config.json` beside this file.
    seed
        Seed of the pictures and the noise.
    init
        Folder with `codec/` and `unet/` of an earlier run, to start from its averaged weights (a resumed run
        uses its own state).

    Raises
    ------
    ValueError
        The folder holds no pictures or a file that is not one, or `init` holds no weights or weights of
        another shape.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    names = sorted(p.name for p in photos.iterdir() if p.suffix.lower() in SUFFIXES)
    if not names:
        raise ValueError(f"{photos} holds no pictures: name a folder of .jpg or .png files")
    train_names, test_names = split_photos(names)
    pictures = load_photos([photos / n for n in train_names])
    held_out = load_photos([photos / n for n in test_names])

    codec = _codec(out, pictures, config, init)
    codec.to(device)
    unet = UNet2DConditionModel(**config["unet"])
    if init is not None:
        _begin_from(unet, init)
    unet.to(device)
    run = Run(unet, torch.optim.AdamW(unet.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=0.01))
    run.resume(out)
    torch.manual_seed(seed + run.step)

    alphas = DDIMScheduler(**config["scheduler"]).alphas_cumprod.to(device)
    validation = _validation_batch(held_out, codec, alphas, config, device)
    print(
        f"{len(pictures)} photographs, {len(held_out)} held out, {device}; "
        f"step {run.step}, {run.spent / 60:.1f} min spent"
    )
    budget, last_saved, losses = minutes * 60, run.spent, []
    stages = config["stages"]
    stage, stream = -1, None
    batches: Iterator[Any] = iter(())
    try:
        while run.spent < budget:
            now = next(i for i, s in enumerate(stages) if run.spent / budget < s["until"])
            if now != stage:
                if stream is not None:
                    stream.close()
                stage = now
                s = stages[stage]
                stream = CropStream(
                    pictures, size=s["size"], batch=s["batch"], leaves=config["leaves"], seed=seed + run.step
                )
                batches = iter(stream)
            tick = time.perf_counter()
            rate = config["learning_rate"] * cosine(run.step, run.spent / budget, 200, 0.02)
            loss = _step(unet, codec, next(batches), alphas, config, device)
            run.take(loss, rate, config["ema"])
            losses.append(float(loss.detach()))
            run.took(time.perf_counter() - tick)
            if run.step % 50 == 0:
                log(out, step=run.step, minutes=run.spent / 60, loss=float(np.mean(losses[-50:])))
            if run.spent - last_saved > config["save_minutes"] * 60 or run.spent >= budget:
                score = _validate(unet, run.average, validation, device)
                log(out, step=run.step, minutes=run.spent / 60, validation=score)
                run.save(out)
                _export(out, run.average, codec, config)
                last_saved = run.spent
    finally:
        if stream is not None:
            stream.close()


def _begin_from(unet: UNet2DConditionModel, folder: Path) -> None:
    """The averaged weights of an earlier run, in `folder`/unet."""
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    if not path.is_file():
        raise ValueError(f"{folder} holds no weights to begin from: {path} is missing")
    try:
        unet.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except RuntimeError as error:
        raise ValueError(f"the weights of {folder} are not of this configuration's shape") from error


def _codec(out: Path, pictures: list[Any], config: dict[str, Any], init: Path | None) -> LinearCodec:
    folder = next((f for f in (out, init) if f is not None and (f / "codec").exists()), None)
    if folder is not None:
        kept: LinearCodec = LinearCodec.from_pretrained(folder / "codec")
        codec: LinearCodec = LinearCodec.from_config(
            LinearCodec.load_config(folder / "codec")
        )  # forgets where it was loaded from
        codec.load_state_dict(kept.float().state_dict())
        codec.eval()
        return codec
    stream = CropStream(pictures, size=256, batch=64, leaves=0.0, seed=1)
    batches = iter(stream)
    images = np.concatenate([next(batches) for _ in range(6)])
    stream.close()
    codec = fit_codec(to_model(images), **config["codec"])
    codec.save_pretrained(out / "codec")
    return codec


def _step(
    unet: UNet2DConditionModel,
    codec: LinearCodec,
    batch: Any,
    alphas: Tensor,
    config: dict[str, Any],
    device: torch.device,
) -> Tensor:
    with torch.no_grad():
        clean = codec.encode(to_model(batch).to(device)).latents
        start, filled = _with_smooth_fills(clean, config["fill"])
        t = torch.randint(0, config["max_timestep"], (len(clean),), device=device)
        # the correction of a fill divides by the noise level: keep it away from zero
        t = torch.where(filled, t.clamp(min=config["fill_min_timestep"]), t)
        noisy, target, weight = _noised(clean, start, torch.randn_like(clean), alphas[t])
    error = (_predict(unet, noisy, t) - target).square().mean((1, 2, 3))
    return (error * weight).mean()


def _noised(clean: Tensor, start: Tensor, noise: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Noised latents, the velocity that leads to `clean`, the min-SNR weight (Hang et al. 2023, gamma 5)."""
    a, s = alpha.sqrt().view(-1, 1, 1, 1), (1 - alpha).sqrt().view(-1, 1, 1, 1)
    noisy = a * start + s * noise
    # Salimans & Ho 2022, with the noise that explains `clean`
    velocity = a * (noisy - a * clean) / s - s * clean
    snr = alpha / (1 - alpha)
    return noisy, velocity, snr.clamp(max=5) / (snr + 1)


def _with_smooth_fills(latents: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """A random blob replaced by a smooth continuation of what lies around it, as an edit's vacated place is.

    Parameters
    ----------
    latents
        (B, C, h, w) clean latents.
    probability
        Probability that a picture is changed.

    Returns
    -------
    tuple[Tensor, Tensor]
        The latents and (B,) bool, which of them changed.
    """
    b, _, h, w = latents.shape
    chosen = torch.rand(b, device=latents.device) < probability
    y = torch.arange(h, device=latents.device).view(1, h, 1)
    x = torch.arange(w, device=latents.device).view(1, 1, w)
    shape = (b, 1, 1)
    cy, cx = (torch.rand(shape, device=latents.device) * n for n in (h, w))
    ry, rx = (torch.rand(shape, device=latents.device) * n * 0.25 + 1 for n in (h, w))
    blob = ((y - cy) / ry).square() + ((x - cx) / rx).square() < 1
    blob = (blob & chosen.view(shape)).unsqueeze(1).float()
    known = 1 - blob
    total, count = latents * known, known
    for radius in (1, 2, 4, 8):  # normalised convolution, widening until every hole is reached
        size = 2 * min(radius, h - 1, w - 1) + 1
        blurred, near = (F.avg_pool2d(v, size, 1, size // 2, count_include_pad=True) for v in (total, count))
        reach = (count < 1e-3).float()
        total, count = total + reach * blurred, count + reach * near
    smooth = total / count.clamp(min=1e-6)
    return torch.where(blob > 0, smooth, latents), chosen


def _predict(unet: UNet2DConditionModel, noisy: Tensor, t: Tensor) -> Tensor:
    condition = torch.zeros(len(noisy), 1, unet.config.cross_attention_dim, device=noisy.device)
    with torch.autocast(noisy.device.type, torch.bfloat16):
        out: Tensor = unet(noisy, t, condition).sample
    return out.float()


def _validation_batch(
    held_out: list[Any], codec: LinearCodec, alphas: Tensor, config: dict[str, Any], device: torch.device
) -> dict[str, Tensor]:
    stream = CropStream(held_out, size=256, batch=16, leaves=0.0, seed=7)
    batch = next(iter(stream))
    stream.close()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        clean = codec.encode(to_model(batch).to(device)).latents
        t = torch.linspace(20, config["max_timestep"] - 1, len(clean)).long().to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        noisy, target, weight = _noised(clean, clean, noise, alphas[t])
    return {"noisy": noisy, "t": t, "target": target, "weight": weight}


@torch.no_grad()
def _validate(
    unet: UNet2DConditionModel, average: dict[str, Tensor], batch: dict[str, Tensor], device: torch.device
) -> float:
    live = {k: v.detach().clone() for k, v in unet.state_dict().items()}
    unet.load_state_dict(average)
    error = (_predict(unet, batch["noisy"], batch["t"]) - batch["target"]).square().mean((1, 2, 3))
    unet.load_state_dict(live)
    return float((error * batch["weight"]).mean())


def _export(out: Path, average: dict[str, Tensor], codec: LinearCodec, config: dict[str, Any]) -> None:
    """What an edit loads, in diffusers' format: the averaged weights in float16, the codec, the schedule."""
    half = UNet2DConditionModel(**config["unet"])
    half.load_state_dict(average)
    half.half().save_pretrained(out / "unet")
    codec.half().save_pretrained(out / "codec")
    codec.float()
    DDIMScheduler(**config["scheduler"]).save_pretrained(out / "scheduler")


def main(argv: list[str] | None = None) -> None:
    """Run the command line that the module describes."""
    parser = run_parser("training.train", __doc__, DEFAULT_CONFIG, minutes=90.0)
    parser.add_argument("--init", type=Path, help="folder of an earlier run to begin from, e.g. mini/weights")
    args = parser.parse_args(argv)
    use_threads(args.threads)
    config = json.loads(args.config.read_text("utf-8"))
    train(args.photos, args.out, config, args.minutes, args.seed, args.init)


if __name__ == "__main__":
    main()
