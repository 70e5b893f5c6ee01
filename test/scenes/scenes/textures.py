"""Procedural tile pictures of the street's materials. RGB is the square root of the albedo, alpha is gloss."""

from __future__ import annotations

import cv2
import numpy as np

PLAIN, PAVING, BRICK, GLASS, BARK, METAL, SHOP, HEDGE, SHUTTER, KERB, ROOF, GRATE, LEAF, WHITE, SIGN, LAMP = range(16)
SIZE = 512


def noise(rng: np.random.Generator, h: int, w: int, cells: float, wrap: bool = True) -> np.ndarray:
    """Smooth noise 0..1 with about ``cells`` cells along the longer side."""
    k = max(h, w) / cells
    gh, gw = max(2, round(h / k)), max(2, round(w / k))
    g = rng.random((gh, gw)).astype(np.float32)
    if wrap:
        g = np.pad(g, 2, mode="wrap")
        big = cv2.resize(g, (round(w * (gw + 4) / gw), round(h * (gh + 4) / gh)), interpolation=cv2.INTER_CUBIC)
        oy, ox = round(2 * h / gh), round(2 * w / gw)
        return np.clip(big[oy : oy + h, ox : ox + w], 0, 1)
    return np.clip(cv2.resize(g, (w, h), interpolation=cv2.INTER_CUBIC), 0, 1)


def fbm(rng: np.random.Generator, h: int, w: int, cells: float, octaves: int = 4, wrap: bool = True) -> np.ndarray:
    """Octaves of :func:`noise`, normalised to mean 0, unit-ish range."""
    out = np.zeros((h, w), np.float32)
    amp, total = 1.0, 0.0
    for _ in range(octaves):
        if cells > max(h, w) / 1.5:
            break
        out += amp * (noise(rng, h, w, cells, wrap) - 0.5)
        total += amp
        amp *= 0.55
        cells *= 2.1
    return out / max(total, 1e-6) * 2


def _rgb(lum: np.ndarray, colour=(1, 1, 1), gloss: float | np.ndarray = 0.0) -> np.ndarray:
    a = np.clip(lum[..., None] * np.array(colour, np.float32), 0, 1)
    g = np.broadcast_to(np.asarray(gloss, np.float32), lum.shape)
    return (np.dstack([np.sqrt(a), g]) * 255).astype(np.uint8)


def _grid(n_u: int, n_v: int, width: float, shift: bool = False) -> np.ndarray:
    """1 in the joints of a tiling."""
    v, u = np.meshgrid(np.arange(SIZE) / SIZE * n_v, np.arange(SIZE) / SIZE * n_u, indexing="ij")
    if shift:
        u = u + 0.5 * (np.floor(v) % 2)
    d = np.minimum(np.minimum(u % 1, 1 - u % 1) / n_u, np.minimum(v % 1, 1 - v % 1) / n_v) * SIZE
    return np.clip(1 - d / width, 0, 1).astype(np.float32)


def tiles(rng: np.random.Generator) -> np.ndarray:
    """All layers, L×SIZE×SIZE×4 uint8."""
    s = SIZE
    f = lambda c, o=4: fbm(rng, s, s, c, o)
    grain = rng.normal(0, 1, (s, s)).astype(np.float32)
    out = [None] * 16
    out[PLAIN] = _rgb(0.75 + 0.10 * f(6) + 0.03 * grain, (1, 1, 1))
    cell = rng.uniform(0.8, 1.12, (8, 8)).astype(np.float32)
    cells = cv2.resize(cell, (s, s), interpolation=cv2.INTER_NEAREST)
    j = _grid(8, 8, 2.2)
    out[PAVING] = _rgb((0.62 * cells + 0.06 * f(9) + 0.03 * grain) * (1 - 0.55 * j))
    cell = rng.uniform(0.7, 1.2, (16, 8)).astype(np.float32)
    j = _grid(8, 16, 2.0, True)
    out[BRICK] = _rgb((0.6 * cv2.resize(cell, (s, s), interpolation=cv2.INTER_NEAREST) + 0.05 * grain) * (1 - j) + 0.7 * j)
    out[GLASS] = _rgb(0.03 + 0.02 * f(3), (0.9, 1.0, 1.05), 0.9)
    bark = fbm(rng, s, s, 10) * 0.5 + cv2.resize(rng.normal(0, 1, (8, s)).astype(np.float32), (s, s), interpolation=cv2.INTER_CUBIC) * 0.25
    out[BARK] = _rgb(np.clip(0.5 + 0.35 * bark, 0.1, 1))
    out[METAL] = _rgb(0.7 + 0.05 * f(8), (1, 1, 1), 0.28)
    shop = np.full((s, s), 0.035, np.float32) + 0.03 * np.clip(f(5), 0, 1)
    glow = np.clip(f(4), 0, 1)[..., None] * np.array([0.10, 0.08, 0.05], np.float32)
    frame = _grid(4, 1, 7)
    frame[int(s * 0.80) : int(s * 0.83)] = 1
    img = np.dstack([np.sqrt(np.clip(shop[..., None] + glow + frame[..., None] * 0.30, 0, 1)), 0.85 * (1 - frame)])
    out[SHOP] = (np.clip(img, 0, 1) * 255).astype(np.uint8)
    out[HEDGE] = _rgb(np.clip(0.5 + 0.5 * f(30, 3) + 0.15 * grain, 0.05, 1), (0.9, 1, 0.8))
    bars = (0.5 + 0.5 * np.sin(np.arange(s) / s * 2 * np.pi * 24))[:, None] * np.ones((1, s))
    out[SHUTTER] = _rgb((0.45 + 0.35 * bars).astype(np.float32) + 0.04 * f(5), (1, 1, 1), 0.12)
    k = np.zeros((s, s), np.float32)
    k[:, :5] = 1
    out[KERB] = _rgb((0.70 + 0.10 * f(8) + 0.05 * grain) * (1 - 0.6 * k))
    out[ROOF] = _rgb(0.5 + 0.12 * f(7) + 0.04 * grain)
    g = np.clip(np.sin(np.arange(s) / s * 2 * np.pi * 12), 0, 1)[None, :] * np.ones((s, 1))
    out[GRATE] = _rgb((0.5 * (g > 0.5)).astype(np.float32) + 0.03, (1, 1, 1), 0.1)
    out[LEAF] = _rgb(np.clip(0.8 + 0.3 * f(8), 0.2, 1))
    out[WHITE] = _rgb(np.ones((s, s), np.float32))
    out[SIGN] = _rgb(np.clip(0.9 + 0.05 * f(6), 0, 1), (1, 1, 1), 0.15)
    out[LAMP] = _rgb(np.full((s, s), 0.7, np.float32))
    return np.stack(out)
