"""What the camera adds: lens blur, sharpening, noise, bloom about bright lamps."""

from __future__ import annotations

import cv2
import numpy as np


def lens(img: np.ndarray, blur: float, sharpen: float = 0.35, bloom: float = 0.0) -> np.ndarray:
    """Slight blur and the typical over-sharpening of CCTV; ``bloom`` spreads saturated light."""
    out = img
    if bloom > 0 and int(img.max()) > 215:
        # the glow is soft: a quarter of the size is enough for it
        h, w = img.shape[:2]
        hot = cv2.resize(cv2.subtract(img, np.full_like(img, 215)), (max(1, w // 4), max(1, h // 4)), interpolation=cv2.INTER_AREA).astype(np.float32) * (bloom * 2.2)
        glow = cv2.GaussianBlur(hot, (0, 0), 1.25) * 0.7 + cv2.GaussianBlur(hot, (0, 0), 4) * 0.5
        out = cv2.add(img, np.clip(cv2.resize(glow, (w, h), interpolation=cv2.INTER_LINEAR), 0, 255).astype(np.uint8))
    if blur > 0:
        out = cv2.GaussianBlur(out, (0, 0), blur)
    if sharpen > 0:
        soft = cv2.GaussianBlur(out, (0, 0), 1.6)
        out = cv2.addWeighted(out, 1 + sharpen, soft, -sharpen, 0)
    return out


def noise(img: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Sensor noise: finer in luma, blotchy in colour."""
    h, w = img.shape[:2]
    luma = rng.standard_normal((h, w), dtype=np.float32) * sigma
    chroma = cv2.resize(rng.standard_normal((h // 3 + 1, w // 3 + 1, 3), dtype=np.float32), (w, h)) * sigma * 0.7
    return np.clip(img.astype(np.float32) + luma[..., None] + chroma, 0, 255).astype(np.uint8)
