"""The berth classifier: what stands in one berth, from a crop around it in which all but the berth is dimmed."""
import cv2
import numpy as np
import torch
from torch import nn

from blocks import Bottleneck, Normalise, conv

WIDTH, HEIGHT = 80, 80
STATES = ["empty", "vehicle", "other"]
# The crop: a square around the berth's bounding box, in shares of that box's longer side; what stands in a berth rises above it.
SIDE = 1.5
RISE = 0.12
# Outside the berth's outline the picture is moved this far towards grey.
DIM = 0.6
GREY = 114


def window(polygon):
    """(x, y, side) of the square crop around a berth's outline."""
    p = np.asarray(polygon, float)
    lo, hi = p.min(0), p.max(0)
    longer = (hi - lo).max()
    side = SIDE * longer
    centre = (lo + hi) / 2 - [0, RISE * longer]
    return centre[0] - side / 2, centre[1] - side / 2, side


def berth_input(img, polygon):
    """RGB picture and outline -> HEIGHT x WIDTH x 3: the part of the crop inside the picture, letterboxed, all but the berth dimmed."""
    h, w = img.shape[:2]
    x, y, side = window(polygon)
    x0, y0, x1, y1 = max(0, int(np.floor(x))), max(0, int(np.floor(y))), min(w, int(np.ceil(x + side))), min(h, int(np.ceil(y + side)))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    k = min(WIDTH / (x1 - x0), HEIGHT / (y1 - y0))
    size = (max(1, round((x1 - x0) * k)), max(1, round((y1 - y0) * k)))
    small = cv2.resize(img[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
    out = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    ox, oy = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
    out[oy:oy + size[1], ox:ox + size[0]] = small
    outline = (np.asarray(polygon, float) - [x0, y0]) * k + [ox, oy]
    return dim(out, outline)


def dim(crop, outline):
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16 - 8).astype(np.int32)], 1, shift=4)
    out = crop.astype(np.float32)
    return np.where(mask[..., None] == 1, out, out + (GREY - out) * DIM).round().astype(np.uint8)


class BerthNet(nn.Module):
    def __init__(self, c=(16, 28, 48, 80)):
        super().__init__()
        a, b, d, e = c
        self.normal = Normalise()
        self.trunk = nn.Sequential(
            conv(3, a, 3, 2), conv(a, b, 3, 2), Bottleneck(b),   # 20
            conv(b, d, 3, 2), Bottleneck(d), Bottleneck(d),      # 10
            conv(d, e, 3, 2), Bottleneck(e))                     # 5
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(2 * e, len(STATES))

    def forward(self, x):
        """Logits N x STATES."""
        x = self.trunk(self.normal(x))
        return self.head(self.drop(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)))


class Deployed(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return (self.net(images).softmax(-1),)
