"""The widget in the mock host on a photograph, with the kernel's own answers to the selection tools."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from regiondrag_widget import assets
from regiondrag_widget.widget.selecting import _Picture
from regiondrag_widget.widget.validation import read_message
from tests.browser.mock_host.page import Widget


@pytest.fixture(scope="session")
def duck() -> Any:
    return assets.load("rubber-duck")


@lru_cache(maxsize=2)  # most tests open the duck, whose pieces are then found once
def _looked_at(data: bytes) -> _Picture:
    with Image.open(io.BytesIO(data)) as image:
        return _Picture(image.convert("RGB"))


@pytest.fixture
def open_photo(open_widget: Callable[..., Widget]) -> Callable[..., Widget]:
    """Opens the widget on a file's picture; what is selected is worked out by the kernel's code."""

    def open_it(data: bytes, **options: Any) -> Widget:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
        picture = _looked_at(data)
        photo = base64.b64encode(data).decode()
        widget = open_widget(photo=photo, width=width, height=height, **options)

        def lent(_source: Any, asked: dict[str, Any], buffers: list[list[int]]) -> dict[str, Any]:
            message = read_message({"v": 1, "type": "select", **asked}, [bytes(b) for b in buffers])
            try:
                answer = picture.answer(message)  # type: ignore[arg-type]
            except ValueError as error:
                return {"found": False, "message": str(error), "path": [], "mask": None}
            mask = list(answer.data) if answer.data else None
            return {"found": True, "message": "", "path": list(answer.path), "mask": mask}

        widget.page.expose_binding("lentKernel", lent)
        return widget

    return open_it


@pytest.fixture
def open_duck(open_photo: Callable[..., Widget], repository: Path) -> Callable[..., Widget]:
    """Opens the widget on the duck."""
    data = (repository / "regiondrag_widget" / "assets" / "rubber-duck.jpg").read_bytes()
    return lambda **options: open_photo(data, **options)
