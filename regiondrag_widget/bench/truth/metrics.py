"""How close an edited picture is to the truth, region by region."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.truth.scene import Image, Mask, Scene

PSNR_CAP = 60.0
SEAM_WIDTH = 4
PIXELS_PER_DEGREE = 67.0


@dataclass(frozen=True)
class Measures:
    """The figures of one edit of one scene; None where a region is empty.

    PSNR in dB (higher is better, held at 60), SSIM (1 is equal), FLIP (0 is equal), over the touched region
    (handle or target), the target, the vacated place (handle without target) and a band of 4 px on either
    side of the seams. ``texture``: mean gradient magnitude in the vacated place, edited over true.
    ``distance``: the paper's MD, in pixels. ``outside``: the largest grey-level difference from the picture
    before, away from handle and target. ``psnr_picture``: over the whole picture, where damage outside the
    scene's own regions shows.
    """

    psnr: float
    psnr_target: float
    psnr_vacated: float | None
    psnr_seam: float
    psnr_picture: float
    ssim: float
    ssim_target: float
    ssim_vacated: float | None
    ssim_seam: float
    flip: float
    flip_target: float
    flip_vacated: float | None
    flip_seam: float
    texture: float | None
    distance: float | None
    outside: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def measure(scene: Scene, edited: Image, drawn: Mask | None = None) -> Measures:
    """Measure an edited picture (H, W, 3) uint8 against the scene's truth.

    ``drawn`` (H, W) bool is where the edit may have changed it, when not in the scene's handle and target.

    Raises
    ------
    ValueError
        When the picture is not uint8 RGB of the scene's size.
    """
    if edited.shape != scene.after.shape or edited.dtype != np.uint8:
        raise ValueError(
            f"edited picture is {edited.shape} {edited.dtype}: {scene.name} needs {scene.after.shape} uint8"
        )
    regions = {
        "": scene.touched,
        "_target": scene.target,
        "_vacated": scene.vacated,
        "_seam": seam_band(scene),
    }
    error = (edited.astype(np.float64) - scene.after) ** 2
    ssim, flip = ssim_map(edited, scene.after), flip_map(edited, scene.after)
    figures: dict[str, Any] = {}
    for suffix, region in regions.items():
        figures["psnr" + suffix] = psnr(error, region)
        figures["ssim" + suffix] = mean_over(ssim, region)
        figures["flip" + suffix] = mean_over(flip, region)
    return Measures(
        **figures,
        psnr_picture=psnr(error, np.ones(scene.shape, bool)) or 0.0,
        texture=texture_ratio(edited, scene.after, scene.vacated),
        distance=mean_distance(scene, edited),
        outside=largest_difference(edited, scene.before, ~(scene.touched if drawn is None else drawn)),
    )


def psnr(squared_error: NDArray[np.float64], region: Mask) -> float | None:
    """Peak signal-to-noise ratio in dB over a region, from a squared error (H, W, 3); at most 60."""
    if not region.any():
        return None
    mean = float(squared_error[region].mean())
    return PSNR_CAP if mean == 0 else min(PSNR_CAP, 10 * math.log10(255.0**2 / mean))


def ssim_map(a: Image, b: Image) -> NDArray[np.float32]:
    """Structural similarity at each pixel (H, W), mean of the three channels.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment", IEEE TIP 2004, equation 13: Gaussian
    window of sigma 1.5, K1 = 0.01, K2 = 0.03.
    """
    x, y = a.astype(np.float32), b.astype(np.float32)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = _window(x), _window(y)
    var_x, var_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    ratio = (
        (2 * mean_x * mean_y + c1)
        * (2 * covariance + c2)
        / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    )
    return np.asarray(ratio.mean(axis=2), dtype=np.float32)


def flip_map(edited: Image, truth: Image) -> NDArray[np.float32]:
    """The perceived difference at each pixel (H, W), 0 to 1, when flipping between the pictures.

    Andersson et al., "FLIP: a difference evaluator for alternating images", HPG 2020, at 67 pixels a degree.
    """
    import flip_evaluator  # it takes 0.2 s to load, and only this function needs it

    reference, test = (np.ascontiguousarray(image, dtype=np.float32) / 255 for image in (truth, edited))
    parameters = {"ppd": PIXELS_PER_DEGREE}
    error, _, _ = flip_evaluator.evaluate(
        reference, test, "LDR", applyMagma=False, computeMeanError=False, parameters=parameters
    )
    return np.asarray(error, dtype=np.float32).reshape(truth.shape[:2])


def texture_ratio(edited: Image, truth: Image, region: Mask) -> float | None:
    """Mean gradient magnitude in a region, edited over true: 1 is right, below 0.6 blur, above 1.6 noise.

    One grey level is added to both, so that flat skies do not divide by zero.
    """
    if not region.any():
        return None
    return float((_gradient(edited)[region].mean() + 1) / (_gradient(truth)[region].mean() + 1))


def mean_distance(
    scene: Scene, edited: Image, points: int = 24, window: int = 24, patch: int = 6
) -> float | None:
    """Mean distance in pixels between where points of the moved objects should be and where they are found.

    Up to ``points`` corners of the object in the true picture (Shi and Tomasi) are sought in the edited one
    by normalised correlation of patches of ``2 * patch + 1`` pixels, within ``window`` pixels either way; one
    that is gone counts about as much as ``window``. None where the object has no corners.
    """
    truth, picture = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (scene.after, edited))
    moved = np.pad(_moved(scene), 1).astype(np.uint8)
    inner = cv2.erode(moved, np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    found: Any = cv2.goodFeaturesToTrack(truth, points, 0.03, 5, mask=inner)
    if found is None:
        return None
    reach = window + patch
    padded = cv2.copyMakeBorder(picture, reach, reach, reach, reach, cv2.BORDER_REFLECT)
    framed = cv2.copyMakeBorder(truth, patch, patch, patch, patch, cv2.BORDER_REFLECT)
    distances = []
    for x, y in np.rint(found.reshape(-1, 2)).astype(int):
        template = framed[y : y + 2 * patch + 1, x : x + 2 * patch + 1]
        field = padded[y : y + 2 * reach + 1, x : x + 2 * reach + 1]
        score = cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED)
        _, _, _, (found_x, found_y) = cv2.minMaxLoc(score)
        distances.append(math.hypot(found_x - window, found_y - window))
    return float(np.mean(distances))


def seam_band(scene: Scene, width: int = SEAM_WIDTH) -> Mask:
    """Pixels (H, W) within ``width`` of the outline of a handle or a target, on either side."""
    band = np.zeros(scene.shape, bool)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    for region in (mask for pair in scene.pairs for mask in (pair.handle, pair.target)):
        grey = region.astype(np.uint8)
        band |= cv2.dilate(grey, disc).astype(bool) & ~cv2.erode(grey, disc).astype(bool)
    return band


def mean_over(field: NDArray[np.float32], region: Mask) -> float | None:
    """The mean of a field over a region, None when it is empty."""
    return float(field[region].mean()) if region.any() else None


def largest_difference(a: Image, b: Image, region: Mask) -> int:
    """The largest grey-level difference within a region, 0 when it is empty."""
    return int(np.abs(a[region].astype(np.int16) - b[region]).max(initial=0))


def _moved(scene: Scene) -> Mask:
    """Where the moved objects are in the true picture: by their alpha, else by what changed in the target."""
    if scene.alpha is not None:
        return np.asarray(scene.alpha > 0.9)
    differs = np.abs(scene.after.astype(np.int16) - scene.before).max(axis=2) > 8
    closed = cv2.morphologyEx(
        (differs & scene.target).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
    )
    moved = closed.astype(bool) & scene.target
    return moved if moved.any() else scene.target


def _window(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _gradient(image: Image) -> NDArray[np.float32]:
    """Mean over the channels of the gradient's magnitude, in grey levels a pixel (central differences)."""
    picture = image.astype(np.float32)
    dy, dx = np.gradient(picture, axis=(0, 1))
    return np.asarray(np.hypot(dx, dy).mean(axis=2), dtype=np.float32)
