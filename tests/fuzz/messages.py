"""Messages and traits of a hostile page: whatever comes, a widget answers in words and goes on."""

from __future__ import annotations

import io
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from regiondrag_widget import RegionDragWidget
from regiondrag_widget.regions import encode_mask
from regiondrag_widget.widget import editor_cache
from tests.fuzz.mutate import ODD, damaged, mutated
from tests.fuzz.outcome import Outcome, held_memory
from tests.kernel.fake_browser import FakeBrowser, run_message, until
from tests.kernel.fake_editor import FakeEngine, paste

SHAPE = (72, 96)


def fuzz_messages(count: int, seed: int = 0) -> Outcome:
    """Send ``count`` messages and trait updates, most of them damaged, and edit once more at the end.

    An exception that a handler lets through, an error logged by another thread, an answer that speaks of a
    failure inside the kernel, and a last edit that is not the right one are escapes.
    """
    outcome = Outcome("messages")
    rng = random.Random(seed)
    began = time.perf_counter()
    with _widget(outcome) as (widget, page, engine):
        samples = _Samples()
        for number in range(count):
            if number == count // 10:
                _settle(widget, page, engine)
                outcome.before = held_memory()
            _one(rng, widget, page, samples, outcome, number)
            if number % 200 == 199:
                _settle(widget, page, engine, outcome, number)
        _settle(widget, page, engine, outcome, count)
        _last_edit(widget, page, samples, outcome, count)
        _settle(widget, page, engine)
        outcome.after = held_memory()
    outcome.seconds = time.perf_counter() - began
    return outcome


def _one(
    rng: random.Random,
    widget: RegionDragWidget,
    page: FakeBrowser,
    samples: _Samples,
    outcome: Outcome,
    number: int,
) -> None:
    """One input. Handlers are called by themselves: ipywidgets would swallow what they raise."""
    outcome.done += 1
    page.messages.clear()
    try:
        if rng.random() < 0.3:
            state = samples.state(rng, widget)
            widget.set_state(
                state if rng.random() < 0.2 else _object(mutated(rng, state, rng.choice([1, 1, 3])))
            )
        else:
            content, buffers = samples.message(rng, widget)
            if rng.random() < 0.8:
                content = mutated(rng, content, rng.choice([1, 1, 2, 4]))
            if rng.random() < 0.3:
                buffers = _spoiled(rng, buffers)
            widget._receive(widget, content, buffers)
    except Exception as error:
        outcome.escaped(number, error)
    for content, _ in list(page.messages):
        if content["type"] == "error":
            outcome.refused += 1
            if content["code"] in ("kernel", "engine"):
                outcome.escaped(number, f"{content['message']}\n{widget.last_error}")
        elif content["type"] == "undrafted" and content["reason"] in ("memory",):
            outcome.escaped(number, str(content))


def _object(value: Any) -> dict[str, Any]:
    """ipywidgets hands over an object in any case."""
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {"_pairs": value}


def _spoiled(rng: random.Random, buffers: list[bytes]) -> list[Any]:
    spoiled: list[Any] = list(buffers)
    action = rng.random()
    if action < 0.2 and spoiled:
        spoiled.pop()
    elif action < 0.3:
        spoiled.append(b"")
    elif action < 0.4:
        spoiled = [memoryview(data) for data in spoiled]
    elif spoiled:
        at = rng.randrange(len(spoiled))
        spoiled[at] = damaged(rng, spoiled[at])
    return spoiled


class _Samples:
    """Messages and trait values as a page sends them."""

    def __init__(self) -> None:
        y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
        self.handle = (x - 25) ** 2 + (y - 30) ** 2 < 12**2
        self.target = (x - 60) ** 2 + (y - 40) ** 2 < 12**2
        self.masks = [encode_mask(self.handle), encode_mask(self.target)]
        self.masks += [encode_mask(np.ones(SHAPE, bool)), encode_mask(np.zeros(SHAPE, bool)), b""]
        self.pictures = []
        for colour, file_format in (("red", "PNG"), ("blue", "JPEG"), ("green", "WEBP")):
            out = io.BytesIO()
            Image.new("RGB", (SHAPE[1], SHAPE[0]), colour).save(out, file_format)
            self.pictures.append(out.getvalue())
        self._seq = 0

    def message(self, rng: random.Random, widget: RegionDragWidget) -> tuple[dict[str, Any], list[bytes]]:
        """A message in order, and its buffers."""
        self._seq += 1
        run = widget._runs.run
        result = rng.choice([f"r{run}", "r1", "", None])
        kinds: dict[str, tuple[dict[str, Any], list[bytes]]] = {
            "hello": ({"view": "a", "have": {"image": 1, "result": result}}, []),
            "run": (run_message(run + 1, {"seed": rng.randrange(9), "steps": 2}), self.masks[:2]),
            "draft": (
                {
                    "seq": self._seq, "rev": widget._regions_rev, "params": {}, "protect": None,
                    "pairs": [{"id": "a", "name": "", "matrix": [1, 0, 9, 0, 1, 2, 0, 0, 1], "handle": 0,
                               "target": None}],
                },
                self.masks[:1],
            ),
            "drag_ended": ({"seq": self._seq}, []),
            "stop": ({"run": run}, []),
            "ack": ({"run": run, "seq": 1}, []),
            "need": ({"what": rng.choice(["image", "result", "thumbs", "masks"]), "result": result}, []),
            "accept": ({"result": result}, []),
            "discard": ({"result": result}, []),
            "restore": ({"result": result}, []),
            "load": ({"name": "a.png", "mime": "image/png", "part": 0, "parts": 1, "upload": "u"},
                     [rng.choice(self.pictures)]),
            "visible": ({"visible": rng.random() < 0.5}, []),
            "ping": ({}, []),
            "stats": ({"on": rng.random() < 0.5}, []),
        }  # fmt: skip
        kind = rng.choice(list(kinds))
        content, buffers = kinds[kind]
        return {"v": 1, "type": kind, **content}, list(buffers)

    def state(self, rng: random.Random, widget: RegionDragWidget) -> dict[str, Any]:
        """Traits as a page writes them."""
        keys = ["a", "b", "c"][: rng.randrange(4)]
        entries = [
            {"id": key, "name": key, "color": 0, "matrix": None, "visible": True, "locked": False, "rev": 1,
             "hasTarget": True, "carry": rng.choice([None, "object", "painted", "mask"])}
            for key in keys
        ]  # fmt: skip
        masks = {f"{part}:{key}": rng.choice(self.masks) for key in keys for part in "htc"}
        if rng.random() < 0.3:
            masks = {key: damaged(rng, data) if rng.random() < 0.3 else data for key, data in masks.items()}
        state = {
            "_pairs": entries, "_masks": masks, "_regions_rev": widget._regions_rev + 1, "_selected": 0,
            "settings": {"seed": rng.randrange(99), "steps": 2},
        }  # fmt: skip
        if rng.random() < 0.1:
            state[rng.choice(["_image", "_result", "_history", "layout", "comm", "_document"])] = rng.choice(
                ODD
            )
        wanted = rng.sample(list(state), rng.randrange(1, len(state) + 1))
        return {name: state[name] for name in wanted}


class _Errors(logging.Handler):
    """Exceptions that other threads log."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(logging.ERROR)
        self._outcome = outcome

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        if record.exc_info:
            words += f": {logging.Formatter().formatException(record.exc_info)[-2000:]}"
        self._outcome.escaped(self._outcome.done, words)


@contextmanager
def _widget(outcome: Outcome) -> Iterator[tuple[RegionDragWidget, FakeBrowser, FakeEngine]]:
    engine = FakeEngine()
    before, editor_cache._shared = editor_cache._shared, editor_cache.EditorCache(engine)
    log, handler = logging.getLogger("regiondrag_widget"), _Errors(outcome)
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.ERROR)  # refusals are warnings: a hundred thousand of them say nothing
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    widget = RegionDragWidget(np.stack([x * 2, y * 3, x + y], -1).astype(np.uint8), steps=2)
    try:
        yield widget, FakeBrowser(widget), engine
    finally:
        widget.close()
        log.removeHandler(handler)
        log.setLevel(level)
        editor_cache._shared = before


def _settle(
    widget: RegionDragWidget,
    page: FakeBrowser,
    engine: FakeEngine,
    outcome: Outcome | None = None,
    number: int = 0,
) -> None:
    """Wait until the threads are done, and forget what was noted."""
    job = widget._handlers._arrivals._job
    try:
        if job is not None:
            until(lambda: job.finished, 30)
        until(lambda: not widget._runs._worker.busy and not widget.busy, 30)
    except AssertionError as error:
        if outcome is not None:
            outcome.escaped(number, f"the widget did not come to rest: {widget._state} {error}")
    page.messages.clear()
    page.updates.clear()
    for noted in (engine.prepared, engine.warmed, engine.edits, engine.drafts, engine.began):
        noted.clear()


def _last_edit(
    widget: RegionDragWidget, page: FakeBrowser, samples: _Samples, outcome: Outcome, number: int
) -> None:
    """After all of that an edit is the right one."""
    before = np.random.default_rng(7).integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    widget.image = before
    widget.settings = {"steps": 2, "seed": 1}
    pairs = [widget.add_pair(samples.handle, samples.target)]
    want = paste(before, pairs)
    page.run(widget._runs.run + 1, samples.handle, samples.target)
    done = page.until("done", seconds=30)
    if not np.array_equal(np.asarray(widget.result.image), want):
        outcome.escaped(number, f"the edit after all of that is not the right one: {done}")
