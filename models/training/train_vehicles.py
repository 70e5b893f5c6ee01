"""Train the vehicle detector.

  python train_vehicles.py --minutes 60 [--size 512x288] [--resume] [--init FILE]

Resumable: a checkpoint every three minutes. The shares below are over the sources whose caches exist.
"""
import numpy as np
import torch

import loop
from blocks import MEAN, STD
from decoys import with_decoys
from detection_eval import evaluate, torch_runner
from paste import Cutouts
from paths import scratch
from vehicle_augment import sample
from vehicle_data import Store
from vehicle_loss import loss
from vehicle_net import HEIGHT, STRIDES, WIDTH, VehicleNet, grid

# Rendered streets teach footprints, real ones what a vehicle is and above all what is none
SHARES = {"stills": 0.33, "elevated": 0.16, "roads": 0.14, "expressway": 0.08, "places": 0.08, "cctv-night-day": 0.05, "street-level": 0.06, "near": 0.1, "parking": 0.07, "empty": 0.08, "motorcycle-parking": 0.03}
# Share of a source's pictures that get vehicles of other places (paste.py)
PASTED = {"elevated": 0.4, "roads": 0.4, "expressway": 0.4, "places": 0.6, "street-level": 0.2, "parking": 0.1, "stills": 0.15}
# Share that gets two-wheelers besides (riders.py)
RIDDEN = {"elevated": 0.4, "roads": 0.4, "expressway": 0.25, "places": 0.5, "cctv-night-day": 0.25, "stills": 0.2, "parking": 0.2, "empty": 0.2}
DECOYS = 0.4  # share of the pictures of the empty car park that get birds, insects and bags (decoys.py)


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, names, batch, size, seed, riders=True):
        self.names, self.batch, self.size, self.seed, self.riders = names, batch, size, seed, riders

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        stores = {n: Store(n) for n in self.names}
        train = {n: s.split(False) for n, s in stores.items()}
        names, p = list(self.names), np.array(list(self.names.values()))
        p /= p.sum()
        cutouts = Cutouts() if scratch("cutouts.npz").exists() else None
        riders = Cutouts("riders.npz") if self.riders and scratch("riders.npz").exists() else None

        def pick(g):
            n = names[g.choice(len(p), p=p)]
            r = train[n][g.integers(len(train[n]))]
            img = stores[n].picture(r)
            if n == "empty" and g.random() < DECOYS:
                img = with_decoys(g, img)
            if cutouts and g.random() < PASTED.get(n, 0):
                img, r = cutouts.add(g, img, r)
            return riders.add(g, img, r) if riders and g.random() < RIDDEN.get(n, 0) else (img, r)
        while True:
            items = [sample(rng, pick, self.size) for _ in range(self.batch)]
            x = torch.from_numpy(np.stack([i[0] for i in items])).permute(0, 3, 1, 2)
            yield x, [tuple(torch.from_numpy(np.ascontiguousarray(v)) for v in i[1:5]) + (i[5],) for i in items]


# Mean footprint in its box's frame over the rendered stills, nearer end first (medians of x and y of its four corners)
MEAN_QUAD = [0.10, 0.63, -0.52, 0.57, -0.01, 0.10, 0.51, 0.14]


def mean_quad(net):
    for m in net.to_box:
        with torch.no_grad():
            m.weight[4:12] *= 0.1
            m.bias[4:12] = torch.tensor(MEAN_QUAD)


def size_of(text):
    """'512x288' -> (512, 288); the coarsest stride must divide both."""
    w, h = (int(v) for v in text.split("x"))
    if w % STRIDES[-1] or h % STRIDES[-1]:
        raise ValueError(f"size {text}: width and height must be multiples of {STRIDES[-1]}")
    return w, h


def main():
    ap = loop.options("vehicles", 60, 2e-3, 16)
    ap.add_argument("--size", type=size_of, default=(WIDTH, HEIGHT), help="input size while training; smaller first saves time, the network takes any")
    ap.add_argument("--watch", default="stills,elevated,roads,parking", help="sources whose validation pictures are scored on the way")
    ap.add_argument("--freeze", action="store_true", help="keep the two finest layers: faster, for continuing from --init or --resume")
    ap.add_argument("--no-riders", action="store_true", help="set no two-wheelers down on other streets")
    ap.add_argument("--shares", default="", help="other shares of the sources, as stills=0.6,roads=0.1")
    a = ap.parse_args()
    loop.begin(a)
    shares = SHARES | {k: float(v) for k, v in (p.split("=") for p in a.shares.split(",") if p)}
    names = {n: s for n, s in shares.items() if scratch(f"vehicles-{n}.json").exists()}
    net = VehicleNet()
    if not (a.init or a.resume):
        mean_quad(net)
    training = loop.Training(net, a, decay=0.02)
    net.frozen = a.freeze
    stores = {n: Store(n) for n in names if n in a.watch.split(",")}
    watch = {n: s.split(True) for n, s in stores.items()}
    points, strides = grid(*a.size)

    def step(net, batch):
        x, targets = batch
        # bytes are exact in bfloat16; scaling them in single precision took a twelfth of the training's time
        x = x.to(torch.bfloat16).sub_(MEAN * 255).div_(STD * 255)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            net.normal.outside = True
            rb, rc = net(x)
            net.normal.outside = False
        return loss(rb, rc, targets, points, strides, a.size)

    def validate(net, quick):
        scored = {n: evaluate(torch_runner(net), stores[n], r, 20 if quick else None) for n, r in watch.items()}
        return {n: {k: v for k, v in r.items() if not quick or k in ("ap50", "heading10", "cornerError")} for n, r in scored.items()}
    print("sources", names, "" if scratch("cutouts.npz").exists() else "without pasted vehicles (places.py)", flush=True)
    training.run(lambda seed: loop.batches(Stream(names, a.batch, a.size, seed, not a.no_riders)), step, validate)


if __name__ == "__main__":
    main()
