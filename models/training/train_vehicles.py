"""Train the vehicle detector.

  python train_vehicles.py --minutes 60 [--resume] [--init FILE]

Resumable: a checkpoint every three minutes. The shares below are over the sources whose caches exist.
"""
import argparse
import json
import time

import cv2
import numpy as np
import torch

from detection_eval import evaluate, torch_runner
from paths import scratch
from vehicle_augment import sample
from vehicle_data import Store
from vehicle_loss import loss
from vehicle_net import VehicleNet, grid

SHARES = {"stills": 0.62, "elevated": 0.11, "roads": 0.09, "expressway": 0.05, "street-level": 0.03, "parking": 0.10}


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, names, size, seed):
        self.names, self.size, self.seed = names, size, seed

    def __iter__(self):
        cv2.setNumThreads(1)
        rng = np.random.default_rng(self.seed)
        stores = {n: Store(n) for n in self.names}
        train = {n: s.split(False) for n, s in stores.items()}
        p = np.array([SHARES[n] for n in self.names])
        p /= p.sum()

        def pick(g):
            n = self.names[g.choice(len(p), p=p)]
            r = train[n][g.integers(len(train[n]))]
            return stores[n].picture(r), r
        while True:
            items = [sample(rng, pick) for _ in range(self.size)]
            x = torch.from_numpy(np.stack([i[0] for i in items])).permute(0, 3, 1, 2).contiguous()
            yield x, [tuple(torch.from_numpy(np.ascontiguousarray(v)) for v in i[1:5]) + (i[5],) for i in items]


# Mean footprint in its box's frame over the rendered stills, nearer end first (medians of x and y of its four corners)
MEAN_QUAD = [0.10, 0.63, -0.52, 0.57, -0.01, 0.10, 0.51, 0.14]


def mean_quad(net):
    for m in net.to_box:
        with torch.no_grad():
            m.weight[4:12] *= 0.1
            m.bias[4:12] = torch.tensor(MEAN_QUAD)


def meet(net, own, peer):
    """Two runs on few cores: leave the own weights for the peer, and take the mean with what it left in the last minutes."""
    torch.save(net.state_dict(), str(own) + ".tmp")
    own.with_suffix(".pt.tmp").replace(own)
    if not peer.exists() or time.time() - peer.stat().st_mtime > 600:
        return
    other = torch.load(peer)
    with torch.no_grad():
        for k, v in net.state_dict().items():
            if v.dtype.is_floating_point:
                v.lerp_(other[k], 0.5)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--cpu-time", action="store_true", help="count the minutes as processor time: a schedule that busy neighbours cannot cut short")
    ap.add_argument("--watch", default="stills,elevated,roads,parking", help="sources whose validation pictures are scored on the way")
    ap.add_argument("--resume", action="store_true")
    ap.add_argument("--init")
    ap.add_argument("--freeze", action="store_true", help="keep the two finest layers: faster, for continuing from --init or --resume")
    ap.add_argument("--fresh-quads", action="store_true", help="start the quad outputs anew from the mean shape")
    ap.add_argument("--peer", help="name of a second run (--out of it) beside this one: both average their weights every 30 steps")
    ap.add_argument("--out", default="vehicles")
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--batch", type=int, default=12)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--threads", type=int, default=1, help="set OMP_WAIT_POLICY=passive when other work shares the cores")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    names = [n for n in SHARES if scratch(f"vehicles-{n}.json").exists()]
    net = VehicleNet()
    points, strides = grid()
    opt = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=0.02)
    ck = scratch(f"{a.out}.pt")
    done = 0.0
    if a.init:
        net.load_state_dict(torch.load(a.init, weights_only=False)["ema"])
    if a.fresh_quads or not (a.init or a.resume):
        mean_quad(net)
    ema = {k: v.clone() for k, v in net.state_dict().items()}
    if a.resume and ck.exists():
        s = torch.load(ck, weights_only=False)
        net.load_state_dict(s["net"])
        opt.load_state_dict(s["opt"])
        ema, done = s["ema"], s["seconds"]
    net.frozen = a.freeze
    net.train()
    print("parameters", sum(p.numel() for p in net.parameters()), "sources", names, flush=True)
    stores = {n: Store(n) for n in names}
    watch = {n: stores[n].split(True) for n in names if n in a.watch.split(",")}
    stream = iter(torch.utils.data.DataLoader(Stream(names, a.batch, a.seed + int(done)), batch_size=None, num_workers=1, prefetch_factor=3))
    clock = time.process_time if a.cpu_time else time.time
    total, began, last, step = a.minutes * 60, clock(), time.time(), 0
    run: dict[str, float] = {}

    def save(path, live, seconds):
        torch.save({"net": live, "ema": ema, "opt": opt.state_dict(), "seconds": seconds}, str(path) + ".tmp")
        path.with_suffix(".pt.tmp").replace(path)
    while (t := done + clock() - began) < total:
        lr = float(a.lr * min(1.0, (step + 1) / (40 if a.init or a.resume else 300)) * (0.5 * (1 + np.cos(np.pi * t / total)) + 0.01))
        for g in opt.param_groups:
            g["lr"] = lr
        x, targets = next(stream)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rb, rc = net(x.float().div_(255))
        value, parts = loss(rb, rc, targets, points, strides)
        opt.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        opt.step()
        decay = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for k, v in net.state_dict().items():
                if v.dtype.is_floating_point:
                    ema[k].lerp_(v, 1 - decay)
                else:
                    ema[k].copy_(v)
        step += 1
        if a.peer and step % 30 == 0:
            meet(net, scratch(f"{a.out}-live.pt"), scratch(f"{a.peer}-live.pt"))
        for k, v in parts.items():
            run[k] = v if k not in run else run[k] * 0.98 + v * 0.02
        if step % 50 == 0:
            print(f"{t:7.0f}s step {step} pictures {step * a.batch} lr {lr:.5f}", {k: round(v, 3) for k, v in run.items()}, f"{1000 * (clock() - began) / (step * a.batch):.1f} ms/picture", flush=True)
        if time.time() - last > 180:
            last = time.time()
            live = {k: v.clone() for k, v in net.state_dict().items()}
            save(ck, live, t)
            net.load_state_dict(ema)
            print(f"{t:7.0f}s validation", {n: evaluate(torch_runner(net), stores[n], r, 20)["ap50"] for n, r in watch.items()}, flush=True)
            net.train()
            net.load_state_dict(live)
    net.load_state_dict(ema)
    save(ck, net.state_dict(), total)
    print("final", json.dumps({n: evaluate(torch_runner(net), stores[n], r) for n, r in watch.items()}), flush=True)


if __name__ == "__main__":
    main()
