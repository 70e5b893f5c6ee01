"""Rendered stills (test/scenes): caches for all three networks.

  python vehicle_data.py stills      whole pictures for the detector
  python stills_data.py crops        vehicle crops for the plate finder, rectified plates for the reader

A batch directory holds pictures and labels-*.jsonl (one line a picture). Some seeds are validation altogether: pictures of one seed share
streets and vehicle models, so that nothing less than a seed of its own is unseen.
"""
import json
import os
import pathlib
import sys

import cv2
import numpy as np

from charset import COLOURS, INDEX
from paths import SPLITS, STILLS, scratch
from plate_net import HEIGHT, WIDTH
from plates_synth import unstack
from vehicle_net import CLASSES

CROP_W, CROP_H = 400, 300
VALIDATION_SEEDS = frozenset(json.loads(SPLITS.read_text(encoding="utf-8"))["stills"]["validationSeeds"])
ALIAS = {"bicycle": "motorcycle", "two-wheeler": "motorcycle", "van": "car", "suv": "car"}


def side(file: str) -> str:
    """'validation' or 'train' of a still `<seed>-<number>.jpg`."""
    return "validation" if int(file.split("-")[0]) in VALIDATION_SEEDS else "train"


def lines(folders: list[pathlib.Path]):
    """All labelled stills whose picture is there, `path` added; unfinished chunks count too."""
    for f in [f for d in folders for f in sorted([*d.glob("labels-*.jsonl"), *d.glob("labels-*.part")])]:
        for row in f.read_text(encoding="utf-8").splitlines():
            try:
                r = json.loads(row)
            except json.JSONDecodeError:
                continue  # the line being written
            r["path"] = str(f.parent / r["file"])
            if os.path.exists(r["path"]):
                yield r


def stills_source(folders):
    from vehicle_data import WIDEST_STILL, Writer
    rows = list(lines(folders))
    w = Writer("stills", max(1, len(rows)) * WIDEST_STILL * 720 * 3 + 1, WIDEST_STILL)
    for i, r in enumerate(rows):
        img = cv2.imread(r["path"])
        if img is None:
            continue
        boxes, cls, quads, ignore = [], [], [], []
        for v in r["vehicles"]:
            x, y, bw, bh = v.get("boxVisible") or v["box"]
            b = [x, y, x + bw, y + bh]
            name = ALIAS.get(v["class"], v["class"])
            if v.get("visible", 1) < 0.2 or name not in CLASSES:
                ignore.append(b)
                continue
            boxes.append(b)
            cls.append(CLASSES.index(name))
            known = v.get("quad") is not None and v.get("inFrame", 1) > 0.5 and name in ("car", "bus", "truck") and v.get("visible", 1) > 0.3
            quads.append(np.array(v["quad"]).ravel() if known else None)
        w.add(r["file"], img, side(r["file"]) == "validation", boxes, cls, quads, ignore)
        if i % 300 == 0:
            print("stills", i, len(rows), flush=True)
    w.close()


def build_crops(folders):
    from reader_data import canvas_from_corners, CH, CW, MX, MY, PH, PW
    rng = np.random.default_rng(3)
    pics, meta = [], []
    plates, texts, colours, nrows, vals = [], [], [], [], []
    for i, r in enumerate(lines(folders)):
        img = cv2.imread(r["path"])
        if img is None:
            continue
        img = img[..., ::-1]
        val = side(r["file"]) == "validation"
        all_plates = [(k, v["plate"]) for k, v in enumerate(r["vehicles"]) if v.get("plate")]
        for k, p in all_plates:
            q = np.array(p["corners"], np.float32)
            wide = np.linalg.norm(q[1] - q[0])
            if p.get("visible", 1) < 0.95 or wide < 38 or any(c not in INDEX for c in p["text"]):
                continue
            if np.linalg.norm(q[3] - q[0]) < 9:
                continue
            plates.append(canvas_from_corners(img, *q))
            texts.append(p["text"] if p.get("rows", 1) == 1 else "")
            if p.get("rows", 1) == 2:
                m = cv2.getPerspectiveTransform(q, np.array([[0, 0], [330, 0], [330, 165], [0, 165]], np.float32))
                strip = unstack(cv2.warpPerspective(img, m, (330, 165), flags=cv2.INTER_LINEAR), PW, PH, jitter=0.02, rng=rng)
                colours += [COLOURS.index(p["colour"])]
                nrows += [2]
                vals += [val]
                plates.append(cv2.copyMakeBorder(strip, MY, MY, MX, MX, cv2.BORDER_REPLICATE))
                texts.append(p["text"])
                colours.append(COLOURS.index(p["colour"]))
                nrows.append(1)
                vals.append(val)
                continue
            colours.append(COLOURS.index(p["colour"]))
            nrows.append(p.get("rows", 1))
            vals.append(val)
        for k, v in enumerate(r["vehicles"]):
            x, y, w, h = v.get("boxVisible") or v["box"]
            if v.get("visible", 1) < 0.3 or w < 40 or h < 30 or v["class"] in ("person", "bicycle", "motorcycle"):
                continue
            p = v.get("plate")
            if p and p.get("visible", 1) < 0.85:
                continue
            box = np.array([x - 0.25 * w, y - 0.25 * h, x + 1.25 * w, y + 1.25 * h])
            s = min(CROP_W / (1.5 * w), CROP_H / (1.5 * h), 1.6)
            m = np.array([[s, 0, -s * box[0]], [0, s, -s * box[1]]])
            pics.append(cv2.warpAffine(img, m, (CROP_W, CROP_H), flags=cv2.INTER_AREA if s < 0.9 else cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114)))
            move = lambda c: (np.array(c, float) @ m[:, :2].T + m[:, 2]).round(2).tolist()
            meta.append({"val": val, "box": [*move([x, y]), *move([x + w, y + h])], "plate": move(p["corners"]) if p else None,
                         "others": [move(q["corners"]) for j, q in all_plates if j != k]})
        if i % 300 == 0:
            print("crops", i, len(pics), len(plates), flush=True)
    np.save(scratch("plates-stills.npy"), np.array(pics))
    scratch("plates-stills.json").write_text(json.dumps(meta))
    np.savez(scratch("reader-stills.npz"), pics=np.array(plates).reshape(-1, CH, CW, 3), texts=np.array(texts), colours=np.array(colours), rows=np.array(nrows), val=np.array(vals))
    print("crops", len(pics), "with plate", sum(m["plate"] is not None for m in meta), "plates", len(plates), flush=True)


class VehicleCrops:
    """Vehicle crops with framing as a detector would leave it: boxes a little too small, large or shifted."""

    def __init__(self, validation):
        self.pics = np.load(scratch("plates-stills.npy"), mmap_mode="r")
        self.items = [(i, m) for i, m in enumerate(json.loads(scratch("plates-stills.json").read_text())) if m["val"] == validation]
        self.with_plate = [t for t in self.items if t[1]["plate"]]

    def sample(self, rng):
        """(picture, corners or None, quads of other vehicles' plates in sight)."""
        pool = self.with_plate if self.with_plate and rng.random() < 0.75 else self.items
        i, m = pool[rng.integers(len(pool))]
        x0, y0, x1, y1 = m["box"]
        w, h = x1 - x0, y1 - y0
        g = rng.normal(0.05, 0.05, 4).clip(-0.1, 0.22)
        x0, y0, x1, y1 = x0 - g[0] * w, y0 - g[1] * h, x1 + g[2] * w, y1 + g[3] * h
        k = min(WIDTH / (x1 - x0), HEIGHT / (y1 - y0))
        ox, oy = (WIDTH - k * (x1 - x0)) / 2, (HEIGHT - k * (y1 - y0)) / 2
        a = np.array([[k, rng.normal(0, 0.03), 0], [rng.normal(0, 0.03), k, 0]])
        a[:, 2] = np.array([ox, oy]) - a[:, :2] @ [x0, y0]
        out = cv2.warpAffine(self.pics[i], a, (WIDTH, HEIGHT), flags=cv2.INTER_AREA if k < 0.9 else cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114))
        if rng.random() < 0.6:  # the letterbox's grey lies outside the box
            x, y = int(max(0, ox)), int(max(0, oy))
            out[:y], out[HEIGHT - y:], out[:, :x], out[:, WIDTH - x:] = 114, 114, 114, 114
        move = lambda c: np.array(c) @ a[:, :2].T + a[:, 2]
        return out, move(m["plate"]) if m["plate"] else None, [move(q) for q in m["others"]]


if __name__ == "__main__":
    if sys.argv[1] == "crops":
        build_crops(STILLS)
