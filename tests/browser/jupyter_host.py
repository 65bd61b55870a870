"""A real Jupyter server for the tests: its own folders, a free port, a way into the kernel past the page."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import Locator, Page

from tests.browser.mock_host.page import Widget

ROOT = Path(__file__).resolve().parents[2]

# the kernel's status is idle before it is connected, and a cell that is run then silently does nothing
READY = """async () => {
  const app = window.jupyterapp
  if (!app) return false
  await app.started
  const widgets = [app.shell.currentWidget, ...app.shell.widgets('main')]
  const panel = widgets.find(w => w && w.context)
  if (!panel) return false
  await panel.context.sessionContext.ready
  const kernel = panel.context.sessionContext.session?.kernel
  if (!kernel) return false
  await kernel.info
  return kernel.status === 'idle'
}"""


SETUP = """
import numpy as np
import regiondrag_widget as rd
from regiondrag_widget.widget import editor
from tests.kernel.fake_editor import FakeEngine
engine = FakeEngine(seconds=0.2)
editor.install_editors(engine)
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


class JupyterServer:
    """`jupyter lab` on 127.0.0.1; it serves JupyterLab at /lab and Notebook 7 at /notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        news = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        news.parent.mkdir(parents=True)
        news.write_text('{"fetchNews": "false", "checkForUpdates": false}')  # no question over the page
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        }
        self._log = (folder / "server.log").open("wb")
        options = [
            "--allow-root",
            "--no-browser",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.root_dir={self.notebooks}",
            "--IdentityProvider.token=",
            "--ServerApp.password=",
            "--ServerApp.disable_check_xsrf=True",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            # were the tests killed, nobody else would end it
            "--ServerApp.shutdown_no_activity_timeout=600",
            "--MappingKernelManager.cull_idle_timeout=300",
            "--MappingKernelManager.cull_connected=True",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=self.notebooks,
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait()

    def _wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/api/status", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        self.close()
        raise AssertionError(f"the server did not start:\n{(self.folder / 'server.log').read_text()[-3000:]}")

    def close(self) -> None:
        """Ends the server and its kernels: they are one process group of ours."""
        for ending in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            os.killpg(self._process.pid, ending)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                continue
        self._log.close()

    def write(self, name: str, cells: Sequence[str]) -> None:
        """A new notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.notebooks / name)

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
        while not self.page.evaluate(READY):
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
