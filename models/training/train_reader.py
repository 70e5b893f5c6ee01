"""Train the plate reader.

  python train_reader.py --minutes 40 [--exclude crops-b] [--resume] [--out reader]

Resumable: a checkpoint is written at every validation.
"""
import cv2
import numpy as np
import torch
import torch.nn.functional as F

import degrade
import loop
from charset import decode, encode
from paths import scratch
from reader_data import CH, CW, IGNORE, MX, MY, PH, PW
from reader_net import ReaderNet, STEPS


class Pool:
    """One source of canvases: pictures, texts ('' = do not train text), colour, rows, plate flag."""

    def __init__(self, pics, texts, colours, rows, plate, tight, real=False):
        self.pics, self.texts, self.colours, self.rows, self.plate, self.tight, self.real = pics, texts, colours, rows, plate, tight, real

    def __len__(self):
        return len(self.pics)


def real_pool(source, validation):
    z = np.load(scratch(f"reader-{source}.npz"))
    m = z["val"] == validation
    n = int(m.sum())
    return Pool(z["pics"][m], list(z["texts"][m]), np.zeros(n, int), np.ones(n, int), 1, source != "scenes", True)


def negative_pool(validation):
    z = np.load(scratch("reader-negatives.npz"))
    m = z["val"] == validation
    n = int(m.sum())
    return Pool(z["pics"][m], [None] * n, np.full(n, IGNORE), np.full(n, IGNORE), 0, False)


def views_pool():
    z = np.load(scratch("reader-views.npz"))
    n = len(z["pics"])
    return Pool(z["pics"], list(z["texts"]), np.zeros(n, int), np.ones(n, int), 1, z["tight"])


def stills_pool(validation):
    z = np.load(scratch("reader-stills.npz"))
    m = z["val"] == validation
    return Pool(z["pics"][m], list(z["texts"][m]), z["colours"][m], z["rows"][m], 1, False)


def synth_pool(numbers):
    pics = [np.load(scratch(f"reader-synth-{k}.npy"), mmap_mode="r") for k in numbers]
    meta = [np.load(scratch(f"reader-synth-{k}.npz")) for k in numbers]
    p = Pool(None, [t for m in meta for t in m["texts"]], np.concatenate([m["colours"] for m in meta]), np.concatenate([m["rows"] for m in meta]), 1, False)

    class Joined:
        def __len__(self):
            return sum(map(len, pics))

        def __getitem__(self, i):
            for a in pics:
                if i < len(a):
                    return a[i]
                i -= len(a)
    p.pics = Joined()
    return p


def augment(rng, canvas, tight, synthetic):
    """A 48 x 168 view of a canvas with framing jitter (width +-11 %, height +-22 %), optics and colour."""
    sx = np.exp(rng.uniform(-0.11, 0.12))
    sy = np.exp(rng.uniform(-0.22, 0.20))
    if tight:  # already jittered by whoever cropped it
        sx, sy = sx ** 0.8, sy ** 0.7
    dx, dy = rng.uniform(-0.05, 0.05) * PW, rng.uniform(-0.09, 0.09) * PH
    # what is left of tilt after straightening is small, but crops come as somebody cut them
    shear, rot = rng.normal(0, 0.07), rng.normal(0, 0.022 if rng.random() < 0.7 else 0.055)
    m = np.array([[1 / sx, shear, 0], [rot, 1 / sy, 0]], np.float32)
    c = np.array([CW / 2, CH / 2])
    o = np.array([PW / 2 + dx, PH / 2 + dy])
    m[:, 2] = o - m[:, :2] @ c
    img = cv2.warpAffine(canvas, m, (PW, PH), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if not synthetic and rng.random() < 0.12:
        img = degrade.glow(rng, img)
    if rng.random() < 0.75:
        img = degrade.optics(rng, img, float(rng.uniform(52, 190)), 1.0 if synthetic else 0.7)
    if rng.random() < 0.7:
        if not synthetic and rng.random() < 0.3:  # blue from cyan to violet
            img = np.clip(img * np.exp(rng.normal(0, 0.15, 3)), 0, 255)
        f = img.astype(np.float32) * np.exp(rng.normal(0, 0.18)) * np.exp(rng.normal(0, 0.04, 3)) + rng.normal(0, 10)
        img = np.clip(f, 0, 255).astype(np.uint8)
    return img


# A blue plate of 440 mm: the second character ends at 117.5, the third begins at 151.5
CUT = 134.5 / 440


class Recombined:
    """Real blue plates put together from two: province and office of one, serial of another.

    Real crops are mostly of one province; this shows each province's sign as cameras see it before many serials.
    """

    def __init__(self, pools):
        self.parts = []
        for p in pools:
            own = [i for i in range(len(p)) if len(p.texts[i]) == 7]
            counts = {t: sum(p.texts[i][0] == t for i in own) for t in {p.texts[i][0] for i in own}}
            weight = np.array([counts[p.texts[i][0]] ** -0.7 for i in own])
            self.parts.append((p, own, weight / weight.sum()))

    def item(self, rng):
        """(canvas, text, whether tightly cropped)"""
        pool, own, weight = self.parts[rng.integers(len(self.parts))]
        left, right = own[rng.choice(len(own), p=weight)], own[rng.integers(len(own))]
        a, b = pool.pics[left].astype(np.float32), pool.pics[right].astype(np.float32)
        x = MX + CUT * PW
        inner = slice(MX, MX + PW)
        mean = lambda v: v[MY:-MY, inner].mean((0, 1))
        a = (a - mean(a)) * (b[MY:-MY, inner].std() / max(8.0, a[MY:-MY, inner].std())) ** 0.7 + mean(b)
        soft = np.clip((x + 2 - np.arange(CW)) / 4, 0, 1).astype(np.float32)[None, :, None]
        return np.clip(a * soft + b * (1 - soft), 0, 255).astype(np.uint8), pool.texts[left][:2] + pool.texts[right][2:], pool.tight


def centre(canvas):
    return canvas[MY:MY + PH, MX:MX + PW]


def to_tensor(pics):
    x = torch.from_numpy(np.ascontiguousarray(np.stack(pics))).permute(0, 3, 1, 2)
    return x.float().div_(255)


def batch(rng, pools, shares, size, recombined):
    pics, texts, colours, rows, plate = [], [], [], [], []
    for k in rng.choice(len(pools), size=size, p=shares):
        p = pools[k]
        if p.real and rng.random() < 0.4:
            canvas, text, tight = recombined.item(rng)
            pics.append(augment(rng, canvas, tight, False))
            texts.append(text)
            colours.append(0)
            rows.append(0)
            plate.append(1)
            continue
        i = int(rng.integers(len(p)))
        tight = p.tight if isinstance(p.tight, bool) else bool(p.tight[i])
        pics.append(augment(rng, p.pics[i], tight, k == 0))
        texts.append(p.texts[i])
        colours.append(p.colours[i])
        rows.append(p.rows[i] - 1 if p.rows[i] > 0 else IGNORE)
        plate.append(p.plate)
    return to_tensor(pics), texts, torch.tensor(np.array(colours)), torch.tensor(np.array(rows)), torch.tensor(plate, dtype=torch.float32)


class Stream(torch.utils.data.IterableDataset):
    """Endless seeded batches, made in one worker process beside the training."""

    def __init__(self, pools, shares, size, seed):
        self.pools, self.shares, self.size, self.seed = pools, shares, size, seed
        self.recombined = Recombined([p for p in pools if p.real])

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        while True:
            yield batch(rng, self.pools, self.shares, self.size, self.recombined)


def loss_of(outputs, texts, colours, rows, plate):
    logits, col, row, pl = [o.float() for o in outputs]
    keep = [i for i, t in enumerate(texts) if t]
    targets = torch.tensor([c for i in keep for c in encode(texts[i])])
    lengths = torch.tensor([len(texts[i]) for i in keep])
    ctc = F.ctc_loss(logits[keep].log_softmax(-1).transpose(0, 1), targets, torch.full((len(keep),), STEPS), lengths, zero_infinity=True) if keep else logits.sum() * 0
    # negatives read as nothing
    none = [i for i, t in enumerate(texts) if t is None]
    silent = -logits[none].log_softmax(-1)[..., 0].mean() if none else 0.0
    return (ctc + 0.1 * silent + 0.25 * F.cross_entropy(col, colours, ignore_index=IGNORE)
            + 0.1 * F.cross_entropy(row, rows, ignore_index=IGNORE) + 0.2 * F.binary_cross_entropy_with_logits(pl[:, 0], plate))


@torch.no_grad()
def score(net, pool, limit=None, seed=None):
    """Share of whole texts right, of colours, of rows, mean plate flag; centre view, or jittered when `seed` is given."""
    net.eval()
    n = len(pool) if limit is None else min(limit, len(pool))
    rng = np.random.default_rng(seed)
    text = colour = row = flag = counted = 0
    wrong = []
    for s in range(0, n, 128):
        idx = range(s, min(n, s + 128))
        pics = [augment(rng, pool.pics[i], pool.tight, True) if seed is not None else centre(pool.pics[i]) for i in idx]
        t, c, r, p = net(to_tensor(pics))
        for j, i in enumerate(idx):
            if pool.texts[i]:
                counted += 1
                got = decode(t[j].argmax(-1).tolist())
                text += got == pool.texts[i]
                if got != pool.texts[i]:
                    wrong.append((pool.texts[i], got))
            colour += int(c[j].argmax()) == pool.colours[i]
            row += int(r[j].argmax()) == pool.rows[i] - 1
            flag += float(p[j].sigmoid() > 0.5)
    net.train()
    return {"n": n, "text": round(text / max(1, counted), 4), "colour": round(colour / n, 4), "rows": round(row / n, 4), "plate": round(flag / n, 4)}, wrong


def main():
    ap = loop.options("reader", 40, 3e-3, 64)
    ap.add_argument("--exclude", default="")
    ap.add_argument("--synth", default="0,1,2,3,4", help="synthetic batches to train on; batch 99 is validation")
    a = ap.parse_args()
    loop.begin(a)
    numbers = [int(k) for k in a.synth.split(",") if scratch(f"reader-synth-{k}.npz").exists()]
    made = {"synth": (synth_pool(numbers), 0.38), "scenes": (real_pool("scenes", False), 0.07), "views": (views_pool(), 0.16),
            "crops": (real_pool("crops", False), 0.12), "crops-b": (real_pool("crops-b", False), 0.12), "negatives": (negative_pool(False), 0.05)}
    vals = {s: real_pool(s, True) for s in ("scenes", "crops", "crops-b")}
    if scratch("reader-stills.npz").exists():
        made["stills"] = (stills_pool(False), 0.10)
        vals["stills"] = stills_pool(True)
    made.pop(a.exclude, None)
    pools = [p for p, _ in made.values()]
    shares = np.array([s for _, s in made.values()])
    shares /= shares.sum()

    def step(net, batch):
        x, texts, colours, rows, plate = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = net(x)
        value = loss_of(out, texts, colours, rows, plate)
        return value, {"loss": float(value.detach())}
    print({k: (len(p), round(float(s), 3)) for (k, (p, _)), s in zip(made.items(), shares)}, flush=True)
    loop.Training(ReaderNet(), a, clip=5.0, every=150).run(
        lambda seed: loop.batches(Stream(pools, shares, a.batch, seed), a.workers), step,
        lambda net, quick: {k: score(net, v, 160)[0]["text"] if quick else score(net, v)[0] for k, v in vals.items()})


if __name__ == "__main__":
    main()
