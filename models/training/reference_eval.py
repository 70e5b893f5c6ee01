"""AP50 of YOLOX-nano on the validation pictures that the detector is measured on: how hard this split is, said by a detector everyone knows.

It was trained on COCO, not on these sources, and sees the picture whole at 416 x 416, or over overlapping tiles (teacher.py).
"""
import cv2
import numpy as np

from detection_eval import evaluate
from paths import scratch
from teacher import COCO, Teacher
from vehicle_data import Store

VEHICLES = {"car": 2, "bus": 5, "truck": 7}
THRESHOLD = 0.02


def arrays(found):
    """[x1 y1 x2 y2 score name] rows as what `detection_eval.detect` gives; footprints it has none."""
    found = [f for f in found if f[5] in VEHICLES]
    boxes = np.array([f[:4] for f in found], np.float32).reshape(-1, 4)
    return boxes, np.array([f[4] for f in found], np.float32), np.zeros(len(found), int), np.full((len(found), 8), np.nan, np.float32)


def whole(teacher, bgr):
    d = teacher.tile(bgr, THRESHOLD)
    corners_sizes = np.concatenate([d[:, :2], d[:, 2:4] - d[:, :2]], 1).tolist()
    keep = np.array(cv2.dnn.NMSBoxes(corners_sizes, d[:, 4].tolist(), THRESHOLD, 0.5) if len(d) else [], int).reshape(-1)
    return [[*map(float, d[i, :5]), COCO[int(d[i, 5])]] for i in keep]


def figures(sources=("elevated", "roads")):
    """By source: AP50 over the whole picture and over tiles."""
    teacher, out = Teacher(), {}
    for name in sources:
        if not scratch(f"vehicles-{name}.json").exists():
            continue
        store = Store(name)
        ways = {"whole": lambda bgr: whole(teacher, bgr), "tiles": lambda bgr: teacher.detect(bgr, THRESHOLD)}
        out[name] = {way: evaluate(None, store, store.split(True), find=lambda img, see=see: arrays(see(np.ascontiguousarray(img[..., ::-1]))))["ap50"] for way, see in ways.items()}
    return out
