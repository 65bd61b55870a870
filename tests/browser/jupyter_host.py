"""A real Jupyter server for the tests, and a way into the kernel past the page."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import Locator, Page

from regiondrag_widget.bench.latency.jupyter import KERNEL_READY, LabServer
from tests.browser.mock_host.page import Widget

SETUP = """
import numpy as np
import regiondrag_widget as rd
from regiondrag_widget.widget import editor_cache
from tests.kernel.fake_editor import FakeEngine
engine = FakeEngine(seconds=0.2)
editor_cache.install_editors(engine)
"""
SHOW = "w = rd.RegionDragWidget(rd.examples.load().image, steps=8)\nw"

# notes what the lower canvas shows while a run's frames come in
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
  }
  setInterval(look, 40)
}"""


class JupyterServer(LabServer):
    """A server of its own for the tests, and a way into its kernels."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")})

    def sessions(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/api/sessions", timeout=5) as answer:
            sessions: list[dict[str, Any]] = json.load(answer)
        return sessions

    def end(self, name: str) -> None:
        """Ends the kernel of a notebook."""
        for session in self.sessions():
            if session["path"] == name:
                request = urllib.request.Request(f"{self.url}/api/sessions/{session['id']}", method="DELETE")
                urllib.request.urlopen(request, timeout=20).close()

    def kernel(self, name: str) -> KernelProbe:
        """A way into the kernel of an open notebook, past its page."""
        kernel_id = next(s["kernel"]["id"] for s in self.sessions() if s["path"] == name)
        return KernelProbe(self.folder / "runtime" / f"kernel-{kernel_id}.json")


class KernelProbe:
    """Runs code in a notebook's kernel without touching the notebook."""

    def __init__(self, connection_file: Path) -> None:
        self._client = BlockingKernelClient(connection_file=str(connection_file))
        self._client.load_connection_file()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=30)

    def ask(self, expression: str, seconds: float = 30) -> Any:
        """The value of an expression, by way of JSON."""
        printed: list[str] = []

        def listen(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        code = f"import json as _json; print('\\x01' + _json.dumps({expression}))"
        reply = self._client.execute_interactive(
            code, timeout=seconds, output_hook=listen, store_history=False
        )
        if reply["content"]["status"] != "ok":
            raise AssertionError("\n".join(reply["content"]["traceback"]))
        return json.loads("".join(printed).split("\x01", 1)[1])

    def mask(self, expression: str) -> np.ndarray:
        """A bool array of the kernel, such as ``w.pairs[0].handle``."""
        packed = f"[list(({expression}).shape), np.packbits({expression}).tobytes().hex()]"
        (height, width), bits = self.ask(f"(lambda np: {packed})(__import__('numpy'))")
        flat = np.unpackbits(np.frombuffer(bytes.fromhex(bits), np.uint8), count=height * width)
        return flat.reshape(height, width).astype(bool)

    def close(self) -> None:
        self._client.stop_channels()


@dataclass
class NotebookPage:
    """One open notebook."""

    page: Page
    address: str

    @property
    def name(self) -> str:
        """The notebook's file."""
        return self.address.rsplit("/", 1)[-1].split("?")[0]

    def open(self) -> NotebookPage:
        """Goes there and waits until cells can be run."""
        self.page.goto(self.address, timeout=60_000)
        end = time.monotonic() + 60
        while not self.page.evaluate(KERNEL_READY):
            if time.monotonic() > end:
                raise AssertionError(f"the notebook's kernel is not ready: {self.address}")
            time.sleep(0.1)
        return self

    def save(self) -> None:
        """Saves the notebook, as Ctrl+S does, and waits until it is written."""
        self.page.evaluate(
            "async () => { const w = [window.jupyterapp.shell.currentWidget,"
            " ...window.jupyterapp.shell.widgets('main')].find(w => w && w.context);"
            " await w.context.save() }"
        )

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
        """Waits until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"in {seconds:g} s it did not become so that {what}")
            self.page.wait_for_timeout(100)

    def save_with_widget_state(self) -> None:
        """Saves with the state of all widgets, as "Save Widget State Automatically" does."""
        self.page.evaluate(
            "async () => { const app = window.jupyterapp;"
            " await app.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState'); }"
        )
        self.save()

    def cell(self, text: str) -> Locator:
        """A code cell by what is written in it: keys can insert cells, so positions mean little."""
        return self.page.locator(".jp-CodeCell").filter(has_text=text).first

    def run(self, text: str, seconds: float = 60) -> Locator:
        """Runs a cell to its end; the cell."""
        cell = self.cell(text)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        prompt = cell.locator(".jp-InputArea-prompt")
        self.page.wait_for_function(
            "node => /\\[\\d+\\]/.test(node.textContent)", arg=prompt.element_handle(), timeout=seconds * 1000
        )
        return cell

    def widget(self, index: int = 0) -> Widget:
        """A widget on the page, with its picture loaded and its kernel heard of."""
        self.page.locator(".rd-root").nth(index).scroll_into_view_if_needed(timeout=30_000)
        widget = Widget(self.page, index)
        self.page.wait_for_function(
            "i => { const c = document.querySelectorAll('.rd-input')[i];"
            " return c && c.dataset.showing !== undefined && c.dataset.showing !== 'nothing' }",
            arg=index,
            timeout=20_000,
        )
        return widget


def draw_ellipse_and_drag(widget: Widget) -> None:
    """A handle of known shape, then its target 110 px to the right and 60 px down."""
    widget.click("Ellipse")
    widget.drag((120, 140), (240, 240))
    widget.click("Move region")
    widget.drag((180, 190), (290, 250))


def drawn_ellipse(shape: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return ((x - 180) / 60) ** 2 + ((y - 190) / 50) ** 2 <= 1
