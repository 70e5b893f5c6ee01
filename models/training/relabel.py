"""Complete the detector's training labels with what two networks agree on: a trained detector and the teacher.

  python relabel.py vehicles.pt elevated roads expressway street-level

Many sets label only near vehicles or some of a queue. What the teacher saw there is unknown so far (an ignore box); where the
detector sees a vehicle as well, it becomes one, and so does what the detector alone is very sure of. What the teacher half saw and
the detector does not see at all is background after all. The rest of what only one of them sees stays, or becomes, unknown.
Captions and signs that both take for vehicles time and again are known by looking (labels/no-vehicles.json) and stay background.
Validation pictures are left as they are.
Run it before `ends.py` and `footprints_seen.py`, which write one entry a box.
"""
import json
import sys

import cv2
import numpy as np
import torch

from detection_eval import detect, input_size, letterbox, torch_runner
from ends import SCENES
from paths import TRAINING, scratch
from splits_make import scene_groups
from vehicle_data import Store, iou
from vehicle_net import VehicleNet

SURE, DOUBTFUL = 0.5, 0.3
ALONE = 0.62   # of the detector, without the teacher
NOTHING = 0.1  # of the detector, for anything it knows: below, it sees nothing there
HALF = 0.35    # of the teacher


def settled(ignore, seen, teacher):
    """Ignore boxes without those that the teacher half saw and the detector does not see. `seen`: boxes of whatever the detector gives NOTHING or more; `teacher`: boxes it was surer of."""
    kept = [b for b in ignore if (len(seen) and iou([b], seen)[0].max() > 0.2) or (len(teacher) and iou([b], teacher)[0].max() > 0.9)]
    return kept, len(ignore) - len(kept)


def completed(boxes, cls, ignore, found, nothing=()):
    """(boxes, classes, ignore, number added) of one picture; `found`: boxes, scores and classes of the detector; `nothing`: where no vehicle is."""
    boxes, cls = boxes.tolist(), list(cls)
    ignore = [list(b) for b in ignore if not len(nothing) or iou([b], nothing)[0].max() < 0.45]
    added = 0
    for b, score, c in found:
        if c > 2 or score < DOUBTFUL or (len(nothing) and iou([b], nothing)[0].max() > 0.45):
            continue
        if boxes and iou([b], boxes)[0].max() > 0.3:
            continue
        o = iou([b], ignore)[0] if ignore else np.zeros(1)
        if (score >= SURE and o.max() > 0.45) or score >= ALONE:
            if o.max() > 0.45:
                ignore.pop(int(o.argmax()))
            boxes.append([float(v) for v in b])
            cls.append(int(c))
            added += 1
        elif o.max() < 0.7:
            ignore.append([float(v) for v in b])
    return boxes, cls, ignore, added


def no_vehicles(source, likeness):
    """By file, boxes (pixels of the picture as stored) of what stands at its place in all pictures of a scene and is no vehicle.

    `likeness`: from which two pictures are of one scene (splits_make.scene_groups).
    """
    out, groups = {}, None
    for label in json.loads((TRAINING / "labels" / "no-vehicles.json").read_text(encoding="utf-8")):
        folder, file = label["like"].split("/images/")
        if folder == f"vehicles/{source}":
            groups = groups or scene_groups(source, likeness)
            for name in next(g for g in groups if file in g):
                out.setdefault(name, []).append(label["box"])
    return out


def anything(run, picture):
    """Boxes of whatever the detector gives NOTHING or more, people and two-wheelers among it."""
    x, k, left, top = letterbox(picture, *input_size(picture.shape[1], picture.shape[0]))
    boxes, scores, _ = (o[0] for o in run(np.ascontiguousarray(x.transpose(2, 0, 1)[None].astype(np.float32) / 255)))
    return (boxes[scores.sum(1) > NOTHING] - [left, top, left, top]) / k


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
        teacher = json.loads(scratch(f"teacher-{name}.json").read_text(encoding="utf-8"))
        nothing = no_vehicles(name, SCENES[name])
        total = dropped = pictures = 0
        for r, out in zip(store.records, raw["records"]):
            if r["val"] or out.get("completed"):
                continue
            picture = store.picture(r)
            b, v, c, _ = detect(run, picture)
            half = np.array([t[:4] for t in teacher.get(r["file"], []) if t[4] > HALF], np.float32).reshape(-1, 4) * r["scale"]
            ignore, fewer = settled(r["ignore"].tolist(), anything(run, picture), half)
            dropped += fewer
            boxes, cls, ignore, added = completed(r["boxes"], r["cls"], ignore, list(zip(b, v, c)), np.array(nothing.get(r["file"], [])) * r["scale"])
            out.update(boxes=boxes, cls=[int(k) for k in cls], ignore=ignore, quads=out["quads"] + [None] * added, completed=True)
            for one_a_box in ("guesses", "straight"):  # footprints_seen.py says them anew
                out.pop(one_a_box, None)
            out.pop("ends", None)
            total += added
            pictures += 1
            if pictures % 100 == 0:
                print(name, pictures, "pictures", total, "vehicles added", dropped, "unknown ones found to be none", flush=True)
        file.with_suffix(".json.tmp").write_text(json.dumps(raw), encoding="utf-8")
        file.with_suffix(".json.tmp").replace(file)
        print(name, pictures, "pictures", total, "vehicles added", dropped, "unknown ones found to be none", flush=True)


if __name__ == "__main__":
    main()
