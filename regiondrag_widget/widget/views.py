"""Read-only views for notebooks, drawn by the kernel on ipycanvas; and the same as plain Pillow pictures.

>>> rd.views.correspondence(image, pairs)      # outlines, and arrows from source to target
>>> rd.views.replay(result)                    # the denoising steps, with a scrubber that needs no kernel
>>> rd.views.render_correspondence(image, pairs).save("correspondence.png")
>>> rd.views.save_replay(result, "replay.gif")

Editing is the widget's job: strokes cannot wait for a kernel. ipycanvas keeps one process-wide list of
commands, so these views are made on the main thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget.encode import to_image
from regiondrag_widget.widget.render import (
    SHOWN_SIDE,
    fit,
    render_correspondence,
    render_replay,
    replay_frames,
    save_replay,
    shrink,
)
from regiondrag_widget.widget.sketch import Rgb, Sketch, sketch

if TYPE_CHECKING:
    import ipycanvas
    import ipywidgets

__all__ = ["correspondence", "render_correspondence", "render_replay", "replay", "save_replay"]


def correspondence(
    image: Any, pairs: RegionPair | Iterable[RegionPair], *, max_size: int = SHOWN_SIDE
) -> ipycanvas.MultiCanvas:
    """The picture with handles in red, targets in blue, and arrows from where content comes to where it goes.

    >>> rd.views.correspondence(w.image, w.pairs)

    Two layers, the picture below and the drawing above, in one message. Raises ``ValueError`` for masks of
    another size than the picture.
    """
    import ipycanvas

    picture = to_image(image)
    drawing = sketch(pairs, picture.size, fit(picture.size, max_size))
    size = (drawing.width, drawing.height)
    pixels = _pixels(shrink(picture, size))
    view = ipycanvas.MultiCanvas(2, width=size[0], height=size[1], sync_image_data=True)
    view.layout.max_width = "100%"

    def draw() -> None:
        with ipycanvas.hold_canvas():
            view.clear()
            view[0].put_image_data(pixels, 0, 0)
            _draw(view[1], drawing)

    view.on_client_ready(draw)  # a page that is loaded again starts with an empty canvas
    draw()
    return view


def replay(result: Any, *, max_size: int = 384) -> ipywidgets.VBox:
    """The edit's steps as a film with a play button and a scrubber.

    >>> rd.views.replay(w.result)

    Every frame is a canvas of its own, drawn once; player, scrubber and frames are linked in the browser, so
    playing goes on while the kernel is busy, or gone. With ipywidgets 7, which has no stack, the frames are
    the pages of tabs.
    """
    import ipycanvas
    import ipywidgets

    from regiondrag_widget.widget.host import IPYWIDGETS_7

    frames = replay_frames(result, max_size)
    pictures = [(_pixels(frame), caption) for frame, caption in frames]
    width, height = frames[0][0].size
    canvases = [ipycanvas.Canvas(width=width, height=height, sync_image_data=True) for _ in frames]

    def draw_one(index: int) -> None:
        pixels, caption = pictures[index]
        canvases[index].put_image_data(pixels, 0, 0)
        _caption(canvases[index], caption, height)

    def redraw(index: int) -> Any:
        return lambda: draw_one(index)

    with ipycanvas.hold_canvas():
        for index in range(len(frames)):
            draw_one(index)
    for index, canvas in enumerate(canvases):
        canvas.on_client_ready(redraw(index))

    last = len(frames) - 1
    stack = (ipywidgets.Tab if IPYWIDGETS_7 else ipywidgets.Stack)(canvases, selected_index=0)
    if IPYWIDGETS_7:
        for index in range(len(frames)):
            stack.set_title(index, str(index + 1))
    play = ipywidgets.Play(min=0, max=last, value=0, interval=max(60, 3000 // len(frames)), show_repeat=True)
    scrubber = ipywidgets.IntSlider(
        min=0, max=last, value=0, readout=False, description="Step", style={"description_width": "initial"}
    )
    scrubber.layout.width = f"{max(120, width - 170)}px"
    view = ipywidgets.VBox([stack, ipywidgets.HBox([play, scrubber])])
    # links live in the browser and are kept with the view, or they would be collected
    view.links = [
        ipywidgets.jslink((play, "value"), (scrubber, "value")),
        ipywidgets.jslink((scrubber, "value"), (stack, "selected_index")),
    ]
    return view


def _pixels(image: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(h, w, 4) uint8: ipycanvas sends RGBA as PNG, RGB as a coarse JPEG."""
    return np.asarray(image.convert("RGBA"))


def _draw(canvas: ipycanvas.Canvas, drawing: Sketch) -> None:
    canvas.line_join = "round"
    canvas.line_cap = "round"
    for outline in drawing.outlines:
        for width, color in ((4.0, "white"), (2.0, _css(outline.color))):
            canvas.line_width = width
            canvas.stroke_style = color
            canvas.stroke_polygon(outline.points)
    for width, own in ((4.0, False), (2.0, True)):
        canvas.line_width = width
        for arrow in drawing.arrows:
            color = _css(arrow.color) if own else "white"
            canvas.stroke_style = canvas.fill_style = color
            canvas.stroke_line(arrow.x0, arrow.y0, arrow.x1, arrow.y1)
            canvas.fill_polygon(np.array(arrow.head(10 if own else 13)))
    canvas.font = "bold 13px sans-serif"
    canvas.text_align = "center"
    canvas.text_baseline = "middle"
    canvas.line_width = 1.0
    for label in drawing.labels:
        canvas.fill_style = _css(label.color)
        canvas.fill_circle(label.x, label.y, 10)
        canvas.stroke_style = "white"
        canvas.stroke_circle(label.x, label.y, 10)
        canvas.fill_style = "white"
        canvas.fill_text(label.text, label.x, label.y)


def _caption(canvas: ipycanvas.Canvas, text: str, height: int) -> None:
    canvas.font = "13px sans-serif"
    canvas.text_align = "left"
    canvas.text_baseline = "middle"
    canvas.fill_style = "rgba(24, 24, 27, 0.7)"
    canvas.fill_rect(6, height - 28, 110, 22)
    canvas.fill_style = "white"
    canvas.fill_text(text, 14, height - 17)


def _css(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
