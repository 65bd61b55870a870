"""Drag a region of a picture to a new place: a diffusion model carries it there and fills what it left.

>>> import regiondrag_widget as rd
>>> w = rd.RegionDragWidget("photo.jpg")                              # in a notebook: draw, drag, press Run
>>> result = rd.edit("photo.jpg", [rd.RegionPair(handle, target)])    # the same without a notebook

The names below are imported when they are first asked for, so that importing the package costs next to
nothing and brings no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from regiondrag_widget._version import __version__

if TYPE_CHECKING:
    from regiondrag_widget import assets as examples
    from regiondrag_widget import batch, datasets, select
    from regiondrag_widget.api import carried, edit, load_pipeline
    from regiondrag_widget.engine.denoise import EditStep
    from regiondrag_widget.engine.inversion import Inversion
    from regiondrag_widget.engine.result import EditResult
    from regiondrag_widget.engine.session import ImageSession
    from regiondrag_widget.pipeline import RegionDragPipeline
    from regiondrag_widget.regions.archive import load_regions, save_regions
    from regiondrag_widget.regions.correspondence import (
        Correspondence,
        PixelMap,
        cell_correspondence,
        pixel_map,
    )
    from regiondrag_widget.regions.pair import RegionPair
    from regiondrag_widget.regions.pairs import RegionPairs
    from regiondrag_widget.regions.polygon import polygon_matrix
    from regiondrag_widget.widget import views
    from regiondrag_widget.widget.widget import RegionDragWidget

__all__ = [
    "Correspondence",
    "EditResult",
    "EditStep",
    "ImageSession",
    "Inversion",
    "PixelMap",
    "RegionDragPipeline",
    "RegionDragWidget",
    "RegionPair",
    "RegionPairs",
    "__version__",
    "batch",
    "carried",
    "cell_correspondence",
    "datasets",
    "edit",
    "examples",
    "load_pipeline",
    "load_regions",
    "pixel_map",
    "polygon_matrix",
    "save_regions",
    "select",
    "views",
]

# public name -> (module, attribute); no attribute: the module itself
_WHERE: dict[str, tuple[str, str | None]] = {
    "Correspondence": ("regions.correspondence", "Correspondence"),
    "EditResult": ("engine.result", "EditResult"),
    "EditStep": ("engine.denoise", "EditStep"),
    "ImageSession": ("engine.session", "ImageSession"),
    "Inversion": ("engine.inversion", "Inversion"),
    "PixelMap": ("regions.correspondence", "PixelMap"),
    "RegionDragPipeline": ("pipeline", "RegionDragPipeline"),
    "RegionDragWidget": ("widget.widget", "RegionDragWidget"),
    "RegionPair": ("regions.pair", "RegionPair"),
    "RegionPairs": ("regions.pairs", "RegionPairs"),
    "batch": ("batch", None),
    "carried": ("api", "carried"),
    "cell_correspondence": ("regions.correspondence", "cell_correspondence"),
    "datasets": ("datasets", None),
    "edit": ("api", "edit"),
    "examples": ("assets", None),
    "load_pipeline": ("api", "load_pipeline"),
    "load_regions": ("regions.archive", "load_regions"),
    "pixel_map": ("regions.correspondence", "pixel_map"),
    "polygon_matrix": ("regions.polygon", "polygon_matrix"),
    "save_regions": ("regions.archive", "save_regions"),
    "select": ("select", None),
    "views": ("widget.views", None),
}


def __getattr__(name: str) -> Any:
    try:
        module_name, attribute = _WHERE[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    module = importlib.import_module(f"{__name__}.{module_name}")
    value = module if attribute is None else getattr(module, attribute)
    globals()[name] = value  # the next look-up finds it at once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
