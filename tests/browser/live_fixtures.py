"""The widget in the mock host, ready to be dragged in while its kernel drafts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.mock_host.drags import HANDLE
from tests.browser.mock_host.page import Widget

Open = Callable[..., Widget]


@pytest.fixture
def live(open_widget: Open) -> Callable[..., Widget]:
    """A widget with a handle, the move tool in hand and a kernel that measured itself quick.

    ``drafts=None``: the test answers each draft itself; else milliseconds until the kernel does.
    """

    def open_live(measured: bool = True, **options: Any) -> Widget:
        widget = open_widget(**{"drafts": None, **options})
        widget.click("Rectangle")
        widget.drag(*HANDLE)
        widget.press("v")
        widget.page.wait_for_function("host.sent('hello').length > 0")
        widget.page.evaluate("live => host.kernel.drafts.measure({live})", measured)
        return widget

    return open_live
