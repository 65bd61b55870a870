"""What differs between notebook hosts: how widgets are displayed, and whether a background thread is heard.

In JupyterLab, Notebook and VS Code they do, in order. In Colab they are not shown
(googlecolab/colabtools#3373), and ipykernel 7.0 raises in user threads (ipykernel#1450). There the widget
works in *pump mode*: the inference thread leaves its reports in an `Outbox`, and the main thread delivers
them while it waits for the run, and whenever the page says something.
"""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Callable

import ipywidgets

IPYWIDGETS_7 = int(ipywidgets.__version__.split(".")[0]) < 8  # as Colab has
PUMP_VARIABLE = "REGIONDRAG_WIDGET_PUMP"
POLL = 0.02  # seconds between two looks of a blocked main thread at the outbox


def needs_pump() -> bool:
    """Whether this host shows nothing that a background thread sends.

    The environment variable ``REGIONDRAG_WIDGET_PUMP`` (1 or 0) decides for hosts not known here.
    """
    wish = os.environ.get(PUMP_VARIABLE, "")
    if wish in ("0", "1"):
        return wish == "1"
    if "google.colab" in sys.modules:
        return True
    ipykernel = sys.modules.get("ipykernel")
    return tuple(getattr(ipykernel, "version_info", ()))[:2] == (7, 0)


class Outbox:
    """Runs deliveries at once, or keeps those of background threads until somebody drains them.

    Parameters
    ----------
    pump
        Keep what background threads post.
    on_background_thread
        Tells whether the caller is the inference thread or the helper thread.
    """

    def __init__(self, *, pump: bool, on_background_thread: Callable[[], bool]) -> None:
        self.pump = pump
        self._on_background_thread = on_background_thread
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def post(self, deliver: Callable[[], None]) -> None:
        """Call ``deliver`` now, or at the next `drain`."""
        if self.pump and self._on_background_thread():
            self._queue.put(deliver)
        else:
            deliver()

    def drain(self) -> None:
        """Deliver what waits, in order. Does nothing on a background thread."""
        if self._on_background_thread():
            return
        while True:
            try:
                deliver = self._queue.get_nowait()
            except queue.Empty:
                return
            deliver()
