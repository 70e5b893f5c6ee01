"""Two-wheelers cut out of the crops of `vehicles/types/bike`, to be set down on other streets (paste.py).

  python riders.py

The road views hold a few hundred two-wheelers of ten to twenty pixels, and most of those have no label. These crops show some four hundred from high up, each by itself on
bare road: what does not look like the crop's own rim is the two-wheeler and who rides it (GrabCut). Crops in which that does not come out as one thing in the middle
are left out. Only training crops are used.
"""
import cv2
import numpy as np

from paths import DATA, scratch
from splits import is_validation
from vehicle_data import MOTO

RIM = 0.06             # of a crop's sides: surely road
FILLS = (0.12, 0.62)   # share of the crop that the thing covers
IN_MIDDLE = 0.18       # of a crop's sides: how far the thing's middle may lie from the crop's
SOLID = 0.55           # share of its convex hull that it fills: a rider with the road between the wheels does, a piece of kerb beside it does not


def silhouette(bgr):
    """Alpha (0 to 255) of what stands in the middle of a crop; None where that is not one thing."""
    h, w = bgr.shape[:2]
    mask = np.full((h, w), cv2.GC_PR_BGD, np.uint8)
    y, x = round(h * RIM), round(w * RIM)
    mask[:y], mask[h - y:], mask[:, :x], mask[:, w - x:] = (cv2.GC_BGD,) * 4
    cv2.ellipse(mask, (w // 2, h // 2), (round(w * 0.34), round(h * 0.42)), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.setRNGSeed(1)
    cv2.grabCut(bgr, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    m = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    m = cv2.morphologyEx(m, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    count, label, stats, centres = cv2.connectedComponentsWithStats(m)
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    m = (label == best).astype(np.uint8)
    off = np.abs(centres[best] / [w, h] - 0.5).max()
    outline, _ = cv2.findContours(m, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.contourArea(cv2.convexHull(outline[0]))
    if not FILLS[0] < m.mean() < FILLS[1] or off > IN_MIDDLE or m.sum() < SOLID * hull:
        return None
    return (cv2.GaussianBlur(m.astype(np.float32), (0, 0), 0.7) * 255).astype(np.uint8)


def main():
    out = {k: [] for k in ("pixels", "size", "cls", "quad", "told", "squeezed", "light")}
    files = sorted((DATA / "vehicles" / "types" / "bike").glob("*.jpg"))
    files = [f for f in files if not is_validation("vehicles/types", f"bike/{f.name}")]
    for f in files:
        bgr = cv2.imread(str(f))
        alpha = silhouette(bgr)
        if alpha is None:
            continue
        ys, xs = np.where(alpha > 60)
        x1, y1, x2, y2 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
        out["pixels"].append(np.dstack([bgr[y1:y2, x1:x2, ::-1], alpha[y1:y2, x1:x2]]).ravel())
        out["size"].append([x2 - x1, y2 - y1])
        out["cls"].append(MOTO)
        out["quad"].append([np.nan] * 8)
        out["told"].append([np.nan, False, False])
        out["squeezed"].append(1)
        out["light"].append(float(bgr.mean()))
    starts = np.cumsum([0] + [len(p) for p in out["pixels"]])[:-1]
    np.savez(scratch("riders.npz"), pixels=np.concatenate(out.pop("pixels")), start=starts, **{k: np.array(v, np.float32) for k, v in out.items()})
    print(len(starts), "two-wheelers cut out of", len(files), "crops", flush=True)


if __name__ == "__main__":
    main()
