"""Look a model folder over before loading it: what is missing, what is not safe, said in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from diffusers import AutoencoderTiny
from huggingface_hub import try_to_load_from_cache

__all__ = ["check_folder", "explain_hub_failure", "load_draft_vae"]

# the small autoencoders of Stable Diffusion's latents, by the scaling factor that tells the latents apart
TINY = {0.18215: "madebyollin/taesd", 0.13025: "madebyollin/taesdxl"}
REQUIRED = ("unet", "vae", "scheduler")


def check_folder(folder: Path) -> dict[str, Any]:
    """Refuse a folder that is no diffusers checkpoint of Stable Diffusion's family with safetensors weights.

    Returns the keyword arguments loading it needs (the weights' variant).
    Raises ValueError or FileNotFoundError.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not a model folder: name a diffusers folder, a hub id, or 'mini'"
        )
    if not (folder / "model_index.json").is_file():
        raise ValueError(f"{folder} has no model_index.json: it is not a diffusers model folder")
    try:
        index = json.loads((folder / "model_index.json").read_text())
    except (ValueError, UnicodeDecodeError):
        raise ValueError(
            f"{folder / 'model_index.json'} is not readable JSON: fetch the model again"
        ) from None
    if not isinstance(index, dict):
        raise ValueError(
            f"{folder / 'model_index.json'} does not list a model's parts: fetch the model again"
        )
    named = {k for k, v in index.items() if isinstance(v, list) and len(v) == 2 and v[0] is not None}
    for part in REQUIRED:
        if part not in named or not (folder / part).is_dir():
            raise ValueError(f"{folder} lacks its {part} part: fetch the model again, whole")
    variants: set[str] = set()
    for part in sorted(named):
        place = folder / part
        if not place.is_dir():
            if part in ("safety_checker", "feature_extractor", "image_encoder"):
                continue
            raise ValueError(f"{folder} lacks its {part} part: fetch the model again, whole")
        if part in ("unet", "vae") or part.startswith("text_encoder"):
            variants |= {_variant(place)}
    return {} if "" in variants or not variants else {"variant": variants.pop()}


def _variant(place: Path) -> str:
    """'' for plain safetensors weights, else the variant there is ('fp16')."""
    if not (place / "config.json").is_file():
        raise ValueError(f"{place} has no config.json: fetch the model again, whole")
    weights = sorted(p.name for p in place.glob("*.safetensors"))
    if not weights:
        if list(place.glob("*.bin")) or list(place.glob("*.ckpt")):
            raise ValueError(
                f"{place} has only pickled weights (.bin), which can run code when loaded: "
                "convert them to .safetensors"
            )
        raise ValueError(f"{place} has no weights (.safetensors): fetch the model again, whole")
    stems = {name.rsplit(".safetensors", 1)[0] for name in weights}
    plain = [s for s in stems if "." not in s]
    return "" if plain else sorted(s.split(".", 1)[1].split("-")[0] for s in stems)[0]


def explain_hub_failure(model: str, error: Exception) -> str:
    """One sentence for a hub id that could not be loaded."""
    text = str(error)
    if ".bin" in text or ("safetensors" in text and "not find" in text):
        return (
            f"{model} has no .safetensors weights: pickled ones are refused, "
            "since they can run code when loaded"
        )
    return (
        f"{model} is neither a folder here nor in the hub's local cache, and the hub could not be asked "
        f"({type(error).__name__}): check the id and the network, or download the model elsewhere and pass "
        "its folder; 'mini' is always there"
    )


def load_draft_vae(given: Any, vae: Any, dtype: Any, **options: Any) -> Any:
    """The `AutoencoderTiny` that decodes drafts in place of `vae`, or None where "auto" finds none here.

    given : a diffusers folder, a hub id, "auto", or a loaded autoencoder, which comes back as it is
    options : passed on to the hub (`cache_dir`, `local_files_only`, `token`)

    Raises ValueError in one sentence where a named one cannot be loaded.
    """
    if not isinstance(given, (str, os.PathLike)):
        return given
    name, automatic = os.fspath(given), os.fspath(given) == "auto"
    if automatic:
        name = TINY.get(round(float(vae.config.get("scaling_factor") or 0), 5), "")
        cached = {"cache_dir": options["cache_dir"]} if options.get("cache_dir") else {}
        if not name or not isinstance(try_to_load_from_cache(name, "config.json", **cached), str):
            return None
        options = {**options, "local_files_only": True}  # nobody asked for a download
    try:
        tiny = AutoencoderTiny.from_pretrained(name, use_safetensors=True, **options)
    except Exception as error:  # the hub, safetensors and diffusers have exceptions of their own
        if automatic:
            return None
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"draft_vae {name} could not be loaded: {first}") from error
    return tiny.to(dtype).eval()
