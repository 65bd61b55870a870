"""Messages between browser and kernel: what is read, what is refused and in which words, what is sent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regiondrag_widget.widget import incoming, outgoing, protocol
from regiondrag_widget.widget.validation import read_message


def refusal(content, buffers=()):
    with pytest.raises(protocol.ProtocolError) as info:
        read_message(content, buffers)
    return info.value


RUN = {
    "v": 1, "type": "run", "run": 4, "rev": 7, "params": {"seed": 3}, "protect": 2,
    "pairs": [{"id": "a", "name": "duck", "matrix": [1, 0, 5, 0, 1, 0, 0, 0, 1], "handle": 0, "target": 1}],
}  # fmt: skip
THREE = (b"handle", memoryview(b"target"), bytearray(b"protect"))


def test_a_run_is_read_with_its_pairs_and_buffers():
    run = read_message(RUN, THREE)
    assert isinstance(run, incoming.Run)
    assert (run.run, run.rev, run.params, run.protect) == (4, 7, {"seed": 3}, 2)
    assert run.pairs == (incoming.SentPair("a", "duck", (1.0, 0.0, 5.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), 0, 1),)
    assert run.buffers == (b"handle", b"target", b"protect")
    assert all(type(buffer) is bytes for buffer in run.buffers)


def carrying(**fields):
    """A run whose pair says what is carried."""
    return {**RUN, "pairs": [{**RUN["pairs"][0], **fields}]}


@pytest.mark.parametrize("carry", ["object", "painted", None])
def test_a_run_says_what_a_pair_carries(carry):
    (pair,) = read_message(carrying(carry=carry), THREE).pairs
    assert (pair.carry, pair.chosen) == (carry, None)


def test_a_run_brings_the_mask_of_what_was_chosen():
    (pair,) = read_message(carrying(carry="mask", chosen=2), THREE).pairs
    assert (pair.carry, pair.chosen) == ("mask", 2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"carry": "everything"}, "carry must be 'object', 'painted', 'mask' or null"),
        ({"carry": 3}, "carry must be"),
        ({"carry": ["object"]}, "carry must be"),
        ({"carry": "mask"}, "chosen"),
        ({"carry": "mask", "chosen": 3}, "one of the 3 buffers"),
    ],
)
def test_what_cannot_be_carried_is_refused(fields, words):
    assert words in str(refusal(carrying(**fields), THREE))


def test_what_a_handle_carries_is_sent_with_one_mask_or_two():
    small = outgoing.Carried("a", 7, "object", "carrying the object", b"mask")
    assert small.content() == {
        "v": 1, "type": "carried", "pair": "a", "rev": 7, "verdict": "object", "words": "carrying the object",
        "larger": False,
    }  # fmt: skip
    assert small.buffers() == [b"mask"]
    beyond = outgoing.Carried("a", 7, "beyond", "it goes on", b"mask", b"larger")
    assert beyond.content()["larger"] is True
    assert beyond.buffers() == [b"mask", b"larger"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"type": "hello", "view": "v1", "have": {"image": 3, "result": "r2"}},
            incoming.Hello("v1", 3, "r2"),
        ),
        ({"type": "hello", "view": "v1", "have": {"image": None, "result": None}}, incoming.Hello("v1")),
        ({"type": "hello"}, incoming.Hello("")),
        ({"type": "stop", "run": 2}, incoming.Stop(2)),
        ({"type": "ack", "run": 2, "seq": 9}, incoming.Ack(2, 9)),
        ({"type": "need", "what": "image"}, incoming.Need("image")),
        ({"type": "need", "what": "result", "result": "r1"}, incoming.Need("result", "r1")),
        ({"type": "accept", "result": "r1"}, incoming.Accept("r1")),
        ({"type": "discard", "result": "r1"}, incoming.Discard("r1")),
        ({"type": "restore", "result": "r1"}, incoming.Restore("r1")),
        ({"type": "visible", "visible": False}, incoming.Visible(False)),
        ({"type": "ping"}, incoming.Ping()),
        ({"type": "stats", "on": True}, incoming.Stats(True)),
        ({"type": "drag_ended", "seq": 12}, incoming.DragEnded(12)),
        ({"type": "need", "what": "masks"}, incoming.Need("masks")),
    ],
)
def test_each_message_of_the_browser_is_read(content, expected):
    assert read_message({"v": 1, **content}) == expected


def test_a_picture_in_parts_is_read():
    content = {
        "v": 1,
        "type": "load",
        "name": "a.png",
        "mime": "image/png",
        "part": 1,
        "parts": 3,
        "upload": "u",
    }
    assert read_message(content, [b"xyz"]) == incoming.Load("a.png", "image/png", b"xyz", 1, 3, "u")


def test_unknown_fields_are_ignored():
    assert read_message({"v": 1, "type": "stop", "run": 1, "colour": "blue"}) == incoming.Stop(1)


@pytest.mark.parametrize("content", [None, 3, "run", [], [1, 2]])
def test_something_that_is_no_object_is_refused(content):
    assert "must be an object" in str(refusal(content))


@pytest.mark.parametrize("version", [None, 0, 2, "1", 1.5, True])
def test_another_version_is_refused_with_the_remedy(version):
    assert "reload the page" in str(refusal({"v": version, "type": "ping"}))


@pytest.mark.parametrize("kind", [None, 3, "explode", ["run"], "x" * 5000])
def test_an_unknown_type_is_refused_in_few_words(kind):
    error = refusal({"v": 1, "type": kind})
    assert "unknown message type" in str(error)
    assert len(str(error)) <= 200


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"run": None}, "run"),
        ({"run": -1}, "run"),
        ({"run": True}, "run"),
        ({"run": 2**60}, "run"),
        ({"run": "4"}, "run"),
        ({"params": [1]}, "params"),
        ({"pairs": None}, "pairs"),
        ({"pairs": "ab"}, "pairs"),
        ({"pairs": [3]}, "pair"),
        ({"pairs": [{}] * 600}, "pairs"),
        ({"pairs": [{"id": 3, "handle": 0}]}, "id"),
        ({"pairs": [{"id": "a", "handle": 3}]}, "handle"),
        ({"pairs": [{"id": "a"}]}, "handle"),
        ({"pairs": [{"id": "a", "handle": 0, "target": -1}]}, "target"),
        ({"pairs": [{"id": "a", "handle": 0, "matrix": [1, 2]}]}, "matrix"),
        ({"pairs": [{"id": "a", "handle": 0, "matrix": [math.nan] * 9}]}, "matrix"),
        ({"pairs": [{"id": "a", "handle": 0, "matrix": ["1"] * 9}]}, "matrix"),
        ({"protect": 9}, "protect"),
    ],
)
def test_a_run_with_a_bad_field_is_refused_by_that_fields_name(change, word):
    assert word in str(refusal({**RUN, **change}, THREE))


def test_a_draft_is_read_as_a_run_is_with_its_number():
    draft = read_message({**RUN, "type": "draft", "seq": 1_700_000_000_123}, THREE)
    run = read_message(RUN, THREE)
    assert isinstance(draft, incoming.Draft)
    assert draft.seq == 1_700_000_000_123
    for name in ("params", "rev", "pairs", "protect", "buffers"):
        assert getattr(draft, name) == getattr(run, name)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seq": None}, "seq"),
        ({"seq": -1}, "seq"),
        ({"seq": 1.5}, "seq"),
        ({"pairs": [{"id": "a", "handle": 3}]}, "handle"),
        ({"params": []}, "params"),
    ],
)
def test_a_draft_with_a_bad_field_is_refused_by_that_fields_name(change, word):
    assert word in str(refusal({**RUN, "type": "draft", "seq": 3, **change}, THREE))


def test_a_refused_draft_tells_which_one_it_was_and_a_refused_run_does_not_pass_for_one():
    pairs = [{"id": "a", "handle": 3}]
    assert refusal({**RUN, "type": "draft", "seq": 3, "pairs": pairs}, THREE).seq == 3
    assert refusal({**RUN, "seq": 3, "pairs": pairs}, THREE).seq is None
    assert refusal({"v": 1, "type": "drag_ended", "seq": -1}).seq is None


def test_a_refused_run_tells_which_run_it_was():
    assert refusal({**RUN, "params": 3}, THREE).run == 4


def test_a_buffer_over_64_mib_is_refused_before_it_is_copied():
    huge = memoryview(bytearray(protocol.MAX_BUFFER_BYTES + 1))
    error = refusal({**RUN, "protect": None}, (b"a", huge))
    assert error.code == "too-large"
    assert "64 MiB" in str(error)


@pytest.mark.parametrize("buffers", [(), (b"a", b"b")])
def test_a_picture_needs_exactly_one_buffer(buffers):
    assert "one buffer" in str(refusal({"v": 1, "type": "load", "name": "a", "mime": "b"}, buffers))


def test_a_part_beyond_the_parts_is_refused():
    message = {"v": 1, "type": "load", "name": "a", "mime": "b", "part": 3, "parts": 3, "upload": "u"}
    assert "part" in str(refusal(message, [b""]))


text = st.text("aé:0 ", max_size=8)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["run", "draft", "drag_ended", "hello", "ack", "need", "load", "stop", "visible", "restore"]
)
keys = st.sampled_from(
    ["run", "seq", "pairs", "params", "what", "have", "result", "part", "parts", "view", "protect"]
)


@settings(deadline=None)
@given(kind=names, fields=st.dictionaries(keys, json), buffers=st.lists(st.binary(max_size=8), max_size=3))
def test_whatever_comes_is_either_read_or_refused(kind, fields, buffers):
    try:
        message = read_message({"v": 1, "type": kind, **fields}, buffers)
    except protocol.ProtocolError:
        return
    assert type(message).__name__.lower() == kind.replace("_", "")


SENT = [
    outgoing.Ready("1.0", False, 3),
    outgoing.Status("running", "Step 2 of 10", 2, 10, 1.5, 3),
    outgoing.Preview(3, 1, 2, 10, 320, 200, (0, 0, 640, 400), b"jpeg"),
    outgoing.Done(3, "r3", 1.25),
    outgoing.Stopped(3, 4),
    outgoing.Error(3, "memory", "too little", "smaller"),
    outgoing.Blob("result", "image/png", b"png", "r1"),
    outgoing.Pong(),
    outgoing.Drafted(7, 60, 40, (0, 0, 60, 40), 0.12, b"jpeg"),
    outgoing.Undrafted(8, "stale"),
    outgoing.Measured(120.5, True, "cpu", "bfloat16", 4_000_000, 2**31, "compiled"),
]


@pytest.mark.parametrize("message", SENT, ids=lambda m: m.type)
def test_every_message_of_the_kernel_names_version_and_type_and_has_no_id(message):
    content = message.content()
    assert (content["v"], content["type"]) == (1, message.type)
    assert "id" not in content  # ipykernel 7.4 would keep it as an unanswered request
    assert "data" not in content


def test_pictures_travel_as_buffers():
    preview = SENT[2]
    assert preview.buffers() == [b"jpeg"]
    assert preview.content()["box"] == (0, 0, 640, 400)
    assert preview.content()["mime"] == "image/jpeg"
    assert outgoing.Pong().buffers() == []


def test_a_draft_travels_as_agreed():
    drafted, undrafted, measured = SENT[-3:]
    assert drafted.buffers() == [b"jpeg"]
    assert drafted.content() == {
        "v": 1, "type": "drafted", "seq": 7, "width": 60, "height": 40, "box": (0, 0, 60, 40),
        "seconds": 0.12, "mime": "image/jpeg",
    }  # fmt: skip
    assert undrafted.content() == {
        "v": 1,
        "type": "undrafted",
        "seq": 8,
        "reason": "stale",
        "message": "",
    }
    assert measured.content() == {
        "v": 1, "type": "measured", "draft_ms": 120.5, "live": True, "device": "cpu", "dtype": "bfloat16",
        "memory": 4_000_000, "budget": 2**31, "note": "compiled",
    }  # fmt: skip
