"""The monkey's real page: JupyterLab, a kernel with a fake engine, and the kernel's word on what is left."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.jupyter_fixtures import comes_from_our_bundle
from tests.browser.jupyter_host import SETUP, SHOW, JupyterServer, KernelProbe, NotebookPage
from tests.browser.mock_host.page import Point, Widget
from tests.browser.monkey import Monkey

NAME = "monkey.ipynb"
PATIENCE = 20  # seconds until the kernel has heard of the last undo; a busy machine is slow, not wrong
# keeps what is logged as an error or raised in a thread, and says what is drawn, without the pairs' revisions
WATCH = """
import gc, hashlib, logging, resource, threading
failed = []
class Kept(logging.Handler):
    def emit(self, record):
        failed.append(record.getMessage())
logging.getLogger("regiondrag_widget").addHandler(Kept(logging.WARNING))
threading.excepthook = lambda hooked: failed.append(repr(hooked.exc_value))

def digest(array):
    return None if array is None else hashlib.sha1(np.ascontiguousarray(array).tobytes()).hexdigest()

def drawn():
    pairs = [[p.name, p.action, str(p.carry), *map(digest, (p.handle, p.target, p.matrix))] for p in w.pairs]
    return [pairs, digest(w.protect), digest(np.asarray(w.image))]

def megabytes():
    for noted in (engine.edits, engine.warmed, engine.prepared):  # the fake engine's own, for tests
        noted.clear()
    gc.collect()
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize() / 2**20
"""


class Caged(Widget):
    """The widget, with points beside it moved to its border: the notebook is not what is tried."""

    def screen(self, point: Point) -> Point:
        x, y = super().screen(point)
        box, window = self.root.bounding_box(), self.page.viewport_size
        assert box is not None
        assert window is not None
        right, bottom = box["x"] + box["width"], min(box["y"] + box["height"], window["height"] - 30)
        return min(max(x, box["x"] + 3), right - 3), min(max(y, max(box["y"], 100) + 3), bottom - 3)


@dataclass
class KernelMonkey(Monkey):
    """A monkey whose state is what the kernel has.

    Attributes
    ----------
    kernel
        The way into it.
    """

    kernel: KernelProbe | None = None
    buttons: tuple[str, ...] = ("left",)  # others open JupyterLab's own menu beside the canvas: it cuts cells

    def state(self, wanted: str | None = None) -> str:
        """What the kernel has, once that is as wanted, or otherwise once it rests."""
        assert self.kernel is not None
        end = time.monotonic() + PATIENCE
        before = ""
        while True:
            now = json.dumps(self.kernel.ask("drawn()"))
            if now == (before if wanted is None else wanted) or time.monotonic() > end:
                return now
            before = now
            self.widget.page.wait_for_timeout(300)

    def failures(self) -> list[str]:
        """What went wrong in the kernel."""
        assert self.kernel is not None
        failed: list[str] = self.kernel.ask("failed")
        return failed

    def memory(self) -> list[float]:
        """Megabytes of the kernel."""
        assert self.kernel is not None
        return [float(self.kernel.ask("megabytes()"))]


@contextmanager
def in_jupyterlab(page: Page, seed: int, errors: list[str]) -> Iterator[KernelMonkey]:
    """Opens the widget in JupyterLab; what its page fails at is added to ``errors``."""
    page.on("pageerror", lambda error: errors.append(str(error)) if comes_from_our_bundle(error) else None)
    page.on(
        "console", lambda m: errors.append(m.text) if m.type == "error" and "regiondrag" in m.text else None
    )
    with tempfile.TemporaryDirectory() as folder:
        server = JupyterServer(Path(folder) / "jupyter")
        try:
            server.write(NAME, [SETUP + WATCH, SHOW])
            notebook = NotebookPage(page, f"{server.url}/lab/tree/{NAME}?reset").open()
            kernel = server.kernel(NAME)
            notebook.run("FakeEngine")
            notebook.run("RegionDragWidget")
            width, height = kernel.ask("list(w.image.size)")
            notebook.widget()  # waits until it is there
            yield KernelMonkey(Caged(page), seed, (width, height), kernel=kernel)
            kernel.close()
        finally:
            server.close()
