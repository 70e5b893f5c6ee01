"""Vehicle models: body meshes with painted panels, wheels, plate mounts, measured extents."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import decals, heavy
from .bodies import STYLES, Body, vary
from .mesher import Mesh, join, lathe, surface_net

# material codes of a vertex, see shaders.VEHICLE_FS
MAT_BODY, MAT_TYRE, MAT_RIM, MAT_CARGO, MAT_PLASTIC, MAT_GLASS, MAT_HEAD, MAT_TAIL, MAT_CLOTH, MAT_CLOTH2, MAT_SKIN, MAT_CHROME, MAT_PAINT, MAT_CHASSIS = range(14)

#: body colours of the contract → linear albedo choices
COLOURS: dict[str, list[tuple[float, float, float]]] = {
    "white": [(0.78, 0.78, 0.76), (0.70, 0.71, 0.70), (0.74, 0.72, 0.66)],
    "grey": [(0.21, 0.215, 0.22), (0.13, 0.135, 0.145), (0.075, 0.08, 0.085), (0.27, 0.27, 0.265)],
    "black": [(0.012, 0.012, 0.014), (0.02, 0.02, 0.024)],
    "blue": [(0.03, 0.09, 0.30), (0.06, 0.17, 0.38), (0.02, 0.045, 0.14)],
    "red": [(0.36, 0.02, 0.02), (0.24, 0.012, 0.02)],
    "brown": [(0.12, 0.065, 0.035), (0.20, 0.13, 0.075)],
    "green": [(0.03, 0.12, 0.06), (0.16, 0.26, 0.16), (0.02, 0.07, 0.05)],
    "yellow": [(0.72, 0.45, 0.03), (0.66, 0.55, 0.10)],
    "purple": [(0.10, 0.03, 0.16), (0.17, 0.07, 0.22)],
    "pink": [(0.70, 0.30, 0.36), (0.62, 0.36, 0.38)],
    "other": [(0.55, 0.20, 0.04), (0.05, 0.28, 0.28)],
}
COLOUR_WEIGHTS = {"white": 0.30, "grey": 0.22, "black": 0.17, "blue": 0.09, "red": 0.07, "brown": 0.04, "green": 0.03, "yellow": 0.03, "purple": 0.015, "pink": 0.015, "other": 0.02}


@dataclass
class PlateMount:
    """Where a plate sits: middle of the plate, outward direction along x and backward tilt in radians."""

    x: float
    z: float
    outward: int
    tilt: float


@dataclass
class VehicleModel:
    """Everything of a vehicle that does not depend on its colour, plate or place."""

    name: str
    cls: str
    type: str
    length: float
    width: float
    height: float
    axles: tuple[float, float]
    track: float
    wheel_radius: float
    mesh: Mesh
    mat: np.ndarray
    wheel: Mesh | None
    wheel_mat: np.ndarray | None
    wheel_places: list[tuple[float, float, bool]]
    mounts: list[PlateMount]
    mask: np.ndarray | None
    lamp: np.ndarray | None
    ao: np.ndarray | None = None
    foot_ao: np.ndarray | None = None
    hulls: list[np.ndarray] = field(default_factory=list)
    plate_rows: int = 1


def wheel_mesh(radius: float, width: float) -> tuple[Mesh, np.ndarray]:
    """A tyre with a dished rim, axle along y, outer face towards +y."""
    r, w = radius, width / 2
    tyre = lathe(np.array([[r * 0.64, w * 0.96], [r * 0.80, w * 1.02], [r * 0.93, w * 0.95], [r, w * 0.72], [r, -w * 0.72], [r * 0.93, -w * 0.95], [r * 0.6, -w]]), 36)
    rim = lathe(np.array([[0.001, w * 0.62], [r * 0.12, w * 0.66], [r * 0.16, w * 0.58], [r * 0.42, w * 0.50], [r * 0.57, w * 0.52], [r * 0.62, w * 0.92], [r * 0.655, w * 0.97]]), 36)
    for m in (tyre, rim):  # the profile runs towards -y: turn the normals outwards
        m.nrm *= np.sign((m.nrm * (m.pos - np.array([0, -w * 0.4, 0]))).sum(1, keepdims=True) + 1e-9).astype(np.float32)
    mat = np.concatenate([np.full(len(tyre.pos), MAT_TYRE), np.full(len(rim.pos), MAT_RIM)]).astype(np.float32)
    return join([tyre, rim]), mat


def _hulls(mesh: Mesh, belt: float) -> list[np.ndarray]:
    """Sparse point sets below and above the belt line, for boxes in the picture."""
    out = []
    for part in (mesh.pos[mesh.pos[:, 2] <= belt], mesh.pos[mesh.pos[:, 2] >= belt - 0.02]):
        if len(part) < 8:
            continue
        # extreme points in many directions: their projections bound the projection of the whole
        n = 160
        k = np.arange(n) + 0.5
        phi, th = np.arccos(1 - 2 * k / n), np.pi * (1 + 5**0.5) * k
        d = np.stack([np.cos(th) * np.sin(phi), np.sin(th) * np.sin(phi), np.cos(phi)], 1)
        out.append(np.unique(part[np.argmax(part @ d.T, axis=0)], axis=0))
    return out


def passenger(style: str, rng: np.random.Generator, cell: float = 0.055) -> VehicleModel:
    """A car or van of a named style with jittered dimensions."""
    spec = vary(STYLES[style], rng)
    body = Body(spec)
    hw = spec.width / 2
    mesh = surface_net(body.field, (-spec.length / 2 - 0.08, -hw - 0.30, 0.10), (spec.length / 2 + 0.08, hw + 0.30, spec.height + 0.08), cell)
    floor = lambda v: (mesh.pos[v][:, 2] < spec.clearance + 0.02) & (mesh.nrm[v][:, 2] < -0.9)
    keep = ~(floor(mesh.tri[:, 0]) & floor(mesh.tri[:, 1]) & floor(mesh.tri[:, 2]))
    mesh.tri = mesh.tri[keep]
    mat = np.full(len(mesh.pos), MAT_BODY, np.float32)
    inner = np.zeros(len(mesh.pos), bool)
    for xa in spec.axles:
        inner |= (np.hypot(mesh.pos[:, 0] - xa, mesh.pos[:, 2] - spec.wheel_radius) < spec.wheel_radius + 0.065) & (np.abs(mesh.pos[:, 1]) < hw - 0.05)
    mat[inner] = MAT_PLASTIC
    wheel, wmat = wheel_mesh(spec.wheel_radius, 0.21)
    track = hw - 0.125
    mask, lamp = decals.paint(body)
    mounts = []
    for front, z in ((True, spec.plate_front_z), (False, spec.plate_rear_z)):
        dx = (body.surface_x(z + 0.07, front) - body.surface_x(z - 0.07, front)) / 0.14
        x = max(abs(body.surface_x(zz, front)) for zz in (z - 0.07, z, z + 0.07))
        x = (x + 0.012) * (1 if front else -1)
        tilt = float(np.clip(np.arctan(-dx if front else dx), -0.05, 0.22))
        mounts.append(PlateMount(x, z, 1 if front else -1, tilt))
    kind = "medium" if style == "panelvan" else "small"
    return VehicleModel(
        style, "car", kind, spec.length, spec.width, spec.height, spec.axles, track, spec.wheel_radius, mesh, mat, wheel, wmat,
        [(xa, side * track, xa > 0) for xa in spec.axles for side in (1, -1)], mounts, mask, lamp, hulls=_hulls(mesh, spec.h_belt),
    )


def build(style: str, rng: np.random.Generator) -> VehicleModel:
    """Any vehicle by style name: a key of ``bodies.STYLES``, or ``bus``, ``boxtruck``, ``flatbed``, ``scooter``."""
    if style in STYLES:
        return passenger(style, rng)
    h = heavy.BUILDERS[style](rng)
    wheel = wmat = None
    if h.wheel_radius:
        wheel, wmat = wheel_mesh(h.wheel_radius, h.wheel_width)
    mesh = join([m for m, _ in h.parts])
    mat = np.concatenate([np.full(len(m.pos), code, np.float32) for m, code in h.parts])
    return VehicleModel(
        style, h.cls, h.type, h.length, h.width, h.height, h.axles, h.width / 2 - 0.16, h.wheel_radius, mesh, mat, wheel, wmat,
        h.wheel_places, [PlateMount(*m) for m in h.mounts], h.mask, h.lamp, hulls=_hulls(mesh, h.height * 0.5), plate_rows=h.plate_rows,
    )


def pick_colour(rng: np.random.Generator, style: str) -> tuple[str, tuple[float, float, float]]:
    """A body colour name and its linear albedo, weighted as seen on streets."""
    names = list(COLOUR_WEIGHTS)
    w = np.array([COLOUR_WEIGHTS[n] for n in names])
    if style in ("microvan", "panelvan", "mpv"):
        w = w * np.array([2.0 if n in ("white", "grey") else 0.6 for n in names])
    name = names[int(rng.choice(len(names), p=w / w.sum()))]
    return name, COLOURS[name][int(rng.integers(len(COLOURS[name])))]
