"""Synthetic GA 36-2018 plates, drawn flat at one pixel a millimetre.

`draw(rng, kind)` returns a `Plate` (picture, text, colour, rows). Character cells follow the
standard's drawings; glyphs come from the two glyph sets in shared/data (ga36-a: MIT, ga36-b: MIT).
The picture is clean: weather, optics and compression are `degrade.py`'s business.
"""
import dataclasses
import functools

import cv2
import numpy as np

from charset import DIGITS, LETTERS, PROVINCES
from paths import GLYPHS, MODELS

# No glyphs of 应急 were at hand; an open font (OFL) that the project installs for its overlays lends them.
FONT = MODELS.parent / "node_modules" / "@embedpdf" / "fonts-sc" / "fonts" / "NotoSansHans-Bold.otf"

KINDS = {  # kind -> weight in the training mix
    "blue": 34, "green": 18, "green-large": 4, "yellow": 9, "yellow-learner": 3, "yellow-two-row": 10,
    "trailer": 4, "police": 5, "army": 4, "armed-police": 2, "hk-macao": 4, "embassy": 2, "consulate": 2, "emergency": 2,
}


@dataclasses.dataclass
class Plate:
    image: np.ndarray  # uint8 RGB, H x W x 3, one pixel a millimetre
    text: str
    colour: str
    rows: int
    kind: str
    ink: np.ndarray  # uint8, H x W: the number (from 1) of the character whose stroke lies there, 0 elsewhere


@functools.lru_cache(maxsize=None)
def _glyph_file(rel: str):
    p = GLYPHS / rel
    if not p.exists():
        return None
    im = cv2.imdecode(np.fromfile(p, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if im is None:
        return None
    if im.ndim == 3 and im.shape[2] == 4:
        m = im[..., 3]
        ys = np.where(m.max(1) > 64)[0]
        if len(ys) < 2:
            return None
        m = m[ys[0]:ys[-1] + 1]  # full height; the cell's side bearings stay (a '1' is narrow)
    else:
        m = 255 - (im if im.ndim == 2 else im[..., 0])
    return m


@functools.lru_cache(maxsize=None)
def _font_glyph(ch: str):
    from PIL import Image, ImageDraw, ImageFont
    if not FONT.exists():
        raise FileNotFoundError(f"{FONT} is missing: run npm install, or drop the emergency kind")
    im = Image.new("L", (220, 260), 0)
    ImageDraw.Draw(im).text((10, 10), ch, font=ImageFont.truetype(str(FONT), 190), fill=255)
    return np.array(im.crop(im.getbbox()))


def _glyph(ch: str, family: str, second: bool) -> np.ndarray:
    """Mask (uint8, 255 = ink) of a character; `family` is normal | green | top | bottom; `second` asks for set b first."""
    a = {"normal": [f"ga36-a/font_model/140_{ch}.jpg"],
         "green": [f"ga36-a/font_model/green_{ch}.jpg"],
         "top": [f"ga36-a/font_model/220_{ch}.jpg" if ch in PROVINCES else f"ga36-a/font_model/220_up_{ch}.jpg"],
         "bottom": [f"ga36-a/font_model/220_{ch}.jpg" if ch in DIGITS + "挂" else f"ga36-a/font_model/220_down_{ch}.jpg"]}[family]
    b = {"normal": [f"ga36-b/white/{ch}.png", f"ga36-b/black/{ch}.png"],
         "green": [f"ga36-b/green/{ch}.png"],
         "top": [f"ga36-b/yellow/top/{ch}.png"],
         "bottom": [f"ga36-b/yellow/bottom/{ch}.png"]}[family]
    if ch in "应急":
        return _font_glyph(ch)
    fallback = [f"ga36-a/font_model/140_{ch}.jpg"]
    for rel in (b + a if second else a + b) + fallback:
        m = _glyph_file(rel)
        if m is not None:
            return m
    raise KeyError(f"no glyph for {ch} ({family})")


def _put(img, strokes, number, ch, x, y, w, h, ink, family, second):
    m = _glyph(ch, family, second)
    if family == "normal" and second and ch not in PROVINCES:  # set b keeps side bearings of about 14 %
        x, w = x - 0.17 * w, w * 1.34
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    w, h = max(2, int(round(w))), max(2, int(round(h)))
    m = cv2.resize(m, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
    x0, y0 = max(0, min(x0, img.shape[1] - w)), max(0, min(y0, img.shape[0] - h))
    roi = img[y0:y0 + h, x0:x0 + w]
    roi[:] = roi * (1 - m) + np.asarray(ink, np.float32) * m
    strokes[y0:y0 + h, x0:x0 + w][m[..., 0] > 0.5] = number


def _serial(rng, n, letters=0.25):
    """n serial characters: digits with at most two letters, as issued."""
    out = [str(rng.integers(10)) for _ in range(n)]
    k = int(rng.choice([0, 1, 2], p=[0.45, 0.4, 0.15])) if letters else 0
    for i in rng.choice(n, size=min(k, n), replace=False):
        out[i] = LETTERS[rng.integers(len(LETTERS))]
    return "".join(out)


def random_text(rng, kind: str) -> str:
    p = PROVINCES[rng.integers(len(PROVINCES))] if rng.random() < 0.8 else str(rng.choice(list("鲁鲁京浙沪粤苏")))
    a = LETTERS[rng.integers(len(LETTERS))]
    if kind in ("blue", "yellow", "yellow-two-row"):
        return p + a + _serial(rng, 5)
    if kind == "green":
        first = str(rng.choice(list("DDDDFFFFABCEGHJK")))
        return p + a + first + (str(rng.choice(list(DIGITS + LETTERS))) + _serial(rng, 4, 0))
    if kind == "green-large":
        return p + a + _serial(rng, 5, 0) + str(rng.choice(["D", "F"]))
    if kind == "yellow-learner":
        return p + a + _serial(rng, 4, 0) + "学"
    if kind == "trailer":
        return p + a + _serial(rng, 4) + "挂"
    if kind == "police":
        return p + a + _serial(rng, 4) + "警"
    if kind == "army":
        return a + LETTERS[rng.integers(len(LETTERS))] + _serial(rng, 5, 0)
    if kind == "emergency":
        return p + str(rng.choice(["X", "S"])) + _serial(rng, 4) + "应急"
    if kind == "armed-police":
        return "WJ" + (p if rng.random() < 0.8 else "") + _serial(rng, 4, 0) + str(rng.choice(list(DIGITS + "XTHSJB")))
    if kind == "hk-macao":
        return "粤Z" + _serial(rng, 4) + str(rng.choice(["港", "澳"]))
    if kind == "embassy":
        return "使" + _serial(rng, 6, 0) if rng.random() < 0.6 else _serial(rng, 6, 0) + "使"
    if kind == "consulate":
        return p + a + _serial(rng, 4, 0) + "领"
    raise ValueError(f"unknown plate kind {kind}")


def _base(rng, kind, w, h):
    def near(rgb, spread=18):
        return np.clip(np.asarray(rgb, np.float32) + rng.normal(0, spread, 3), 0, 255)
    if kind == "blue":
        # real ones run from cyan to violet blue
        t = rng.random()
        bg = near((10 + 60 * t, 40 + 70 * rng.random(), 140 + 90 * rng.random()))
        return np.full((h, w, 3), bg, np.float32), np.array([245, 248, 250], np.float32)
    if kind == "green":
        top, bottom = near((225, 245, 232), 12), near((70 + 50 * rng.random(), 185 + 40 * rng.random(), 110 + 40 * rng.random()))
        t = np.clip(np.linspace(-0.15, 1.1, h), 0, 1)[:, None, None]
        return np.broadcast_to(top * (1 - t) + bottom * t, (h, w, 3)).astype(np.float32).copy(), np.array([20, 25, 22], np.float32)
    if kind == "green-large":
        img = np.full((h, w, 3), near((75, 195, 120)), np.float32)
        img[:, :int(w * 0.28)] = near((245, 185, 20))
        return img, np.array([20, 22, 20], np.float32)
    if kind in ("yellow", "yellow-learner", "yellow-two-row", "trailer"):
        return np.full((h, w, 3), near((235, 170 + 25 * rng.random(), 20 + 30 * rng.random())), np.float32), np.array([20, 20, 18], np.float32)
    if kind in ("police", "army", "armed-police", "emergency"):
        return np.full((h, w, 3), near((235, 236, 236), 9), np.float32), np.array([22, 22, 24], np.float32)
    return np.full((h, w, 3), near((22, 22, 26), 9), np.float32), np.array([240, 240, 240], np.float32)


COLOUR_OF = {"blue": "blue", "green": "green", "green-large": "yellow-green", "yellow": "yellow", "yellow-learner": "yellow",
             "yellow-two-row": "yellow", "trailer": "yellow", "police": "white", "army": "white", "armed-police": "white", "emergency": "white",
             "hk-macao": "black", "embassy": "black", "consulate": "black"}


def _bolts(rng, img, ink):
    if rng.random() < 0.3:
        return
    h, w = img.shape[:2]
    col = rng.choice([40.0, 110.0, 190.0, 230.0]) * np.ones(3) if rng.random() < 0.7 else np.asarray(ink)
    for fx in (0.25, 0.75):
        for y in (11, h - 11):
            if rng.random() < 0.85:
                cv2.ellipse(img, (int(fx * w), int(y)), (int(rng.integers(4, 11)), 5), 0, 0, 360, [float(c) for c in col], -1, cv2.LINE_AA)


def _border(rng, img, ink, kind):
    if rng.random() < 0.92:
        h, w = img.shape[:2]
        inset = 5
        col = [float(c) for c in ink] if kind not in ("green", "green-large") else [30.0, 40.0, 34.0]
        cv2.rectangle(img, (inset, inset), (w - 1 - inset, h - 1 - inset), col, int(rng.integers(2, 4)), cv2.LINE_AA)


def _dot(img, x, y, ink, r=5):
    cv2.circle(img, (int(round(x)), int(round(y))), r, [float(c) for c in ink], -1, cv2.LINE_AA)


def draw(rng: np.random.Generator, kind: str | None = None, text: str | None = None) -> Plate:
    """One clean plate. Two-row kinds come as they are mounted (440 x 220); see `unstack` for what the reader sees."""
    if kind is None:
        names = list(KINDS)
        w = np.array([KINDS[k] for k in names], float)
        kind = names[rng.choice(len(names), p=w / w.sum())]
    text = text or random_text(rng, kind)
    second = bool(rng.random() < 0.45)
    red = np.array([200, 30, 30], np.float32) + rng.normal(0, 12, 3).astype(np.float32)
    if kind in ("yellow-two-row", "trailer"):
        img, ink = _base(rng, kind, 440, 220)
        _border(rng, img, ink, kind)
        _bolts(rng, img, ink)
        strokes = np.zeros(img.shape[:2], np.uint8)
        for i, ch in enumerate(text[:2]):
            _put(img, strokes, i + 1, ch, 110 + i * 140, 15, 80, 60, ink, "top", second)
        if rng.random() < 0.8:
            _dot(img, 220, 45, ink)
        for i, ch in enumerate(text[2:]):
            _put(img, strokes, i + 3, ch, 27.5 + i * 80, 90, 65, 110, ink, "bottom", second)
        return Plate(np.clip(img, 0, 255).astype(np.uint8), text, COLOUR_OF[kind], 2, kind, strokes)
    wide = kind in ("green", "green-large")
    w = 480 if wide else 440
    img, ink = _base(rng, kind, w, 140)
    _border(rng, img, ink, kind)
    _bolts(rng, img, ink)
    inks = [ink] * len(text)
    family, cw, step = "normal", 45.0, 57.0
    dot = None
    if wide:
        family = "green"
        xs = [15.5, 69.5] + [163.5 + 52 * i for i in range(6)]
        widths = [45.0] + [43.0] * 7
        if rng.random() < 0.7:
            cv2.ellipse(img, (138, 70), (14, 24), 0, 0, 360, [float(c) for c in (60 + 120 * rng.random(3))], -1, cv2.LINE_AA)
            cv2.ellipse(img, (140, 70), (8, 13), 0, 0, 360, [235.0, 240.0, 235.0], -1, cv2.LINE_AA)
    elif kind == "armed-police":
        step8 = 52.5 if len(text) == 8 else 60.0
        xs = [15.5 + step8 * i for i in range(len(text))]
        widths = [42.0] * len(text)
        inks = [red, red] + [red if len(text) == 8 else ink] + [ink] * (len(text) - 3)
    elif kind == "emergency":
        xs = [15.5, 68.0, 136.0, 187.0, 238.0, 289.0, 340.0, 386.0]
        widths = [44.0] * 6 + [40.0] * 2
        inks = [ink] * 6 + [red] * 2
        dot = 124.0
    else:
        gap_after = {"embassy": 4 if text[0] == "使" else 3}.get(kind, 1 if kind == "police" and rng.random() < 0.6 else 2)
        xs, x = [], 15.5
        for i in range(len(text)):
            if i == gap_after:
                dot = x - 12 + 17
                x += 22
            xs.append(x)
            x += step
        widths = [cw] * len(text)
        if kind == "police":
            inks = [ink] * 6 + [red]
        if kind == "army":
            inks = [red, red] + [ink] * 5
    strokes = np.zeros(img.shape[:2], np.uint8)
    for i, (ch, x, cwi, col) in enumerate(zip(text, xs, widths, inks)):
        _put(img, strokes, i + 1, ch, x, 25, cwi, 90, col, family, second)
    if dot is not None and rng.random() < 0.9:
        _dot(img, dot, 70, ink)
    return Plate(np.clip(img, 0, 255).astype(np.uint8), text, COLOUR_OF[kind], 1, kind, strokes)


# Two-row plates are read as one row: the upper band's middle part and the lower band, side by side.
# Fractions of the rectified plate; the same numbers stand in manifest.json ("twoRow").
TWO_ROW = {"top": [0.20, 0.03, 0.80, 0.375], "bottom": [0.02, 0.36, 0.98, 0.97], "topShare": 1 / 3}


def row_boxes(jitter=None, rng=None):
    """The boxes (fractions x0 y0 x1 y1) of the upper and the lower row, a little off where `jitter` says how much."""
    for key in ("top", "bottom"):
        b = np.array(TWO_ROW[key], float)
        yield np.clip(b if not jitter else b + rng.uniform(-jitter, jitter, 4) * [1, 1.3, 1, 1.3], 0, 1)


def unstack(image: np.ndarray, width: int, height: int, jitter=None, rng=None, boxes=None, interpolation=cv2.INTER_LINEAR) -> np.ndarray:
    """Join a rectified two-row plate (H x W, any channels) into a one-row strip of width x height pixels."""
    h, w = image.shape[:2]
    tw = int(round(width * TWO_ROW["topShare"]))
    parts = []
    for b, wide in zip(boxes or row_boxes(jitter, rng), (tw, width - tw)):
        x0, y0, x1, y1 = b * [w, h, w, h]
        part = image[int(y0):max(int(y0) + 2, int(round(y1))), int(x0):max(int(x0) + 2, int(round(x1)))]
        parts.append(cv2.resize(part, (wide, height), interpolation=interpolation))
    return np.hstack(parts)
