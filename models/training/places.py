"""The roads of still cameras with nothing on them, and the vehicles cut out against them.

  python places.py roads elevated expressway cctv-night-day

A few hundred real views show some fifty places, and a network learns the places by heart. The median of what pictures of one camera
show where no vehicle stands in them is that place empty: a picture on which nothing must be seen (source `places`). What differs from it inside a
vehicle's box is that vehicle (`cutouts.npz`): `paste.py` sets it down at other places. Run after relabel.py, ends.py and footprints_seen.py; only training
pictures are used.
"""
import sys

import cv2
import numpy as np

from paths import scratch
from splits_make import scene_groups
from vehicle_data import Store, Writer, iou

ALIKE = 0.75             # likeness of two pictures taken from one spot with the same camera position (splits_make.py)
FEWEST, LIGHTS = 5, 7    # pictures of a place at least; pictures for each light of a day told apart
SEEN = 0.15              # share of the pictures in which a spot must be free
STEADY = 7.0             # grey levels: what changes less than that over all pictures stays there, whatever a network took it for
MOST_UNKNOWN = 0.3       # share of a place that may stay unknown
TILE = 16                # pixels of the squares that unknown parts are written down in
DIFFERENT = 20           # grey levels between a vehicle and the road
SMALLEST, LARGEST = 14, 260  # sides of a cut-out, in pixels


def holes(r):
    """Where a vehicle stands or may stand in a picture, as a mask."""
    out = np.zeros((r["h"], r["w"]), bool)
    for x1, y1, x2, y2 in np.concatenate([r["boxes"], r["ignore"]]):
        gx, gy = 0.06 * (x2 - x1) + 2, 0.06 * (y2 - y1) + 2
        out[max(0, int(y1 - gy)):int(y2 + gy) + 1, max(0, int(x1 - gx)):int(x2 + gx) + 1] = True
    return out


def emptied(pictures, masks):
    """(the place without what stands on it, mask of what nobody knows, by what each picture is multiplied to be as light as it) of RGB pictures of one place in like light."""
    light = np.array([np.median(p[~m], 0) if (~m).any() else np.median(p.reshape(-1, 3), 0) for p, m in zip(pictures, masks)])
    level = np.median(light, 0)
    stack = np.stack([p.astype(np.float32) * (level / np.maximum(of, 8)) for p, of in zip(pictures, light)]).astype(np.float32)
    covered = np.stack(masks)
    always = np.median(stack, 0)
    spread = np.median(np.abs(stack - always).max(3), 0)
    free = (~covered).sum(0)
    stack[covered] = np.nan
    rows = [np.nanmedian(np.where(free[y, None, :, None] > 0, stack[:, y:y + 1], 0), 0) for y in range(stack.shape[1])]
    seen = np.concatenate(rows)
    rare = free < max(2, SEEN * len(pictures))
    steady = cv2.erode((spread < STEADY).astype(np.uint8), np.ones((3, 3))) > 0
    out = np.where((rare & steady)[..., None], always, seen)
    unknown = rare & ~steady
    out = cv2.inpaint(out.clip(0, 255).astype(np.uint8), ((free == 0) & ~steady).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return out, unknown, level / np.maximum(light, 8)


def tiles(mask):
    """A mask as boxes: squares that hold some of it, those side by side in one box."""
    h, w = mask.shape
    out = []
    for y in range(0, h, TILE):
        row = [bool(mask[y:y + TILE, x:x + TILE].any()) for x in range(0, w, TILE)]
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                out.append([x * TILE, y, min(w, end * TILE), min(h, y + TILE)])
            x = end + 1
    return out


def silhouette(picture, place, box):
    """Alpha of a vehicle (0 to 255, the size of its box) from its difference to the empty place; None where that does not look like one."""
    x1, y1, x2, y2 = box
    differs = np.abs(picture[y1:y2, x1:x2].astype(int) - place[y1:y2, x1:x2]).max(2)
    m = (cv2.GaussianBlur(differs.astype(np.float32), (0, 0), 1) > DIFFERENT).astype(np.uint8)
    k = max(3, round(0.12 * min(m.shape)) | 1)
    m = cv2.morphologyEx(cv2.copyMakeBorder(m, k, k, k, k, cv2.BORDER_CONSTANT), cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (k, k)))[k:-k, k:-k]
    count, label, stats, _ = cv2.connectedComponentsWithStats(m)
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    contour, _ = cv2.findContours((label == best).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    m = cv2.drawContours(np.zeros_like(m), contour, -1, 1, cv2.FILLED)
    _, _, w, h, _ = stats[best]
    outline = contour[0]
    ragged = cv2.contourArea(outline) < 0.85 * cv2.contourArea(cv2.convexHull(outline))
    if ragged or w < 0.85 * m.shape[1] or h < 0.85 * m.shape[0] or not 0.5 < m.mean() < 0.93:
        return None
    return (cv2.GaussianBlur(cv2.erode(m, np.ones((2, 2))).astype(np.float32), (0, 0), 0.7) * 255).astype(np.uint8)


def cut(store, r, place, gain, out):
    """Add what stands alone in a picture to the lists of `out`."""
    picture = np.clip(store.picture(r).astype(np.float32) * gain, 0, 255).astype(np.uint8)
    for i, (box, c) in enumerate(zip(r["boxes"], r["cls"])):
        x1, y1, x2, y2 = (int(v) for v in np.round(box))
        if c > 2 or min(x2 - x1, y2 - y1) < SMALLEST or max(x2 - x1, y2 - y1) > LARGEST or min(x1, y1) < 2 or x2 > r["w"] - 2 or y2 > r["h"] - 2:
            continue
        others = np.concatenate([np.delete(r["boxes"], i, 0), r["ignore"]])
        if len(others) and iou([box], others)[0].max() > 0.04:
            continue
        alpha = silhouette(picture, place, (x1, y1, x2, y2))
        if alpha is None:
            continue
        out["pixels"].append(np.dstack([store.picture(r)[y1:y2, x1:x2], alpha]).ravel())
        out["size"].append([x2 - x1, y2 - y1])
        out["cls"].append(c)
        out["quad"].append(r["quads"][i] - np.tile([x1, y1], 4))
        out["told"].append([r["ends"][i], r["sure"][i], r["straight"][i]])
        out["squeezed"].append(r.get("squeezed", 1))
        out["light"].append(float(store.picture(r)[::4, ::4].mean()))


def main():
    writer = Writer("places", 400 * 960 * 960 * 3)
    out = {k: [] for k in ("pixels", "size", "cls", "quad", "told", "squeezed", "light")}
    for name in sys.argv[1:]:
        store = Store(name)
        by_file = {r["file"]: r for r in store.split(False)}
        made, before = 0, len(out["cls"])
        for scene in scene_groups(name, ALIKE):
            by_size = {}
            for r in (by_file[f] for f in scene if f in by_file):
                by_size.setdefault((r["h"], r["w"]), []).append(r)
            for group in by_size.values():
                if len(group) < FEWEST:
                    continue
                group.sort(key=lambda r: float(store.picture(r)[::8, ::8].mean()))
                for part in np.array_split(np.arange(len(group)), max(1, min(3, len(group) // LIGHTS))):
                    records = [group[i] for i in part]
                    place, unknown, gains = emptied([store.picture(r) for r in records], [holes(r) for r in records])
                    if unknown.mean() <= MOST_UNKNOWN:
                        squeezed = {"squeezed": records[0]["squeezed"]} if "squeezed" in records[0] else {}
                        writer.add(f"{name}/{records[0]['file']}", place[..., ::-1], False, [], [], ignore=tiles(unknown), **squeezed)
                        made += 1
                    for r, gain in zip(records, gains):
                        cut(store, r, place, gain, out)
        print(name, made, "empty places,", len(out["cls"]) - before, "vehicles cut out", flush=True)
    writer.close()
    starts = np.cumsum([0] + [len(p) for p in out["pixels"]])[:-1]
    np.savez(scratch("cutouts.npz"), pixels=np.concatenate(out.pop("pixels")), start=starts, **{k: np.array(v, np.float32) for k, v in out.items()})


if __name__ == "__main__":
    main()
