"""``regiondrag info``: what is installed, the device, and the models that need no download."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from regiondrag_widget._version import __version__

LIBRARIES = (
    "torch", "diffusers", "transformers", "safetensors", "numpy", "scipy", "pillow", "opencv-python-headless",
    "onnxruntime", "anywidget", "ipywidgets", "ipycanvas", "jupyterlab",
)  # fmt: skip


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``info`` to the commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "info",
        help="versions, device, memory, models at hand",
        description="Show what is installed, what edits would run on, and which models need no download.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print what `collect` finds."""
    found = collect()
    if args.json:
        print(json.dumps(found, indent=2))
        return 0
    print("\n".join(summary(found)))
    bundled = found["bundled_model"]
    print(
        f"bundled    {_bytes(bundled['bytes']) + ' in ' + bundled['path'] if bundled else 'no model found'}"
    )
    print(f"hub cache  {found['hub_cache']['path']}: {len(found['hub_cache']['models']) or 'no'} models")
    for model in found["hub_cache"]["models"]:
        print(f"           {model['id']}: {_bytes(model['bytes'])}, {model['kind'] or 'no pipeline'}")
    return 0


def summary(found: dict[str, Any]) -> list[str]:
    """Lines of what `collect` found: versions, device and memory."""
    device, memory = found["device"], found["memory"]
    libraries = ", ".join(f"{name} {version or 'missing'}" for name, version in found["libraries"].items())
    lines = [
        f"regiondrag {found['version']}, Python {found['python']} on {found['platform']}",
        f"libraries  {libraries}",
        f"device     {device['name']} ({device['type']}), {device['dtype']}, {device['threads']} CPU threads",
        f"memory     {_bytes(memory['available'])} free of {_bytes(memory['total'])}",
    ]
    if "gpu_total" in memory:
        lines.append(f"on the GPU {_bytes(memory['gpu_available'])} free of {_bytes(memory['gpu_total'])}")
    return lines


def collect() -> dict[str, Any]:
    """Return everything that ``info`` shows, as plain values; sizes in bytes."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "libraries": {name: _version_of(name) for name in LIBRARIES},
        "device": _device(),
        "memory": _memory(),
        "bundled_model": _bundled_model(),
        "hub_cache": {"path": _hub_cache_path(), "models": _cached_models()},
    }


def _version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _device() -> dict[str, Any]:
    """Return the device and dtype that an edit uses by default."""
    import torch

    from regiondrag_widget.models.device import choose_device, choose_dtype

    device = choose_device()
    names = {"cuda": torch.cuda.get_device_name, "mps": lambda: "Apple GPU"}
    return {
        "type": device.type,
        "name": names.get(device.type, platform.machine)(),
        "dtype": str(choose_dtype(device)).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }


def _memory() -> dict[str, int]:
    import psutil
    import torch

    memory = psutil.virtual_memory()
    found = {"total": int(memory.total), "available": int(memory.available)}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        found |= {"gpu_total": int(total), "gpu_available": int(free)}
    return found


def _bundled_model() -> dict[str, Any] | None:
    folder = Path(__file__).parents[1] / "mini"
    weights = sorted(folder.rglob("*.safetensors"))
    if not weights:
        return None
    return {"path": str(folder), "bytes": sum(path.stat().st_size for path in weights)}


def _hub_cache_path() -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    return os.fspath(HF_HUB_CACHE)


def _cached_models() -> list[dict[str, Any]]:
    """The models in the hub's cache, with the pipeline class of those that are whole pipelines."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cache = scan_cache_dir(_hub_cache_path())
    except CacheNotFound:
        return []
    models = sorted(
        (repo for repo in cache.repos if repo.repo_type == "model"), key=lambda repo: repo.repo_id
    )
    return [{"id": m.repo_id, "bytes": m.size_on_disk, "kind": _pipeline_kind(m.repo_path)} for m in models]


def _pipeline_kind(folder: Path) -> str | None:
    for index in sorted(folder.glob("snapshots/*/model_index.json")):
        try:
            kind = json.loads(index.read_text("utf-8")).get("_class_name")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(kind, str):
            return kind
    return None


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
