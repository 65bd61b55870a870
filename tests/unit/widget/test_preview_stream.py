"""Preview flow control: a state machine with an injected clock."""

from __future__ import annotations

import pytest

from regiondrag_widget.widget.preview_stream import ACK_TIMEOUT, MAX_IN_FLIGHT, MIN_INTERVAL, PreviewStream

TICK = MIN_INTERVAL + 1e-6  # clear of rounding


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream(clock: Clock) -> PreviewStream[str]:
    stream: PreviewStream[str] = PreviewStream(clock)
    stream.start(1)
    return stream


def send_two(stream: PreviewStream[str], clock: Clock) -> None:
    """Bring the stream to its limit of frames in flight."""
    assert len(stream.offer(1, 1, 20, "a")) == 1
    clock.now += TICK
    assert len(stream.offer(1, 2, 20, "b")) == 1
    clock.now += TICK


def test_the_first_frame_goes_at_once(stream):
    (frame,) = stream.offer(1, 1, 20, "a")
    assert (frame.run, frame.step, frame.total, frame.picture, frame.seq) == (1, 1, 20, "a", 1)


def test_a_frame_too_soon_after_another_waits(stream, clock):
    stream.offer(1, 1, 20, "a")
    clock.now += TICK / 2
    assert stream.offer(1, 2, 20, "b") == []
    clock.now += TICK / 2
    assert [f.picture for f in stream.poll()] == ["b"]


def test_at_most_fifteen_frames_go_out_in_a_second_however_many_are_offered(stream, clock):
    sent = []
    for step in range(2, 202):  # 200 steps a second, all acknowledged at once
        for frame in stream.offer(1, step, 1000, "x"):
            sent.append(frame)
            stream.ack(1, frame.seq)
        clock.now += 1 / 200
    assert 12 <= len(sent) <= 15


def test_no_third_frame_goes_while_two_are_unacknowledged(stream, clock):
    send_two(stream, clock)
    assert stream.in_flight == MAX_IN_FLIGHT
    assert stream.offer(1, 3, 20, "c") == []


def test_an_acknowledgement_lets_the_newest_waiting_frame_go_and_only_that(stream, clock):
    send_two(stream, clock)
    stream.offer(1, 3, 20, "c")
    stream.offer(1, 4, 20, "d")
    assert [f.picture for f in stream.ack(1, 1)] == ["d"]


def test_acknowledging_a_frame_confirms_all_before_it(stream, clock):
    send_two(stream, clock)
    stream.ack(1, 2)
    assert stream.in_flight == 0


@pytest.mark.parametrize(("run", "seq"), [(0, 2), (1, 7), (2, 1), (1, 0)])
def test_acknowledgements_of_other_runs_or_of_frames_never_sent_are_ignored(stream, clock, run, seq):
    send_two(stream, clock)
    stream.ack(run, seq)
    assert stream.in_flight == 2


def test_without_acknowledgements_one_frame_a_second_still_goes(stream, clock):
    send_two(stream, clock)
    sent = 0
    for step in range(3, 103):  # ten seconds of ten steps
        sent += len(stream.offer(1, step, 1000, "x"))
        clock.now += 0.1
    assert 9 <= sent <= 10


def test_the_slow_fallback_begins_only_a_second_after_the_last_frame(stream, clock):
    send_two(stream, clock)
    clock.now += ACK_TIMEOUT - 2 * TICK
    assert stream.offer(1, 3, 20, "c") == []
    clock.now += 2 * TICK
    assert len(stream.poll()) == 1


def test_the_last_step_goes_whatever_is_in_flight(stream, clock):
    send_two(stream, clock)
    assert [f.picture for f in stream.offer(1, 20, 20, "end")] == ["end"]


def test_a_frame_still_waiting_goes_when_the_run_finishes(stream, clock):
    send_two(stream, clock)
    stream.offer(1, 3, 20, "c")
    assert [f.picture for f in stream.finish()] == ["c"]
    assert stream.finish() == []


def test_nothing_goes_while_hidden_and_the_newest_follows_when_shown(stream, clock):
    stream.show(False)
    assert stream.offer(1, 1, 20, "a") == []
    assert stream.offer(1, 20, 20, "end") == []
    assert [f.picture for f in stream.show(True)] == ["end"]


def test_the_last_frame_of_a_run_that_ended_hidden_follows_when_shown(stream):
    stream.show(False)
    stream.offer(1, 20, 20, "end")
    stream.finish()
    stream.end()
    assert [f.picture for f in stream.show(True)] == ["end"]


def test_while_hidden_only_the_first_and_the_last_preview_are_worth_making(stream, clock):
    stream.show(False)
    assert [step for step in range(1, 21) if stream.wants(step, 20)] == [1, 20]


def test_previews_are_not_made_faster_than_they_can_be_sent(stream, clock):
    stream.offer(1, 1, 20, "a")
    assert not stream.wants(2, 20)
    clock.now += TICK
    assert stream.wants(2, 20)


def test_a_new_run_drops_what_the_old_one_had_waiting(stream, clock):
    send_two(stream, clock)
    stream.offer(1, 3, 20, "old")
    stream.start(2)
    assert stream.poll() == []
    assert stream.offer(1, 4, 20, "older") == []
    assert [f.picture for f in stream.offer(2, 1, 20, "new")] == ["new"]


def test_sequence_numbers_begin_anew_with_each_run(stream):
    stream.offer(1, 1, 20, "a")
    stream.start(2)
    assert stream.offer(2, 1, 20, "a")[0].seq == 1


def test_nothing_is_wanted_before_a_run_and_after_its_end(clock):
    stream: PreviewStream[str] = PreviewStream(clock)
    assert not stream.wants(1, 20)
    stream.start(1)
    stream.end()
    assert not stream.wants(20, 20)
