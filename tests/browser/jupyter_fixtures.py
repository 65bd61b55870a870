"""Notebooks in a real server, for the tests that ask for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, expect

from tests.browser.jupyter_host import JupyterServer, KernelProbe, NotebookPage
from tests.browser.mock_host.page import Widget

OURS = ("blob:", "/anywidget/", "regiondrag", "rd-")  # in the message or the stack of a page's error
HARMLESS = (
    "ResizeObserver loop",  # the browser's word for "one more frame is needed"
    "Canceled",  # Lab's own requests when a page is left
)


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
    errors: list[Error] = []

    def open_it(app: str, cells: list[str], **context_options: object) -> tuple[NotebookPage, KernelProbe]:
        name = f"{re.sub(r'[^a-z0-9]+', '-', request.node.name)}-{len(opened)}.ipynb"
        server.write(name, cells)
        context = mock_browser.new_context(viewport={"width": 1280, "height": 1000}, **context_options)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(error))
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
    ours = [f"{error.message}\n{error.stack}" for error in errors if comes_from_our_bundle(error)]
    assert not ours, "\n\n".join(ours)


def comes_from_our_bundle(error: Error) -> bool:
    """anywidget loads the bundle from a blob, which nothing else in these pages does."""
    text = f"{error.message}\n{error.stack}"
    return not any(harmless in text for harmless in HARMLESS) and any(mark in text for mark in OURS)


@pytest.fixture
def keep() -> Callable[[Widget, str], None]:
    """Keeps a screenshot under tests/browser/artefacts."""

    def keep_it(widget: Widget, name: str) -> None:
        folder = Path(__file__).parent / "artefacts"
        folder.mkdir(exist_ok=True)
        widget.page.screenshot(path=str(folder / f"jupyter-{name}.png"))

    return keep_it
