"""The car park of parking/empty filled with cars of parking/sequences, each where it stood: dense rows in every light, with truth.

Only cars of the training sequences are used; the pictures are taken by one camera, so nothing is moved or scaled.
"""
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np

from paths import DATA
from splits import is_validation


def solid_components(mask):
    """Boxes and pixel masks of cars that stand alone in a mask picture; boxes of the clumps that do not."""
    single, clumps = [], []
    for value in (1, 2):
        n, comp, stats, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8), connectivity=4)
        for i in range(1, n):
            x, y, w, h, area = stats[i]
            if area < 120:
                clumps.append([x, y, x + w, y + h])
                continue
            m = (comp[y:y + h, x:x + w] == i).astype(np.uint8)
            hull = cv2.convexHull(cv2.findContours(m, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0])
            solid = area / max(1.0, cv2.contourArea(hull))
            (single if solid > 0.87 and max(w / h, h / w) < 2.6 else clumps).append([x, y, x + w, y + h] if solid <= 0.87 or max(w / h, h / w) >= 2.6 else ([x, y, x + w, y + h], m))
    return single, clumps


def spaces(file):
    """(outline, occupied) of each berth in one of the car park's label files."""
    for space in ElementTree.parse(file).getroot():
        yield [[float(p.get("x")), float(p.get("y"))] for p in space.find("contour")], space.get("occupied")


def parked_cars():
    """Cars of the training sequences that stand alone in their masks: (picture, box, pixel mask, outline of their berth)."""
    out = []
    for s in range(6):
        folder = DATA / "parking" / "sequences" / str(s)
        for f in [] if is_validation("parking/sequences", str(s)) else sorted((folder / "frames").glob("*.jpg")):
            mask, labels = folder / "masks" / (f.stem + ".png"), folder / "bounding_boxes" / (f.stem + ".xml")
            if not mask.exists() or not labels.exists():
                continue
            m = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
            img = cv2.imread(str(f))[..., ::-1]
            taken = [p for p, occupied in spaces(labels) if occupied == "1"]
            for (x1, y1, x2, y2), shape in solid_components(m if m.ndim == 2 else m[..., 0])[0]:
                ys, xs = np.nonzero(shape)
                low = ys > 0.35 * shape.shape[0]  # the roof rises out of the berth, wheels do not
                middle = (float(x1 + xs[low].mean()), float(y1 + ys[low].mean()))
                own = [p for p in taken if cv2.pointPolygonTest(np.float32(p).reshape(-1, 1, 2), middle, False) >= 0]
                if len(own) == 1:
                    out.append((img[y1:y2, x1:x2], (x1, y1, x2, y2), shape, str(own[0])))
    return out


def filled(rng, img, cars, share):
    """The empty car park with some of its berths taken, and of each car its berth's outline, its box and the share of it that is seen."""
    out, taken, owner = img.copy(), [], np.full(img.shape[:2], -1)
    chosen = [cars[i] for i in rng.permutation(len(cars)) if rng.random() < share]
    # what stands lower in the picture is nearer and hides what is behind it
    for pic, (x1, y1, x2, y2), shape, own in sorted(chosen, key=lambda c: c[1][3]):
        if any(own == other for other, _, _ in taken):
            continue
        soft = cv2.GaussianBlur(cv2.dilate(shape.astype(np.float32), np.ones((3, 3))), (0, 0), 1.0)[..., None]
        tone = float(np.clip(img.mean() / max(10.0, pic.mean()), 0.4, 1.5)) ** rng.uniform(0.4, 1.0)
        here = out[y1:y2, x1:x2]
        out[y1:y2, x1:x2] = np.clip(pic * tone * soft + here * (1 - soft), 0, 255).astype(np.uint8)
        owner[y1:y2, x1:x2][shape > 0] = len(taken)
        taken.append((own, (x1, y1, x2, y2), int(shape.sum())))
    return out, [(own, box, float((owner == i).sum()) / whole) for i, (own, box, whole) in enumerate(taken)]
