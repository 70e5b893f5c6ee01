"""Measure the ONNX files on the demo clips (test/fixtures/scenes): vehicles, empty berths, plates voted over key frames.

  python evaluate_clips.py [--every 50] [--look DIR]

For steering and for the card only; no frame of a clip is ever trained on. Python stand-in for the analysis: one region that
holds all berths (two halves for long rows are not imitated), best plate of each vehicle's crop, vote by whole text.
"""
import argparse
import collections
import gzip
import json
import pathlib

import cv2
import numpy as np

import plate_net
from detection_eval import SCORE as SCORE_VEHICLE, detect, heading_error
from evaluate import SCORE, find, read, session
from paths import MODELS
from plates_synth import unstack
from reader_data import MX, MY, PH, PW, canvas_from_corners
from vehicle_data import iou
from vehicle_net import HEIGHT, WIDTH

FIXTURES = MODELS.parent / "test" / "fixtures" / "scenes"


def region(berths, w, h):
    """The berths' box, half a berth more on each side and 0.8 above, widened to the input's aspect (vision/models/regions.ts)."""
    polys = [np.array(b["polygon"], float) for b in berths]
    size = np.mean([np.hypot(*(p.max(0) - p.min(0))) for p in polys])
    allp = np.concatenate(polys)
    x0, y0 = allp.min(0) - [size * 0.5, size * 0.8]
    x1, y1 = allp.max(0) + size * 0.5
    bw, bh = min(w, x1 - x0), min(h, y1 - y0)
    aspect = WIDTH / HEIGHT
    bw, bh = (min(w, bh * aspect), bh) if bw / bh < aspect else (bw, min(h, bw / aspect))
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    x0, y0 = min(max(0, cx - bw / 2), w - bw), min(max(0, cy - bh / 2), h - bh)
    return int(x0), int(y0), int(x0 + bw), int(y0 + bh)


def plate_of(finder, reader, img, box):
    """Best plate of one vehicle: (score, corners, text, confidence) or None."""
    x0, y0, x1, y1 = box
    mx, my = (x1 - x0) * 0.05, (y1 - y0) * 0.05
    x0, y0, x1, y1 = x0 - mx, y0 - my, x1 + mx, y1 + my
    k = min(plate_net.WIDTH / (x1 - x0), plate_net.HEIGHT / (y1 - y0))
    ox, oy = (plate_net.WIDTH - k * (x1 - x0)) / 2, (plate_net.HEIGHT - k * (y1 - y0)) / 2
    m = np.array([[k, 0, ox - k * x0], [0, k, oy - k * y0]])
    inp = cv2.warpAffine(img, m, (plate_net.WIDTH, plate_net.HEIGHT), flags=cv2.INTER_AREA if k < 0.9 else cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(114, 114, 114))
    gx, gy = int(round(ox)), int(round(oy))
    inp[:gy], inp[plate_net.HEIGHT - gy:], inp[:, :gx], inp[:, plate_net.WIDTH - gx:] = 114, 114, 114, 114
    score, c = find(finder, inp)
    if score < SCORE:
        return None
    c = ((c - m[:, 2]) / k).astype(np.float32)
    texts, colours, rows, flags, _ = read(reader, [canvas_from_corners(img, *c)])
    text = texts[0]
    if rows[0] == 2:
        m = cv2.getPerspectiveTransform(c, np.array([[0, 0], [330, 0], [330, 165], [0, 165]], np.float32))
        strip = unstack(cv2.warpPerspective(img, m, (330, 165), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), PW, PH)
        text = read(reader, [cv2.copyMakeBorder(strip, MY, MY, MX, MX, cv2.BORDER_REPLICATE)], [False])[0][0]
    return score, c, text, colours[0], rows[0], flags[0]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--every", type=int, default=50)
    ap.add_argument("--threshold", type=float, default=SCORE_VEHICLE)
    ap.add_argument("--no-plates", action="store_true")
    ap.add_argument("--look", type=pathlib.Path)
    ap.add_argument("--fixtures", type=pathlib.Path, default=FIXTURES)
    a = ap.parse_args()
    cv2.setNumThreads(1)
    det, finder, reader = session("vehicles-v1.onnx"), session("plates-v1.onnx"), session("plate-reader-v1.onnx")
    run = lambda x: det.run(["boxes", "scores", "quads"], {"images": x})
    for truth_file in sorted(a.fixtures.glob("*.truth.json")):
        truth = json.loads(truth_file.read_text(encoding="utf-8"))
        frames = [json.loads(x) for x in gzip.decompress(truth_file.with_name(truth_file.name.replace(".truth.json", ".frames.jsonl.gz")).read_bytes()).decode().splitlines()]
        by_frame = {f["f"]: f["vehicles"] for f in frames}
        known = {v["id"]: v for v in truth["vehicles"]}
        video = cv2.VideoCapture(str(truth_file.with_name(truth_file.name.replace(".truth.json", ".mp4"))))
        x0, y0, x1, y1 = region(truth["berths"], truth["width"], truth["height"])
        found = missed = false = 0
        headings, votes, frames_seen = [], collections.defaultdict(collections.Counter), 0
        false_plates = 0
        false_list, missed_list = [], []
        f = -1
        while True:
            ok = video.grab()
            f += 1
            if not ok:
                break
            if f % a.every:
                continue
            img = video.retrieve()[1][..., ::-1].copy()
            frames_seen += 1
            boxes, v, c, quads = detect(run, img[y0:y1, x0:x1], a.threshold)
            boxes, quads = boxes + np.array([x0, y0, x0, y0]), quads + np.tile([x0, y0], 4)
            real = [t for t in by_frame.get(f, []) if t.get("visible", 1) > 0.3 and known[t["id"]]["class"] in ("car", "bus", "truck")]
            tb = np.array([[t["box"][0], t["box"][1], t["box"][0] + t["box"][2], t["box"][1] + t["box"][3]] for t in real]).reshape(-1, 4)
            every = np.array([[t["box"][0], t["box"][1], t["box"][0] + t["box"][2], t["box"][1] + t["box"][3]] for t in by_frame.get(f, [])]).reshape(-1, 4)
            used = set()
            for i in range(len(boxes)):
                o = iou(boxes[i:i + 1], tb)[0] if len(tb) else np.zeros(0)
                j = int(o.argmax()) if len(o) else -1
                if j >= 0 and o[j] > 0.4:
                    used.add(j)
                    if real[j].get("quad"):
                        headings.append(heading_error(quads[i], np.array(real[j]["quad"]).ravel()))
                    p = None if a.no_plates else plate_of(finder, reader, img, boxes[i])
                    if p:
                        votes[real[j]["id"]][p[2]] += 1
                        if a.look:
                            cv2.polylines(img, [p[1].astype(int)], True, (255, 255, 0), 1)
                elif not (len(every) and iou(boxes[i:i + 1], every)[0].max() > 0.2):
                    false += 1
                    false_list.append((f, boxes[i].round().astype(int).tolist(), round(float(v[i]), 2)))
                if a.look:
                    cv2.rectangle(img, tuple(map(int, boxes[i][:2])), tuple(map(int, boxes[i][2:])), (0, 255, 0), 2)
                    cv2.polylines(img, [quads[i].reshape(4, 2).astype(int)], True, (0, 255, 255), 1)
                    cv2.line(img, *[tuple(map(int, pt)) for pt in quads[i].reshape(4, 2)[:2]], (255, 0, 0), 2)
            for j, t in enumerate(real):
                cx, cy = (tb[j][0] + tb[j][2]) / 2, (tb[j][1] + tb[j][3]) / 2
                if x0 < cx < x1 and y0 < cy < y1:
                    found += j in used
                    if j not in used:
                        missed += 1
                        missed_list.append((f, t["id"], t.get("visible")))
            if a.look:
                a.look.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(a.look / f"{truth['clip']}-{f:05d}.jpg"), img[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
        print(f"{truth['clip']}: {frames_seen} frames, region {x1 - x0}x{y1 - y0}, found {found}, missed {missed} {missed_list[:12]}, false {false} {false_list[:8]}")
        if headings:
            h = np.array(headings)
            print(f"  heading within 10 deg {np.mean(h < 10):.3f}, reversed {np.mean(h > 90):.3f}, median {np.median(h):.1f}")
        visits = {x["vehicle"] for x in truth["visits"]}
        for k, vote in sorted(votes.items()):
            want = (known[k]["plate"] or {}).get("text")
            best = vote.most_common(3)
            mark = "ok" if best and best[0][0] == want else "WRONG"
            print(f"  vehicle {k}{' (visit)' if k in visits else ''} {want} {mark} {best} of {sum(vote.values())}")
        for k in visits - set(votes):
            print(f"  vehicle {k} (visit) {(known[k]['plate'] or {}).get('text')} never read")


if __name__ == "__main__":
    main()
