"""Some rounds of random gestures; monkey.py by hand goes on for as long as is wanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.mock_host.page import Widget
from tests.browser.monkey import Monkey

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_done_can_be_undone_to_the_beginning(
    open_widget: Callable[..., Widget], seed: int
) -> None:
    widget = open_widget()
    logged: list[str] = []
    widget.page.on("console", lambda m: logged.append(m.text) if m.type == "error" else None)
    monkey = Monkey(widget, seed)
    monkey.round(25)
    monkey.round(25)
    assert logged == []
