"""The mean of a network's weights before and after a training, as a checkpoint of its own.

  python mean_weights.py before.pt after.pt --share 0.65 --out mean.pt [--task plate-reader]

A training on more real pictures forgets some of what rendered streets taught; between the weights before and after it lie
networks that keep both. Where the two lie far apart, as the detector's do, statistics of BatchNorm cannot be averaged: they are measured
anew over pictures of the training side. After a short training at a small rate (the reader's) their mean will do.
Measure the result (`evaluate.py` after `export.py`) before it is shipped: not every pair of weights has a good mean.
"""
import argparse

import cv2
import torch
from torch import nn

from export import NETS
from paths import scratch
from train_vehicles import SHARES, Stream
from vehicle_net import HEIGHT, WIDTH

BATCHES, BATCH = 24, 12


def weights(file):
    return torch.load(scratch(file), map_location="cpu", weights_only=False)["ema"]


def mean(before, after, share):
    """`share` of `after`, the rest of `before`, by tensor."""
    return {k: v * (1 - share) + after[k] * share if v.dtype.is_floating_point else v for k, v in before.items()}


def settle(net, seed=99):
    """Measure BatchNorm's means and variances over training pictures."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None  # a plain mean over all batches
    pictures = iter(Stream({n: s for n, s in SHARES.items() if scratch(f"vehicles-{n}.json").exists()}, BATCH, (WIDTH, HEIGHT), seed))
    net.train()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in range(BATCHES):
            net(next(pictures)[0].float().div_(255))
    return net.eval()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("before")
    ap.add_argument("after")
    ap.add_argument("--share", type=float, default=0.65, help="of the weights after the training")
    ap.add_argument("--out", default="mean.pt")
    ap.add_argument("--task", choices=list(NETS), default="vehicles")
    a = ap.parse_args()
    if not 0 < a.share < 1:
        raise SystemExit("--share lies between 0 and 1")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    net = NETS[a.task][0]()
    net.load_state_dict(mean(weights(a.before), weights(a.after), a.share))
    torch.save({"ema": (settle(net) if a.task == "vehicles" else net).state_dict()}, scratch(a.out))
    print(f"{a.share} of {a.after}, the rest of {a.before}: {scratch(a.out)}")


if __name__ == "__main__":
    main()
