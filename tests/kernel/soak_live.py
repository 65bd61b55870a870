"""Minutes of dragging without a pause, by a script: nothing may grow, and nothing old may be sent.

    python -m tests.kernel.soak_live --seconds 600            # an engine that computes nothing
    python -m tests.kernel.soak_live --seconds 600 --mini     # the bundled model, at 256x256

A page asks for one draft at a time, as the real one does; now and then it rests, runs, hides, opens the
read-out, or its picture and settings change under its hands. Prints what it counted as JSON; exit status 1
when something grew, came late, came out of order or was never answered.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import psutil

import regiondrag_widget as rd
from regiondrag_widget.widget import editor_cache
from regiondrag_widget.widget.draft_job import MAX_AGE
from tests.kernel.fake_browser import FakeBrowser
from tests.kernel.fake_editor import FakeEngine

LOST = 2.0  # seconds after which a page gives a request up
MEGABYTE = 2**20


@dataclass
class Count:
    """What happened."""

    seconds: float = 0.0
    drafted: int = 0
    runs: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    given_up: int = 0
    oldest: float = 0.0  # seconds from a request to its picture
    threads: int = 0
    threads_grown: int = 0
    waiting: int = 0  # jobs, at most
    grown: float = 0.0  # megabytes of the process, from a third of the time to its end
    troubles: list[str] = field(default_factory=list)


class Page(FakeBrowser):
    """A page that drags; it keeps no messages."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.count = Count()
        self.sent: dict[int, float] = {}  # unanswered requests, and when they were sent
        self.flying: int | None = None
        self.newest = 0
        self.run_over = threading.Event()

    def receive(self, msg_type: str, data: Any = None, buffers: Any = None) -> None:
        super().receive(msg_type, data, buffers)
        self.updates.clear()
        while self.messages:
            self._hear(self.messages.pop(0)[0])

    def _hear(self, content: dict[str, Any]) -> None:
        kind = content["type"]
        if kind in ("done", "stopped"):
            self.run_over.set()
        if kind == "error":
            self.count.troubles.append(str(content["message"]))
        if kind not in ("drafted", "undrafted"):
            return
        seq = content["seq"]
        age = time.monotonic() - self.sent.pop(seq, float("-inf"))
        if age == float("inf"):
            self.count.troubles.append(f"draft {seq} was answered twice, or never asked for")
        if seq < self.newest:
            self.count.troubles.append(f"draft {seq} was answered after draft {self.newest}")
        self.newest = max(self.newest, seq)
        if kind == "drafted":
            self.count.drafted += 1
            self.count.oldest = max(self.count.oldest, age)
        else:
            reason = str(content["reason"])
            self.count.refused[reason] = self.count.refused.get(reason, 0) + 1
        if seq == self.flying:
            self.flying = None

    def ask(self, seq: int, handle: np.ndarray, dx: float, dy: float) -> None:
        """Ask for a draft, unless one is under way and not yet given up."""
        now = time.monotonic()
        if self.flying is not None:
            if now - self.sent.get(self.flying, now) < LOST:
                return
            self.count.given_up += 1
        self.flying, self.sent[seq] = seq, now
        self.drag(seq, handle, dx, dy, rev=self.widget._regions_rev)


def soak(seconds: float, rgb: np.ndarray, engine: FakeEngine | None = None, seed: int = 0) -> Count:
    """Drag for so long. With an ``engine``, some of its drafts take longer than they are worth."""
    rng = random.Random(seed)
    w = rd.RegionDragWidget(rgb, steps=6)
    page = Page(w)
    page.show()
    count = page.count
    height, width = rgb.shape[:2]
    y, x = np.mgrid[:height, :width]
    handle = (x - width * 0.3) ** 2 + (y - height * 0.4) ** 2 < (height * 0.15) ** 2
    target = np.roll(handle, width // 4, 1)
    process, base, threads = psutil.Process(), 0, 0
    began, seq, dx, dy = time.monotonic(), 0, 0.0, 0.0
    while (elapsed := time.monotonic() - began) < seconds:
        seq += 1
        dx = min(max(dx + rng.uniform(-6, 6), 0), width * 0.5)
        dy = min(max(dy + rng.uniform(-6, 6), -height * 0.2), height * 0.3)
        page.ask(seq, handle, dx, dy)
        disturb(page, w, rng, seq, handle, target, rgb)
        if engine is not None:
            slow = rng.random() < 0.006
            engine.draft_seconds = MAX_AGE * 0.7 if slow else rng.uniform(0, 0.02)
            for record in (engine.drafts, engine.edits, engine.warmed, engine.prepared, engine.began):
                record.clear()
        count.waiting = max(count.waiting, len(w._runs._worker._waiting))
        if not base and elapsed > seconds / 3:
            gc.collect()
            base, threads = process.memory_info().rss, threading.active_count()
        time.sleep(rng.uniform(0.002, 0.02))
    end = time.monotonic() + 30
    while page.sent and time.monotonic() < end:
        time.sleep(0.01)
    if page.sent:
        count.troubles.append(f"{len(page.sent)} requests were never answered")
    gc.collect()
    count.seconds = round(seconds, 1)
    count.oldest = round(count.oldest, 3)
    count.threads, count.threads_grown = threading.active_count(), threading.active_count() - threads
    count.grown = round((process.memory_info().rss - base) / MEGABYTE, 1)
    w.close()
    return count


def disturb(
    page: Page,
    w: rd.RegionDragWidget,
    rng: random.Random,
    seq: int,
    handle: np.ndarray,
    target: np.ndarray,
    rgb: np.ndarray,
) -> None:
    """Now and then: something else than dragging."""
    chance = rng.random()
    if chance < 0.004:
        page.send({"type": "drag_ended", "seq": seq})
    elif chance < 0.008:
        run(page, w, handle, target)
    elif chance < 0.009:
        w.image = rgb[:, ::-1].copy() if rng.random() < 0.5 else rgb
    elif chance < 0.011:
        w.settings["seed"] = rng.randrange(3)
    elif chance < 0.014:
        page.send({"type": "stats", "on": rng.random() < 0.5})
    elif chance < 0.016:
        page.send({"type": "visible", "visible": rng.random() < 0.7})


def run(page: Page, w: rd.RegionDragWidget, handle: np.ndarray, target: np.ndarray) -> None:
    """Release the pointer: the full edit, to its end."""
    page.run_over.clear()
    page.run(w._runs.run + 1, handle, target)
    page.count.runs += 1
    if not page.run_over.wait(60):
        page.count.troubles.append("a run did not end")


def judge(count: Count, most_grown: float) -> list[str]:
    """What is wrong with it, in words."""
    wrong = list(dict.fromkeys(count.troubles))
    if count.oldest > MAX_AGE + 0.25:
        wrong.append(f"a draft was {count.oldest} s old when it was sent")
    if count.threads_grown > 0:
        wrong.append(f"{count.threads_grown} threads more")
    if count.waiting > 3:
        wrong.append(f"{count.waiting} jobs waited at once")
    if count.grown > most_grown:
        wrong.append(f"{count.grown} MB more")
    if count.drafted < count.seconds:
        wrong.append(f"only {count.drafted} drafts in {count.seconds} s")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--mini", action="store_true", help="the bundled model, not an idle engine")
    parser.add_argument("--size", type=int, default=256, help="side of the picture, pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from regiondrag_widget import assets

    rgb = np.asarray(assets.load().image.convert("RGB").resize((options.size, options.size)))
    engine = None if options.mini else FakeEngine()
    if engine is not None:
        editor_cache.install_editors(engine)
    count = soak(options.seconds, rgb, engine, options.seed)
    wrong = judge(count, most_grown=64.0)
    json.dump({**asdict(count), "wrong": wrong}, sys.stdout, indent=2)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
