"""Pictures of a correspondence and of an edit's steps, drawn with Pillow: for files, reports and tests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from regiondrag_widget.imaging.colour import shown as in_srgb
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.writing import write_whole
from regiondrag_widget.widget.encode import to_image
from regiondrag_widget.widget.sketch import Sketch, sketch

SHOWN_SIDE = 640  # px, the longer side of a view unless told otherwise
MAX_FRAMES = 25  # of a replay: more steps than that are thinned evenly
_CAPTION = 22  # px below each frame of a replay


def render_correspondence(
    image: Any, pairs: RegionPair | Iterable[RegionPair], *, max_size: int = SHOWN_SIDE
) -> Image.Image:
    """The picture with handles outlined in red, targets in blue, and arrows from source to target.

    >>> rd.views.render_correspondence(image, pairs).save("correspondence.png")

    ``image`` is whatever `RegionDragWidget` takes; the result is RGB, at most ``max_size`` px on its long
    side. Raises ``ValueError`` for masks of another size than the picture.
    """
    picture = to_image(image)
    scale = fit(picture.size, max_size)
    drawing = sketch(pairs, picture.size, scale)
    # drawn at twice the size and reduced: Pillow's lines are not smoothed
    shown = shrink(picture, (drawing.width * 2, drawing.height * 2)).convert("RGB")
    _draw(shown, drawing, 2)
    return shown.reduce(2)


def render_replay(result: Any, *, max_size: int = 384) -> list[Image.Image]:
    """The edit as a film: the picture before, the steps' previews, the picture after.

    >>> frames = rd.views.render_replay(result)

    All frames are RGB and of one size, with a caption and a bar below; at most 25 steps, evenly chosen.
    """
    frames = replay_frames(result, max_size)
    return [_captioned(frame, caption, i / (len(frames) - 1)) for i, (frame, caption) in enumerate(frames)]


def save_replay(
    result: Any, path: str | os.PathLike[str], *, seconds: float = 3.0, max_size: int = 384
) -> Path:
    """Write the film of an edit as an animated GIF that takes ``seconds`` and holds its last frame.

    >>> rd.views.save_replay(result, "replay.gif")
    """
    if seconds <= 0:
        raise ValueError(f"seconds is {seconds}: it must be above 0")
    frames = render_replay(result, max_size=max_size)
    each = max(20, round(seconds * 1000 / len(frames)))
    goal = Path(path)
    if goal.suffix.lower() != ".gif":
        goal = goal.with_name(goal.name + ".gif")
    durations = [each] * (len(frames) - 1) + [max(each, 1200)]
    film = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0}
    return write_whole(goal, lambda file: frames[0].save(file, "GIF", **film))


def replay_frames(result: Any, max_size: int) -> list[tuple[Image.Image, str]]:
    """Frames of one size with their captions: before, the steps, after."""
    scale = fit(result.image.size, max_size)
    size = tuple(max(1, round(side * scale)) for side in result.image.size)
    steps = list(enumerate(result.steps, start=1))
    chosen = steps if len(steps) <= MAX_FRAMES else [steps[i] for i in _evenly(len(steps), MAX_FRAMES)]
    profile = result.before.info.get("icc_profile")
    frames = [(shrink(result.before, size).convert("RGB"), "before")]
    for number, preview in chosen:
        frame = in_srgb(Image.fromarray(preview).convert("RGB"), profile).resize(
            size, Image.Resampling.BICUBIC
        )
        frames.append((frame, f"step {number} of {len(steps)}"))
    return [*frames, (shrink(result.image, size).convert("RGB"), "after")]


def fit(size: tuple[int, int], max_size: int) -> float:
    """The scale at which ``size`` has at most ``max_size`` on its long side; never above 1."""
    return min(1.0, max_size / max(size))


def shrink(image: Image.Image, size: Sequence[int]) -> Image.Image:
    """On white where it is transparent, in the colours of sRGB, at another size."""
    image = in_srgb(image)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def _evenly(count: int, wanted: int) -> list[int]:
    return [round(i * (count - 1) / (wanted - 1)) for i in range(wanted)]


def _draw(image: Image.Image, drawing: Sketch, factor: int) -> None:
    pen = ImageDraw.Draw(image)
    for outline in drawing.outlines:
        points = [(x * factor, y * factor) for x, y in outline.points]
        pen.line([*points, points[0]], fill="white", width=4 * factor, joint="curve")
        pen.line([*points, points[0]], fill=outline.color, width=2 * factor, joint="curve")
    for width, own_color in ((4, False), (2, True)):
        for arrow in drawing.arrows:
            color: Any = arrow.color if own_color else "white"
            ends = [v * factor for v in (arrow.x0, arrow.y0, arrow.x1, arrow.y1)]
            pen.line(ends, fill=color, width=width * factor)
            corners = arrow.head(10 if own_color else 13)
            pen.polygon([(x * factor, y * factor) for x, y in corners], fill=color)
    font = ImageFont.load_default(size=13 * factor)
    for label in drawing.labels:
        x, y, r = label.x * factor, label.y * factor, 10 * factor
        pen.ellipse([x - r, y - r, x + r, y + r], fill=label.color, outline="white", width=factor)
        pen.text((x, y), label.text, fill="white", font=font, anchor="mm")


def _captioned(frame: Image.Image, caption: str, share: float) -> Image.Image:
    out = Image.new("RGB", (frame.width, frame.height + _CAPTION), (24, 24, 27))
    out.paste(frame, (0, 0))
    pen = ImageDraw.Draw(out)
    pen.rectangle([0, frame.height, round(share * (frame.width - 1)), frame.height + 2], fill=(70, 150, 255))
    font = ImageFont.load_default(size=12)
    pen.text((8, frame.height + _CAPTION / 2 + 1), caption, fill=(228, 228, 231), font=font, anchor="lm")
    return out
