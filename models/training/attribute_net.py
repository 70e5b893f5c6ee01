"""The attribute classifier: one small trunk over a vehicle's crop, a head each for type, body colour and view."""
import torch
from torch import nn

from blocks import Bottleneck, Normalise, conv

WIDTH, HEIGHT = 96, 96
HEADS = {
    "vehicle-type": ["small", "medium", "large"],
    "body-colour": ["white", "grey", "yellow", "pink", "purple", "green", "blue", "red", "brown", "black", "other"],
    "view": ["front", "rear", "side"],
}
OUTPUTS = {"vehicle-type": "type", "body-colour": "colour", "view": "view"}


class AttributeNet(nn.Module):
    def __init__(self, c=(16, 32, 56, 96)):
        super().__init__()
        a, b, d, e = c
        self.normal = Normalise()
        self.trunk = nn.Sequential(
            conv(3, a, 3, 2), conv(a, b, 3, 2), Bottleneck(b),            # 24
            conv(b, d, 3, 2), Bottleneck(d), Bottleneck(d),               # 12
            conv(d, e, 3, 2), Bottleneck(e), Bottleneck(e))               # 6
        # colour is a matter of the early layers: their mean goes to the heads beside the last one's
        self.early = conv(b, b, 1)
        self.drop = nn.Dropout(0.2)
        self.heads = nn.ModuleList(nn.Linear(e * 2 + b, len(labels)) for labels in HEADS.values())

    def forward(self, x):
        """Logits of each head in the order of HEADS, N x labels."""
        x = self.normal(x)
        for i, layer in enumerate(self.trunk):
            x = layer(x)
            if i == 2:
                early = self.early(x).mean((2, 3))
        middle = x[:, :, 1:5, 1:5].mean((2, 3))  # away from what stands around the vehicle
        f = self.drop(torch.cat([x.mean((2, 3)), middle, early], 1))
        return [head(f) for head in self.heads]


class Deployed(nn.Module):
    """Each crop is seen twice, once as in a mirror, and the answers are averaged: two looks err in different places."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        both = self.net(torch.cat([images, images.flip(3)]))
        return tuple(logits.softmax(-1).unflatten(0, (2, -1)).mean(0) for logits in both)
