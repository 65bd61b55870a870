"""From the pointer to the screen: the widget in a real JupyterLab, a real kernel, Chromium, a scripted drag.

The page measures the times itself: `performance.measure("regiondrag.draft")` from the pointer event that a
painted draft answers to its painting, `"regiondrag.preview"` for the script time of its own preview.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from regiondrag_widget.bench.latency.jupyter import KERNEL_READY, LabServer
from regiondrag_widget.errors import first_line

__all__ = ["pointer_to_pixels"]

MEASURES = {"draft": "regiondrag.draft", "preview": "regiondrag.preview"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120.0
"""Seconds to wait for each of the page, the cell and the first draft: a busy machine loads torch slowly."""
SAMPLING = 60.0
PACE = 0.03
"""Seconds between two pointer events of the drag."""

CELL = """\
import regiondrag_widget as rd
from regiondrag_widget.bench.latency.case import make_case
from regiondrag_widget.bench.latency.networks import load_network
network = {network!r}
plain = network == {{"model": "mini"}}
w = rd.RegionDragWidget(
    make_case({size}).picture, model="mini" if plain else load_network(**network), live=True
)
w
"""


def pointer_to_pixels(network: Mapping[str, Any], size: int, samples: int) -> dict[str, Any]:
    """``{"draft", "preview"}`` with median, p95, least and count in milliseconds, or ``{"problem"}``.

    Parameters
    ----------
    network
        Keyword arguments of `load_network`.
    size
        Pixels a side.
    samples
        How many painted drafts to wait for, for at most a minute.
    """
    for module, extra in (("playwright", "test"), ("jupyterlab", "lab")):
        if importlib.util.find_spec(module) is None:
            return {"problem": f"{module} is not installed: pip install 'regiondrag-widget[{extra}]'"}
    try:
        return _measured({k: v for k, v in network.items() if v}, size, samples)
    except Exception as error:
        return {"problem": f"{type(error).__name__}: {first_line(error)}"[:300]}


def _measured(network: dict[str, Any], size: int, samples: int) -> dict[str, Any]:
    with _page(CELL.format(network=network, size=size)) as page:
        mouse = page.mouse
        _button(page, "Ellipse").click()
        mouse.move(*_at(page, size, 0.25, 0.35))
        mouse.down()
        mouse.move(*_at(page, size, 0.5, 0.65), steps=6)
        mouse.up()
        _button(page, "Move region").click()
        mouse.move(*_at(page, size, 0.375, 0.5))
        mouse.down()
        angle = 0.0
        found = 0
        warm = False
        end = time.monotonic() + PATIENCE
        while found < samples and time.monotonic() < end:
            angle += 0.06  # a round path: drafts never answer the same place twice
            mouse.move(*_at(page, size, 0.55 + 0.1 * float(np.cos(angle)), 0.5 + 0.1 * float(np.sin(angle))))
            page.wait_for_timeout(PACE * 1000)
            found = page.evaluate("name => performance.getEntriesByName(name).length", MEASURES["draft"])
            if not warm and found >= 3:  # the first wait for the picture's inversion
                page.evaluate(
                    "names => names.forEach(n => performance.clearMeasures(n))", list(MEASURES.values())
                )
                warm, end = True, time.monotonic() + SAMPLING
                found = 0
        spans = {
            kind: page.evaluate("name => performance.getEntriesByName(name).map(e => e.duration)", name)
            for kind, name in MEASURES.items()
        }
        mouse.up()
    if not spans["draft"]:
        return {"problem": "the page painted no draft of the kernel"}
    note = f"Circles in JupyterLab, a pointer event every {PACE * 1000:.0f} ms."
    return {kind: _summary(durations) for kind, durations in spans.items() if durations} | {"note": note}


def _summary(milliseconds: list[float]) -> dict[str, Any]:
    return {
        "count": len(milliseconds),
        "median": float(np.median(milliseconds)),
        "p95": float(np.percentile(milliseconds, 95)),
        "least": min(milliseconds),
    }


@contextmanager
def _page(cell: str) -> Iterator[Any]:
    """The page of a new notebook in JupyterLab whose one cell has run and shows a widget."""
    from playwright.sync_api import sync_playwright

    name = "latency.ipynb"
    with tempfile.TemporaryDirectory(prefix="regiondrag-latency-", ignore_cleanup_errors=True) as folder:
        server = LabServer(Path(folder))
        try:
            server.write(name, [cell])
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=_chromium(), args=["--no-sandbox", "--disable-background-networking"]
                )
                page = browser.new_page(viewport={"width": 1280, "height": 1000})
                page.set_default_timeout(PATIENCE * 1000)
                page.goto(f"{server.url}/lab/tree/{name}?reset")
                end = time.monotonic() + PATIENCE
                while not page.evaluate(KERNEL_READY) and time.monotonic() < end:
                    time.sleep(0.2)
                page.locator(".jp-CodeCell .cm-content").first.click()
                page.keyboard.press("Control+Enter")
                page.wait_for_function(
                    "() => !['nothing', undefined].includes("
                    "document.querySelector('.rd-input')?.dataset.showing)"
                )
                page.locator(".rd-root").scroll_into_view_if_needed()
                yield page
                browser.close()
        finally:
            server.close()


def _button(page: Any, name: str) -> Any:
    return page.locator(".rd-root").get_by_role("button", name=name, exact=True)


def _at(page: Any, size: int, x: float, y: float) -> tuple[float, float]:
    """A place in the picture, as fractions of its sides, in the page's CSS pixels."""
    where = page.evaluate(
        "() => { const c = document.querySelector('.rd-input'), b = c.getBoundingClientRect(), d = c.dataset;"
        " return {x: b.x + Number(d.x), y: b.y + Number(d.y), scale: Number(d.scale)} }"
    )
    side = size * where["scale"]
    return where["x"] + x * side, where["y"] + y * side


def _chromium() -> str | None:
    """$CHROMIUM, or one on the PATH; None leaves it to Playwright's own."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
