"""Nearest patches and their vote: the search behind the exemplar fill, on one level of its pyramid.

Wexler, Shechtman, Irani: Space-time completion of video (2007); propagation and random search as in Barnes et
al.: PatchMatch (2009).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["PatchSearch"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]

RADIUS = 2  # patches of 5 x 5
EXACT_PAIRS = 6_000_000
STRAY = 0.8  # a stray source must be this much better than one that continues its neighbours'


class PatchSearch:
    """Search and vote on one level of the pyramid.

    Parameters
    ----------
    picture
        (h, w, C) float32, the hole holding a first content.
    hole, forbidden
        (h, w) bool.

    After `run`, `picture` holds the hole's vote, `voted` that of the hole's rim too, and `mismatch` (h, w)
    float32 the root mean square difference between each pixel's patch and the one it was copied from.
    """

    def __init__(self, picture: Float, hole: Bool, forbidden: Bool, rng: np.random.Generator) -> None:
        self.hole, self.rng = hole, rng
        self.height, self.width = hole.shape
        self._show(picture)
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
        """Search and vote by turns, from offsets (h, w, 2) found at a coarser level or from none."""
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
        other = np.flatnonzero(candidate != best)  # neighbours mostly agree: what is the same costs the same
        new = self._cost(candidate[other], targets[other], weights[other])
        won = new < share * cost[other]
        best, cost = best.copy(), cost.copy()
        best[other[won]], cost[other[won]] = candidate[other[won]], new[won]
        return best, cost

    def _cost(self, match: Int, targets: Float, weights: Float) -> Float:
        difference = self._patches(match) - targets
        squares = np.einsum("npc,npc->np", difference, difference)
        return np.asarray(np.einsum("np,np->n", squares, weights), np.float32)

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
        self._show(np.where(self.hole[..., None], voted, self.picture).astype(np.float32))

    def _show(self, picture: Float) -> None:
        self.picture = picture
        self._pixels = self._padded(picture).reshape(-1, picture.shape[-1])

    def _weights(self) -> Float:
        return np.asarray(self.confidence.ravel()[self._pad_index(self.targets)[:, None] + self.patch])

    def _patches(self, centres: Int) -> Float:
        return np.asarray(self._pixels[self._pad_index(centres)[:, None] + self.patch])

    def _padded(self, a: Float) -> Float:
        return np.asarray(cv2.copyMakeBorder(a, *(RADIUS,) * 4, borderType=cv2.BORDER_REFLECT), np.float32)

    def _pad_index(self, flat: Int) -> Int:
        return np.asarray((flat // self.width + RADIUS) * self.stride + flat % self.width + RADIUS)

    def _xy(self, flat: Int) -> Float:
        return np.stack([flat % self.width, flat // self.width], -1).astype(np.float32)
