"""The experiment as rows that the batch runner does: edits first, then the figures of their pictures."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as PILImage

from regiondrag_widget.batch import Depends, EditWork, Made, Row
from regiondrag_widget.batch.row import cut_to_bytes
from regiondrag_widget.bench.dragbench.contenders import ABLATIONS, CONTENDERS, Contender
from regiondrag_widget.bench.dragbench.sample_scene import scene_of
from regiondrag_widget.bench.methods.network import BenchNetwork, weights_of
from regiondrag_widget.bench.truth.result_store import code_digest
from regiondrag_widget.datasets import expand_sample, open_dataset
from regiondrag_widget.regions.writing import write_whole

if TYPE_CHECKING:
    from regiondrag_widget.batch.placing import Needs
    from regiondrag_widget.datasets import Dataset, Sample

__all__ = ["EditSamples", "MeasureSamples", "contender", "edit_rows", "with_regions"]

HERE = Path(__file__).resolve().parent
MOST_BYTES = 180  # of a sample's name in a file's
EXPANDING = HERE.parents[1] / "datasets" / "expanding.py"
MEASURING = ("matching.py", "dift.py", "perceptual.py", "figures.py")


def contender(method: str) -> Contender:
    """The method of a name; ``ValueError`` for an unknown one."""
    found = CONTENDERS.get(method) or ABLATIONS.get(method)
    if found is None:
        raise ValueError(f"no method is called {method}: there are {', '.join(CONTENDERS)}")
    return found


def edit_rows(samples: Iterable[str], methods: Iterable[str], seeds: Sequence[int]) -> list[Row]:
    """A row for each sample, method and seed; methods that no seed changes have the first alone."""
    return [
        Row(
            f"{method}/seed-{seed}/{_as_name(sample)}",
            {"sample": sample, "method": method, "seed": seed},
            f"sample {sample}, {method}" + (f", seed {seed}" if contender(method).seeded else ""),
        )
        for sample in samples
        for method in methods
        for seed in (seeds if contender(method).seeded else seeds[:1])
    ]


def with_regions(sample: Sample) -> Sample:
    """The sample, with regions expanded from its points where it has none; ``ValueError`` without either."""
    return sample if len(sample.pairs) else expand_sample(sample)


@dataclass(frozen=True)
class EditSamples:
    """Edit the sample of each row by its method.

    Parameters
    ----------
    folder, kind
        The data set, as `open_dataset` takes it.
    model
        As `load_pipeline` takes it, or ``"none"``.
    """

    folder: str
    kind: str | None = None
    model: str = "mini"

    def depends(self, row: Row) -> Depends:
        """Sample, method, seed, model and the code of the package."""
        values = {
            **{name: row.values[name] for name in ("method", "seed")},
            "model": [Path(self.model).name, weights_of(self.model)] if _networked(row) else None,
            "code": code_digest(),
            "methods": _digest_of((HERE / "contenders.py", HERE / "sample_scene.py", EXPANDING)),
        }
        return Depends(values, tuple(_dataset(self.folder, self.kind).files_of(row.values["sample"])))

    def group(self, row: Row) -> tuple[str, ...]:
        """Rows of one sample are done together: it is read once."""
        return (str(row.values["sample"]),)

    def needs(self) -> Needs:
        """What a worker on a cluster needs: memory for the model's weights, and a device."""
        return EditWork("mini" if self.model == "none" else self.model).needs()

    def open(self, number: int = 0) -> Callable[[Row], Made]:
        """Load the network."""
        network = None if self.model == "none" else BenchNetwork.load(self.model, number)
        samples = _Latest(_dataset(self.folder, self.kind))

        def edit(row: Row) -> Made:
            method = contender(row.values["method"]).make(network, row.values["seed"])
            output = method.run(scene_of(samples[row.values["sample"]]))
            image = PILImage.fromarray(output.image)
            about = {
                **row.values,
                "edit_seconds": round(output.seconds, 4),
                "network_calls": output.network_calls,
            }
            return Made(about, {".png": lambda path: write_whole(path, lambda file: image.save(file, "PNG"))})

        return edit


@dataclass(frozen=True)
class MeasureSamples:
    """Compute the figures of the edited picture of each row.

    Parameters
    ----------
    folder, kind
        The data set, as `open_dataset` takes it.
    edits
        The folder that `EditSamples` wrote to.
    features
        The network of features, as `load_pipeline` takes it; None for none.
    """

    folder: str
    kind: str | None
    edits: str
    features: str | None = None

    def depends(self, row: Row) -> Depends:
        """The sample, the edited picture, the networks that measure and the code that does."""
        values = {
            "features": None if self.features is None else weights_of(self.features),
            "network": None if self.features is None else Path(self.features).name,
            "lpips": importlib.util.find_spec("lpips") is not None,
            "code": _digest_of(tuple(HERE / file for file in MEASURING)),
        }
        sample = _dataset(self.folder, self.kind).files_of(row.values["sample"])
        return Depends(values, (Path(self.edits) / f"{row.name}.png", *sample))

    def group(self, row: Row) -> tuple[str, ...]:
        """Rows of one sample are done together: the features of its picture are computed once."""
        return (str(row.values["sample"]),)

    def needs(self) -> Needs:
        """What a worker on a cluster needs: memory for the features' network, and a device."""
        return EditWork(self.features or "mini").needs()

    def open(self, number: int = 0) -> Callable[[Row], Made]:
        """Load the networks that measure."""
        from regiondrag_widget.bench.dragbench.figures import Figures

        figures = Figures.load(self.features, number)
        samples = _Latest(_dataset(self.folder, self.kind))

        def judge(row: Row) -> Made:
            with PILImage.open(Path(self.edits) / f"{row.name}.png") as picture:
                edited = np.asarray(picture.convert("RGB"))
            return Made({**row.values, "figures": figures.of(samples[row.values["sample"]], edited)})

        return judge


class _Latest:
    """The samples of a data set, of which the latest is kept."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._sample: Sample | None = None

    def __getitem__(self, name: str) -> Sample:
        if self._sample is None or self._sample.name != name:
            self._sample = with_regions(self._dataset[name])
        return self._sample


@cache
def _dataset(folder: str, kind: str | None) -> Dataset:
    return open_dataset(folder, kind)


def _networked(row: Row) -> bool:
    return contender(row.values["method"]).network


@cache
def _digest_of(files: tuple[Path, ...]) -> str:
    state = hashlib.sha256()
    for file in files:
        state.update(file.read_bytes())
    return state.hexdigest()[:12]


def _as_name(sample: str) -> str:
    """A sample's name as a file's: what a file system cannot take is replaced, and told apart by a digest."""
    plain = re.sub(r'[<>:"\\|?*\x00-\x1f\x7f\ud800-\udfff]', "_", sample)
    plain = "/".join(part.strip(" .") or "_" for part in plain.split("/"))
    if plain == sample and len(sample) <= 100 and len(sample.encode()) <= MOST_BYTES:
        return sample
    digest = hashlib.sha256(sample.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{cut_to_bytes(plain[:80], MOST_BYTES).rstrip(' ./')}-{digest}"
