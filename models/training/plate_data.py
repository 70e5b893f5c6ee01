"""Training pictures for the plate finder: crops as they would be cut around a vehicle, with the plate's corners.

  python plate_data.py ccpd      cache the CCPD scenes at half size
(The rendered stills' vehicle crops are cached by stills_data.py.)

Every sample is (RGB 192 x 256, corners 4 x 2 or None, corners of other plates in sight, which count neither way).
Corners run tl tr br bl as read, in input pixels.
"""
import json
import sys

import cv2
import numpy as np

import degrade
from paths import DATA, scratch
from plate_net import HEIGHT, WIDTH
from plates_synth import draw
from reader_data import ccpd_corners, rgb, rows_of
from splits import is_validation

SW, SH = 360, 580


def build_ccpd():
    rows = rows_of("scenes.tsv")
    pics = np.lib.format.open_memmap(scratch("plates-ccpd.npy"), mode="w+", dtype=np.uint8, shape=(len(rows), SH, SW, 3))
    meta = []
    for i, r in enumerate(rows):
        img = rgb(DATA / "plates" / "scenes" / r[0])
        k = np.array([SW / img.shape[1], SH / img.shape[0]])
        pics[i] = cv2.resize(img, (SW, SH), interpolation=cv2.INTER_AREA)
        meta.append({"file": r[0], "corners": (np.array(ccpd_corners(r[6])) * k).tolist(), "val": is_validation("plates/scenes", r[0])})
    pics.flush()
    scratch("plates-ccpd.json").write_text(json.dumps(meta))
    print("ccpd", len(meta), "validation", sum(m["val"] for m in meta), flush=True)


def paint_out(rng, img, quad):
    """Cover a plate with what is left and right of it (bumper)."""
    x0, y0 = np.floor(quad.min(0)).astype(int) - 3
    x1, y1 = np.ceil(quad.max(0)).astype(int) + 3
    h, w = img.shape[:2]
    x0, y0, x1, y1 = max(2, x0), max(2, y0), min(w - 2, x1), min(h - 2, y1)
    if x1 - x0 < 4 or y1 - y0 < 4:
        return img
    out = img.copy()
    left, right = img[y0:y1, x0 - 2:x0].mean(1), img[y0:y1, x1:x1 + 2].mean(1)
    t = np.linspace(0, 1, x1 - x0)[None, :, None]
    patch = left[:, None] * (1 - t) + right[:, None] * t + rng.normal(0, 3, (y1 - y0, x1 - x0, 1))
    out[y0:y1, x0:x1] = np.clip(patch, 0, 255)
    return out


class PlatePool:
    """Drawn and lit plates, used several times each: drawing costs more than everything else."""

    def __init__(self, size=1200):
        self.size, self.items = size, []

    def take(self, rng):
        if len(self.items) < self.size or rng.random() < 0.04:
            p = draw(rng)
            p.image = degrade.light(rng, p.image)
            if len(self.items) < self.size:
                self.items.append(p)
            else:
                self.items[rng.integers(self.size)] = p
            return p
        return self.items[rng.integers(len(self.items))]


def put_plate(rng, img, quad, plate):
    """Warp a lit plate into `quad` of `img` (which has been painted out there)."""
    h, w = plate.shape[:2]
    src = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    m = cv2.getPerspectiveTransform(src, quad.astype(np.float32))
    size = (img.shape[1], img.shape[0])
    width = np.linalg.norm(quad[1] - quad[0])
    if width < w * 0.6:  # shrink first: no aliasing
        k = max(width * 1.3 / w, 0.05)
        plate = cv2.resize(plate, (max(8, int(w * k)), max(4, int(h * k))), interpolation=cv2.INTER_AREA)
        s = np.diag([w / plate.shape[1], h / plate.shape[0], 1.0])
        m = m @ s
    warped = cv2.warpPerspective(plate, m, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.full(plate.shape[:2], 255, np.uint8), m, size, flags=cv2.INTER_LINEAR)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.6)[..., None] / 255.0
    return (warped * mask + img * (1 - mask)).astype(np.uint8)


def distractor(rng):
    """Things that look like plates but are not: lines of text without a plate's layout, grilles, stickers."""
    w, h = int(rng.integers(120, 460)), int(rng.integers(60, 160))
    bg = rng.uniform(0, 255, 3)
    img = np.full((h, w, 3), bg, np.uint8)
    ink = [float(v) for v in (255 - bg + rng.normal(0, 20, 3)).clip(0, 255)]
    kind = rng.random()
    if kind < 0.5:
        text = "".join(rng.choice(list("0123456789-ABCDEHKMNRSTabcdefgh "), int(rng.integers(4, 13))))
        cv2.putText(img, text, (5, int(h * 0.7)), cv2.FONT_HERSHEY_SIMPLEX, h / rng.uniform(45, 80), ink, int(rng.integers(2, 9)), cv2.LINE_AA)
    elif kind < 0.8:
        for y in range(4, h, int(rng.integers(8, 26))):
            cv2.line(img, (0, y), (w, y), ink, int(rng.integers(2, 7)))
    else:
        for x in range(4, w, int(rng.integers(10, 40))):
            cv2.line(img, (x, 0), (x, h), ink, int(rng.integers(2, 7)))
    return img


def cut(rng, img, quad, want, jitter=True):
    """Affine crop so that the plate is `want` input pixels wide: (picture, corners)."""
    c = quad.mean(0)
    k = want / max(4.0, np.linalg.norm(quad[1] - quad[0]))
    angle = np.radians(rng.normal(0, 7)) if jitter else 0.0
    shear = rng.normal(0, 0.12) if jitter else 0.0
    aspect = np.exp(rng.normal(0, 0.12)) if jitter else 1.0
    a = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array([[aspect, shear], [0, 1 / aspect]]) * k
    span = want * 0.55
    target = np.array([rng.uniform(span, WIDTH - span) if WIDTH > 2 * span else WIDTH / 2, rng.uniform(0.25 * HEIGHT, 0.93 * HEIGHT)])
    t = target - a @ c
    m = np.concatenate([a, t[:, None]], 1)
    border = cv2.BORDER_REPLICATE if rng.random() < 0.4 else cv2.BORDER_CONSTANT
    out = cv2.warpAffine(img, m, (WIDTH, HEIGHT), flags=cv2.INTER_AREA if k < 0.9 else cv2.INTER_LINEAR, borderMode=border, borderValue=(114, 114, 114))
    return out, quad @ a.T + t


class Ccpd:
    def __init__(self, validation):
        self.pics = np.load(scratch("plates-ccpd.npy"), mmap_mode="r")
        meta = json.loads(scratch("plates-ccpd.json").read_text())
        self.plates = PlatePool()
        self.items = [(i, np.array(m["corners"], np.float64)) for i, m in enumerate(meta) if m["val"] == validation]

    def sample(self, rng):
        i, quad = self.items[rng.integers(len(self.items))]
        img = self.pics[i]
        r = rng.random()
        want = float(np.exp(rng.uniform(np.log(24), np.log(120))))
        if r < 0.12:  # the same place without its plate, perhaps with a distractor
            img = paint_out(rng, img, quad)
            if rng.random() < 0.6:
                img = put_plate(rng, img, quad + rng.normal(0, 4, (4, 2)), distractor(rng))
            out, _ = cut(rng, img, quad, want)
            return out, None, []
        if r < 0.22:  # elsewhere in the street
            far = quad + np.array([rng.uniform(-150, 150), -rng.uniform(140, 400)])
            if far[:, 1].min() > 20:
                out, corners = cut(rng, img, far, want)
                m = (quad - far.mean(0)) * (want / np.linalg.norm(far[1] - far[0]))
                if np.abs(m).max() > 380:
                    return out, None, []
        if r < 0.62:  # another plate in its place
            p = self.plates.take(rng)
            q = quad + rng.normal(0, 1.2, (4, 2))
            if p.rows == 2:  # taller: grow upwards
                up = (q[0] - q[3]) * rng.uniform(0.45, 0.65)
                q = np.stack([q[0] + up, q[1] + up, q[2], q[3]])
            img = put_plate(rng, paint_out(rng, img, quad), q, p.image)
            quad = q
        out, corners = cut(rng, img, quad, want)
        return out, corners, []


def tone(rng, img):
    if rng.random() < 0.7:
        table = np.clip(np.arange(256)[:, None] * np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.06, 3)) + rng.normal(0, 10), 0, 255) / 255
        img = cv2.LUT(img, (255 * table ** np.exp(rng.normal(0, 0.2))).astype(np.uint8)[:, None, :])
    if rng.random() < 0.6:
        img = degrade.optics(rng, img, WIDTH * float(rng.uniform(0.45, 1.0)), 0.8)
    return img


if __name__ == "__main__":
    if sys.argv[1] == "ccpd":
        build_ccpd()
