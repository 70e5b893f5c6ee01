"""Which way the lanes of a road run: the lines of 42 road views, read off by looking (labels/lanes.json).

A footprint that an earlier detector guessed on a real picture is turned along its lane: cars drive along the lines of their road, and
a line seen over a whole picture says more about a direction than one small car. `lanes` are polylines on lines and kerbs, in a
picture of the given `size` at its natural aspect; `vanishing` is the point where the lines of a straight road meet, good for what
stands lower than `below`. The label holds for every picture of the scene that `like` belongs to (splits_make.scene_groups).
"""
import json

import numpy as np

from paths import TRAINING

REACH = 60, 0.2  # pixels of `size` from the nearest line, and more the lower (nearer) it is: what stands farther off may go elsewhere
TURNS = 60.0   # degrees: a footprint that lies more than that across its lane belongs to a vehicle that turns, or is wrong


def nearest(line, p):
    """Distance of a point to a polyline, and the line's direction there."""
    a, b = line[:-1], line[1:]
    d = b - a
    t = np.clip(((p - a) * d).sum(1) / (d ** 2).sum(1), 0, 1)
    away = np.hypot(*(a + t[:, None] * d - p).T)
    i = int(away.argmin())
    return float(away[i]), d[i] / np.hypot(*d[i])


class Scene:
    """The lanes of one road view."""

    def __init__(self, label):
        self.size = np.array(label["size"], float)
        self.lines = [np.array(line, float) for line in label.get("lanes", [])]
        self.vanishing = np.array(label["vanishing"], float) if "vanishing" in label else None
        self.below = label.get("below", 0)

    def direction(self, p):
        """Unit vector along the lanes at a point of `size`, either way; None where no line says it."""
        if self.vanishing is not None:
            d = self.vanishing - p
            return d / np.hypot(*d) if p[1] > self.below else None
        near = [nearest(line, p) for line in self.lines]
        if min(away for away, _ in near) > REACH[0] + REACH[1] * p[1]:
            return None
        # either way is the same direction: their mean is that of the doubled angles
        z = sum(complex(*d) ** 2 / (away + 5) ** 2 for away, d in near)
        half = np.sqrt(z)
        return np.array([half.real, half.imag]) / abs(half)

    def along(self, quad, picture):
        """A footprint (8 numbers, pixels of a picture of that width and height) turned along its lane about its nearer end, and whether a lane was known.

        No footprint (None) where it lies across its lane.
        """
        k = self.size / np.array(picture, float)
        q = np.asarray(quad, float).reshape(4, 2) * k
        front, rear = (q[0] + q[1]) / 2, (q[2] + q[3]) / 2
        way = self.direction((front + rear) / 2)
        if way is None:
            return quad, False
        near, far = (0, 1) if front[1] >= rear[1] else (1, 0)
        ends = [front, rear]
        axis = ends[far] - ends[near]
        way = way if axis @ way >= 0 else -way
        length = np.hypot(*axis)
        if axis @ way < length * np.cos(np.radians(TURNS)):
            return None, False
        move = ends[near] + length * way - ends[far]
        q[[0, 1] if far == 0 else [2, 3]] += move
        return (q / k).ravel().round(2).tolist(), True


def scenes(source, groups):
    """By file name, the lanes of its scene. `groups`: the file names of each scene of that source."""
    out = {}
    for label in json.loads((TRAINING / "labels" / "lanes.json").read_text(encoding="utf-8")):
        folder, file = label["like"].split("/images/")
        if folder == f"vehicles/{source}":
            scene = Scene(label)
            out |= {f: scene for group in groups if file in group for f in group}
    return out
