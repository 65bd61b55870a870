"""One call for one edit."""

from __future__ import annotations

import inspect
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.engine.denoise import EditStep
from regiondrag_widget.engine.edit_input import checked_pairs
from regiondrag_widget.engine.keywords import check_keywords
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.engine.session import ImageSession
from regiondrag_widget.engine.settings import OF_EDIT, lists_settings
from regiondrag_widget.imaging.carried import carried_in
from regiondrag_widget.imaging.carry import MATTES
from regiondrag_widget.imaging.picture import PictureSource, load_picture
from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.model import Model
from regiondrag_widget.pipeline import RegionDragPipeline
from regiondrag_widget.regions import RegionPair, RegionPairs

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from regiondrag_widget.engine.options import CallOptions

__all__ = ["carried", "edit", "load_pipeline"]


@overload
def load_pipeline(model: Model, *, device: Any = None, dtype: Any = None) -> Model: ...
@overload
def load_pipeline(
    model: str | os.PathLike[str] | RegionDragPipeline = "mini", *, device: Any = None, dtype: Any = None
) -> RegionDragPipeline: ...
def load_pipeline(
    model: str | os.PathLike[str] | RegionDragPipeline | Model = "mini",
    *,
    device: Any = None,
    dtype: Any = None,
) -> RegionDragPipeline | Model:
    """The pipeline of a model; the latest two are kept loaded.

    Parameters
    ----------
    model : str, path, RegionDragPipeline or Model
        "mini" or "mini-flow" (bundled), a local diffusers folder or a hub id. A pipeline, or a `Model` made
        of a backbone of your own, is returned as it is.
    device, dtype
        As `RegionDragPipeline.from_pretrained` takes them.

    Raises
    ------
    ValueError, FileNotFoundError
        As `RegionDragPipeline.from_pretrained`.
    """
    if isinstance(model, (RegionDragPipeline, Model)):
        return model
    return _loaded(
        os.fspath(model), None if device is None else str(device), None if dtype is None else str(dtype)
    )


def carried(image: PictureSource, pair: RegionPair, *, matte: str = "auto") -> NDArray[np.bool_]:
    """What of a pair's handle an edit of the picture would carry.

    >>> rd.carried("photo.jpg", rd.RegionPair(handle, target))

    Parameters
    ----------
    image : path, bytes, Pillow image or array
        The picture, as `edit` takes it.
    pair : RegionPair
        Its handle has the picture's size.
    matte : str
        As the setting: what is carried where the pair does not say it itself.

    Returns
    -------
    (H, W) bool array
        Within the handle.

    Raises
    ------
    ValueError
        The picture cannot be read or is of another size, or there is no such matte.
    """
    picture = load_picture(image)
    if matte not in MATTES:
        raise ValueError(f"matte must be one of {', '.join(map(repr, MATTES))}, got {matte!r}")
    checked_pairs([pair], picture.shape)
    carry = MATTES[matte] if pair.carry is None else pair.carry
    return carried_in(picture.to_pil(), pair.handle, carry).mask


KEPT = 2
_kept: OrderedDict[tuple[str, str | None, str | None], RegionDragPipeline] = OrderedDict()
_kept_lock = OrderedLock(Rank.PIPELINES)


def _loaded(model: str, device: str | None, dtype: str | None) -> RegionDragPipeline:
    key = (model, device, dtype)
    with _kept_lock:  # held while loading, so that two threads do not load the same model
        pipe = _kept.pop(key, None)
        if pipe is None:
            kind = dtype.removeprefix("torch.") if dtype else None
            while len(_kept) >= KEPT:
                _kept.popitem(last=False)
            pipe = RegionDragPipeline.from_pretrained(model, device=device, dtype=kind)
        _kept[key] = pipe
        return pipe


@lists_settings()
def edit(
    image: PictureSource,
    pairs: RegionPairs | Sequence[RegionPair],
    model: str | os.PathLike[str] | RegionDragPipeline | Model = "mini",
    *,
    prompt: str = "",
    negative_prompt: str = "",
    guidance_scale: float | None = None,
    seed: int = 0,
    steps: int | None = None,
    start: float | None = None,
    preset: str = "default",
    device: Any = None,
    dtype: Any = None,
    callback: Callable[[EditStep], None] | None = None,
    progress: Callable[[str], None] | None = None,
    **settings: Unpack[CallOptions],
) -> EditResult:
    """Carry the content of every handle to its target, fill what it leaves, and return the `EditResult`.

    Pixels outside the handles and targets are the input's, bit for bit; the input is never changed.

    Parameters
    ----------
    image : path, bytes, Pillow image, or (H, W), (H, W, 3 or 4) array
        Any size from 64 px.
    pairs : RegionPairs or sequence of RegionPair
        Bool masks (H, W) of the picture's own size; later pairs win where targets overlap.
    model, device, dtype
        As `load_pipeline` takes them.
    callback : callable, optional
        Called with every `EditStep`; an exception in it ends the edit.
    progress : callable, optional
        Called with a few words when a part of the work before the first step begins: see `ImageSession`.
    editable : (H, W) bool array, optional
        False where nothing may change.
    {settings}

    Raises
    ------
    ValueError, TypeError, OSError
        In one sentence, for input that cannot be used.

    Examples
    --------
    >>> result = rd.edit("photo.jpg", [rd.RegionPair(handle, target)])
    >>> result.image.save("edited.png")
    """
    check_keywords("edit", settings, [*inspect.signature(edit).parameters, *OF_EDIT, "editable", "generator"])
    pipe = load_pipeline(model, device=device, dtype=dtype)
    session = ImageSession(
        pipe,
        image,
        prompt,
        steps,
        start,
        seed,
        preset=preset,
        guidance_scale=guidance_scale,
        negative_prompt=negative_prompt,
    )
    session.progress = progress
    for step in session.edit(pairs, **settings):
        if callback is not None:
            callback(step)
    assert session.result is not None
    return session.result
