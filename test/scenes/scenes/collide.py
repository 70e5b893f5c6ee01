"""Checks a scenario: no two vehicles may overlap at any frame."""

from __future__ import annotations

import numpy as np

from .street import footprint
from .timeline import FPS, State
from .vehicles import VehicleModel


def overlap(a: np.ndarray, b: np.ndarray, gap: float = 0.0) -> bool:
    """Whether two convex quads come nearer than ``gap`` (separating axes)."""
    for q in (a, b):
        for i in range(2):
            ax = q[(i + 1) % 4] - q[i]
            ax = ax / max(np.linalg.norm(ax), 1e-9)
            pa, pb = a @ ax, b @ ax
            if pa.max() + gap <= pb.min() or pb.max() + gap <= pa.min():
                return False
    return True


def clashes(states: dict[str, list[State | None]], models: dict[str, VehicleModel], gap: float = 0.12) -> list[tuple[str, str, float, float]]:
    """Pairs that come too near: (key, key, first second, last second)."""
    keys = list(states)
    n = len(states[keys[0]])
    found: dict[tuple[str, str], list[int]] = {}
    for f in range(0, n, 2):
        feet = {k: footprint(states[k][f].pose, models[k].length, models[k].width) for k in keys if states[k][f]}
        ks = list(feet)
        for i, a in enumerate(ks):
            for b in ks[i + 1 :]:
                if abs(feet[a][0, 0] - feet[b][0, 0]) < 16 and overlap(feet[a], feet[b], gap):
                    found.setdefault((a, b), []).append(f)
    return [(a, b, v[0] / FPS, v[-1] / FPS) for (a, b), v in found.items()]
