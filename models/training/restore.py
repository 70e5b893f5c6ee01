"""Turn a shipped ONNX back into a checkpoint that training can go on from (`--init`), where the checkpoint itself is lost.

  python restore.py vehicles|plates|plate-reader|attributes|berths [--out FILE] [--onnx FILE]

Export folds every BatchNorm into the convolution before it. Here the folded weights become the convolution's, and its BatchNorm
gets the mean and variance that training pictures really give there, with the scale and shift that undo them: the network computes
what the ONNX computes, and goes on training as if it had never been folded. The largest difference to the ONNX is printed.
"""
import argparse

import cv2
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from export import ENTRIES, NETS, comparable, same_cells
from onnx_model import OnnxModel, entry_of
from paths import DATA, MODELS, scratch
from splits import is_validation

PICTURES = 320


def plates_as_read(count, height, width):
    """Real and synthetic plates as the reader's training shows them."""
    import train_reader
    real = [train_reader.real_pool(s, False) for s in ("scenes", "crops", "crops-b")]
    pools = [*real, train_reader.negative_pool(False)]
    shares = [0.35, 0.25, 0.25, 0.15]
    if scratch("reader-synth-0.npz").exists():
        pools, shares = [train_reader.synth_pool([0]), *pools], [0.5, *[s / 2 for s in shares]]
    return train_reader.batch(np.random.default_rng(1), pools, shares, count, train_reader.Recombined(real))[0]


def streets(count, height, width):
    """Road views of the training side, as wide crops of one part of the picture, letterboxed to the network's size."""
    rng = np.random.default_rng(1)
    files = [(f, p) for f in ("elevated", "roads", "expressway", "street-level") for p in sorted((DATA / "vehicles" / f / "images").glob("*"))
             if not is_validation(f"vehicles/{f}", p.name)]
    if not files:
        raise SystemExit(f"no pictures under {DATA / 'vehicles'}: set BERTHWATCH_DATA to the folder of the training data")
    out = np.full((count, height, width, 3), 114, np.uint8)
    for slot in out:
        _, path = files[rng.integers(len(files))]
        img = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        share = rng.uniform(0.5, 1) if max(height, width) > 300 else rng.uniform(0.1, 0.4)  # small networks see single vehicles
        h, w = int(img.shape[0] * share), int(img.shape[1] * share)
        y, x = rng.integers(img.shape[0] - h + 1), rng.integers(img.shape[1] - w + 1)
        k = min(height / h, width / w)
        small = cv2.resize(img[y:y + h, x:x + w], (min(width, round(w * k)), min(height, round(h * k))), interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_LINEAR)
        oy, ox = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
        slot[oy:oy + small.shape[0], ox:ox + small.shape[1]] = small
    return torch.from_numpy(out.transpose(0, 3, 1, 2).copy()).float().div_(255)


def order(net, example):
    """[(layer, its BatchNorm or None)] in the order in which the network runs them."""
    ran, made, hooks = [], {}, []

    def after(layer, inputs, output):
        ran.append([layer, None])
        made[id(output)] = (len(ran) - 1, output)  # the output is held on to, so that no other gets its id

    def norm(layer, inputs):
        if id(inputs[0]) not in made:
            raise SystemExit("a BatchNorm does not follow a convolution directly: this network cannot be restored")
        ran[made[id(inputs[0])][0]][1] = layer
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            hooks.append(m.register_forward_hook(after))
        elif isinstance(m, nn.BatchNorm2d):
            hooks.append(m.register_forward_pre_hook(norm))
    with torch.no_grad():
        net(example)
    for h in hooks:
        h.remove()
    return ran


def path_of(node):
    """The layer that a node was exported from: '/net/s8/s8.1/a/a.0/Conv' is s8.1.a.0. (The order of nodes changes when a file is made 8 bit, their names do not.)"""
    path, last = [], None
    for scope in node.name.split("/")[1:-1]:
        if last is not None and scope.startswith(last + "."):
            path[-1] = scope
        elif (scope, last) != ("net", None):
            path.append(scope)
        last = scope
    return ".".join(path)


def folded(file):
    """{layer: (weight, bias or None)} of every convolution and linear layer of a graph."""
    graph = onnx.load(str(file)).graph
    constant = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:  # a file that quantise.py made holds whole numbers and their scales
        if node.op_type == "DequantizeLinear" and node.input[0] in constant:
            values, scale, zero = (constant[i].astype(np.float32) for i in node.input)
            shape = (-1, *[1] * (values.ndim - 1)) if scale.size > 1 else ()
            constant[node.output[0]] = (values - zero.reshape(shape)) * scale.reshape(shape)
    out = {}
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            w = constant[node.input[1]]
            transposed = node.op_type == "Conv" or any(a.name == "transB" and a.i for a in node.attribute)
            out[path_of(node)] = (w if transposed else w.T, constant[node.input[2]] if len(node.input) > 2 else None)
        elif node.op_type == "MatMul" and any(i in constant for i in node.input):
            raise SystemExit(f"{node.name} is a MatMul with weights: only Conv and Gemm can be restored")
    return out


def fill(net, layers, weights):
    """The ONNX file's weights into the network; each BatchNorm adds the folded shift and does nothing else yet."""
    if len(layers) != len(weights):
        raise SystemExit(f"the network has {len(layers)} layers with weights, the ONNX file {len(weights)}: it is of another network")
    names = {layer: name for name, layer in net.named_modules()}
    for layer, norm in layers:
        if names[layer] not in weights:
            raise SystemExit(f"the ONNX file has no weights of {names[layer]}: it is of another network")
        w, b = weights[names[layer]]
        if tuple(layer.weight.shape) != w.shape:
            raise SystemExit(f"{names[layer]} of {tuple(layer.weight.shape)} has weights of {w.shape} in the ONNX file: it is of another network")
        layer.weight.data = torch.from_numpy(w.copy())
        shift = torch.zeros(w.shape[0]) if b is None else torch.from_numpy(b.copy())
        if norm is None:
            if layer.bias is not None:
                layer.bias.data = shift
            continue
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0)
        norm.weight.data.fill_((1.0 + norm.eps) ** 0.5)
        norm.bias.data = shift


@torch.no_grad()
def measure(net, layers, pictures):
    """What each convolution really gives becomes its BatchNorm's mean and variance; scale and shift undo them."""
    sums = {norm: [0, 0.0, 0.0] for _, norm in layers if norm is not None}

    def note(norm, inputs):
        x = inputs[0].double()
        s = sums[norm]
        s[0] += x.numel() // x.shape[1]
        s[1] = s[1] + x.sum((0, 2, 3))
        s[2] = s[2] + (x * x).sum((0, 2, 3))
    hooks = [norm.register_forward_pre_hook(note) for norm in sums]
    for part in pictures.split(16):
        net(part)
    for h in hooks:
        h.remove()
    for norm, (n, first, second) in sums.items():
        mean = first / n
        var = (second / n - mean * mean).clamp_min(0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)
        norm.weight.data = (norm.running_var + norm.eps).sqrt()
        norm.bias.data = norm.bias.data + norm.running_mean


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("task", choices=list(NETS))
    ap.add_argument("--onnx", help="the file to restore (default: the shipped one)")
    ap.add_argument("--out", help="the checkpoint (default: <task>-restored.pt under the scratch folder)")
    ap.add_argument("--pictures", type=int, default=PICTURES)
    a = ap.parse_args()
    cv2.setNumThreads(1)
    make, wrap, shape, outputs, _ = NETS[a.task]
    file = a.onnx or MODELS / ENTRIES[a.task]()["file"]
    net = make().eval()
    pictures = (plates_as_read if a.task == "plate-reader" else streets)(a.pictures, *shape[1:])
    layers = order(net, pictures[:1])
    fill(net, layers, folded(file))
    measure(net, layers, pictures)
    session = OnnxModel(file, entry_of(a.task))
    probe = pictures[:16]
    with torch.no_grad():
        got = [g.numpy() for g in wrap(net).eval()(probe)]
    want = session.run(outputs, {"images": probe.numpy()})
    if a.task == "vehicles":
        cells = same_cells(got[0], want[0])
        got = [np.stack([picture[c] for picture, c in zip(g, cells)]) for g in got]
    for name, g, w in zip(outputs, got, want):
        d = np.abs(comparable(a.task, g) - comparable(a.task, w))
        # a quad whose ends are as likely as each other may turn round by rounding: hence the share beside the largest
        print(f"{name}: largest difference to the ONNX {d.max():.2g}, mean {d.mean():.2g}, values off by more than 0.01: {int((d > 0.01).sum())} of {d.size}")
    state = net.state_dict()
    path = a.out or scratch(f"{a.task}-restored.pt")
    torch.save({"net": state, "ema": state}, path)
    print(f"{len(layers)} layers, {sum(n is not None for _, n in layers)} with BatchNorm -> {path}")


if __name__ == "__main__":
    main()
