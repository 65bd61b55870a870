"""Read-only views: what is drawn where, with Pillow and on ipycanvas."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.widget.sketch import HANDLE_SHADES, MAX_ARROWS, TARGET_SHADES, contours, sketch

SHIFT = [[1, 0, 60], [0, 1, 20], [0, 0, 1]]


@pytest.fixture
def pair():
    handle = np.zeros((120, 200), bool)
    handle[30:70, 20:60] = True
    return rd.RegionPair(handle, matrix=SHIFT)


@pytest.fixture
def grey():
    return Image.new("RGB", (200, 120), (128, 128, 128))


@pytest.fixture
def result(grey):
    steps = [np.full((60, 100, 3), shade, np.uint8) for shade in (10, 60, 110, 160)]
    return EditResult(image=Image.new("RGB", (200, 120), (200, 0, 0)), before=grey, steps=steps)


def near(image, x, y, color, radius=2):
    """Whether ``color`` is to be seen within ``radius`` px of (x, y)."""
    patch = np.asarray(image)[y - radius : y + radius + 1, x - radius : x + radius + 1].astype(int)
    return bool((np.abs(patch - color).sum(-1) < 60).any())


# -- the sketch ----------------------------------------------------------------------------------------------


def test_arrows_lead_from_source_to_target_by_the_exact_map(pair):
    arrows = sketch(pair, (200, 120), 1.0).arrows
    assert 1 < len(arrows) <= MAX_ARROWS
    for arrow in arrows:
        assert (arrow.x1 - arrow.x0, arrow.y1 - arrow.y0) == pytest.approx((60, 20), abs=1e-4)
        assert pair.handle[int(arrow.y0), int(arrow.x0)]
        assert pair.target[int(arrow.y1), int(arrow.x1)]


def test_a_scale_applies_to_outlines_and_numbers(pair):
    full, half = sketch(pair, (200, 120), 1.0), sketch(pair, (200, 120), 0.5)
    assert (half.width, half.height) == (100, 60)
    assert half.labels[0].x == pytest.approx(full.labels[0].x / 2)
    assert half.outlines[0].points.max() == pytest.approx(full.outlines[0].points.max() / 2)


def test_an_outline_runs_along_the_outer_edge_of_the_pixels():
    mask = np.zeros((30, 30), bool)
    mask[10:20, 5:25] = True
    (line,) = contours(mask, 1.0)
    assert line.min(axis=0) == pytest.approx([5, 10], abs=0.3)
    assert line.max(axis=0) == pytest.approx([25, 20], abs=0.3)


def test_holes_have_outlines_of_their_own():
    mask = np.ones((30, 30), bool)
    mask[10:20, 10:20] = False
    assert len(contours(mask, 1.0)) == 2


def test_a_single_pixel_still_gets_an_arrow():
    handle = np.zeros((80, 80), bool)
    handle[40, 40] = True
    drawing = sketch(rd.RegionPair(handle, matrix=[[1, 0, 9], [0, 1, 0], [0, 0, 1]]), (80, 80), 1.0)
    assert len(drawing.arrows) == 1
    assert drawing.outlines


def test_each_pair_has_its_number_and_shade(pair):
    drawing = sketch([pair, pair], (200, 120), 1.0)
    assert [label.text for label in drawing.labels] == ["1", "2"]
    assert [label.color for label in drawing.labels] == list(HANDLE_SHADES[:2])


def test_masks_of_another_size_than_the_picture_are_refused(pair):
    with pytest.raises(ValueError, match="same size"):
        rd.views.render_correspondence(Image.new("RGB", (300, 300)), [pair])


# -- Pillow --------------------------------------------------------------------------------------------------


def test_handles_are_outlined_in_red_and_targets_in_blue(grey, pair):
    image = rd.views.render_correspondence(grey, [pair])
    assert image.size == (200, 120)
    assert near(image, 20, 35, HANDLE_SHADES[0])
    assert near(image, 120, 85, TARGET_SHADES[0])
    assert not near(image, 180, 10, HANDLE_SHADES[0])
    assert image.getpixel((190, 5)) == (128, 128, 128)


def test_a_large_picture_is_shown_small(pair):
    big = Image.new("RGB", (2000, 1200))
    mask = np.zeros((1200, 2000), bool)
    mask[100:300, 100:300] = True
    image = rd.views.render_correspondence(big, rd.RegionPair.move(mask, 500, 0), max_size=400)
    assert image.size == (400, 240)


def test_a_replay_has_before_every_step_and_after_in_order(result):
    frames = rd.views.render_replay(result)
    assert len(frames) == 6
    assert {frame.size for frame in frames} == {(200, 142)}
    centres = [frame.getpixel((100, 60)) for frame in frames]
    assert centres == [(128,) * 3, (10,) * 3, (60,) * 3, (110,) * 3, (160,) * 3, (200, 0, 0)]


def test_a_long_replay_is_thinned_evenly_and_keeps_first_and_last_step(result):
    steps = [np.full((60, 100, 3), i, np.uint8) for i in range(100)]
    frames = rd.views.render_replay(EditResult(image=result.image, before=result.before, steps=steps))
    shades = [frame.getpixel((100, 60))[0] for frame in frames[1:-1]]
    assert len(shades) == 25
    assert (shades[0], shades[-1]) == (0, 99)
    assert max(np.diff(shades)) - min(np.diff(shades)) <= 1


def test_an_edit_without_previews_still_replays_before_and_after(result):
    assert len(rd.views.render_replay(EditResult(image=result.image, before=result.before))) == 2


def test_a_replay_is_written_as_an_animated_gif(result, tmp_path):
    path = rd.views.save_replay(result, tmp_path / "film", seconds=1.2)
    assert path.name == "film.gif"
    with Image.open(path) as film:
        assert film.n_frames == 6
        film.seek(0)
        assert film.info["duration"] == 200
        film.seek(5)
        assert film.info["duration"] == 1200


# -- ipycanvas -----------------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch):
    """(canvas commands, buffers) of every message ipycanvas sends."""
    from ipycanvas import canvas as module

    messages = []
    manager = module._CANVAS_MANAGER
    monkeypatch.setattr(
        manager, "send", lambda content, buffers=None: messages.append((content, buffers or []))
    )
    return messages


def test_the_correspondence_is_drawn_on_two_layers_in_one_message(grey, pair, sent):
    view = rd.views.correspondence(grey, [pair])
    assert (view.width, view.height) == (200, 120)
    assert len(view._canvases) == 2
    assert len(sent) == 1
    pictures = [b for _, buffers in sent for b in buffers if bytes(b[:8]) == b"\x89PNG\r\n\x1a\n"]
    assert len(pictures) == 1
    view.close()


def test_a_replay_is_drawn_once_and_linked_in_the_browser(result, sent):
    view = rd.views.replay(result)
    stack, controls = view.children
    play, scrubber = controls.children
    assert len(stack.children) == 6
    assert (play.max, scrubber.max) == (5, 5)
    assert len(sent) == 1
    ends = [(link.source[0], link.target[0], link.target[1]) for link in view.links]
    assert ends == [(play, scrubber, "value"), (scrubber, stack, "selected_index")]
    scrubber.value = 3
    assert len(sent) == 1  # moving it draws nothing anew
    view.close()


def test_a_page_that_is_loaded_again_is_drawn_again(grey, pair, sent):
    view = rd.views.correspondence(grey, [pair])
    view._canvases[-1]._handle_frontend_event(None, {"event": "client_ready"}, [])
    assert len(sent) == 2
    view.close()
