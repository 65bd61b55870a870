"""Handlers enqueue and return: a small message that unpacks to much costs the message's thread nothing."""

from __future__ import annotations

import io
import struct
import threading
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from regiondrag_widget import RegionDragWidget
from regiondrag_widget.regions import encode_mask
from regiondrag_widget.widget import arrivals
from regiondrag_widget.widget.encode import ShownPicture
from tests.kernel.fake_browser import FakeBrowser, run_message, until


class Cost:
    """Seconds and bytes that sending took on this thread, with the worker threads held."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.peak = 0

    def __enter__(self) -> Cost:
        tracemalloc.start()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def bomb(side: int) -> bytes:
    """A PNG of a kilobyte or so that unpacks to ``side`` x ``side`` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side // 8 + 1)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture
def large(engine):
    """A widget on 12 megapixels, and its page."""
    widget = RegionDragWidget(np.zeros((3000, 4000, 3), np.uint8), steps=2)
    yield widget, FakeBrowser(widget)
    engine.release()
    widget.close()


def test_an_upload_is_read_on_another_thread(w, browser, monkeypatch):
    data = bomb(4000)
    assert len(data) < 3000
    held, names, real = threading.Event(), [], ShownPicture.of

    def read(source: bytes, name: str) -> ShownPicture:
        names.append(threading.current_thread().name)
        held.wait(20)
        return real(Image.new("RGB", (200, 100), "red"), name)

    monkeypatch.setattr(arrivals.ShownPicture, "of", staticmethod(read))
    with Cost() as cost:
        browser.send({"type": "load", "name": "bomb.png", "mime": "image/png"}, [data])
    assert cost.seconds < 0.2
    assert cost.peak < 1_000_000
    assert w._state["message"] == "Opening bomb.png"
    held.set()
    until(lambda: w.image.size == (200, 100))
    assert names == ["regiondrag-helper"]
    assert w._state["message"] == "Ready"


def test_a_picture_chosen_while_an_upload_is_read_stays(w, browser, monkeypatch, rgb):
    held = threading.Event()
    real = ShownPicture.of

    def read(source: object, name: str | None = None) -> ShownPicture:
        if threading.current_thread().name == "regiondrag-helper":
            held.wait(20)
        return real(source, name)

    monkeypatch.setattr(arrivals.ShownPicture, "of", staticmethod(read))
    out = io.BytesIO()
    Image.new("RGB", (200, 100)).save(out, "PNG")
    browser.send({"type": "load", "name": "late.png", "mime": "image/png"}, [out.getvalue()])
    job = w._handlers._arrivals._job
    w.image = 255 - rgb
    held.set()
    assert job.wait(10)
    assert np.array_equal(np.asarray(w.image), 255 - rgb)


def test_the_first_frame_is_said_of_an_upload(w, browser):
    frames = [Image.new("RGB", (80, 80), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    browser.send({"type": "load", "name": "two.gif", "mime": "image/gif"}, [out.getvalue()])
    until(lambda: "first one is taken" in w._state["message"])


def test_a_run_of_512_pairs_on_two_buffers_costs_its_message_next_to_nothing(large):
    w, browser = large
    mask = np.zeros((3000, 4000), bool)
    mask[:, ::2] = True
    data = encode_mask(mask)
    assert len(data) < 10_000
    pairs = [{"id": str(n), "name": "", "matrix": None, "handle": 0, "target": 1} for n in range(512)]
    with Cost() as cost:
        browser.send({**run_message(1), "pairs": pairs}, [data, data])
        w.stop()
    assert cost.seconds < 1
    assert cost.peak < 100e6


def test_a_drawing_of_512_pairs_on_two_masks_costs_its_message_next_to_nothing(large):
    w, browser = large
    data = encode_mask(np.ones((3000, 4000), bool))
    entries = [{"id": str(n), "name": "", "matrix": None, "rev": 1, "hasTarget": True} for n in range(512)]
    masks = {f"{part}:{n}": data for n in range(512) for part in "ht"}
    with Cost() as cost:
        browser.write(_pairs=entries, _masks=masks, _regions_rev=1)
    assert len(w.pairs) == 512
    assert cost.seconds < 1
    assert cost.peak < 100e6
    assert len({id(pair._handle) for pair in w.pairs}) == 1, "equal masks are held once"


def test_more_masks_than_are_kept_are_refused_in_words(large):
    _, browser = large
    buffers = []
    for n in range(200):
        mask = np.ones((3000, 4000), bool)
        mask[n + 1, n + 1] = False
        buffers.append(encode_mask(mask))
    pairs = [{"id": str(n), "name": "", "matrix": None, "handle": n, "target": n} for n in range(200)]
    with Cost() as cost:
        browser.send({**run_message(1), "pairs": pairs}, buffers)
    (error,) = browser.of("error")
    assert "the regions take 286 MB packed, and at most 256 MB are kept" in error["message"]
    assert cost.seconds < 1


def test_accepting_encodes_nothing_on_the_messages_thread(w, browser, handle, target, monkeypatch):
    browser.run(1, handle, target)
    browser.until("done")
    names = []
    real = ShownPicture.of

    def noted(*arguments: object) -> ShownPicture:
        names.append(threading.current_thread().name)
        return real(*arguments)

    monkeypatch.setattr(arrivals.ShownPicture, "of", staticmethod(noted))
    browser.send({"type": "accept", "result": "r1"})
    until(lambda: w._image_info["rev"] == 2)
    assert names == ["regiondrag-helper"]
    assert np.array_equal(np.asarray(w.image), np.asarray(w.history[0].image))
    until(lambda: w._state["message"] == "Result accepted; Ctrl+Z takes it back")


def test_where_no_thread_may_send_the_upload_is_delivered_by_the_message(engine, rgb, monkeypatch):
    monkeypatch.setenv("REGIONDRAG_WIDGET_PUMP", "1")
    widget = RegionDragWidget(rgb)
    page = FakeBrowser(widget)
    out = io.BytesIO()
    Image.new("RGB", (200, 100), "red").save(out, "PNG")
    page.send({"type": "load", "name": "new.png", "mime": "image/png"}, [out.getvalue()])
    assert widget.image.size == (200, 100)
    widget.close()
