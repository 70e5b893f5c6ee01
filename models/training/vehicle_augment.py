"""One training picture for the detector: random part and scale, mosaic, mirror, light, noise, compression."""
import cv2
import numpy as np

import degrade

# Share of pictures put together from four: a few hundred real views are learnt by heart otherwise, and one picture in four shows
# the network much more background that is no vehicle
MOSAIC = 0.4
GUESSED = 0.25  # weight of a footprint that an earlier detector saw, beside a rendered one's 1
STRAIGHT = 0.6  # of one that was turned along its lane (lanes.py)
# Many sets, and some cameras' second streams, squeeze a wide picture into a narrower one: cars look tall and their footprints short and steep there
SQUEEZED, NARROWEST = 0.25, 0.56
DIMMED = 0.1  # share of pictures as a camera without light sees them
# Cameras hang askew, and a few dozen scenes with a handful of directions are learnt by heart: these shares are seen turned and sheared a little
TILTED, TILT, SHEAR = 0.5, 3.0, 0.06  # degrees and ratio are standard deviations
NEAR = (1.0, 3.0)  # scales of pictures that a near car fills: up to where it fills a wide input, too
MIRROR = [1, 0, 3, 2]  # front left <-> front right, rear right <-> rear left


def view(rng, img, rec, size, scale_range):
    """A random affine view of a record: (picture, boxes, cls, quads, ignore) in a picture of `size` (w, h).

    `quads` is N x 10 from here on: the footprint's corners, which end is nearer where that is known, the footprint's weight.
    """
    w, h = size
    ratio = np.exp(rng.normal(0, 0.1))  # of the horizontal scale to the vertical one
    if rec.get("squeezed", 1) > 1:
        ratio *= rec["squeezed"] if rng.random() < 0.5 else 1
    elif rng.random() < SQUEEZED:
        ratio *= rng.uniform(NARROWEST, 0.9)
    fit = min(w / (rec["w"] * ratio), h / rec["h"])
    # mostly the scale at which pictures are looked at in service, sometimes one vehicle much nearer: lorries and buses above all,
    # which pass close by and fill half a picture
    large = [b for b, c in zip(rec["boxes"], rec["cls"]) if c in (1, 2)]
    if len(rec["boxes"]) and not rec.get("near") and rng.random() < (0.3 if large else 0.15):
        pool = large if large and rng.random() < 0.75 else rec["boxes"]
        b = pool[rng.integers(len(pool))]
        centre = np.array([(b[0] + b[2]) / 2, (b[1] + b[3]) / 2])
        want = np.exp(rng.uniform(np.log(w * 0.2), np.log(w * 1.1))) if pool is large else np.exp(rng.uniform(np.log(20), np.log(w * 0.5)))  # its longer side in the network's input
        k = float(np.clip(want / max((b[2] - b[0]) * ratio, b[3] - b[1], 4), fit * 0.7, fit * 6.0))
        target = np.array([rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.9) * h])
    else:
        k = fit * np.exp(rng.uniform(*np.log(NEAR if rec.get("near") else scale_range)))
        centre = np.array([rec["w"], rec["h"]]) * rng.uniform(0.3, 0.7, 2)
        target = np.array([w, h]) * rng.uniform(0.4, 0.6, 2)
    kx, ky = k * ratio, k
    tx, ty = target[0] - kx * centre[0], target[1] - ky * centre[1]
    # no needless grey: a picture larger than the view covers it, a smaller one lies inside
    tx = float(np.clip(tx, min(0, w - kx * rec["w"]), max(0, w - kx * rec["w"])))
    ty = float(np.clip(ty, min(0, h - ky * rec["h"]), max(0, h - ky * rec["h"])))
    m = np.array([[kx, 0, tx], [0, ky, ty]])
    if rng.random() < TILTED:
        m = tilted(rng, m, w, h)
    mirror = rng.random() < 0.5
    if mirror:
        m[0] = -m[0]
        m[0, 2] += w
    out = cv2.warpAffine(img, m, (w, h), flags=cv2.INTER_AREA if k < 0.8 else cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114))

    boxes, ignore = moved(m, rec["boxes"], 2), moved(m, rec["ignore"], 1)
    q = rec["quads"].reshape(-1, 4, 2)
    q = q @ m[:, :2].T + m[:, 2]
    if mirror:
        q = q[:, MIRROR]
    return (out, *clip(boxes, rec["cls"], np.concatenate([q.reshape(-1, 8), rec["ends"][:, None], np.where(rec["sure"], 1, np.where(rec["straight"], STRAIGHT, GUESSED))[:, None]], 1), ignore, w, h))


def tilted(rng, m, w, h):
    """An affine map followed by a small turn and shear about the middle of the view."""
    turn, shear = np.radians(rng.normal(0, TILT)), rng.normal(0, SHEAR)
    a = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ [[1, shear], [0, 1]]
    middle = np.array([w / 2, h / 2])
    return np.column_stack([a @ m[:, :2], a @ (m[:, 2] - middle) + middle])


def moved(m, boxes, power):
    """Boxes under an affine map. `power` 1: around all of the moved box; 2: around the ellipse in it, which is how far the outline of a vehicle reaches."""
    b = np.asarray(boxes, np.float32).reshape(-1, 4)
    centre = (b[:, :2] + b[:, 2:]) / 2 @ m[:, :2].T + m[:, 2]
    half = (((b[:, 2:] - b[:, :2]) / 2) ** power @ (np.abs(m[:, :2]) ** power).T) ** (1 / power)
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)


def clip(boxes, cls, quads, ignore, w, h):
    """Cut to the picture; what is mostly outside, or too small, becomes unknown."""
    if len(boxes):
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        c = np.stack([boxes[:, 0].clip(0, w), boxes[:, 1].clip(0, h), boxes[:, 2].clip(0, w), boxes[:, 3].clip(0, h)], 1)
        left = (c[:, 2] - c[:, 0]) * (c[:, 3] - c[:, 1])
        size = np.maximum(c[:, 2] - c[:, 0], c[:, 3] - c[:, 1])
        keep = (left > 0.3 * area) & (size >= 7) & (np.minimum(c[:, 2] - c[:, 0], c[:, 3] - c[:, 1]) >= 3)
        ghost = ~keep & (left > 4)
        whole = left > 0.55 * area
        quads = np.where(whole[:, None], quads, np.nan)
        ignore = np.concatenate([ignore.reshape(-1, 4), c[ghost]])
        boxes, cls, quads = c[keep], cls[keep], quads[keep]
    if len(ignore):
        ignore = np.stack([ignore[:, 0].clip(0, w), ignore[:, 1].clip(0, h), ignore[:, 2].clip(0, w), ignore[:, 3].clip(0, h)], 1)
        ignore = ignore[(ignore[:, 2] > ignore[:, 0]) & (ignore[:, 3] > ignore[:, 1])]
    return boxes.astype(np.float32), cls, quads.astype(np.float32), ignore.astype(np.float32)


def tone(rng, img):
    f = img
    if rng.random() < 0.7:
        gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.06, 3)) * (rng.uniform(0.2, 0.6) if rng.random() < DIMMED / 0.7 else 1)
        table = np.clip(np.arange(256)[:, None] * gain + rng.normal(0, 8), 0, 255) / 255
        table = (255 * table ** np.exp(rng.normal(0, 0.2))).astype(np.uint8)
        f = cv2.LUT(f, table[:, None, :])
    if rng.random() < 0.15:
        f = cv2.cvtColor(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif rng.random() < 0.3:
        hsv = cv2.cvtColor(f, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + int(rng.integers(-12, 13))) % 180
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.5, 1.5), 0, 255).astype(np.uint8)
        f = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if rng.random() < 0.2:
        f = cv2.GaussianBlur(f, (0, 0), rng.uniform(0.4, 1.3))
    if rng.random() < 0.25:
        noise = degrade.grain(rng, (f.shape[0] // 2, f.shape[1] // 2)) * rng.uniform(2, 14)
        f = np.clip(f + cv2.resize(noise, (f.shape[1], f.shape[0]), interpolation=cv2.INTER_NEAREST)[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.06:  # a dying sensor, a bad line: pepper and salt
        spots = degrade.grain(rng, f.shape[:2])
        edge = rng.uniform(1.6, 2.6)
        f = np.where((spots > edge)[..., None], 255, np.where((spots < -edge)[..., None], 0, f)).astype(np.uint8)
    if rng.random() < 0.2:
        ok, buf = cv2.imencode(".jpg", f, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])
        f = cv2.imdecode(buf, cv2.IMREAD_COLOR)
    return f


def sample(rng, pick, size):
    """(picture of `size` (w, h), boxes, cls, quads, ignore, background weight). `pick(rng)` gives (picture, record)."""
    width, height = size
    if rng.random() > MOSAIC:
        img, rec = pick(rng)
        out = view(rng, img, rec, size, (0.7, 1.8))
        return (tone(rng, out[0]), *out[1:], rec["background"])
    canvas = np.empty((height, width, 3), np.uint8)
    cx, cy = int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.35, 0.65))
    parts, weight = [], 1.0
    for x, y, w, h in ((0, 0, cx, cy), (cx, 0, width - cx, cy), (0, cy, cx, height - cy), (cx, cy, width - cx, height - cy)):
        img, rec = pick(rng)
        p, b, c, q, g = view(rng, img, rec, (w, h), (0.8, 2.6))
        canvas[y:y + h, x:x + w] = p
        off = np.array([x, y, x, y], np.float32)
        parts.append((b + off, c, q + np.append(np.tile(off[:2], 4), [0, 0]).astype(np.float32), g + off))
        weight = min(weight, rec["background"])
    b, c, q, g = (np.concatenate([p[i] for p in parts]) for i in range(4))
    return tone(rng, canvas), b, c, q, g, weight
