"""What the user asks for: regions, their targets, and the map between them. No torch, no widget."""

from regiondrag_widget.regions.archive import load_protect, load_regions, save_regions
from regiondrag_widget.regions.codec import decode_mask, encode_mask
from regiondrag_widget.regions.correspondence import Correspondence, PixelMap, cell_correspondence, pixel_map
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.pairs import RegionPairs
from regiondrag_widget.regions.pieces import METHODS, infer_matrix
from regiondrag_widget.regions.polygon import polygon_matrix

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
