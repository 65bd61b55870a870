"""Check a model folder before loading it, and explain in one sentence what is missing or not safe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from diffusers import AutoencoderTiny
from huggingface_hub import hf_hub_download, try_to_load_from_cache

from regiondrag_widget.errors import first_line
from regiondrag_widget.models.admission import SPARE, STEERING
from regiondrag_widget.models.families import family_in_index, known_families
from regiondrag_widget.models.linear_codec import LinearCodec

__all__ = [
    "check_config",
    "check_folder",
    "check_index",
    "check_no_code",
    "class_in_index",
    "explain_hub_failure",
    "has_linear_codec",
    "has_transformer",
    "load_draft_vae",
    "reads_pictures",
]

# the small autoencoders of a family's latents, by the scaling factor that tells the latents apart
TINY = {
    0.18215: "madebyollin/taesd",
    0.13025: "madebyollin/taesdxl",
    1.5305: "madebyollin/taesd3",
    0.3611: "madebyollin/taef1",  # of FLUX.1 and Z-Image
}
REQUIRED = {"unet", "vae", "scheduler"}
# where the classes of a model's parts may come from; "stable_diffusion" is diffusers' own folder of that
# name, and the last one has the codec of the bundled model
LIBRARIES = {"diffusers", "transformers", "stable_diffusion", LinearCodec.__module__}


def check_folder(folder: Path, given: Iterable[str] = ()) -> dict[str, Any]:
    """Refuse a folder that is no diffusers checkpoint of a known family with safetensors weights.

    Parameters
    ----------
    folder : Path
        The folder.
    given : iterable of str
        Names of parts that are given instead of the folder's, or left out.

    Returns
    -------
    dict
        The keyword arguments that loading it needs (the weights' variant).

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        A part is missing, unreadable, or has only pickled weights.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not a model folder: name a diffusers folder, a hub id, or 'mini'"
        )
    check_no_code(folder)
    index = _index_of(folder)
    _check_family(str(folder), index)
    named = _named(index)
    network = "transformer" if family_in_index(index) else "unet"
    for part in (network, "vae", "scheduler"):
        if part not in given and (part not in named or not (folder / part).is_dir()):
            raise ValueError(f"{folder} lacks its {part} part: fetch the model again, whole")
    variants: set[str] = set()
    for part in sorted(named.difference(given)):
        place = folder / part
        if not place.is_dir():
            if part in SPARE:
                continue
            raise ValueError(f"{folder} lacks its {part} part: fetch the model again, whole")
        if part in (network, "vae") or part.startswith("text_encoder"):
            variants |= {_variant(place)}
    return {} if "" in variants or not variants else {"variant": variants.pop()}


def check_config(folder: Path) -> None:
    """Refuse a folder whose configuration is none of a family that single files are loaded with.

    Raises
    ------
    ValueError
        It has no list of parts, code, or is of another family.
    """
    check_no_code(folder)
    _check_family(str(folder), _index_of(folder))


def check_index(model: str, **options: Any) -> None:
    """Refuse a hub id of another family before its weights are downloaded, where the hub can be asked.

    Parameters
    ----------
    model : str
        The hub id.
    **options
        As the hub takes them (`cache_dir`, `revision`, `token`, `local_files_only`).

    Raises
    ------
    ValueError
        Another family of models, or one with parts that an edit would have to leave out.
    """
    try:
        folder = Path(hf_hub_download(model, "model_index.json", **options)).parent
    except (OSError, ValueError):  # no network, no such id: the download that follows says it
        return
    _check_family(model, _index_of(folder))


def has_linear_codec(folder: Path) -> bool:
    """Whether a model folder has the bundled model's codec, which computes in float32."""
    return _index_of(folder).get("vae") == [LinearCodec.__module__, LinearCodec.__name__]


def has_transformer(folder: Path) -> bool:
    """Whether a model folder is of a family of transformers."""
    return family_in_index(_index_of(folder)) is not None


def class_in_index(folder: Path) -> str:
    """The class of diffusers' that a model folder is a pipeline of."""
    return str(_index_of(folder).get("_class_name", ""))


def reads_pictures(folder: Path) -> bool:
    """Whether a model folder is of a family whose prompt is read together with the picture."""
    family = family_in_index(_index_of(folder))
    return family is not None and family.pictured


def _named(index: dict[str, Any]) -> set[str]:
    """The parts that an index says a model has."""
    return {k for k, v in index.items() if isinstance(v, list) and len(v) == 2 and v[0] is not None}


def _check_family(where: str, index: dict[str, Any]) -> None:
    named, kind = _named(index), str(index.get("_class_name", "model of an unknown family"))
    if family_in_index(index) is not None:
        return
    # where a part is missing, a model of this family is damaged and another has no such part
    ours = kind.startswith(("StableDiffusion", "RegionDrag", "LatentConsistency")) and "3" not in kind
    network = index["unet"][1] if "unet" in named else None
    if network not in (None, "UNet2DConditionModel") or not (ours or named.issuperset(REQUIRED)):
        what = f" with a {network}" if network else ""
        raise ValueError(f"{where} is a {kind}{what}: {known_families()} can be used")
    for part in sorted(named & set(STEERING)):
        raise ValueError(
            f"{where} is a {kind} with {STEERING[part]}, which an edit would have to leave out: "
            f"{known_families()} can be used"
        )


def check_no_code(folder: Path) -> None:
    """Refuse a model folder that would have Python run, whatever diffusers' version makes of it.

    Parameters
    ----------
    folder : Path
        With a model_index.json.

    Raises
    ------
    ValueError
        Python files in the folder or in a part's, a part whose class comes from another library than
        diffusers and transformers, or an index that cannot be read.
    """
    for part, value in _index_of(folder).items():
        if part.startswith("_") or not isinstance(value, list):
            continue
        library = value[0] if value else None
        if library is not None and library not in LIBRARIES:
            raise ValueError(
                f"{folder} takes its {part} from {library!r}, which is neither diffusers nor transformers: "
                "code from model folders is never run"
            )
    code = sorted(path.relative_to(folder) for glob in ("*.py", "*/*.py") for path in folder.glob(glob))
    if code:
        raise ValueError(
            f"{folder} has Python files ({code[0]}): code from model folders is never run; "
            "remove them, or fetch the model without them"
        )


def _index_of(folder: Path) -> dict[str, Any]:
    """The parts a folder's model_index.json lists; ValueError where it lists none."""
    if not (folder / "model_index.json").is_file():
        raise ValueError(f"{folder} has no model_index.json: it is not a diffusers model folder")
    try:
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise ValueError(
            f"{folder / 'model_index.json'} is not readable JSON: fetch the model again"
        ) from None
    if not isinstance(index, dict):
        raise ValueError(
            f"{folder / 'model_index.json'} does not list a model's parts: fetch the model again"
        )
    return index


def _variant(place: Path) -> str:
    """'' for plain safetensors weights, otherwise their variant ('fp16')."""
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
    """One sentence for a hub id that could not be loaded.

    Parameters
    ----------
    model : str
        The hub id.
    error : Exception
        What diffusers or the hub raised.
    """
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
    """The `AutoencoderTiny` that decodes drafts in place of `vae`.

    Parameters
    ----------
    given : str, path or autoencoder
        A diffusers folder, a hub id, "auto", or a loaded autoencoder, which is returned as it is.
    vae : autoencoder
        The model's own.
    dtype : torch.dtype
        Number format to load in.
    **options
        Passed on to the hub (`cache_dir`, `local_files_only`, `token`).

    Returns
    -------
    autoencoder or None
        None where "auto" finds none on this machine.

    Raises
    ------
    ValueError
        A named one cannot be loaded.
    """
    if not isinstance(given, (str, os.PathLike)):
        return given
    name, automatic = os.fspath(given), os.fspath(given) == "auto"
    if automatic:
        name = TINY.get(round(float(vae.config.get("scaling_factor") or 0), 5), "")
        cached = {"cache_dir": options["cache_dir"]} if options.get("cache_dir") else {}
        if not name or not isinstance(try_to_load_from_cache(name, "config.json", **cached), str):
            return None
        options = {**options, "local_files_only": True}  # "auto" must not download
    try:
        tiny = AutoencoderTiny.from_pretrained(name, use_safetensors=True, **options)
    except Exception as error:  # the hub, safetensors and diffusers have exceptions of their own
        if automatic:
            return None
        first = first_line(error)
        raise ValueError(f"draft_vae {name} could not be loaded: {first}") from error
    return tiny.to(dtype).eval()
