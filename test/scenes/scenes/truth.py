"""Ground truth of a picture: boxes, footprint quads, plate corners, how much is seen."""

from __future__ import annotations

import numpy as np

from .camera import Camera
from .renderer import Placed
from .street import footprint


def plate_corners(p: Placed, k: int) -> np.ndarray:
    """World corners of the plate at mount ``k``: top-left, top-right, bottom-right, bottom-left as read."""
    mt = p.model.src.mounts[k]
    w, h = p.plate_size
    ct, st = np.cos(mt.tilt), np.sin(mt.tilt)
    out = []
    for qx, qy in ((-0.5, 0.5), (0.5, 0.5), (0.5, -0.5), (-0.5, -0.5)):
        out.append((mt.x - mt.outward * st * qy * h, mt.outward * qx * w, mt.z + ct * qy * h, 1.0))
    return (np.array(out) @ p.matrix().T)[:, :3]


def facing(p: Placed, k: int, camera: Camera) -> bool:
    """Whether the plate's face is turned to the camera."""
    c = plate_corners(p, k)
    n = np.cross(c[1] - c[0], c[3] - c[0])
    return bool(n @ (np.array(camera.position) - c.mean(0)) < 0)


def hull_points(p: Placed) -> np.ndarray:
    """World points that bound the vehicle's picture."""
    pts = np.concatenate(p.model.src.hulls)
    return (np.c_[pts, np.ones(len(pts))] @ p.matrix().T)[:, :3]


def seen_plate(p: Placed, camera: Camera) -> int | None:
    """Index of the mount whose plate faces the camera, the better one if both do."""
    best, idx = 0.0, None
    if p.plate is None:
        return None
    for k, mt in enumerate(p.model.src.mounts):
        if not p.plates[0 if mt.outward > 0 else 1] or not facing(p, k, camera):
            continue
        q = camera.project(plate_corners(p, k))
        if np.isnan(q).any():
            continue
        area = polygon_area(q)
        if area > best:
            best, idx = area, k
    return idx


def polygon_area(q: np.ndarray) -> float:
    x, y = q[:, 0], q[:, 1]
    return abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2


def describe(p: Placed, camera: Camera, seen: np.ndarray | None, alone: float | None = None, scale: float = 2.0) -> dict | None:
    """Truth of one vehicle, or None when it is out of the picture.

    ``box`` is the amodal extent clipped to the picture, ``visible`` the share of its silhouette that is seen
    (``alone`` = silhouette pixels without others, at 1/``scale``), ``plate`` the corners when at least part is seen.
    """
    w, h = camera.width, camera.height
    pts = camera.project(hull_points(p))
    pts = pts[~np.isnan(pts).any(1)]
    if len(pts) < 8:
        return None
    lo, hi = pts.min(0), pts.max(0)
    clo, chi = np.clip(lo, 0, [w, h]), np.clip(hi, 0, [w, h])
    if (chi - clo).min() < 2:
        return None
    s = p.model.src
    quad = camera.project(np.c_[footprint(p.pose, s.length, s.width), np.zeros(4)])
    r1 = lambda a: [round(float(v), 1) for v in a]
    out = {"id": p.ident, "box": r1([*clo, *(chi - clo)]), "inFrame": round(float((chi - clo).prod() / max((hi - lo).prod(), 1)), 3)}
    out["quad"] = [r1(q) for q in quad] if not np.isnan(quad).any() else None
    out["plate"] = None
    k = seen_plate(p, camera)
    if seen is not None:
        n = float(np.count_nonzero(seen == p.ident) + np.count_nonzero(seen == p.ident + 128))
        out["visible"] = round(min(1.0, n / max(alone or n, 1.0)), 3)
        m = seen[int(clo[1] / scale) : int(chi[1] / scale) + 1, int(clo[0] / scale) : int(chi[0] / scale) + 1]
        mine = (m == p.ident) | (m == p.ident + 128)
        if mine.any():
            ys, xs = np.where(mine)
            x0, y0 = int(clo[0] / scale) * scale, int(clo[1] / scale) * scale
            out["boxVisible"] = r1([x0 + xs.min() * scale, y0 + ys.min() * scale, (np.ptp(xs) + 1) * scale, (np.ptp(ys) + 1) * scale])
    if k is not None:
        q = camera.project(plate_corners(p, k))
        share = 1.0
        if seen is not None:
            share = min(1.0, float(np.count_nonzero(seen == p.ident + 128)) * scale * scale / max(polygon_area(q), 1.0))
        inside = (q >= 0).all() and (q[:, 0] < w).all() and (q[:, 1] < h).all()
        if share > 0.05 and inside:
            out["plate"] = [r1(c) for c in q]
            out["plateVisible"] = round(share, 2)
    return out
