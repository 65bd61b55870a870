"""A monkey at the widget: random gestures by a seed, and then everything is undone.

    python -m tests.browser.monkey --seconds 1800 --seed 1
    python -m tests.browser.monkey --seconds 900 --jupyter

Rounds of gestures with every tool, key and button, on the mock host or in JupyterLab, whose kernel has a fake
engine. Each ends by undoing all of it, Accepts included: what is drawn and the picture must be as in the
beginning. Prints a line a round; exit status 1 when the page or the kernel logged an error, when undoing left
something, or when memory grew. The front end must be built.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, TimeoutError, sync_playwright

from tests.browser.mock_host.page import Point, Widget
from tests.browser.mock_host.serving import open_host

TOOLS = "beslguprovi"
KEYS = [
    "x",
    "t",
    "k",
    "n",
    "f",
    "a",
    "w",
    "m",
    "0",
    "1",
    "+",
    "-",
    "[",
    "]",
    "Tab",
    "Shift+Tab",
    "Delete",
    "Backspace",
    "Enter",
    "Shift+Enter",
    "Alt+Enter",
    "Escape",
    "ArrowLeft",
    "Shift+ArrowRight",
    "ArrowUp",
    "Shift+ArrowDown",
    "Shift+f",
    "Shift+d",
    "Shift+Delete",
    "Shift+c",
    "Control+z",
    "Control+Shift+Z",
    "Control+d",
    "Control+c",
    "Control+Enter",
    "Shift+x",
]
BUTTONS = [
    "Grow",
    "Shrink",
    "Smooth",
    "Fill holes",
    "Invert",
    "Move",
    "Copy",
    "Remove",
    "Back to start",
    "Clear",
    "New pair",
    "Delete pair",
    "Duplicate",
    "Run",
    "Stop",
    "Live",
    "Regions",
    "Result",
    "Compare",
    "Side by side",
    "Accept",
    "Discard",
    "Another seed",
    "Box",
    "Pieces",
    "Fit",
    "Preview",
    "Measurements",
]
HELD = [None, None, None, "Shift", "Alt"]
MOST_UNDONE = 400  # presses of undo after a round; a round makes fewer steps
# no picture is on its way: an Accept, or its undoing, has brought all that comes with it
QUIET = "document.querySelector('.rd-root').getAttribute('aria-busy') === 'false'"
STATE = """() => {
    const bytes = (v) => [...new Uint8Array(v.buffer ?? v, v.byteOffset ?? 0, v.byteLength)]
    const sum = (v) => bytes(v).reduce((h, b) => (Math.imul(h, 31) + b) | 0, 7)
    const m = host.model
    const pairs = m.get('_pairs').map(({ rev, ...pair }) => pair)
    const masks = Object.entries(m.get('_masks')).map(([key, value]) => [key, sum(value)])
    return JSON.stringify([pairs, masks, sum(m.get('_image')), m.get('_image').byteLength])
}"""


@dataclass
class Monkey:
    """Makes random gestures.

    Attributes
    ----------
    widget
        Opened on a picture of ``size``.
    seed
        Of all that is random: the same gestures come again.
    done
        What was done in this round, for whoever reads a failure.
    buttons
        Of the mouse, that it drags with.
    """

    widget: Widget
    seed: int
    size: tuple[int, int] = (320, 240)
    done: list[str] = field(default_factory=list)
    buttons: tuple[str, ...] = ("left", "left", "left", "right", "middle")

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def state(self, wanted: str | None = None) -> str:
        """What the kernel would hold: picture, pairs and masks; ``wanted`` is for kernels that lag behind."""
        found: str = self.widget.page.evaluate(STATE)
        return found

    def round(self, gestures: int) -> None:
        """Makes so many gestures, undoes all of them, and compares."""
        self.done.clear()
        self.settle()
        before = self.state()
        for _ in range(gestures):
            act = self._random.choices(
                [self.drag, self.tap, self.key, self.button, self.tool], [5, 4, 4, 2, 3]
            )[0]
            act()
        self.undo_all()
        after = self.state(before)
        assert after == before, (
            f"undo left {after[:2000]} instead of {before[:200]}; seed {self.seed}, {' '.join(self.done)}"
        )

    def failures(self) -> list[str]:
        """What went wrong in the kernel; the mock host has none."""
        return []

    def memory(self) -> list[float]:
        """Megabytes of the kernel; the mock host has none."""
        return []

    def undo_all(self) -> None:
        """Ends what is under way and presses undo until there is nothing left to undo."""
        page = self.widget.page
        self.settle()
        undo = self.widget.button("Undo")
        for _ in range(MOST_UNDONE):
            page.wait_for_function(QUIET)
            if not undo.is_enabled():
                return
            undo.click()
        raise AssertionError("there is no end of undoing")

    def settle(self) -> None:
        """Lets go of everything, stops what runs and waits for answers."""
        page = self.widget.page
        page.mouse.up()
        for key in ("Shift", "Alt", "Control"):
            page.keyboard.up(key)
        for _ in range(4):
            self.widget.press("Escape")
        if self.widget.button("Stop").is_enabled():
            self._click("Stop")
        page.wait_for_function("document.querySelector('.rd-progress').hidden")
        live = self.widget.button("Live")
        if live.get_attribute("aria-pressed") == "true":
            live.click()
        page.wait_for_timeout(700)  # longer than live editing waits before it runs
        page.wait_for_function("document.querySelector('.rd-progress').hidden")

    # -- gestures --------------------------------------------------------------------------------------------

    def point(self) -> Point:
        """A pixel of the picture, now and then one outside."""
        width, height = self.size
        return self._random.uniform(-20, width + 20), self._random.uniform(-20, height + 20)

    def drag(self) -> None:
        """From one point by some others, perhaps with a key held."""
        points = [self.point() for _ in range(self._random.randint(2, 4))]
        button = self._random.choice(self.buttons)
        self._note("drag", button)
        with_key = self._random.choice(HELD)
        self._holding(with_key, lambda: self.widget.drag(*points, steps=3, button=button))

    def tap(self) -> None:
        """A click or a double click."""
        x, y = self.widget.screen(self.point())
        double = self._random.random() < 0.2
        self._note("double" if double else "tap")
        mouse = self.widget.page.mouse
        press: Callable[[], None] = (lambda: mouse.dblclick(x, y)) if double else (lambda: mouse.click(x, y))
        self._holding(self._random.choice(HELD), press)

    def key(self) -> None:
        """A key on the canvas, perhaps several times."""
        name = self._random.choice(KEYS)
        self._note(name)
        self.widget.press(*[name] * self._random.randint(1, 3))

    def tool(self) -> None:
        """Another tool."""
        name = self._random.choice(TOOLS)
        self._note("tool", name)
        self.widget.press(name)

    def button(self) -> None:
        """A button, if it can be pressed now."""
        name = self._random.choice(BUTTONS)
        button = self.widget.button(name)
        if button.is_visible() and button.is_enabled():
            self._note("button", name)
            self._click(name)

    def _holding(self, key: str | None, act: Callable[[], None]) -> None:
        keyboard = self.widget.page.keyboard
        if key:
            self._note(key)
            keyboard.down(key)
        try:
            act()
        finally:
            if key:
                keyboard.up(key)

    def _click(self, name: str) -> None:
        """Presses a button that could be pressed a moment ago; its run may have ended since."""
        button = self.widget.button(name)
        try:
            button.click(timeout=5_000)
        except TimeoutError:
            if button.is_enabled():
                raise

    def _note(self, *words: str) -> None:
        self.done.append(":".join(words))


def heap(page: Page) -> float:
    """Megabytes of JavaScript objects, after a collection."""
    page.request_gc()
    found: float = page.evaluate("performance.memory.usedJSHeapSize / 2 ** 20")
    return found


@contextmanager
def on_the_mock_host(page: Page, seed: int, errors: list[str]) -> Iterator[Monkey]:
    """Opens the widget in the mock host; what its page fails at is added to ``errors``."""
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    open_host(page, Path(__file__).parents[2] / "regiondrag_widget" / "widget" / "static")
    options: dict[str, Any] = {"width": 320, "height": 240}
    page.evaluate("options => host.open(options)", options)
    page.evaluate("host.show(900)")
    yield Monkey(Widget(page), seed)


def main() -> int:
    """Runs rounds for as long as asked."""
    from tests.browser.monkey_jupyter import in_jupyterlab

    parser = argparse.ArgumentParser(description="random gestures on the widget")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jupyter", action="store_true", help="in JupyterLab instead of the mock host")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="path of the browser")
    given = parser.parse_args()
    errors: list[str] = []
    where = in_jupyterlab if given.jupyter else on_the_mock_host
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
        browser = playwright.chromium.launch(executable_path=given.chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280 if given.jupyter else 1000, "height": 900})
        with where(page, given.seed, errors) as monkey:
            rounds, memory = _rounds(monkey, given.seconds, errors)
        browser.close()
    for error in errors:
        print(f"error: {error}; {' '.join(monkey.done)}")
    # the first half fills what is kept on purpose: the results of the strip, each with its picture;
    # medians of quarters, for what a single round holds depends on when memory is given back
    third, fourth = memory[rounds // 2 : rounds * 3 // 4 + 1], memory[rounds * 3 // 4 :]
    grown = (np.median(fourth, 0) - np.median(third, 0)).tolist()
    told = ", ".join(f"{name} {by:+.1f} MB" for name, by in zip(("page", "kernel"), grown, strict=False))
    print(f"{rounds} rounds, seed {given.seed}: {told} in the last quarter")
    return int(bool(errors) or max(grown) > 20)


def _rounds(monkey: Monkey, seconds: float, errors: list[str]) -> tuple[int, list[list[float]]]:
    """Makes rounds until the time is over or something fails: how many, and the megabytes after each."""
    end, memory = time.monotonic() + seconds, []
    while time.monotonic() < end and not errors:
        monkey.round(40)
        errors += monkey.failures()
        memory.append([heap(monkey.widget.page), *monkey.memory()])
        print(f"round {len(memory)}:", *(f"{m:.1f} MB" for m in memory[-1]), flush=True)
    return len(memory), memory


if __name__ == "__main__":
    sys.exit(main())
