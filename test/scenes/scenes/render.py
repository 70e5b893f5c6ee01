"""Renders a demo clip and its truth.

``python -m scenes.render --scene day --out DIR`` writes ``day-parallel.mp4``, ``.truth.json`` and ``.frames.jsonl.gz``.
Frames go to ``DIR/<clip>.work/`` first, as lossless GOP files of 50 frames; a GOP that is there is not drawn again.
``--truth-only`` writes the truth files alone (no picture is drawn), ``--still T`` one PNG at second T.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from . import encode, post, scenario
from .clip_truth import write_truth
from .collide import clashes
from .plates import Glyphs, draw
from .renderer import Placed, Renderer
from .scenario import Scenario
from .street import build, footprint
from .timeline import FPS, State, sample
from .truth import hull_points
from .vehicles import COLOURS

SCENES = {"day": scenario.day_parallel, "dusk": scenario.dusk_angled}
GOP = 50
#: sizes a redrawn region is rounded up to, so that few render targets are needed
WIDTHS, HEIGHTS = (256, 384, 512, 768, 1024, 1408, 1920), (192, 288, 384, 512, 704, 880, 1080)


class Stage:
    """A scenario on the renderer: which vehicles stand where at a frame, and what changed since the one before."""

    def __init__(self, sc: Scenario, glyphs: Glyphs, supersample: int = 2, passes: tuple[int, int] = (40, 12)):
        self.sc = sc
        self.frames = sc.seconds * FPS
        self.states: dict[str, list[State | None]] = {a.key: sample(a, sc.models[a.key], self.frames, sc.dark, sc.hold) for a in sc.actors}
        bad = clashes(self.states, sc.models, 0.05)
        if bad:
            raise ValueError(f"vehicles collide in {sc.name}: {bad}")
        self.r = Renderer(sc.camera.width, sc.camera.height, supersample)
        rng = np.random.default_rng(sc.seed)
        self.r.street(build(sc.layout, rng, glyphs, res=0.007, keep_clear=(-4.0, 34.0), leaves=5200))
        self.r.light(sc.camera, sc.light, *passes)
        self.gpu, self.tex = {}, {}
        for i, a in enumerate(sc.actors):
            self.gpu[a.key] = self.r.upload(sc.models[a.key])
            self.tex[a.key] = None if a.plate is None else self.r.plate_texture(draw(a.plate, glyphs, np.random.default_rng(a.seed)))
        self.ident = {a.key: i + 1 for i, a in enumerate(sc.actors)}
        self.lo = np.array([sc.layout.x0, -1.5, 0.0])
        self.hi = np.array([sc.layout.x1 + 4, sc.layout.road_width, 3.6])

    def placed(self, f: int) -> list[Placed]:
        """Vehicles of frame ``f`` near the picture, nearest first."""
        out = []
        for a in self.sc.actors:
            st = self.states[a.key][f]
            if st is None or not self.sc.layout.x0 - 12 < st.pose[0] < self.sc.layout.x1 + 30:
                continue
            size = (0.44, 0.14) if a.plate is None else (a.plate.size_mm[0] / 1000, a.plate.size_mm[1] / 1000)
            out.append(Placed(self.ident[a.key], self.gpu[a.key], st.pose, COLOURS[a.colour][a.shade], self.tex[a.key], size, st.steer, st.spin, st.lights, a.cloth, a.cloth2, 0.35, a.rim))
        cam = self.sc.camera.position
        return sorted(out, key=lambda p: np.hypot(p.pose[0] - cam[0], p.pose[1] - cam[1]))

    def extent(self, p: Placed) -> tuple[float, float, float, float] | None:
        """Picture rectangle (x0, y0, x1, y1) that a vehicle, its shadow and its light beams can change."""
        cam, li = self.sc.camera, self.sc.light
        pts = [hull_points(p)]
        s = p.model.src
        foot = np.c_[footprint(p.pose, s.length + 2.6, s.width + 2.6), np.zeros(4)]
        pts.append(foot)
        if max(li.sun) > 0.1:
            d = li.sun_dir
            pts.append(pts[0] - d * (pts[0][:, 2:3] / max(d[2], 0.15)))
        if p.lights[0] > 0:
            h = p.pose[2]
            f, l = np.array([np.cos(h), np.sin(h), 0]), np.array([-np.sin(h), np.cos(h), 0])
            c = np.array([p.pose[0], p.pose[1], 0])
            pts.append(np.array([c + f * a + l * b for a in (s.length / 2, 9, 14) for b in (-4, 4)]))
        q = cam.project(np.concatenate(pts))
        q = q[~np.isnan(q).any(1)]
        if not len(q):
            return None
        (x0, y0), (x1, y1) = q.min(0) - 6, q.max(0) + 6
        if x1 < 0 or y1 < 0 or x0 > cam.width or y0 > cam.height:
            return None
        return max(x0, 0), max(y0, 0), min(x1, cam.width), min(y1, cam.height)

    def dirty(self, now: list[Placed], before: dict[int, Placed]) -> list[tuple[int, int, int, int]]:
        """Regions (x, y, w, h) to draw again, merged where they meet."""
        rects = []
        current = {p.ident: p for p in now}
        for k in set(current) | set(before):
            a, b = current.get(k), before.get(k)
            if a and b and a.pose == b.pose and a.steer == b.steer and a.lights == b.lights:
                continue
            rects += [e for e in (self.extent(p) for p in (a, b) if p) if e]
        merged = True
        while merged:
            merged = False
            for i in range(len(rects)):
                for j in range(i + 1, len(rects)):
                    a, b = rects[i], rects[j]
                    if a[0] < b[2] + 24 and b[0] < a[2] + 24 and a[1] < b[3] + 24 and b[1] < a[3] + 24:
                        rects[i] = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
                        del rects[j]
                        merged = True
                        break
                if merged:
                    break
        out = []
        W, H = self.sc.camera.width, self.sc.camera.height
        for x0, y0, x1, y1 in rects:
            w = next(v for v in WIDTHS if v >= min(int(np.ceil(x1)) - int(x0), W))
            h = next(v for v in HEIGHTS if v >= min(int(np.ceil(y1)) - int(y0), H))
            out.append((min(int(x0), W - w), min(int(y0), H - h), w, h))
        return out

    def draw_into(self, canvas: np.ndarray, now: list[Placed], region: tuple[int, int, int, int]) -> None:
        x, y, w, h = region
        inside = []
        for p in now:
            e = self.extent(p)
            if e and e[0] < x + w and x < e[2] and e[1] < y + h and y < e[3]:
                inside.append(p)
        canvas[y : y + h, x : x + w] = self.r.draw(inside, region, lit=now)


def finish(canvas: np.ndarray, region, dark: bool) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Lens effects on a region with enough surroundings; returns the patch and where it goes."""
    pad = 44 if dark else 12
    H, W = canvas.shape[:2]
    x, y, w, h = region
    x0, y0, x1, y1 = max(0, x - pad), max(0, y - pad), min(W, x + w + pad), min(H, y + h + pad)
    big = canvas[max(0, y0 - pad) : min(H, y1 + pad), max(0, x0 - pad) : min(W, x1 + pad)]
    out = post.lens(big, 0.62, 0.30, 0.9 if dark else 0.0)
    oy, ox = y0 - max(0, y0 - pad), x0 - max(0, x0 - pad)
    return out[oy : oy + y1 - y0, ox : ox + x1 - x0], (x0, y0, x1 - x0, y1 - y0)


def render(sc: Scenario, out: Path, glyphs: Glyphs, supersample: int, passes: tuple[int, int], backwards: bool = False) -> None:
    """All frames into resumable GOP files, then the encoded clip.

    A second process with ``backwards`` may help from the other end; each leaves alone the GOPs that the other has begun.
    """
    work = out / f"{sc.name}.work"
    work.mkdir(parents=True, exist_ok=True)
    n = sc.seconds * FPS
    todo = [g for g in range(n // GOP) if not (work / f"gop-{g:03d}.mkv").exists()]
    if todo:
        stage = Stage(sc, glyphs, supersample, passes)
        W, H = sc.camera.width, sc.camera.height
        canvas, final = np.zeros((H, W, 3), np.uint8), np.zeros((H, W, 3), np.uint8)
        before: dict[int, Placed] | None = None
        t0, drawn = time.time(), 0
        last = None
        for g in reversed(todo) if backwards else todo:
            if (work / f"gop-{g:03d}.mkv").exists() or (work / f"gop-{g:03d}.part.mkv").exists():
                continue
            writer = encode.LosslessWriter(work / f"gop-{g:03d}.mkv", W, H, FPS)
            if last != g - 1:
                before = None
            last = g
            for f in range(g * GOP, (g + 1) * GOP):
                now = stage.placed(f)
                regions = [(0, 0, W, H)] if before is None else stage.dirty(now, before)
                if regions:
                    stage.r.shadows(now, stage.lo, stage.hi)
                for rg in regions:
                    stage.draw_into(canvas, now, rg)
                for rg in regions:
                    patch, (x, y, w, h) = finish(canvas, rg, sc.dark)
                    final[y : y + h, x : x + w] = patch
                before = {p.ident: p for p in now}
                drawn += bool(regions)
                writer.write(final)
            writer.close()
            print(f"{sc.name}: GOP {g + 1}/{n // GOP}, {time.time() - t0:.0f} s, {drawn} frames drawn", flush=True)
    if backwards:
        return
    encode.encode(work, n // GOP, out / f"{sc.name}.mp4", sc, FPS, GOP)


def stills(sc: Scenario, seconds: list[float], out: Path, glyphs: Glyphs, supersample: int, passes: tuple[int, int]) -> None:
    """Finished frames as PNG."""
    stage = Stage(sc, glyphs, supersample, passes)
    for t in seconds:
        now = stage.placed(round(t * FPS))
        stage.r.shadows(now, stage.lo, stage.hi)
        canvas = np.ascontiguousarray(stage.r.draw(now))
        patch, _ = finish(canvas, (0, 0, canvas.shape[1], canvas.shape[0]), sc.dark)
        cv2.imwrite(str(out / f"{sc.name}-{t:g}.png"), patch[..., ::-1])


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--scene", choices=sorted(SCENES), required=True)
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--glyphs", type=Path, default=Path("../shared/data/plates/glyphs"))
    ap.add_argument("--truth-only", action="store_true")
    ap.add_argument("--still", type=float, nargs="*")
    ap.add_argument("--backwards", action="store_true", help="help another process from the last GOP on")
    ap.add_argument("--encode-only", action="store_true", help="encode the GOP files that are there")
    ap.add_argument("--draft", action="store_true", help="fewer light passes")
    a = ap.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    sc = SCENES[a.scene]()
    quality = (1, (12, 4)) if a.draft else (2, (40, 12))
    if a.still:
        stills(sc, a.still, a.out, Glyphs(a.glyphs), *quality)
        return
    if a.encode_only:
        encode.encode(a.out / f"{sc.name}.work", sc.seconds * FPS // GOP, a.out / f"{sc.name}.mp4", sc, FPS, GOP)
        return
    if not a.backwards:
        write_truth(sc, a.out)
    if not a.truth_only:
        render(sc, a.out, Glyphs(a.glyphs), *quality, backwards=a.backwards)


if __name__ == "__main__":
    main()
