"""Vehicles cut out of one real place (places.py), and two-wheelers (riders.py), set down in another, and scraps of empty road cut to the same outlines, which are nothing."""
import cv2
import numpy as np

from paths import scratch
from vehicle_augment import MIRROR
from vehicle_data import MOTO, Store, iou

MOST = 5             # vehicles set down in one picture
SCRAPS = 0.35        # share of what is set down that is a scrap: an outline alone must not make a vehicle
COVERED = 0.25       # share of another vehicle that may be hidden
ENLARGED = 2.2       # times; a cut-out is not blown up more
OF_CAR = {MOTO: 0.55}  # side of a two-wheeler with its rider to that of a car, by the roots of their boxes' areas


class Cutouts:
    """The cut-outs of a file, and the empty places that scraps come from."""

    def __init__(self, file="cutouts.npz"):
        z = np.load(scratch(file))
        self.z = {k: z[k] for k in z.files}
        self.places = Store("places")

    def vehicle(self, i):
        """RGBA of one cut-out."""
        w, h = self.z["size"][i].astype(int)
        at = int(self.z["start"][i])
        return self.z["pixels"][at:at + w * h * 4].reshape(h, w, 4)

    def scrap(self, rng, alpha):
        """RGBA of a piece of an empty place under an outline."""
        h, w = alpha.shape
        r = self.places.records[rng.integers(len(self.places.records))]
        if r["h"] <= h or r["w"] <= w:
            return None
        x, y = int(rng.integers(r["w"] - w)), int(rng.integers(r["h"] - h))
        if len(r["ignore"]) and iou([[x, y, x + w, y + h]], r["ignore"])[0].max() > 0:
            return None
        return np.dstack([self.places.picture(r)[y:y + h, x:x + w], alpha])

    def add(self, rng, img, r):
        """(picture, record) with some vehicles and scraps set down in it; the given ones stay as they are."""
        img, r = img.copy(), dict(r)
        boxes, new = r["boxes"].copy(), []
        # how large vehicles are in this picture, by what stands in it
        known = boxes[r["cls"] <= 2] if len(boxes) else boxes
        level = float(img[::8, ::8].mean())
        for _ in range(int(rng.integers(1, MOST + 1))):
            i = int(rng.integers(len(self.z["cls"])))
            of_car = OF_CAR.get(int(self.z["cls"][i]), 1.0)
            piece, squeeze = self.vehicle(i), self.z["squeezed"][i] / r.get("squeezed", 1)
            is_scrap = rng.random() < SCRAPS
            if is_scrap:
                piece = self.scrap(rng, piece[..., 3])
                if piece is None:
                    continue
            h, w = piece.shape[:2]
            if len(known) and rng.random() < 0.75:
                like = known[rng.integers(len(known))]
                want, bottom = of_car * np.sqrt((like[2:] - like[:2]).prod()) * np.exp(rng.normal(0, 0.15)), like[3] + rng.normal(0, 0.05) * r["h"]
            else:
                want, bottom = np.exp(rng.uniform(np.log(18), np.log(0.2 * of_car * r["w"]))), rng.uniform(0.25, 1.05) * r["h"]
            ky = min(float(want / np.sqrt(w * h * squeeze)), ENLARGED)
            kx = ky * squeeze
            w, h = round(w * kx), round(h * ky)
            if min(w, h) < 8 or w >= r["w"] or h >= r["h"]:
                continue
            box = np.array([0, bottom - h, w, bottom], np.float32)
            box[[0, 2]] += rng.uniform(-0.2 * w, r["w"] - 0.8 * w)
            box[[1, 3]] += np.clip(box[1], 0, r["h"] * 1.1 - h) - box[1]
            x, y = int(round(box[0])), int(round(box[1]))
            seen = np.array([max(x, 0), max(y, 0), min(x + w, r["w"]), min(y + h, r["h"])], np.float32)
            if (seen[2:] - seen[:2]).min() < 8:
                continue
            if len(boxes):
                lo, hi = np.maximum(seen[:2], boxes[:, :2]), np.minimum(seen[2:], boxes[:, 2:])
                hidden = np.clip(hi - lo, 0, None).prod(1) / np.maximum(1, np.minimum((boxes[:, 2:] - boxes[:, :2]).prod(1), (seen[2:] - seen[:2]).prod()))
                if hidden.max() > COVERED:
                    continue
            piece = cv2.resize(piece, (w, h), interpolation=cv2.INTER_AREA if ky < 1 else cv2.INTER_LINEAR)
            mirror = rng.random() < 0.5
            piece = piece[:, ::-1] if mirror else piece
            x1, y1, x2, y2 = seen.astype(int)
            piece = piece[y1 - y:y2 - y, x1 - x:x2 - x]
            tone = 1.0 if is_scrap else float(np.clip(level / max(10.0, self.z["light"][i]), 0.5, 1.6)) ** 0.7
            alpha = piece[..., 3:].astype(np.float32) / 255
            img[y1:y2, x1:x2] = np.clip(piece[..., :3] * tone * alpha + img[y1:y2, x1:x2] * (1 - alpha), 0, 255).astype(np.uint8)
            if is_scrap:
                continue
            quad = self.z["quad"][i].reshape(4, 2) * [kx, ky]
            if mirror:
                quad = (np.array([w, 0]) + quad * [-1, 1])[MIRROR]
            boxes = np.concatenate([boxes, seen[None]])
            new.append((self.z["cls"][i], (quad + [x, y]).ravel(), *self.z["told"][i]))
        if new:
            cls, quads, ends, sure, straight = zip(*new)
            r["boxes"] = boxes
            for key, values, kind in (("cls", cls, np.int64), ("quads", quads, np.float32), ("ends", ends, np.float32), ("sure", sure, bool), ("straight", straight, bool)):
                r[key] = np.concatenate([r[key], np.array(values).astype(kind)])
        return img, r
