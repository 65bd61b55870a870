"""The selection tools ask the kernel: what is answered, what is dropped, and that nothing waits."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from regiondrag_widget import RegionDragWidget, select
from regiondrag_widget.regions import decode_mask, encode_mask
from regiondrag_widget.select.enlarging import enlarged
from regiondrag_widget.widget import selecting
from tests.kernel.fake_browser import FakeBrowser, until

SHAPE = (90, 120)


def disc(x: float = 60, y: float = 45, radius: float = 20) -> np.ndarray:
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (xx - x) ** 2 + (yy - y) ** 2 <= radius**2


@pytest.fixture
def picture() -> Image.Image:
    rgb = np.full((*SHAPE, 3), (120, 160, 120), np.uint8)
    rgb[disc()] = (200, 60, 40)
    return Image.fromarray(rgb)


@pytest.fixture
def browser(engine: Any, picture: Image.Image) -> FakeBrowser:
    return FakeBrowser(RegionDragWidget(picture))


def ask(browser: FakeBrowser, seq: int, how: str, *points: tuple[float, float], **fields: Any) -> None:
    masks = fields.pop("masks", [])
    message = {"type": "select", "seq": seq, "rev": 1, "how": how, "points": [list(p) for p in points]}
    if how == "click":
        fields.setdefault("labels", [True] * len(points))
    browser.send({**message, **fields}, masks)


def answer(browser: FakeBrowser, seq: int) -> tuple[dict[str, Any], np.ndarray | None]:
    """The answer to a request: its content and its mask."""
    until(lambda: any(c["seq"] == seq for c in browser.of("selected")))
    content, buffers = next(
        (c, b) for c, b in list(browser.messages) if c["type"] == "selected" and c["seq"] == seq
    )
    return content, decode_mask(buffers[0]) if buffers else None


def iou(a: np.ndarray | None, b: np.ndarray) -> float:
    assert a is not None
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize(
    ("how", "points", "fields"),
    [
        ("click", [(60, 45)], {}),
        ("box", [(36, 21), (84, 69)], {}),
        ("wand", [(60, 45)], {"amount": 20}),
    ],
)
def test_a_thing_is_selected(
    browser: FakeBrowser, how: str, points: list[tuple[float, float]], fields: dict[str, Any]
) -> None:
    ask(browser, 1, how, *points, **fields)
    content, mask = answer(browser, 1)
    assert content["found"] is True
    assert iou(mask, disc()) > 0.9


def test_the_piece_under_the_pointer_is_shown(browser: FakeBrowser, picture: Image.Image) -> None:
    ask(browser, 1, "piece", (60, 45))
    mask = answer(browser, 1)[1]
    assert np.array_equal(mask, select.Superpixels(np.array(picture)).piece_at(60, 45))


def test_what_a_click_would_take_is_shown(browser: FakeBrowser) -> None:
    ask(browser, 1, "object", (60, 45))
    shown = answer(browser, 1)[1]
    ask(browser, 2, "click", (60, 45))
    assert np.array_equal(shown, answer(browser, 2)[1])
    assert iou(shown, disc()) > 0.9


@pytest.mark.parametrize("how", ["click", "box", "wand", "brush"])
def test_a_handle_gets_a_margin(browser: FakeBrowser, how: str) -> None:
    points = [(50, 40), (70, 60)] if how == "box" else [(60, 45)]
    ask(browser, 1, how, *points, amount=5)
    found = answer(browser, 1)[1]
    ask(browser, 2, how, *points, amount=5, margin=True)
    assert found is not None
    assert np.array_equal(answer(browser, 2)[1], select.with_margin(found))


def test_an_answer_is_as_small_for_a_large_picture(engine: Any, picture: Image.Image) -> None:
    browser = FakeBrowser(RegionDragWidget(picture.resize((4000, 3000))))
    for seq, how in enumerate(("piece", "object", "click")):
        ask(browser, seq, how, (2000, 1500))
        mask = answer(browser, seq)[1]
        assert mask is not None
        assert mask.shape == (384, 512)
        assert mask[192, 256]


def test_a_stroke_takes_the_pieces_it_touches(browser: FakeBrowser) -> None:
    ask(browser, 1, "brush", (45, 45), (75, 45), amount=2)
    mask = answer(browser, 1)[1]
    assert mask is not None
    assert mask[45, 45:76].all()
    assert not mask[5, 5]


def test_the_way_along_an_edge_follows_it(browser: FakeBrowser) -> None:
    ask(browser, 1, "path", (40, 45), (60, 25))
    content, mask = answer(browser, 1)
    assert mask is None
    way = np.reshape(content["path"], (-1, 2))
    assert tuple(way[-1]) == (60, 25)
    off = np.abs(np.hypot(way[:, 0] - 60, way[:, 1] - 45) - 20)
    assert np.median(off) < 3


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("grow", select.grow(disc(), 3)),
        ("shrink", select.shrink(disc(), 3)),
        ("smooth", select.smooth(disc(), 3)),
        ("fill_holes", select.fill_holes(disc())),
        ("invert", ~disc()),
    ],
)
def test_a_mask_is_adjusted_as_in_python(browser: FakeBrowser, how: str, expected: np.ndarray) -> None:
    ask(browser, 1, how, amount=3, masks=[encode_mask(disc())])
    assert np.array_equal(answer(browser, 1)[1], expected)


def test_nothing_selected_is_an_answer_without_a_mask(browser: FakeBrowser) -> None:
    ask(browser, 1, "shrink", amount=50, masks=[encode_mask(disc())])
    content, mask = answer(browser, 1)
    assert (content["found"], mask) == (True, None)


def test_a_click_outside_the_picture_is_refused_in_words(browser: FakeBrowser) -> None:
    ask(browser, 1, "click", (500, 45))
    content, mask = answer(browser, 1)
    assert (content["found"], mask) == (False, None)
    assert content["message"] == "That is outside the picture: click inside it"


def test_a_request_about_the_picture_before_is_dropped_in_silence(
    browser: FakeBrowser, picture: Image.Image
) -> None:
    browser.widget.image = picture.rotate(180)
    ask(browser, 1, "click", (60, 45), rev=1)
    assert answer(browser, 1)[0] | {"seq": 0} == {
        "v": 1, "type": "selected", "seq": 0, "how": "click", "found": False, "message": "", "path": (),
    }  # fmt: skip
    ask(browser, 2, "click", (60, 45), rev=2)
    assert answer(browser, 2)[0]["found"] is True


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Holds the selector thread until it is set."""
    go = threading.Event()
    real = selecting._Picture.answer

    def slow(self: Any, message: Any) -> Any:
        go.wait(10)
        return real(self, message)

    monkeypatch.setattr(selecting._Picture, "answer", slow)
    return go


def test_of_what_the_pointer_passes_over_only_the_newest_is_answered(
    browser: FakeBrowser, held: threading.Event
) -> None:
    for seq in range(1, 9):
        ask(browser, seq, "piece", (50 + seq, 45))
    held.set()
    answer(browser, 8)
    answered = [c["seq"] for c in browser.of("selected") if c["found"]]
    assert answered[-1] == 8
    assert len(answered) <= 2
    assert sorted(c["seq"] for c in browser.of("selected")) == list(range(1, 9))


def test_clicks_are_all_answered_and_before_hovering(browser: FakeBrowser, held: threading.Event) -> None:
    ask(browser, 1, "prepare")
    ask(browser, 2, "piece", (60, 45))
    for seq in (3, 4, 5):
        ask(browser, seq, "click", (60, 45))
    held.set()
    answer(browser, 2)
    assert [c["seq"] for c in browser.of("selected")] == [1, 3, 4, 5, 2]


def test_no_more_wait_than_allowed(browser: FakeBrowser, held: threading.Event) -> None:
    for seq in range(1, 41):
        ask(browser, seq, "click", (60, 45))
    assert len(browser.of("selected")) >= 40 - selecting.MOST_WAITING - 1
    held.set()
    answer(browser, 40)


def test_no_message_waits_for_a_selection(browser: FakeBrowser, held: threading.Event) -> None:
    began = time.perf_counter()
    ask(browser, 1, "click", (60, 45))
    browser.send({"type": "ping"})
    assert browser.of("pong")
    assert time.perf_counter() - began < 1
    held.set()


def test_an_edit_goes_on_beside_a_selection(browser: FakeBrowser, engine: Any) -> None:
    engine.go.clear()
    browser.run(1, disc(), disc(30, 45, 10))
    ask(browser, 1, "click", (60, 45))
    assert answer(browser, 1)[0]["found"] is True
    engine.go.set()
    browser.until("done", 1)


def test_a_closed_widget_answers_no_more(browser: FakeBrowser, held: threading.Event) -> None:
    ask(browser, 1, "click", (60, 45))
    ask(browser, 2, "click", (60, 45))
    browser.widget.close()
    held.set()
    time.sleep(0.05)
    assert browser.of("selected") == []


def test_superpixels_are_made_once_for_a_picture(
    browser: FakeBrowser, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    real = select.Superpixels

    def counted(rgb: Any) -> Any:
        made.append(1)
        return real(rgb)

    monkeypatch.setattr(selecting.select, "Superpixels", counted)
    for seq in (1, 2, 3):
        ask(browser, seq, "click", (60, 45))
        answer(browser, seq)
    assert len(made) == 1
    browser.widget.image = picture.rotate(180)
    ask(browser, 4, "click", (60, 45), rev=2)
    answer(browser, 4)
    assert len(made) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"how": "guess"},
        {"how": "click", "points": []},
        {"how": "click", "points": [[1, 2]], "labels": []},
        {"how": "click", "points": [[1, "2"]], "labels": [True]},
        {"how": "click", "points": [[1, 2, 3]], "labels": [True]},
        {"how": "piece", "points": [[1, 2], [3, 4]]},
        {"how": "brush", "points": [[1, 2]] * 4097},
        {"how": "wand", "points": [[1, 2]], "amount": -1},
        {"how": "wand", "points": [[1, float("nan")]]},
        {"how": "grow", "points": []},
    ],
)
def test_what_is_no_request_is_refused(browser: FakeBrowser, fields: dict[str, Any]) -> None:
    browser.send({"type": "select", "seq": 1, "rev": 1, **fields})
    assert browser.until("error")["code"] == "protocol"
    ask(browser, 2, "click", (60, 45))
    assert answer(browser, 2)[0]["found"] is True


def test_a_selector_that_cannot_be_loaded_is_said_once_and_the_tool_goes_on(
    browser: FakeBrowser, tmp_path: Any
) -> None:
    browser.widget.settings["selector"] = str(tmp_path / "nothing")
    ask(browser, 1, "click", (60, 45))
    content, mask = answer(browser, 1)
    assert "there is no folder" in content["message"]
    assert "goes on without it" in content["message"]
    assert iou(mask, disc()) > 0.9
    ask(browser, 2, "click", (60, 45))
    assert answer(browser, 2)[0]["message"] == ""


def test_a_selector_sees_a_picture_once_and_answers_clicks_and_boxes(
    browser: FakeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Embedded:
        def candidates(self, points: Any, labels: Any = None, box: Any = None) -> list[select.Candidate]:
            return [select.Candidate(disc(*(points[0] if points else box[:2]), 5), 1.0)]

    class Selector:
        def __init__(self, name: str) -> None:
            seen.append(name)

        def embed(self, rgb: Any) -> Embedded:
            seen.append("picture")
            return Embedded()

    monkeypatch.setattr(selecting.select, "Selector", Selector, raising=False)
    browser.widget.settings["selector"] = "some/model"
    asked = ((1, "click", [(30, 30)]), (2, "box", [(5, 5), (15, 15)]), (3, "object", [(50, 50)]))
    for seq, how, points in asked:
        ask(browser, seq, how, *points)
        assert answer(browser, seq)[1] is not None
    assert seen == ["some/model", "picture"]
    for seq, x in ((1, 30), (2, 5), (3, 50)):
        assert np.array_equal(answer(browser, seq)[1], disc(x, x, 5))
    ask(browser, 4, "brush", (45, 45), (75, 45), amount=2)
    assert answer(browser, 4)[1][45, 45:76].all()
    browser.widget.settings["selector"] = ""
    ask(browser, 5, "click", (60, 45))
    assert iou(answer(browser, 5)[1], disc()) > 0.9


def test_a_large_picture_is_reduced_once_for_the_wand(engine: Any) -> None:
    rgb = np.full((1600, 2600, 3), (120, 160, 120), np.uint8)
    rgb[400:1200, 500:1500] = (200, 60, 40)
    browser = FakeBrowser(RegionDragWidget(Image.fromarray(rgb)))
    for seq in (1, 2):
        ask(browser, seq, "wand", (600, 500), amount=20)
        mask = answer(browser, seq)[1]
        assert mask is not None
        assert mask.shape == (1260, 2048)
        assert iou(enlarged(mask, (1600, 2600)), rgb[..., 0] == 200) > 0.995
    ask(browser, 3, "wand", (2700, 500), amount=20)
    assert "outside the picture" in answer(browser, 3)[0]["message"]


def test_another_choice_is_another_candidate_counted_round(
    browser: FakeBrowser, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = select.Superpixels(np.array(picture)).labels
    monkeypatch.setattr(select.Superpixels, "readings", lambda *_: [(labels < n, 0.5) for n in (20, 10)])
    for seq, choice, count in ((1, 1, 10), (2, 2, 20), (3, 3, 10)):
        ask(browser, seq, "click", (60, 45), choice=choice)
        assert np.array_equal(answer(browser, seq)[1], labels < count)
