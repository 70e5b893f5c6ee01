"""The training loop of all three networks: schedule by time, averaged weights, checkpoints, progress.

  torchrun --nproc-per-node 2 train_….py …

runs one process a core, each with batches of its own and gradients averaged: on few cores that is half as fast again as
threads. Without torchrun it is one process.
"""
import argparse
import json
import os
import time

import cv2
import numpy as np
import torch
import torch.distributed as dist

from paths import scratch


def options(out, minutes, lr, batch):
    """An argument parser with the options that every training has."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--minutes", type=float, default=minutes)
    ap.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    ap.add_argument("--init", help="weights to start from; the schedule starts anew")
    ap.add_argument("--out", default=out, help="name of the checkpoint")
    ap.add_argument("--lr", type=float, default=lr)
    ap.add_argument("--batch", type=int, default=batch)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--workers", type=int, default=1, help="processes that make pictures beside the training; 0: the training makes them itself")
    ap.add_argument("--threads", type=int, default=1, help="set OMP_WAIT_POLICY=passive when other work shares the cores")
    return ap


def begin(a):
    """What must be set before the network is made."""
    torch.set_num_threads(a.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(a.seed)
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")


def batches(dataset, workers=1):
    """An endless seeded dataset, read by a worker process beside the training, or by the training itself."""
    if workers == 0:
        return iter(dataset)
    return iter(torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers, prefetch_factor=4, worker_init_fn=lambda _: cv2.setNumThreads(1)))


class Crew:
    """The processes that train together; one alone is a crew too."""

    def __init__(self):
        self.size = dist.get_world_size() if dist.is_initialized() else 1
        self.rank = dist.get_rank() if self.size > 1 else 0

    def share(self, net):
        """All start from the first one's weights."""
        if self.size > 1:
            for v in net.state_dict().values():
                dist.broadcast(v, 0)

    def average(self, net, clock):
        """Mean gradients, and the mean of their clocks, so that all follow one schedule."""
        if self.size == 1:
            return clock
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in grads] + [torch.tensor([clock])])
        dist.all_reduce(flat)
        flat /= self.size
        at = 0
        for g in grads:
            g.copy_(flat[at:at + g.numel()].view_as(g))
            at += g.numel()
        return float(flat[-1])


class Training:
    """A network, its optimiser, its averaged weights, and how far it is.

    `run` takes `stream(seed)` -> batches, `loss(net, batch)` -> (loss, parts by name) and `validate(net, quick)` -> figures.
    """

    def __init__(self, net, a, decay=0.01, clip=10.0, every=180):
        # channels last: a quarter less time a picture on CPUs with bfloat16
        self.net, self.a, self.clip, self.every, self.done = net.to(memory_format=torch.channels_last), a, clip, every, 0.0
        self.opt = torch.optim.AdamW(net.parameters(), lr=a.lr, weight_decay=decay)
        self.file = scratch(f"{a.out}.pt")
        if a.init:
            told = net.load_state_dict(torch.load(a.init, weights_only=False)["ema"], strict=False)
            if told.unexpected_keys:
                raise SystemExit(f"{a.init} is of another network: it has {', '.join(told.unexpected_keys[:5])} …")
            if told.missing_keys:
                print(f"{a.init} has no {', '.join(told.missing_keys[:5])} …: {len(told.missing_keys)} tensors begin anew", flush=True)
        self.ema = {k: v.clone() for k, v in net.state_dict().items()}
        self.crew = Crew()
        if a.resume and self.file.exists():
            s = torch.load(self.file, weights_only=False)
            net.load_state_dict(s["net"])
            self.opt.load_state_dict(s["opt"])
            self.ema, self.done = s["ema"], s["seconds"]
        self.crew.share(net)

    def save(self, live, seconds):
        torch.save({"net": live, "ema": self.ema, "opt": self.opt.state_dict(), "seconds": seconds}, str(self.file) + ".tmp")
        self.file.with_suffix(".pt.tmp").replace(self.file)

    def average(self, step):
        decay = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for k, v in self.net.state_dict().items():
                if v.dtype.is_floating_point:
                    self.ema[k].lerp_(v, 1 - decay)
                else:
                    self.ema[k].copy_(v)

    def rate(self, step, seconds, total):
        warm = 40 if self.a.init or self.a.resume else 250
        return float(self.a.lr * min(1.0, (step + 1) / warm) * (0.5 * (1 + np.cos(np.pi * seconds / total)) + 0.01))

    def run(self, stream, loss, validate):
        net, a, opt, crew = self.net, self.a, self.opt, self.crew
        say = print if crew.rank == 0 else lambda *_, **__: None
        say("parameters", sum(p.numel() for p in net.parameters()), "processes", crew.size, flush=True)
        source = stream(a.seed + int(self.done) * crew.size + crew.rank)
        total, began, last, step, mean, t = a.minutes * 60, time.time(), time.time(), 0, {}, self.done
        net.train()
        while t < total:
            for g in opt.param_groups:
                g["lr"] = self.rate(step, t, total)
            value, parts = loss(net, next(source))
            opt.zero_grad(set_to_none=True)
            value.backward()
            t = crew.average(net, self.done + time.time() - began)
            torch.nn.utils.clip_grad_norm_(net.parameters(), self.clip)
            opt.step()
            self.average(step)
            step += 1
            for k, v in parts.items():
                mean[k] = v if k not in mean else mean[k] * 0.98 + v * 0.02
            if step % 50 == 0:
                pictures = step * a.batch * crew.size
                say(f"{t:7.0f}s of {total:.0f} step {step} pictures {pictures}", {k: round(v, 3) for k, v in mean.items()},
                    f"{1000 * (time.time() - began) / pictures:.1f} ms/picture", flush=True)
            if crew.rank == 0 and time.time() - last > self.every:
                last = time.time()
                live = {k: v.clone() for k, v in net.state_dict().items()}
                self.save(live, t)
                net.load_state_dict(self.ema)
                say(f"{t:7.0f}s validation", json.dumps(validate(net, True)), flush=True)
                net.train()
                net.load_state_dict(live)
        if crew.rank == 0:
            net.load_state_dict(self.ema)
            self.save(net.state_dict(), total)
            say("final", json.dumps(validate(net, False)), flush=True)
