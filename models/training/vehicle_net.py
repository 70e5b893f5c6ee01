"""The vehicle detector: anchor-free, strides 8, 16 and 32, boxes, classes and footprint quads.

Raw outputs a cell: 4 distances to the box sides (strides, softplus), 8 quad offsets (box widths and heights from the box's
middle); objectness, 5 classes, two end logits. The quad is learnt with the end nearer to the camera first (which end is the front cannot be
regressed smoothly); the end logits, which need the features of a class more than those of a box, say where the front is: whether the nearer end is the
rear, and, for vehicles seen from the side, of which neither end is nearer, whether the front is on the right. `Deployed` puts all of that into the graph.
"""
import torch
import torch.nn.functional as F
from torch import nn

from blocks import Bottleneck, Normalise, Pool, conv, separable

CLASSES = ["car", "bus", "truck", "motorcycle", "person"]
END = 1 + len(CLASSES)  # index of the logit of "the nearer end is the rear"
RIGHT = END + 1  # index of the logit of "the front is on the right"
STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 704, 416
STEP = STRIDES[-1]  # width and height may be any multiple of this
MOST = 600  # cells that the deployed graph answers for, those with the highest objectness: decoding all 6,006 cost a sixth of its time


class VehicleNet(nn.Module):
    def __init__(self, c=(16, 24, 48, 88, 144), neck=48):
        super().__init__()
        self.frozen = False  # True: the two finest layers stay as they are (a quarter of the training's cost)
        a, b, d, e, f = c
        self.normal = Normalise()
        self.stem = conv(3, a, 3, 2)                                   # /2
        self.s4 = conv(a, b, 3, 2)                                     # /4
        self.s8 = nn.Sequential(conv(b, d, 3, 2), Bottleneck(d), Bottleneck(d, d // 3))  # /8
        self.s16 = nn.Sequential(conv(d, e, 3, 2), Bottleneck(e), Bottleneck(e), Bottleneck(e))
        self.s32 = nn.Sequential(conv(e, f, 3, 2), Bottleneck(f), Pool(f), Bottleneck(f, f // 3))
        self.l8, self.l16, self.l32 = conv(d, neck, 1), conv(e, neck, 1), conv(f, neck, 1)
        self.n16, self.n8 = conv(neck, neck), Bottleneck(neck)
        self.d16, self.d32 = conv(neck, neck, 3, 2), conv(neck, neck, 3, 2)
        self.box = nn.ModuleList(nn.Sequential(separable(neck), separable(neck)) for _ in STRIDES)
        self.cls = nn.ModuleList(nn.Sequential(separable(neck), separable(neck)) for _ in STRIDES)
        self.quad = nn.ModuleList(nn.Sequential(separable(neck), separable(neck)) for _ in STRIDES)
        self.to_box = nn.ModuleList(nn.Conv2d(neck, 4 + 8, 1) for _ in STRIDES)
        self.to_quad = nn.ModuleList(nn.Conv2d(neck, 8, 1) for _ in STRIDES)
        self.to_cls = nn.ModuleList(nn.Conv2d(neck, 1 + len(CLASSES) + 2, 1) for _ in STRIDES)
        # each level's last shortcut and the second word on the quad begin as nothing: weights of a network without them (--init) go on from what they can
        for block in (self.s8[-1], self.s16[-1], self.s32[-1]):
            nn.init.zeros_(block.b[1].weight)
        for m in self.to_quad:
            nn.init.zeros_(m.weight)
            nn.init.zeros_(m.bias)
        for m in self.to_cls:
            nn.init.constant_(m.bias[:1], -4.6)
        for m in self.to_box:
            nn.init.constant_(m.bias[:4], 1.5)

    def train(self, mode=True):
        super().train(mode)
        if self.frozen:
            self.stem.eval()
            self.s4.eval()
        return self

    def features(self, x):
        x = self.normal(x)
        if self.frozen:
            with torch.no_grad():
                x = self.s4(self.stem(x))
        else:
            x = self.s4(self.stem(x))
        p8 = self.s8(x)
        p16 = self.s16(p8)
        p32 = self.s32(p16)
        t32 = self.l32(p32)
        t16 = self.n16(self.l16(p16) + F.interpolate(t32, scale_factor=2.0))
        t8 = self.n8(self.l8(p8) + F.interpolate(t16, scale_factor=2.0))
        t16 = t16 + self.d16(t8)
        t32 = t32 + self.d32(t16)
        return t8, t16, t32

    def levels(self, x):
        """Each level's maps, finest first: (box N x 12 x H x W, cls N x 8 x H x W), raw."""
        maps = []
        for i, t in enumerate(self.features(x)):
            box, cls, quad = self.box[i](t), self.cls[i](t), self.quad[i](t)
            # half precision would round a large box by a pixel
            with torch.autocast("cpu", enabled=False):
                box = self.to_box[i](box.float())
                maps.append((torch.cat([box[:, :4], box[:, 4:] + self.to_quad[i](quad.float())], 1), self.to_cls[i](cls.float())))
        return maps

    def forward(self, x):
        """(box N x A x 12, cls N x A x 8): all levels one after the other, rows first."""
        boxes, classes = zip(*self.levels(x))
        return tuple(torch.cat([m.flatten(2) for m in maps], 2).transpose(1, 2) for maps in (boxes, classes))


def grid(width=WIDTH, height=HEIGHT):
    """Cell centres A x 2 and strides A x 1 in input pixels."""
    pts, st = [], []
    for s in STRIDES:
        h, w = height // s, width // s
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        pts.append((torch.stack([x, y], -1).reshape(-1, 2).float() + 0.5) * s)
        st.append(torch.full((h * w, 1), float(s)))
    return torch.cat(pts), torch.cat(st)


def decode(raw_box, points, strides):
    """Boxes N x A x 4 (x1 y1 x2 y2) and quads N x A x 4 x 2 in input pixels."""
    d = F.softplus(raw_box[..., :4]) * strides * 2.0
    boxes = torch.cat([points - d[..., :2], points + d[..., 2:4]], -1)
    around = boxes.detach()  # the quad is drawn in the box's own frame: its shape does not depend on the vehicle's size
    centre, size = (around[..., :2] + around[..., 2:]) / 2, around[..., 2:] - around[..., :2]
    quad = centre.unsqueeze(-2) + raw_box[..., 4:12].unflatten(-1, (4, 2)) * size.unsqueeze(-2)
    return boxes, quad


class Deployed(nn.Module):
    """What is exported: boxes, scores, quads in input pixels and how sure their fronts are, for inputs of any size in multiples of 32 with at least MOST cells."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        cells = []
        for (box, cls), stride in zip(self.net.levels(images), STRIDES):
            one = torch.ones_like(cls[:, :1])
            middle = (torch.cat([one.cumsum(3), one.cumsum(2)], 1) - 0.5) * stride
            cells.append(torch.cat([cls, box, middle, one * stride], 1).flatten(2))
        cells = torch.cat(cells, 2)
        best = cells[:, 0].topk(MOST, 1).indices
        cells = cells.gather(2, best.unsqueeze(1).expand(-1, cells.shape[1], -1)).transpose(1, 2)
        rc, rb, points, strides = cells.split([RIGHT + 1, 12, 2, 1], 2)
        boxes, quad = decode(rb, points, strides)
        turned = torch.cat([quad[..., 2:, :], quad[..., :2, :]], -2)
        ahead = quad[..., 0, :] + quad[..., 1, :] - quad[..., 2, :] - quad[..., 3, :]
        ahead = ahead / ahead.square().sum(-1, keepdim=True).sqrt().clamp(min=1e-3)
        # each logit counts by how much of the vehicle's length lies in its direction
        front = (ahead[..., 0] * rc[..., RIGHT] - ahead[..., 1] * rc[..., END]).sigmoid()
        quads = torch.where(front.unsqueeze(-1).unsqueeze(-1) < 0.5, turned, quad)
        front = torch.maximum(front, 1 - front)
        scores = rc[..., :1].sigmoid() * rc[..., 1:END].softmax(-1)
        return boxes, scores, quads.flatten(-2), front
