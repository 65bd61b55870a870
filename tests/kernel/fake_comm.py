"""A comm whose other end is a function in this process."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import ipykernel.comm


class FakeComm:
    """A widget's comm that hands what the widget sends to ``publish``.

    The comms that come with ipywidgets and ipykernel differ between versions, and without a kernel those of
    ipykernel 6.17 send nothing at all; this one stands in for all of them.

    Parameters
    ----------
    publish
        Called as ``publish(msg_type, data, buffers)`` on the thread that sends. Tests may replace it.
    comm_id
        The widget's model id; a new one if left out.
    """

    kernel = "a kernel that is not there"  # ipywidgets 7 sends nothing while this is None

    def __init__(self, publish: Callable[..., None], comm_id: str | None = None) -> None:
        self.publish = publish
        self.comm_id = comm_id or uuid.uuid4().hex

    @property
    def __class__(self) -> type:  # type: ignore[override]
        """What ``isinstance`` sees: ipywidgets 7 takes only ipykernel's own comms."""
        return ipykernel.comm.Comm

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        self.publish("comm_msg", data, buffers)

    def close(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        self.publish("comm_close", data, buffers)

    def on_msg(self, callback: Any) -> None:
        """Nothing comes in this way: `FakeBrowser` calls the widget."""

    def on_close(self, callback: Any) -> None:
        """The page never goes by itself."""


def connect(widget: Any, publish: Callable[..., None]) -> FakeComm:
    """Put a `FakeComm` in place of the comm that ``widget`` has."""
    own = widget.comm
    own.close()
    widget.comm = comm = FakeComm(publish, own.comm_id)
    return comm
