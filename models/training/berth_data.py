"""Crops of single berths with their state, for the berth classifier.

  python berth_data.py

Sources: rendered stills (state by the footprints on the berth's ground), the car park's sequences (its own labels), the empty
car park, the same with cars of the sequences pasted where they stood (any light, any neighbours), and, for what is neither
vehicle nor nothing, rendered two-wheelers and things pasted or drawn onto empty berths.
Framing varies: each berth is cut several times with its outline moved as operators draw them.
"""
import cv2
import numpy as np

from berth_net import STATES, berth_input
from filled_park import filled, parked_cars, spaces
from paths import DATA, STILLS, scratch
from splits import is_validation
from stills_data import lines, side

EMPTY, VEHICLE, OTHER = range(len(STATES))


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
    for _ in range(int(rng.integers(1, 4))):
        t = rng.uniform(0.25, 0.75, 2)
        ground = (p[0] * (1 - t[0]) + p[1] * t[0]) * (1 - t[1]) + (p[3] * (1 - t[0]) + p[2] * t[0]) * t[1]
        s = size * rng.uniform(0.3, 0.65)
        if len(bikes) and rng.random() < 0.55:
            paste(rng, out, bikes[rng.integers(len(bikes))], ground, s * 1.3)
        else:
            draw(rng, out, ground, s)
    return out


def paste(rng, out, pic, ground, s):
    n = int(max(8, s))
    x, y = int(ground[0] - n / 2), int(ground[1] - n * 0.75)
    if x < 0 or y < 0 or x + n > out.shape[1] or y + n > out.shape[0]:
        return
    small = cv2.resize(pic[:, ::-1] if rng.random() < 0.5 else pic, (n, n), interpolation=cv2.INTER_AREA).astype(np.float32)
    gy, gx = np.mgrid[-1:1:n * 1j, -1:1:n * 1j]
    soft = np.clip(2.6 - 3.0 * np.sqrt(gx ** 2 * rng.uniform(1.0, 2.2) + gy ** 2), 0, 1)[..., None]
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
    np.savez(scratch("berths.npz"), pics=np.array(pics), states=np.array(states), val=np.array(val), source=np.array(source))
    for name in sorted(set(source)):
        for v in (False, True):
            m = (np.array(source) == name) & (np.array(val) == v)
            print(name, "validation" if v else "train", np.bincount(np.array(states)[m], minlength=3).tolist())


if __name__ == "__main__":
    main()
