"""Whether a drawn plate can still be read after light, dirt and optics: by the contrast of its strokes, not by what any network makes of it.

A plate is legible where of every character at least `WHOLE` of the ink lies in the view, and where in each quarter of the character that has
ink the strokes differ from the ground beside them by at least `CONTRAST` grey levels in the channel that shows them best.
"""
import numpy as np

CONTRAST = 8  # of 255; below it people begin to guess
WHOLE = 0.9
FEWEST = 6  # pixels of ink and of ground from which a quarter is judged
BESIDE = 2  # pixels around a character that count as its ground


def weakest_contrast(picture: np.ndarray, ink: np.ndarray) -> float:
    """The least difference between strokes and ground in any quarter of any character; `ink` numbers the characters from 1, 0 is ground."""
    worst = 255.0
    for n in range(1, int(ink.max()) + 1):
        ys, xs = np.nonzero(ink == n)
        if len(ys) == 0:
            return 0.0
        y0, y1, x0, x1 = max(0, ys.min() - BESIDE), ys.max() + 1 + BESIDE, max(0, xs.min() - BESIDE), xs.max() + 1 + BESIDE
        ym, xm = (y0 + y1) // 2, (x0 + x1) // 2
        for ya, yb in ((y0, ym), (ym, y1)):
            for xa, xb in ((x0, xm), (xm, x1)):
                own, part = ink[ya:yb, xa:xb], picture[ya:yb, xa:xb]
                stroke, ground = part[own == n], part[own == 0]
                if len(stroke) >= FEWEST and len(ground) >= FEWEST:
                    worst = min(worst, float(np.abs(stroke.mean(0) - ground.mean(0)).max()))
    return worst


def whole(ink_in_view: np.ndarray, ink: np.ndarray) -> bool:
    """Whether of every character enough lies in the view."""
    for n in range(1, int(ink.max()) + 1):
        if (ink_in_view == n).sum() < WHOLE * (ink == n).sum():
            return False
    return True


def legible(picture: np.ndarray, ink_in_view: np.ndarray, ink: np.ndarray) -> bool:
    return whole(ink_in_view, ink) and weakest_contrast(picture, ink_in_view) >= CONTRAST
