"""Tell the object inside a drawn handle from the ring of background that a person draws along with it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["handle_alpha"]

WORK_SIDE = 320
MIN_STEP = 10.0  # grey levels a pixel must at least differ from what surrounds the handle
MIN_CONTRAST = 3.0  # grey levels between the means of what is kept and what is cut off
RIM_PIXELS = 10.0  # at working size, how much background a person draws along at most
MIN_SHARE, MAX_SHARE = 0.2, 1.0  # of the handle's area; outside of these the cut is not believed


def handle_alpha(
    rgb: npt.NDArray[np.uint8], handle: npt.NDArray[np.bool_], matte: str = "auto"
) -> npt.NDArray[np.float32]:
    """Opacity of what the handle carries, (H, W) float32 in [0, 1], 0 outside the handle.

    rgb : (H, W, 3) uint8
    handle : (H, W) bool
    matte : "auto" cuts the object out by GrabCut (Rother et al. 2004): surely object deep inside the handle,
        surely background outside, unsure along the rim. Where the cut is not convincing the whole handle is
        carried. "none" always carries the whole handle.

    Raises ValueError for another matte.
    """
    if matte not in ("auto", "none"):
        raise ValueError(f"matte must be 'auto' or 'none', got {matte!r}")
    whole = _softened(handle, handle)
    if matte == "none":
        return whole
    cut = _cut(rgb, handle)
    return whole if cut is None else _softened(cut, handle)


def _cut(rgb: npt.NDArray[np.uint8], handle: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    """The object (H, W) bool inside the handle; None where the cut is not to be believed."""
    ys, xs = np.nonzero(handle.any(1))[0], np.nonzero(handle.any(0))[0]
    pad = max(8, int(0.3 * max(ys[-1] - ys[0], xs[-1] - xs[0])))
    box = (
        slice(max(0, ys[0] - pad), min(handle.shape[0], ys[-1] + pad + 1)),
        slice(max(0, xs[0] - pad), min(handle.shape[1], xs[-1] + pad + 1)),
    )
    crop, region = rgb[box], handle[box].astype(np.uint8)
    shape = region.shape
    scale = min(1.0, WORK_SIDE / max(shape))
    if scale < 1:
        size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
        region = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    framed = cv2.copyMakeBorder(region, 1, 1, 1, 1, cv2.BORDER_REPLICATE)  # the picture's edge is no rim
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    deepest = float(depth.max())
    if deepest < 3 or int((region == 0).sum()) < 50:
        return None
    rim = min(RIM_PIXELS, 0.5 * deepest)
    labels = np.full(region.shape, cv2.GC_BGD, np.uint8)
    labels[region > 0] = cv2.GC_PR_BGD
    labels[depth > 0.35 * rim] = cv2.GC_PR_FGD
    labels[depth > rim] = cv2.GC_FGD
    try:
        cv2.setRNGSeed(0)
        cv2.grabCut(
            np.ascontiguousarray(crop[..., ::-1]),
            labels,
            None,
            np.zeros((1, 65)),
            np.zeros((1, 65)),
            4,
            cv2.GC_INIT_WITH_MASK,
        )
    except cv2.error:
        return None
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)) & (region > 0)
    found = _tidied(found | _stands_out(crop, region > 0), depth > rim)
    share = found.sum() / max(1, int(region.sum()))
    if not MIN_SHARE <= share <= MAX_SHARE:
        return None
    left = (region > 0) & ~found
    if left.any() and np.abs(crop[found].mean(0) - crop[left].mean(0)).max() < MIN_CONTRAST:
        return None  # nothing to tell apart
    whole = np.zeros_like(handle)
    large = cv2.resize(found.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    whole[box] = (large > 0.5) & handle[box]
    return whole


def _stands_out(crop: npt.NDArray[np.uint8], region: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where the region is plainly not what continues its surroundings: a bright side against a bright sky.

    Plainly: by several times what the surroundings themselves differ from their own mean nearby.
    """
    background = cv2.inpaint(crop, region.astype(np.uint8), 5, cv2.INPAINT_TELEA).astype(np.float32)
    picture = crop.astype(np.float32)
    known = (~region).astype(np.float32)
    count = np.maximum(cv2.blur(known, (31, 31)), 1e-4)
    mean = cv2.blur(picture * known[..., None], (31, 31)) / count[..., None]
    spread = np.sqrt(cv2.blur(((picture - mean) ** 2).max(-1) * known, (31, 31)) / count)
    difference = np.abs(picture - background).max(-1)
    near = cv2.blur(known, (31, 31)) > 0.02  # where there are surroundings to compare with
    return np.asarray(region & near & (difference > np.maximum(MIN_STEP, 3 * spread)))


def _tidied(found: npt.NDArray[np.bool_], core: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Only what hangs together with the core, its pin holes closed."""
    opened = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(opened, connectivity=8)
    kept = np.isin(labels, np.unique(labels[core & (opened > 0)])) & (opened > 0)
    outside = np.pad((~kept).astype(np.uint8), 1, constant_values=1)
    _, holes, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < 0.02 * kept.size)
    filled = kept | (np.isin(holes, small) & (outside > 0))[1:-1, 1:-1]
    return np.asarray(filled)


def _softened(mask: npt.NDArray[np.bool_], handle: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """A pixel or two of ramp: edges in photographs are never steps."""
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    if alpha.max() < 0.9:  # a region thinner than the ramp
        alpha = mask.astype(np.float32)
    return np.where(handle, alpha, 0).astype(np.float32)
