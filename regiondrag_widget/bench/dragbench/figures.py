"""Every figure of one edited sample, with the variant it is in its name, and what could not be computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.dragbench.dift import ENSEMBLE, TIMESTEP, Dift
from regiondrag_widget.bench.dragbench.matching import md_px, md_rd
from regiondrag_widget.bench.dragbench.perceptual import Distance, fidelity, load_lpips, lpips_of
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.bench.truth.metrics import mean_over, psnr, ssim_map
from regiondrag_widget.datasets import Sample

__all__ = ["MEASURES", "Figures", "Measure"]

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Measure:
    """A figure's title in tables, its variant in words, and how it is printed.

    Parameters
    ----------
    title, words
        For the report; ``words`` may hold ``{features}``, the network that features come from.
    scale
        What the value is multiplied by in tables.
    digits
        Behind the point.
    better
        ``"low"`` or ``"high"``.
    """

    title: str
    words: str
    scale: float = 1.0
    digits: int = 2
    better: str = "low"


_RD = (
    "x100, distance over width and height, found in two discs round handle and target; DIFT of {features}, "
    f"timestep {TIMESTEP}, {ENSEMBLE} noises of seed 0, likeliest latents, the picture made square"
)
MEASURES: Mapping[str, Measure] = {
    "md_rd_sample": Measure("MD-RD, sample's prompt", f"{_RD}; the sample's prompt (RegionDrag)", 100),
    "md_rd_none": Measure("MD-RD, no prompt", f"{_RD}; no prompt given (Inpaint4Drag)", 100),
    "md_rd_empty": Measure(
        "MD-RD, empty prompt",
        f"{_RD}; the empty prompt (DragFlow), which such networks encode as they do none",
        100,
    ),
    "md_px": Measure(
        "MD-px",
        "pixels, found in the whole picture, mean over all points of all pictures; DIFT of {features}, "
        f"timestep {TIMESTEP}, {ENSEMBLE} noises of seed 42, latents drawn where the autoencoder gives a "
        "distribution, the picture's own size, bilinear, the sample's prompt (DragDiffusion)",
    ),
    "lpips": Measure(
        "LPIPS", "x100, AlexNet, 224 x 224 bilinear, against the picture before (RegionDrag)", 100
    ),
    "if_bg": Measure(
        "IF bg", "1 - LPIPS outside what may change (DragFlow); 1 is untouched", digits=3, better="high"
    ),
    "if_s2t": Measure(
        "IF s2t",
        "1 - LPIPS of each target against the picture carried there by our map (DragFlow)",
        digits=3,
        better="high",
    ),
    "if_s2s": Measure(
        "IF s2s", "1 - LPIPS of each handle's old place; lower is emptier (DragFlow)", digits=3
    ),
    "mse": Measure("MSE", "against the truth, values in 0..1, the whole picture", digits=4),
    "ssim": Measure("SSIM", "against the truth, Gaussian window of sigma 1.5", digits=4, better="high"),
    "psnr": Measure("PSNR", "dB against the truth", better="high"),
}


@dataclass
class Figures:
    """Computes what can be computed with the networks that are at hand.

    Parameters
    ----------
    dift
        Features; None where there is no network for them.
    distance
        LPIPS; None where it cannot be had.
    missing
        {measure: why it is not computed}.
    """

    dift: Dift | None = None
    distance: Distance | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known: dict[tuple[str, str, str], NDArray[np.float32]] = {}

    @classmethod
    def load(cls, features: str | None, number: int = 0) -> Figures:
        """Load a features' network by name or folder, and LPIPS where it is installed; downloads no LPIPS.

        ``number`` as `BenchNetwork.load` takes it.
        """
        missing: dict[str, str] = {}
        dift = None if features is None else Dift(BenchNetwork.load(features, number))
        if dift is None:
            why = "no network for features: give --features with a folder of Stable Diffusion 2.1"
            missing |= dict.fromkeys(("md_rd_sample", "md_rd_none", "md_rd_empty", "md_px"), why)
        elif not dift.takes_text:
            why = "the features' network takes no text, so that it equals the one with the sample's prompt"
            missing |= dict.fromkeys(("md_rd_none", "md_rd_empty"), why)
        distance: Distance | None = None
        try:
            distance = load_lpips()
        except ValueError as error:
            missing |= dict.fromkeys(("lpips", "if_bg", "if_s2t", "if_s2s"), str(error))
        return cls(dift, distance, missing)

    def of(self, sample: Sample, edited: Picture) -> dict[str, float]:
        """All figures of an edited picture (H, W, 3) uint8, by the names of `MEASURES`.

        Raises
        ------
        ValueError
            The picture has another size than the sample's.
        """
        if edited.shape != sample.image.shape:
            raise ValueError(f"the edited picture is {edited.shape}, the sample's {sample.image.shape}")
        found: dict[str, float] = {}
        if self.dift is not None and len(sample.points):
            found |= self._distances(sample, edited, self.dift)
        if self.distance is not None:
            found["lpips"] = lpips_of(sample.image, edited, self.distance)
            if len(sample.pairs):
                found |= fidelity(sample.image, edited, sample.pairs, sample.editable, self.distance)
        if sample.truth is not None:
            error = ((edited.astype(np.float64) - sample.truth) / 255) ** 2
            everywhere = np.ones(sample.shape, bool)
            found["mse"] = float(error.mean())
            found["psnr"] = psnr(error * 255.0**2, everywhere) or 0.0
            found["ssim"] = mean_over(ssim_map(edited, sample.truth), everywhere) or 0.0
        return found

    def _distances(self, sample: Sample, edited: Picture, dift: Dift) -> dict[str, float]:
        def rd(prompt: str) -> float:
            before = self._before(sample, "squared", prompt, dift)
            return md_rd(before, dift.squared(edited, prompt), sample.points, sample.shape)

        found = {"md_rd_sample": rd(sample.prompt)}
        if dift.takes_text:
            found["md_rd_none"] = rd("") if sample.prompt else found["md_rd_sample"]
            found["md_rd_empty"] = found["md_rd_none"]
        before = self._before(sample, "native", sample.prompt, dift)
        after = dift.native(edited, sample.prompt)
        found["md_px"] = md_px(before, after, sample.points, sample.shape)
        return found

    def _before(self, sample: Sample, how: str, prompt: str, dift: Dift) -> NDArray[np.float32]:
        """Features of the picture before, kept for the sample's other edits."""
        key = (sample.name, how, prompt)
        if key not in self._known:
            if any(name != sample.name for name, _, _ in self._known):
                self._known.clear()
            take = dift.squared if how == "squared" else dift.native
            self._known[key] = take(sample.image, prompt)
        return self._known[key]
