"""Random streets, cameras, lights and vehicles for training stills."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import lights
from .camera import Camera
from .collide import overlap
from .ground import Layout, make_berth
from .plates import Glyphs, Plate, draw, random_plate
from .renderer import Placed, Renderer
from .street import footprint
from .vehicles import COLOURS, build, pick_colour

POOL = ["sedan", "sedan", "sedan", "executive", "fastback", "hatch", "hatch", "city", "suv", "suv", "suv", "suv-large", "mpv", "microvan", "panelvan", "bus", "boxtruck", "flatbed", "scooter", "scooter"]


@dataclass
class Fact:
    """What the truth says about one vehicle beside its geometry."""

    cls: str
    type: str
    colour: str
    plate: Plate | None
    style: str


def random_layout(rng: np.random.Generator) -> Layout:
    """A street with one row of berths of some kind (or none)."""
    kind = rng.choice(["parallel", "parallel", "angled", "perpendicular", "none"], p=[0.32, 0.16, 0.26, 0.2, 0.06])
    lane = float(rng.uniform(3.1, 3.7))
    berths, depth = [], 0.0
    if kind == "parallel":
        L, W = float(rng.uniform(5.4, 6.4)), float(rng.uniform(2.1, 2.6))
        x = 2.0
        while x + L < 48:
            berths.append(make_berth(f"b{len(berths)}", f"{rng.integers(1, 999):03d}", "parallel", x, 0.25, 0.0, L, W))
            x += L + (float(rng.choice([0.0, 0.0, 0.3, 4.0])))
        depth = W + 0.25
    elif kind in ("angled", "perpendicular"):
        ang = float(rng.choice([np.pi / 4, np.pi / 3])) if kind == "angled" else np.pi / 2
        L, W = float(rng.uniform(5.0, 5.6)), float(rng.uniform(2.3, 2.7))
        x = 4.0
        while x < 46:
            berths.append(make_berth(f"b{len(berths)}", f"{rng.integers(1, 999):03d}", str(kind), x, 0.3, ang, L, W))
            x += W / np.sin(ang)
        depth = max(c[1] for b in berths for c in b.corners)
    cy = depth + 0.3 + lane
    lay = Layout(0, 50, cy + lane + 0.4, float(rng.uniform(3.0, 6.5)), float(rng.uniform(2.5, 5)), berths, cy)
    lay.lane_lines = [(cy, str(rng.choice(["double-yellow", "dash-yellow", "dash", "dash-yellow"])))]
    if depth == 0 or rng.random() < 0.2:
        lay.lane_lines.append((lay.road_width - 0.5, "solid"))
    lay.bay_depth = depth
    return lay


def random_light(rng: np.random.Generator) -> lights.Light:
    e = float(rng.uniform(0.85, 1.2))
    r = rng.random()
    wet = float(rng.uniform(0.4, 0.9)) if rng.random() < 0.25 else 0.0
    if r < 0.42:
        li = lights.day(float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.45, 1.2)), e)
    elif r < 0.64:
        li = lights.overcast(e, wet)
    elif r < 0.86:
        li = lights.dusk(float(rng.uniform(0, 6.28)), e, wet)
    else:
        li = lights.night(e, wet)
    return replace(li, tint=tuple(float(v) for v in rng.uniform(0.95, 1.05, 3)))


def random_camera(rng: np.random.Generator, lay: Layout, w: int, h: int, low: float = 0.0) -> Camera:
    """A mast on either side, looking at the berths or the road under any heading; a low pile in the share ``low`` of cases."""
    kind = rng.random()
    if kind < low:  # a low pile beside the road: lengths are foreshortened there as no mast ever sees them
        tx, ty = float(rng.uniform(10, 40)), float(rng.uniform(0.5, lay.road_width - 0.5))
        py = lay.road_width + float(rng.uniform(0.8, 2.5)) if rng.random() < 0.6 else float(rng.uniform(-3.0, -1.2))
        dist = float(rng.uniform(5, 34)) * (1 if rng.random() < 0.5 else -1)
        return Camera((tx + dist, py, float(rng.uniform(1.4, 4.2))), (tx, ty, 0.8), float(np.exp(rng.uniform(np.log(0.8), np.log(3.2)))) * w, w, h, float(rng.normal(0, 0.012)))
    if kind < low + (1 - low) * 0.45:  # a long lens along the row, as high-position cameras have
        tx, ty = float(rng.uniform(24, 44)), float(rng.uniform(0.5, lay.bay_depth + 1.5))
        py = lay.road_width + float(rng.uniform(-0.5, 2.5)) if rng.random() < 0.8 else float(rng.uniform(-2.5, -0.5))
        dist = float(rng.uniform(18, 42))
        sign = -1 if rng.random() < 0.75 else 1
        tx = tx if sign < 0 else 50 - tx
        eye = (tx + sign * dist, py, float(rng.uniform(5.5, 9.5)))
        return Camera(eye, (tx, ty, 0.5), float(rng.uniform(1.6, 4.0)) * w, w, h, float(rng.normal(0, 0.008)))
    tx = float(rng.uniform(12, 38))
    ty = float(rng.uniform(0.5, max(lay.bay_depth + 2, 4)))
    height = float(rng.uniform(4, 12))
    far = rng.random() < 0.62
    py = lay.road_width + float(rng.uniform(-1.0, 2.0)) if far else float(rng.uniform(-2.5, 1.0))
    dist = float(rng.uniform(6, 34))
    px = tx + dist * (1 if rng.random() < 0.35 else -1)
    span = float(rng.uniform(5, 26))
    d = float(np.sqrt((px - tx) ** 2 + (py - ty) ** 2 + height**2))
    focal = float(np.clip(w * d / span, 0.75 * w, 4.2 * w))
    return Camera((px, py, height), (tx, ty, 0.5), focal, w, h, float(rng.normal(0, 0.012)))


class Pool:
    """Vehicle models on the card, and plates made on demand."""

    def __init__(self, renderer: Renderer, rng: np.random.Generator, glyphs: Glyphs, avoid: frozenset[str], styles: list[str] | None = None):
        self.r, self.rng, self.glyphs, self.avoid = renderer, rng, glyphs, avoid
        self.models = [(s, renderer.upload(build(s, rng))) for s in (styles or POOL)]
        self._textures: list = []

    def release_plates(self) -> None:
        for t in self._textures:
            t.release()
        self._textures.clear()

    def make(self, ident: int, pose, wants: str | None = None, lit: bool = False) -> tuple[Placed, Fact]:
        """A vehicle of random model, colour and plate; ``wants`` = ``parked`` (no bus, few trucks) or ``lane``."""
        rng = self.rng
        while True:
            style, model = self.models[int(rng.integers(len(self.models)))]
            if wants == "parked" and (style == "bus" or (style == "boxtruck" and rng.random() < 0.8) or (style == "scooter" and rng.random() < 0.5)):
                continue
            break
        colour, paint = pick_colour(rng, style)
        if style in ("bus", "boxtruck"):
            name = str(rng.choice(["white", "blue", "green", "red", "yellow"]))
            colour, paint = name, COLOURS[name][0]
        s = model.src
        plate = tex = None
        size = (0.44, 0.14)
        if s.mounts and rng.random() < 0.95:
            plate = random_plate(rng, s.cls if s.cls != "car" else style, self.avoid)
            if s.plate_rows == 1 and plate.rows == 2:
                plate = replace(plate, rows=1)
            tex = self.r.plate_texture(draw(plate, self.glyphs, rng))
            self._textures.append(tex)
            size = (plate.size_mm[0] / 1000, plate.size_mm[1] / 1000)
        paint = tuple(float(np.clip(c * rng.uniform(0.85, 1.12), 0.008, 0.85)) for c in paint)
        p = Placed(ident, model, pose, paint, tex, size, steer=float(rng.normal(0, 0.12)), spin=float(rng.uniform(0, 6)), lights=(1.0, float(rng.choice([0.5, 1.0]))) if lit else (0.0, 0.0),
                   cloth=tuple(rng.uniform(0.02, 0.4, 3)), cloth2=tuple(rng.uniform(0.3, 0.75) * rng.uniform(0.9, 1, 3)), dirt=float(rng.uniform(0.1, 0.8)), rim=float(rng.choice([5, 6, 7, 8, 10])))
        if style == "flatbed":
            p.cloth2 = (0.3, 0.25, 0.18)
        return p, Fact(s.cls, s.type, colour, plate, style)


def populate(pool: Pool, lay: Layout, rng: np.random.Generator, light: lights.Light) -> list[tuple[Placed, Fact]]:
    """Parked and driving vehicles without collisions."""
    out: list[tuple[Placed, Fact]] = []
    feet: list[np.ndarray] = []
    occupancy = rng.uniform(0.25, 0.95)

    def add(pose, wants, lit) -> bool:
        p, f = pool.make(len(out) + 1, pose, wants, lit)
        foot = footprint(pose, p.model.src.length, p.model.src.width)
        if any(overlap(foot, o, 0.15) for o in feet) or len(out) >= 22:
            return False
        out.append((p, f))
        feet.append(foot)
        return True

    for b in lay.berths:
        if rng.random() > occupancy:
            continue
        c = np.mean(b.corners, axis=0)
        f = np.array([np.cos(b.heading), np.sin(b.heading)])
        l = np.array([-f[1], f[0]])
        c = c + f * rng.normal(0, 0.22) + l * rng.normal(0, 0.12)
        back = rng.random() < (0.10 if b.kind == "parallel" else 0.25)
        h = b.heading + rng.normal(0, 0.03 if rng.random() < 0.85 else 0.12) + (np.pi if back else 0)
        add((float(c[0]), float(c[1]), float(h)), "parked", light.headlights and rng.random() < 0.12)
    busy = rng.uniform(0.1, 0.7)
    for y, h in ((lay.centre_y - 1.7, 0.0), (lay.centre_y + 1.75, np.pi)):
        x = rng.uniform(-4, 8)
        while x < 52:
            if rng.random() < busy:
                add((float(x), float(y + rng.normal(0, 0.2)), float(h + rng.normal(0, 0.02))), "lane", light.headlights)
            x += rng.uniform(7, 15)
    if rng.random() < 0.5 and lay.berths:  # one on its way in or out
        b = lay.berths[int(rng.integers(len(lay.berths)))]
        c = np.mean(b.corners, axis=0) + np.array([rng.uniform(-3, 3), rng.uniform(1.2, 3)])
        add((float(c[0]), float(c[1]), float(b.heading * rng.uniform(0, 1) + rng.normal(0, 0.25))), "lane", light.headlights)
    return out

