"""Loading Segment Anything models by transformers: SAM, SAM-HQ, SAM 2.1 and EdgeTAM; safetensors alone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import hf_hub_download
from safetensors import SafetensorError

from regiondrag_widget.errors import first_line

__all__ = ["Sam", "load_sam"]

# a configuration's model_type -> the class that takes clicks, and the transformers version that brought it
CLASSES = {
    "sam": ("SamModel", "4.29"),
    "sam_hq": ("SamHQModel", "4.52"),
    "sam2": ("Sam2Model", "4.56"),
    "sam2_video": ("Sam2Model", "4.56"),  # what SAM 2.1's checkpoints on the hub say
    "edgetam": ("EdgeTamModel", "4.57"),
    "edgetam_video": ("EdgeTamModel", "4.57"),
}
SQUASHED = ("sam2", "edgetam")  # these see the picture squashed to a square, the others see it framed
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, where the model says nothing else


@dataclass(frozen=True)
class Sam:
    """A loaded model and how it wants its pictures.

    Attributes
    ----------
    model : the transformers model.
    side : pixels of the square that it sees.
    squashed : whether a picture fills the square, or keeps its proportions and leaves a part empty.
    mean, std : of the colours in 0..1, for each channel.
    """

    model: Any
    side: int
    squashed: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


def load_sam(model: str | os.PathLike[str], device: torch.device) -> Sam:
    """Load a Segment Anything model.

    Parameters
    ----------
    model
        A folder, or a hub id, which is fetched into the hub's cache.
    device
        Where it computes, in float32.

    Raises
    ------
    ValueError, FileNotFoundError
        In one sentence: no such folder or id, another kind of model, no safetensors weights, incomplete
        weights, or a transformers that is too old.
    """
    name = os.fspath(model)
    folder = Path(name).expanduser()
    local = folder.is_dir() or len(folder.parts) != 2 or name.startswith((".", "/", "~", "\\"))
    if local:
        _check_folder(folder)
    source = str(folder) if local else name
    kind = str(_json(source, local, "config.json").get("model_type"))
    if kind not in CLASSES:
        raise ValueError(f"{name} is a model of type {kind!r}: SAM, SAM-HQ, SAM 2.1 and EdgeTAM can select")
    class_name, since = CLASSES[kind]
    loader = getattr(transformers, class_name, None)
    if loader is None:
        raise ValueError(f"{name} needs transformers {since} or newer: pip install -U transformers")
    try:
        network, report = loader.from_pretrained(
            source, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{name} could not be loaded: {first_line(error)}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ValueError(f"{name} lacks weights, {missing[0]} among them: fetch the model again, whole")
    about = _json(source, local, "preprocessor_config.json", needed=False)
    if not about:  # as newer versions of transformers save it
        about = _json(source, local, "processor_config.json", needed=False).get("image_processor", {})
    return Sam(
        network.eval().to(device),
        _side(network.config),
        kind.startswith(SQUASHED),
        tuple(about.get("image_mean") or MEAN),
        tuple(about.get("image_std") or STD),
    )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: name a model's folder or a hub id")
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} has no config.json: it is not a model folder of transformers")
    if not list(folder.glob("*.safetensors")):
        if list(folder.glob("*.bin")) or list(folder.glob("*.pt*")):
            raise ValueError(
                f"{folder} has only pickled weights, which can run code when loaded: "
                "convert them to .safetensors"
            )
        raise ValueError(f"{folder} has no weights (.safetensors): fetch the model again, whole")


def _json(source: str, local: bool, file: str, needed: bool = True) -> dict[str, Any]:
    """A JSON file of the model; empty where it is not needed and not there."""
    try:
        path = Path(source) / file if local else Path(hf_hub_download(source, file))
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        if not needed:
            return {}
        reason = first_line(error)
        raise ValueError(f"{source} could not be loaded: {reason}") from error
    return found if isinstance(found, dict) else {}


def _side(config: Any) -> int:
    side = config.prompt_encoder_config.image_size
    return int(side if isinstance(side, int) else side[0])
