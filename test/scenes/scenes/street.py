"""The street's solid world: ground, kerbs, facades, trees, lamp posts, street furniture, as one triangle soup."""

from __future__ import annotations

import numpy as np

from .ground import Berth, GroundPainter, Layout
from .plates import Glyphs
from .renderer import Street
from . import textures as T

KERB_HEIGHT = 0.14


class Soup:
    """Collects triangles with normal, uv, tint and texture layer."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []

    def quads(self, p: np.ndarray, layer: int, tint=(1, 1, 1), uv: np.ndarray | None = None, nrm: np.ndarray | None = None) -> None:
        """``p`` N×4×3 corners in order; one normal a quad unless given (N×4×3)."""
        p = np.asarray(p, np.float32).reshape(-1, 4, 3)
        n = len(p)
        if nrm is None:
            f = np.cross(p[:, 1] - p[:, 0], p[:, 3] - p[:, 0])
            f /= np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-9)
            nrm = np.repeat(f[:, None], 4, 1)
        if uv is None:
            uv = np.broadcast_to(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), (n, 4, 2))
        col = np.broadcast_to(np.asarray(tint, np.float32).reshape(-1, 1, 3), (n, 4, 3))
        lay = np.full((n, 4, 1), layer, np.float32)
        v = np.concatenate([p, nrm, uv, col, lay], 2)
        self.parts.append(v[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 12).astype(np.float32))

    def rect(self, a, b, c, d, layer, tint=(1, 1, 1), scale: float = 1.0) -> None:
        """One planar quad with uv in metres / ``scale``."""
        p = np.array([a, b, c, d], np.float32)
        u, v = np.linalg.norm(p[1] - p[0]) / scale, np.linalg.norm(p[3] - p[0]) / scale
        self.quads(p[None], layer, tint, np.array([[[0, 0], [u, 0], [u, v], [0, v]]], np.float32))

    def box(self, lo, hi, layer, tint=(1, 1, 1), scale: float = 1.0, bottom: bool = False) -> None:
        (x0, y0, z0), (x1, y1, z1) = lo, hi
        self.rect((x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1), layer, tint, scale)
        self.rect((x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1), layer, tint, scale)
        self.rect((x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1), layer, tint, scale)
        self.rect((x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1), layer, tint, scale)
        self.rect((x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1), layer, tint, scale)
        if bottom:
            self.rect((x0, y1, z0), (x1, y1, z0), (x1, y0, z0), (x0, y0, z0), layer, tint, scale)

    def tube(self, path, radii, layer, tint=(1, 1, 1), seg: int = 10) -> None:
        """A round tube along a polyline."""
        path = np.asarray(path, float)
        radii = np.broadcast_to(np.asarray(radii, float), (len(path),))
        t = np.gradient(path, axis=0)
        t /= np.maximum(np.linalg.norm(t, axis=1, keepdims=True), 1e-9)
        ref = np.array([1.0, 0, 0]) if abs(t[0, 2]) > 0.8 else np.array([0, 0, 1.0])
        a = np.cross(t, ref)
        a /= np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-9)
        b = np.cross(t, a)
        ang = np.linspace(0, 2 * np.pi, seg + 1)
        n = a[:, None] * np.cos(ang)[None, :, None] + b[:, None] * np.sin(ang)[None, :, None]
        p = path[:, None] + n * radii[:, None, None]
        q = np.stack([p[:-1, :-1], p[:-1, 1:], p[1:, 1:], p[1:, :-1]], 2).reshape(-1, 4, 3)
        m = np.stack([n[:-1, :-1], n[:-1, 1:], n[1:, 1:], n[1:, :-1]], 2).reshape(-1, 4, 3)
        self.quads(q, layer, tint, None, m)

    def done(self) -> np.ndarray:
        return np.concatenate(self.parts)


def tree(s: Soup, rng: np.random.Generator, x: float, y: float, height: float, spread: float, leaves: int = 2600) -> None:
    """A street tree: bent trunk, a few boughs, clouds of leaf cards."""
    trunk_h = height * rng.uniform(0.36, 0.44)
    bend = rng.normal(0, 0.12, 2)
    k = np.linspace(0, 1, 6)
    path = np.stack([x + bend[0] * k**2, y + bend[1] * k**2, trunk_h * k], 1)
    tint = (0.22, 0.18, 0.14)
    s.tube(path, np.linspace(0.15, 0.10, 6) * height / 7, T.BARK, tint)
    top = path[-1]
    hue = np.array([0.10, 0.17, 0.045]) * rng.uniform(0.8, 1.25) * np.array([rng.uniform(0.8, 1.3), 1, rng.uniform(0.7, 1.3)])
    blobs = []
    for i in range(int(rng.integers(6, 9))):
        a = 2 * np.pi * i / 7 + rng.normal(0, 0.3)
        r = spread * rng.uniform(0.25, 0.68)
        end = top + np.array([np.cos(a) * r, np.sin(a) * r, rng.uniform(0.12, 0.5) * height])
        kk = np.linspace(0, 1, 5)[:, None]
        s.tube(top + (end - top) * kk + np.array([0, 0, 0.25]) * np.sin(kk * np.pi), np.linspace(0.06, 0.02, 5) * height / 7, T.BARK, tint, 6)
        blobs.append((end, spread * rng.uniform(0.38, 0.6)))
    blobs.append((top + [0, 0, height * 0.45], spread * 0.6))
    per = leaves // len(blobs)
    for c, r in blobs:
        d = rng.normal(0, 1, (per, 3))
        d /= np.linalg.norm(d, axis=1, keepdims=True)
        p = c + d * (r * rng.uniform(0.35, 1.0, (per, 1)) ** 0.5) * np.array([1, 1, 0.75])
        n = d * 0.7 + rng.normal(0, 0.6, (per, 3)) + [0, 0, 0.4]
        n /= np.linalg.norm(n, axis=1, keepdims=True)
        u = np.cross(n, rng.normal(0, 1, (per, 3)))
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        v = np.cross(n, u)
        size = rng.uniform(0.07, 0.17, (per, 1))
        q = np.stack([p - u * size, p - v * size * 0.55, p + u * size, p + v * size * 0.55], 1)
        s.quads(q, T.LEAF, hue * rng.uniform(0.6, 1.35, (per, 1)))


def lamp_post(s: Soup, x: float, y: float, reach: float, height: float = 8.0) -> tuple[float, float, float]:
    """A lamp post whose arm reaches ``reach`` metres in Y; returns the place of the light."""
    g = (0.28, 0.29, 0.30)
    s.tube([(x, y, 0), (x, y, 1.0), (x, y, height - 0.6)], [0.11, 0.08, 0.055], T.METAL, g)
    k = np.linspace(0, 1, 7)
    s.tube(np.stack([x + 0 * k, y + reach * k, height - 0.6 + 0.6 * np.sin(k * np.pi / 2)], 1), 0.04, T.METAL, g, 8)
    e = (x, y + reach, height)
    s.box((x - 0.12, e[1] - 0.35, height - 0.05), (x + 0.12, e[1] + 0.35, height + 0.07), T.METAL, g)
    s.rect((x - 0.1, e[1] + 0.3, height - 0.055), (x + 0.1, e[1] + 0.3, height - 0.055), (x + 0.1, e[1] - 0.3, height - 0.055), (x - 0.1, e[1] - 0.3, height - 0.055), T.LAMP)
    return (x, e[1], height - 0.25)


def facade(s: Soup, rng: np.random.Generator, x0: float, x1: float, y: float, side: int, height: float) -> None:
    """A building front along X at ``y`` that faces the street (``side`` −1: street at larger Y)."""
    out = -side  # direction in Y towards the street
    tint = np.array([(0.62, 0.55, 0.45), (0.50, 0.50, 0.50), (0.45, 0.30, 0.22), (0.66, 0.62, 0.55), (0.38, 0.40, 0.43)][int(rng.integers(5))]) * rng.uniform(0.75, 1.05)
    wall = T.BRICK if rng.random() < 0.3 else T.PLAIN

    def q(xa, za, xb, zb, depth, layer, col, scale=2.0):
        yy = y + out * depth
        a, b, c, d = (xa, yy, za), (xb, yy, za), (xb, yy, zb), (xa, yy, zb)
        s.rect(*((a, b, c, d) if out > 0 else (b, a, d, c)), layer, col, scale)

    def ledge(xa, za, xb, zb, depth, layer, col):
        lo_y, hi_y = sorted((y, y + out * depth))
        s.box((xa, lo_y, za), (xb, hi_y, zb), layer, col, 1.0, True)

    shop_h = rng.uniform(3.2, 3.8)
    # ground floor: shops between piers
    n = max(1, round((x1 - x0) / rng.uniform(4, 6.5)))
    w = (x1 - x0) / n
    for i in range(n):
        a, b = x0 + i * w, x0 + (i + 1) * w
        ledge(a, 0, a + 0.35, shop_h, 0.25, wall, tint * 0.9)
        kind = rng.random()
        layer = T.SHOP if kind < 0.7 else T.SHUTTER
        q(a + 0.35, 0.10, b, shop_h - 0.75, -0.1, layer, (1, 1, 1) if layer == T.SHOP else rng.uniform(0.3, 0.6, 3), 3.0)
        q(a + 0.35, 0.0, b, 0.35, -0.05, T.PLAIN, tint * 0.5)
        sign = np.array([(0.55, 0.05, 0.04), (0.05, 0.16, 0.42), (0.06, 0.30, 0.14), (0.60, 0.40, 0.06), (0.65, 0.65, 0.62), (0.09, 0.09, 0.10)][int(rng.integers(6))])
        ledge(a + 0.25, shop_h - 0.85, b + 0.1, shop_h - 0.05, 0.32, T.SIGN, sign)
        # lettering as light strokes on the board
        yy = y + out * 0.335
        cx = a + w * 0.28
        ink = (0.85, 0.83, 0.78) if sign.max() < 0.5 or sign.mean() < 0.3 else (0.08, 0.06, 0.05)
        for _ in range(int(rng.integers(3, 6))):
            for _ in range(int(rng.integers(3, 6))):
                horizontal = rng.random() < 0.55
                sx, sz = cx + rng.uniform(0, 0.36), shop_h - 0.66 + rng.uniform(0, 0.36)
                dx, dz = (rng.uniform(0.15, 0.36), 0.045) if horizontal else (0.05, rng.uniform(0.15, 0.36))
                pts = [(sx, yy, sz), (sx + dx, yy, sz), (sx + dx, yy, sz + dz), (sx, yy, sz + dz)]
                s.rect(*(pts if out > 0 else [pts[1], pts[0], pts[3], pts[2]]), T.SIGN, ink)
            cx += 0.55
        if rng.random() < 0.4:  # awning
            za, zb, dep = shop_h - 0.9, shop_h - 1.35, 1.1
            c = rng.uniform(0.1, 0.55, 3)
            pts = [(a + 0.4, y + out * dep, zb), (b - 0.05, y + out * dep, zb), (b - 0.05, y + out * 0.3, za), (a + 0.4, y + out * 0.3, za)]
            s.rect(*(pts if out > 0 else [pts[1], pts[0], pts[3], pts[2]]), T.PLAIN, c)
    # upper floors: recessed windows
    floor_h, bay = rng.uniform(2.9, 3.3), rng.uniform(2.6, 3.6)
    z = shop_h
    ww, wh = rng.uniform(1.2, 1.9), rng.uniform(1.3, 1.7)
    while z + floor_h <= height + 0.5:
        m = max(1, int((x1 - x0) / bay))
        step = (x1 - x0) / m
        for i in range(m):
            a = x0 + i * step
            wa, wb = a + (step - ww) / 2, a + (step + ww) / 2
            za, zb = z + 0.9, z + 0.9 + wh
            q(a, z, wa, z + floor_h, 0, wall, tint)
            q(wb, z, a + step, z + floor_h, 0, wall, tint)
            q(wa, z, wb, za, 0, wall, tint)
            q(wa, zb, wb, z + floor_h, 0, wall, tint)
            q(wa, za, wb, zb, -0.16, T.GLASS, (1, 1, 1))
            yy0, yy1 = y, y - out * 0.16
            for pts in (
                [(wa, yy0, za), (wb, yy0, za), (wb, yy1, za), (wa, yy1, za)],
                [(wa, yy1, zb), (wb, yy1, zb), (wb, yy0, zb), (wa, yy0, zb)],
                [(wa, yy1, za), (wa, yy1, zb), (wa, yy0, zb), (wa, yy0, za)],
                [(wb, yy0, za), (wb, yy0, zb), (wb, yy1, zb), (wb, yy1, za)],
            ):
                s.rect(*pts, wall, tint)
            q((wa + wb) / 2 - 0.03, za, (wa + wb) / 2 + 0.03, zb, -0.12, T.PLAIN, (0.6, 0.6, 0.6))
            if rng.random() < 0.35:
                ledge(wb + 0.1, z + 0.35, wb + 0.75, z + 0.9, 0.35, T.PLAIN, (0.7, 0.7, 0.68))
        z += floor_h
    ledge(x0, z, x1, z + 0.7, 0.15, wall, tint * 0.95)
    yb = y - out * 9
    s.rect((x0, min(y, yb), z + 0.2), (x1, min(y, yb), z + 0.2), (x1, max(y, yb), z + 0.2), (x0, max(y, yb), z + 0.2), T.ROOF, (0.4, 0.4, 0.4), 3)
    for xe in (x0, x1):
        s.rect((xe, y, 0), (xe, yb, 0), (xe, yb, z + 0.7), (xe, y, z + 0.7), wall, tint * 0.8, 2)


def build(lay: Layout, rng: np.random.Generator, glyphs: Glyphs, res: float = 0.008, tree_gap: tuple[float, float] = (7, 11), leaves: int = 2600, lamps_far: bool = True, keep_clear: tuple[float, float] | None = None) -> Street:
    """The whole street of a layout. ``keep_clear`` is an X range without trees on the far side (where the camera's mast stands)."""
    s = Soup()
    painter = GroundPainter(lay, res, rng, glyphs)
    ground = painter.paint()
    kh = KERB_HEIGHT
    x0, x1, rw = lay.x0, lay.x1, lay.road_width
    pn, pf = lay.pavement_near, lay.pavement_far
    flat = lambda xa, ya, xb, yb, z, layer=-1, tint=(1, 1, 1): s.rect((xa, ya, z), (xb, ya, z), (xb, yb, z), (xa, yb, z), layer, tint)
    flat(x0, 0, x1, rw, 0)
    far_x = 160.0
    for xa, xb in ((x0 - far_x, x0), (x1, x1 + far_x)):
        flat(xa, 0, xb, rw, 0, T.PLAIN, (0.14, 0.14, 0.137))
        flat(xa, -pn - 12, xb, 0, kh, T.PAVING, (0.4, 0.39, 0.37))
        flat(xa, rw, xb, rw + pf + 12, kh, T.PAVING, (0.4, 0.39, 0.37))
    flat(x0, painter.y0, x1, -0.14, kh)
    flat(x0, rw + 0.14, x1, painter.y1, kh)
    for ya, face in ((0.0, 1), (rw, -1)):
        n = int(x1 - x0) + 1
        xs = x0 + np.arange(n)
        lo, hi = min(ya, ya - face * 0.14), max(ya, ya - face * 0.14)
        for xk in xs:
            sh = rng.uniform(0.30, 0.40)
            xe = min(xk + 0.992, x1)
            s.box((xk, lo, 0), (xe, hi, kh + 0.004), T.KERB, (sh, sh * 0.99, sh * 0.96), 1.0)
    # facades, with gaps between houses
    for y, side in ((-pn, -1), (rw + pf, 1)):
        x = x0 - 30.0
        while x < x1 + 40:
            w = rng.uniform(12, 26)
            facade(s, rng, x, x + w, y, side, rng.uniform(9, 19))
            x += w + (rng.uniform(2, 5) if rng.random() < 0.3 else 0.0)
    # trees and pits, lamp posts, bollards, bins, bikes' stands
    lamps = []
    x = x0 + rng.uniform(1, 5)
    while x < x1:
        tree(s, rng, x, -1.0 + rng.normal(0, 0.05), rng.uniform(6, 8.5), rng.uniform(1.7, 2.5), leaves)
        s.box((x - 0.6, -1.6, kh), (x + 0.6, -0.4, kh + 0.02), T.HEDGE, (0.10, 0.08, 0.05))
        x += rng.uniform(*tree_gap)
    x = x0 + rng.uniform(1, 5)
    while x < x1:
        if keep_clear is None or not keep_clear[0] < x < keep_clear[1]:
            tree(s, rng, x, rw + 1.1, rng.uniform(6, 8), rng.uniform(1.6, 2.3), leaves)
        x += rng.uniform(*tree_gap) * 1.2
    x = x0 + 6.0
    while x < x1:
        lamps.append(lamp_post(s, x, -0.5, 1.9))
        if lamps_far and (keep_clear is None or not keep_clear[0] < x + 9 < keep_clear[1]):
            lamps.append(lamp_post(s, x + 9.0, rw + 0.55, -1.9))
        x += rng.uniform(17, 20)
    x = x0 + 2
    while x < x1:
        r = rng.random()
        if r < 0.4:
            s.tube([(x, -0.35, kh), (x, -0.35, kh + 0.75)], 0.055, T.METAL, (0.15, 0.15, 0.16))
            s.tube([(x, -0.35, kh + 0.60), (x, -0.35, kh + 0.68)], 0.057, T.METAL, (0.7, 0.65, 0.1))
        elif r < 0.5:
            s.box((x, -2.4, kh), (x + 1.7, -1.9, kh + 0.55), T.HEDGE, (0.06, 0.13, 0.04))
            s.box((x - 0.05, -2.45, kh), (x + 1.75, -1.85, kh + 0.28), T.PLAIN, (0.35, 0.33, 0.30))
        elif r < 0.56:
            s.tube([(x, -0.5, kh), (x, -0.5, 2.5)], 0.035, T.METAL, (0.5, 0.5, 0.5))
            s.box((x - 0.28, -0.53, 1.9), (x + 0.28, -0.50, 2.6), T.SIGN, (0.02, 0.10, 0.45))
            s.box((x - 0.10, -0.545, 2.0), (x - 0.03, -0.49, 2.5), T.SIGN, (0.8, 0.8, 0.8))
        elif r < 0.62:
            s.tube([(x, -0.6, kh), (x, -0.6, kh + 0.85)], 0.24, T.METAL, (0.08, 0.16, 0.10), 14)
        x += rng.uniform(1.6, 3.2)
    v = s.done()
    lo = np.array([x0 - 6, -pn - 6.0, -0.05])
    hi = np.array([x1 + 6, rw + pf + 6.0, 16.0])
    return Street(v, T.tiles(rng), ground, painter.rect, lamps, lo, hi)


def footprint(pose: tuple[float, float, float], length: float, width: float) -> np.ndarray:
    """Ground corners of a vehicle: front-left, front-right, rear-right, rear-left (4×2 metres)."""
    x, y, h = pose
    f, l = np.array([np.cos(h), np.sin(h)]), np.array([-np.sin(h), np.cos(h)])
    c = np.array([x, y])
    return np.array([c + f * length / 2 + l * width / 2, c + f * length / 2 - l * width / 2, c - f * length / 2 - l * width / 2, c - f * length / 2 + l * width / 2])


__all__ = ["Berth", "Layout", "build", "footprint", "Soup"]
