"""RegionDragWidget: mark a region on a picture, drag it, and a diffusion model carries it there.

>>> import regiondrag_widget as rd
>>> w = rd.RegionDragWidget("photo.jpg")
>>> w                                        # last in a cell: draw, drag, press Run
>>> w.pairs[0].handle                        # (H, W) bool, the moment the gesture ends
>>> w.run(wait=True).image                   # the same from Python
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget.engine.keywords import check_keywords
from regiondrag_widget.engine.settings import EditSettings, lists_settings, names
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget.encode import ShownPicture
from regiondrag_widget.widget.host import IPYWIDGETS_7
from regiondrag_widget.widget.mirror import DocumentMirror
from regiondrag_widget.widget.regions_state import Regions
from regiondrag_widget.widget.user_pipelines import model_name

if TYPE_CHECKING:  # torch comes with results
    from regiondrag_widget.engine.result import EditResult
    from regiondrag_widget.widget.session_file import Session

log = logging.getLogger(__name__)


@lists_settings(*names("widget"))
class RegionDragWidget(DocumentMirror):
    """An editor in a notebook cell: draw a handle, drag it to its target, run, compare, accept.

    Parameters
    ----------
    image
        A path, the bytes of a picture file, a Pillow image, or an (H, W), (H, W, 3) or (H, W, 4) array.
        Left out: a bundled photograph.
    pairs
        Region pairs to begin with.
    height
        Height of the canvas area in CSS pixels; None lets the browser choose.
    layout
        An ``ipywidgets.Layout``.
    **settings
        Any of those below. ``model`` may be a pipeline or a `Model` too, which is held as long as a widget
        uses it: ``model=rd.RegionDragPipeline.from_pipe(pipe)``.
    {settings}

    Attributes
    ----------
    image : PIL.Image.Image
        The picture, RGB or RGBA. ``w.image = "other.png"`` clears the drawing and takes the result off the
        screen.
    pairs : list of RegionPair
        What is drawn: ``w.pairs[0].handle`` and ``.target`` are (H, W) bool. ``w.pairs = [...]``,
        ``append`` and ``del`` change the drawing in the browser. A pair only half drawn reads as a
        `UnfinishedPair`. ``w.pairs[0].carried`` is the (H, W) mask of what a run will carry;
        ``w.pairs[0].carry`` can be assigned: "object", "painted", a mask within the handle, or None to let
        ``matte`` decide.
    protect : (H, W) bool or None
        Set where nothing may change: ``w.protect = mask``.
    result, history : EditResult, list of EditResult
        The result on show, and the last 20: ``w.result.save("out.png")``.
    settings : dict
        Checked at once: ``w.settings["seed"] = 3``. With ``live`` the kernel's drafts follow the pointer
        while a region is dragged; None, the default, leaves it to how fast drafts are here.
    measured : dict
        How fast drafts are here: ``w.measured["draft_ms"]``, and whether ``live`` left to itself is on;
        besides the device, the memory of the prepared pictures and its budget. Known once the widget has
        been shown.
    state : str
        "ready", "loading", "running", "stopping", "done" or "error".
    last_error : str or None
        The traceback of the last failure: ``print(w.last_error)``.

    Raises
    ------
    TypeError
        An argument that does not exist, or of the wrong kind.
    ValueError
        A picture that cannot be read, regions of another size, settings out of range.

    Notes
    -----
    All attributes above can be observed: ``w.observe(lambda change: ..., "result")``. Observers are called in
    the order of the changes and may act on the widget: what they change is told after they have returned.
    While an edit runs they are called on the inference thread, of which the process has one, whatever the
    number of widgets.
    """

    def __init__(
        self,
        image: Any = None,
        *,
        pairs: Iterable[RegionPair] = (),
        height: int | None = None,
        layout: Any = None,
        **settings: Any,
    ) -> None:
        check_keywords("RegionDragWidget", settings, ("image", "pairs", "height", "layout", *names("widget")))
        if image is None:
            from regiondrag_widget import assets

            example = assets.load()
            image, name = example.image, example.name
        else:
            name = None
        traits = {} if layout is None else {"layout": layout}
        model = settings.get("model")  # held here until the document holds it
        if "model" in settings:
            settings["model"] = model_name(model)
        chosen = EditSettings().updated(settings)
        super().__init__(ShownPicture.of(image, name).said(), chosen, _height=height, **traits)
        del model
        if pairs:
            self.pairs = pairs

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture."""
        return self._document.picture.image.size

    @property
    def busy(self) -> bool:
        """Whether a run is waiting or under way."""
        return self._document.busy

    # -- regions ---------------------------------------------------------------------------------------------

    def add_pair(
        self,
        handle: Any,
        target: Any = None,
        matrix: Any = None,
        name: str = "",
        *,
        carry: Any = None,
        action: str = "move",
    ) -> RegionPair:
        """Add a region pair; it shows in the browser. Returns it as ``w.pairs`` has it.

        >>> w.add_pair(handle, target)
        >>> w.add_pair(handle, matrix=[[1, 0, 40], [0, 1, 0], [0, 0, 1]])   # 40 px to the right

        ``handle`` and ``target`` are (H, W) masks of the picture's size, ``matrix`` is (3, 3), handle pixel
        (x, y, 1) -> target pixel, ``carry`` is "object", "painted", an (H, W) mask or None, ``action`` is
        "move", "copy" or "remove" (which takes the handle alone). Errors as for `RegionPair`;
        ``ValueError`` for masks of another size.
        """
        pair = RegionPair(handle, target, matrix, name=name, carry=carry, action=action)
        with self._document.lock:
            self._document.pairs.append(pair)
            return self._document.pairs[-1]  # type: ignore[return-value]

    def remove_pair(self, index: int) -> None:
        """Remove one pair; ``IndexError`` when there is none.

        >>> w.remove_pair(0)
        """
        del self._document.pairs[index]

    def clear(self) -> None:
        """Remove all pairs and the protect mask.

        >>> w.clear()
        """
        self._document.change_regions(lambda regions: Regions())

    # -- running ---------------------------------------------------------------------------------------------

    def run(self, wait: bool = False, **settings: Any) -> EditResult | None:
        """Edit with the regions as drawn. ``settings`` apply to this run only.

        >>> w.run(wait=True, seed=3)

        Returns None at once unless ``wait``; then the `EditResult`, or None if the run was stopped. A newer
        run replaces one under way. Where messages of background threads are not shown (Colab), it returns
        when the run is over in any case. Raises ``ValueError`` when nothing complete is drawn, `EditFailed`
        (a ``RuntimeError``) when the run that was waited for failed.
        """
        with self._document.lock:
            self._document.require_open()
            self._runs.start(self._document.request(self._runs.run + 1, settings))
        self._runs.pump()
        return self.wait() if wait else None

    def stop(self) -> None:
        """Stop the run under way, within one step; the drawing and earlier results stay.

        >>> w.stop()
        """
        self._runs.stop()

    def wait(self, timeout: float | None = None) -> EditResult | None:
        """Block until the newest run is over; its `EditResult`, or None if it was stopped.

        >>> w.wait(timeout=60)

        Raises ``TimeoutError`` after ``timeout`` seconds (the run goes on), `EditFailed` when it failed. An
        interrupt of the kernel stops the run.
        """
        result: EditResult | None = self._runs.wait(timeout)
        return result

    def accept(self) -> None:
        """Make the result the picture; the drawing is cleared, for its content has moved.

        >>> w.accept()
        """
        self._document.accept(self._document.shown_key())

    def discard(self) -> None:
        """Take the result off the screen; the drawing stays, and so does the history.

        >>> w.discard()
        """
        self._document.discard(self._document.shown_key())

    # -- files -----------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write picture, complete pairs, protect mask, settings and results to a folder or a .zip file.

        >>> w.save("edit.zip")

        The file is written whole or not at all; `from_file` and `load` read it, and so do `load_regions` and
        ``regiondrag edit --regions``. Raises ``OSError`` when the place cannot be written, ``ValueError`` for
        a folder with other things in it.
        """
        from regiondrag_widget.widget.session_file import save_session

        save_session(Path(path), self._document)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read what `save` or `save_regions` wrote, in place of what is there.

        >>> w.load("edit.zip")

        Picture, drawing and settings are replaced, results are added to the history. Raises ``ValueError``
        when something in the file cannot be used; then nothing has changed.
        """
        from regiondrag_widget.widget.session_file import load_session

        self._take(load_session(Path(path)))

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, height: int | None = None, layout: Any = None, **settings: Any
    ) -> RegionDragWidget:
        """Make a widget of what `save` or `save_regions` wrote.

        >>> w = rd.RegionDragWidget.from_file("edit.zip")

        ``settings`` go before those of the file. Raises ``ValueError`` when something in it cannot be used.
        """
        from regiondrag_widget.widget.session_file import load_session

        session = load_session(Path(path))
        chosen = {**session.settings, **settings}
        widget = cls(session.picture.image, height=height, layout=layout, **chosen)
        widget._take(replace(session, settings={}))
        return widget

    def _take(self, session: Session) -> None:
        document = self._document
        with document.lock:
            changes = dict(session.settings)
            document.updated_settings(changes)  # what is wrong is said before anything changes
            document.set_picture(session.picture)
            document.set_pairs(session.pairs)
            document.set_protect(session.protect)
            if changes:
                document.change_settings(changes)
            document.add_loaded(session.results, session.shown)

    # -- display ---------------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live view, and a picture for places that show the saved notebook but run no widgets."""
        shown = None if self.comm is None else super()._repr_mimebundle_(**kwargs)
        if shown is None:
            return None
        data, metadata = shown
        with self._document.lock:
            image, pairs, result = self.image, self._document.pairs.drawn(), self.result
        try:
            from regiondrag_widget.widget.still import still_png

            data = {**data, "image/png": still_png(image, pairs, None if result is None else result.image)}
        except Exception:  # whatever is wrong with the picture, the widget itself must appear
            log.debug("the widget has no still picture", exc_info=True)
        return data, metadata

    if IPYWIDGETS_7:  # there IPython asks this method first, and Colab marks only what is displayed by it

        def _ipython_display_(self, **kwargs: Any) -> None:
            """Display the widget together with its picture."""
            from IPython.display import display

            shown = self._repr_mimebundle_()
            if shown is not None:
                data, metadata = shown
                display(data, metadata=metadata, raw=True)
                self._handle_displayed(**kwargs)

    def close(self) -> None:
        """Stop what runs and take the widget off the page. Closing twice does no harm.

        >>> w.close()
        """
        super().close()
