"""The plate reader: one small convolutional net, 42 time steps, heads for text (CTC), colour, rows and "is a plate"."""
import torch
from torch import nn

from blocks import Normalise
from charset import CHARSET, COLOURS

STEPS = 42


def conv(i, o, k=3, s=1, p=None, g=1):
    if p is None:
        p = k // 2 if isinstance(k, int) else tuple(x // 2 for x in k)
    return nn.Sequential(nn.Conv2d(i, o, k, s, p, groups=g, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a = conv(c, c)
        self.b = nn.Sequential(nn.Conv2d(c, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c))

    def forward(self, x):
        return torch.relu(x + self.b(self.a(x)))


class ReaderNet(nn.Module):
    """Input N x 3 x 48 x 168 in 0..1. Output: text logits N x 42 x (1 + charset), colour N x 6, rows N x 2, plate N x 1."""

    def __init__(self, widths=(24, 48, 80, 112)):
        super().__init__()
        a, b, c, d = widths
        self.normal = Normalise()
        self.stem = conv(3, a, 3, 2)                    # 24 x 84
        self.s2 = nn.Sequential(conv(a, b, 3, 2), Residual(b))      # 12 x 42
        self.s3 = nn.Sequential(conv(b, c, 3, (2, 1)), Residual(c))  # 6 x 42
        self.s4 = nn.Sequential(conv(c, d, 3, (2, 1)), conv(d, d, 3))  # 3 x 42
        self.squeeze = conv(d, 128, (3, 1), 1, (0, 0))  # 1 x 42
        self.context = nn.Sequential(conv(128, 128, (1, 9), 1, (0, 4), g=128), conv(128, 128, 1))
        self.drop = nn.Dropout(0.1)
        self.text = nn.Conv2d(128, 1 + len(CHARSET), 1)
        self.side = nn.Sequential(nn.Linear(b + 128, 64), nn.ReLU(inplace=True))
        self.colour = nn.Linear(64, len(COLOURS))
        self.rows = nn.Linear(64, 2)
        self.plate = nn.Linear(64, 1)

    def forward(self, x):
        x = self.normal(x)
        low = self.s2(self.stem(x))
        f = self.squeeze(self.s4(self.s3(low)))
        text = self.text(self.drop(f + self.context(f))).squeeze(2).transpose(1, 2)
        side = self.side(torch.cat([low.mean((2, 3)), f.mean((2, 3))], 1))
        return text, self.colour(side), self.rows(side), self.plate(side)


class Deployed(nn.Module):
    """What is exported: probabilities, ready to use."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        t, c, r, p = self.net(images)
        return t.softmax(-1), c.softmax(-1), r.softmax(-1), p.sigmoid()
