"""The truth files of a clip, from the scenario alone (geometry and exact depth, no picture)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np

from .camera import Camera
from .collide import overlap
from .plates import Plate
from .renderer import Placed
from .scenario import Scenario
from .street import footprint
from .timeline import FPS, State, sample
from .truth import describe, plate_corners, polygon_area
from .visibility import Occlusion

#: a plate counts as readable when this share of it is seen and it is at least this wide in the picture (px)
READABLE_SHARE, READABLE_WIDTH = 0.95, 50.0


class _Shape:
    """The part of a renderer's model that truth needs."""

    def __init__(self, src):
        self.src = src


def place(sc: Scenario, states: dict[str, list[State | None]], f: int) -> list[Placed]:
    """Vehicles of a frame without any GPU buffers."""
    out = []
    for i, a in enumerate(sc.actors):
        st = states[a.key][f]
        if st is None:
            continue
        size = (0.44, 0.14) if a.plate is None else (a.plate.size_mm[0] / 1000, a.plate.size_mm[1] / 1000)
        out.append(Placed(i + 1, _Shape(sc.models[a.key]), st.pose, (0, 0, 0), a.plate, size))
    return out


def _spans(frames: list[int]) -> list[list[int]]:
    out: list[list[int]] = []
    for f in frames:
        if out and f == out[-1][1] + 1:
            out[-1][1] = f
        else:
            out.append([f, f])
    return out


def write_truth(sc: Scenario, out: Path) -> None:
    """``<clip>.truth.json`` and ``<clip>.frames.jsonl.gz``."""
    n = sc.seconds * FPS
    states = {a.key: sample(a, sc.models[a.key], n, sc.dark, sc.hold) for a in sc.actors}
    keys = {i + 1: a.key for i, a in enumerate(sc.actors)}
    occlusion = Occlusion(sc.camera)
    cache: dict[tuple, list[dict]] = {}
    readable: dict[str, list[int]] = {}
    lines = []
    for f in range(n):
        placed = [p for p in place(sc, states, f) if 0 < p.pose[0] < 110]
        key = tuple((p.ident, p.pose) for p in placed)
        if key not in cache:
            cache.clear()
            cache[key] = _frame(placed, keys, occlusion, sc.camera)
        rows = cache[key]
        for r in rows:
            if r["plate"] and r["plateVisible"] >= READABLE_SHARE:
                q = np.array(r["plate"])
                if np.linalg.norm(q[1] - q[0]) >= READABLE_WIDTH:
                    readable.setdefault(r["id"], []).append(f)
        lines.append(json.dumps({"f": f, "vehicles": rows}, ensure_ascii=False, separators=(",", ":")))
    # mtime 0: the same truth gives the same bytes
    with (out / f"{sc.name}.frames.jsonl.gz").open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as z:
        z.write(("\n".join(lines) + "\n").encode())
    truth = {
        "clip": f"{sc.name}.mp4",
        "codec": sc.codec,
        "fps": FPS,
        "width": sc.camera.width,
        "height": sc.camera.height,
        "gopFrames": 50,
        "frames": n,
        "seed": sc.seed,
        "light": sc.light.name,
        "camera": {
            "deviceHint": sc.device_hint,
            "homography": [[float(v) for v in row] for row in sc.camera.homography()],
            "position": list(sc.camera.position),
            "target": list(sc.camera.target),
            "focalPx": sc.camera.focal,
        },
        "notes": "box: amodal extent of the vehicle clipped to the picture; visible: seen share of its silhouette (hidden by other vehicles); ground in metres",
        "berths": [_berth(b, sc.camera) for b in sc.layout.berths],
        "vehicles": [
            {
                "id": a.key,
                "class": sc.models[a.key].cls,
                "type": sc.models[a.key].type,
                "colour": a.colour,
                "plate": _plate(a.plate),
                "lengthM": round(sc.models[a.key].length, 3),
                "widthM": round(sc.models[a.key].width, 3),
            }
            for a in sc.actors
        ],
        "visits": [_visit(sc, a, states[a.key], readable.get(a.key, [])) for a in sc.actors if a.berth],
    }
    (out / f"{sc.name}.truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _plate(p: Plate | None) -> dict | None:
    return None if p is None else {"text": p.text, "colour": p.colour, "rows": p.rows}


def _berth(b, cam: Camera) -> dict:
    c = np.array(b.corners)
    q = cam.project(np.c_[c, np.zeros(4)])
    d = [float(np.cos(b.heading)), float(np.sin(b.heading))]
    return {
        "id": b.id,
        "number": b.number,
        "kind": b.kind,
        "polygon": [[round(float(v), 1) for v in p] for p in q],
        "ground": [[round(float(v), 3) for v in p] for p in c],
        "lengthM": b.length,
        "widthM": b.width,
        "drivingDirection": [round(v, 5) for v in d],
    }


def _frame(placed: list[Placed], keys: dict[int, str], occlusion: Occlusion, cam: Camera) -> list[dict]:
    rows = []
    occlusion.set(placed)
    for p in placed:
        d = describe(p, cam, None)
        if d is None:
            continue
        plate = d["plate"]
        share = 0.0
        if plate is not None:
            k = next(i for i in range(len(p.model.src.mounts)) if np.allclose(np.round(cam.project(plate_corners(p, i)), 1), plate, atol=0.11))
            share = occlusion.plate_share(p, k)
            if share < 0.05 or polygon_area(np.array(plate)) < 30:
                plate, share = None, 0.0
        rows.append({"id": keys[p.ident], "box": d["box"], "quad": d["quad"], "plate": plate, "plateVisible": round(share, 2), "visible": round(occlusion.visible(p), 3)})
    return rows


def _visit(sc: Scenario, a, states: list[State | None], readable: list[int]) -> dict:
    m = sc.models[a.key]
    berth = np.array(next(b.corners for b in sc.layout.berths if b.id == a.berth))
    out = {"berth": a.berth, "vehicle": a.key, "enteredFrame": None, "leftFrame": None, "plateReadableFrames": _spans(readable)}
    if a.stays:
        return out
    rest = None
    for f in range(1, len(states)):
        s, p = states[f], states[f - 1]
        inside = s is not None and overlap(footprint(s.pose, m.length, m.width), berth)
        still = s is not None and p is not None and np.hypot(s.pose[0] - p.pose[0], s.pose[1] - p.pose[1]) < 0.0008
        if rest is None and inside and still and f + 25 < len(states) and states[f + 25] and np.hypot(states[f + 25].pose[0] - s.pose[0], states[f + 25].pose[1] - s.pose[1]) < 0.01:
            # at rest and still there a second later, in the berth and not beside it before backing in
            c = np.mean(footprint(s.pose, m.length, m.width), axis=0)
            if np.linalg.norm(c - berth.mean(0)) < 0.9:
                rest = f
        if rest is not None and not inside:
            out["leftFrame"] = f
            break
    out["enteredFrame"] = rest
    return out
