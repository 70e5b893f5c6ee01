"""The plate finder: a heat map at stride 4 over a vehicle's crop, four corners a cell."""
import torch
import torch.nn.functional as F
from torch import nn

from blocks import Bottleneck, Normalise, conv

WIDTH, HEIGHT, STRIDE = 256, 192, 4
SCALE = 16.0  # pixels a raw unit of corner offset
MOST = 64  # cells that the deployed graph answers for, those with the highest scores: a plate lights up a dozen, and the smallest input has as many


class PlateNet(nn.Module):
    def __init__(self, c=(16, 24, 48, 80)):
        super().__init__()
        a, b, d, e = c
        self.normal = Normalise()
        self.stem = conv(3, a, 3, 2)
        self.s4 = nn.Sequential(conv(a, b, 3, 2), Bottleneck(b))
        self.s8 = nn.Sequential(conv(b, d, 3, 2), Bottleneck(d), Bottleneck(d))
        self.s16 = nn.Sequential(conv(d, e, 3, 2), Bottleneck(e), Bottleneck(e))
        self.s32 = nn.Sequential(conv(e, e, 3, 2), Bottleneck(e))
        self.u16, self.u8, self.u4 = conv(e, e, 1), conv(e, d, 1), conv(d, b, 1)
        self.m8, self.m4 = conv(d, d), conv(b, b)
        self.out = nn.Conv2d(b, 1 + 8, 1)
        nn.init.constant_(self.out.bias[:1], -4.6)

    def map(self, x):
        """N x 9 x H/4 x W/4 raw: score logit, then tl tr br bl offsets (x y) in units of SCALE pixels."""
        x = self.normal(x)
        f4 = self.s4(self.stem(x))
        f8 = self.s8(f4)
        f16 = self.s16(f8)
        t16 = f16 + F.interpolate(self.u16(self.s32(f16)), scale_factor=2.0)
        t8 = self.m8(f8 + F.interpolate(self.u8(t16), scale_factor=2.0))
        t4 = self.m4(f4 + F.interpolate(self.u4(t8), scale_factor=2.0))
        return self.out(t4)

    def forward(self, x):
        """The same as N x A x 9, A cells row by row."""
        return self.map(x).flatten(2).transpose(1, 2)


def grid():
    y, x = torch.meshgrid(torch.arange(HEIGHT // STRIDE), torch.arange(WIDTH // STRIDE), indexing="ij")
    return (torch.stack([x, y], -1).reshape(-1, 2).float() + 0.5) * STRIDE


class Deployed(nn.Module):
    """What is exported: scores and corners in input pixels, for inputs of any size in multiples of 32."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        raw = self.net.map(images)
        one = torch.ones_like(raw[:, :1])
        cells = torch.cat([one.cumsum(3), one.cumsum(2)], 1) - 0.5
        corners = raw[:, 1:] * SCALE + cells.repeat(1, 4, 1, 1) * STRIDE
        score, best = raw[:, 0].flatten(1).topk(MOST, 1)
        return score.sigmoid(), corners.flatten(2).gather(2, best.unsqueeze(1).expand(-1, 8, -1)).transpose(1, 2)
