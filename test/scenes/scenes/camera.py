"""Pinhole cameras on masts: projection, ground homography."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """``focal`` in pixels, ``target`` is the world point in the middle of the picture, ``roll`` in radians."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    focal: float
    width: int
    height: int
    roll: float = 0.0

    def view(self) -> np.ndarray:
        """World to camera axes (x right, y up, z towards the viewer), 4×4."""
        p, t = np.array(self.position, float), np.array(self.target, float)
        f = (t - p) / np.linalg.norm(t - p)
        r = np.cross(f, [0, 0, 1.0])
        r /= np.linalg.norm(r)
        u = np.cross(r, f)
        if self.roll:
            c, s = np.cos(self.roll), np.sin(self.roll)
            r, u = c * r + s * u, c * u - s * r
        m = np.eye(4)
        m[0, :3], m[1, :3], m[2, :3] = r, u, -f
        m[:3, 3] = -m[:3, :3] @ p
        return m

    def projection(self, near: float = 1.0, far: float = 400.0) -> np.ndarray:
        """OpenGL clip matrix; the picture's y axis points down, so rows are flipped when the picture is read."""
        m = np.zeros((4, 4))
        m[0, 0] = 2 * self.focal / self.width
        m[1, 1] = 2 * self.focal / self.height
        m[2, 2] = -(far + near) / (far - near)
        m[2, 3] = -2 * far * near / (far - near)
        m[3, 2] = -1
        return m

    def vp(self) -> np.ndarray:
        return self.projection() @ self.view()

    def project(self, pts: np.ndarray) -> np.ndarray:
        """World N×3 → image N×2 px (origin top left, y down); points behind the camera become NaN."""
        pts = np.atleast_2d(np.asarray(pts, float))
        q = np.c_[pts, np.ones(len(pts))] @ self.view().T
        z = -q[:, 2]
        z = np.where(z > 0.3, z, np.nan)
        return np.stack([self.width / 2 + self.focal * q[:, 0] / z, self.height / 2 - self.focal * q[:, 1] / z], 1)

    def homography(self) -> np.ndarray:
        """Ground metres (X, Y, 1) → image pixels, 3×3, scaled so that the last entry is 1."""
        v = self.view()
        k = np.array([[self.focal, 0, -self.width / 2], [0, -self.focal, -self.height / 2], [0, 0, -1.0]])
        h = k @ v[:3][:, [0, 1, 3]]
        return h / h[2, 2]


def ortho(direction: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Clip matrix of a parallel light that shines from ``direction`` on the box ``lo``..``hi``."""
    d = np.asarray(direction, float)
    d = d / np.linalg.norm(d)
    up = np.array([0, 0, 1.0]) if abs(d[2]) < 0.97 else np.array([1.0, 0, 0])
    x = np.cross(up, d)
    x /= np.linalg.norm(x)
    y = np.cross(d, x)
    r = np.stack([x, y, d])
    c = np.array([[a, b, e] for a in (lo[0], hi[0]) for b in (lo[1], hi[1]) for e in (lo[2], hi[2])]) @ r.T
    mn, mx = c.min(0), c.max(0)
    m = np.eye(4)
    for i in range(3):
        s = 2 / (mx[i] - mn[i]) * (1 if i < 2 else -1)
        m[i, :3] = r[i] * s
        m[i, 3] = -(mx[i] + mn[i]) / 2 * s
    return m


def perspective_light(pos: np.ndarray, target: np.ndarray, fov: float, near: float = 0.5, far: float = 40.0) -> np.ndarray:
    """Clip matrix of a lamp at ``pos`` that shines towards ``target`` with full angle ``fov`` radians."""
    cam = Camera(tuple(pos), tuple(target), 0.5 / np.tan(fov / 2), 1, 1)
    return cam.projection(near, far) @ cam.view()
