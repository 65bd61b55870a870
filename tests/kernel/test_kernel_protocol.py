"""The protocol in a real Jupyter kernel, spoken by hand: threads, order, stop, echo, page reload."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel

from regiondrag_widget.regions import encode_mask
from tests.kernel.fake_browser import run_message

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).resolve().parents[2]

SETUP = """
import sys; sys.path[:0] = [{root!r}, {here!r}]
import numpy as np
import regiondrag_widget as rd
from regiondrag_widget.widget import editor_cache
from fake_editor import FakeEngine  # not by way of `tests`: IPython 7 has a package of that name on the path
engine = FakeEngine(seconds=0.05)
editor_cache.install_editors(engine)
y, x = np.mgrid[0:96, 0:128]
rgb = np.stack([x * 2, y * 2, (x + y) % 256], -1).astype(np.uint8)
handle = (x - 30) ** 2 + (y - 40) ** 2 < 15 ** 2
target = (x - 80) ** 2 + (y - 40) ** 2 < 15 ** 2
"""


class Kernel:
    """A running kernel and what came of its iopub channel."""

    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3")
        self.seen: list[dict[str, Any]] = []
        self.execute(SETUP.format(root=str(ROOT), here=str(Path(__file__).parent)))

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def begin(self, code: str) -> str:
        """Run a cell, without waiting for its end."""
        return str(self.client.execute(code))

    def execute(self, code: str, seconds: float = 30) -> str:
        """Run a cell to its end; what it printed."""
        cell = self.begin(code)
        printed = ""
        for message in self.messages(seconds):
            if message["parent_header"].get("msg_id") != cell:
                continue
            if message["msg_type"] == "stream":
                printed += message["content"]["text"]
            if message["msg_type"] == "error":
                raise AssertionError("\n".join(message["content"]["traceback"]))
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return printed
        raise AssertionError(f"the cell did not end: {code}")

    def messages(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Everything on iopub, as it comes, for at most so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                message = self.client.get_iopub_msg(timeout=left)
            except queue.Empty:
                return
            message["at"] = time.monotonic()
            self.seen.append(message)
            yield message

    def ended(self, cell: str) -> None:
        """Wait until a cell is over, by whatever way."""

        def over(message: dict[str, Any]) -> bool:
            idle = message["content"].get("execution_state") == "idle"
            return idle and message["parent_header"].get("msg_id") == cell

        if not any(map(over, self.seen)) and not any(map(over, self.messages(30))):
            raise AssertionError("the cell did not end")

    def open_widget(self, arguments: str = "rgb, steps=8") -> str:
        """Make ``w`` in the kernel; the id of its comm."""
        self.execute(f"w = rd.RegionDragWidget({arguments})")
        opened = [m for m in self.seen if m["msg_type"] == "comm_open"]
        return next(
            m["content"]["comm_id"]
            for m in reversed(opened)
            if "_regions_rev" in m["content"]["data"]["state"]
        )

    def send(self, comm: str, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        """A custom message of the browser."""
        self._comm(comm, {"method": "custom", "content": {"v": 1, **content}}, buffers)

    def write(self, comm: str, state: dict[str, Any], paths: Any = (), buffers: Any = None) -> None:
        """A trait update of the browser."""
        data = {"method": "update", "state": state, "buffer_paths": list(paths)}
        self._comm(comm, data, buffers)

    def _comm(self, comm: str, data: dict[str, Any], buffers: list[bytes] | None) -> None:
        session = self.client.session
        message = session.msg("comm_msg", {"comm_id": comm, "data": data})
        session.send(self.client.shell_channel.socket, message, buffers=buffers)

    def custom(self, comm: str) -> list[dict[str, Any]]:
        """Custom messages of the widget seen so far, with their time and buffers."""
        return [
            {**m["content"]["data"]["content"], "at": m["at"], "buffers": m["buffers"]}
            for m in self.seen
            if m["msg_type"] == "comm_msg"
            and m["content"]["comm_id"] == comm
            and m["content"]["data"].get("method") == "custom"
        ]

    def until(self, comm: str, kind: str, seconds: float = 20, acknowledge: bool = True) -> dict[str, Any]:
        """Listen until the widget sends a message of this type; acknowledge previews meanwhile."""
        known = len(self.custom(comm))
        for _ in self.messages(seconds):
            for message in self.custom(comm)[known:]:
                known += 1
                if message["type"] == "preview" and acknowledge:
                    self.send(comm, {"type": "ack", "run": message["run"], "seq": message["seq"]})
                if message["type"] == kind:
                    return message
        raise AssertionError(f"no {kind!r} came; got {[m['type'] for m in self.custom(comm)]}")


@pytest.fixture(scope="module")
def shared_kernel():
    kernel = Kernel()
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(shared_kernel):
    shared_kernel.seen.clear()
    yield shared_kernel
    shared_kernel.execute("engine.release(); engine.seconds, engine.draft_seconds = 0.05, 0.0; w.close()")


def masks() -> list[bytes]:
    y, x = np.mgrid[0:96, 0:128]
    return [encode_mask((x - c) ** 2 + (y - 40) ** 2 < 15**2) for c in (30, 80)]


def test_a_run_from_the_browser_streams_previews_and_then_the_result(kernel):
    comm = kernel.open_widget()
    kernel.send(comm, {"type": "hello", "view": "v", "have": {"image": 1, "result": None}})
    assert kernel.until(comm, "ready")["busy"] is False
    kernel.send(comm, run_message(1), masks())
    done = kernel.until(comm, "done")
    previews = [m for m in kernel.custom(comm) if m["type"] == "preview"]
    frames = {bytes(m["buffers"][0]) for m in previews}
    assert len(frames) >= 3
    assert [m["seq"] for m in previews] == sorted(m["seq"] for m in previews)
    assert previews[-1]["step"] == 8
    assert done["result"] == "r1"
    assert "True (128, 96)" in kernel.execute("print(w.result is not None, w.result.image.size)")


def test_other_cells_run_while_an_edit_does(kernel):
    comm = kernel.open_widget("rgb, steps=40")
    kernel.send(comm, run_message(1), masks())
    kernel.until(comm, "preview")
    began = time.monotonic()
    assert kernel.execute("print(6 * 7, w.state)").split() == ["42", "running"]
    assert time.monotonic() - began < 1.5
    kernel.send(comm, {"type": "stop", "run": 1})
    kernel.until(comm, "stopped")


def test_previews_keep_coming_while_a_cell_blocks_the_main_thread(kernel):
    comm = kernel.open_widget("rgb, pairs=[rd.RegionPair(handle, target)], steps=60")
    cell = kernel.begin("import time; w.run(); time.sleep(2.5)")
    during = []
    for message in kernel.messages(20):
        during = [m for m in kernel.custom(comm) if m["type"] == "preview"]
        ended = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
        if ended and message["parent_header"].get("msg_id") == cell:
            break
    assert 3 <= len(during) <= 6  # two at once, then one a second: nobody can acknowledge


def test_run_with_wait_in_a_cell_ends_and_its_messages_arrive(kernel):
    comm = kernel.open_widget("rgb, pairs=[rd.RegionPair(handle, target)], steps=10")
    assert "EditResult" in kernel.execute("print(repr(w.run(wait=True)))")
    kinds = [m["type"] for m in kernel.custom(comm)]
    assert "preview" in kinds
    assert kinds[-1] == "done"


def test_interrupting_a_cell_that_waits_stops_the_run(kernel):
    comm = kernel.open_widget("rgb, pairs=[rd.RegionPair(handle, target)], steps=400")
    cell = kernel.begin("w.run(wait=True)")
    kernel.until(comm, "preview")
    kernel.manager.interrupt_kernel()
    stopped = kernel.until(comm, "stopped")
    assert stopped["step"] < 400
    kernel.ended(cell)
    time.sleep(0.5)  # a failed cell makes the kernel drop those queued behind it, for a moment
    assert kernel.execute("print(w.state)").strip() == "ready"


def test_stop_takes_effect_within_one_step(kernel):
    comm = kernel.open_widget("rgb, steps=400")
    kernel.send(comm, run_message(1), masks())
    kernel.until(comm, "preview")
    kernel.until(comm, "preview")
    asked = time.monotonic()
    kernel.send(comm, {"type": "stop", "run": 1})
    stopped = kernel.until(comm, "stopped")
    assert stopped["at"] - asked < 0.5
    assert kernel.execute("print(engine.closed >= 1, w.result)").split() == ["True", "None"]


def test_where_threads_are_not_heard_the_run_is_delivered_by_the_main_thread(kernel):
    comm = kernel.open_widget()
    kernel.execute("w._outbox.pump = True; engine.threads.clear()")
    kernel.send(comm, run_message(1), masks())
    kernel.until(comm, "done", acknowledge=False)
    assert len([m for m in kernel.custom(comm) if m["type"] == "preview"]) == 3
    assert kernel.execute("print(engine.threads, w.state)").strip() == "{'regiondrag-inference'} done"


def test_what_was_drawn_is_a_bool_array_in_the_next_cell(kernel):
    comm = kernel.open_widget()
    handle, target = masks()
    entry = {"id": "p", "name": "<b>", "color": 0, "matrix": None, "visible": True, "locked": False, "rev": 1}
    kernel.write(
        comm,
        {"_pairs": [{**entry, "hasTarget": True}], "_masks": {}, "_regions_rev": 1},
        [["_masks", "h:p"], ["_masks", "t:p"]],
        [handle, target],
    )
    printed = kernel.execute(
        "p = w.pairs[0]\n"
        "print(p.handle.dtype, np.array_equal(p.handle, handle), np.array_equal(p.target, target), p.name)"
    )
    assert printed.split() == ["bool", "True", "True", "<b>"]


def test_masks_are_not_echoed(kernel):
    comm = kernel.open_widget()
    kernel.write(comm, {"_masks": {}}, [["_masks", "h:p"]], [masks()[0]])
    kernel.execute("pass")
    echoes = [
        m
        for m in kernel.seen
        if m["msg_type"] == "comm_msg" and m["content"]["data"].get("method") == "echo_update"
    ]
    assert all("_masks" not in m["content"]["data"]["state"] for m in echoes)


def test_a_failing_engine_is_told_and_the_kernel_lives_on(kernel):
    comm = kernel.open_widget()
    kernel.execute("engine.error = RuntimeError('CUDA out of memory')")
    kernel.send(comm, run_message(1), masks())
    error = kernel.until(comm, "error")
    assert error["code"] == "memory"
    assert "RuntimeError" in kernel.execute("engine.error = None; print(w.last_error)")
    kernel.send(comm, run_message(2), masks())
    assert kernel.until(comm, "done")["run"] == 2


def draft_message(seq: int, **more: Any) -> dict[str, Any]:
    """The JSON part of a draft with one pair, which `masks` go with."""
    body = {name: value for name, value in run_message(0).items() if name not in ("run", "rev")}
    return {**body, "type": "draft", "seq": seq, "rev": 0, **more}


def test_drafts_are_answered_while_other_cells_run_and_a_run_follows(kernel):
    comm = kernel.open_widget()
    kernel.send(comm, {"type": "visible", "visible": True})
    assert kernel.until(comm, "measured")["live"] is True
    for seq in (1, 2, 3):
        kernel.send(comm, draft_message(seq), masks())
        drafted = kernel.until(comm, "drafted")
        assert drafted["seq"] == seq
        assert bytes(drafted["buffers"][0]).startswith(b"\xff\xd8")
    kernel.send(comm, run_message(1), masks())
    assert kernel.until(comm, "done")["run"] == 1
    assert kernel.execute("print(w.measured['live'], w.last_error)").split() == ["True", "None"]


def test_of_drafts_that_waited_for_a_cell_only_the_newest_is_made(kernel):
    comm = kernel.open_widget()
    cell = kernel.begin("import time; engine.draft_seconds = 0.2; time.sleep(0.7)")
    for seq in range(1, 9):
        kernel.send(comm, draft_message(seq), masks())
    drafted = kernel.until(comm, "drafted")
    kernel.ended(cell)
    answers = [m["seq"] for m in kernel.custom(comm) if m["type"] in ("drafted", "undrafted")]
    assert drafted["seq"] == 8
    assert answers == list(range(1, 9))


def test_where_threads_are_not_heard_drafts_are_delivered_by_the_main_thread(kernel):
    comm = kernel.open_widget()
    kernel.execute("w._outbox.pump = True")
    for seq in (1, 2):
        kernel.send(comm, draft_message(seq), masks())
        assert kernel.until(comm, "drafted")["seq"] == seq


def test_nothing_is_printed_by_a_run(kernel):
    comm = kernel.open_widget()
    kernel.send(comm, run_message(1), masks())
    kernel.until(comm, "done")
    assert [m for m in kernel.seen if m["msg_type"] in ("stream", "error")] == []


def test_malformed_messages_do_no_harm(kernel):
    comm = kernel.open_widget()
    for content in ({"type": "run"}, {"v": 9, "type": "ping"}, {"type": 3}, {"type": "stop", "run": 88}):
        kernel.send(comm, content)
    kernel.send(comm, {"type": "ping"})
    kernel.until(comm, "pong")
    assert [m["code"] for m in kernel.custom(comm) if m["type"] == "error"] == ["protocol"] * 3


def test_a_page_that_is_loaded_again_gets_everything_from_the_live_kernel(kernel):
    comm = kernel.open_widget()
    kernel.send(comm, run_message(1), masks())
    kernel.until(comm, "done")
    kernel.execute("w.add_pair(handle, target, name='disc')")
    session = kernel.client.session
    control = "ctl-page"
    opening = session.msg(
        "comm_open",
        {"comm_id": control, "target_name": "jupyter.widget.control", "data": {}},
        metadata={"version": "1.0.0"},
    )
    kernel.client.shell_channel.send(opening)
    asking = session.msg("comm_msg", {"comm_id": control, "data": {"method": "request_states"}})
    kernel.client.shell_channel.send(asking)
    for message in kernel.messages(20):
        if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == control:
            break
    data = message["content"]["data"]
    state = data["states"][comm]["state"]
    assert state["_pairs"][0]["name"] == "disc"
    assert state["_result_info"]["id"] == "r1"
    assert state["_state"]["state"] == "done"
    carried = {tuple(path[1:]) for path in data["buffer_paths"] if path[0] == comm}
    assert {("state", "_image"), ("state", "_result")} <= carried
    assert sum(path[1] == "_masks" for path in carried if len(path) == 3) == 2
