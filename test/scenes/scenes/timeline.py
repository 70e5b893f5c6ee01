"""Actors over time: every vehicle's pose at every frame, and what the plan says about visits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .paths import Curve, Run, Track
from .plates import Plate
from .vehicles import VehicleModel

FPS = 25


@dataclass
class Actor:
    """One vehicle of a clip. Before the first run and after the last it stands still (``parked``) or is away."""

    key: str
    style: str
    seed: int
    colour: str
    shade: int
    plate: Plate | None
    runs: list[Run | Track] = field(default_factory=list)
    berth: str | None = None
    parked_pose: tuple[float, float, float] | None = None
    stays: bool = False
    rim: float = 5.0
    cloth: tuple[float, float, float] = (0.06, 0.07, 0.12)
    cloth2: tuple[float, float, float] = (0.70, 0.70, 0.68)


@dataclass
class State:
    """Pose of the footprint's middle, steering and wheel angles, lights of one frame."""

    pose: tuple[float, float, float]
    steer: float
    spin: float
    lights: tuple[float, float]


def axle_to_middle(model: VehicleModel) -> float:
    """Distance from the rear axle forward to the middle of the footprint."""
    return -model.axles[1]


def rear_axle(pose: tuple[float, float, float], model: VehicleModel) -> tuple[float, float]:
    x, y, h = pose
    d = axle_to_middle(model)
    return x - d * np.cos(h), y - d * np.sin(h)


def pose_at(curve: Curve, s: float, model: VehicleModel) -> tuple[float, float, float]:
    x, y, h, _ = curve.at(s)
    d = axle_to_middle(model)
    return (x + d * np.cos(h), y + d * np.sin(h), h)


def sample(actor: Actor, model: VehicleModel, frames: int, dark: bool, hold: int = 1) -> list[State | None]:
    """The actor's state at every frame; None while it is away. Each state is held for ``hold`` frames."""
    out: list[State | None] = []
    if actor.stays:
        return [State(actor.parked_pose, 0.0, 0.7, (0.0, 0.0))] * frames
    runs = sorted(actor.runs, key=lambda r: r.t0)
    wb = model.axles[0] - model.axles[1]
    r = max(model.wheel_radius, 0.25)
    travelled, last_s, last_v, steer_now = 0.0, None, 0.0, 0.0
    current: Run | Track | None = None
    for f in range(frames):
        t = f / FPS
        if t < runs[0].t0 or t > runs[-1].t1:
            out.append(None)
            continue
        run = max((q for q in runs if q.t0 <= t), key=lambda q: q.t0)
        if run is not current:
            current, last_s = run, None
        s = run.position(t)
        moving = t <= run.t1
        v = 0.0 if last_s is None else (s - last_s) * FPS
        if last_s is not None:
            travelled += s - last_s
        pose = pose_at(run.curve, s, model)
        _, _, _, k = run.curve.at(s)
        target = float(np.clip(np.arctan(wb * k), -0.6, 0.6))
        steer_now += float(np.clip(target - steer_now, -0.05, 0.05)) if moving and abs(v) > 0.02 else 0.0
        accel = (abs(v) - abs(last_v)) * FPS
        idle = min((abs(q.t0 - t) for q in runs if q.t0 > t), default=99)
        since = t - run.t1
        engine = moving or since < 1.6 or idle < 2.2
        brake = (moving and accel < -0.6) or (moving and abs(v) < 0.15) or (engine and not moving)
        head = 1.0 if dark and engine else 0.0
        tail = (1.0 if brake else 0.35 if dark else 0.0) if engine else 0.0
        out.append(State(pose, steer_now if abs(steer_now) > 1e-3 else 0.0, float((travelled / r) % (2 * np.pi)), (head, tail)))
        last_s, last_v = s, v
    return [out[f - f % hold] for f in range(frames)]
