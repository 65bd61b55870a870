"""Notebooks in a real server for the tests, and the shapes they draw."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.jupyter_host import JupyterServer, KernelProbe, NotebookPage
from tests.browser.mock_host.page import Widget

SETUP = """
import numpy as np
import regiondrag_widget as rd
from regiondrag_widget.widget import editor
from tests.kernel.fake_editor import FakeEngine
engine = FakeEngine(seconds=0.2)
editor.install_editors(engine)
"""
SHOW = "w = rd.RegionDragWidget(rd.examples.load().image, steps=8)\nw"

# notes what the lower canvas shows while a run's frames come in, once a frame of the screen
WATCH = """() => {
  window.seen = new Map()
  const small = document.createElement('canvas')
  small.width = small.height = 24
  const g = small.getContext('2d', {willReadFrequently: true})
  const look = () => {
    const top = document.querySelector('.rd-input')
    const base = document.querySelector('.rd-stage canvas')
    if (top && base && top.dataset.showing === 'step') {
      g.drawImage(base, 0, 0, 24, 24)
      const key = Array.from(g.getImageData(0, 0, 24, 24).data).map(v => v >> 3).join()
      window.seen.set(key, (window.seen.get(key) ?? 0) + 1)
    }
    requestAnimationFrame(look)
  }
  look()
}"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[JupyterServer]:
    server = JupyterServer(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.close()


@pytest.fixture
def notebook(
    server: JupyterServer, mock_browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., tuple[NotebookPage, KernelProbe]]]:
    """Opens a new notebook: `notebook(app, cells)` gives its page and a way into its kernel."""
    opened = []
    errors: list[str] = []

    def open_it(app: str, cells: list[str], **context_options: object) -> tuple[NotebookPage, KernelProbe]:
        name = f"{re.sub(r'[^a-z0-9]+', '-', request.node.name)}-{len(opened)}.ipynb"
        server.write(name, cells)
        context = mock_browser.new_context(viewport={"width": 1280, "height": 1000}, **context_options)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        path = f"/lab/tree/{name}?reset" if app == "lab" else f"/notebooks/{name}"
        notebook = NotebookPage(page, f"{server.url}{path}").open()
        probe = server.kernel(name)
        opened.append((context, probe, name))
        return notebook, probe

    expect.set_options(timeout=30_000)  # two cores that also train a model are slow
    yield open_it
    expect.set_options(timeout=5_000)
    for context, probe, name in opened:
        probe.close()
        context.close()
        server.end(name)
    assert not [e for e in errors if "rd" in e or "regiondrag" in e], errors


@pytest.fixture
def keep() -> Callable[[Widget, str], None]:
    """Keeps a screenshot under tests/browser/artefacts."""

    def keep_it(widget: Widget, name: str) -> None:
        folder = Path(__file__).parent / "artefacts"
        folder.mkdir(exist_ok=True)
        widget.page.screenshot(path=str(folder / f"jupyter-{name}.png"))

    return keep_it


def draw_ellipse_and_drag(widget: Widget) -> None:
    """A handle of known shape, then its target 110 px to the right and 60 px down."""
    widget.click("Ellipse")
    widget.drag((120, 140), (240, 240))
    widget.click("Move region")
    widget.drag((180, 190), (290, 250))


def drawn_ellipse(shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return ((x - 180) / 60) ** 2 + ((y - 190) / 50) ** 2 <= 1
