"""Serves the mock host and the built widget to a page, without a network."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, Route

HERE = Path(__file__).parent
ORIGIN = "http://mock.test"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


def open_host(page: Page, bundle: Path) -> None:
    """Goes to the mock host's page; ``bundle`` is the folder of the built front end."""

    def serve(route: Route) -> None:
        name = route.request.url.removeprefix(f"{ORIGIN}/").split("?")[0] or "index.html"
        path = (bundle if name.startswith("widget.") else HERE) / name
        if not path.is_file():
            route.fulfill(status=404, body="")
            return
        route.fulfill(body=path.read_bytes(), content_type=TYPES[path.suffix])

    page.route(f"{ORIGIN}/**", serve)
    page.goto(f"{ORIGIN}/")
    page.wait_for_function("window.host !== undefined")
