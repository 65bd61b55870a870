"""The one network that every diffusion method of a run shares, and the count of its calls."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from regiondrag_widget.api import load_pipeline
from regiondrag_widget.bench.methods.method import Method, MethodOutput
from regiondrag_widget.bench.truth.scene import Image, Mask, Scene
from regiondrag_widget.engine.settings import resolve
from regiondrag_widget.pipeline import RegionDragPipeline


@dataclass
class Calls:
    """How many pictures a network processed."""

    count: int = 0


@dataclass(frozen=True)
class BenchNetwork:
    """A loaded pipeline and what its results depend on.

    Parameters
    ----------
    pipe
        The pipeline; it is not changed.
    fingerprint
        Changes with the weights of a local folder; empty for the bundled model, whose files count as code.
    """

    pipe: RegionDragPipeline
    fingerprint: str = ""

    @classmethod
    def load(cls, model: str, number: int = 0) -> BenchNetwork:
        """Load ``"mini"``, ``"mini-flow"``, a diffusers folder or a hub id; raises as ``load_pipeline`` does.

        ``number`` counts the processes of one machine: with several GPUs they share them out.
        """
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return cls(
            load_pipeline(model, device=f"cuda:{number % gpus}" if gpus > 1 else None), weights_of(model)
        )

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings of an edit that is given none."""
        own = self.pipe.edit_defaults
        return {**resolve("default", own, {}).as_json(), "steps": own["steps"], "start": own["start"]}

    @contextmanager
    def counted(self) -> Iterator[Calls]:
        """While open, count the pictures that the network processes, each one of a batch."""
        calls = Calls()

        def note(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            # a UNet's input is called sample, a transformer's hidden_states
            sample = args[0] if args else kwargs["sample" if "sample" in kwargs else "hidden_states"]
            calls.count += len(sample)

        hook = self.pipe.denoiser.register_forward_pre_hook(note, with_kwargs=True)
        try:
            yield calls
        finally:
            hook.remove()

    def method(
        self,
        name: str,
        edit: Callable[[Scene], Image | tuple[Image, Mask]],
        *,
        group: str = "baseline",
        settings: Mapping[str, Any],
        most_scenes: int | None = None,
    ) -> Method:
        """A method around ``edit`` (which may also give the mask of what it was allowed to change)."""

        def run(scene: Scene) -> MethodOutput:
            with self.counted() as calls:
                begun = time.perf_counter()
                found = edit(scene)
                seconds = time.perf_counter() - begun
            image, drawn = found if isinstance(found, tuple) else (found, None)
            return MethodOutput(image, seconds, calls.count, drawn)

        known = {"model": self.pipe.name, "weights": self.fingerprint, **settings}
        return Method(name, run, group, known, most_scenes)


def weights_of(model: str) -> str:
    """Twelve hex digits that change with the files of a local folder; empty for any other model."""
    folder = Path(model)
    if not folder.is_dir():
        return ""
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".json", ".safetensors"):
            state.update(
                f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}".encode()
            )
    return state.hexdigest()[:12]
