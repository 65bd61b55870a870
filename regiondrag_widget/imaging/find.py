"""Find."""
from dataclasses import dataclass
import cv2, numpy as np
@dataclass
class Found:
    object_: np.ndarray
    verdict: str
    info: dict
    beyond: object=None

def window_of(h,pad):
    ys,xs=np.nonzero(h.any(1))[0],np.nonzero(h.any(0))[0]
    return slice(max(0,ys[0]-pad),ys[-1]+1+pad),slice(max(0,xs[0]-pad),xs[-1]+1+pad)
def dist(m):
    return cv2.distanceTransform((~m).astype(np.uint8), cv2.DIST_L2, 5) if m.any() else np.full(m.shape, 1e6, np.float32)
def inner(m):
    p=cv2.copyMakeBorder(m.astype(np.uint8),1,1,1,1,cv2.BORDER_REPLICATE)
    return cv2.distanceTransform(p,cv2.DIST_L2,5)[1:-1,1:-1]

def find(rgb,handle,work=288):
    ys,xs=np.nonzero(handle.any(1))[0],np.nonzero(handle.any(0))[0]
    ext=max(ys[-1]-ys[0],xs[-1]-xs[0])+1
    pad=max(20,int(.3*ext)); win=window_of(handle,pad)
    r,h=np.ascontiguousarray(rgb[win]),np.ascontiguousarray(handle[win])
    sc=min(1,work/max(h.shape)); full=h.shape
    if sc<1:
        size=(max(1,round(full[1]*sc)),max(1,round(full[0]*sc)))
        r=cv2.resize(r,size,interpolation=cv2.INTER_AREA); h=cv2.resize(h.astype(np.uint8),size,interpolation=cv2.INTER_NEAREST)>0
    o,verdict,info=find_small(r,h)
    up=lambda o: cv2.resize(o.astype(np.float32),full[::-1],interpolation=cv2.INTER_LINEAR)>.5 if sc<1 else o
    out=np.zeros_like(handle); out[win]=up(o)&handle[win]
    if verdict=='painted': out=handle.copy()
    b=np.zeros_like(handle); 
    if 'beyond' in info: b[win]=up(info['beyond'])
    return Found(out,verdict,info,b)

def clusters(lab,sel,k=16,seed=0):
    s=lab[sel]
    if len(s)>8000: s=s[np.random.default_rng(seed).choice(len(s),8000,False)]
    cv2.setRNGSeed(0)
    k=min(k,max(1,len(s)//40))
    _,lb,cen=cv2.kmeans(s,k,None,(cv2.TERM_CRITERIA_EPS+cv2.TERM_CRITERIA_MAX_ITER,15,.5),1,cv2.KMEANS_PP_CENTERS)
    return cen

def mahal(lab,samples_sel,k=6,drop=None):
    s=lab[samples_sel]
    if len(s)>6000: s=s[np.random.default_rng(0).choice(len(s),6000,False)]
    cv2.setRNGSeed(0)
    k=min(k,max(1,len(s)//50))
    _,lb,cen=cv2.kmeans(s,k,None,(cv2.TERM_CRITERIA_EPS+cv2.TERM_CRITERIA_MAX_ITER,20,.5),1,cv2.KMEANS_PP_CENTERS)
    out=np.full(lab.shape[:2],np.inf,np.float32)
    for i in range(k):
        q=s[lb[:,0]==i]
        if len(q)<12: continue
        ic=np.linalg.inv(np.cov(q.T)+np.eye(3)*4.0); d=lab-cen[i]
        out=np.minimum(out,np.einsum('hwi,ij,hwj->hw',d,ic,d,optimize=True))
    return np.sqrt(out)

def find_small(rgb,h):
    ring=~h
    if ring.sum()<50: return h,'painted',{'why':'no ring'}
    lab=cv2.cvtColor(rgb,cv2.COLOR_RGB2LAB).astype(np.float32)
    # shares of soft colours within and around the handle
    cen=clusters(lab,np.ones_like(h))
    dd=((lab[:,:,None]-cen)**2).sum(-1)
    lbl=dd.argmin(-1)
    n=len(cen)
    pin=np.bincount(lbl[h],minlength=n)/h.sum(); pout=np.bincount(lbl[ring],minlength=n)/ring.sum()
    ratio=np.log((pin+.002)/(pout+.002))
    fgish=ratio[lbl]>np.log(2.0)
    # outliers of the ring
    sure_ring=ring&~fgish
    if sure_ring.sum()<50: return h,'painted',{'why':'ring'}
    d=mahal(lab,sure_ring)
    t=max(2.5,float(np.quantile(d[sure_ring],.97)))
    labels=np.full(h.shape,cv2.GC_BGD,np.uint8)
    labels[h]=cv2.GC_PR_BGD
    fg0=fgish|(d>t)
    near=dist(h)<max(10,.12*max(h.shape))
    labels[ring&near&fgish]=cv2.GC_PR_BGD
    labels[h&fg0]=cv2.GC_PR_FGD
    labels[ring&near&fgish&(d>t)]=cv2.GC_PR_FGD
    if (labels==cv2.GC_PR_FGD).sum()<.02*h.sum(): return h,'painted',{'why':'nothing stands out'}
    m=np.zeros((1,65)),np.zeros((1,65)); cv2.setRNGSeed(0)
    try: cv2.grabCut(np.ascontiguousarray(rgb[...,::-1]),labels,None,*m,4,cv2.GC_INIT_WITH_MASK)
    except cv2.error: return h,'painted',{'why':'gc'}
    o=(labels==1)|(labels==3)
    o,beyond=tidy(o,h,d,t)
    o=keep_shut_off(rgb,o,h)
    info=judge(o,beyond,h,d,t)
    info['beyond']=beyond
    return o,info['verdict'],info

def tidy(o,h,d,t):
    """Connected, without holes; o inside the handle, beyond outside."""
    r=max(1,round(.01*max(h.shape)))
    k=cv2.getStructuringElement(cv2.MORPH_ELLIPSE,(2*r+1,2*r+1))
    # outliers of the surroundings beside the object belong to it
    inside=o&h
    c,lb,st,_=cv2.connectedComponentsWithStats(inside.astype(np.uint8),connectivity=8)
    if c>1:
        big=st[1:,4].max()
        keep=np.zeros(c,bool); keep[1:]=st[1:,4]>=max(6,.01*big)
        inside=keep[lb]
    q=cv2.copyMakeBorder(inside.astype(np.uint8),r,r,r,r,cv2.BORDER_CONSTANT,value=0)
    inside=(cv2.morphologyEx(q,cv2.MORPH_CLOSE,k)[r:-r,r:-r]>0)&h
    # holes
    free=(~inside).astype(np.uint8); free=cv2.copyMakeBorder(free,1,1,1,1,cv2.BORDER_CONSTANT,value=1)
    _,lb=cv2.connectedComponents(free,connectivity=4)
    outside=lb==lb[0,0]
    # a region reaching the handle's outline is open even where the window ends
    inside=~outside[1:-1,1:-1]&h
    both=inside|(o&~h)
    c,lb=cv2.connectedComponents(both.astype(np.uint8),connectivity=4)
    hit=np.zeros(c,bool); hit[np.unique(lb[inside])]=True; hit[0]=False
    beyond=hit[lb]&~h
    return inside,beyond

def judge(o,beyond,h,d,t):
    rim=h&(inner(h)<=1.5)
    # rim pixels at which a real outside lies
    touch=float((o[rim]).mean()) if rim.any() else 1.
    cover=float(o.sum()/h.sum())
    do=dist(o); 
    gap=do[rim]
    size=np.sqrt(h.sum())
    info=dict(touch=touch,cover=cover,gap=float(np.median(gap)/size),gap90=float(np.quantile(gap,.9)/size),beyond_n=float(beyond.sum()/max(1,o.sum())))
    v='object'
    if cover<.05: v='painted'
    info['verdict']=v
    return info

TIMES,LEAST=4.0,6.0
def keep_shut_off(rgb,o,h):
    """What is not the object but cannot be reached from the handle's rim without crossing an edge stays with it."""
    g=cv2.GaussianBlur(rgb.astype(np.float32),(0,0),.8)
    gx=np.abs(cv2.Sobel(g,cv2.CV_32F,1,0)).max(-1)/8; gy=np.abs(cv2.Sobel(g,cv2.CV_32F,0,1)).max(-1)/8
    grad=np.hypot(gx,gy)*2  # grey levels over two pixels
    free=~o
    known=(~h).astype(np.float32)
    n=int(max(9,.2*max(h.shape)))|1
    share=cv2.blur(known,(n,n)); mean=cv2.blur(grad*known,(n,n))/np.maximum(share,1e-4)
    allm=float(grad[~h].mean()); noise=np.where(share>.02,mean,allm)
    passable=free&(grad<np.maximum(LEAST,TIMES*noise))
    seeds=free&((inner(h)<=2.5))
    reach=passable|~h|(seeds)
    c,lb=cv2.connectedComponents(reach.astype(np.uint8),connectivity=4)
    ok=np.zeros(c,bool); ok[np.unique(lb[(~h)|(seeds)])]=True; ok[0]=False
    reached=ok[lb]
    k=np.ones((7,7),np.uint8)
    bg=(cv2.dilate(reached.astype(np.uint8),k)>0)&free
    kept=h&free&~bg
    kept=cv2.morphologyEx(kept.astype(np.uint8),cv2.MORPH_OPEN,np.ones((2,2),np.uint8))>0
    return o|kept
