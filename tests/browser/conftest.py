"""The mock host: the built widget in a bare page, served without a network, one Chromium for all tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.browser.mock_host.page import Widget
from tests.browser.mock_host.serving import open_host

HERE = Path(__file__).parent
PATIENCE = 20_000  # milliseconds; a busy machine is slow, not wrong
VIEWPORT: ViewportSize = {"width": 1000, "height": 900}


@pytest.fixture(scope="session")
def bundle(repository: Path) -> Path:
    """The folder of the built front end; builds it where it is missing."""
    static = repository / "regiondrag_widget" / "widget" / "static"
    if not (static / "widget.js").exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.fail("the front end is not built and npm is missing: install Node 20 or newer")
        if not (repository / "node_modules").exists():
            subprocess.run([npm, "ci"], cwd=repository, check=True)
        subprocess.run([npm, "run", "build"], cwd=repository, check=True)
    return static


@pytest.fixture(scope="session")
def mock_browser(chromium_executable: str) -> Iterator[Browser]:
    """One Chromium for the whole run; each test has a context of its own."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def plain_context(mock_browser: Browser) -> BrowserContext:
    """The context of all tests that ask for nothing special: a new page is quick, a new context is not."""
    return mock_browser.new_context(viewport=VIEWPORT)


@pytest.fixture
def mock_page(
    mock_browser: Browser, plain_context: BrowserContext, bundle: Path
) -> Iterator[Callable[..., Page]]:
    """Opens the mock host's page; fails the test if the page logged an error."""
    contexts: list[BrowserContext] = []
    pages: list[Page] = []
    errors: list[str] = []

    def open_page(**context_options: Any) -> Page:
        options: dict[str, Any] = {"viewport": VIEWPORT, **context_options}
        context = mock_browser.new_context(**options) if context_options else plain_context
        if context_options:
            contexts.append(context)
        page = context.new_page()
        pages.append(page)
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        open_host(page, bundle)
        return page

    yield open_page
    for page in pages:
        page.close()
    for context in contexts:
        context.close()
    assert not errors, f"the page failed: {errors}"


@pytest.fixture
def open_widget(mock_page: Callable[..., Page]) -> Callable[..., Widget]:
    """Opens the widget in a cell: `open_widget(width=320, height=240, cell=900, kernel=True, ...)`."""

    def open_it(*, cell: int = 900, context: dict[str, Any] | None = None, **options: Any) -> Widget:
        page = mock_page(**(context or {}))
        page.evaluate("options => host.open(options)", options)
        page.evaluate("width => host.show(width)", cell)
        widget = Widget(page)
        if options.get("picture", True):
            shows = "(document.querySelector('.rd-input')?.dataset.showing ?? 'nothing') !== 'nothing'"
            page.wait_for_function(shows)
        return widget

    return open_it


@pytest.fixture
def artefact() -> Callable[[Widget, str], None]:
    """Keeps a screenshot of the widget under tests/browser/artefacts."""

    def keep(widget: Widget, name: str) -> None:
        folder = HERE / "artefacts"
        folder.mkdir(exist_ok=True)
        widget.root.screenshot(path=str(folder / f"{name}.png"))

    return keep
