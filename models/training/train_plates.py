"""Train the plate finder.

  python train_plates.py --minutes 30 [--resume] [--init FILE]

Sources: CCPD scenes (own plates, other plates put in their place, plates painted out, distractors) and, when their
cache exists, vehicle crops of the rendered stills.
"""
import cv2
import numpy as np
import torch
import torch.nn.functional as F

import loop
import plate_data
from paths import scratch
from plate_net import HEIGHT, SCALE, WIDTH, PlateNet, grid

STILLS_SHARE = 0.45


POINTS = grid().numpy()


def targets(corners, others=()):
    """Score target (1 plate, 0 background, -1 unknown) and corner target for each cell of one picture."""
    pts = POINTS
    score = np.zeros(len(pts), np.float32)
    offsets = np.zeros((len(pts), 8), np.float32)
    for q in others:
        lo, hi = q.min(0) - 2, q.max(0) + 2
        score[((pts > lo) & (pts < hi)).all(1)] = -1
    if corners is None:
        return score, offsets
    q = np.asarray(corners, np.float64)
    c = q.mean(0)
    u, v = (q[1] + q[2] - q[0] - q[3]) / 2, (q[3] + q[2] - q[0] - q[1]) / 2  # width and height vectors
    try:
        local = (pts - c) @ np.linalg.inv(np.stack([u, v]))
    except np.linalg.LinAlgError:
        return score - 1, offsets
    far = np.abs(local)
    score[(far[:, 0] < 0.55) & (far[:, 1] < 0.8)] = -1
    score[(far[:, 0] < 0.33) & (far[:, 1] < 0.42)] = 1
    if (c > 0).all() and (c < [WIDTH, HEIGHT]).all():
        score[np.argmin(((pts - c) ** 2).sum(1))] = 1
    offsets[:] = (np.tile(q.ravel(), (len(pts), 1)) - np.tile(pts, (1, 4))) / SCALE
    # a plate cut by the picture's edge cannot be read: neither right nor wrong
    if (q < -4).any() or (q[:, 0] > WIDTH + 4).any() or (q[:, 1] > HEIGHT + 4).any():
        score[score == 1] = -1
    return score, offsets


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, size, seed, with_stills):
        self.size, self.seed, self.with_stills = size, seed, with_stills

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        ccpd = plate_data.Ccpd(False)
        stills = None
        if self.with_stills:
            from stills_data import VehicleCrops
            stills = VehicleCrops(False)
        while True:
            pics, scores, offs, size = [], [], [], []
            for _ in range(self.size):
                img, q, others = (stills if stills and rng.random() < STILLS_SHARE else ccpd).sample(rng)
                img = plate_data.tone(rng, img)
                s, o = targets(q, others)
                pics.append(img)
                scores.append(s)
                offs.append(o)
                size.append(1.0 if q is None else float(np.sqrt(max(16.0, cv2.contourArea(np.asarray(q, np.float32))))) / SCALE)
            yield tuple(torch.from_numpy(np.stack(x)) for x in (pics, scores, offs)) + (torch.tensor(size, dtype=torch.float32),)


def loss_of(raw, score, offset, size):
    raw = raw.float()
    logit = raw[..., 0]
    pos, known = score == 1, score >= 0
    p = logit.sigmoid()
    bce = F.binary_cross_entropy_with_logits(logit, pos.float(), reduction="none")
    focal = torch.where(pos, (1 - p) ** 1.5, p ** 2 * 1.5).detach() * bce * known
    n = pos.sum().clamp(min=1)
    err = F.smooth_l1_loss(raw[..., 1:] / size[:, None, None], offset / size[:, None, None], beta=0.02, reduction="none").sum(-1)
    return focal.sum() / n, (err * pos).sum() / n


def quad_iou(a, b):
    a, b = np.asarray(a, np.float32).reshape(4, 2), np.asarray(b, np.float32).reshape(4, 2)
    if cv2.contourArea(a) < 1 or not cv2.isContourConvex(a):
        return 0.0
    inter, _ = cv2.intersectConvexConvex(a, b)
    return float(inter / max(1e-6, cv2.contourArea(a) + cv2.contourArea(b) - inter))


@torch.no_grad()
def check(net, source, n=300, seed=5, threshold=0.4):
    """Found (IoU 0.5) among pictures with a whole plate, mean IoU, false plates among pictures without."""
    was = net.training
    net.eval()
    rng = np.random.default_rng(seed)
    pts = grid().repeat(1, 4).numpy()
    found = with_plate = false = without = 0
    ious = []
    for _ in range(n):
        img, q, others = source.sample(rng)
        img = plate_data.tone(rng, img)
        s, _ = targets(q, others)
        raw = net(torch.from_numpy(img).permute(2, 0, 1)[None].float() / 255)[0].numpy()
        i = int(raw[:, 0].argmax())
        score = 1 / (1 + np.exp(-raw[i, 0]))
        if q is None:
            without += 1
            false += score > threshold
        elif (s == 1).any():
            with_plate += 1
            o = quad_iou(pts[i] + raw[i, 1:] * SCALE, q) if score > threshold else 0.0
            found += o > 0.5
            ious.append(o)
    net.train(was)
    return {"plates": with_plate, "found": round(found / max(1, with_plate), 4), "iou": round(float(np.mean(ious)), 3), "without": without, "false": int(false)}


def main():
    a = loop.options("plates", 30, 3e-3, 24).parse_args()
    loop.begin(a)
    with_stills = scratch("plates-stills.json").exists()
    training = loop.Training(PlateNet(), a, every=240)
    sources = {"ccpd": plate_data.Ccpd(True)}
    if with_stills:
        from stills_data import VehicleCrops
        sources["stills"] = VehicleCrops(True)

    def step(net, batch):
        x, score, offset, size = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            raw = net(x.permute(0, 3, 1, 2).float().div_(255))
        s, c = loss_of(raw, score, offset, size)
        return s + 0.5 * c, {"score": float(s.detach()), "corners": float(c.detach())}
    print("stills", with_stills, flush=True)
    training.run(lambda seed: loop.batches(Stream(a.batch, seed, with_stills)), step,
                 lambda net, quick: {k: check(net, v, 120 if quick else 600) for k, v in sources.items()})


if __name__ == "__main__":
    main()
