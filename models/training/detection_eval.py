"""AP50 of the vehicle detector, and the heading of its footprint quads."""
import cv2
import numpy as np
import torch

from vehicle_data import BUS, CAR, TRUCK, iou
from vehicle_net import HEIGHT, STEP, WIDTH, Deployed


# What counts as seen in service. F1 over the validation split of stills, elevated and roads is 0.835 at the best (0.50) and 0.824 here: the surer side of
# it, for a vehicle that is none costs somebody money (22 on 1,003 views of an empty car park at 0.56, 8 here). export.py writes it into the manifest.
SCORE = 0.58
# Two-wheelers never get a car's scores, and nobody pays by their word. Over elevated views, street level and stills 36 of 148 are found here and 5 are none (at 0.36 41 and 9, at 0.30
# 54 and 38); from SCORE on 16 would be, all of them rendered. No threshold finds persons.
TWO_WHEELER = 0.4
# From here on a large vehicle counts whose plate is read surely: nearly all cars that fill the picture are among these.
WITH_PLATE = 0.25


def input_size(w, h, most=WIDTH * HEIGHT):
    """Width and height of the input for a picture of w x h pixels: of at most `most` pixels, in which it is largest, without needless grey (vision/models/sized-run.ts)."""
    fits = lambda width: min(width / w, most // (width * STEP) * STEP / h)
    scale = max(fits(width) for width in range(STEP, most // STEP + 1, STEP))
    return tuple(int(np.ceil(round(side * scale, 6) / STEP)) * STEP for side in (w, h))


def letterbox(img, width=WIDTH, height=HEIGHT):
    """The picture in the middle of a grey input; scale and offset to go back."""
    h, w = img.shape[:2]
    k = min(width / w, height / h)
    size = (max(1, round(w * k)), max(1, round(h * k)))
    small = cv2.resize(img, size, interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
    out = np.full((height, width, 3), 114, np.uint8)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    out[y:y + size[1], x:x + size[0]] = small
    return out, k, x, y


def nms(boxes, scores, threshold=0.45):
    keep = cv2.dnn.NMSBoxes(np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).tolist(), scores.tolist(), 0.0, threshold)
    return np.array(keep, int).reshape(-1)


def averaged(kept, boxes, scores, quads, same=0.6):
    """Boxes and quads of the kept candidates as the mean of all that speak of the same vehicle (vision/models/nms.ts)."""
    overlap = iou(boxes[kept], boxes)
    axis = lambda q: q.reshape(-1, 4, 2)[:, :2].sum(1) - q.reshape(-1, 4, 2)[:, 2:].sum(1)
    out_boxes, out_quads = boxes[kept].copy(), quads[kept].copy()
    for i, k in enumerate(kept):
        peers = np.where(overlap[i] >= same)[0]
        weight = scores[peers, None] / scores[peers].sum()
        turned = (axis(quads[peers]) * axis(quads[k:k + 1])).sum(1) < 0
        facing = np.where(turned[:, None], np.roll(quads[peers], 4, axis=1), quads[peers])
        out_boxes[i], out_quads[i] = (boxes[peers] * weight).sum(0), (facing * weight).sum(0)
    return out_boxes, out_quads


def torch_runner(net):
    """A function picture batch -> (boxes, scores, quads) over a PyTorch net; an ONNX session gives the same (evaluate.py)."""
    whole = Deployed(net).eval()

    def run(x):
        with torch.no_grad():
            return [o.numpy() for o in whole(torch.from_numpy(x))[:3]]
    return run


def detect(run, img, threshold=0.02, squeezed=1):
    """Detections of one RGB picture in its own pixels: boxes, vehicle score, class, quads.

    The score is that of car, bus and truck together, as the analysis takes it. A second look at half the size finds what fills the picture. `squeezed`: how many times too narrow its source made the picture, which
    is then seen at its true width.
    """
    if squeezed != 1:
        img = cv2.resize(img, (round(img.shape[1] * squeezed), img.shape[0]), interpolation=cv2.INTER_LINEAR)
    first, near = look(run, img, threshold), look(run, img, threshold, WIDTH * HEIGHT // 4)
    wanted = longest(near[0]) * near[4] >= NEAR_FROM
    b, v, c, q = (np.concatenate([f, n[wanted]]) for f, n in zip(first[:4], near[:4]))
    if len(b):
        kept = nms(b, v)
        kept = kept[whole(b[kept], v[kept], kept >= len(first[0]), longest(b[kept]) * first[4] >= LEAST_PART)]
        (b, q), v, c = averaged(kept, b, v, q), v[kept], c[kept]
    return b / np.array([squeezed, 1] * 2, np.float32), v, c, q / np.array([squeezed, 1] * 4, np.float32)


# As in vision/models/near-look.ts; NEAR_FROM goes into the manifest
NEAR_FROM, LEAST_PART, INSIDE = 140, 150, 0.8


def longest(boxes):
    return np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def look(run, img, threshold, most=WIDTH * HEIGHT):
    """One run over a picture with at most `most` pixels: boxes, vehicle score, class, quads in its own pixels, input pixels a picture pixel."""
    inp, k, x, y = letterbox(img, *input_size(img.shape[1], img.shape[0], most))
    b, s, q = (o[0] for o in run(np.ascontiguousarray(inp.transpose(2, 0, 1)[None].astype(np.float32) / 255)))
    vehicle = s[:, :3].sum(1)
    keep = np.where(vehicle > threshold)[0]
    keep = keep[np.argsort(-vehicle[keep])[:400]]
    off = np.array([x, y], np.float32)
    return (b[keep] - np.tile(off, 2)) / k, vehicle[keep], s[keep].argmax(1), (q[keep] - np.tile(off, 4)) / k, k


def whole(boxes, scores, near, large):
    """Which are not parts of near vehicles that the first look took for vehicles."""
    keep = np.ones(len(boxes), bool)
    for i in np.where(near)[0]:
        lo, hi = np.maximum(boxes[:, :2], boxes[i, :2]), np.minimum(boxes[:, 2:], boxes[i, 2:])
        inside = np.clip(hi - lo, 0, None).prod(1) / np.maximum(1e-6, (boxes[:, 2:] - boxes[:, :2]).prod(1))
        keep &= ~((inside > INSIDE) & (scores < scores[i]) & large & ~near)
    return keep


def average_precision(tp, score, total):
    order = np.argsort(-np.array(score), kind="stable")
    tp = np.array(tp, float)[order]
    recall, precision = np.cumsum(tp) / max(1, total), np.cumsum(tp) / np.arange(1, len(tp) + 1)
    env = np.maximum.accumulate(precision[::-1])[::-1] if len(tp) else np.zeros(0)
    ap, last = 0.0, 0.0
    for r, p in zip(recall, env):
        ap += (r - last) * p
        last = r
    return float(ap)


def evaluate(run, store, records, limit=None, unlabelled=None, find=None):
    """AP50 over car, bus, truck as one class; headings of matched vehicles that have a quad; false vehicles on empty pictures.

    `unlabelled`: by file, boxes (of the picture as stored) of vehicles that the labels leave out; `ap50Complete` counts what
    is found there neither for nor against, and `ap50Ceiling` is what perfect boxes in this detector's order would reach against
    the labels: every vehicle there is, labelled or not, and nothing else. `find` (picture -> what `detect` gives) measures
    another detector than `run`.
    """
    tp, score, real, total, headings, quad_errors = [], [], [], 0, [], []
    empty = false_on_empty = right_class = classed = 0
    perfect, perfect_score = [], []
    step = max(1, len(records) // limit) if limit else 1
    for r in records[::step]:
        img = store.picture(r)
        boxes, v, c, quads = find(img) if find else detect(run, img)
        truth = r.get("truth")
        gt = np.array(truth["boxes"], np.float32).reshape(-1, 4) * r["scale"] if truth else r["boxes"]
        cls = np.array(truth["cls"], int) if truth else r["cls"]
        is_vehicle = np.isin(cls, [-1, CAR, BUS, TRUCK])
        other, own = gt[~is_vehicle], gt[is_vehicle]
        own_cls, own_quads = cls[is_vehicle], (r["quads"][is_vehicle] if not truth else None)
        total += len(own)
        if len(own) == 0 and len(r["ignore"]) == 0:
            empty += 1
            false_on_empty += int((v > SCORE).sum())
        there = np.array((unlabelled or {}).get(r["file"], []), np.float32).reshape(-1, 4) * r["scale"]
        for every, labelled in ((own, 1), (there, 0)):
            perfect += [labelled] * len(every)
            perfect_score += np.where(iou(every, boxes) > 0.3, v, 0).max(1, initial=0).tolist()
        used = np.zeros(len(own), bool)
        for i in np.argsort(-v):
            o = iou(boxes[i:i + 1], own)[0] if len(own) else np.zeros(0)
            o = np.where(used, 0, o) if len(o) else o
            j = int(o.argmax()) if len(o) else -1
            if j >= 0 and o[j] >= 0.5:
                used[j] = True
                tp.append(1)
                score.append(v[i])
                real.append(True)
                if v[i] > SCORE and own_cls[j] >= 0:
                    classed += 1
                    right_class += int(c[i] == own_cls[j])
                if own_quads is not None and v[i] > SCORE and np.isfinite(own_quads[j]).all():
                    headings.append(heading_error(quads[i], own_quads[j]))
                    size = np.sqrt(max(1.0, (own[j][2:] - own[j][:2]).prod()))
                    quad_errors.append(float(np.abs(quads[i] - own_quads[j]).reshape(4, 2).mean() / size))
                continue
            # what overlaps a two-wheeler or an unknown is not counted
            if not truth and len(r["ignore"]) and covered(boxes[i], r["ignore"]) > 0.5:
                continue
            if len(other) and iou(boxes[i:i + 1], other)[0].max() > 0.5:
                continue
            tp.append(0)
            score.append(v[i])
            real.append(not len(there) or iou(boxes[i:i + 1], there)[0].max() < 0.4)
    out = {"pictures": len(records[::step]), "vehicles": total, "ap50": round(average_precision(tp, score, total), 3)}
    if unlabelled is not None:
        keep = np.array(real, bool)
        out["ap50Complete"] = round(average_precision(np.array(tp)[keep], np.array(score)[keep], total), 3)
        out["ap50Ceiling"] = round(average_precision(perfect, perfect_score, total), 3)
    if classed:
        out["class"] = round(right_class / classed, 3)
    if headings:
        h = np.array(headings)
        out["heading10"] = round(float((h < 10).mean()), 3)
        out["headingMedian"] = round(float(np.median(h)), 2)
        out["reversed"] = round(float((h > 90).mean()), 4)
        out["cornerError"] = round(float(np.mean(quad_errors)), 4)
    if empty:
        out["emptyPictures"], out["falseOnEmpty"] = empty, false_on_empty
    return out


def covered(box, regions):
    lo, hi = np.maximum(box[None, :2], regions[:, :2]), np.minimum(box[None, 2:], regions[:, 2:])
    return float((np.clip(hi - lo, 0, None).prod(1) / max(1.0, (box[2:] - box[:2]).prod())).max())


def heading_error(a, b):
    """Angle in the image, in degrees, between rear-to-front axes of two quads (fl fr rr rl)."""
    def axis(q):
        q = np.asarray(q).reshape(4, 2)
        v = (q[0] + q[1]) / 2 - (q[2] + q[3]) / 2
        return np.arctan2(v[1], v[0])
    d = np.degrees(axis(a) - axis(b))
    return abs((d + 180) % 360 - 180)
