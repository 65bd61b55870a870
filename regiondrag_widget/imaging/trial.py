"""Trial."""
import numpy as np
from regiondrag_widget.imaging.cutout import cut_out
from regiondrag_widget.imaging.background import empty
from regiondrag_widget.imaging.composite import compose
from regiondrag_widget.regions import RegionPairs
def edit(rgb, pair):
    c=cut_out(rgb,np.array(pair.handle))
    b=empty(rgb,[pair.handle],[c])
    return np.rint(compose(RegionPairs([pair]),b,[c]).rgb.clip(0,255)).astype(np.uint8)
