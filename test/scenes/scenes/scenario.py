"""The two demo scenarios: streets, cameras, actors and their timetables. Times in seconds, ground in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import lights
from .camera import Camera
from .ground import Layout, make_berth
from .lights import Light
from .paths import Curve, Run, follow, from_points, shift, straight, turn_in
from .plates import Plate
from .street import footprint
from .timeline import Actor, axle_to_middle, pose_at, rear_axle
from .vehicles import VehicleModel, build

FAR_IN, FAR_OUT = -12.0, 105.0


@dataclass
class Scenario:
    """Everything a clip needs; ``models`` by actor key."""

    name: str
    codec: str
    seed: int
    seconds: int
    layout: Layout
    camera: Camera
    light: Light
    actors: list[Actor]
    models: dict[str, VehicleModel]
    device_hint: str
    dark: bool = False
    #: frames a picture is held: 2 at dusk, where such cameras halve their rate for longer exposure
    hold: int = 1


class Director:
    """Builds actors on a layout: parked, visiting and passing vehicles."""

    def __init__(self, layout: Layout, lane_y: float, far_y: float):
        self.lay, self.lane_y, self.far_y = layout, lane_y, far_y
        self.actors: list[Actor] = []
        self.models: dict[str, VehicleModel] = {}
        self.by_number = {b.id: b for b in layout.berths}

    def actor(self, key: str, style: str, seed: int, colour: str, shade: int, plate: tuple[str, str] | None, **kw) -> tuple[Actor, VehicleModel]:
        model = build(style, np.random.default_rng(seed))
        p = None if plate is None else Plate(plate[0], plate[1], model.plate_rows if plate[1] == "yellow" else 1)
        a = Actor(key, style, seed, colour, shade, p, **kw)
        self.actors.append(a)
        self.models[key] = model
        return a, model

    def parked(self, berth: str, along: float = 0.0, across: float = 0.0, turn: float = 0.0) -> tuple[float, float, float]:
        """A pose in a berth, ``along`` m forward, ``across`` m to the left of its middle, turned by ``turn`` rad."""
        b = self.by_number[berth]
        c = np.mean(b.corners, axis=0)
        f = np.array([np.cos(b.heading), np.sin(b.heading)])
        l = np.array([-f[1], f[0]])
        c = c + f * along + l * across
        return (float(c[0]), float(c[1]), b.heading + turn)

    def stay(self, key, style, seed, colour, shade, plate, berth, along=0.0, across=0.0, turn=0.0, **kw) -> None:
        a, _ = self.actor(key, style, seed, colour, shade, plate, berth=berth, stays=True, **kw)
        a.parked_pose = self.parked(berth, along, across, turn)

    # -- parallel berths -------------------------------------------------------------------------------------------

    def _lane(self, x0: float, x1: float, y: float) -> np.ndarray:
        return straight((x0, y), (x1, y))

    def parallel_forward(self, a: Actor, m: VehicleModel, pose, t0: float, t_rest: float, length: float = 12.5, y: float | None = None) -> None:
        """Drive up in the lane and slip forward into the berth; at rest at ``t_rest``."""
        y = self.lane_y if y is None else y
        tx, ty = rear_axle(pose, m)
        pts = np.concatenate([self._lane(FAR_IN, tx - length - 0.6, y), shift((tx - length - 0.6, y), (tx - 0.6, ty)), straight((tx - 0.6, ty), (tx, ty)), [[tx, ty]]])
        c = from_points(pts)
        brake = min(t_rest - t0 - 0.3, 4.6)
        a.runs.append(Run(c, t0, t_rest, 0.0, c.length, 0.0, brake))

    def parallel_reverse(self, a: Actor, m: VehicleModel, pose, t0: float, t_stop: float, t_back: float, t_rest: float, ahead: float = 7.2, y: float | None = None) -> None:
        """Pass the berth, stop beside the car ahead at ``t_stop``, go back from ``t_back``, at rest at ``t_rest``."""
        y = self.lane_y - 0.15 if y is None else y
        tx, ty = rear_axle(pose, m)
        up = from_points(np.concatenate([self._lane(FAR_IN, tx + ahead, y), [[tx + ahead, y]]]))
        a.runs.append(Run(up, t0, t_stop, 0.0, up.length, 0.0, min(4.0, t_stop - t0 - 0.3)))
        back = from_points(np.concatenate([straight((tx, ty), (tx + 0.5, ty)), shift((tx + 0.5, ty), (tx + ahead - 0.4, y)), straight((tx + ahead - 0.4, y), (tx + ahead, y)), [[tx + ahead, y]]]))
        a.runs.append(Run(back, t_back, t_rest, back.length, 0.0, 1.2, 1.6))

    def parallel_leave(self, a: Actor, m: VehicleModel, pose, t0: float, t_gone: float, back_up: float = 0.0, length: float = 10.5, y: float | None = None, t_back: float = 2.8) -> None:
        """Pull out forward (after backing up ``back_up`` metres when a car stands ahead) and drive off along the lane."""
        y = self.lane_y if y is None else y
        tx, ty = rear_axle(pose, m)
        start = t0
        if back_up > 0:
            line = from_points(np.concatenate([straight((tx - back_up, ty), (tx, ty)), [[tx, ty]]]))
            a.runs.append(Run(line, t0, t0 + t_back, line.length, 0.0, 0.9, 0.9))
            tx -= back_up
            start = t0 + t_back + 0.5
        pts = np.concatenate([straight((tx, ty), (tx + 0.3, ty)), shift((tx + 0.3, ty), (tx + 0.3 + length, y)), self._lane(tx + 0.3 + length, FAR_OUT, y), [[FAR_OUT, y]]])
        c = from_points(pts)
        a.runs.append(Run(c, start, t_gone, 0.0, c.length, min(6.5, t_gone - start - 0.2), 0.0))

    # -- angled berths ---------------------------------------------------------------------------------------------

    def angled_in(self, a: Actor, m: VehicleModel, pose, t0: float, t_rest: float, radius: float = 5.6, y: float | None = None) -> Curve:
        y = self.lane_y if y is None else y
        target = rear_axle(pose, m)
        bend = turn_in(y, target, -pose[2], radius)
        c = from_points(np.concatenate([self._lane(FAR_IN, bend[0, 0], y), bend]))
        a.runs.append(Run(c, t0, t_rest, 0.0, c.length, 0.0, min(t_rest - t0 - 0.3, 5.0)))
        return c

    def angled_out(self, a: Actor, m: VehicleModel, pose, t0: float, t_stop: float, t_go: float, t_gone: float, radius: float = 5.6, extra: float = 0.6, y: float | None = None) -> None:
        """Back out along the way in until straight in the lane, stop, then drive off forward."""
        y = self.lane_y if y is None else y
        target = rear_axle(pose, m)
        bend = turn_in(y, target, -pose[2], radius)
        c = from_points(np.concatenate([straight((bend[0, 0] - extra, y), (bend[0, 0], y)), bend]))
        a.runs.append(Run(c, t0, t_stop, c.length, 0.0, 1.6, 1.5))
        x = bend[0, 0] - extra
        go = from_points(np.concatenate([self._lane(x, FAR_OUT, y), [[FAR_OUT, y]]]))
        a.runs.append(Run(go, t_go, t_gone, 0.0, go.length, min(6.5, t_gone - t_go - 0.2), 0.0))

    # -- traffic ---------------------------------------------------------------------------------------------------

    def passing(self, key, style, seed, colour, shade, plate, t0: float, t1: float, far_lane: bool = False, y: float | None = None, **kw) -> None:
        """Drive through at steady speed; the far lane runs along −X."""
        a, m = self.actor(key, style, seed, colour, shade, plate, **kw)
        if far_lane:
            pts = np.concatenate([straight((FAR_OUT, y or self.far_y), (FAR_IN, y or self.far_y)), [[FAR_IN, y or self.far_y]]])
        else:
            pts = np.concatenate([straight((FAR_IN, y or self.lane_y), (FAR_OUT, y or self.lane_y)), [[FAR_OUT, y or self.lane_y]]])
        c = from_points(pts)
        a.runs.append(Run(c, t0, t1, 0.0, c.length, 0.0, 0.0))

    def tail(self, key, style, seed, colour, shade, plate, lead: Actor, lead_run: int, t0: float, t_end: float, cruise: float, gap: float, y: float, **kw) -> None:
        """Drive through close behind ``lead`` until that has left the lane."""
        a, m = self.actor(key, style, seed, colour, shade, plate, **kw)
        c = from_points(np.concatenate([straight((FAR_IN, y), (FAR_OUT, y)), [[FAR_OUT, y]]]))
        lm, run = self.models[lead.key], lead.runs[lead_run]
        edge = y - m.width / 2 - 0.30

        def rear(t: float) -> float | None:
            foot = footprint(pose_at(run.curve, run.position(t), lm), lm.length, lm.width)
            return None if foot[:, 1].max() < edge else float(foot[foot[:, 1] > edge][:, 0].min())

        a.runs.append(follow(c, t0, t_end, m.length / 2 + axle_to_middle(m), rear, cruise, gap))


def day_parallel() -> Scenario:
    """Four parallel berths by day, H.264."""
    x1, L, W = 27.0, 6.0, 2.3
    berths = [make_berth(f"P{i + 1}", f"{1021 + i}", "parallel", x1 + L * i, 0.25, 0.0, L, W) for i in range(4)]
    lay = Layout(10.0, 66.0, 9.9, 5.2, 3.6, berths, 6.2, [(6.2, "dash-yellow")], bay_depth=2.6)
    cam = Camera((0.0, 12.4, 8.6), (36.6, 1.95, 0.36), 6560.0, 1920, 1080)
    d = Director(lay, 4.45, 8.05)
    d.stay("s1", "sedan", 501, "grey", 3, ("鲁B8K263", "blue"), "P4", 0.42, -0.02, 0.008, rim=5)

    a, m = d.actor("v1", "suv", 502, "white", 0, ("鲁BQ719S", "blue"), berth="P1", rim=6)
    p = d.parked("P1", -0.15, -0.02, -0.012)
    d.parallel_forward(a, m, p, 6.9, 14.2)
    d.parallel_leave(a, m, p, 41.0, 51.5)

    a, m = d.actor("v2", "hatch", 503, "red", 0, ("鲁BD23571", "green"), berth="P3", rim=7)
    p = d.parked("P3", -0.5, 0.05, 0.010)
    d.parallel_reverse(a, m, p, 11.6, 20.0, 21.0, 26.4)
    d.parallel_leave(a, m, p, 47.4, 60.8, back_up=3.4)

    a, m = d.actor("v3", "executive", 504, "black", 0, ("京N4R816", "blue"), berth="P2", rim=10)
    p = d.parked("P2", 0.1, 0.0, 0.0)
    d.parallel_forward(a, m, p, 50.8, 60.6, 12.0)
    d.parallel_leave(a, m, p, 82.2, 92.2)

    a, m = d.actor("v4", "microvan", 505, "grey", 0, ("鲁BM682W", "blue"), berth="P1", rim=5)
    p = d.parked("P1", 0.0, 0.02, 0.004)
    d.parallel_forward(a, m, p, 58.6, 68.4)
    d.parallel_leave(a, m, p, 89.0, 99.5)

    d.passing("t1", "fastback", 511, "blue", 0, ("鲁BX1385", "blue"), 1.0, 14.2)
    d.passing("t2", "bus", 512, "green", 1, ("鲁B70268", "yellow"), 27.6, 48.4, y=4.75)
    lead = next(q for q in d.actors if q.key == "v3")
    d.tail("t3", "boxtruck", 513, "blue", 1, ("鲁A9Z372", "yellow"), lead, 0, 52.9, 80.0, 6.0, 1.5, 4.95, cloth2=(0.62, 0.63, 0.62))
    d.passing("t4", "sedan", 514, "white", 1, ("鲁B5E941", "blue"), 17.5, 31.0, True)
    d.passing("t5", "suv-large", 515, "black", 1, ("鲁BH6058", "blue"), 35.0, 48.0, True)
    d.passing("t6", "scooter", 516, "red", 0, None, 33.8, 51.0, y=5.5, cloth=(0.10, 0.13, 0.22))
    d.passing("t7", "mpv", 517, "grey", 1, ("鲁B96V04", "blue"), 74.5, 88.0, True)
    d.passing("t8", "sedan", 518, "green", 1, ("鲁BT2096", "blue"), 77.2, 88.6)
    return Scenario("day-parallel", "h264", 20260101, 104, lay, cam, lights.day(2.15, 0.86, 1.12), d.actors, d.models, "34020000001320000001")


def dusk_angled() -> Scenario:
    """Five angled berths at dusk, H.265."""
    x1, L, W, ang = 28.0, 5.2, 2.55, np.pi / 4
    berths = [make_berth(f"A{i + 1}", f"{3051 + i}", "angled", x1 + W / np.sin(ang) * i, 0.3, ang, L, W) for i in range(5)]
    lay = Layout(8.0, 66.0, 13.4, 5.0, 3.6, berths, 9.75, [(9.75, "double-yellow")], bay_depth=5.8)
    cam = Camera((0.0, 15.2, 7.6), (32.8, 3.0, 0.55), 6500.0, 1920, 1080)
    d = Director(lay, 7.9, 11.6)
    d.stay("s1", "suv", 601, "white", 1, ("鲁B32T57", "blue"), "A2", 0.05, 0.03, 0.01, rim=5)
    d.stay("s2", "sedan", 602, "black", 1, ("鲁BC4728", "blue"), "A4", 0.1, -0.04, -0.015, rim=7)

    def visit(key, style, seed, colour, shade, plate, berth, t_in, t_rest, t_out, along=0.1, across=0.0, turn=0.0, **kw):
        a, m = d.actor(key, style, seed, colour, shade, plate, berth=berth, **kw)
        p = d.parked(berth, along, across, turn)
        d.angled_in(a, m, p, t_in, t_rest)
        d.angled_out(a, m, p, t_out, t_out + 5.4, t_out + 6.2, t_out + 15.4)

    visit("v1", "hatch", 603, "blue", 1, ("鲁BJ5103", "blue"), "A1", 6.6, 14.0, 38.0, rim=5)
    visit("v2", "fastback", 604, "white", 0, ("鲁BF19472", "green"), "A3", 13.0, 21.4, 46.5, 0.0, 0.02, 0.01, rim=10)
    visit("v3", "suv-large", 605, "brown", 1, ("浙A3P597", "blue"), "A5", 23.0, 32.0, 63.6, 0.1, 0.0, -0.01, rim=6)
    visit("v4", "microvan", 606, "white", 2, ("鲁B27946", "yellow"), "A1", 50.6, 58.4, 78.6, 0.15, 0.0, 0.0, rim=5)
    visit("v5", "city", 607, "yellow", 0, ("鲁BD80316", "green"), "A3", 59.8, 68.6, 89.0, 0.0, 0.0, 0.012, rim=8)
    d.passing("t1", "sedan", 611, "grey", 1, ("鲁BU8G41", "blue"), 1.5, 15.8, True)
    d.passing("t2", "boxtruck", 612, "red", 0, ("鲁B4N775", "yellow"), 25.4, 49.5, y=8.35, cloth2=(0.55, 0.56, 0.58))
    d.passing("t3", "mpv", 613, "black", 0, ("鲁BY3K68", "blue"), 27.0, 40.0, True)
    d.passing("t4", "scooter", 614, "white", 0, None, 68.4, 86.4, y=9.3, cloth=(0.35, 0.05, 0.04), cloth2=(0.05, 0.06, 0.10))
    d.passing("t7", "suv", 617, "red", 1, ("鲁BL350C", "blue"), 69.5, 81.5, y=7.75)
    return Scenario("dusk-angled", "h265", 20260202, 104, lay, cam, lights.dusk(2.75, 1.0), d.actors, d.models, "34020000001320000002", True, 2)
