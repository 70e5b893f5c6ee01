"""Implicit solids to smooth triangle meshes (naive surface nets, vertices pulled onto the surface, gradient normals)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

Field = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass
class Mesh:
    """Triangles as flat vertex arrays: ``pos`` N×3 metres, ``nrm`` N×3 unit, ``tri`` M×3 indices."""

    pos: np.ndarray
    nrm: np.ndarray
    tri: np.ndarray

    def moved(self, offset) -> "Mesh":
        return Mesh(self.pos + np.asarray(offset, dtype=np.float32), self.nrm, self.tri)

    def mirrored_y(self) -> "Mesh":
        flip = np.array([1, -1, 1], dtype=np.float32)
        return Mesh(self.pos * flip, self.nrm * flip, self.tri[:, ::-1].copy())


def join(meshes: list[Mesh]) -> Mesh:
    """One mesh out of many."""
    base = 0
    tris = []
    for m in meshes:
        tris.append(m.tri + base)
        base += len(m.pos)
    return Mesh(np.concatenate([m.pos for m in meshes]), np.concatenate([m.nrm for m in meshes]), np.concatenate(tris))


def smax(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """Polynomial smooth maximum: an intersection whose edge is rounded over about ``k`` metres."""
    h = np.clip(0.5 + 0.5 * (a - b) / k, 0.0, 1.0)
    return b + (a - b) * h + k * h * (1.0 - h)


def smin(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """Polynomial smooth minimum: a union with a fillet of about ``k`` metres."""
    return -smax(-a, -b, k)


def gradient(field: Field, p: np.ndarray, eps: float = 0.004) -> np.ndarray:
    """Central differences of the field at N×3 points."""
    g = np.empty_like(p)
    for i in range(3):
        d = np.zeros(3, dtype=p.dtype)
        d[i] = eps
        a, b = p + d, p - d
        g[:, i] = (field(a[:, 0], a[:, 1], a[:, 2]) - field(b[:, 0], b[:, 1], b[:, 2])) / (2 * eps)
    return g


def surface_net(field: Field, lo, hi, cell: float) -> Mesh:
    """Mesh of ``field == 0`` inside the box ``lo``..``hi`` sampled every ``cell`` metres (negative inside)."""
    axes = [np.arange(l, h + cell, cell, dtype=np.float32) for l, h in zip(lo, hi)]
    gx, gy, gz = np.meshgrid(*axes, indexing="ij")
    val = field(gx.ravel(), gy.ravel(), gz.ravel()).reshape(gx.shape).astype(np.float32)
    inside = val < 0
    n = np.array(val.shape) - 1
    count = np.zeros(n, dtype=np.int8)
    for dx in (0, 1):
        for dy in (0, 1):
            for dz in (0, 1):
                count += inside[dx : dx + n[0], dy : dy + n[1], dz : dz + n[2]]
    active = (count > 0) & (count < 8)
    idx = np.full(n, -1, dtype=np.int64)
    cells = np.argwhere(active)
    idx[active] = np.arange(len(cells))
    # start in the cell's middle and pull onto the surface: the gradient is smooth, so a few Newton steps suffice
    p = np.stack([axes[i][cells[:, i]] + cell / 2 for i in range(3)], axis=1).astype(np.float32)
    centre = p.copy()
    for _ in range(4):
        g = gradient(field, p)
        d = field(p[:, 0], p[:, 1], p[:, 2])
        step = (d / np.maximum((g * g).sum(1), 1e-3))[:, None] * g
        p = p - np.clip(step, -cell, cell).astype(np.float32)
        p = np.clip(p, centre - cell * 0.5, centre + cell * 0.5)
    g = gradient(field, p)
    nrm = (g / np.maximum(np.linalg.norm(g, axis=1, keepdims=True), 1e-6)).astype(np.float32)
    tris = []
    for axis in range(3):
        a, b = [i for i in range(3) if i != axis]
        lo_in = np.take(inside, range(0, n[axis]), axis)
        hi_in = np.take(inside, range(1, n[axis] + 1), axis)
        cross = lo_in != hi_in
        sl = [slice(None)] * 3
        sl[a], sl[b] = slice(1, n[a]), slice(1, n[b])
        edges = np.argwhere(cross[tuple(sl)])
        if not len(edges):
            continue
        edges[:, a] += 1
        edges[:, b] += 1
        flip = ~inside[edges[:, 0], edges[:, 1], edges[:, 2]]
        if axis == 1:
            flip = ~flip
        quad = []
        for da, db in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
            c = edges.copy()
            c[:, a] += da
            c[:, b] += db
            quad.append(idx[c[:, 0], c[:, 1], c[:, 2]])
        q = np.stack(quad, 1)
        q[flip] = q[flip][:, ::-1]
        q = q[(q >= 0).all(1)]
        tris.append(q[:, [0, 1, 2]])
        tris.append(q[:, [0, 2, 3]])
    return Mesh(p, nrm, np.concatenate(tris).astype(np.int32))


def lathe(profile: np.ndarray, segments: int = 40) -> Mesh:
    """Revolve ``profile`` (rows of radius, y) about the y axis; normals from the profile's tangent."""
    ang = np.linspace(0, 2 * np.pi, segments + 1)
    r, y = profile[:, 0], profile[:, 1]
    t = np.gradient(profile, axis=0)
    nr, ny = t[:, 1], -t[:, 0]
    ln = np.maximum(np.hypot(nr, ny), 1e-9)
    nr, ny = nr / ln, ny / ln
    c, s = np.cos(ang)[:, None], np.sin(ang)[:, None]
    pos = np.stack([c * r, np.broadcast_to(y, (len(ang), len(y))), s * r], -1)
    nrm = np.stack([c * nr, np.broadcast_to(ny, (len(ang), len(y))), s * nr], -1)
    k = len(r)
    i, j = np.meshgrid(np.arange(segments), np.arange(k - 1), indexing="ij")
    v = (i * k + j).ravel()
    tri = np.concatenate([np.stack([v, v + k, v + k + 1], 1), np.stack([v, v + k + 1, v + 1], 1)])
    return Mesh(pos.reshape(-1, 3).astype(np.float32), nrm.reshape(-1, 3).astype(np.float32), tri.astype(np.int32))


def box(lo, hi) -> Mesh:
    """Axis-aligned box with flat normals."""
    lo, hi = np.asarray(lo, float), np.asarray(hi, float)
    pos, nrm, tri = [], [], []
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        for side, sign in ((lo, -1.0), (hi, 1.0)):
            base = len(pos)
            for ca, cb in ((lo[a], lo[b]), (hi[a], lo[b]), (hi[a], hi[b]), (lo[a], hi[b])):
                v = np.zeros(3)
                v[axis], v[a], v[b] = side[axis], ca, cb
                pos.append(v)
                nv = np.zeros(3)
                nv[axis] = sign
                nrm.append(nv)
            order = [0, 1, 2, 3] if sign > 0 else [0, 3, 2, 1]
            tri += [[base + order[0], base + order[1], base + order[2]], [base + order[0], base + order[2], base + order[3]]]
    return Mesh(np.array(pos, np.float32), np.array(nrm, np.float32), np.array(tri, np.int32))
