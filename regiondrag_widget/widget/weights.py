"""How large a model's weights on this machine are: loading them is most of what a first edit waits for."""

from __future__ import annotations

import os
from pathlib import Path

from regiondrag_widget.models.profile import BUNDLED_PROFILES
from regiondrag_widget.widget.user_pipelines import is_user_pipeline

__all__ = ["weights_here"]

_FILES = ("*.safetensors", "*/*.safetensors")


def weights_here(model: str) -> int | None:
    """Bytes that loading a model reads; None where they are not here and have to be downloaded first.

    Looks at the names of files alone, and imports nothing of the hub. A pipeline that is made already and a
    bundled model count as 0.

    Parameters
    ----------
    model
        A name, a folder, a file or a hub id.
    """
    if model in BUNDLED_PROFILES or is_user_pipeline(model):
        return 0
    try:
        path = Path(model)
        if path.is_file():
            return path.stat().st_size
        kept = _hub_cache() / f"models--{model.replace('/', '--')}" / "snapshots"
        folders = [path] if path.is_dir() else [snapshot for snapshot in kept.iterdir() if snapshot.is_dir()]
        sizes = (sum(f.stat().st_size for files in _FILES for f in folder.glob(files)) for folder in folders)
        return max(sizes, default=0) or None
    except (OSError, ValueError):  # no such folder, or a name that can be none
        return None


def _hub_cache() -> Path:
    """Where the hub keeps what it has downloaded; as huggingface_hub says, which takes long to import."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
