"""What is no vehicle and yet dark and compact on the ground or before the lens: birds, insects, bags, tufts. Drawn on pictures of empty places."""
import cv2
import numpy as np

MOST = 6
SMALLEST, LARGEST = 0.008, 0.045  # longer side, of the picture's width: below what stands for a car in the pictures they are drawn on
BRIGHT = 0.25                     # share of white ones
SHADOW = 0.5                      # share of those with a streak of shadow


def with_decoys(rng, img):
    """A copy of an RGB picture with one to six decoys."""
    img = img.copy()
    h, w = img.shape[:2]
    level = float(img[::8, ::8].mean())
    for _ in range(int(rng.integers(1, MOST + 1))):
        side = w * np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))
        n = int(np.ceil(side * 2)) + 4
        x, y = int(rng.integers(0, w - n)), int(rng.integers(0, h - n))
        mask, shade = np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
        # a body of a few ellipses along one direction
        turn, length = rng.uniform(0, np.pi), side * rng.uniform(0.5, 1)
        for _ in range(int(rng.integers(1, 5))):
            off = rng.normal(0, 0.22, 2) * [length, length * 0.4]
            centre = n / 2 + np.array([off[0] * np.cos(turn) - off[1] * np.sin(turn), off[0] * np.sin(turn) + off[1] * np.cos(turn)])
            axes = np.maximum(1, length * rng.uniform(0.12, 0.42, 2)).round().astype(int)
            cv2.ellipse(mask, centre.round().astype(int).tolist(), axes.tolist(), float(np.degrees(turn) + rng.normal(0, 40)), 0, 360, 1, -1)
        if rng.random() < SHADOW:
            away = rng.uniform(0, 2 * np.pi)
            end = n / 2 + 0.5 * n * np.array([np.cos(away), np.sin(away)])
            cv2.line(shade, (n // 2, n // 2), end.round().astype(int).tolist(), 1, max(1, int(side * rng.uniform(0.05, 0.3))), cv2.LINE_AA)
        soft = rng.uniform(0.5, 1.6)
        mask, shade = (cv2.GaussianBlur(m, (0, 0), soft)[..., None] for m in (mask, shade))
        tone = level * (rng.uniform(1.3, 2.2) if rng.random() < BRIGHT else rng.uniform(0.1, 0.6)) * np.exp(rng.normal(0, 0.12, 3))
        grain = rng.normal(0, level * 0.06, (n, n, 1))
        part = img[y:y + n, x:x + n].astype(np.float32)
        part = part * (1 - 0.5 * shade)
        part = part * (1 - mask) + (tone + grain) * mask
        img[y:y + n, x:x + n] = np.clip(part, 0, 255).astype(np.uint8)
    return img
