"""Named lights: colours are linear and relative; exposures are chosen by eye for a CCTV look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Light:
    """Sun, sky and lamps of one moment."""

    name: str
    sun_azimuth: float
    sun_elevation: float
    sun: tuple[float, float, float]
    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    sky: tuple[float, float, float]
    bounce: tuple[float, float, float]
    city: tuple[float, float, float]
    lamp: tuple[float, float, float]
    windows: float
    exposure: float
    headlights: bool = False
    sun_radius: float = 0.02
    wet: float = 0.0
    noise: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def sun_dir(self) -> np.ndarray:
        c = np.cos(self.sun_elevation)
        return np.array([c * np.cos(self.sun_azimuth), c * np.sin(self.sun_azimuth), np.sin(self.sun_elevation)])


def day(azimuth: float, elevation: float, exposure: float = 1.0) -> Light:
    return Light("day", azimuth, elevation, (2.55, 2.35, 2.0), (0.38, 0.62, 1.05), (0.95, 1.02, 1.08), (0.72, 0.82, 1.0), (0.26, 0.25, 0.23), (0.42, 0.38, 0.33), (0, 0, 0), 0.0, exposure)


def overcast(exposure: float = 1.0, wet: float = 0.0) -> Light:
    return Light("overcast", 0.6, 1.2, (0.25, 0.25, 0.25), (1.25, 1.28, 1.32), (1.05, 1.08, 1.12), (1.30, 1.33, 1.38), (0.24, 0.24, 0.24), (0.45, 0.44, 0.43), (0, 0, 0), 0.0, exposure, sun_radius=0.5, wet=wet)


def dusk(azimuth: float = 2.6, exposure: float = 1.0, wet: float = 0.0) -> Light:
    return Light("dusk", azimuth, 0.12, (0.035, 0.022, 0.016), (0.075, 0.125, 0.27), (0.33, 0.27, 0.28), (0.135, 0.185, 0.31), (0.042, 0.044, 0.05), (0.06, 0.06, 0.075), (0.50, 0.36, 0.21), 0.30, exposure * 2.75, True, 0.3, wet, 1.6)


def night(exposure: float = 1.0, wet: float = 0.0) -> Light:
    return Light("night", 2.6, 0.3, (0.0, 0.0, 0.0), (0.008, 0.010, 0.018), (0.03, 0.026, 0.024), (0.014, 0.015, 0.02), (0.02, 0.018, 0.016), (0.02, 0.018, 0.016), (1.0, 0.74, 0.44), 0.35, exposure * 3.4, True, 0.3, wet, 2.4)
