"""A second look at plates that were not read surely, as vision/models/second-look.ts takes it: other framings, put together under the grammar."""
import cv2
import numpy as np

import grammar
from charset import COLOURS
from reader_data import CH, CW, PH, PW

# (width and height of the frame, how much lower its right end lies), in shares of the frame that was read first
FRAMINGS = ((0.93, 0.82, 0.0), (1.0, 0.82, 0.25), (1.0, 0.82, -0.25))
SURE = 0.95  # vision/plate/vote.ts: a single reading counts as read from here on
HOPELESS = 0.02  # vision/models/second-look.ts


def reframed(canvas, width, height, drop):
    """The 48 x 168 view of a canvas in another framing."""
    m = np.array([[width, 0, 0], [drop * PH / PW, height, 0]], np.float32)
    m[:, 2] = [CW / 2, CH / 2] - m[:, :2] @ [PW / 2, PH / 2]
    return cv2.warpAffine(canvas, m, (PW, PH), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def strength(text, confidences, colour):
    fits = any(grammar.fits(r, text) for r in grammar.RULES[COLOURS[colour]])
    return min(confidences) if confidences and fits else 0.0


def combine(readings, colour):
    """(text, confidences) of several (text, confidences) of one plate, the first look first."""
    strengths = [strength(t, c, colour) for t, c in readings]
    first = int(np.argmax(strengths))
    own = strengths[first]
    if own == 0:
        return readings[0]
    text, confidences = readings[first][0], list(readings[first][1])
    for (other, _), against in zip(readings, strengths):
        if other == text or against == 0:
            continue
        most = own / (own + against)
        for k, ch in enumerate(text):
            if len(other) != len(text) or other[k] != ch:
                confidences[k] = min(confidences[k], most)
    return text, confidences


def unsure(text, confidences, colour):
    """Whether a first look is worth a second: not sure by itself, but a text that a plate of this colour can have."""
    return HOPELESS <= strength(text, confidences, colour) < SURE
