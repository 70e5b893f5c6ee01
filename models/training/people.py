"""Two-wheelers and persons of the detector's training pictures, as the teacher sees them in small tiles.

  python people.py elevated roads street-level cctv-night-day

Hardly any set labels persons, and two-wheelers patchily. Over tiles of four sizes the teacher finds those of fifteen pixels too: what it is sure of in several is labelled, what it half sees
is unknown. A two-wheeler's box takes in who rides it, as the sets' own labels do, and a rider is no person of his own. Bollards and writing on walls that it takes for
people time and again are known by looking (labels/no-people.json) and are background.
Run it after relabel.py and seen_source.py, which settle what is a motor vehicle, and before ends.py and footprints_seen.py, which write one entry a box. Validation pictures
are left as they are: what they show was looked at (labels/people.json).
"""
import json
import sys

import cv2
import numpy as np

from ends import SCENES
from paths import DATA, TRAINING, scratch
from splits_make import scene_groups
from teacher import Teacher
from vehicle_data import MOTO, PERSON, iou

TILES = (1.0, 0.58, 0.42, 0.3)  # share of the picture's sides that a tile takes in
SMALLEST_TILE = 150             # pixels of its longer side: smaller ones show nothing new
SEEN = 0.12                     # the teacher's score from which anything counts as half seen
UNKNOWN = 0.2                   # from which what it half sees is neither a person nor background
SURE = {MOTO: (0.5, 0.3), PERSON: (0.6, 0.4)}  # score from which it is labelled: seen in tiles of one size, of several
RIDDEN = 0.25                   # share of a person's box inside a two-wheeler's from which he rides it


def tiles(teacher, bgr):
    """[x1 y1 x2 y2 score class size] of two-wheelers and persons over tiles of all sizes; `size` is the tile's index in TILES."""
    h, w = bgr.shape[:2]
    out = []
    for size, share in enumerate(TILES):
        tw, th = int(w * share), int(h * share)
        if max(tw, th) < SMALLEST_TILE:
            continue
        n = 1 if share == 1 else int(np.ceil((1 - share) / (share * 0.75))) + 1
        for x in np.linspace(0, w - tw, n).round().astype(int):
            for y in np.linspace(0, h - th, n).round().astype(int):
                d = teacher.tile(bgr[y:y + th, x:x + tw], SEEN)
                d = d[np.isin(d[:, 5], (0, 1, 3))]
                cut = ((x > 0) & (d[:, 0] < 3)) | ((x + tw < w) & (d[:, 2] > tw - 3)) | ((y > 0) & (d[:, 1] < 3)) | ((y + th < h) & (d[:, 3] > th - 3))
                d = d[~cut]
                d[:, :4] += [x, y, x, y]
                out += [[*(round(float(v), 2) for v in row[:5]), PERSON if row[5] == 0 else MOTO, size] for row in d]
    return out


def proposals(seen):
    """(box, score, class, in tiles of how many sizes) of what was seen, each thing once."""
    out = []
    for cls in (MOTO, PERSON):
        d = sorted((s for s in seen if s[5] == cls), key=lambda s: -s[4])
        while d:
            o = iou([d[0][:4]], [s[:4] for s in d])[0] > 0.45
            same = [s for s, k in zip(d, o) if k]
            weight = np.array([s[4] for s in same])[:, None]
            out.append(((np.array([s[:4] for s in same]) * weight).sum(0) / weight.sum(), d[0][4], cls, len({s[6] for s in same})))
            d = [s for s, k in zip(d, o) if not k]
    return out


def inside(a, b):
    """Share of each box of N x 4 that lies in each of M x 4."""
    a, b = np.asarray(a, float).reshape(-1, 4), np.asarray(b, float).reshape(-1, 4)
    lo, hi = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.clip(hi - lo, 0, None).prod(2) / np.maximum((a[:, 2:] - a[:, :2]).prod(1)[:, None], 1e-6)


def settled(found):
    """(boxes, classes, unknown boxes) out of proposals: riders are part of what they ride."""
    sure = lambda f: f[1] >= SURE[f[2]][f[3] > 1]
    wheels = [[np.array(f[0]), sure(f)] for f in found if f[2] == MOTO and f[1] >= UNKNOWN]
    boxes, cls, unknown = [], [], []
    for box, score, c, sizes in sorted(found, key=lambda f: -f[1]):
        if c != PERSON or score < UNKNOWN:
            continue
        share = inside([box], [w[0] for w in wheels])[0] if wheels else np.zeros(1)
        if share.max() > RIDDEN:
            ridden = wheels[int(share.argmax())]
            ridden[0] = np.concatenate([np.minimum(ridden[0][:2], box[:2]), np.maximum(ridden[0][2:], box[2:])])
        elif sure((box, score, c, sizes)):
            boxes.append(box)
            cls.append(c)
        else:
            unknown.append(box)
    for box, is_sure in wheels:
        (boxes if is_sure else unknown).append(box)
        cls += [MOTO] if is_sure else []
    return boxes, cls, unknown


def nobody(source):
    """By file, a function (box, class) -> whether that is known to be nobody. Boxes in pixels of the picture as stored."""
    out = {}
    groups = None
    for label in json.loads((TRAINING / "labels" / "no-people.json").read_text(encoding="utf-8")):
        folder, file = label["like"].split("/images/")
        if folder != f"vehicles/{source}":
            continue
        groups = groups or scene_groups(source, SCENES[source])
        for name in next(g for g in groups if file in g):
            out.setdefault(name, []).append(label)

    def known(file, box, cls):
        centre, tall = (np.array(box[:2]) + box[2:]) / 2, box[3] - box[1]
        for label in out.get(file, []):
            if "box" in label and (np.array(label["box"][:2]) < centre).all() and (centre < label["box"][2:]).all():
                return True
            if "line" in label and cls == PERSON and tall < label["tallest"]:
                a, b = np.array(label["line"], float)
                along = np.clip((centre - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
                if np.linalg.norm(centre - a - along * (b - a)) < label["within"]:
                    return True
        return False
    return known


def completed(record, found, known):
    """New boxes, classes, quads and unknown boxes of a cache's record (boxes in its own pixels)."""
    keep = [i for i, (b, c) in enumerate(zip(record["boxes"], record["cls"])) if c not in (MOTO, PERSON) or not known(b, c)]
    boxes, cls, quads = ([record[k][i] for i in keep] for k in ("boxes", "cls", "quads"))
    ignore = [b for b in record["ignore"] if not known(b, PERSON)]
    own = np.array(boxes, np.float32).reshape(-1, 4)
    motor = own[[c not in (MOTO, PERSON) for c in cls]] if len(own) else own
    new, kinds, unknown = settled([f for f in found if not known(f[0], f[2])])
    for box, c in zip(new, kinds):
        o, part = (iou([box], own)[0], inside([box], own)[0]) if len(own) else (np.zeros(1), np.zeros(1))
        in_motor = inside([box], motor)[0].max() > 0.85 if len(motor) else False  # a driver, or a reflection
        if o.max() > 0.4 or in_motor or any(part[i] > 0.6 for i in range(len(own)) if cls[i] == MOTO):
            continue
        ignore = [b for b in ignore if iou([box], [b])[0, 0] < 0.4]
        boxes.append([round(float(v), 2) for v in box])
        cls.append(int(c))
        quads.append(None)
    every = np.array(boxes, np.float32).reshape(-1, 4)
    for box in unknown:
        if not len(every) or inside([box], every)[0].max() < 0.6:
            ignore.append([round(float(v), 2) for v in box])
    return boxes, cls, quads, ignore


def main():
    cv2.setNumThreads(1)
    teacher = Teacher()
    for source in sys.argv[1:]:
        target = scratch(f"teacher-small-{source}.json")
        seen = json.loads(target.read_text()) if target.exists() else {}
        file = scratch(f"vehicles-{source}.json")
        raw, known, added, pictures = json.loads(file.read_text(encoding="utf-8")), nobody(source), {MOTO: 0, PERSON: 0}, 0
        for r in raw["records"]:
            if r["val"]:
                continue
            name = r["file"]
            if name not in seen:
                seen[name] = tiles(teacher, cv2.imread(str(DATA / "vehicles" / source / "images" / name)))
            if r.get("people"):
                continue
            by = r.get("scale", 1.0)
            found = [(np.array(b) * by, s, c, n) for b, s, c, n in proposals(seen[name])]
            before = list(r["cls"])
            r["boxes"], r["cls"], r["quads"], r["ignore"] = completed(r, found, lambda b, c, name=name, by=by: known(name, np.array(b) / by, c))
            for c in added:
                added[c] += r["cls"].count(c) - before.count(c)
            r["people"] = True
            for one_a_box in ("guesses", "straight", "ends"):
                r.pop(one_a_box, None)
            pictures += 1
            if pictures % 100 == 0:
                target.write_text(json.dumps(seen))
                print(source, pictures, "pictures", added[MOTO], "two-wheelers and", added[PERSON], "persons more", flush=True)
        target.write_text(json.dumps(seen))
        file.with_suffix(".json.tmp").write_text(json.dumps(raw), encoding="utf-8")
        file.with_suffix(".json.tmp").replace(file)
        print(source, pictures, "pictures", added[MOTO], "two-wheelers and", added[PERSON], "persons more", flush=True)


if __name__ == "__main__":
    main()
