"""Crops of single vehicles with type, body colour and view, for the attribute classifier.

  python attribute_data.py

Sources: rendered stills (all three labels from the scene's truth), real vehicles labelled by looking (labels/vehicle-attributes.json), cars that fill
the picture (labels/near-vehicles.json), and vehicles/types (type, and colour where labels/type-colours.json has it). A crop is a square around the vehicle, SIDE pixels, with the box inside; -1: label unknown.
"""
import json

import cv2
import numpy as np

from attribute_net import HEADS, HEIGHT, WIDTH
from paths import DATA, STILLS, TRAINING, scratch
from splits import is_validation
from stills_data import lines, side

SIDE = 132
MARGIN = 0.2  # of the longer side, on each side of the box
COLOURS = HEADS["body-colour"]
TYPES = HEADS["vehicle-type"]
VIEWS = HEADS["view"]
# vehicles/types: light lorries and minibuses count as medium (the same classes as the toll's), articulated ones as large, and so do those of
# labels/heavy-lorries.json: rigid lorries with three axles or more, which the folder `truck` does not tell from light ones
FOLDERS = {"car": "small", "pickup": "small", "minibus": "medium", "truck": "medium", "juggernaut": "large"}


def crop(img, x, y, w, h):
    """(square crop, box in it). Outside the picture is grey."""
    s = max(w, h) * (1 + 2 * MARGIN)
    k = SIDE / s
    m = np.array([[k, 0, SIDE / 2 - k * (x + w / 2)], [0, k, SIDE / 2 - k * (y + h / 2)]])
    out = cv2.warpAffine(img, m, (SIDE, SIDE), flags=cv2.INTER_AREA if k < 0.8 else cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114))
    return out[..., ::-1], [SIDE / 2 - k * w / 2, SIDE / 2 - k * h / 2, k * w, k * h]


def view_of(quad):
    """Which side the camera sees, from the footprint (front left first): its ends against its flanks in the picture."""
    q = np.array(quad, float)
    front, rear = (q[0] + q[1]) / 2, (q[3] + q[2]) / 2
    end = max(np.abs(q[0] - q[1])[0], np.abs(q[2] - q[3])[0])
    flank = max(np.abs(q[0] - q[3])[0], np.abs(q[1] - q[2])[0])
    if end < 0.3 * flank:
        return VIEWS.index("side")
    return VIEWS.index("front") if front[1] > rear[1] else VIEWS.index("rear")


def main():
    pics, boxes, labels, val, source, rigid = [], [], [], [], [], []

    def add(name, img, box, kind, colour, view, validation, heavy_lorry=False):
        c, b = crop(img, *box)
        pics.append(c)
        boxes.append(b)
        labels.append([kind, colour, view])
        val.append(validation)
        source.append(name)
        rigid.append(heavy_lorry)
    for r in lines(STILLS):
        img = None
        for v in r["vehicles"]:
            x, y, w, h = v.get("boxVisible") or v["box"]
            if v["class"] not in ("car", "bus", "truck") or v.get("visible", 1) < 0.6 or v.get("inFrame", 1) < 0.7 or max(w, h) < 36:
                continue
            img = cv2.imread(r["path"]) if img is None else img
            view = view_of(v["quad"]) if v.get("quad") else -1
            add("stills", img, (x, y, w, h), TYPES.index(v["type"]), COLOURS.index(v["colour"]), view, side(r["file"]) == "validation")
    for kind, file, between in (("real", "vehicle-attributes.json", "/images/"), ("near", "near-vehicles.json", "/scenes/")):
        for v in json.loads((TRAINING / "labels" / file).read_text(encoding="utf-8")):
            folder, name = v["file"].split(between)
            add(kind, cv2.imread(str(DATA / v["file"])), v["box"], TYPES.index(v["type"]) if v.get("type") else -1, COLOURS.index(v["colour"]) if v.get("colour") else -1,
                VIEWS.index(v["view"]) if v.get("view") else -1, is_validation("plates/scenes" if kind == "near" else folder, name))
    seen = {v["file"]: COLOURS.index(v["colour"]) for v in json.loads((TRAINING / "labels" / "type-colours.json").read_text(encoding="utf-8"))}
    heavy = set(json.loads((TRAINING / "labels" / "heavy-lorries.json").read_text(encoding="utf-8")))
    for folder, kind in FOLDERS.items():
        for f in sorted((DATA / "vehicles" / "types" / folder).glob("*.jpg")):
            img = cv2.imread(str(f))
            h, w = img.shape[:2]
            file = f"vehicles/types/{folder}/{f.name}"
            add("types", img, (0, 0, w, h), TYPES.index("large" if file in heavy else kind), seen.get(file, -1), -1, is_validation("vehicles/types", f"{folder}/{f.name}"), file in heavy)
    np.savez(scratch("attributes.npz"), pics=np.array(pics), boxes=np.array(boxes, np.float32), labels=np.array(labels), val=np.array(val), source=np.array(source), heavy=np.array(rigid))
    for name in ("stills", "real", "near", "types"):
        m = np.array(source) == name
        print(name, int(m.sum()), "validation", int((m & np.array(val)).sum()))


def place(rng, pic, box):
    """The network's input: the box with a margin of about 5 %, letterboxed; `rng` None: exactly so, else as detectors leave it."""
    x, y, w, h = box
    g = np.full(4, 0.05) if rng is None else rng.normal(0.05, 0.05, 4).clip(-0.08, 0.2)
    x0, y0, x1, y1 = x - g[0] * w, y - g[1] * h, x + w + g[2] * w, y + h + g[3] * h
    k = min(WIDTH / (x1 - x0), HEIGHT / (y1 - y0))
    ox, oy = (WIDTH - k * (x1 - x0)) / 2, (HEIGHT - k * (y1 - y0)) / 2
    m = np.array([[k, 0, ox - k * x0], [0, k, oy - k * y0]])
    out = cv2.warpAffine(pic, m, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114))
    gx, gy = int(round(ox)), int(round(oy))
    out[:gy], out[HEIGHT - gy:], out[:, :gx], out[:, WIDTH - gx:] = 114, 114, 114, 114
    return out


if __name__ == "__main__":
    main()
