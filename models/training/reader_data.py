"""Caches of pictures for the plate reader.

Every item is a canvas of 72 x 232 RGB pixels in which the plate fills the middle 48 x 168: the margin holds what
lies around it, so that framing can be shifted at training time. Caches are plain .npz files under the scratch folder.

  python reader_data.py real       rectified CCPD scenes, crops, crops-b, negatives
  python reader_data.py synth 3    synthetic batch number 3 (12,000 plates)
"""
import sys

import cv2
import numpy as np

import degrade
from charset import COLOURS
from paths import DATA, scratch
from legibility import CONTRAST, weakest_contrast
from plates_synth import draw, row_boxes, unstack
from splits import is_validation

PH, PW, MY, MX = 48, 168, 12, 32
CH, CW = PH + 2 * MY, PW + 2 * MX
SYNTH_BATCH = 12000
IGNORE = -1


def canvas_from_corners(img, tl, tr, br, bl):
    src = np.array([tl, tr, br, bl], np.float32)
    dst = np.array([[MX, MY], [MX + PW, MY], [MX + PW, MY + PH], [MX, MY + PH]], np.float32)
    return cv2.warpPerspective(img, cv2.getPerspectiveTransform(src, dst), (CW, CH), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def canvas_from_crop(img):
    plate = cv2.resize(img, (PW, PH), interpolation=cv2.INTER_AREA if img.shape[1] > PW else cv2.INTER_LINEAR)
    return cv2.copyMakeBorder(plate, MY, MY, MX, MX, cv2.BORDER_REPLICATE)


def rows_of(tsv):
    return [r.split("\t") for r in (DATA / "plates" / tsv).read_text(encoding="utf-8").splitlines()[1:] if r]


def rgb(path):
    im = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR)
    if im is None:
        raise FileNotFoundError(f"cannot read picture {path}")
    return im[..., ::-1].copy()


def ccpd_corners(field):
    p = [tuple(map(float, c.split("&"))) for c in field.split("_")]
    br, bl, tl, tr = p
    return tl, tr, br, bl


def build_real():
    rng = np.random.default_rng(7)
    for source in ("scenes", "crops", "crops-b"):
        pics, texts, val = [], [], []
        for r in rows_of(source + ".tsv"):
            img = rgb(DATA / "plates" / source / r[0])
            pics.append(canvas_from_corners(img, *ccpd_corners(r[6])) if source == "scenes" else canvas_from_crop(img))
            texts.append(r[1])
            val.append(is_validation(f"plates/{source}", r[0]))
        np.savez(scratch(f"reader-{source}.npz"), pics=np.array(pics), texts=np.array(texts), val=np.array(val))
        print(source, len(pics), "validation", int(np.sum(val)), flush=True)
    neg, val = [], []
    for r in rows_of("scenes.tsv"):
        img = rgb(DATA / "plates" / "scenes" / r[0])
        x1, y1, x2, y2 = map(int, r[2:6])
        for _ in range(6):
            w = rng.uniform(60, 360)
            h = w * rng.uniform(0.2, 0.45)
            x, y = rng.uniform(0, img.shape[1] - w), rng.uniform(img.shape[0] * 0.1, img.shape[0] - h)
            ox, oy = min(x + w, x2) - max(x, x1), min(y + h, y2) - max(y, y1)
            if ox > 0 and oy > 0:
                continue
            neg.append(canvas_from_corners(img, (x, y), (x + w, y), (x + w, y + h), (x, y + h)))
            val.append(is_validation("plates/scenes", r[0]))
    np.savez(scratch("reader-negatives.npz"), pics=np.array(neg), val=np.array(val))
    print("negatives", len(neg), flush=True)


def _background(rng, negatives):
    if negatives is not None and rng.random() < 0.6:
        return cv2.resize(negatives[rng.integers(len(negatives))], (CW, CH))
    c = rng.uniform(0, 255, 3) if rng.random() < 0.3 else np.repeat(rng.uniform(5, 250), 3)
    ramp = np.linspace(rng.uniform(0.5, 1), rng.uniform(0.6, 1.3), CH)[:, None, None]
    return np.clip(np.broadcast_to(c * ramp, (CH, CW, 3)) + rng.normal(0, 3, (CH, CW, 3)), 0, 255).astype(np.uint8)


def tight_quad(rng, w, h):
    """Where the corners of a plate of w x h millimetres come to lie on a canvas when its upright box was cut out: tilted up to 10 degrees."""
    p = np.array([[0, 0], [w, 0], [w, h], [0, h]], float) - [w / 2, h / 2]
    p[1:3] *= np.exp(rng.normal(0, 0.05))  # one end is nearer
    tilt = np.tan(np.radians(rng.uniform(-10, 10)))
    p = p @ np.array([[1, tilt], [rng.normal(0, 0.15), 1]])
    low, high = p.min(0), p.max(0)
    size = np.array([PW, PH])
    near = rng.normal([0.01, 0.02], [0.03, 0.05]) * size + [MX, MY]
    far = [MX + PW, MY + PH] - rng.normal([0.01, 0.02], [0.03, 0.05]) * size
    return ((p - low) / (high - low) * (far - near) + near).astype(np.float32)


def synth_item(rng, negatives, kind=None, severity=1.0, tight=0.0):
    """(canvas, text, colour index, rows, ink): text is None when the picture is a two-row plate seen whole; `ink` numbers its strokes on the canvas.

    `severity` below 1 leaves out that share of the worst light and dirt; `tight`: share of plates cut out by their upright box.
    """
    p = draw(rng, kind)
    bg = _background(rng, negatives)
    ink = p.ink
    if rng.random() < 0.2:  # dealer frame
        k = int(rng.integers(3, 12))
        p.image = cv2.copyMakeBorder(p.image, k, k, k, k, cv2.BORDER_CONSTANT, value=[int(v) for v in np.repeat(rng.uniform(10, 220), 3)])
        ink = cv2.copyMakeBorder(ink, k, k, k, k, cv2.BORDER_CONSTANT, value=0)
    plate, text = p.image, p.text
    strip = p.rows == 2 and rng.random() < 0.7
    h, w = plate.shape[:2]
    base = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    if strip:
        # degrade the whole plate first, then straighten with corner errors and join the rows
        ww, hh = 330, 165
        m = cv2.getPerspectiveTransform((base + rng.uniform(-0.02, 0.02, (4, 2)) * [w, h]).astype(np.float32), np.array([[0, 0], [ww, 0], [ww, hh], [0, hh]], np.float32))
        img = cv2.warpPerspective(plate, m, (ww, hh), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        img = degrade.light(rng, img)
        img = degrade.optics(rng, img, rng.uniform(60, 240))
        boxes = list(row_boxes(0.02, rng))
        one = unstack(img, PW, PH, boxes=boxes)
        strokes = unstack(cv2.warpPerspective(ink, m, (ww, hh), flags=cv2.INTER_NEAREST), PW, PH, boxes=boxes, interpolation=cv2.INTER_NEAREST)
        return (cv2.copyMakeBorder(one, MY, MY, MX, MX, cv2.BORDER_REPLICATE), text, COLOURS.index(p.colour), 1,
                cv2.copyMakeBorder(strokes, MY, MY, MX, MX, cv2.BORDER_CONSTANT, value=0))
    if rng.random() < tight:
        dst = tight_quad(rng, w, h)
    else:
        # small tilt left over after the corners were straightened; where they are guessed it is larger
        j = 0.02 if rng.random() < 0.55 else 0.09
        off = rng.uniform(-j, j, (4, 2)) * [PW * 0.5, PH]
        tilt = rng.uniform(-1, 1) * j * 2.2 * PH
        dst = np.array([[MX, MY], [MX + PW, MY], [MX + PW, MY + PH], [MX, MY + PH]], np.float32) + off.astype(np.float32)
        dst = (dst + np.array([[0, -tilt], [0, tilt], [0, tilt], [0, -tilt]], np.float32)).astype(np.float32)
    m = cv2.getPerspectiveTransform(base, dst)
    img = cv2.warpPerspective(plate, m, (CW, CH), flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.full(plate.shape[:2], 255, np.uint8), m, (CW, CH), flags=cv2.INTER_LINEAR)[..., None] / 255.0
    strokes = cv2.warpPerspective(ink, m, (CW, CH), flags=cv2.INTER_NEAREST)
    img = (img * mask + bg * (1 - mask)).astype(np.uint8)
    if rng.random() < 0.2 * severity:
        img = degrade.dirt(rng, img)
    if rng.random() < severity:
        img = degrade.light(rng, img)
    return img, (None if p.rows == 2 else text), COLOURS.index(p.colour), p.rows, strokes


def build_synth(number: int, seed0: int = 1000):
    rng = np.random.default_rng(seed0 + number)
    neg = np.load(scratch("reader-negatives.npz"))
    negatives = neg["pics"][~neg["val"]]
    pics = np.empty((SYNTH_BATCH, CH, CW, 3), np.uint8)
    texts, colours, rows = [], [], []
    for i in range(SYNTH_BATCH):
        pics[i], t, c, r, ink = synth_item(rng, negatives, tight=0.35)
        # what glare has wiped out teaches only to guess
        texts.append(t if t and weakest_contrast(pics[i], ink) >= CONTRAST / 2 else "")
        colours.append(c)
        rows.append(r)
        if i % 2000 == 0:
            print("synth", number, i, flush=True)
    np.save(scratch(f"reader-synth-{number}.npy"), pics)
    np.savez(scratch(f"reader-synth-{number}.npz"), texts=np.array(texts), colours=np.array(colours), rows=np.array(rows))


if __name__ == "__main__":
    if sys.argv[1] == "real":
        build_real()
    else:
        for n in sys.argv[2:]:
            build_synth(int(n))
