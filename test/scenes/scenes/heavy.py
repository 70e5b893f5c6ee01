"""Buses, trucks and scooters: composed of implicit solids and boxes, with their own painted panels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .decals import _Panel, _smax
from .mesher import Mesh, box, lathe, smax, smin, surface_net

MAT_BODY, MAT_TYRE, MAT_RIM, MAT_CARGO, MAT_PLASTIC, MAT_GLASS, MAT_HEAD, MAT_TAIL, MAT_CLOTH, MAT_CLOTH2, MAT_SKIN, MAT_CHROME, MAT_PAINT, MAT_CHASSIS = range(14)


@dataclass
class Heavy:
    """Parts (mesh, material code) and the facts the truth needs."""

    cls: str
    type: str
    length: float
    width: float
    height: float
    axles: tuple[float, float]
    wheel_radius: float
    wheel_width: float
    wheel_places: list[tuple[float, float, bool]]
    parts: list[tuple[Mesh, int]]
    mounts: list[tuple[float, float, int, float]]
    mask: np.ndarray | None = None
    lamp: np.ndarray | None = None
    plate_rows: int = 2


def _rbox(x, y, z, cx, cy, cz, hx, hy, hz, r):
    dx, dy, dz = np.abs(x - cx) - hx + r, np.abs(y - cy) - hy + r, np.abs(z - cz) - hz + r
    out = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2 + np.maximum(dz, 0) ** 2)
    return out + np.minimum(np.maximum(dx, np.maximum(dy, dz)), 0) - r


def _pack(panels) -> tuple[np.ndarray, np.ndarray]:
    done = [p.done() for p in panels]
    return np.stack([d[0] for d in done]), np.stack([d[1] for d in done])


def bus(rng: np.random.Generator) -> Heavy:
    """A city bus, about 10 to 12 m."""
    L, W, H = float(rng.uniform(9.8, 12.0)), 2.5, float(rng.uniform(3.0, 3.25))
    r = 0.48
    axles = (L / 2 - 2.6, -L / 2 + 3.1)

    def f(x, y, z):
        d = _rbox(x, y, z, 0, 0, (H + 0.3) / 2, L / 2, W / 2, (H - 0.3) / 2, 0.16)
        d = smax(d, (x - (L / 2 - 0.10 * (np.abs(y) / 1.25) ** 3 - np.clip(z - 1.2, 0, 9) * 0.06)), 0.12)
        for xa in axles:
            arch = np.maximum(np.hypot(x - xa, z - r) - r - 0.07, W / 2 - 0.4 - np.abs(y))
            d = smax(d, -arch, 0.03)
        ac = _rbox(x, y, z, -0.8, 0, H + 0.05, 1.6, 0.85, 0.12, 0.08)
        return smin(d, ac, 0.04)

    mesh = surface_net(f, (-L / 2 - 0.2, -W / 2 - 0.2, 0.2), (L / 2 + 0.2, W / 2 + 0.2, H + 0.3), 0.07)
    side = _Panel(-L / 2, L / 2, 0, H)
    d = _smax(1.25 - side.V, side.V - (H - 0.38), side.U - (L / 2 - 0.25), (-L / 2 + 0.5) - side.U)
    side.field("trim", d - 0.05)
    side.field("glass", d)
    n = int(L / 1.45)
    for k in range(n + 1):
        side.erase(("glass",), np.abs(side.U - (-L / 2 + 0.6 + k * (L - 1.1) / n)) - 0.035)
    for xd in (L / 2 - 1.25, -0.3):
        side.rrect("trim", xd - 0.62, xd + 0.62, 0.36, H - 0.42, 0.05)
        for m in (-1, 1):
            side.rrect("glass", xd + m * 0.3 - 0.26, xd + m * 0.3 + 0.26, 0.5, H - 0.5, 0.05)
    side.field("trim", side.V - 0.42, 0.8)
    side.line("gap", [(-L / 2, 1.0), (L / 2, 1.0)], 0.02, 0.6)
    side.img["dirt"] = np.clip(1 - (side.V - 0.2) / 0.9, 0, 1).astype(np.float32)
    fr = _Panel(-W / 2, W / 2, 0, H)
    d = _smax(1.05 - fr.V, fr.V - (H - 0.5), np.abs(fr.U) - 1.12)
    fr.field("trim", d - 0.04)
    fr.field("glass", d)
    fr.rrect("trim", -1.0, 1.0, H - 0.46, H - 0.14, 0.05)
    fr.rrect("amber", -0.7, 0.7, H - 0.38, H - 0.22, 0.02, 0.7)
    for m in (-1, 1):
        fr.rrect("head", m * 0.92 - 0.16, m * 0.92 + 0.16, 0.60, 0.82, 0.06)
    fr.rrect("trim", -0.6, 0.6, 0.36, 0.52, 0.03)
    fr.rrect("metal", -0.1, 0.1, 0.82, 0.98, 0.05)
    re = _Panel(-W / 2, W / 2, 0, H)
    re.rrect("trim", -0.95, 0.95, 1.75, 2.6, 0.1)
    re.rrect("glass", -0.9, 0.9, 1.8, 2.55, 0.08)
    for k in range(6):
        re.line("gap", [(-0.8, 0.75 + k * 0.12), (0.8, 0.75 + k * 0.12)], 0.03, 0.8)
    for m in (-1, 1):
        re.rrect("tail", m * 1.08 - 0.09, m * 1.08 + 0.09, 0.9, 1.35, 0.04)
        re.rrect("amber", m * 1.08 - 0.08, m * 1.08 + 0.08, 1.4, 1.55, 0.03)
    top = _Panel(-L / 2, L / 2, -W / 2, W / 2)
    mask, lamp = _pack([side, fr, re, top])
    places = [(xa, s * (W / 2 - 0.2), xa > 0) for xa in axles for s in (1, -1)]
    return Heavy("bus", "large", L, W, H, axles, r, 0.32, places, [(mesh, MAT_BODY)], [(L / 2 + 0.03, 0.52, 1, 0.0), (-L / 2 - 0.03, 0.60, -1, 0.0)], mask, lamp)


def boxtruck(rng: np.random.Generator) -> Heavy:
    """A two-axle truck with a closed box body: the vehicle that hides parked cars."""
    L, W, H = float(rng.uniform(7.2, 9.0)), 2.4, float(rng.uniform(3.1, 3.5))
    return _truck(rng, L, W, H, closed=True)


def flatbed(rng: np.random.Generator) -> Heavy:
    """A light truck with an open drop-side bed."""
    L, W, H = float(rng.uniform(5.6, 6.4)), 2.1, 2.3
    return _truck(rng, L, W, H, closed=False)


def _truck(rng: np.random.Generator, L: float, W: float, H: float, closed: bool) -> Heavy:
    light = L < 6.6
    r = 0.38 if light else 0.46
    cab_l = 1.75 if light else 2.0
    cab_h = 2.15 if light else 2.65
    cw = W / 2 - (0.12 if light else 0.06)
    axles = (L / 2 - 1.2, -L / 2 + (1.3 if light else 1.9))
    x1, x0 = L / 2, L / 2 - cab_l

    def cab(x, y, z):
        ay = np.abs(y)
        front = x1 - 0.08 * (ay / cw) ** 3 - np.clip(z - 1.25, 0, 9) * 0.22
        side = ay - (cw - np.clip(z - 1.3, 0, 9) * 0.07)
        d = smax(smax((x - front) * 0.95, x0 - x, 0.10), smax(side, smax(z - cab_h, 0.42 - z, 0.08), 0.14), 0.12)
        arch = np.maximum(np.hypot(x - axles[0], z - r) - r - 0.08, cw - 0.45 - ay)
        d = smax(d, -arch, 0.03)
        mirror = _rbox(x, ay, z, x1 - 0.32, cw + 0.16, cab_h - 0.65, 0.06, 0.09, 0.19, 0.04)
        return np.minimum(d, mirror)

    mesh = surface_net(cab, (x0 - 0.2, -W / 2 - 0.4, 0.3), (x1 + 0.2, W / 2 + 0.4, cab_h + 0.2), 0.05)
    parts: list[tuple[Mesh, int]] = [(mesh, MAT_BODY)]
    bed_z = 0.85 if light else 1.02
    bx1 = x0 - 0.08
    if closed:
        parts.append((box((-L / 2, -W / 2, bed_z), (bx1, W / 2, H)), MAT_CARGO))
        for k in range(int((bx1 + L / 2) / 0.6)):
            xk = -L / 2 + 0.3 + k * 0.6
            for s in (-1, 1):
                parts.append((box((xk - 0.025, s * W / 2 - 0.02, bed_z + 0.1), (xk + 0.025, s * W / 2 + 0.02, H - 0.08)), MAT_CARGO))
        for s in (-1, 1):
            parts.append((box((-L / 2 - 0.03, s * 0.02 - 0.015, bed_z + 0.1), (-L / 2, s * 0.02 + 0.015, H - 0.1)), MAT_CHASSIS))
            parts.append((box((-L / 2 - 0.05, s * 0.55 - 0.02, bed_z + 0.1), (-L / 2, s * 0.55 + 0.02, H - 0.1)), MAT_CHROME))
            parts.append((box((-L / 2 - 0.01, s * W / 2 - 0.05 if s > 0 else s * W / 2, bed_z), (bx1, s * W / 2 + 0.03 if s > 0 else s * W / 2 + 0.05, bed_z + 0.08)), MAT_CHASSIS))
    else:
        parts.append((box((-L / 2, -W / 2, bed_z), (bx1, W / 2, bed_z + 0.06)), MAT_CHASSIS))
        for s in (-1, 1):
            parts.append((box((-L / 2, min(s * W / 2, s * (W / 2 - 0.05)), bed_z), (bx1, max(s * W / 2, s * (W / 2 - 0.05)), bed_z + 0.45)), MAT_PAINT))
        parts.append((box((-L / 2, -W / 2, bed_z), (-L / 2 + 0.05, W / 2, bed_z + 0.45)), MAT_PAINT))
        parts.append((box((bx1 - 0.05, -W / 2, bed_z), (bx1, W / 2, bed_z + 0.9)), MAT_PAINT))
        for _ in range(int(rng.integers(3, 9))):
            cx, cy = rng.uniform(-L / 2 + 0.5, bx1 - 0.6), rng.uniform(-W / 2 + 0.5, W / 2 - 0.5)
            hx, hy, hz = rng.uniform(0.2, 0.45), rng.uniform(0.2, 0.4), rng.uniform(0.2, 0.7)
            parts.append((box((cx - hx, cy - hy, bed_z + 0.06), (cx + hx, cy + hy, bed_z + 0.06 + hz)), MAT_CLOTH if rng.random() < 0.5 else MAT_CARGO))
    parts.append((box((-L / 2 + 0.1, -0.45, 0.62 if not light else 0.5), (x0 + 0.3, 0.45, bed_z)), MAT_CHASSIS))
    parts.append((box((-L / 2 + 0.02, -W / 2 + 0.1, 0.45), (-L / 2 + 0.10, W / 2 - 0.1, 0.57)), MAT_CHASSIS))
    for s in (-1, 1):
        parts.append((box((-0.9, min(s * W / 2, s * (W / 2 - 0.35)), 0.45), (0.3, max(s * W / 2, s * (W / 2 - 0.35)), 0.85)), MAT_CHASSIS))
        c = s * (W / 2 - 0.28)
        parts.append((box((-L / 2 - 0.03, c - 0.17, 0.62), (-L / 2 + 0.05, c + 0.17, 0.74)), MAT_TAIL))
        parts.append((box((axles[1] - r - 0.1, min(s * 0.6, s * W / 2), 0.2), (axles[1] - r - 0.07, max(s * 0.6, s * W / 2), 0.75)), MAT_PLASTIC))
    Hc = cab_h
    side = _Panel(-L / 2, L / 2, 0, Hc)
    d = _smax(1.38 - side.V, side.V - (Hc - 0.18), side.U - (x1 - 0.22 - (side.V - 1.38) * 0.28), (x0 + 0.55) - side.U)
    side.field("trim", d - 0.03)
    side.field("glass", d)
    side.line("gap", [(x1 - 0.18, 1.35), (x1 - 0.20, 0.95)], 0.014)
    side.line("gap", [(x0 + 0.42, Hc - 0.15), (x0 + 0.42, 0.95)], 0.014)
    side.rrect("gap", x0 + 0.48, x0 + 0.66, 1.18, 1.23, 0.02)
    side.field("trim", side.V - 0.62, 0.9)
    ring = np.hypot(side.U - axles[0], side.V - r) - (r + 0.14)
    side.field("trim", ring, 0.9)
    fr = _Panel(-W / 2, W / 2, 0, Hc)
    d = _smax(1.36 - fr.V, fr.V - (Hc - 0.22), np.abs(fr.U) - (cw - 0.10))
    fr.field("trim", d - 0.03)
    fr.field("glass", d)
    fr.rrect("trim", -0.75, 0.75, 0.98, 1.24, 0.05)
    for k in range(4):
        fr.line("metal", [(-0.65, 1.02 + k * 0.06), (0.65, 1.02 + k * 0.06)], 0.014, 0.6)
    fr.field("trim", fr.V - 0.72, 0.8)
    for m in (-1, 1):
        fr.rrect("head", m * (cw - 0.24) - 0.15, m * (cw - 0.24) + 0.15, 0.68, 0.88, 0.05)
        fr.rrect("amber", m * (cw - 0.24) - 0.15, m * (cw - 0.24) + 0.15, 0.90, 0.95, 0.02, 0.8)
    re = _Panel(-W / 2, W / 2, 0, Hc)
    re.rrect("glass", -0.7, 0.7, 1.5, Hc - 0.3, 0.1)
    top = _Panel(-L / 2, L / 2, -W / 2, W / 2)
    mask, lamp = _pack([side, fr, re, top])
    places = [(axles[0], s * (cw - 0.16), True) for s in (1, -1)] + [(axles[1], s * (W / 2 - 0.22), False) for s in (1, -1)]
    kind = "large" if L > 6.0 else "medium"
    mounts = [(L / 2 + 0.03, 0.56, 1, 0.0), (-L / 2 - 0.05, 0.68, -1, 0.0)]
    h = Heavy("truck", kind, L, W, H if closed else cab_h, axles, r, 0.24 if light else 0.42, places, parts, mounts, mask, lamp)
    h.plate_rows = 2 if not light else 1
    return h


def _capsule(x, y, z, a, b, ra, rb=None):
    rb = ra if rb is None else rb
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    d = b - a
    t = np.clip(((x - a[0]) * d[0] + (y - a[1]) * d[1] + (z - a[2]) * d[2]) / max(float(d @ d), 1e-6), 0, 1)
    return np.sqrt((x - a[0] - t * d[0]) ** 2 + (y - a[1] - t * d[1]) ** 2 + (z - a[2] - t * d[2]) ** 2) - (ra + (rb - ra) * t)


def scooter(rng: np.random.Generator, rider: bool = True) -> Heavy:
    """A motor scooter, ridden or standing."""
    L, W = 1.82, 0.70
    r = 0.25
    axles = (L / 2 - r, -L / 2 + r + 0.08)

    def shell(x, y, z):
        d = _capsule(x, y, z, (axles[1] - 0.08, 0, 0.62), (axles[1] + 0.5, 0, 0.60), 0.15, 0.16)
        d = smin(d, _capsule(x, y, z, (axles[1] + 0.45, 0, 0.32), (0.35, 0, 0.30), 0.12), 0.1)
        d = smin(d, _capsule(x, y, z, (0.38, 0, 0.34), (0.52, 0, 0.88), 0.15, 0.12), 0.08)
        return smin(d, _capsule(x, y, z, (axles[0] - 0.05, 0, 0.50), (axles[0] + 0.12, 0, 0.46), 0.07), 0.04)

    def black(x, y, z):
        d = _capsule(x, y, z, (axles[1] - 0.15, 0, 0.78), (axles[1] + 0.55, 0, 0.76), 0.10)
        d = np.minimum(d, _capsule(x, y, z, (0.46, -0.32, 0.98), (0.46, 0.32, 0.98), 0.02))
        d = np.minimum(d, _capsule(x, np.abs(y), z, (0.45, 0.25, 1.0), (0.48, 0.30, 1.18), 0.012))
        d = np.minimum(d, _capsule(x, np.abs(y), z, (0.48, 0.27, 1.2), (0.48, 0.37, 1.2), 0.045))
        return np.minimum(d, _capsule(x, y, z, (0.50, 0, 0.85), (axles[0], 0, r), 0.035))

    lo, hi = (-1.1, -0.5, 0.05), (1.1, 0.5, 2.0)
    parts = [(surface_net(shell, lo, hi, 0.035), MAT_PAINT), (surface_net(black, lo, hi, 0.03), MAT_PLASTIC)]
    for xa in axles:
        tyre = lathe(np.array([[r * 0.3, 0.05], [r * 0.9, 0.055], [r, 0.0], [r * 0.9, -0.055], [r * 0.3, -0.05]]), 24)
        tyre.nrm *= np.sign((tyre.nrm * tyre.pos).sum(1, keepdims=True) + 1e-9).astype(np.float32)
        parts.append((tyre.moved((xa, 0, r)), MAT_TYRE))
    parts.append((box((0.60, -0.09, 0.72), (0.66, 0.09, 0.84)), MAT_HEAD))
    parts.append((box((axles[1] - 0.27, -0.1, 0.58), (axles[1] - 0.20, 0.1, 0.66)), MAT_TAIL))
    H = 1.25
    if rider:
        H = 1.68
        sx = axles[1] + 0.35

        def torso(x, y, z):
            d = _capsule(x, y, z, (sx, 0, 0.95), (sx + 0.10, 0, 1.32), 0.17, 0.19)
            arm = smin(_capsule(x, np.abs(y), z, (sx + 0.10, 0.2, 1.34), (sx + 0.28, 0.30, 1.10), 0.06), _capsule(x, np.abs(y), z, (sx + 0.28, 0.30, 1.10), (0.46, 0.28, 1.0), 0.045), 0.03)
            return smin(d, arm, 0.05)

        def legs(x, y, z):
            ay = np.abs(y)
            return smin(_capsule(x, ay, z, (sx, 0.10, 0.88), (sx + 0.42, 0.17, 0.82), 0.09, 0.075), _capsule(x, ay, z, (sx + 0.42, 0.17, 0.82), (sx + 0.40, 0.15, 0.42), 0.07, 0.05), 0.04)

        def head(x, y, z):
            return _capsule(x, y, z, (sx + 0.12, 0, 1.55), (sx + 0.14, 0, 1.57), 0.125)

        parts += [(surface_net(torso, lo, hi, 0.035), MAT_CLOTH), (surface_net(legs, lo, hi, 0.035), MAT_CLOTH2), (surface_net(head, lo, hi, 0.03), MAT_PAINT)]
    return Heavy("motorcycle", "small", L, W, H, axles, 0.0, 0.0, [], parts, [], None, None, 1)


BUILDERS = {"bus": bus, "boxtruck": boxtruck, "flatbed": flatbed, "scooter": scooter}
