"""Caches of pictures and labels for the vehicle detector.

  python vehicle_data.py elevated roads street-level expressway near parking empty motorcycle-parking stills

One picture record: RGB at most 960 pixels wide (rendered stills 1280), boxes x1 y1 x2 y2, class (-1: some vehicle, class unknown), footprint
quads (NaN where nobody knows), ignore boxes (neither vehicle nor background), the weight of its background, and `squeezed`: how many
times narrower than in nature its source made it. `ends.py` adds which end of a vehicle without a footprint is nearer: 1 the rear, 0 the front.
"""
import json
import sys

import cv2
import numpy as np

from filled_park import filled, parked_cars, solid_components
from paths import DATA, STILLS, TRAINING, scratch
from reader_data import ccpd_corners, rows_of
from splits import is_validation
from teacher import COCO, Teacher
from vehicle_net import CLASSES

WIDEST = 960
WIDEST_STILL = 1280  # crops of a berth row are enlarged less from these
CAR, BUS, TRUCK, MOTO, PERSON = range(5)
ELEVATED = {0: MOTO, 1: BUS, 2: CAR, 3: TRUCK}
ROADS = {0: -1}
EXPRESSWAY = {0: CAR, 1: TRUCK, 2: CAR, 3: MOTO, 4: BUS}
STREET = {"SUV": CAR, "ambulance": -1, "auto_rickshaw": -1, "bike": MOTO, "bus": BUS, "car": CAR, "e-rickshaw": -1, "micro_bus": -1,
          "mini_truck": TRUCK, "police_vehicle": CAR, "school_bus": BUS, "scooter": MOTO, "taxi": CAR, "tempo": -1, "tractor": -1,
          "transport_vehicle": TRUCK, "truck": TRUCK, "van": CAR}


def iou(a, b):
    """IoU of N x 4 with M x 4."""
    a, b = np.asarray(a, np.float32).reshape(-1, 4), np.asarray(b, np.float32).reshape(-1, 4)
    lo, hi = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(hi - lo, 0, None).prod(2)
    area = lambda x: np.clip(x[:, 2:] - x[:, :2], 0, None).prod(1)
    return inter / np.maximum(area(a)[:, None] + area(b)[None] - inter, 1e-6)


class Store:
    """Many pictures in one flat file, with a table of records."""

    def __init__(self, name):
        self.pixels = np.load(scratch(f"vehicles-{name}.npy"), mmap_mode="r")
        z = json.loads(scratch(f"vehicles-{name}.json").read_text(encoding="utf-8"))
        self.records = z["records"]
        for r in self.records:
            r["boxes"] = np.array(r["boxes"], np.float32).reshape(-1, 4)
            r["cls"] = np.array(r["cls"], np.int64)
            r["quads"] = np.array([[np.nan] * 8 if q is None else q for q in r["quads"]], np.float32).reshape(-1, 8)
            r["ignore"] = np.array(r["ignore"], np.float32).reshape(-1, 4)
            # what an earlier detector saw (footprints_seen.py) stands in where there is no truth; `sure` tells the two apart
            r["sure"] = np.isfinite(r["quads"]).all(1)
            if "guesses" in r:
                guesses = np.array([[np.nan] * 8 if q is None else q for q in r["guesses"]], np.float32).reshape(-1, 8)
                r["quads"] = np.where(r["sure"][:, None], r["quads"], guesses)
            r["straight"] = np.array(r.get("straight", [False] * len(r["boxes"])), bool)
            ends = np.array(r.get("ends", []), np.float32)
            r["ends"] = np.where(ends < 0, np.nan, ends) if len(ends) == len(r["boxes"]) else np.full(len(r["boxes"]), np.nan, np.float32)

    def picture(self, r):
        return self.pixels[r["at"]:r["at"] + r["h"] * r["w"] * 3].reshape(r["h"], r["w"], 3)

    def split(self, validation):
        return [r for r in self.records if r["val"] == validation]


class Writer:
    def __init__(self, name, capacity, widest=WIDEST):
        self.name, self.at, self.records, self.widest = name, 0, [], widest
        self.pixels = np.lib.format.open_memmap(scratch(f"vehicles-{name}.new.npy"), mode="w+", dtype=np.uint8, shape=(capacity,))

    def add(self, file, bgr, val, boxes, cls, quads=None, ignore=(), background=1.0, **more):
        h, w = bgr.shape[:2]
        k = min(1.0, self.widest / w)
        if k < 1:
            bgr = cv2.resize(bgr, (round(w * k), round(h * k)), interpolation=cv2.INTER_AREA)
        h, w = bgr.shape[:2]
        if self.at + h * w * 3 > len(self.pixels):
            raise ValueError(f"cache {self.name} is too small")
        self.pixels[self.at:self.at + h * w * 3] = bgr[..., ::-1].ravel()
        scaled = lambda b: (np.asarray(b, float).reshape(-1, 4) * k).round(2).tolist()
        quads = quads if quads is not None else [None] * len(cls)
        self.records.append({"file": file, "at": self.at, "h": h, "w": w, "val": bool(val), "boxes": scaled(boxes), "cls": [int(c) for c in cls],
                             "quads": [None if q is None else (np.asarray(q, float).ravel() * k).round(2).tolist() for q in quads],
                             "ignore": scaled(ignore), "background": background, "scale": k, **more})
        self.at += h * w * 3

    def close(self):
        self.pixels.flush()
        # a training that runs keeps the old file until it ends
        scratch(f"vehicles-{self.name}.new.npy").replace(scratch(f"vehicles-{self.name}.npy"))
        scratch(f"vehicles-{self.name}.json").write_text(json.dumps({"records": self.records}), encoding="utf-8")
        print(self.name, len(self.records), "validation", sum(r["val"] for r in self.records), flush=True)


def labels(path, w, h, mapping):
    boxes, cls = [], []
    if path.exists():
        for line in path.read_text().splitlines():
            v = line.split()
            if len(v) < 5:
                continue
            k, cx, cy, bw, bh = int(v[0]), *map(float, v[1:5])
            boxes.append([(cx - bw / 2) * w, (cy - bh / 2) * h, (cx + bw / 2) * w, (cy + bh / 2) * h])
            cls.append(mapping[k])
    return np.array(boxes, np.float32).reshape(-1, 4), cls


def with_teacher(boxes, cls, seen):
    """Fill in unknown classes, persons and two-wheelers from the teacher; the rest of what it sees is unknown."""
    boxes, cls, ignore = list(boxes), list(cls), []
    own = np.array(boxes, np.float32).reshape(-1, 4)
    for x1, y1, x2, y2, score, name in seen:
        b, c = [x1, y1, x2, y2], CLASSES.index(name)
        o = iou([b], own)[0] if len(own) else np.zeros(0)
        if len(o) and o.max() > 0.45:
            j = int(o.argmax())
            if cls[j] == -1 and score > 0.4 and c in (CAR, BUS, TRUCK):
                cls[j] = c
            continue
        if len(o) and o.max() > 0.2 and c != PERSON:
            continue
        if c in (PERSON, MOTO) and score > 0.45 and y2 - y1 > 14:
            boxes.append(b)
            cls.append(c)
        elif score > 0.12:
            ignore.append(b)
    return boxes, cls, ignore


def yolo_source(name, mapping, background, **more):
    files = sorted((DATA / "vehicles" / name / "images").glob("*.jpg"))
    if isinstance(mapping, dict) and isinstance(next(iter(mapping)), str):
        names = (DATA / "vehicles" / name / "classes.txt").read_text().split()
        mapping = {i: mapping[n] for i, n in enumerate(names)}
    seen = json.loads(scratch(f"teacher-{name}.json").read_text())
    w = Writer(name, len(files) * WIDEST * WIDEST * 3)
    for f in files:
        img = cv2.imread(str(f))
        h0, w0 = img.shape[:2]
        boxes, cls = labels(f.parent.parent / "labels" / (f.stem + ".txt"), w0, h0, mapping)
        own = [b.tolist() for b in boxes], list(cls)
        boxes, cls, ignore = with_teacher(boxes, cls, seen.get(f.name, []))
        val = is_validation(f"vehicles/{name}", f.name)
        truth = {"truth": {"boxes": own[0], "cls": own[1]}} if val else {}
        w.add(f.name, img, val, boxes, cls, ignore=ignore, background=background, **truth, **more)
    w.close()


NEAR_SURE, NEAR_SEEN = 0.3, 0.2  # scores from which the teacher's box is the near car's, and from which others are unknown
# a car's front or tail around its plate's middle, in plate widths (0.44 m): half its width, above, below
AROUND_PLATE = (2.05, 2.6, 0.75)


def around_plate(corners, w, h):
    """The box of a car as large as cars are around a plate, as far as it is in the picture (vision/models/near-plates.ts)."""
    (x, y), plate = corners.mean(0), np.linalg.norm(corners[1] - corners[0])
    half, above, below = AROUND_PLATE
    return [max(0, x - half * plate), max(0, y - above * plate), min(w, x + half * plate), min(h, y + below * plate)]


def near_car(corners, seen, w, h):
    """The box of the car that carries a plate, and of what else may be a vehicle. `seen`: the teacher's x1 y1 x2 y2 score COCO class.

    Where the teacher does not see the car (it fills the picture, it is dark), it is as large as cars are around their plates.
    """
    x, y = corners.mean(0)
    plate = np.linalg.norm(corners[1] - corners[0])
    vehicles = [d for d in seen if COCO[int(d[5])] in ("car", "bus", "truck")]
    own = [d for d in vehicles if d[0] < x < d[2] and d[1] < y < d[3] and d[2] - d[0] > 2.5 * plate]
    sure = max(own, key=lambda d: d[4], default=None)
    box = sure[:4] if sure is not None and sure[4] > NEAR_SURE else around_plate(corners, w, h)
    box = [max(0, box[0]), max(0, box[1]), min(w, box[2]), min(h, box[3])]
    return box, [d[:4].tolist() for d in vehicles if iou([d[:4]], [box])[0, 0] < 0.3]


def near_source():
    """Cars so near that they fill the picture, as low video piles see them: the scenes of plates/, whose plates' corners say where the car is, and labels made by looking which end of it shows."""
    rows = rows_of("scenes.tsv")
    views = {v["file"]: v.get("view") for v in json.loads((TRAINING / "labels" / "near-vehicles.json").read_text(encoding="utf-8"))}
    w, teacher = Writer("near", len(rows) * 720 * 1160 * 3), Teacher()
    for r in rows:
        img = cv2.imread(str(DATA / "plates" / "scenes" / r[0]))
        box, others = near_car(np.array(ccpd_corners(r[6])), teacher.tile(img, NEAR_SEEN), img.shape[1], img.shape[0])
        end = {"rear": 1, "front": 0}.get(views.get(f"plates/scenes/{r[0]}"), -1)
        w.add(r[0], img, is_validation("plates/scenes", r[0]), [box], [CAR], ignore=others, background=0.5, near=True, ends=[end])
    w.close()


def parking_source(copies=120, dense=160):
    """Car park: frames with masks, empty frames, and cars pasted where they stood onto empty frames in other light, apart and in dense rows."""
    empty = sorted((DATA / "parking" / "empty").glob("*.jpg"))
    w = Writer("parking", (3 * len(empty) + 40 + copies + dense) * 960 * 540 * 3)
    for f in empty:
        val = is_validation("parking/empty", f.name)
        for _ in range(1 if val else 3):  # as often as the filled ones below: nothing must be seen where nothing stands
            w.add(f.name, cv2.imread(str(f)), val, [], [])
    cut = []
    for s in range(6):
        folder = DATA / "parking" / "sequences" / str(s)
        val = is_validation("parking/sequences", str(s))
        for f in sorted((folder / "frames").glob("*.jpg")):
            img = cv2.imread(str(f))
            mf = folder / "masks" / (f.stem + ".png")
            if not mf.exists():
                if s == 0:
                    w.add(f"{s}/{f.name}", img, val, [], [])
                continue
            m = cv2.imread(str(mf), cv2.IMREAD_UNCHANGED)
            m = m if m.ndim == 2 else m[..., 0]
            single, clumps = solid_components(m)
            w.add(f"{s}/{f.name}", img, val, [b for b, _ in single], [CAR] * len(single), ignore=clumps)
            if not val:
                cut += [(img, b, k) for b, k in single]
    rng = np.random.default_rng(11)
    train = [f for f in empty if not is_validation("parking/empty", f.name)]
    for i in range(copies):
        img = cv2.imread(str(train[rng.integers(len(train))]))
        placed = []
        for j in rng.permutation(len(cut))[:int(rng.integers(2, 26))]:
            src, b, k = cut[j]
            if placed and iou([b], placed)[0].max() > 0.03:
                continue
            x1, y1, x2, y2 = b
            soft = cv2.GaussianBlur(cv2.dilate(k.astype(np.float32), np.ones((3, 3))), (0, 0), 1.0)[..., None]
            tone = float(np.clip(img.mean() / max(10.0, src.mean()), 0.5, 1.6)) ** 0.7
            img[y1:y2, x1:x2] = np.clip(src[y1:y2, x1:x2] * tone * soft + img[y1:y2, x1:x2] * (1 - soft), 0, 255).astype(np.uint8)
            placed.append(b)
        w.add(f"paste-{i}", img, False, placed, [CAR] * len(placed))
    cars = parked_cars()
    for i in range(dense):
        img = cv2.imread(str(train[rng.integers(len(train))]))
        if img.shape[:2] != (720, 1280):
            continue
        img, stood = filled(rng, img[..., ::-1], cars, rng.uniform(0.05, 0.6))
        seen = [box for _, box, visible in stood if visible > 0.35]
        w.add(f"dense-{i}", img[..., ::-1], False, seen, [CAR] * len(seen), ignore=[box for _, box, visible in stood if visible <= 0.35])
    w.close()


def empty_source():
    """The empty car park by itself: what nothing must be seen on has a share of its own in the training, beside its part in `parking`."""
    files = [f for f in sorted((DATA / "parking" / "empty").glob("*.jpg")) if not is_validation("parking/empty", f.name)]
    w = Writer("empty", len(files) * 960 * 540 * 3)
    for f in files:
        w.add(f.name, cv2.imread(str(f)), False, [], [])
    w.close()


def motorcycle_source():
    """Rows of motorcycles from above, all of one park: two-wheelers as many cameras see them, and no car among them. None is held out, for nothing is measured by them."""
    folder = DATA / "vehicles" / "motorcycle-parking"
    files = sorted((folder / "images").glob("*.jpg"))
    w = Writer("motorcycle-parking", len(files) * WIDEST * 1280 * 3)
    for f in files:
        img = cv2.imread(str(f))
        boxes, cls = labels(folder / "labels" / (f.stem + ".txt"), img.shape[1], img.shape[0], {0: MOTO})
        w.add(f.name, img, False, boxes, cls)
    w.close()


def main():
    for name in sys.argv[1:]:
        if name == "elevated":
            yolo_source(name, ELEVATED, 1.0)
        elif name == "roads":
            yolo_source(name, ROADS, 1.0, squeezed=16 / 9)
        elif name == "expressway":
            yolo_source(name, EXPRESSWAY, 0.8)  # relabel.py fills in most of what its labels leave out
        elif name == "street-level":
            yolo_source(name, STREET, 0.6)
        elif name == "near":
            near_source()
        elif name == "parking":
            parking_source()
        elif name == "empty":
            empty_source()
        elif name == "motorcycle-parking":
            motorcycle_source()
        elif name == "stills":
            from stills_data import stills_source
            stills_source(STILLS)
        else:
            raise SystemExit(f"unknown source {name}")


if __name__ == "__main__":
    main()
