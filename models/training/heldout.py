"""Measure a reader that never saw plates/crops-b on all of that source (train it with --exclude crops-b --out reader-heldout).

  python heldout.py            writes reader-heldout.json under the scratch folder; evaluate.py puts it on the card
"""
import json

import numpy as np
import torch

from evaluate import centre
import grammar
from paths import scratch
from reader_net import ReaderNet
from train_reader import to_tensor


@torch.no_grad()
def main():
    net = ReaderNet()
    net.load_state_dict(torch.load(scratch("reader-heldout.pt"), map_location="cpu", weights_only=False)["ema"])
    net.eval()
    z = np.load(scratch("reader-crops-b.npz"))
    right = 0
    for a in range(0, len(z["pics"]), 64):
        probs, colours = [o.softmax(-1).numpy() for o in net(to_tensor([centre(p) for p in z["pics"][a:a + 64]]))[:2]]
        right += sum(grammar.read(p, int(c.argmax()))[0] == w for p, c, w in zip(probs, colours, z["texts"][a:a + 64]))
    out = {"plates": len(z["pics"]), "text": round(right / len(z["pics"]), 4)}
    scratch("reader-heldout.json").write_text(json.dumps(out))
    print(out)


if __name__ == "__main__":
    main()
