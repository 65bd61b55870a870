"""What the user asks for: regions, where they go, and what that means pixel by pixel. No torch, no widget."""

from .codec import decode_mask, encode_mask
from .correspondence import Correspondence, PixelMap, cell_correspondence, pixel_map
from .files import load_protect, load_regions, save_regions
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
    "decode_mask",
    "encode_mask",
    "infer_matrix",
    "load_protect",
    "load_regions",
    "pixel_map",
    "polygon_matrix",
    "save_regions",
]
