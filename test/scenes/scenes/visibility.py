"""How much of a vehicle or plate is seen, by rasterising convex hulls of body and cabin in order of depth (no GPU)."""

from __future__ import annotations

import cv2
import numpy as np

from .camera import Camera
from .renderer import Placed
from .truth import plate_corners


class Occlusion:
    """Silhouettes of the vehicles of one frame at a quarter of the picture's size (plates: at full size, by points)."""

    SCALE = 4

    def __init__(self, camera: Camera):
        self.cam = camera
        self.items: list[tuple[float, Placed, np.ndarray, list[np.ndarray]]] = []

    def set(self, placed: list[Placed]) -> None:
        """Prepare the silhouettes of a frame."""
        self.items = []
        w, h = self.cam.width // self.SCALE, self.cam.height // self.SCALE
        eye = np.array(self.cam.position)
        for p in placed:
            mask = np.zeros((h, w), np.uint8)
            polys = []
            for pts in p.model.src.hulls:
                world = (np.c_[pts, np.ones(len(pts))] @ p.matrix().T)[:, :3]
                q = self.cam.project(world)
                if np.isnan(q).any():
                    continue
                hull = cv2.convexHull(q.astype(np.float32))[:, 0]
                polys.append(hull)
                cv2.fillConvexPoly(mask, np.round(hull / self.SCALE).astype(np.int32), 1)
            depth = float(np.hypot(p.pose[0] - eye[0], p.pose[1] - eye[1]))
            self.items.append((depth, p, mask, polys))
        self.items.sort(key=lambda i: i[0])

    def visible(self, p: Placed) -> float:
        """Share of the vehicle's silhouette inside the picture that no nearer vehicle covers."""
        cover = None
        for _, q, mask, _ in self.items:
            if q is p:
                total = int(mask.sum())
                if total == 0:
                    return 0.0
                return 1.0 if cover is None else float((mask & (1 - cover)).sum()) / total
            cover = mask.copy() if cover is None else cover | mask
        return 0.0

    def plate_share(self, p: Placed, k: int) -> float:
        """Share of a grid of points on the plate that is not behind another vehicle."""
        c = plate_corners(p, k)
        u, v = np.meshgrid((np.arange(11) + 0.5) / 11, (np.arange(3) + 0.5) / 3)
        u, v = u.ravel()[:, None], v.ravel()[:, None]
        pts = (c[0] * (1 - u) + c[1] * u) * (1 - v) + (c[3] * (1 - u) + c[2] * u) * v
        q = self.cam.project(pts)
        seen = (q[:, 0] >= 0) & (q[:, 1] >= 0) & (q[:, 0] < self.cam.width) & (q[:, 1] < self.cam.height)
        for _, other, _, polys in self.items:
            if other is p:
                break
            for poly in polys:
                for i in np.flatnonzero(seen):
                    if cv2.pointPolygonTest(poly, (float(q[i, 0]), float(q[i, 1])), False) >= 0:
                        seen[i] = False
        return float(seen.mean())
