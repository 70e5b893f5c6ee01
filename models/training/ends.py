"""Which end of a vehicle is nearer to the camera, for the road views that carry no footprints.

  python ends.py elevated roads street-level expressway cctv-night-day

On a road all vehicles of a lane drive the same way. The attribute network's view (front, rear, side) of each vehicle is
therefore voted over all pictures of a scene, by place: what one look gets wrong, its lane puts right. Labels made by looking go before
any vote. The end of each vehicle is written into the detector's caches (`ends`: 1 the nearer end is the rear, 0 the front, -1 unknown), training and
validation alike; how often the vote agrees with the labels made by looking is printed.
"""
import json
import sys

import cv2
import numpy as np

from attribute_data import crop, place
from attribute_net import HEADS
from onnx_model import shipped
from paths import DATA, TRAINING, scratch
from splits_make import scene_groups
from vehicle_data import BUS, CAR, TRUCK, Store, iou

# thresholds of splits_make.py; street-level pictures are single scenes
SCENES = {"elevated": 0.50, "roads": 0.45, "street-level": 0.60, "expressway": 0.60, "cctv-night-day": 0.65}
SMALLEST = 22  # pixels of the longer side: below, an end cannot be told from the other
REACH = 0.06   # of the picture's width: how far one vehicle speaks for another's lane
SURE = 1.6     # log odds from which a vote counts
FRONT, REAR = HEADS["view"].index("front"), HEADS["view"].index("rear")


def looks(store, session):
    """By picture: boxes, log odds of rear against front (NaN for what is too small or no vehicle)."""
    for r in store.records:
        img = store.picture(r)[..., ::-1]
        odds = np.full(len(r["boxes"]), np.nan)
        pics, at = [], []
        for i, (b, c) in enumerate(zip(r["boxes"], r["cls"])):
            x1, y1, x2, y2 = map(float, b)
            if c in (-1, CAR, BUS, TRUCK) and max(x2 - x1, y2 - y1) >= SMALLEST:
                pic, box = crop(img, x1, y1, x2 - x1, y2 - y1)
                pics.append(place(None, np.ascontiguousarray(pic), box))
                at.append(i)
        if pics:
            x = np.ascontiguousarray(np.stack(pics).transpose(0, 3, 1, 2)).astype(np.float32) / 255
            p = session.run(["view"], {"images": x})[0]
            odds[at] = np.log((p[:, REAR] + 0.02) / (p[:, FRONT] + 0.02)) * (1 - p[:, HEADS["view"].index("side")])
        yield r, odds


def voted(pictures):
    """Log odds of each vehicle after the vote of its scene. `pictures`: [(record, odds)] of one scene."""
    places, odds = [], []
    for r, o in pictures:
        foot = np.stack([(r["boxes"][:, 0] + r["boxes"][:, 2]) / 2, r["boxes"][:, 3]], 1) / r["w"] if len(r["boxes"]) else np.zeros((0, 2))
        places.append(foot)
        odds.append(o)
    every, value = np.concatenate(places), np.concatenate(odds)
    heard = np.isfinite(value)
    out = []
    for foot, own in zip(places, odds):
        if not heard.any() or len(foot) == 0:
            out.append(np.full(len(foot), np.nan))
            continue
        weight = np.exp(-((foot[:, None] - every[None, heard]) ** 2 / (2 * REACH ** 2) * [1, 0.4]).sum(-1))
        total = (weight * value[heard]).sum(1) / np.maximum(np.sqrt(weight.sum(1)), 1.0)
        out.append(np.where(np.isfinite(own), total, np.nan))
    return out


def main():
    cv2.setNumThreads(1)
    session = shipped("attributes-v1.onnx")
    known = {}
    for v in json.loads((TRAINING / "labels" / "vehicle-attributes.json").read_text(encoding="utf-8")):
        if v.get("view") in ("front", "rear"):
            known.setdefault(v["file"], []).append(v)
    for name in sys.argv[1:]:
        store = Store(name)
        by_file = {r["file"]: (r, o) for r, o in looks(store, session)}
        ends = {}
        for scene in scene_groups(name, SCENES[name]):
            pictures = [by_file[f] for f in scene if f in by_file]
            for (r, _), odds in zip(pictures, voted(pictures)):
                ends[r["file"]] = np.where(np.nan_to_num(odds) > SURE, 1, np.where(np.nan_to_num(odds) < -SURE, 0, -1))
        right = asked = told = alone = 0
        for file, vehicles in known.items():
            if not file.startswith(f"vehicles/{name}/"):
                continue
            r, odds = by_file[file.split("/images/")[1]]
            for v in vehicles:
                x, y, w, h = (c * r["scale"] for c in v["box"])
                o = iou([[x, y, x + w, y + h]], r["boxes"])[0] if len(r["boxes"]) else np.zeros(1)
                if o.max() < 0.5:
                    continue
                i, rear = int(o.argmax()), v["view"] == "rear"
                asked += 1
                alone += int(np.isfinite(odds[i]) and (odds[i] > 0) == rear)
                told += int(ends[r["file"]][i] >= 0)
                right += int(ends[r["file"]][i] == int(rear))
                ends[r["file"]][i] = int(rear)
        file = scratch(f"vehicles-{name}.json")
        raw = json.loads(file.read_text(encoding="utf-8"))
        for r in raw["records"]:
            r["ends"] = [int(e) for e in ends[r["file"]]]
        file.with_suffix(".json.tmp").write_text(json.dumps(raw), encoding="utf-8")
        file.with_suffix(".json.tmp").replace(file)
        every = np.concatenate(list(ends.values()))
        print(f"{name}: {int((every >= 0).sum())} of {len(every)} ends told ({int((every == 1).sum())} rear); of {asked} labelled by looking one look is right for {alone}, "
              f"the vote for {right} of the {told} it tells", flush=True)


if __name__ == "__main__":
    main()
