"""The ground picture: asphalt with wear, cracks, patches and stains; markings; berth lines and numbers; pavements."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from .plates import Glyphs
from .textures import fbm


@dataclass(frozen=True)
class Berth:
    """One berth: ``corners`` on the ground in metres, front-left, front-right, rear-right, rear-left seen in driving direction."""

    id: str
    number: str
    kind: str
    corners: tuple[tuple[float, float], ...]
    length: float
    width: float
    heading: float


@dataclass
class Layout:
    """The plan of a street. Lanes run along X between ``kerb`` Y values; pavements lie outside."""

    x0: float
    x1: float
    road_width: float
    pavement_near: float
    pavement_far: float
    berths: list[Berth]
    centre_y: float
    lane_lines: list[tuple[float, str]] = field(default_factory=list)
    margin: float = 10.0
    bay_depth: float = 0.0


def make_berth(ident: str, number: str, kind: str, x: float, kerb: float, angle: float, length: float, width: float) -> Berth:
    """A berth whose rear-most kerb corner starts at ``x``; ``angle`` is the turn from +X towards the kerb (radians, 0 = parallel)."""
    c, s = np.cos(-angle), np.sin(-angle)
    f, l = np.array([c, s]), np.array([-s, c])
    if kind == "parallel":
        fr = np.array([x + length, kerb])
        pts = [fr + l * width, fr, fr - f * length, fr - f * length + l * width]
    else:
        # front edge touches the kerb with its right or left corner, whichever lies deeper
        fr = np.array([x, 0.0])
        fl = fr + l * width
        low = min(fr[1], fl[1])
        fr, fl = fr + [0, kerb - low], fl + [0, kerb - low]
        pts = [fl, fr, fr - f * length, fl - f * length]
    return Berth(ident, number, kind, tuple((float(p[0]), float(p[1])) for p in pts), length, width, float(-angle))


class GroundPainter:
    """Paints the ground of a layout at ``res`` metres a pixel."""

    def __init__(self, layout: Layout, res: float, rng: np.random.Generator, glyphs: Glyphs):
        self.lay, self.res, self.rng, self.glyphs = layout, res, rng, glyphs
        self.y0 = -layout.pavement_near - layout.margin
        self.y1 = layout.road_width + layout.pavement_far + layout.margin
        self.w = round((layout.x1 - layout.x0) / res)
        self.h = round((self.y1 - self.y0) / res)

    @property
    def rect(self) -> tuple[float, float, float, float]:
        """x, y, width, height in metres."""
        return (self.lay.x0, self.y0, self.lay.x1 - self.lay.x0, self.y1 - self.y0)

    def px(self, pts) -> np.ndarray:
        p = (np.asarray(pts, float) - [self.lay.x0, self.y0]) / self.res
        return np.round(p * 16).astype(np.int32)

    def stroke(self, mask: np.ndarray, pts, width: float, closed: bool = False, value: int = 255) -> None:
        cv2.polylines(mask, [self.px(pts)], closed, value, max(1, round(width / self.res)), cv2.LINE_AA, 4)

    def fill(self, mask: np.ndarray, pts, value: int = 255) -> None:
        cv2.fillPoly(mask, [self.px(pts)], value, cv2.LINE_AA, 4)

    def dashes(self, mask, x0, x1, y, width, on, off) -> None:
        x = x0
        while x < x1:
            self.stroke(mask, [(x, y), (min(x + on, x1), y)], width)
            x += on + off

    def paint(self) -> np.ndarray:
        """H×W×4 uint8, first row at the smallest Y."""
        lay, rng, h, w = self.lay, self.rng, self.h, self.w
        cells = max(lay.x1 - lay.x0, self.y1 - self.y0)
        lum = np.full((h, w), float(rng.uniform(0.11, 0.16)), np.float32)
        base = float(lum[0, 0])
        lum *= 1 + 0.16 * fbm(rng, h, w, cells / 5, 4, False) + 0.10 * fbm(rng, h, w, cells * 3, 2, False)
        grain = rng.standard_normal((h, w), dtype=np.float32)
        lum *= 1 + 0.10 * grain + 0.07 * cv2.GaussianBlur(grain, (0, 0), 1.2) * 2.4
        ys = self.y0 + (np.arange(h, dtype=np.float32) + 0.5) * self.res
        lane_w = 3.4
        for lane_c in np.arange(lay.centre_y - 1.5 * lane_w, lay.centre_y + 2 * lane_w, lane_w):
            for dy in (-0.82, 0.82):
                lum *= (1 - 0.10 * np.exp(-(((ys - lane_c - dy) / 0.28) ** 2)))[:, None]
            lum *= (1 - 0.07 * np.exp(-(((ys - lane_c) / 0.35) ** 2)))[:, None]
        m = np.zeros((h, w), np.uint8)
        for _ in range(int(rng.integers(2, 6))):  # patches of newer asphalt
            px, py = rng.uniform(lay.x0, lay.x1), rng.uniform(0.5, lay.road_width - 2)
            pw, ph = rng.uniform(0.8, 6), rng.uniform(0.6, 1.8)
            self.fill(m, [(px, py), (px + pw, py), (px + pw, py + ph), (px, py + ph)], int(rng.integers(60, 200)))
        lum *= 1 - 0.30 * (m.astype(np.float32) / 255)
        edge = cv2.morphologyEx(m, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(np.float32) / 255
        lum *= 1 - 0.4 * edge
        lum *= 1 - 0.55 * self._cracks()
        lum *= 1 - self._stains()
        rgb = lum[..., None] * np.array([1.0, 0.99, 0.965], np.float32)
        white, yellow = np.zeros((h, w), np.uint8), np.zeros((h, w), np.uint8)
        self._markings(white, yellow)
        wear = np.clip(0.80 + 0.9 * fbm(rng, h, w, cells * 1.3, 5, False) + 0.10 * grain, 0.12, 1)
        for mask, colour in ((white, (0.60, 0.60, 0.58)), (yellow, (0.58, 0.40, 0.06))):
            a = cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32)[..., None] / 255 * wear[..., None]
            rgb += (np.array(colour, np.float32) * (1 + 0.05 * grain[..., None]) - rgb) * a
        gloss = np.clip(0.5 + 1.2 * fbm(rng, h, w, cells / 3, 3, False), 0, 1) * 0.24
        self._gutter_and_pavements(rgb, gloss, ys, grain)
        self._iron(rgb)
        out = np.dstack([np.sqrt(np.clip(rgb, 0, 1)), gloss])
        return (out * 255).astype(np.uint8)

    def _cracks(self) -> np.ndarray:
        rng, lay = self.rng, self.lay
        m = np.zeros((self.h, self.w), np.uint8)
        for _ in range(int(rng.integers(8, 20))):
            p = np.array([rng.uniform(lay.x0, lay.x1), rng.uniform(0.4, lay.road_width - 0.4)])
            a = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.35)
            n = int(rng.integers(20, 90))
            pts = [p.copy()]
            for _ in range(n):
                a += rng.normal(0, 0.28)
                p = p + 0.09 * np.array([np.cos(a), np.sin(a)])
                p[1] = np.clip(p[1], 0.1, lay.road_width - 0.1)
                pts.append(p.copy())
                if rng.random() < 0.05:
                    q, b, side = p.copy(), a + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2), []
                    for _ in range(int(rng.integers(4, 16))):
                        side.append(q.copy())
                        b += rng.normal(0, 0.3)
                        q = q + 0.08 * np.array([np.cos(b), np.sin(b)])
                    self.stroke(m, side or [q, q], 0.006, value=150)
            self.stroke(m, pts, float(rng.choice([0.008, 0.014, 0.03], p=[0.5, 0.35, 0.15])), value=int(rng.integers(130, 255)))
        return m.astype(np.float32) / 255

    def _stains(self) -> np.ndarray:
        rng, lay = self.rng, self.lay
        m = np.zeros((self.h, self.w), np.float32)
        spots = []
        for b in lay.berths:
            c = np.mean(b.corners, axis=0)
            f = np.array([np.cos(b.heading), np.sin(b.heading)])
            for _ in range(int(rng.integers(1, 5))):
                spots.append((*(c + f * rng.uniform(0.3, 0.42) * b.length * rng.choice([1, 1, -0.6]) + rng.normal(0, 0.2, 2)), rng.uniform(0.06, 0.3), rng.uniform(0.15, 0.45)))
        for _ in range(25):
            spots.append((rng.uniform(lay.x0, lay.x1), rng.uniform(0, lay.road_width), rng.uniform(0.04, 0.5), rng.uniform(0.05, 0.22)))
        for x, y, r, k in spots:
            cx, cy, pr = (x - lay.x0) / self.res, (y - self.y0) / self.res, max(2.0, r / self.res)
            x0, x1, y0, y1 = int(max(cx - 2 * pr, 0)), int(min(cx + 2 * pr, self.w)), int(max(cy - 2 * pr, 0)), int(min(cy + 2 * pr, self.h))
            if x1 <= x0 or y1 <= y0:
                continue
            yy, xx = np.mgrid[y0:y1, x0:x1]
            d = np.hypot(xx - cx, (yy - cy) * rng.uniform(0.7, 1.4)) / pr
            blob = np.clip(1.2 - d + 0.5 * cv2.resize(rng.random((5, 5)).astype(np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC) - 0.25, 0, 1)
            m[y0:y1, x0:x1] = np.maximum(m[y0:y1, x0:x1], blob.astype(np.float32) * k)
        return m

    def _markings(self, white: np.ndarray, yellow: np.ndarray) -> None:
        lay = self.lay
        for y, kind in lay.lane_lines:
            if kind == "double-yellow":
                for d in (-0.11, 0.11):
                    self.stroke(yellow, [(lay.x0, y + d), (lay.x1, y + d)], 0.13)
            elif kind == "dash":
                self.dashes(white, lay.x0, lay.x1, y, 0.13, 4.0, 6.0)
            elif kind == "dash-yellow":
                self.dashes(yellow, lay.x0, lay.x1, y, 0.13, 4.0, 6.0)
            else:
                self.stroke(white, [(lay.x0, y), (lay.x1, y)], 0.13)
        for b in lay.berths:
            self.stroke(white, list(b.corners), 0.11, closed=True)
            self._number(white, b)

    def _number(self, mask: np.ndarray, b: Berth) -> None:
        """The berth's number in the rear third, read from behind."""
        c = np.array(b.corners)
        rear = (c[2] + c[3]) / 2
        f = np.array([np.cos(b.heading), np.sin(b.heading)])
        l = np.array([-f[1], f[0]])
        dw, dh, gap = 0.24, 0.52, 0.08
        text = b.number[-4:]
        total = len(text) * dw + (len(text) - 1) * gap
        for i, ch in enumerate(text):
            ink = (self.glyphs.ink(f"140_{ch}", 45, 90) * 255).astype(np.uint8)
            left = rear + f * 0.35 + l * (total / 2 - i * (dw + gap))
            quad = np.array([left + f * dh, left + f * dh - l * dw, left - l * dw, left])
            dst = ((quad - [self.lay.x0, self.y0]) / self.res).astype(np.float32)
            lo, hi = np.floor(dst.min(0)).astype(int) - 1, np.ceil(dst.max(0)).astype(int) + 1
            if (lo < 0).any() or hi[0] >= self.w or hi[1] >= self.h:
                continue
            m = cv2.getPerspectiveTransform(np.array([[0, 0], [45, 0], [45, 90], [0, 90]], np.float32), dst - lo.astype(np.float32))
            patch = cv2.warpPerspective(ink, m, (int(hi[0] - lo[0]), int(hi[1] - lo[1])), flags=cv2.INTER_AREA)
            view = mask[lo[1] : hi[1], lo[0] : hi[0]]
            np.maximum(view, patch, out=view)

    def _gutter_and_pavements(self, rgb, gloss, ys, grain) -> None:
        rng, lay = self.rng, self.lay
        h, w = self.h, self.w
        xs = lay.x0 + (np.arange(w) + 0.5) * self.res
        for lo, hi in ((0.0, 0.30), (lay.road_width - 0.30, lay.road_width)):
            r = (ys > lo) & (ys < hi)
            joint = 1 - 0.35 * (np.abs((xs + 0.5) % 1.0 - 0.5) < 0.012)
            rgb[r] = 0.20 * joint[None, :, None] * (1 + 0.08 * grain[r][..., None]) * (1 + 0.2 * fbm(rng, int(r.sum()), w, 60, 3, False))[..., None]
        tint = np.array(rng.choice([0, 1, 2]) == 0 and (0.30, 0.27, 0.25) or (0.27, 0.265, 0.255), np.float32)
        for lo, hi, side in ((-99.0, 0.0, -1), (lay.road_width, 999.0, 1)):
            r = (ys < hi) & (ys >= lo)
            n = int(r.sum())
            if not n:
                continue
            t = 0.30
            yy = ys[r]
            row = np.floor(yy / t).astype(int)
            shift = (row % 2) * 0.15
            xx = xs[None, :] + shift[:, None]
            col = np.floor(xx / t).astype(int)
            key = (col * 7919 + row[:, None] * 104729) % 9973
            shade = 0.86 + 0.28 * ((key * 37 % 101) / 101.0)
            fx, fy = np.abs((xx / t) % 1 - 0.5), np.abs((yy / t) % 1 - 0.5)
            joint = (fx > 0.485) | (fy[:, None] > 0.485)
            lum = shade * (1 - 0.45 * joint) * (1 + 0.05 * grain[r]) * (1 + 0.22 * fbm(rng, n, w, 40, 4, False))
            rgb[r] = lum[..., None] * tint
            strip = np.abs(yy + 0.0 - (-1.5 if side < 0 else lay.road_width + 1.5)) < 0.3
            studs = 0.85 + 0.15 * np.sign(np.sin(xs * 2 * np.pi / 0.06))[None, :]
            if strip.any():
                rgb[np.flatnonzero(r)[strip]] = (lum[strip] * studs)[..., None] * np.array([0.42, 0.31, 0.10], np.float32)
            gloss[r] *= 0.5

    def _iron(self, rgb) -> None:
        rng, lay = self.rng, self.lay
        for _ in range(int(rng.integers(2, 5))):
            x, y = rng.uniform(lay.x0 + 2, lay.x1 - 2), rng.uniform(2.8, lay.road_width - 1)
            c, r = ((x - lay.x0) / self.res, (y - self.y0) / self.res), 0.35 / self.res
            m = np.zeros((self.h, self.w), np.uint8)
            p = (int(c[0] * 16), int(c[1] * 16))
            cv2.circle(m, p, int(r * 16), 255, -1, cv2.LINE_AA, 4)
            ring = np.zeros_like(m)
            cv2.circle(ring, p, int(r * 16), 255, max(1, round(0.04 / self.res)), cv2.LINE_AA, 4)
            y0, y1, x0, x1 = int(c[1] - r - 6), int(c[1] + r + 6), int(c[0] - r - 6), int(c[0] + r + 6)
            if y0 < 0 or x0 < 0 or y1 > self.h or x1 > self.w:
                continue
            a = m[y0:y1, x0:x1, None].astype(np.float32) / 255
            b = ring[y0:y1, x0:x1, None].astype(np.float32) / 255
            yy, xx = np.mgrid[y0:y1, x0:x1] * self.res
            tread = 0.075 + 0.05 * ((np.sin(xx * 60) * np.sin(yy * 60)) > 0)
            v = rgb[y0:y1, x0:x1]
            v += (tread[..., None] * np.array([1.0, 0.92, 0.82]) - v) * a
            v *= 1 - 0.6 * b
        for x in np.arange(lay.x0 + 6, lay.x1, 17.0):
            p0, p1 = self.px([(x, 0.02)])[0] // 16, self.px([(x + 0.5, 0.30)])[0] // 16
            if p1[0] >= self.w:
                continue
            v = rgb[p0[1] : p1[1], p0[0] : p1[0]]
            bars = 0.03 + 0.12 * (np.sin(np.arange(v.shape[1]) * self.res * 2 * np.pi / 0.06) > 0)
            v[:] = bars[None, :, None]
