"""Training stills: random streets with the same truth as the clips.

``python -m scenes.stills --seed 7 --count 300 --out DIR`` writes ``DIR/<seed>-<index>.jpg`` and one JSON line a picture
into ``DIR/labels-<seed>-<chunk>.jsonl``. A chunk that is complete is skipped, so the command can be repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from . import post
from .demo_plates import DEMO_PLATES
from .camera import Camera
from .plates import Glyphs
from .randomscene import Pool, populate, random_camera, random_layout, random_light
from .renderer import Renderer
from .street import build
from .truth import describe

CHUNK = 120
SETS_PER_VIEW = 8
VIEWS_PER_STREET = 4
#: pictures are drawn larger and averaged down: smoother edges than supersampling the street alone, and cheaper
WIDTH, HEIGHT, OVER = 1280, 720, 1.25


def _chunk(seed: int, chunk: int, count: int, sets: int, low: float, out: Path, glyph_dir: Path) -> None:
    rng = np.random.default_rng([seed, chunk])
    w, h = round(WIDTH * OVER), round(HEIGHT * OVER)
    glyphs = Glyphs(glyph_dir)
    r = Renderer(w, h, 1)
    pool = Pool(r, rng, glyphs, DEMO_PLATES)
    tmp = out / f"labels-{seed}-{chunk:03d}.part"
    done, t0 = 0, time.time()
    with tmp.open("w", encoding="utf-8") as log:
        while done < count:
            lay = random_layout(rng)
            r.street(build(lay, rng, glyphs, res=0.016, leaves=1300))
            for _ in range(VIEWS_PER_STREET):
                camera, light = random_camera(rng, lay, w, h, low), random_light(rng)
                if not r.light(camera, light, n_sky=14, n_sun=5, n_lamp=1, seed=int(rng.integers(1000)), blocked=0.10):
                    continue  # the mast stands in a tree
                for _ in range(sets):
                    if done >= count:
                        break
                    line = _still(r, pool, lay, camera, light, rng, out / f"{seed}-{chunk * CHUNK + done:05d}.jpg")
                    if line is None:
                        continue
                    line["seed"] = seed
                    log.write(json.dumps(line, ensure_ascii=False) + "\n")
                    log.flush()
                    done += 1
            print(f"stills seed {seed} chunk {chunk}: {done}/{count}, {(time.time() - t0) / max(done, 1):.1f} s each", flush=True)
    tmp.rename(tmp.with_suffix(".jsonl"))


def _still(r: Renderer, pool: Pool, lay, camera, light, rng: np.random.Generator, path: Path) -> dict | None:
    big, camera = camera, Camera(camera.position, camera.target, camera.focal / OVER, WIDTH, HEIGHT, camera.roll)
    pairs = populate(pool, lay, rng, light)
    placed = [p for p, _ in pairs]
    r.shadows(placed, np.array([lay.x0 - 2, -2.0, 0.0]), np.array([lay.x1 + 2, lay.road_width + 1, 3.6]))
    inside = [(p, f) for p, f in pairs if describe(p, camera, None)]
    if not inside and rng.random() < 0.8:
        pool.release_plates()
        return None
    near = sorted((p for p, _ in inside), key=lambda p: np.hypot(p.pose[0] - camera.position[0], p.pose[1] - camera.position[1]))
    assert r.camera is big
    img = cv2.resize(r.draw(near), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    seen = r.idents(near, behind=True)
    vehicles = []
    for p, f in inside:
        d = describe(p, camera, seen, r.silhouette(p), 2 / OVER)
        if d is None or d["visible"] < 0.03:
            continue
        corners = d.pop("plate")
        share = d.pop("plateVisible", 0)
        d |= {"class": f.cls, "type": f.type, "colour": f.colour, "style": f.style}
        d["plate"] = None if f.plate is None or corners is None else {"text": f.plate.text, "colour": f.plate.colour, "rows": f.plate.rows, "corners": corners, "visible": share}
        vehicles.append(d)
    img = post.lens(img, float(rng.uniform(0, 1.1)), float(rng.uniform(0, 0.6)), 1.0 if light.headlights else 0.15)
    img = post.noise(img, rng, float(rng.uniform(0.5, 2.5)) * light.noise)
    cv2.imwrite(str(path), img[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 93))])
    pool.release_plates()
    berths = []
    for b in lay.berths:
        q = camera.project(np.c_[np.array(b.corners), np.zeros(4)])
        if not np.isnan(q).any():
            berths.append({"kind": b.kind, "polygon": [[round(float(v), 1) for v in c] for c in q]})
    return {"file": path.name, "width": camera.width, "height": camera.height, "light": light.name, "wet": light.wet > 0, "vehicles": vehicles, "berths": berths}


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--seed", type=int, required=True)
    ap.add_argument("--count", type=int, required=True)
    ap.add_argument("--sets", type=int, default=SETS_PER_VIEW, help="pictures a view: fewer show more streets and cameras, and take longer each")
    ap.add_argument("--low", type=float, default=0.0, help="share of cameras on low piles")
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--glyphs", type=Path, default=Path("../shared/data/plates/glyphs"))
    ap.add_argument("--chunk", type=int, help=argparse.SUPPRESS)
    a = ap.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    if a.chunk is not None:
        _chunk(a.seed, a.chunk, min(CHUNK, a.count - a.chunk * CHUNK), a.sets, a.low, a.out, a.glyphs)
        return
    # one process a chunk: a fresh pool of vehicle models, and no driver memory grows over hours
    for k in range((a.count + CHUNK - 1) // CHUNK):
        if (a.out / f"labels-{a.seed}-{k:03d}.jsonl").exists():
            continue
        subprocess.run([sys.executable, "-m", "scenes.stills", *sys.argv[1:], "--chunk", str(k)], check=True, env=os.environ)


if __name__ == "__main__":
    main()
