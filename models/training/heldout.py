"""Measure a reader that never saw plates/crops-b on all of that source (train it with --exclude crops-b --out reader-heldout).

  python heldout.py            writes reader-heldout.json under the scratch folder; evaluate.py puts it on the card
"""
import json

import numpy as np
import torch

import evaluate
from paths import scratch
from reader_net import Deployed, ReaderNet


class Reader:
    """A PyTorch reader with the face of an ONNX session."""

    def __init__(self, file):
        net = ReaderNet()
        net.load_state_dict(torch.load(file, map_location="cpu", weights_only=False)["ema"])
        self.net = Deployed(net).eval()

    @torch.no_grad()
    def run(self, _names, inputs):
        return [o.numpy() for o in self.net(torch.from_numpy(inputs["images"]))]


def main():
    z = np.load(scratch("reader-crops-b.npz"))
    reader = Reader(scratch("reader-heldout.pt"))
    right = lambda again: round(float(np.mean([a == b for a, b in zip(evaluate.read(reader, z["pics"], again)[0], z["texts"])])), 4)
    out = {"plates": len(z["pics"]), "text": right(True), "firstLookOnly": right(np.zeros(len(z["pics"]), bool))}
    scratch("reader-heldout.json").write_text(json.dumps(out))
    print(out)


if __name__ == "__main__":
    main()
