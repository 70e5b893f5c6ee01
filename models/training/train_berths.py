"""Train the berth classifier.

  python train_berths.py --minutes 8 [--resume] [--init FILE]
"""
import numpy as np
import torch
import torch.nn.functional as F

import loop
from berth_net import STATES, BerthNet
from paths import scratch
from train_attributes import colour_safe

SHARES = {"stills": 0.4, "car park": 0.22, "filled car park": 0.22, "empty car park": 0.1, "motorcycle park": 0.06, "streets": 0}


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, batch, seed):
        self.batch, self.seed = batch, seed

    def __iter__(self):
        z = dict(np.load(scratch("berths.npz")))
        rng = np.random.default_rng(self.seed)
        pools, shares = [], []
        for name, share in SHARES.items():
            for state in range(len(STATES)):
                mine = np.where((z["source"] == name) & (z["states"] == state) & ~z["val"])[0]
                if len(mine):
                    pools.append(mine)
                    shares.append(share * (0.6 if STATES[state] == "other" else 1.1))
        shares = np.array(shares) / np.sum(shares)
        while True:
            x, y = [], []
            for k in rng.choice(len(pools), size=self.batch, p=shares):
                i = pools[k][rng.integers(len(pools[k]))]
                img = colour_safe(rng, z["pics"][i])
                x.append(img[:, ::-1] if rng.random() < 0.5 else img)
                y.append(z["states"][i])
            yield torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2), torch.from_numpy(np.array(y))


def step(net, batch):
    x, y = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(x.float().div_(255))
    value = F.cross_entropy(logits.float(), y, label_smoothing=0.05)
    return value, {"state": float(value.detach())}


def rates(predict):
    """By source of the validation side: berths, share right, and what was taken for what.

    `free`: empty told from taken (by whatever), over berths whose state somebody saw; `occupied`: a vehicle told from all else. `predict`: pictures N x H x W x 3 -> N x STATES.
    """
    z = dict(np.load(scratch("berths.npz")))
    out = {}
    for name in SHARES:
        mine = np.where((z["source"] == name) & z["val"])[0]
        if len(mine) == 0:
            continue
        got = np.concatenate([predict(z["pics"][mine[at:at + 64]]).argmax(1) for at in range(0, len(mine), 64)])
        want = z["states"][mine]
        wrong = {f"{STATES[a]} taken for {STATES[b]}": int(((want == a) & (got == b)).sum()) for a in range(3) for b in range(3) if a != b and ((want == a) & (got == b)).any()}
        real = z["states"][mine] != STATES.index("other")  # what is neither is pasted or drawn
        free = (got == STATES.index("empty")) == (want == STATES.index("empty"))
        out[name] = {"berths": len(mine), "free": round(float(free[real].mean()), 4), "right": round(float((got == want).mean()), 4), "occupied": round(float(((got == 1) == (want == 1)).mean()), 4), "wrong": wrong}
    return out


def validate(net, quick):
    net.eval()
    with torch.no_grad():
        r = rates(lambda p: net(torch.from_numpy(p).permute(0, 3, 1, 2).float().div(255)).float().numpy())
    return {k: v["right"] for k, v in r.items()} if quick else r


def main():
    a = loop.options("berths", 8, 3e-3, 64).parse_args()
    loop.begin(a)
    loop.Training(BerthNet(), a, decay=0.02, every=90).run(lambda seed: loop.batches(Stream(a.batch, seed)), step, validate)


if __name__ == "__main__":
    main()
