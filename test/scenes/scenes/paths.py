"""Where a vehicle's rear axle goes: smooth curves that a bicycle model can follow, and speed profiles along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Curve:
    """A sampled path of the rear axle: arc length ``s`` (m), ``xy`` N×2, tangent ``heading`` (rad), curvature ``k`` (1/m)."""

    s: np.ndarray
    xy: np.ndarray
    heading: np.ndarray
    k: np.ndarray

    @property
    def length(self) -> float:
        return float(self.s[-1])

    def at(self, s: float) -> tuple[float, float, float, float]:
        """x, y, heading and curvature at arc length ``s``."""
        return tuple(float(np.interp(s, self.s, v)) for v in (self.xy[:, 0], self.xy[:, 1], self.heading, self.k))


def from_points(xy: np.ndarray) -> Curve:
    """A curve through densely sampled points."""
    d = np.diff(xy, axis=0)
    s = np.concatenate([[0], np.cumsum(np.hypot(d[:, 0], d[:, 1]))])
    t = np.gradient(xy, s, axis=0)
    h = np.unwrap(np.arctan2(t[:, 1], t[:, 0]))
    return Curve(s, xy, h, np.gradient(h, s))


def straight(a, b) -> np.ndarray:
    """Points every 5 cm from ``a`` to ``b``, without the last."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    n = max(2, int(np.linalg.norm(b - a) / 0.05))
    return a + (b - a) * np.linspace(0, 1, n, endpoint=False)[:, None]


def shift(a, b) -> np.ndarray:
    """A lane change along X between two points that both head along +X: two opposite arcs with eased curvature."""
    (x0, y0), (x1, y1) = a, b
    n = 600
    u = (np.arange(n) + 0.5) / n
    half = np.where(u < 0.5, u, u - 0.5) * 2
    w = np.minimum(1, np.minimum(half, 1 - half) / 0.22)
    w = w * w * (3 - 2 * w) * np.where(u < 0.5, 1.0, -1.0)
    bump = np.cumsum(w)
    bump /= bump.max()
    want = abs(y1 - y0) / abs(x1 - x0)
    lo, hi = 0.0, 1.3
    for _ in range(50):  # the steepest heading fixes the ratio of the shift to its length
        mid = 0.5 * (lo + hi)
        h = bump * mid
        lo, hi = (mid, hi) if np.sin(h).sum() / np.cos(h).sum() < want else (lo, mid)
    h = bump * lo
    ds = abs(x1 - x0) / np.cos(h).sum()
    x, y = np.cumsum(np.cos(h)) * ds, np.cumsum(np.sin(h)) * ds
    p = np.stack([x0 + np.concatenate([[0], x]), y0 + np.sign(y1 - y0) * np.concatenate([[0], y])], 1)
    step = max(1, int(0.05 / ds))
    return p[:-1:step]


def turn_in(lane_y: float, target, angle: float, radius: float) -> np.ndarray:
    """From heading +X on ``lane_y`` by a right turn of ``angle`` to the pose ``target`` (x, y) with heading −``angle``.

    Curvature rises and falls smoothly; the straight piece at the end takes up what is left. Starts where the turn starts.
    """
    n = 400
    u = np.linspace(0, 1, n)
    w = np.minimum(1, np.minimum(u, 1 - u) / 0.3)
    w = w * w * (3 - 2 * w)
    h = np.cumsum(w)
    h = h / h[-1]
    length = angle * radius / np.mean(w)
    ds = length / n
    hd = -angle * h
    p = np.stack([np.cumsum(np.cos(hd)) * ds, np.cumsum(np.sin(hd)) * ds], 1)
    drop = -p[-1, 1]
    rest = (lane_y - target[1] - drop) / np.sin(angle)
    if rest < 0.3:
        raise ValueError(f"the lane is too near for radius {radius}: {rest:.2f} m of straight left")
    d = np.array([np.cos(angle), -np.sin(angle)])
    end = np.asarray(target, float)
    start_straight = end - d * rest
    p = p + (start_straight - p[-1])
    return np.concatenate([p[:-1:2], straight(start_straight, end), end[None]])


@dataclass(frozen=True)
class Run:
    """Drive a curve from arc length ``s0`` to ``s1`` between the times ``t0`` and ``t1`` (s1 < s0: backwards).

    ``soft_in``/``soft_out`` are the seconds of speeding up and slowing down; 0 means at speed already.
    """

    curve: Curve
    t0: float
    t1: float
    s0: float
    s1: float
    soft_in: float = 1.5
    soft_out: float = 1.5

    def position(self, t: float) -> float:
        T = self.t1 - self.t0
        x = min(max(t - self.t0, 0.0), T)
        a, b = self.soft_in, self.soft_out
        # speed profile: ramp up over a, cruise, ramp down over b; normalised to unit area
        area = T - a / 2 - b / 2

        def ramp(u: float, soft: float) -> float:
            return (u**3 - 0.5 * u**4) * soft if soft > 0 else 0.0

        if a > 0 and x < a:
            done = ramp(x / a, a)
        elif b > 0 and x > T - b:
            done = area - ramp((T - x) / b, b)
        else:
            done = a / 2 + (x - a)
        return self.s0 + (self.s1 - self.s0) * done / area


@dataclass(frozen=True)
class Track:
    """Like :class:`Run`, but the arc length comes from a table sampled every ``dt`` seconds from ``t0``."""

    curve: Curve
    t0: float
    t1: float
    table: tuple[float, ...]
    dt: float = 0.04

    def position(self, t: float) -> float:
        return float(np.interp(t, self.t0 + self.dt * np.arange(len(self.table)), self.table))


def follow(curve: Curve, t0: float, t_end: float, nose: float, lead_rear, cruise: float, gap: float, dt: float = 0.04) -> Track:
    """Drive ``curve`` behind a leader: ``lead_rear(t)`` gives the leader's rear bumper as x, or None once it is out of the way.

    A simple car-following rule with bounded acceleration; ``nose`` is the distance from the rear axle to the own front.
    """
    s, v, t = 0.0, cruise, t0
    table = [s]
    while t < t_end and s < curve.length:
        rear = lead_rear(t)
        want = cruise
        if rear is not None:
            room = rear - (curve.at(s)[0] + nose) - gap
            want = min(cruise, max(0.0, 0.9 * room + (lead_rear(t) - (lead_rear(t - dt) or rear)) / dt))
        v += float(np.clip(want - v, -3.2 * dt, 1.5 * dt))
        s += v * dt
        t += dt
        table.append(min(s, curve.length))
    return Track(curve, t0, t, tuple(table), dt)
