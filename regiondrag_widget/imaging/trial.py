"""Trial."""
import cv2, numpy as np, os
from regiondrag_widget.regions import RegionPair, pixel_map
from regiondrag_widget.imaging.carry import carried_mask
from regiondrag_widget.imaging.edge import soft_edge, seam_opacity
from regiondrag_widget.imaging.fill import mixed_fill
FILL=os.environ.get('FILL','telea')
def dist(m):
    return cv2.distanceTransform((~m).astype(np.uint8), cv2.DIST_L2, 5) if m.any() else np.full(m.shape, 1e6, np.float32)
GROW=4
def edit(rgb, pair):
    handle=np.array(pair.handle)
    f=carried_mask(rgb,handle)
    obj=f.mask
    if f.whole:
        a=seam_opacity(handle); col=rgb.astype(np.float32); hole=handle
    else:
        a,col=soft_edge(rgb,obj,handle,2*f.slack)
        hole=(dist(obj|f.unlike)<=GROW)&handle
    if FILL=='telea': bg=cv2.inpaint(rgb,hole.astype(np.uint8),5,cv2.INPAINT_TELEA).astype(np.float32)
    else: bg=mixed_fill(rgb.astype(np.float32),hole,None).rgb
    pm=pixel_map(pair); x,y=(np.ascontiguousarray(pm.source_xy[...,i]) for i in (0,1))
    mv=cv2.remap(col,x,y,cv2.INTER_CUBIC).astype(np.float32)
    c=cv2.remap(a,x,y,cv2.INTER_LINEAR)*pm.target
    out=mv*c[...,None]+bg*(1-c[...,None])
    return np.rint(out.clip(0,255)).astype(np.uint8)
