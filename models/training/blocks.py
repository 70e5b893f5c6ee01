"""Building blocks shared by the detectors: plain convolutions that run well on one CPU core."""
import torch
from torch import nn


def conv(i, o, k=3, s=1, g=1, act=True):
    layers = [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if act else []))


MEAN, STD = 0.45, 0.25


class Normalise(nn.Module):
    """Colours of 0 to 1 as the networks like them. `outside`: whoever fills the input has done it (the manifest says so), which costs nothing there."""
    outside = False

    def forward(self, x):
        return x if self.outside else (x - MEAN) / STD


class Bottleneck(nn.Module):
    """c -> c/2 -> c with 3 x 3 kernels and a shortcut."""

    def __init__(self, c, inner=None):
        super().__init__()
        inner = inner or c // 2
        self.a = conv(c, inner)
        self.b = conv(inner, c, act=False)

    def forward(self, x):
        return torch.relu(x + self.b(self.a(x)))


class Pool(nn.Module):
    """Widen the view at the coarsest level: three 5 x 5 max pools in a row, joined (SPPF)."""

    def __init__(self, c):
        super().__init__()
        self.a = conv(c, c // 2, 1)
        self.b = conv(c * 2, c, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        x = self.a(x)
        p = self.pool(x)
        q = self.pool(p)
        return self.b(torch.cat([x, p, q, self.pool(q)], 1))


def separable(c):
    return nn.Sequential(conv(c, c, 3, 1, g=c), conv(c, c, 1))
