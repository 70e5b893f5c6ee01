"""Footprints for the real vehicles of the detector's caches, as an earlier detector sees them.

  python footprints_seen.py vehicles.pt elevated roads street-level expressway parking

Nobody has drawn thousands of footprints on real pictures. What a detector that learnt them from rendered streets says there is
right more often than not; trained on at a small weight beside the exact ones of the renderer (`vehicle_augment.GUESSED`), it keeps
what was learnt alive while the real pictures teach boxes. Which end is the front is taken from `ends.py` where that knows (run it first).
Only training pictures are written to.
"""
import json
import sys

import cv2
import numpy as np
import torch

from detection_eval import detect, torch_runner
from paths import scratch
from vehicle_data import BUS, CAR, TRUCK, Store, iou
from vehicle_net import VehicleNet

SCORE = 0.3
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


def main():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    net = VehicleNet()
    net.load_state_dict(torch.load(scratch(sys.argv[1]), map_location="cpu", weights_only=False)["ema"])
    run = torch_runner(net)
    for name in sys.argv[2:]:
        store, file = Store(name), scratch(f"vehicles-{name}.json")
        raw, told = json.loads(file.read_text(encoding="utf-8")), 0
        for r, out in zip(store.records, raw["records"]):
            if r["val"]:
                continue
            boxes, _, _, quads = detect(run, store.picture(r), SCORE)
            out["guesses"] = seen(r, (boxes, quads))
            told += sum(q is not None for q in out["guesses"])
        file.with_suffix(".json.tmp").write_text(json.dumps(raw), encoding="utf-8")
        file.with_suffix(".json.tmp").replace(file)
        print(f"{name}: {told} footprints", flush=True)


if __name__ == "__main__":
    main()
