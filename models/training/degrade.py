"""What a street camera does to a plate: light, lens, motion, noise, compression. All functions take and give uint8 RGB."""
import cv2
import numpy as np

_GRAIN = np.random.default_rng(0).standard_normal(1 << 21, dtype=np.float32)  # drawn once: fresh normals cost more than all the rest


def grain(rng, shape) -> np.ndarray:
    """Standard normal noise of a shape of at most two million values, cut from a fixed bank at a random place."""
    n = int(np.prod(shape))
    at = int(rng.integers(0, len(_GRAIN) - n + 1))
    return _GRAIN[at:at + n].reshape(shape)


def light(rng, img: np.ndarray) -> np.ndarray:
    """Exposure, colour cast, gamma, gradients, shadow edge, glare and the over-exposed glow of real crops."""
    f = img.astype(np.float32) / 255
    h, w = f.shape[:2]
    gain = np.exp(rng.normal(0, 0.28)) * np.exp(rng.normal(0, 0.10, 3))
    f = f * gain.astype(np.float32)
    if rng.random() < 0.3:  # contrast towards grey (haze, dirt, retro-reflection)
        k = rng.uniform(0.35, 0.9)
        f = f * k + (1 - k) * rng.uniform(0.15, 0.8)
    if rng.random() < 0.35:  # gradient
        a, b = rng.uniform(0.5, 1.25, 2)
        ramp = np.linspace(a, b, w, dtype=np.float32)[None, :, None] if rng.random() < 0.6 else np.linspace(a, b, h, dtype=np.float32)[:, None, None]
        f = f * ramp
    if rng.random() < 0.2:  # shadow edge
        m = np.ones((h, w), np.float32)
        p = np.array([[rng.uniform(-0.2, 1.2) * w, -5], [rng.uniform(-0.2, 1.2) * w, h + 5], [w + 9, h + 5], [w + 9, -5]], np.int32)
        cv2.fillPoly(m, [p], float(rng.uniform(0.3, 0.7)))
        f = f * cv2.GaussianBlur(m, (0, 0), rng.uniform(0.5, 4))[..., None]
    if rng.random() < 0.15:  # glare spot
        yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
        cx, cy = rng.uniform(0, w), rng.uniform(0, h)
        s = rng.uniform(0.08, 0.3) * w
        f = f + rng.uniform(0.3, 1.1) * np.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / (2 * s * s))[..., None]
    if rng.random() < 0.25:  # glow: bright parts bleed
        f = f + rng.uniform(0.2, 0.9) * cv2.GaussianBlur(np.maximum(f - 0.35, 0), (0, 0), rng.uniform(1, 4))
    f = np.clip(f, 0, 1.0)
    f = f ** np.exp(rng.normal(0, 0.22))
    return (np.clip(f, 0, 1) * 255).astype(np.uint8)


def glow(rng, img: np.ndarray) -> np.ndarray:
    """Over-exposure as of headlights on a plate: the ground turns pale, the strokes bleed white."""
    f = img.astype(np.float32) / 255 * rng.uniform(1.1, 2.2)
    f = f + rng.uniform(0.2, 0.8) * cv2.GaussianBlur(np.clip(f - 0.5, 0, 1), (0, 0), rng.uniform(0.8, 2.5))
    return (np.clip(f, 0, 1) * 255).astype(np.uint8)


def dirt(rng, img: np.ndarray) -> np.ndarray:
    img = img.copy()
    h, w = img.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        c = rng.uniform(20, 140) * np.array([1.0, 0.92, 0.8])
        r = rng.uniform(0.01, 0.05) * w
        mask = np.zeros((h, w), np.float32)
        cv2.ellipse(mask, (int(rng.uniform(0, w)), int(rng.uniform(0, h))), (int(r * rng.uniform(0.6, 2.5)) + 1, int(r) + 1), rng.uniform(0, 180), 0, 360, 1.0, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None] * rng.uniform(0.3, 0.9)
        img = (img * (1 - mask) + c * mask).astype(np.uint8)
    return img


def optics(rng, img: np.ndarray, plate_px: float, strong: float = 1.0) -> np.ndarray:
    """Blur, loss of resolution to `plate_px` pixels of width, noise and JPEG, at the picture's own size."""
    h, w = img.shape[:2]
    if rng.random() < 0.35 * strong:
        img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.4, 2.2))
    elif rng.random() < 0.2 * strong:
        n = int(rng.integers(2, 8))
        k = np.zeros((n, n), np.float32)
        cv2.line(k, (0, int(rng.integers(n))), (n - 1, int(rng.integers(n))), 1.0, 1)
        img = cv2.filter2D(img, -1, k / max(k.sum(), 1))
    scale = plate_px / w
    small = img
    if scale < 0.95:
        size = (max(16, int(round(w * scale))), max(8, int(round(h * scale * rng.uniform(0.85, 1.15)))))
        small = cv2.resize(img, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        sigma = rng.uniform(1, 12 * strong)
        noise = grain(rng, small.shape) * sigma
        if rng.random() < 0.5:
            noise = cv2.GaussianBlur(noise, (0, 0), 0.7) * 1.6
        small = np.clip(small + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        ok, buf = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 92))])
        if ok:
            small = cv2.imdecode(buf, cv2.IMREAD_COLOR)
    if small.shape[:2] != (h, w):
        small = cv2.resize(small, (w, h), interpolation=[cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA][int(rng.integers(3))])
    return small
