"""A first content for the vacated place, before the diffusion model takes it: textures copied from around it.

Coarse to fine, every patch that overlaps the hole looks for its nearest patch in the known picture, and the
hole's pixels become the vote of the patches that cover them (Wexler, Shechtman, Irani: Space-time completion
of video, 2007; the field is refined by propagation as in Barnes et al.: PatchMatch, 2009). Patches are
compared by colour and by how rough their surroundings are, else flat patches win everywhere (Newson et al.:
Video inpainting of complex scenes, 2014). What is copied stays as sharp as its source.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Fill", "exemplar_fill", "smooth_fill"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]

RADIUS = 2  # patches of 5 x 5
WORK_SIDE = 192
EXACT_PAIRS = 6_000_000
ROUGHNESS_WEIGHT = 50.0**0.5
# grey levels by which a patch may differ from its source and be taken for right, or not
STRAY = 0.8  # a stray source must be this much better than one that continues its neighbours'
SURE, UNSURE = 2.0, 8.0


@dataclass(frozen=True)
class Fill:
    """A picture with its hole filled.

    rgb : (H, W, 3) float32 in 0..255, equal to the input outside the hole
    source_xy : (H, W, 2) float32 x, y, where each pixel was copied from, itself outside the hole; None where
        nothing was copied
    doubt : (H, W) float32 in [0, 1], 0 where the copied patches agree with their surroundings and outside the
        hole
    """

    rgb: Float
    source_xy: Float | None
    doubt: Float


def smooth_fill(rgb: Float, hole: Bool) -> Float:
    """Telea's inpainting (2004, by OpenCV): rgb (H, W, 3) float32 in 0..255, hole (H, W) bool -> as rgb."""
    picture = rgb.clip(0, 255).astype(np.uint8)
    if hole.all():
        return np.full_like(rgb, 127.5)
    filled = cv2.inpaint(picture, hole.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    return np.where(hole[..., None], filled, rgb).astype(np.float32)


def exemplar_fill(rgb: Float, hole: Bool, forbidden: Bool | None = None, *, seed: int = 0) -> Fill:
    """Fill `hole` with patches of the rest of the picture.

    rgb : (H, W, 3) float32 in 0..255
    hole : (H, W) bool, what to fill
    forbidden : (H, W) bool, known pixels that must not be copied (the moved object, a protected area)
    seed : of the search; the same gives the same

    Where too little is known to copy from, it is that of `smooth_fill`, with no sources and full doubt.
    """
    everywhere = hole.astype(np.float32)
    if not hole.any():
        return Fill(rgb.astype(np.float32), None, everywhere)
    forbidden = np.zeros_like(hole) if forbidden is None else forbidden & ~hole
    y0, y1, x0, x1 = _window(hole)
    window = (slice(y0, y1), slice(x0, x1))
    result = rgb.astype(np.float32).copy()
    found = _fill_window(result[window], hole[window], forbidden[window], np.random.default_rng(seed))
    if found is None:
        return Fill(smooth_fill(result, hole), None, everywhere)
    xs, ys = np.meshgrid(np.arange(hole.shape[1]), np.arange(hole.shape[0]))
    source_xy = np.stack([xs, ys], -1).astype(np.float32)
    doubt = np.zeros_like(everywhere)
    result[window], offset, doubt[window] = found
    source_xy[window] += np.where(hole[window][..., None], offset, 0)
    return Fill(result, source_xy, doubt * hole)


def _fill_window(
    rgb: Float, hole: Bool, forbidden: Bool, rng: np.random.Generator
) -> tuple[Float, Float, Float] | None:
    """The filled window, for each of its pixels the offset (x, y) of its source, and the doubt."""
    height, width = hole.shape
    ratio = max(1.0, max(height, width) / WORK_SIDE)
    size = (max(8, round(width / ratio)), max(8, round(height / ratio)))
    base = smooth_fill(rgb, hole | forbidden)
    small = cv2.resize(base, size, interpolation=cv2.INTER_AREA) if ratio > 1 else base
    small_hole, small_forbidden = _shrink(hole, size), _shrink(forbidden, size)
    found = _synthesise(
        _with_roughness(small, small_hole | small_forbidden), small_hole, small_forbidden, rng
    )
    if found is None:
        return None
    voted, offsets, mismatch = found  # (h, w, 3), (h, w, 2) x, y, (h, w)
    scale = np.array([width / size[0], height / size[1]], np.float32)
    flow = cv2.resize(offsets.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST) * scale
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    copied = cv2.remap(
        base, xs + flow[..., 0], ys + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    tone = cv2.resize(voted, (width, height), interpolation=cv2.INTER_CUBIC)
    # the vote has the tones and no seams, the copy the texture: low frequencies of one, high of the other.
    # Where neighbours come from different places the copy would be noise: there the vote's own detail is kept
    sigma = 1.5 * ratio + 0.5
    sharp = cv2.resize(_coherence(offsets), (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    low = cv2.GaussianBlur(tone, (0, 0), sigma)
    merged = low + sharp * (copied - cv2.GaussianBlur(copied, (0, 0), sigma)) + (1 - sharp) * (tone - low)
    doubt = cv2.resize(
        cv2.GaussianBlur(mismatch, (0, 0), 2.0), (width, height), interpolation=cv2.INTER_LINEAR
    )
    doubt = np.clip((doubt - SURE) / (UNSURE - SURE), 0, 1)
    return np.where(hole[..., None], merged.clip(0, 255), rgb).astype(np.float32), flow, doubt


def _coherence(offsets: Float) -> Float:
    """(h, w) float32 in [0, 1]: how many of a pixel's neighbours are copied from beside its own source."""
    alike = np.zeros(offsets.shape[:2], np.float32)
    for axis in (0, 1):
        for step in (1, -1):
            alike += (np.abs(offsets - np.roll(offsets, step, axis)).max(-1) < 0.5) / 4
    return np.asarray(cv2.blur(alike, (3, 3)), np.float32)


def _with_roughness(rgb: Float, unknown: Bool) -> Float:
    """A fourth channel: the mean slope of the lightness around each pixel, continued into what is unknown."""
    grey = rgb.mean(-1).astype(np.float32)
    edge = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8))
    known = (1 - edge).astype(np.float32)
    slope = (
        (np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))) / 4 * known
    )
    mean = cv2.boxFilter(slope, -1, (13, 13)) / np.maximum(cv2.boxFilter(known, -1, (13, 13)), 1e-3)
    continued = cv2.inpaint(mean.astype(np.float32), edge, 5, cv2.INPAINT_TELEA)
    return np.dstack([rgb, continued * ROUGHNESS_WEIGHT]).astype(np.float32)


def _window(hole: Bool) -> tuple[int, int, int, int]:
    """y0, y1, x0, x1 of the hole's bounding box, widened to hold enough to copy from."""
    ys, xs = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    pad = int(max(24, 1.0 * max(ys[-1] - ys[0], xs[-1] - xs[0])))
    return (
        max(0, int(ys[0]) - pad),
        min(hole.shape[0], int(ys[-1]) + pad + 1),
        max(0, int(xs[0]) - pad),
        min(hole.shape[1], int(xs[-1]) + pad + 1),
    )


def _shrink(mask: Bool, size: tuple[int, int]) -> Bool:
    if (mask.shape[1], mask.shape[0]) == size:
        return mask
    area = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(area > 1e-3)


def _synthesise(
    rgb: Float, hole: Bool, forbidden: Bool, rng: np.random.Generator
) -> tuple[Float, Float, Float] | None:
    """Coarse to fine: the voted picture, each pixel's offset (x, y) to its source, and their mismatch."""
    depth = float(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max())
    count = int(np.clip(np.ceil(np.log2(max(1.0, depth / 2.5))), 0, 4))
    offsets: Float | None = None
    estimate: Float | None = None
    for level in range(count, -1, -1):
        size = (max(8, hole.shape[1] >> level), max(8, hole.shape[0] >> level))
        known = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        h, f = _shrink(hole, size), _shrink(forbidden, size)
        current = known.copy()
        if estimate is None:
            current[..., :3] = smooth_fill(np.ascontiguousarray(current[..., :3]), h)
        else:
            current[h] = cv2.resize(estimate, size, interpolation=cv2.INTER_LINEAR)[h]
        grown = _LevelSearch(current, h, f, rng)
        if not grown.usable:
            if level == 0:
                return None
            continue
        offsets = grown.run(offsets, iterations=10 if estimate is None else (4 if level else 3))
        estimate = grown.picture
    if estimate is None or offsets is None:
        return None
    tones = _membrane(rgb[..., :3] - grown.voted[..., :3], grown.ring, hole)
    return estimate[..., :3] + tones, offsets, grown.mismatch


def _membrane(error: Float, ring: Bool, hole: Bool) -> Float:
    """What the vote misses on the hole's rim, spread smoothly over the hole (pull-push): tones meet."""
    total, count = error * ring[..., None], ring.astype(np.float32)
    sums, counts = [total], [count]
    while min(counts[-1].shape) > 2:
        size = (max(1, counts[-1].shape[1] // 2), max(1, counts[-1].shape[0] // 2))
        sums.append(np.asarray(cv2.resize(sums[-1], size, interpolation=cv2.INTER_AREA), np.float32))
        counts.append(np.asarray(cv2.resize(counts[-1], size, interpolation=cv2.INTER_AREA), np.float32))
    smooth = sums[-1] / np.maximum(counts[-1], 1e-6)[..., None]
    for total, count in zip(reversed(sums[:-1]), reversed(counts[:-1]), strict=True):
        coarse = cv2.resize(smooth, (count.shape[1], count.shape[0]), interpolation=cv2.INTER_LINEAR)
        weight = np.clip(count * 2, 0, 1)[..., None]
        smooth = weight * total / np.maximum(count, 1e-6)[..., None] + (1 - weight) * coarse
    smooth = cv2.GaussianBlur(smooth, (0, 0), 2.0)
    return np.where(hole[..., None], smooth, 0).astype(np.float32)


class _LevelSearch:
    """Search and vote on one level of the pyramid."""

    def __init__(self, picture: Float, hole: Bool, forbidden: Bool, rng: np.random.Generator) -> None:
        self.picture, self.hole, self.rng = picture, hole, rng
        self.height, self.width = hole.shape
        side = 2 * RADIUS + 1
        kernel = np.ones((side, side), np.uint8)
        blocked = (hole | forbidden).astype(np.uint8)
        blocked = cv2.copyMakeBorder(blocked, *(RADIUS,) * 4, borderType=cv2.BORDER_CONSTANT, value=1)
        self.valid = cv2.dilate(blocked, kernel)[RADIUS:-RADIUS, RADIUS:-RADIUS] == 0
        self.sources = np.flatnonzero(self.valid)
        self.targets = np.flatnonzero(cv2.dilate(hole.astype(np.uint8), kernel) > 0)
        self.usable = len(self.sources) >= 12
        self.voted = picture
        self.mismatch = np.zeros(hole.shape, np.float32)
        self.ring = np.zeros_like(hole)
        self.ring.ravel()[self.targets] = True
        self.ring &= ~hole & ~forbidden
        d = np.arange(-RADIUS, RADIUS + 1)
        self.stride = self.width + 2 * RADIUS
        self.patch = (d[:, None] * self.stride + d[None, :]).ravel()
        inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
        # pixels near the known picture are surer than those deep in the hole
        confidence = np.where(hole, 1.15**-inside, 1.0).astype(np.float32)
        self.confidence = self._padded(confidence)

    def run(self, offsets: Float | None, iterations: int) -> Float:
        exact = len(self.sources) * len(self.targets) <= EXACT_PAIRS
        match = self._initial(offsets)
        for i in range(iterations):
            at_once = exact and (offsets is None or i < 2)
            match = self._nearest() if at_once else self._propagated(match)
            self._vote(match)
        cost, weights = self._cost(match, self._patches(self.targets), self._weights()), self._weights()
        self.mismatch = np.zeros((self.height, self.width), np.float32)
        self.mismatch.ravel()[self.targets] = np.sqrt(cost / (weights.sum(1) * 3))
        dense = np.zeros((self.height, self.width, 2), np.float32)
        dense.reshape(-1, 2)[self.targets] = self._xy(match) - self._xy(self.targets)
        return dense

    def _initial(self, offsets: Float | None) -> Int:
        if offsets is None:
            return np.asarray(self.rng.choice(self.sources, len(self.targets)))
        scale = np.array([self.width / offsets.shape[1], self.height / offsets.shape[0]], np.float32)
        up = cv2.resize(offsets, (self.width, self.height), interpolation=cv2.INTER_NEAREST) * scale
        return self._legal(self._xy(self.targets) + up.reshape(-1, 2)[self.targets])

    def _legal(self, xy: npt.NDArray[np.floating]) -> Int:
        """Nearest pixel of each position, replaced by a random source where nothing may be copied."""
        x = np.clip(np.rint(xy[:, 0]).astype(np.int64), 0, self.width - 1)
        y = np.clip(np.rint(xy[:, 1]).astype(np.int64), 0, self.height - 1)
        flat = y * self.width + x
        bad = ~self.valid.ravel()[flat]
        flat[bad] = self.rng.choice(self.sources, int(bad.sum()))
        return np.asarray(flat)

    def _nearest(self) -> Int:
        a, b = self._patches(self.targets), self._patches(self.sources)
        w = np.sqrt(self._weights())[..., None]
        # one weight per target pixel: |w (a - b)|^2 = const - 2 (w^2 a) b + w^2 b^2, as two matrix products
        w2 = (w**2).repeat(a.shape[-1], -1).reshape(len(a), -1)
        a2, b2 = a.reshape(len(a), -1), b.reshape(len(b), -1)
        best = np.empty(len(a), np.int64)
        for i in range(0, len(a), 512):
            cost = w2[i : i + 512] @ (b2**2).T - 2 * (w2[i : i + 512] * a2[i : i + 512]) @ b2.T
            best[i : i + 512] = cost.argmin(1)
        return np.asarray(self.sources[best])

    def _propagated(self, match: Int) -> Int:
        here = self._xy(self.targets)
        shift = np.zeros((self.height, self.width, 2), np.float32)
        has = np.zeros((self.height, self.width), bool)
        shift.reshape(-1, 2)[self.targets] = self._xy(match) - here
        has.ravel()[self.targets] = True
        targets, weights = self._patches(self.targets), self._weights()
        best, cost = match, self._cost(match, targets, weights)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (3, 0), (-3, 0), (0, 3), (0, -3)):
            x = np.clip(here[:, 0].astype(np.int64) + dx, 0, self.width - 1)
            y = np.clip(here[:, 1].astype(np.int64) + dy, 0, self.height - 1)
            candidate = self._legal(
                here + np.where(has[y, x][:, None], shift[y, x], shift.reshape(-1, 2)[self.targets])
            )
            best, cost = self._better(best, cost, candidate, targets, weights, 1.0)
        for radius in (self.width / 4, 8.0, 2.0):
            near = self._xy(best) + self.rng.uniform(-radius, radius, (len(best), 2))
            best, cost = self._better(best, cost, self._legal(near), targets, weights, STRAY)
        return best

    def _better(
        self, best: Int, cost: Float, candidate: Int, targets: Float, weights: Float, share: float
    ) -> tuple[Int, Float]:
        """Take a candidate that costs less than `share` of what is there."""
        new = self._cost(candidate, targets, weights)
        won = new < share * cost
        return np.where(won, candidate, best), np.where(won, new, cost).astype(np.float32)

    def _cost(self, match: Int, targets: Float, weights: Float) -> Float:
        difference = self._patches(match) - targets
        cost = np.einsum("npc,npc,np->n", difference, difference, weights, optimize=True)
        return np.asarray(cost, np.float32)

    def _vote(self, match: Int) -> None:
        targets, weights = self._patches(self.targets), self._weights()
        cost = self._cost(match, targets, weights)
        # sharp weights: the mean of many middling patches is a blur, and a blur finds only flat patches
        spread = max(float(np.percentile(cost, 15)), 1e-3)
        weight = (np.exp(-np.minimum(cost / spread, 60)) + 1e-9)[:, None] * weights.mean(1, keepdims=True)
        colours = self._patches(match)
        where = (self._pad_index(self.targets)[:, None] + self.patch).ravel()
        size = self.stride * (self.height + 2 * RADIUS)
        spreadw = np.broadcast_to(weight, (len(match), len(self.patch))).ravel()
        total = np.stack(
            [np.bincount(where, spreadw * colours[..., c].ravel(), size) for c in range(colours.shape[-1])],
            -1,
        )
        count = np.bincount(where, spreadw, size)
        voted = (total / np.maximum(count, 1e-30)[:, None]).reshape(-1, self.stride, total.shape[-1])
        voted = voted[RADIUS:-RADIUS, RADIUS:-RADIUS]
        self.voted = voted.astype(np.float32)
        self.picture = np.where(self.hole[..., None], voted, self.picture).astype(np.float32)

    def _weights(self) -> Float:
        return np.asarray(self.confidence.ravel()[self._pad_index(self.targets)[:, None] + self.patch])

    def _patches(self, centres: Int) -> Float:
        pixels = self._padded(self.picture).reshape(-1, self.picture.shape[-1])
        return np.asarray(pixels[self._pad_index(centres)[:, None] + self.patch])

    def _padded(self, a: Float) -> Float:
        return np.asarray(cv2.copyMakeBorder(a, *(RADIUS,) * 4, borderType=cv2.BORDER_REFLECT), np.float32)

    def _pad_index(self, flat: Int) -> Int:
        return np.asarray((flat // self.width + RADIUS) * self.stride + flat % self.width + RADIUS)

    def _xy(self, flat: Int) -> Float:
        return np.stack([flat % self.width, flat // self.width], -1).astype(np.float32)
