"""The vehicle detector: anchor-free, strides 8, 16 and 32, boxes, classes and footprint quads.

Raw outputs a cell: 4 distances to the box sides (strides, softplus), 8 quad offsets (box widths and heights from the box's
middle); objectness, 5 classes, one end logit. The quad is learnt with the end nearer to the camera first (which end is the front cannot be
regressed smoothly); the end logit, which needs the features of a class more than those of a box, says whether that end is the rear.
`Deployed` puts all of that into the graph.
"""
import torch
import torch.nn.functional as F
from torch import nn

from blocks import Bottleneck, Normalise, Pool, conv, separable

CLASSES = ["car", "bus", "truck", "motorcycle", "person"]
END = 1 + len(CLASSES)  # index of the end logit
STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 640, 384
MOST = 600  # cells that the deployed graph answers for, those with the highest objectness: decoding all 5,040 cost a sixth of its time


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
        self.to_cls = nn.ModuleList(nn.Conv2d(neck, 1 + len(CLASSES) + 1, 1) for _ in STRIDES)
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

    def raw(self, x):
        """(box N x 12 x A, cls N x 7 x A): raw, all levels one after the other, rows first."""
        boxes, classes = [], []
        for i, t in enumerate(self.features(x)):
            box, cls, quad = self.box[i](t), self.cls[i](t), self.quad[i](t)
            # half precision would round a large box by a pixel
            with torch.autocast("cpu", enabled=False):
                box = self.to_box[i](box.float())
                boxes.append(torch.cat([box[:, :4], box[:, 4:] + self.to_quad[i](quad.float())], 1).flatten(2))
                classes.append(self.to_cls[i](cls.float()).flatten(2))
        return torch.cat(boxes, 2), torch.cat(classes, 2)

    def forward(self, x):
        """The same as N x A x 12 and N x A x 7."""
        boxes, classes = self.raw(x)
        return boxes.transpose(1, 2), classes.transpose(1, 2)


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
    def __init__(self, net):
        super().__init__()
        self.net = net
        p, s = grid()
        self.register_buffer("points", p)
        self.register_buffer("strides", s)

    def forward(self, images):
        rb, rc = self.net.raw(images)
        best = rc[:, 0].topk(min(MOST, rc.shape[2]), 1).indices
        rb, rc = (torch.gather(t, 2, best.unsqueeze(1).expand(-1, t.shape[1], -1)).transpose(1, 2) for t in (rb, rc))
        boxes, quad = decode(rb, self.points[best], self.strides[best])
        turned = torch.cat([quad[..., 2:, :], quad[..., :2, :]], -2)
        turn = rc[..., END].sigmoid().unsqueeze(-1).unsqueeze(-1)
        quads = torch.where(turn > 0.5, turned, quad)
        front = torch.maximum(turn, 1 - turn).squeeze(-1).squeeze(-1)
        scores = rc[..., :1].sigmoid() * rc[..., 1:END].softmax(-1)
        return boxes, scores, quads.flatten(-2), front
