"""When a measurement is worth a message."""

from __future__ import annotations

import pytest

from regiondrag_widget.widget.editor import Report
from regiondrag_widget.widget.readout import INTERVAL, Readout


class Desk:
    """A read-out with a clock and a report set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.report = Report("cpu", "float32", 400, 1000)
        self.sent = []
        self.readout = Readout(lambda: self.report, self.sent.append, lambda: self.now)

    def draft(self, seconds: float, count: int = 1) -> None:
        for _ in range(count):
            self.readout.speed.add(seconds)
            self.readout.update()


@pytest.fixture
def desk():
    return Desk()


def test_the_first_draft_is_told_at_once(desk):
    desk.draft(0.1)
    (message,) = desk.sent
    assert (message.draft_ms, message.live, message.device) == (100.0, True, "cpu")


def test_before_anything_was_measured_nothing_is_told(desk):
    desk.readout.update()
    desk.readout.update(settled=True)
    assert desk.sent == []


def test_what_does_not_change_is_told_once(desk):
    desk.draft(0.1)
    desk.now = 10
    desk.draft(0.1, 5)
    assert len(desk.sent) == 1


def test_a_small_change_is_told_only_to_an_open_read_out(desk):
    desk.draft(0.100)
    desk.now = 10
    desk.draft(0.102, 20)
    assert len(desk.sent) == 1
    desk.readout.switch(True)
    assert desk.sent[-1].draft_ms == 102.0
    desk.now = 20
    desk.draft(0.104, 20)
    assert desk.sent[-1].draft_ms == 104.0


def test_a_marked_change_is_told_at_most_once_an_interval(desk):
    desk.draft(0.1)
    desk.draft(0.15, 20)
    assert len(desk.sent) == 1
    desk.now += INTERVAL
    desk.draft(0.15)
    assert [m.draft_ms for m in desk.sent] == [100.0, 150.0]


def test_live_going_off_is_told_without_delay(desk):
    desk.draft(0.1)
    desk.draft(0.5, 5)
    assert [m.live for m in desk.sent] == [True, False]


def test_a_pause_is_told_without_delay_and_so_is_its_end(desk):
    desk.draft(0.1)
    desk.readout.paused("live is paused: the network burst")
    desk.readout.paused("")
    assert [m.live for m in desk.sent] == [True, False, True]
    assert [m.note for m in desk.sent] == ["", "live is paused: the network burst", ""]


def test_notes_stand_side_by_side(desk):
    desk.report = Report(note="not compiled")
    desk.draft(2.0)
    desk.readout.shrunk()
    assert desk.sent[-1].note == (
        "not compiled; drafts take too long here to follow a pointer; out of memory: the cache was halved"
    )


def test_memory_alone_is_told_to_an_open_read_out(desk):
    desk.draft(0.1)
    desk.readout.switch(True)
    desk.now = 10
    desk.report = Report("cpu", "float32", 500, 1000)
    desk.readout.update()
    assert desk.sent[-1].memory == 500
    desk.readout.switch(False)
    desk.now = 20
    desk.report = Report("cpu", "float32", 600, 1000)
    desk.readout.update()
    assert desk.sent[-1].memory == 500


def test_while_no_editor_is_kept_the_last_device_stands(desk):
    desk.draft(0.1)
    desk.report = None
    desk.readout.switch(True)
    assert desk.sent[-1].device == "cpu"
    desk.readout.forget(model=True)
    assert desk.sent[-1].device == ""
    assert desk.sent[-1].draft_ms is None


def test_a_page_that_knows_nothing_gets_what_was_told_last(desk):
    desk.readout.greet()
    assert desk.sent == []
    desk.draft(0.1)
    desk.readout.greet()
    assert desk.sent[0] == desk.sent[1]
