"""The built front end, as anywidget takes it."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"
_MISSING = {
    "widget.js": """export default { render({ el }) {
  el.textContent = "The front end is not built: run `make build-js`, then restart the kernel."
} }""",
    "widget.css": "",
}


def bundled(name: str) -> str | Path:
    """One file of the front end, as text; as a path that anywidget watches if ANYWIDGET_HMR is set.

    A path is kept by anywidget together with every widget ever made of it, for reloading; text is not.
    """
    path = _FOLDER / name
    if not path.is_file():
        return _MISSING[name]
    return path if os.environ.get("ANYWIDGET_HMR") == "1" else path.read_text(encoding="utf-8")
