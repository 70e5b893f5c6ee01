"""Train the attribute classifier.

  python train_attributes.py --minutes 15 [--resume] [--init FILE]
"""
import cv2
import numpy as np
import torch
import torch.nn.functional as F

import degrade
import loop
from attribute_data import place
from attribute_net import HEADS, AttributeNet
from paths import scratch

SHARES = {"stills": 0.25, "real": 0.34, "near": 0.08, "types": 0.33}
HEAVY = 5  # so much oftener than others are the few heavy rigid lorries shown, which only their axles tell from light ones
WEIGHTS = {"vehicle-type": 1.0, "body-colour": 1.0, "view": 0.6}


def colour_safe(rng, img):
    """Light, blur, noise and compression that leave the body's colour what it is."""
    f = img
    if rng.random() < 0.8:
        gain = np.exp(rng.normal(0, 0.16)) * np.exp(rng.normal(0, 0.03, 3))
        table = np.clip(np.arange(256)[:, None] * gain + rng.normal(0, 6), 0, 255) / 255
        f = cv2.LUT(f, (255 * table ** np.exp(rng.normal(0, 0.15))).astype(np.uint8)[:, None, :])
    if rng.random() < 0.4:  # small in the picture
        k = rng.uniform(0.3, 0.9)
        f = cv2.resize(cv2.resize(f, None, fx=k, fy=k, interpolation=cv2.INTER_AREA), (img.shape[1], img.shape[0]), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        f = np.clip(f + degrade.grain(rng, f.shape[:2])[..., None] * rng.uniform(2, 10), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        f = cv2.imdecode(cv2.imencode(".jpg", f, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])[1], cv2.IMREAD_COLOR)
    return f


def turned(rng, pic, box):
    """Tilted, slanted and squeezed a little, as other cameras see: the crops of `types` are of one camera."""
    if rng.random() < 0.4:
        return pic
    centre = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    angle, squeeze = np.deg2rad(rng.normal(0, 8)), np.exp(rng.normal(0, 0.06))
    a = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array([[squeeze, rng.normal(0, 0.05)], [0, 1 / squeeze]])
    return cv2.warpAffine(pic, np.column_stack([a, centre - a @ centre]), (pic.shape[1], pic.shape[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


class Stream(torch.utils.data.IterableDataset):
    def __init__(self, batch, seed):
        self.batch, self.seed = batch, seed

    def __iter__(self):
        z = np.load(scratch("attributes.npz"))
        pics, boxes, labels, source, heavy = z["pics"], z["boxes"], z["labels"], z["source"], z["heavy"]
        rng = np.random.default_rng(self.seed)
        pools, shares = [], []
        for name, share in SHARES.items():
            mine = np.where((source == name) & ~z["val"])[0]
            if len(mine) == 0:
                continue
            # rare colours as often as the square root of their number, not as their number
            colour = labels[mine, 1]
            counts = np.bincount(colour + 1, minlength=len(HEADS["body-colour"]) + 1)
            p = np.where(heavy[mine], HEAVY, 1) / np.sqrt(np.maximum(1, counts[colour + 1]))
            pools.append((mine, p / p.sum()))
            shares.append(share)
        shares = np.array(shares) / np.sum(shares)
        while True:
            x, y = [], []
            for k in rng.choice(len(pools), size=self.batch, p=shares):
                i = rng.choice(pools[k][0], p=pools[k][1])
                img = colour_safe(rng, place(rng, turned(rng, pics[i], boxes[i]), boxes[i]))
                x.append(img[:, ::-1] if rng.random() < 0.5 else img)
                y.append(labels[i])
            yield torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2), torch.from_numpy(np.array(y))


def step(net, batch):
    x, y = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = net(x.float().div_(255))
    total, parts = 0.0, {}
    for i, name in enumerate(HEADS):
        if (y[:, i] >= 0).any():
            value = F.cross_entropy(outputs[i].float(), y[:, i], ignore_index=-1, label_smoothing=0.05)
            total = total + value * WEIGHTS[name]
            parts[name] = float(value.detach())
    return total, parts


def rates(predict):
    """Share right on the validation side, by source and head. `predict`: pictures N x H x W x 3 -> list of N x labels."""
    z = dict(np.load(scratch("attributes.npz")))  # every access to the file itself would read it anew
    out = {}
    for name in SHARES:
        mine = np.where((z["source"] == name) & z["val"])[0]
        if len(mine) == 0:
            continue
        got = [[] for _ in HEADS]
        for at in range(0, len(mine), 64):
            for head, p in zip(got, predict(np.stack([place(None, z["pics"][i], z["boxes"][i]) for i in mine[at:at + 64]]))):
                head += p.argmax(1).tolist()
        for i, head in enumerate(HEADS):
            known = z["labels"][mine, i] >= 0
            if known.any():
                out[f"{name} {head}"] = {"n": int(known.sum()), "right": round(float((np.array(got[i])[known] == z["labels"][mine, i][known]).mean()), 4)}
    return out


def validate(net, quick):
    net.eval()
    with torch.no_grad():
        r = rates(lambda p: [o.float().numpy() for o in net(torch.from_numpy(p).permute(0, 3, 1, 2).float().div(255))])
    return {k: v["right"] for k, v in r.items()} if quick else r


def main():
    a = loop.options("attributes", 15, 3e-3, 64).parse_args()
    loop.begin(a)
    loop.Training(AttributeNet(), a, decay=0.02, every=90).run(lambda seed: loop.batches(Stream(a.batch, seed)), step, validate)


if __name__ == "__main__":
    main()
