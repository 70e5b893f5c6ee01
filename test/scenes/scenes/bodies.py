"""Car bodies as implicit solids: a side profile, a plan outline and a tumblehome, blended smoothly, with wheel arches."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from .mesher import smax, smin


@dataclass(frozen=True)
class BodySpec:
    """Dimensions of one passenger-car-like body; ``d_*`` are metres behind the nose, ``h_*`` metres above ground."""

    style: str
    length: float
    width: float
    height: float
    wheelbase: float
    front_overhang: float
    wheel_radius: float
    clearance: float
    h_nose: float
    h_cowl: float
    d_cowl: float
    d_windscreen: float
    d_backlight: float
    d_deck: float
    h_deck: float
    h_tail: float
    h_belt: float
    roof_half: float
    taper_front: float = 0.10
    taper_rear: float = 0.07
    nose_round: float = 0.22
    tail_round: float = 0.16
    tail_lean: float = 0.10
    plate_rear_z: float = 0.82
    plate_front_z: float = 0.46
    d_rear_door: float = 0.0
    rails: bool = False
    doors: int = 4
    edge: float = 0.09
    tail_style: int = 0
    nose_style: int = 0
    extra: dict = field(default_factory=dict)

    @property
    def axles(self) -> tuple[float, float]:
        """x of the front and rear axle in the vehicle frame."""
        front = self.length / 2 - self.front_overhang
        return front, front - self.wheelbase


STYLES: dict[str, BodySpec] = {
    "sedan": BodySpec("sedan", 4.68, 1.82, 1.46, 2.70, 0.92, 0.325, 0.17, 0.70, 0.98, 1.28, 2.02, 3.42, 4.10, 1.08, 0.98, 0.88, 0.585, plate_rear_z=0.83),
    "executive": BodySpec("executive", 4.98, 1.87, 1.47, 2.97, 0.88, 0.345, 0.16, 0.72, 0.99, 1.42, 2.16, 3.70, 4.40, 1.09, 1.00, 0.90, 0.60, plate_rear_z=0.80),
    "fastback": BodySpec("fastback", 4.72, 1.86, 1.44, 2.88, 0.84, 0.345, 0.15, 0.62, 0.94, 1.10, 2.00, 3.35, 4.36, 1.06, 0.98, 0.88, 0.58, nose_round=0.3, plate_rear_z=0.78, nose_style=1),
    "hatch": BodySpec("hatch", 4.26, 1.79, 1.48, 2.63, 0.86, 0.32, 0.17, 0.72, 0.99, 1.12, 1.88, 3.70, 4.12, 1.02, 0.93, 0.90, 0.60, tail_lean=0.05, plate_rear_z=0.80, tail_style=1),
    "city": BodySpec("city", 3.62, 1.62, 1.52, 2.42, 0.62, 0.285, 0.16, 0.74, 1.00, 0.86, 1.52, 3.22, 3.50, 1.00, 0.90, 0.92, 0.56, tail_lean=0.04, plate_rear_z=0.78, tail_style=1, nose_style=1, doors=2),
    "suv": BodySpec("suv", 4.60, 1.86, 1.68, 2.68, 0.90, 0.36, 0.20, 0.90, 1.12, 1.22, 1.86, 4.02, 4.46, 1.12, 1.02, 1.04, 0.64, tail_lean=0.04, rails=True, plate_rear_z=0.92, plate_front_z=0.55, tail_style=1),
    "suv-large": BodySpec("suv-large", 4.95, 1.95, 1.76, 2.85, 0.92, 0.38, 0.21, 0.95, 1.18, 1.34, 1.98, 4.42, 4.82, 1.16, 1.05, 1.08, 0.68, tail_lean=0.03, rails=True, plate_rear_z=0.95, plate_front_z=0.58, tail_style=1),
    "mpv": BodySpec("mpv", 5.10, 1.88, 1.80, 3.05, 0.95, 0.345, 0.17, 0.86, 1.12, 1.12, 2.05, 4.72, 5.00, 1.12, 1.02, 1.02, 0.70, tail_lean=0.02, plate_rear_z=0.90, tail_style=1),
    "microvan": BodySpec("microvan", 4.42, 1.68, 1.86, 2.72, 0.72, 0.30, 0.18, 0.84, 1.06, 0.62, 1.22, 4.18, 4.36, 1.10, 1.00, 1.04, 0.68, taper_front=0.05, taper_rear=0.03, nose_round=0.14, tail_lean=0.02, plate_rear_z=0.88, tail_style=1, nose_style=2, edge=0.07),
    "panelvan": BodySpec("panelvan", 5.60, 2.00, 2.45, 3.30, 0.98, 0.35, 0.19, 0.98, 1.22, 0.72, 1.62, 5.42, 5.56, 1.30, 1.00, 1.18, 0.80, taper_front=0.05, taper_rear=0.02, nose_round=0.16, tail_lean=0.02, plate_rear_z=0.86, tail_style=2, nose_style=2, edge=0.08, doors=2),
}


def vary(spec: BodySpec, rng: np.random.Generator) -> BodySpec:
    """A sibling of ``spec`` with dimensions jittered by a few per cent."""
    k = lambda s: 1 + float(rng.uniform(-s, s))
    kl = k(0.035)
    return replace(
        spec,
        length=spec.length * kl,
        wheelbase=spec.wheelbase * kl,
        front_overhang=spec.front_overhang * kl,
        d_cowl=spec.d_cowl * kl * k(0.04),
        d_windscreen=spec.d_windscreen * kl * k(0.02),
        d_backlight=spec.d_backlight * kl * k(0.012),
        d_deck=spec.d_deck * kl,
        width=spec.width * k(0.02),
        height=spec.height * k(0.025),
        h_belt=spec.h_belt * k(0.02),
        roof_half=spec.roof_half * k(0.03),
        wheel_radius=spec.wheel_radius * k(0.03),
        tail_style=int(rng.integers(0, 3)) if spec.tail_style < 2 else spec.tail_style,
        nose_style=int(rng.integers(0, 3)) if spec.nose_style < 2 else spec.nose_style,
        extra={"seed": int(rng.integers(1 << 30))},
    )


class Body:
    """Evaluates the solid of one :class:`BodySpec` and the curves that the painted details follow."""

    def __init__(self, spec: BodySpec):
        self.spec = s = spec
        L, H = s.length, s.height
        # (metres behind the nose, height): bonnet, windscreen, roof, backlight, deck
        peak = s.d_windscreen + 0.42 * (s.d_backlight - s.d_windscreen)
        pts = [
            (-0.3, s.h_nose - 0.06),
            (0.0, s.h_nose),
            (0.22, s.h_nose + 0.45 * (s.h_cowl - s.h_nose)),
            (0.55 * s.d_cowl + 0.1, s.h_nose + 0.78 * (s.h_cowl - s.h_nose)),
            (s.d_cowl, s.h_cowl),
            (s.d_windscreen, H - 0.055),
            (s.d_windscreen + 0.25, H - 0.02),
            (peak, H),
            (s.d_backlight - 0.3, H - 0.035),
            (s.d_backlight, H - 0.075),
            (s.d_deck, s.h_deck),
            (min(s.d_deck + 0.12, L - 0.02), s.h_deck - 0.03),
            (L + 0.02, s.h_tail),
            (L + 0.4, s.h_tail - 0.08),
        ]
        d = np.array([p[0] for p in pts])
        z = np.array([p[1] for p in pts])
        keep = np.concatenate([[True], np.diff(d) > 1e-3])
        self._tx = np.arange(-0.35, L + 0.45, 0.01)
        raw = PchipInterpolator(d[keep], z[keep], extrapolate=True)(self._tx)
        self._tz = gaussian_filter1d(raw, 4.0)

    def top(self, x: np.ndarray) -> np.ndarray:
        """Height of the side silhouette at ``x`` (vehicle frame)."""
        return np.interp(self.spec.length / 2 - x, self._tx, self._tz)

    def belt(self, x: np.ndarray) -> np.ndarray:
        """Height of the belt line below the side windows; rises gently to the rear."""
        s = self.spec
        return s.h_belt + (s.length / 2 - s.d_windscreen - x) * 0.022

    def half_width(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Half width of the body at a point of the side view."""
        s = self.spec
        hw = s.width / 2
        b = self.belt(x)
        low = np.interp(z, [0.0, s.clearance, 0.34, 0.52, 0.70, 0.82], np.array([0.86, 0.90, 0.968, 0.992, 1.0, 0.992])) * hw
        at_belt = 0.972 * hw
        up = np.clip((z - b) / max(s.height - s.h_belt, 0.1), 0, 1.3)
        high = at_belt - (at_belt - s.roof_half) * up**1.08
        blend = np.clip((z - (b - 0.10)) / 0.10, 0, 1)
        low = low * (1 - blend) + np.minimum(low, at_belt) * blend
        w = np.where(z > b, high, low)
        f = np.clip((x - (s.length / 2 - 1.15)) / 1.15, 0, 1.2)
        r = np.clip((-s.length / 2 + 1.1 - x) / 1.1, 0, 1.2)
        return w * (1 - s.taper_front * f**2) * (1 - s.taper_rear * r**2)

    def field(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Signed, roughly metric field: negative inside the body."""
        s = self.spec
        ay = np.abs(y)
        hw = s.width / 2
        # windscreen and backlight bow outwards: look the profile up further forward (rearward) away from the middle
        mid = s.length / 2 - 0.5 * (s.d_windscreen + s.d_backlight)
        bow = 0.16 * (ay / hw) ** 2 * np.tanh((x - mid) * 1.5)
        t = self.top(x + bow) - 0.045 * (ay / hw) ** 2
        slope = np.abs(self.top(x + bow + 0.02) - self.top(x + bow - 0.02)) / 0.04
        f_top = (z - t) / np.sqrt(1 + slope**2)
        f_side = (ay - self.half_width(x, z)) * 0.95
        lean_f = np.where(z > 0.5, (z - 0.5) * 0.22, (0.5 - z) * 0.35)
        f_front = (x - (s.length / 2 - s.nose_round * (ay / hw) ** 2.6 - lean_f)) * 0.92
        lean_r = np.where(z > 0.62, (z - 0.62) * s.tail_lean, (0.62 - z) * 0.25)
        f_rear = ((-s.length / 2 + s.tail_round * (ay / hw) ** 2.6 + lean_r) - x) * 0.92
        f = smax(f_top, f_side, s.edge)
        f = smax(f, f_front, 0.09)
        f = smax(f, f_rear, 0.07)
        f = smax(f, s.clearance - z, 0.05)
        for xa in s.axles:
            arch = np.maximum(np.hypot(x - xa, z - s.wheel_radius) - (s.wheel_radius + 0.055), (hw - 0.30) - ay)
            f = smax(f, -arch, 0.025)
        mx = s.length / 2 - s.d_cowl - 0.42
        mz = s.h_belt + 0.07
        my = hw + 0.10
        mirror = (np.sqrt(((x - mx) / 0.075) ** 2 + ((ay - my) / 0.115) ** 2 + ((z - mz) / 0.075) ** 2) - 1) * 0.075
        arm = (np.sqrt(((x - mx) / 0.03) ** 2 + ((ay - hw + 0.03) / 0.12) ** 2 + ((z - mz + 0.04) / 0.025) ** 2) - 1) * 0.025
        f = smin(f, smin(mirror, arm, 0.03), 0.012)
        if s.rails:
            xr = np.clip(np.abs(x - mid) - 0.38 * (s.d_backlight - s.d_windscreen), 0, None)
            rail = np.sqrt(xr**2 + (ay - s.roof_half * 0.94) ** 2 + (z - self.top(x) - 0.005) ** 2) - 0.022
            f = smin(f, rail, 0.01)
        return f

    def surface_x(self, z: float, front: bool) -> float:
        """x of the surface on the centre line at height ``z``, by bisection from outside."""
        s = self.spec
        a, b = (s.length / 2 + 0.1, 0.0) if front else (-s.length / 2 - 0.1, 0.0)
        xs = np.linspace(a, b, 2000)
        v = self.field(xs, np.zeros_like(xs), np.full_like(xs, z))
        return float(xs[np.argmax(v < 0)])
