"""Painted detail of a car: windows, lamps, grille, gaps and trims as masks on four projections (side, front, rear, top).

Two RGBA layers a panel: ``mask`` = glass, black trim, bright metal, gap line; ``lamp`` = head lamp, tail lamp, indicator, dirt.
"""

from __future__ import annotations

import cv2
import numpy as np

from .bodies import Body

PANEL_W, PANEL_H = 1024, 512


class _Panel:
    """A drawing board in metres over one projection."""

    def __init__(self, u0: float, u1: float, v0: float, v1: float):
        self.u0, self.u1, self.v0, self.v1 = u0, u1, v0, v1
        self.img = {k: np.zeros((PANEL_H, PANEL_W), np.float32) for k in ("glass", "trim", "metal", "gap", "head", "tail", "amber", "dirt")}
        self.pu = (u1 - u0) / PANEL_W
        self.pv = (v1 - v0) / PANEL_H
        self.U, self.V = np.meshgrid(u0 + (np.arange(PANEL_W) + 0.5) * self.pu, v0 + (np.arange(PANEL_H) + 0.5) * self.pv)

    def field(self, layer: str, d: np.ndarray, value: float = 1.0, soft: float = 1.0) -> None:
        """Paint where the metric distance ``d`` is negative."""
        a = np.clip(0.5 - d / (self.pu * 1.4 * soft), 0, 1) * value
        self.img[layer] = np.maximum(self.img[layer], a)

    def erase(self, layers: tuple[str, ...], d: np.ndarray) -> None:
        a = 1 - np.clip(0.5 - d / (self.pu * 1.4), 0, 1)
        for k in layers:
            self.img[k] *= a

    def poly(self, layer: str, pts, value: float = 1.0) -> None:
        p = np.array([[(u - self.u0) / self.pu, (v - self.v0) / self.pv] for u, v in pts])
        m = np.zeros((PANEL_H, PANEL_W), np.uint8)
        cv2.fillPoly(m, [np.round(p * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        self.img[layer] = np.maximum(self.img[layer], m.astype(np.float32) / 255 * value)

    def line(self, layer: str, pts, width: float, value: float = 1.0) -> None:
        p = np.array([[(u - self.u0) / self.pu, (v - self.v0) / self.pv] for u, v in pts])
        m = np.zeros((PANEL_H, PANEL_W), np.uint8)
        cv2.polylines(m, [np.round(p * 16).astype(np.int32)], False, 255, max(1, round(width / self.pu)), cv2.LINE_AA, 4)
        self.img[layer] = np.maximum(self.img[layer], m.astype(np.float32) / 255 * value)

    def rrect(self, layer: str, u0, u1, v0, v1, r=0.02, value=1.0) -> None:
        cu, cv_, hu, hv = (u0 + u1) / 2, (v0 + v1) / 2, abs(u1 - u0) / 2, abs(v1 - v0) / 2
        du, dv = np.abs(self.U - cu) - hu + r, np.abs(self.V - cv_) - hv + r
        d = np.hypot(np.maximum(du, 0), np.maximum(dv, 0)) + np.minimum(np.maximum(du, dv), 0) - r
        self.field(layer, d, value)

    def done(self) -> tuple[np.ndarray, np.ndarray]:
        g = self.img
        q = lambda names: (np.stack([g[n] for n in names], -1) * 255 + 0.5).astype(np.uint8)
        return q(("glass", "trim", "metal", "gap")), q(("head", "tail", "amber", "dirt"))


def _smax(*ds: np.ndarray) -> np.ndarray:
    out = ds[0]
    for d in ds[1:]:
        h = np.clip(0.5 + 0.5 * (out - d) / 0.05, 0, 1)
        out = d + (out - d) * h + 0.05 * h * (1 - h)
    return out


def _side(body: Body, rng: np.random.Generator) -> _Panel:
    s = body.spec
    L = s.length
    p = _Panel(-L / 2, L / 2, 0, s.height)
    x_ws0, x_ws1 = L / 2 - s.d_cowl - 0.16, L / 2 - s.d_windscreen
    x_bl0, x_bl1 = L / 2 - s.d_backlight, L / 2 - s.d_deck
    roof = body.top(p.U) - 0.085
    belt = body.belt(p.U) + 0.035
    lean = (p.V - s.h_belt) / max(s.height - s.h_belt, 0.2)
    front = p.U - (x_ws0 - 0.16 - (x_ws0 - x_ws1) * lean * 0.92)
    rear_edge = x_bl1 + 0.28 + (x_bl0 - x_bl1) * lean * 0.9
    dlo = _smax(belt - p.V, p.V - roof, front, rear_edge - p.U)
    panel_van = s.style == "panelvan"
    if panel_van:
        dlo = _smax(dlo, (x_ws1 - 0.75) - p.U)
    p.field("trim", dlo - 0.022)
    p.field("glass", dlo)
    xm = 0.5 * (x_ws1 + x_bl0) + 0.05
    cuts = [xm] if not panel_van else []
    if s.style in ("suv-large", "mpv", "microvan", "suv", "hatch", "city"):
        cuts.append(x_bl0 + 0.36 if s.style != "hatch" else x_bl0 + 0.16)
    if s.doors == 2 and not panel_van:
        cuts = [xm - 0.15]
    for c in cuts:
        bar = np.abs(p.U - c - lean * 0.03) - 0.045
        p.erase(("glass",), _smax(bar))
    p.line("gap", [(x_ws1 + 0.05, s.h_belt + 0.0), (x_ws1 + 0.28, s.h_belt - 0.02)], 0.008)
    # doors: gaps from the sill to the belt, handles
    x0 = x_ws0 - 0.12
    sill = 0.33
    doors = [x0] + ([xm] if not panel_van else [x_ws1 - 0.78])
    if s.doors == 4:
        doors.append(x_bl0 + 0.18 if s.style in ("sedan", "executive", "fastback") else x_bl0 + 0.42)
    elif not panel_van:
        doors = [x0, xm - 0.15]
    for i, d in enumerate(doors):
        curve = 0.10 if i == len(doors) - 1 and s.doors == 4 else 0.03
        p.line("gap", [(d, s.h_belt + 0.03), (d - 0.01, 0.62), (d + curve, 0.46), (d + curve, sill)], 0.011)
    p.line("gap", [(doors[0], sill), (doors[-1], sill)], 0.011)
    for i in range(1, len(doors)):
        hx = doors[i] + 0.2
        hz = body.belt(np.array(hx)) - 0.10
        p.rrect("metal" if rng.random() < 0.3 else "gap", hx - 0.09, hx + 0.09, hz - 0.016, hz + 0.016, 0.015, 0.7)
    if panel_van:
        p.line("gap", [(-L / 2 + 0.12, 1.55), (x_ws1 - 0.9, 1.55)], 0.012)
        p.rrect("gap", x_ws1 - 2.2, x_ws1 - 0.8, 0.42, s.height - 0.25, 0.05, 0.0)
        for xx in (x_ws1 - 0.82, x_ws1 - 2.15):
            p.line("gap", [(xx, 0.4), (xx, s.height - 0.2)], 0.012)
    # sill and arches: dark plastic, deeper on SUVs
    cladding = s.rails or s.style in ("microvan", "panelvan")
    p.field("trim", p.V - (s.clearance + (0.13 if cladding else 0.07)), 0.95)
    for xa in s.axles:
        ring = np.hypot(p.U - xa, p.V - s.wheel_radius) - (s.wheel_radius + (0.11 if cladding else 0.065))
        p.field("trim", ring, 0.95 if cladding else 0.75)
    # lamps wrap round the corners
    hz0, hz1 = s.h_nose - 0.10, s.h_nose + 0.03
    p.poly("head", [(L / 2, hz0), (L / 2, hz1), (L / 2 - 0.42, hz1 + 0.07), (L / 2 - 0.36, hz0 + 0.05)])
    tz0, tz1 = (s.h_tail - 0.20, s.h_tail - 0.02) if s.tail_style != 2 else (0.95, 1.35)
    if s.style in ("suv", "suv-large", "mpv", "microvan"):
        tz0, tz1 = s.h_belt - 0.12, s.h_belt + 0.10
    p.poly("tail", [(-L / 2, tz0), (-L / 2, tz1), (-L / 2 + 0.30, tz1 - 0.01), (-L / 2 + 0.22, tz0 + 0.02)])
    p.rrect("gap", -L / 2 + 0.62, -L / 2 + 0.78, s.h_belt - 0.2, s.h_belt - 0.05, 0.03, 0.25)
    mx = L / 2 - s.d_cowl - 0.42
    p.erase(("glass", "trim"), np.hypot(p.U - mx, p.V - s.h_belt - 0.07) - 0.001)
    dirt = np.clip(1 - (p.V - 0.15) / 0.45, 0, 1) ** 1.5
    p.img["dirt"] = dirt.astype(np.float32)
    return p


def _front(body: Body, rng: np.random.Generator) -> _Panel:
    s = body.spec
    hw = s.width / 2
    p = _Panel(-hw, hw, 0, s.height)
    hn = s.h_nose
    wide = 0.50 if s.nose_style != 1 else 0.0
    for m in (-1, 1):
        if s.nose_style == 2:
            p.poly("head", [(m * 0.50, hn - 0.17), (m * 0.50, hn + 0.03), (m * 0.86 * hw / 0.91, hn + 0.05), (m * 0.88 * hw / 0.91, hn - 0.12)])
        else:
            p.poly("head", [(m * 0.46, hn - 0.12), (m * 0.44, hn - 0.03), (m * 0.93 * hw / 0.91, hn + 0.06), (m * 0.90 * hw / 0.91, hn - 0.08)])
        p.poly("amber", [(m * 0.72, hn - 0.15), (m * 0.72, hn - 0.12), (m * 0.86, hn - 0.09), (m * 0.86, hn - 0.12)], 0.6)
        p.rrect("trim", m * 0.62 - 0.10, m * 0.62 + 0.10, 0.30, 0.42, 0.03)
        p.rrect("head", m * 0.63 - 0.04, m * 0.63 + 0.04, 0.34, 0.39, 0.02, 0.7)
    if wide:
        p.rrect("trim", -0.42, 0.42, hn - 0.24, hn - 0.01, 0.05)
        for k in range(4):
            z = hn - 0.21 + k * 0.055
            p.line("metal", [(-0.38, z), (0.38, z)], 0.012, 0.75)
        p.rrect("metal", -0.06, 0.06, hn - 0.16, hn - 0.06, 0.05)
    else:
        p.rrect("metal", -0.05, 0.05, hn - 0.10, hn - 0.03, 0.03)
    p.rrect("trim", -0.58, 0.58, 0.22, s.plate_front_z - 0.03 if wide else 0.36, 0.05)
    p.rrect("trim", -0.24, 0.24, s.plate_front_z - 0.085, s.plate_front_z + 0.085, 0.02)
    p.line("gap", [(-hw * 0.8, hn + 0.045), (hw * 0.8, hn + 0.045)], 0.010, 0.8)
    # the windscreen, when the front projection sees it (steep ones of vans)
    _screen(p, body, front=True)
    p.field("trim", p.V - (s.clearance + 0.06), 0.9)
    return p


def _screen(p: _Panel, body: Body, front: bool) -> None:
    s = body.spec
    z0 = s.h_cowl + 0.03 if front else s.h_deck + 0.03
    z1 = s.height - 0.085 if front else s.height - 0.11
    up = np.clip((p.V - s.h_belt) / (s.height - s.h_belt), 0, 1.2)
    half = 0.972 * s.width / 2 - (0.972 * s.width / 2 - s.roof_half) * up - 0.085
    d = _smax(z0 - p.V, p.V - z1, np.abs(p.U) - half)
    p.field("trim", d - 0.02)
    p.field("glass", d)
    if not front:
        p.line("gap", [(-0.02, z0 + 0.03), (0.25, z0 + 0.05)], 0.014)


def _rear(body: Body, rng: np.random.Generator) -> _Panel:
    s = body.spec
    hw = s.width / 2
    p = _Panel(-hw, hw, 0, s.height)
    boxy = s.style in ("suv", "suv-large", "mpv", "microvan", "hatch", "city", "panelvan")
    if boxy:
        if s.style == "panelvan":
            for m in (-1, 1):
                p.rrect("trim", m * 0.40 - 0.33, m * 0.40 + 0.33, 1.42, 2.05, 0.08)
                p.rrect("glass", m * 0.40 - 0.30, m * 0.40 + 0.30, 1.45, 2.02, 0.06)
            p.line("gap", [(0, 0.45), (0, 2.3)], 0.014)
        else:
            _screen(p, body, front=False)
        p.line("gap", [(-hw * 0.86, s.h_tail - 0.42), (hw * 0.86, s.h_tail - 0.42)], 0.012)
    else:
        p.line("gap", [(-hw * 0.88, s.h_tail - 0.30), (hw * 0.88, s.h_tail - 0.30)], 0.012)
        p.line("gap", [(-hw * 0.80, s.h_tail + 0.05), (hw * 0.80, s.h_tail + 0.05)], 0.010)
    zt0, zt1 = s.h_tail - 0.20, s.h_tail - 0.02
    if s.style in ("suv", "suv-large", "mpv", "microvan"):
        zt0, zt1 = s.h_belt - 0.14, s.h_belt + 0.10
    for m in (-1, 1):
        if s.tail_style == 2:
            p.rrect("tail", m * hw * 0.90 - 0.07, m * hw * 0.90 + 0.07, zt0 - 0.05, zt1 + 0.22, 0.03)
            p.rrect("amber", m * hw * 0.90 - 0.06, m * hw * 0.90 + 0.06, zt1 + 0.06, zt1 + 0.13, 0.02)
        elif s.tail_style == 1:
            p.poly("tail", [(m * 0.48, zt0 + 0.05), (m * 0.48, zt1), (m * hw, zt1 + 0.01), (m * hw, zt0)])
            p.poly("head", [(m * 0.52, zt0 + 0.06), (m * 0.52, zt0 + 0.10), (m * 0.70, zt0 + 0.10), (m * 0.70, zt0 + 0.06)], 0.6)
        else:
            p.poly("tail", [(m * 0.44, zt0 + 0.03), (m * 0.42, zt1 + 0.02), (m * hw, zt1 + 0.03), (m * hw, zt0 - 0.02)])
            p.poly("head", [(m * 0.47, zt0 + 0.05), (m * 0.47, zt0 + 0.09), (m * 0.64, zt0 + 0.09), (m * 0.64, zt0 + 0.05)], 0.6)
        p.rrect("tail", m * 0.70 - 0.08, m * 0.70 + 0.08, 0.40, 0.44, 0.01, 0.8)
    z = s.plate_rear_z
    p.rrect("trim", -0.29, 0.29, z - 0.105, z + 0.115, 0.03)
    if s.tail_style != 2:
        p.line("metal", [(-0.26, z + 0.125), (0.26, z + 0.125)], 0.022, 0.9)
    p.rrect("metal", -0.05, 0.05, z + 0.17, z + 0.25, 0.04, 0.9)
    p.rrect("metal", -0.62, -0.40, z + 0.16, z + 0.185, 0.005, 0.6)
    p.rrect("trim", -0.62, 0.62, s.clearance, s.clearance + 0.20, 0.04)
    if rng.random() < 0.6:
        for m in (-1, 1):
            p.rrect("metal", m * 0.52 - 0.06, m * 0.52 + 0.06, s.clearance + 0.06, s.clearance + 0.12, 0.03)
    p.field("trim", p.V - (s.clearance + 0.07), 0.9)
    p.img["dirt"] = np.clip(1 - (p.V - 0.15) / 0.6, 0, 1).astype(np.float32) ** 1.4
    return p


def _top(body: Body, rng: np.random.Generator) -> _Panel:
    s = body.spec
    L, hw = s.length, s.width / 2
    p = _Panel(-L / 2, L / 2, -hw, hw)
    ay = np.abs(p.V)
    bow = 0.16 * (ay / hw) ** 2
    z = body.top(p.U)
    up = np.clip((z - s.h_belt) / (s.height - s.h_belt), 0, 1)
    half = 0.972 * hw - (0.972 * hw - s.roof_half) * up - 0.075
    x0, x1 = L / 2 - s.d_cowl, L / 2 - s.d_windscreen
    d = _smax(p.U + bow - (x0 - 0.05), (x1 + 0.02) - p.U - bow * 0.8, ay - half)
    p.field("trim", d - 0.03)
    p.field("glass", d)
    p.field("trim", _smax(np.abs(p.U + bow - x0 - 0.0) - 0.06, ay - 0.9 * half), 0.9)
    b0, b1 = L / 2 - s.d_backlight, L / 2 - s.d_deck
    if b0 - b1 > 0.55:
        d = _smax(p.U - bow - (b0 - 0.03), (b1 + 0.07) - p.U + bow, ay - half + 0.01)
        p.field("trim", d - 0.025)
        p.field("glass", d)
    if s.extra.get("seed", 0) % 3 == 0 and s.style not in ("panelvan", "microvan", "city"):
        p.rrect("trim", b0 + 0.35, x1 - 0.22, -0.42, 0.42, 0.08)
        p.rrect("glass", b0 + 0.38, x1 - 0.25, -0.40, 0.40, 0.08)
    for m in (-1, 1):
        p.line("gap", [(x0 + 0.06, m * hw * 0.80), (L / 2 - 0.35, m * hw * 0.72), (L / 2 - 0.12, m * hw * 0.5)], 0.010, 0.8)
        if s.style in ("sedan", "executive", "fastback"):
            p.line("gap", [(b1 + 0.03, m * hw * 0.70), (-L / 2 + 0.06, m * hw * 0.76)], 0.010, 0.8)
        p.line("gap", [(x1 - 0.05, m * s.roof_half * 0.93), (b0 + 0.02, m * s.roof_half * 0.93)], 0.014, 0.5)
        hn = 0.42
        p.poly("head", [(L / 2 - 0.02, m * hw * 0.55), (L / 2 - hn + 0.1, m * hw * 0.66), (L / 2 - hn - 0.04, m * hw * 0.92), (L / 2, m * hw * 1.0)])
        if s.style in ("sedan", "executive", "fastback"):
            p.poly("tail", [(-L / 2, m * hw * 0.5), (-L / 2 + 0.09, m * hw * 0.55), (-L / 2 + 0.16, m * hw), (-L / 2, m * hw)])
    p.line("gap", [(L / 2 - 0.13, -hw * 0.5), (L / 2 - 0.06, 0), (L / 2 - 0.13, hw * 0.5)], 0.010, 0.8)
    return p


def paint(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """``mask`` and ``lamp`` arrays 4×PANEL_H×PANEL_W×4 (uint8) in the order side, front, rear, top."""
    rng = np.random.default_rng(body.spec.extra.get("seed", 1))
    done = [f(body, rng).done() for f in (_side, _front, _rear, _top)]
    return np.stack([d[0] for d in done]), np.stack([d[1] for d in done])
