"""Footprints for the real vehicles of the detector's caches, as an earlier detector sees them.

  python footprints_seen.py vehicles.pt elevated roads street-level expressway parking cctv-night-day

Nobody has drawn thousands of footprints on real pictures. What a detector that learnt them from rendered streets says there is
right more often than not; trained on at a small weight beside the exact ones of the renderer (`vehicle_augment.GUESSED`), it keeps
what was learnt alive while the real pictures teach boxes. Which end is the front is taken from `ends.py` where that knows (run it first),
and where somebody read off which way the lanes run (`lanes.py`), footprints are turned along them and weigh more (`straight`). So do
those that somebody looked at and found right (labels/footprints-confirmed.json); at street level and on pictures of the night, where guesses are as often wrong,
no others count. Pictures whose footprints were drawn by looking, to measure by, get none.
Only training pictures are written to.
"""
import json
import sys

import cv2
import numpy as np
import torch

from detection_eval import detect, torch_runner
from ends import SCENES
import lanes
from paths import TRAINING, scratch
from splits_make import scene_groups
from vehicle_data import BUS, CAR, TRUCK, Store, iou
from vehicle_net import VehicleNet

SCORE = 0.3
UNSURE = {"street-level", "cctv-night-day"}  # sources of which only footprints along known lanes, and confirmed ones, count
SAME = 0.65  # IoU of the boxes from which a detection speaks of a labelled vehicle


def front_is_far(quad):
    q = np.asarray(quad).reshape(4, 2)
    return (q[0] + q[1])[1] < (q[2] + q[3])[1]


def seen(record, found):
    """A footprint, or None, for each box of a record. `found`: boxes and quads of the detector."""
    boxes, quads = found
    out = []
    for box, cls, end in zip(record["boxes"], record["cls"], record["ends"]):
        o = iou([box], boxes)[0] if len(boxes) else np.zeros(1)
        if cls not in (-1, CAR, BUS, TRUCK) or o.max() < SAME:
            out.append(None)
            continue
        quad = quads[int(o.argmax())].astype(float)
        if np.isfinite(end) and front_is_far(quad) != bool(end):
            quad = np.roll(quad, 4)
        out.append(quad.round(2).tolist())
    return out


def unsqueezed(run, picture, by):
    """Boxes and quads of a picture that its source made `by` times too narrow, in its own pixels, but seen at its true width."""
    boxes, _, _, quads = detect(run, picture, SCORE, by)
    return boxes, quads


def labels(file, source):
    """By picture, the (box x1 y1 x2 y2, quad) entries of a label file for one source, in pixels of the picture as stored."""
    out = {}
    for v in json.loads((TRAINING / "labels" / file).read_text(encoding="utf-8")):
        folder, _, picture = v["file"].partition("/images/")
        if folder == f"vehicles/{source}":
            x, y, w, h = v["box"]
            out.setdefault(picture, []).append(([x, y, x + w, y + h], np.ravel(v["quad"])))
    return out


def main():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    net = VehicleNet()
    net.load_state_dict(torch.load(scratch(sys.argv[1]), map_location="cpu", weights_only=False)["ema"])
    run = torch_runner(net)
    for name in sys.argv[2:]:
        store, file = Store(name), scratch(f"vehicles-{name}.json")
        raw, told, turned = json.loads(file.read_text(encoding="utf-8")), 0, 0
        measured, confirmed = labels("footprints.json", name), labels("footprints-confirmed.json", name)
        roads = lanes.scenes(name, scene_groups(name, SCENES[name])) if name in SCENES else {}
        for r, out in zip(store.records, raw["records"]):
            if r["val"]:
                continue
            out["guesses"] = seen(r, unsqueezed(run, store.picture(r), r.get("squeezed", 1)))
            if r["file"] in measured:
                out["guesses"] = [None] * len(out["guesses"])
            road, out["straight"] = roads.get(r["file"]), [False] * len(out["guesses"])
            for i, g in enumerate(out["guesses"]):
                if road and g:
                    out["guesses"][i], out["straight"][i] = road.along(g, (r["w"], r["h"]))
            if name in UNSURE:
                out["guesses"] = [g if known else None for g, known in zip(out["guesses"], out["straight"])]
            for box, quad in confirmed.get(r["file"], []) if len(r["boxes"]) else []:
                o = iou([np.array(box) * r["scale"]], r["boxes"])[0]
                if o.max() > SAME:
                    out["guesses"][int(o.argmax())], out["straight"][int(o.argmax())] = (quad * r["scale"]).round(2).tolist(), True
            turned += sum(out["straight"])
            told += sum(q is not None for q in out["guesses"])
        file.with_suffix(".json.tmp").write_text(json.dumps(raw), encoding="utf-8")
        file.with_suffix(".json.tmp").replace(file)
        print(f"{name}: {told} footprints, {turned} of them along known lanes or confirmed", flush=True)


if __name__ == "__main__":
    main()
