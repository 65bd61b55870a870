"""Drives the widget in the mock host: opens it, points at picture pixels, reads the masks it saved."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page

Point = tuple[float, float]


def decode_rdm1(data: bytes) -> np.ndarray:
    """An RDM1 mask as (H, W) bool; written out here so that the tests trust neither codec."""
    if not data:
        raise ValueError("no mask")
    assert data[:4] == b"RDM1"
    width, height, x0, y0, w, h = struct.unpack("<6I", data[4:28])
    mask = np.zeros((height, width), dtype=bool)
    packed = np.frombuffer(zlib.decompress(data[28:]), dtype=np.uint8).reshape(h, -1)
    mask[y0 : y0 + h, x0 : x0 + w] = np.unpackbits(packed, axis=1, count=w).astype(bool)
    return mask


@dataclass
class Widget:
    """One view of the widget on a page."""

    page: Page
    index: int = 0

    @property
    def root(self) -> Locator:
        return self.page.locator(".rd-root").nth(self.index)

    @property
    def canvas(self) -> Locator:
        return self.root.get_by_role("application", name="Region canvas")

    @property
    def status(self) -> Locator:
        return self.root.get_by_role("status")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def click(self, *names: str) -> None:
        for name in names:
            self.button(name).click()

    def screen(self, point: Point) -> Point:
        """Where the centre of picture pixel (x, y) lies on the page, in CSS pixels."""
        box = self.canvas.bounding_box()
        assert box is not None
        data: dict[str, str] = self.canvas.evaluate("c => ({...c.dataset})")
        scale = float(data["scale"])
        return (
            box["x"] + float(data["x"]) + (point[0] + 0.5) * scale,
            box["y"] + float(data["y"]) + (point[1] + 0.5) * scale,
        )

    def drag(self, *points: Point, steps: int = 6, button: Any = "left") -> None:
        """Presses at the first point, goes through the others, lets go at the last."""
        self.page.mouse.move(*self.screen(points[0]))
        self.page.mouse.down(button=button)
        for point in points[1:]:
            self.page.mouse.move(*self.screen(point), steps=steps)
        self.page.mouse.up(button=button)

    def tap(self, point: Point) -> None:
        self.page.mouse.click(*self.screen(point))

    def press(self, *keys: str) -> None:
        self.canvas.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def pairs(self) -> list[dict[str, Any]]:
        pairs: list[dict[str, Any]] = self.page.evaluate("host.model.get('_pairs')")
        return pairs

    def masks(self) -> dict[str, np.ndarray]:
        """The masks the kernel would hold now, by their keys."""
        raw: dict[str, list[int]] = self.page.evaluate("host.masks()")
        return {key: decode_rdm1(bytes(value)) for key, value in raw.items()}

    def mask(self, layer: str, pair: int = 0) -> np.ndarray:
        """One mask, all clear where the browser saved none."""
        key = "protect" if layer == "protect" else f"{layer[0]}:{self.pairs()[pair]['id']}"
        info = self.page.evaluate("host.model.get('_image_info')")
        return self.masks().get(key, np.zeros((info["height"], info["width"]), dtype=bool))

    def sent(self, kind: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.page.evaluate("kind => host.sent(kind)", kind)
        return messages


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((a & b).sum() / max(1, (a | b).sum()))
