"""Crops of single berths with their state, for the berth classifier.

  python berth_data.py

Sources: rendered stills (state by the footprints on the berth's ground), the car park's sequences (its own labels), the empty
car park, the same with cars of the sequences pasted where they stood (any light, any neighbours), and, for what is neither
vehicle nor nothing, rendered two-wheelers, rows of motorcycles in a park of their own, and things pasted or drawn onto empty berths.
Real streets only measure: berths around the two-wheelers of labels/people.json and the vehicles of labels/footprints.json.
Framing varies: each berth is cut several times with its outline moved as operators draw them.
"""
import json

import cv2
import numpy as np

from berth_net import STATES, berth_input
from filled_park import filled, parked_cars, spaces
from paths import DATA, STILLS, TRAINING, scratch
from splits import is_validation
from stills_data import lines, side
from vehicle_data import ELEVATED, MOTO, STREET

EMPTY, VEHICLE, OTHER = range(len(STATES))
ROWS = 0.3  # share of the things that are a row of two-wheelers
PARK_VALIDATION = ("0002", "0008")  # the one motorcycle park on two other days; most of the other views are one picture turned, grey or tinted


def area(polygon):
    return cv2.contourArea(cv2.convexHull(np.float32(polygon)))


def overlap(a, b):
    return cv2.intersectConvexConvex(cv2.convexHull(np.float32(a)), cv2.convexHull(np.float32(b)))[0]


def rectangle(x, y, w, h):
    return [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]


def state_of(polygon, vehicles):
    """State of a rendered berth by truth; None where nobody could tell or it is neither."""
    own = area(polygon)
    best, hidden, found = 0.0, 0.0, EMPTY
    for v in vehicles:
        box = rectangle(*(v.get("boxVisible") or v["box"]))
        if v["class"] in ("car", "bus", "truck"):
            share = overlap(polygon, v["quad"]) / own if v.get("quad") else 0.0
            if share > best:
                best, seen = share, v.get("visible", 1)
            if share < 0.08:
                hidden += overlap(polygon, box) / own
        elif cv2.pointPolygonTest(np.float32(polygon).reshape(-1, 1, 2), (float((box[0][0] + box[1][0]) / 2), float(box[2][1] - 2)), False) >= 0:
            found = OTHER
    if best >= 0.5:
        return VEHICLE if seen > 0.3 else None
    return None if best > 0.08 or hidden > 0.5 else found


def jittered(rng, polygon, times):
    """The outline as several people would draw it."""
    p = np.asarray(polygon, float)
    yield p
    scale = np.sqrt(area(p))
    for _ in range(times - 1):
        yield (p - p.mean(0)) * np.exp(rng.normal(0, 0.06)) + p.mean(0) + rng.normal(0, 0.04 * scale, 2) + rng.normal(0, 0.02 * scale, p.shape)


def thing(rng, img, polygon, bikes):
    """The picture with something that is no vehicle in the berth: a photographed two-wheeler, or a drawn box, cone, bin or heap."""
    out = img.copy()
    p = np.asarray(polygon, float)
    size = np.sqrt(area(p))
    if len(bikes) and rng.random() < ROWS:
        return row(rng, out, p, bikes)
    for _ in range(int(rng.integers(1, 4))):
        t = rng.uniform(0.25, 0.75, 2)
        ground = (p[0] * (1 - t[0]) + p[1] * t[0]) * (1 - t[1]) + (p[3] * (1 - t[0]) + p[2] * t[0]) * t[1]
        s = size * rng.uniform(0.3, 0.65)
        if len(bikes) and rng.random() < 0.55:
            paste(rng, out, bikes[rng.integers(len(bikes))], ground, s * 1.3)
        else:
            draw(rng, out, ground, s)
    return out


def row(rng, out, p, bikes):
    """Two-wheelers side by side, as they are parked in a berth: along its longer side, in one row or two."""
    if np.linalg.norm(p[0] - p[1]) > np.linalg.norm(p[0] - p[3]):
        p = np.roll(p, 1, 0)
    metre = np.sqrt(area(p) / 15)
    count, lines = int(rng.integers(4, 10)), 1 if rng.random() < 0.7 else 2
    begin, end = (0.05, 0.95) if rng.random() < 0.6 else sorted(rng.uniform(0, 1, 2) * 0.4 + [0, 0.6])
    alike = rng.choice(len(bikes), size=int(rng.integers(1, 5)))
    places = []
    for line in range(lines):
        across = (line + 0.5) / lines + rng.normal(0, 0.05)
        for t in np.linspace(begin, end, count) + rng.normal(0, 0.015, count):
            if rng.random() < 0.93:
                places.append((p[0] * (1 - across) + p[1] * across) * (1 - t) + (p[3] * (1 - across) + p[2] * across) * t)
    for at in sorted(places, key=lambda at: at[1]):
        paste(rng, out, bikes[rng.choice(alike)], at, metre * rng.uniform(1.7, 2.1), 3.5 if rng.random() < 0.5 else 1.6)
    return out


def paste(rng, out, pic, ground, s, narrow=None):
    n = int(max(8, s))
    x, y = int(ground[0] - n / 2), int(ground[1] - n * 0.75)
    if x < 0 or y < 0 or x + n > out.shape[1] or y + n > out.shape[0]:
        return
    small = cv2.resize(pic[:, ::-1] if rng.random() < 0.5 else pic, (n, n), interpolation=cv2.INTER_AREA).astype(np.float32)
    gy, gx = np.mgrid[-1:1:n * 1j, -1:1:n * 1j]
    soft = np.clip(2.6 - 3.0 * np.sqrt(gx ** 2 * (narrow or rng.uniform(1.0, 2.2)) + gy ** 2), 0, 1)[..., None]
    here = out[y:y + n, x:x + n].astype(np.float32)
    tone = np.clip(here.mean() / max(12.0, small.mean()), 0.5, 1.6)
    out[y:y + n, x:x + n] = np.clip(small * tone * soft + here * (1 - soft), 0, 255).astype(np.uint8)


def draw(rng, out, ground, s):
    x, y = ground
    light = max(25.0, float(out[max(0, int(y) - 20):int(y) + 20, max(0, int(x) - 20):int(x) + 20].mean() if 0 <= y < out.shape[0] and 0 <= x < out.shape[1] else 90))
    tint = np.array([rng.uniform(0.3, 1.8) for _ in range(3)]) * light
    colour = lambda k: tuple(float(v) for v in np.clip(tint * k, 0, 255))
    w, h, d = s * rng.uniform(0.3, 0.9), s * rng.uniform(0.3, 0.9), s * rng.uniform(0.1, 0.35)
    shade = np.array([[x - w / 2, y], [x + w / 2, y], [x + w / 2 + d * 1.5, y - d], [x - w / 2 + d * 1.5, y - d]])
    cv2.fillPoly(out, [shade.round().astype(np.int32)], tuple(float(0.45 * light) for _ in range(3)), cv2.LINE_AA)
    kind = rng.integers(4)
    if kind == 0:    # a box, a bin, a fridge
        cv2.fillPoly(out, [np.int32([[x - w / 2, y], [x + w / 2, y], [x + w / 2, y - h], [x - w / 2, y - h]])], colour(0.8), cv2.LINE_AA)
        cv2.fillPoly(out, [np.int32([[x - w / 2, y - h], [x + w / 2, y - h], [x + w / 2 + d, y - h - d], [x - w / 2 + d, y - h - d]])], colour(1.15), cv2.LINE_AA)
        cv2.fillPoly(out, [np.int32([[x + w / 2, y], [x + w / 2 + d, y - d], [x + w / 2 + d, y - h - d], [x + w / 2, y - h]])], colour(0.55), cv2.LINE_AA)
    elif kind == 1:  # a cone
        cv2.fillPoly(out, [np.int32([[x - w / 4, y], [x + w / 4, y], [x + 1, y - h], [x - 1, y - h]])], (40.0, 90.0, 230.0) if rng.random() < 0.6 else colour(1.0), cv2.LINE_AA)
        cv2.fillPoly(out, [np.int32([[x - w / 7, y - h * 0.45], [x + w / 7, y - h * 0.45], [x + w / 10, y - h * 0.65], [x - w / 10, y - h * 0.65]])], (230.0, 230.0, 230.0), cv2.LINE_AA)
    elif kind == 2:  # a heap
        for _ in range(int(rng.integers(5, 14))):
            cv2.circle(out, (int(x + rng.normal(0, w / 4)), int(y - abs(rng.normal(0, h / 5)))), max(1, int(s * rng.uniform(0.04, 0.16))), colour(rng.uniform(0.5, 1.3)), -1, cv2.LINE_AA)
    else:            # a barrier: posts and a bar
        for k in (-0.5, 0.5):
            cv2.line(out, (int(x + k * w), int(y)), (int(x + k * w), int(y - h)), colour(0.8), max(1, int(s * 0.05)), cv2.LINE_AA)
        for k in (0.55, 0.9):
            cv2.line(out, (int(x - 0.5 * w), int(y - k * h)), (int(x + 0.5 * w), int(y - k * h)), colour(1.2), max(1, int(s * 0.09)), cv2.LINE_AA)


def park_views():
    """(name, RGB picture, boxes x1 y1 x2 y2) of each view of the motorcycle park."""
    folder = DATA / "vehicles" / "motorcycle-parking"
    for f in sorted((folder / "images").glob("*.jpg")):
        img = cv2.imread(str(f))[..., ::-1]
        h, w = img.shape[:2]
        v = np.array([[float(x) for x in line.split()[1:5]] for line in (folder / "labels" / (f.stem + ".txt")).read_text().splitlines()]) * [w, h, w, h]
        yield f.stem, img, np.concatenate([v[:, :2] - v[:, 2:] / 2, v[:, :2] + v[:, 2:] / 2], 1)


def parked_motorcycles(img, boxes):
    """Square crops of the nearer motorcycles of one view, which nobody rides."""
    for x1, y1, x2, y2 in boxes:
        s = 1.15 * max(x2 - x1, y2 - y1)
        x, y = int((x1 + x2 - s) / 2), int((y1 + y2 - s) / 2)
        if s >= 48 and x >= 0 and y >= 0 and x + s <= img.shape[1] and y + s <= img.shape[0]:
            yield np.ascontiguousarray(img[y:int(y + s), x:int(x + s)])


def motorcycle_park(rng, img, boxes, times):
    """(outline, state) of berths drawn across the rows of motorcycles of one view, and on the ground that is free between and beside them."""
    h, w = img.shape[:2]
    covered = np.zeros((h, w), np.uint8)
    for x1, y1, x2, y2 in boxes.astype(int):
        covered[max(0, y1):y2, max(0, x1):x2] = 1

    def share(q):
        mask = np.zeros((h, w), np.uint8)
        cv2.fillPoly(mask, [np.int32(q)], 1)
        return float(covered[mask == 1].mean()) if mask.any() else 0.0
    lowest, highest = boxes[:, 1].min(), boxes[:, 3].max()
    for _ in range(times * 40):
        if times <= 0:
            return
        i = rng.integers(len(boxes))
        x1, y1, x2, y2 = boxes[i]
        tall = y2 - y1
        free = rng.random() < 0.7  # most of these hit something
        length, depth, slant = tall * rng.uniform(1, 4), tall * (rng.uniform(0.3, 0.8) if free else rng.uniform(0.7, 1.6)), tall * rng.normal(0, 0.3)
        x, y = ((x1 + x2) / 2 + rng.normal(0, 0.3) * length, y2 + (rng.uniform(-2, 2) * tall if free else rng.normal(0.05, 0.1) * tall))
        q = np.array([[x - length / 2, y], [x + length / 2, y], [x + length / 2 + slant, y - depth], [x - length / 2 + slant, y - depth]])
        if q.min() < 0 or q[:, 0].max() > w or q[:, 1].max() > min(h, highest) or q[:, 1].min() < lowest - 0.1 * h:
            continue
        filled_share = share(q)
        if (filled_share > 0.55 and not free) or (filled_share < 0.03 and free):
            times -= 1
            yield q, OTHER if filled_share > 0.55 else EMPTY


def real_streets():
    """(picture, outline, state) of berths drawn around real two-wheelers beside which no vehicle stands, and of real vehicles' footprints."""
    pictures = {}

    def picture(file):
        if file not in pictures:
            pictures[file] = cv2.imread(str(DATA / file))[..., ::-1]
        return pictures[file]
    for v in json.loads((TRAINING / "labels" / "footprints.json").read_text(encoding="utf-8")):
        yield picture(v["file"]), v["quad"], VEHICLE
    for v in json.loads((TRAINING / "labels" / "people.json").read_text(encoding="utf-8")):
        if v["kind"] != "two-wheeler":
            continue
        img = picture(v["file"])
        h, w = img.shape[:2]
        x1, y1, x2, y2 = v["box"]
        x, size = (x1 + x2) / 2, max(y2 - y1, x2 - x1)
        q = np.array([[x - size, y2 + 0.2 * size], [x + size, y2 + 0.2 * size], [x + 0.9 * size, y2 - 0.5 * size], [x - 0.9 * size, y2 - 0.5 * size]])
        file = DATA / v["file"]
        folder = file.parent.parent
        names = (folder / "classes.txt").read_text().split() if (folder / "classes.txt").exists() else None
        labels = [line.split() for line in (folder / "labels" / (file.stem + ".txt")).read_text().splitlines()]
        motor = [[float(t) for t in box[:4]] for c, *box in labels if (STREET[names[int(c)]] if names else ELEVATED[int(c)]) != MOTO]
        near = [rectangle((bx - bw / 2) * w, (by - bh / 2) * h, bw * w, bh * h) for bx, by, bw, bh in motor]
        if max([overlap(q, b) / area(q) for b in near], default=0) < 0.1 and q.min() >= 0 and q[:, 0].max() <= w and q[:, 1].max() <= h:
            yield img, q, OTHER


def main():
    rng = np.random.default_rng(5)
    pics, states, val, source = [], [], [], []

    def add(name, img, polygon, state, validation, times):
        for p in jittered(rng, polygon, 1 if validation else times):
            pic = berth_input(img, p)
            if pic is not None:
                pics.append(pic)
                states.append(state)
                val.append(validation)
                source.append(name)
    bikes = {v: [cv2.imread(str(f))[..., ::-1] for f in sorted((DATA / "vehicles" / "types" / "bike").glob("*.jpg")) if is_validation("vehicles/types", f"bike/{f.name}") == v] for v in (False, True)}
    # motorcycles that nobody rides: of colour pictures alone
    bikes[False] += [crop for name, img, boxes in park_views() if name not in PARK_VALIDATION and np.ptp(img, 2).mean() > 8 for crop in parked_motorcycles(img, boxes)]
    for r in lines(STILLS):
        img = None
        validation = side(r["file"]) == "validation"
        frame = rectangle(0, 0, r["width"], r["height"])
        for b in r["berths"]:
            p = np.float32(b["polygon"])
            own = area(p)
            if np.abs(p).max() > 4000 or own < 400 or overlap(p, frame) < 0.8 * own:
                continue
            state = state_of(p, r["vehicles"])
            if state is None:
                continue
            img = cv2.imread(r["path"])[..., ::-1] if img is None else img
            add("stills", img, p, state, validation, 5 if state == OTHER else 2)
            if state == EMPTY and rng.random() < 0.5:
                add("stills", thing(rng, img, p, bikes[validation]), p, OTHER, validation, 1)
    outlines = {}
    for s in range(6):
        folder = DATA / "parking" / "sequences" / str(s)
        validation = is_validation("parking/sequences", str(s))
        for f in sorted((folder / "frames").glob("*.jpg")):
            labels = folder / "bounding_boxes" / (f.stem + ".xml")
            if not labels.exists():
                continue
            img = cv2.imread(str(f))[..., ::-1]
            for p, occupied in spaces(labels):
                outlines[str(p)] = p
                if occupied not in ("0", "1"):
                    continue
                add("car park", img, p, VEHICLE if occupied == "1" else EMPTY, validation, 3)
                if occupied == "0" and rng.random() < 0.25:
                    add("car park", thing(rng, img, p, bikes[validation]), p, OTHER, validation, 1)
    cars = parked_cars()
    for f in sorted((DATA / "parking" / "empty").glob("*.jpg")):
        img = cv2.imread(str(f))[..., ::-1]
        validation = is_validation("parking/empty", f.name)
        for p in list(outlines.values())[:40]:
            if img.shape[1] == 1280:
                add("empty car park", img, p, EMPTY, validation, 1)
                if rng.random() < 0.3:
                    add("empty car park", thing(rng, img, p, bikes[validation]), p, OTHER, validation, 1)
        for _ in range(0 if validation or img.shape[1] != 1280 else 2):
            full, stood = filled(rng, img, cars, rng.uniform(0.02, 0.4))
            taken = {own for own, _, _ in stood}
            for p in list(outlines.values())[:40]:
                add("filled car park", full, p, VEHICLE if str(p) in taken else EMPTY, False, 1)
    for name, img, boxes in park_views():
        for p, state in motorcycle_park(rng, img, boxes, 220):
            add("motorcycle park", img, p, state, name in PARK_VALIDATION, 1)
    for img, p, state in real_streets():
        add("streets", img, p, state, True, 1)
    np.savez(scratch("berths.npz"), pics=np.array(pics), states=np.array(states), val=np.array(val), source=np.array(source))
    for name in sorted(set(source)):
        for v in (False, True):
            m = (np.array(source) == name) & (np.array(val) == v)
            print(name, "validation" if v else "train", np.bincount(np.array(states)[m], minlength=3).tolist())


if __name__ == "__main__":
    main()
