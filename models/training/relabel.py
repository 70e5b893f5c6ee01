"""Complete the detector's training labels with what two networks agree on: a trained detector and the teacher.

  python relabel.py vehicles.pt elevated roads expressway street-level

Many sets label only near vehicles or some of a queue. What the teacher saw there is unknown so far (an ignore box); where the
detector sees a vehicle as well, it becomes one. What only one of them sees stays, or becomes, unknown. Validation pictures
are left as they are.
"""
import json
import sys

import cv2
import numpy as np
import torch

from detection_eval import detect, torch_runner
from paths import scratch
from vehicle_data import Store, iou
from vehicle_net import VehicleNet

SURE, DOUBTFUL = 0.5, 0.3


def completed(boxes, cls, ignore, found):
    """(boxes, classes, ignore, number added) of one picture; `found`: boxes, scores and classes of the detector."""
    boxes, cls, ignore = boxes.tolist(), list(cls), ignore.tolist()
    added = 0
    for b, score, c in found:
        if c > 2 or score < DOUBTFUL:
            continue
        if boxes and iou([b], boxes)[0].max() > 0.3:
            continue
        o = iou([b], ignore)[0] if ignore else np.zeros(1)
        if score >= SURE and o.max() > 0.45:
            ignore.pop(int(o.argmax()))
            boxes.append([float(v) for v in b])
            cls.append(int(c))
            added += 1
        elif o.max() < 0.7:
            ignore.append([float(v) for v in b])
    return boxes, cls, ignore, added


def main():
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    net = VehicleNet()
    net.load_state_dict(torch.load(scratch(sys.argv[1]), map_location="cpu", weights_only=False)["ema"])
    run = torch_runner(net)
    for name in sys.argv[2:]:
        store = Store(name)
        file = scratch(f"vehicles-{name}.json")
        raw = json.loads(file.read_text(encoding="utf-8"))
        total = pictures = 0
        for r, out in zip(store.records, raw["records"]):
            if r["val"] or out.get("completed"):
                continue
            b, v, c, _ = detect(run, store.picture(r))
            boxes, cls, ignore, added = completed(r["boxes"], r["cls"], r["ignore"], list(zip(b, v, c)))
            out.update(boxes=boxes, cls=[int(k) for k in cls], ignore=ignore, quads=out["quads"] + [None] * added, completed=True)
            total += added
            pictures += 1
            if pictures % 100 == 0:
                print(name, pictures, "pictures", total, "vehicles added", flush=True)
        file.with_suffix(".json.tmp").write_text(json.dumps(raw), encoding="utf-8")
        file.with_suffix(".json.tmp").replace(file)
        print(name, pictures, "pictures", total, "vehicles added", flush=True)


if __name__ == "__main__":
    main()
