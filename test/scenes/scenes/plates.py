"""Number plates after GA 36: geometry in millimetres, glyphs from an outside folder, drawn as sRGB textures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "0123456789"

#: width and height in millimetres
SIZES = {"one-row": (440, 140), "green": (480, 140), "two-row": (440, 220)}
_GROUND = {
    "blue": (0, 62, 165),
    "yellow": (236, 172, 8),
    "white": (236, 236, 232),
    "black": (22, 22, 24),
    "green": (96, 190, 120),
}
_INK = {"blue": (240, 242, 245), "yellow": (18, 18, 18), "white": (18, 18, 18), "black": (238, 238, 238), "green": (14, 18, 16)}


@dataclass(frozen=True)
class Plate:
    """One plate: ``text`` without the dot, ``colour`` of its ground, ``rows`` 1 or 2."""

    text: str
    colour: str
    rows: int = 1

    @property
    def size_mm(self) -> tuple[int, int]:
        if self.rows == 2:
            return SIZES["two-row"]
        return SIZES["green" if self.colour == "green" else "one-row"]


class Glyphs:
    """Loads glyph pictures once; ``folder`` holds ``ga36-a/font_model`` (see the data folder's README)."""

    def __init__(self, folder: Path):
        self.root = Path(folder) / "ga36-a" / "font_model"
        if not self.root.is_dir():
            raise FileNotFoundError(f"plate glyphs not found under {self.root}: give the folder with --glyphs")
        self._cache: dict[str, np.ndarray] = {}

    def ink(self, name: str, w: int, h: int) -> np.ndarray:
        """Coverage 0..1 of a glyph resized to ``w``×``h``."""
        if name not in self._cache:
            raw = np.frombuffer((self.root / f"{name}.jpg").read_bytes(), np.uint8)
            self._cache[name] = 1.0 - cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        return cv2.resize(self._cache[name], (w, h), interpolation=cv2.INTER_AREA)


def _stamp(img: np.ndarray, ink: np.ndarray, x: float, y: float, colour) -> None:
    x, y = round(x), round(y)
    h, w = ink.shape
    part = img[y : y + h, x : x + w]
    part += (np.array(colour, np.float32) - part) * ink[..., None]


def draw(plate: Plate, glyphs: Glyphs, rng: np.random.Generator | None = None) -> np.ndarray:
    """sRGB picture of the plate at 1 pixel a millimetre, H×W×3 uint8, lightly soiled when ``rng`` is given."""
    w, h = plate.size_mm
    img = np.empty((h, w, 3), np.float32)
    img[:] = _GROUND[plate.colour]
    if plate.colour == "green":
        t = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        img[:] = np.array((222, 240, 226), np.float32) * (1 - t) + np.array((48, 178, 92), np.float32) * t
    ink = _INK[plate.colour]
    cv2.rectangle(img, (4, 4), (w - 5, h - 5), ink, 3, cv2.LINE_AA)
    t = plate.text
    if plate.rows == 2:
        _stamp(img, glyphs.ink(f"220_{t[0]}", 80, 60), 110, 17, ink)
        _stamp(img, glyphs.ink(f"220_up_{t[1]}", 80, 60), 250, 17, ink)
        cv2.circle(img, (220, 47), 7, ink, -1, cv2.LINE_AA)
        for i, c in enumerate(t[2:]):
            name = f"220_{c}" if c in DIGITS or c == "挂" else f"220_down_{c}"
            _stamp(img, glyphs.ink(name, 65, 110), 27.5 + 80 * i, 92, ink)
    elif plate.colour == "green":
        for i, c in enumerate(t):
            x = (15.5, 69.5)[i] if i < 2 else 161.5 + 52 * (i - 2)
            _stamp(img, glyphs.ink(f"green_{c}", 45 if i == 0 else 43, 90), x, 25, ink)
        cv2.circle(img, (137, 70), 14, (40, 120, 190), -1, cv2.LINE_AA)
        cv2.circle(img, (140, 70), 8, (235, 240, 240), -1, cv2.LINE_AA)
    else:
        for i, c in enumerate(t):
            x = 15.5 + 57 * i if i < 2 else 151.5 + 57 * (i - 2)
            _stamp(img, glyphs.ink(f"140_{c}", 45, 90), x, 25, ink)
        cv2.circle(img, (134, 70), 5, ink, -1, cv2.LINE_AA)
    for bx in (w * 0.25, w * 0.75):
        cv2.circle(img, (round(bx), 12), 6, (150, 150, 150), -1, cv2.LINE_AA)
        cv2.circle(img, (round(bx), h - 13), 6, (150, 150, 150), -1, cv2.LINE_AA)
    if rng is not None:
        grime = cv2.resize(rng.uniform(0, 1, (4, 10)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
        img *= (1 - rng.uniform(0, 0.16) * grime)[..., None]
    return np.clip(img, 0, 255).astype(np.uint8)


def random_text(rng: np.random.Generator, colour: str, avoid: frozenset[str] = frozenset()) -> str:
    """A random plate text under the grammar of its colour, not in ``avoid``."""
    pick = lambda s: s[int(rng.integers(len(s)))]
    while True:
        head = ("鲁" if rng.random() < 0.35 else pick(PROVINCES)) + pick(LETTERS)
        if colour == "green":
            kind = pick("DF") if rng.random() < 0.8 else pick("ABCEGHJK")
            text = head + kind + (pick(LETTERS) if rng.random() < 0.3 else pick(DIGITS)) + "".join(pick(DIGITS) for _ in range(4))
        else:
            tail = [pick(DIGITS) for _ in range(5)]
            for k in rng.permutation(5)[: int(rng.choice([0, 1, 2], p=[0.3, 0.45, 0.25]))]:
                tail[k] = pick(LETTERS)
            text = head + "".join(tail)
        if text not in avoid:
            return text


def random_plate(rng: np.random.Generator, kind: str, avoid: frozenset[str] = frozenset()) -> Plate:
    """A plausible plate for a vehicle ``kind`` (class or type name)."""
    r = rng.random()
    if kind in ("bus", "truck"):
        colour = "yellow" if r < 0.75 else "blue" if r < 0.9 else "green"
        rows = 2 if colour == "yellow" and rng.random() < 0.65 else 1
        return Plate(random_text(rng, colour, avoid), colour, rows)
    colour = "blue" if r < 0.58 else "green" if r < 0.80 else "yellow" if r < 0.88 else "white" if r < 0.93 else "black"
    return Plate(random_text(rng, colour, avoid), colour, 1)
