"""How many two-wheelers and persons the detector finds, against what was looked at on pictures never trained on (labels/people.json) and on rendered stills."""
import json

import numpy as np

from detection_eval import NEAR_FROM, SCORE, TWO_WHEELER, average_precision, input_size, letterbox, longest, nms
from paths import TRAINING
from vehicle_data import MOTO, PERSON, Store, iou
from vehicle_net import HEIGHT, WIDTH

KINDS = {"two-wheeler": MOTO, "person": PERSON}
COUNTS_FROM = {"two-wheeler": TWO_WHEELER, "person": SCORE}
SAME = 0.4    # IoU: boxes of fifteen pixels that nobody drew to the pixel
LARGE = 24    # pixels of the longer side in the network's input from which one counts as large


def detect_people(run, img, threshold):
    """{class: (boxes in the picture's pixels, scores)} of two-wheelers and persons, as `analyse` sees a whole picture (vision/models/vehicle-detector.ts)."""
    h, w = img.shape[:2]
    seen = {MOTO: [], PERSON: []}
    for most, least in ((WIDTH * HEIGHT, 0), (WIDTH * HEIGHT // 4, NEAR_FROM)):
        inp, k, x, y = letterbox(img, *input_size(w, h, most))
        b, s, _ = (o[0] for o in run(np.ascontiguousarray(inp.transpose(2, 0, 1)[None].astype(np.float32) / 255)))
        group = np.stack([s[:, :3].sum(1), s[:, MOTO], s[:, PERSON]], 1)
        for i, c in ((1, MOTO), (2, PERSON)):
            keep = (group.argmax(1) == i) & (group[:, i] > threshold) & (longest(b) >= least)
            seen[c].append(((b[keep] - [x, y, x, y]) / k, group[keep, i]))
    out = {}
    for c, looks in seen.items():
        b, v = np.concatenate([l[0] for l in looks]), np.concatenate([l[1] for l in looks])
        keep = nms(b, v) if len(b) else []
        out[c] = (b[keep], v[keep])
    return out


def labelled(source):
    """By file, [(kind, box)] of the validation pictures of a source as stored."""
    out = {}
    for v in json.loads((TRAINING / "labels" / "people.json").read_text(encoding="utf-8")):
        folder, file = v["file"].split("/images/")
        if folder == f"vehicles/{source}":
            out.setdefault(file, []).append((v["kind"], v["box"]))
    return out


def truths(name):
    """(picture, {class: boxes}, unsure boxes) of every validation picture of a source, in the cache's pixels."""
    store, by_file = Store(name), labelled(name)
    for r in store.split(True):
        if name == "stills":
            yield store.picture(r), {c: r["boxes"][r["cls"] == c] for c in KINDS.values()}, r["ignore"]
            continue
        mine = by_file.get(r["file"], [])
        boxes = lambda kind: np.array([b for k, b in mine if k == kind], np.float32).reshape(-1, 4) * r["scale"]
        yield store.picture(r), {c: boxes(kind) for kind, c in KINDS.items()}, boxes("unsure")


def figures(run, name, threshold=None, floor=0.05):
    """For two-wheelers and persons: how many there are, found, found of the large ones, what is none (what lies on an unsure one counts neither way), and the AP at IoU 0.4."""
    told = {c: {"n": 0, "large": 0, "found": 0, "foundLarge": 0, "false": 0, "tp": [], "score": []} for c in KINDS.values()}
    for img, there, unsure in truths(name):
        seen = detect_people(run, img, floor)
        scale = letterbox(img, *input_size(img.shape[1], img.shape[0]))[1]
        for kind, c in KINDS.items():
            t, least = told[c], threshold or COUNTS_FROM[kind]
            own, (boxes, scores) = there[c], seen[c]
            other = np.concatenate([there[o] for o in there if o != c] + [unsure])
            large = longest(own) * scale >= LARGE if len(own) else np.zeros(0, bool)
            t["n"] += len(own)
            t["large"] += int(large.sum())
            used = np.zeros(len(own), bool)
            for b, v in zip(boxes, scores):
                o = np.where(used, 0, iou([b], own)[0]) if len(own) else np.zeros(1)
                if o.max() >= SAME:
                    j = int(o.argmax())
                    used[j] = True
                    t["tp"].append(1)
                    t["score"].append(v)
                    t["found"] += v >= least
                    t["foundLarge"] += v >= least and bool(large[j])
                elif not len(other) or iou([b], other)[0].max() < 0.3:
                    t["tp"].append(0)
                    t["score"].append(v)
                    t["false"] += v >= least
    out = {}
    for kind, c in KINDS.items():
        t = told[c]
        if t["n"]:
            out[kind] = {"there": t["n"], "found": int(t["found"]), "large": t["large"], "foundLarge": int(t["foundLarge"]), "false": int(t["false"]),
                         "ap40": round(average_precision(t["tp"], t["score"], t["n"]), 3)}
    return out
