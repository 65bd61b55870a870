"""Work on a few rows of a picture at a time: they stay in the processor's cache, and cores share them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2

__all__ = ["in_strips"]

PIXELS = 1 << 17  # of a strip
ALONE = 1 << 20  # pixels up to which threads are not worth their start


def in_strips(work: Callable[[slice], None], rows: slice, width: int) -> None:
    """Call `work` with strips of rows that together are all of them; of many pixels, on all cores.

    Parameters
    ----------
    work
        Is given rows. It writes to arrays of its own rows alone; strips come in any order.
    rows
        First and last one, which has a start and a stop.
    width
        Pixels of a row.
    """
    high = max(1, PIXELS // max(1, width))
    strips = [slice(top, min(top + high, rows.stop)) for top in range(rows.start, rows.stop, high)]
    threads = min(cv2.getNumThreads(), len(strips))
    if threads < 2 or (rows.stop - rows.start) * width <= ALONE:
        for strip in strips:
            work(strip)
        return
    with ThreadPoolExecutor(threads, "strips") as pool:
        for _ in pool.map(work, strips):
            pass
