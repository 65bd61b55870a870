"""A browser without a browser: takes a widget's comm, notes what the kernel sends, and answers by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from regiondrag_widget import RegionDragWidget
from regiondrag_widget.regions import encode_mask
from tests.kernel.fake_comm import FakeComm, connect


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until ``condition`` is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


@dataclass
class FakeBrowser:
    """What one page knows of a widget.

    Attributes
    ----------
    messages
        Custom messages in the order they came: (content, buffers).
    updates
        Trait updates in the order they came.
    threads
        Names of the threads that sent.
    acknowledge
        Answer every preview at once, as a fast browser does.
    comm
        The widget's comm; a test that stands between sets its ``publish``.
    """

    widget: RegionDragWidget
    acknowledge: bool = True
    messages: list[tuple[dict[str, Any], list[bytes]]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    comm: FakeComm = field(init=False)

    def __post_init__(self) -> None:
        self.comm = connect(self.widget, self.receive)

    def receive(self, msg_type: str, data: Any = None, buffers: Any = None) -> None:
        """Take what the widget sends."""
        self.threads.add(threading.current_thread().name)
        if msg_type != "comm_msg":
            return
        if data["method"] == "custom":
            content = data["content"]
            self.messages.append((content, [bytes(b) for b in buffers or ()]))
            if content["type"] == "preview" and self.acknowledge:
                self.send({"type": "ack", "run": content["run"], "seq": content["seq"]})
        elif data["method"] in ("update", "echo_update"):
            self.updates.append(data)

    def send(self, content: Any, buffers: list[Any] | None = None, version: Any = 1) -> None:
        """Send a custom message."""
        body = {"v": version, **content} if isinstance(content, dict) else content
        self.raw({"method": "custom", "content": body}, buffers)

    def write(self, **state: Any) -> None:
        """Set traits, as ``model.set`` and ``save_changes`` do; bytes travel as buffers."""
        paths, buffers = [], []
        state = {name: dict(value) if isinstance(value, dict) else value for name, value in state.items()}
        for name, value in state.items():
            if isinstance(value, dict):
                for key in [key for key, item in value.items() if isinstance(item, bytes)]:
                    paths.append([name, key])
                    buffers.append(memoryview(value.pop(key)))
        self.raw({"method": "update", "state": state, "buffer_paths": paths}, buffers)

    def raw(self, data: Any, buffers: list[Any] | None = None) -> None:
        self.widget._handle_msg({"content": {"data": data}, "buffers": buffers or []})

    def draw(
        self, key: str, handle: np.ndarray, target: np.ndarray | None, matrix: list[float] | None = None
    ) -> None:
        """One finished gesture: one pair, in one update."""
        masks = {f"h:{key}": encode_mask(handle)}
        if target is not None:
            masks[f"t:{key}"] = encode_mask(target)
        entry = {
            "id": key,
            "name": "",
            "color": 0,
            "matrix": matrix,
            "rev": 1,
            "hasTarget": target is not None,
        }
        self.write(_pairs=[entry], _masks=masks, _regions_rev=self.widget._regions_rev + 1)

    def run(self, number: int, handle: np.ndarray, target: np.ndarray, **params: Any) -> None:
        """Press Run."""
        self.send(run_message(number, params), [encode_mask(handle), encode_mask(target)])

    def show(self) -> None:
        """The widget comes on the screen."""
        self.send({"type": "visible", "visible": True})

    def drag(self, seq: int, handle: np.ndarray, dx: float, dy: float = 0.0, **fields: Any) -> None:
        """The pointer has carried the handle that far: ask for a draft."""
        pair = {"id": "a", "name": "", "matrix": [1, 0, dx, 0, 1, dy, 0, 0, 1], "handle": 0, "target": None}
        message = {"type": "draft", "seq": seq, "rev": 0, "params": {}, "pairs": [pair], "protect": None}
        self.send({**message, **fields}, [encode_mask(handle)])

    def answers(self) -> list[tuple[int, str]]:
        """How draft requests were answered, in order: (seq, "drafted" or the reason why not)."""
        return [
            (content["seq"], content.get("reason", "drafted"))
            for content, _ in list(self.messages)
            if content["type"] in ("drafted", "undrafted")
        ]

    def answered(self, seq: int, seconds: float = 10.0) -> str:
        """Wait for the answer to a draft request: "drafted" or the reason why not."""
        until(lambda: seq in dict(self.answers()), seconds)
        return dict(self.answers())[seq]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The contents of all messages of one type so far."""
        return [content for content, _ in self.messages if content["type"] == kind]

    def until(self, kind: str, run: int | None = None, seconds: float = 10.0) -> dict[str, Any]:
        """Wait for a message; the first of that type (and run)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for content in self.of(kind):
                if run is None or content.get("run") == run:
                    return content
            time.sleep(0.005)
        raise AssertionError(f"no {kind!r} came; got {[content for content, _ in self.messages][-8:]}")

    def trait(self, name: str) -> Any:
        """The newest value of a synced trait as sent, or None; the binary parts are left out."""
        for data in reversed(self.updates):
            if name in data["state"]:
                return data["state"][name]
        return None


def run_message(
    number: int, params: dict[str, Any] | None = None, key: str = "a", **more: Any
) -> dict[str, Any]:
    """The JSON part of a run with one pair: buffer 0 the handle, 1 the target."""
    pair = {"id": key, "name": "", "matrix": None, "handle": 0, "target": 1}
    return {
        "type": "run",
        "run": number,
        "rev": 1,
        "params": params or {},
        "pairs": [pair],
        "protect": None,
        **more,
    }
