"""What the user asks for: regions, where they go, and what that means pixel by pixel. No torch, no widget."""

from .correspondence import Correspondence, PixelMap, cell_correspondence, pixel_map
from .pair import RegionPair, RegionPairs
from .pieces import METHODS, infer_matrix
from .polygon import polygon_matrix

__all__ = [
    "METHODS",
    "Correspondence",
    "PixelMap",
    "RegionPair",
    "RegionPairs",
    "cell_correspondence",
    "infer_matrix",
    "pixel_map",
    "polygon_matrix",
]
