"""Labels for pictures that have none, as two networks see them: a trained detector in several views of each picture, and the teacher.

  python seen_source.py vehicles.pt cctv-night-day

Writes the source's cache for the detector's training (there is no validation side: nothing here is known for sure). A vehicle is what
the detector sees in nearly all its views, or in half of them and the teacher too; what either of them half sees is unknown; the rest is background.
The cameras stand still: what is seen at one place in much of a camera's pictures is a sign or a caption and no vehicle, unless the teacher sees it too; what else was found to
be none by looking stands in labels/no-vehicles.json.
Of footprints only those along lanes are taken (`footprints_seen.py`).
"""
import sys

import cv2
import numpy as np
import torch

from detection_eval import detect, nms, torch_runner
from paths import DATA, scratch
from relabel import no_vehicles
from splits_make import scene_groups
from teacher import Teacher
from vehicle_data import WIDEST, Writer, iou
from vehicle_net import CLASSES, VehicleNet

VIEWS = ((1.0, False), (1.0, True), (0.62, False), (0.62, True))  # share of the picture's sides that one look takes in, and whether mirrored
SURE, LIKELY, HALF = 0.42, 0.25, 0.1    # mean of the detector's scores over the views
TEACHER_LIKELY, TEACHER_HALF = 0.35, 0.2
SAME = 0.5
SCENE = 0.5              # likeness of two pictures of one scene (splits_make.py); 0.65 parts days from nights, and in so small groups queues count as fixed
FIXED, FEWEST = 0.35, 8  # share of a camera's pictures in which a thing that stays is seen, of at least so many pictures


def looks(run, rgb):
    """(boxes, scores, classes) of each view of a picture, in the picture's pixels."""
    h, w = rgb.shape[:2]
    out = []
    for share, mirrored in VIEWS:
        tw, th = round(w * share), round(h * share)
        boxes, scores, classes = [], [], []
        for x in sorted({0, w - tw}):
            for y in sorted({0, h - th}):
                part = rgb[y:y + th, x:x + tw]
                b, v, c, _ = detect(run, np.ascontiguousarray(part[:, ::-1] if mirrored else part), HALF / 2)
                if mirrored:
                    b = np.stack([tw - b[:, 2], b[:, 1], tw - b[:, 0], b[:, 3]], 1)
                # what the inner edge of a part cuts is seen whole in the next one
                cut = ((x > 0) & (b[:, 0] < 3)) | ((x + tw < w) & (b[:, 2] > tw - 3)) | ((y > 0) & (b[:, 1] < 3)) | ((y + th < h) & (b[:, 3] > th - 3))
                boxes.append(b[~cut] + [x, y, x, y])
                scores.append(v[~cut])
                classes.append(c[~cut])
        b, v, c = np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes)
        keep = nms(b, v) if len(b) else []
        out.append((b[keep], v[keep], c[keep]))
    return out


def agreed(views):
    """(box, mean score over all views, class) of what the views at least half see; a view that sees nothing there counts as 0."""
    b, v, c = (np.concatenate([view[i] for view in views]) for i in range(3))
    told = []
    for i in (nms(b, v) if len(b) else []):
        same, score = [], 0.0
        for vb, vv, _ in views:
            o = iou(b[i:i + 1], vb)[0] if len(vb) else np.zeros(1)
            if o.max() >= SAME:
                j = int(o.argmax())
                same.append((vb[j], vv[j]))
                score += float(vv[j])
        weight = np.array([s for _, s in same])
        if score / len(views) >= HALF:
            told.append(((np.stack([k for k, _ in same]) * weight[:, None]).sum(0) / weight.sum(), score / len(views), int(c[i])))
    return told


def support(box, taught):
    """The teacher's score of a box, 0 where it sees none."""
    o = iou([box], [t[:4] for t in taught])[0] if taught else np.zeros(1)
    return float(taught[int(o.argmax())][4]) if o.max() > 0.45 else 0.0


def fixtures(pictures):
    """What stays at its place in the pictures of one camera: boxes, and whether each may be a vehicle that parks all day. `pictures`: [(found, taught)]."""
    if len(pictures) < FEWEST:
        return []
    boxes = np.array([f[0] for found, _ in pictures for f in found], np.float32).reshape(-1, 4)
    at = np.repeat(np.arange(len(pictures)), [len(found) for found, _ in pictures])
    out = []
    for box in boxes:
        if out and iou([box], [b for b, _ in out])[0].max() > 0.6:
            continue
        there = np.unique(at[iou([box], boxes)[0] > 0.6])
        if len(there) >= FIXED * len(pictures):
            out.append((box, np.mean([support(box, pictures[j][1]) > TEACHER_HALF for j in there]) > 0.25))
    return out


def in_several(scenes):
    """What stays at one place in the pictures of more than one camera: the owner's captions, which are there even when a camera turns."""
    return [(box, may) for i, stays in enumerate(scenes) for box, may in stays
            if any(iou([box], [b for b, _ in other])[0].max(initial=0) > 0.6 for other in scenes[:i] if other)]


def labelled(found, taught, fixed=()):
    """(boxes, classes, ignore) out of what the detector's views agree on, what the teacher saw (x1 y1 x2 y2 score name), and what stays at its place."""
    boxes, cls, ignore = [], [], []
    places = [b for b, _ in fixed]
    for box, score, c in sorted(found, key=lambda f: -f[1]):
        o = iou([box], places)[0] if places else np.zeros(1)
        if o.max() > 0.6:
            if fixed[int(o.argmax())][1]:
                ignore.append(box.tolist())
            continue
        if score >= SURE or (score >= LIKELY and support(box, taught) >= TEACHER_LIKELY):
            boxes.append(box.tolist())
            cls.append(c)
        else:
            ignore.append(box.tolist())
    own = np.array(boxes, np.float32).reshape(-1, 4)
    for x1, y1, x2, y2, score, name in taught:
        b = [x1, y1, x2, y2]
        if len(own) and iou([b], own)[0].max() > 0.3:
            continue
        if name in ("person", "motorcycle") and score > 0.45 and y2 - y1 > 14:
            boxes.append(b)
            cls.append(CLASSES.index(name))
        elif score > TEACHER_HALF:
            ignore.append(b)
    return boxes, cls, ignore


def main():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    net = VehicleNet()
    net.load_state_dict(torch.load(scratch(sys.argv[1]), map_location="cpu", weights_only=False)["ema"])
    run, teacher = torch_runner(net), Teacher()
    for name in sys.argv[2:]:
        files = sorted((DATA / "vehicles" / name / "images").glob("*.jpg"))
        told = {}
        for i, f in enumerate(files):
            bgr = cv2.imread(str(f))
            told[f.name] = agreed(looks(run, np.ascontiguousarray(bgr[..., ::-1]))), teacher.detect(bgr)
            if i % 50 == 49:
                print(name, i + 1, "of", len(files), "pictures seen", flush=True)
        scenes = [(scene, fixtures([told[f] for f in scene])) for scene in scene_groups(name, SCENE)]
        captions = in_several([stays for _, stays in scenes])
        known = {f: [(np.array(b), False) for b in boxes] for f, boxes in no_vehicles(name, SCENE).items()}
        fixed = {f: stays + captions + known.get(f, []) for scene, stays in scenes for f in scene}
        w, vehicles = Writer(name, len(files) * WIDEST * WIDEST * 3), 0
        for f in files:
            boxes, cls, ignore = labelled(*told[f.name], fixed[f.name])
            vehicles += sum(c <= 2 for c in cls)
            w.add(f.name, cv2.imread(str(f)), False, boxes, cls, ignore=ignore)
        w.close()
        print(name, vehicles, "vehicles,", len({tuple(b) for stays in fixed.values() for b, _ in stays}), "things that stay at their places", flush=True)


if __name__ == "__main__":
    main()
