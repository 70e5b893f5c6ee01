"""Pre-label pictures with YOLOX-nano over the whole picture and overlapping tiles (the teacher is never shipped).

What it finds and nobody labelled becomes "unknown" for the detector's training: neither vehicle nor background.
  python teacher.py elevated roads expressway street-level
"""
import json
import sys

import cv2
import numpy as np
import onnxruntime as ort

from paths import DATA, scratch

SIDE = 416
COCO = {0: "person", 1: "motorcycle", 2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}


def _grid():
    pts, st = [], []
    for s in (8, 16, 32):
        n = SIDE // s
        y, x = np.mgrid[0:n, 0:n]
        pts.append(np.stack([x, y], -1).reshape(-1, 2))
        st.append(np.full((n * n, 1), s))
    return np.concatenate(pts).astype(np.float32), np.concatenate(st).astype(np.float32)


class Teacher:
    def __init__(self, threads=1):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(str(DATA / "teachers" / "yolox_nano.onnx"), options)
        self.name = self.session.get_inputs()[0].name
        self.points, self.strides = _grid()

    def tile(self, bgr, threshold):
        """Detections x1 y1 x2 y2 score class of one picture, in its pixels."""
        h, w = bgr.shape[:2]
        k = min(SIDE / w, SIDE / h)
        pad = np.full((SIDE, SIDE, 3), 114, np.uint8)
        small = cv2.resize(bgr, (max(1, int(w * k)), max(1, int(h * k))), interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
        pad[:small.shape[0], :small.shape[1]] = small
        out = self.session.run(None, {self.name: pad.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
        scores = out[:, 4:5] * out[:, 5:]
        cls = scores.argmax(1)
        best = scores.max(1)
        keep = (best > threshold) & np.isin(cls, list(COCO))
        xy = (out[keep, :2] + self.points[keep]) * self.strides[keep]
        wh = np.exp(out[keep, 2:4]) * self.strides[keep]
        return np.concatenate([(xy - wh / 2) / k, (xy + wh / 2) / k, best[keep, None], cls[keep, None]], 1)

    def detect(self, bgr, threshold=0.12):
        h, w = bgr.shape[:2]
        found = [self.tile(bgr, threshold)]
        tw, th = int(w * 0.58), int(h * 0.58)
        for x in (0, w - tw):
            for y in (0, h - th):
                d = self.tile(bgr[y:y + th, x:x + tw], threshold)
                d[:, [0, 2]] += x
                d[:, [1, 3]] += y
                # boxes cut by a tile's inner edge are halves of something
                inner = ((x > 0) & (d[:, 0] < x + 3)) | ((x == 0) & (d[:, 2] > tw - 3)) | ((y > 0) & (d[:, 1] < y + 3)) | ((y == 0) & (d[:, 3] > th - 3))
                found.append(d[~inner])
        d = np.concatenate(found)
        keep = cv2.dnn.NMSBoxes(np.concatenate([d[:, :2], d[:, 2:4] - d[:, :2]], 1).tolist(), d[:, 4].tolist(), threshold, 0.5) if len(d) else []
        return [[*map(float, d[i, :5]), COCO[int(d[i, 5])]] for i in np.array(keep).reshape(-1)]


def main():
    teacher = Teacher()
    for source in sys.argv[1:]:
        target = scratch(f"teacher-{source}.json")
        out = json.loads(target.read_text()) if target.exists() else {}
        files = sorted((DATA / "vehicles" / source / "images").glob("*.jpg"))
        for i, f in enumerate(files):
            if f.name in out:
                continue
            out[f.name] = teacher.detect(cv2.imread(str(f)))
            if i % 100 == 0:
                print(source, i, len(files), flush=True)
                target.write_text(json.dumps(out))
        target.write_text(json.dumps(out))


if __name__ == "__main__":
    main()
