"""Make an exported network compute in 8-bit whole numbers where that costs no accuracy: half the time on processors with VNNI.

  python quantise.py vehicles|plates|plate-reader|attributes|berths [--pictures 256] [--calibrate mse|percentile|minmax] [--to FILE]

Comes after export.py and before evaluate.py, which must measure the new file. Activations are 8 bit without sign; weights are whole
numbers of 7 bits with a scale for each output channel: with 8 the sums of processors without VNNI overflow silently. What stays in
floats is what makes the difference: the first convolution (three channels gain no time and see the whole contrast of the picture), the
last ones (their outputs are pixels and logits) and all arithmetic behind them. With those in 8 bit too the detector lost 10 to 14
points of AP50; as it is done here it loses none. Ranges of activations come from training pictures: those that lose least (mean
square, clipping against rounding).
"""
import argparse
import hashlib
import pathlib
import tempfile

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from export import NETS, comparable, same_cells, write_entry
from onnx_model import as_wanted, entry_of
from paths import MODELS, scratch
from restore import plates_as_read, streets

# Kinds of nodes that have an 8-bit kernel and lie between convolutions.
BETWEEN = ["Conv", "Relu", "Add", "Concat", "MaxPool", "Resize"]
VALUES = 4096  # of each tensor and picture, drawn for its range


def vehicle_crops(count, height, width):
    """The plate finder's own training pictures."""
    import torch
    import plate_data
    rng = np.random.default_rng(1)
    sources = [plate_data.Ccpd(False)]
    if scratch("plates-stills.json").exists():
        from stills_data import VehicleCrops
        sources.append(VehicleCrops(False))
    pics = np.stack([plate_data.tone(rng, sources[i % len(sources)].sample(rng)[0]) for i in range(count)])
    return torch.from_numpy(pics.transpose(0, 3, 1, 2).copy()).float().div_(255)


PICTURES = {"plates": vehicle_crops, "plate-reader": plates_as_read}


def left_in_floats(graph):
    """Names of the nodes that stay as they are: the first convolution and what comes before it, the last ones and what comes behind."""
    convs = [n for n in graph.node if n.op_type == "Conv"]
    users = {}
    for n in graph.node:
        for i in n.input:
            users.setdefault(i, []).append(n)

    def behind(node):
        seen, todo = {}, list(node.output)
        while todo:
            for n in users.get(todo.pop(), []):
                if n.name not in seen:
                    seen[n.name] = n
                    todo += n.output
        return seen
    last = [c for c in convs if not any(n.op_type == "Conv" for n in behind(c).values())]
    keep = {convs[0].name} | {c.name for c in last}
    for c in last:
        keep |= set(behind(c))
    return keep, convs


def drawn(model, tensors, pictures):
    """Values of each tensor over all pictures, a few thousand a picture."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    known = {o.name for o in probe.graph.output}
    probe.graph.output.extend(onnx.helper.make_empty_tensor_value_info(t) for t in tensors if t not in known)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    values, low, high = {t: [] for t in tensors}, {}, {}
    for i in range(len(pictures)):
        for t, v in zip(tensors, session.run(tensors, {model.graph.input[0].name: pictures[i:i + 1]})):
            v = v.ravel()
            low[t], high[t] = min(low.get(t, 0.0), float(v.min())), max(high.get(t, 0.0), float(v.max()))
            values[t].append(v if len(v) <= VALUES else v[rng.integers(0, len(v), VALUES)])
    return {t: np.concatenate(v) for t, v in values.items()}, low, high


def ranges(method, values, low, high):
    """(lowest, highest) of each tensor that its 256 steps shall span; 0 is always among them."""
    out = {}
    for t, v in values.items():
        lo, hi = low[t], high[t]
        if method == "percentile":
            lo, hi = min(0.0, float(np.quantile(v, 0.0001))), max(0.0, float(np.quantile(v, 0.9999)))
        elif method == "mse":
            best = None
            for share in np.linspace(0.15, 1.0, 35):
                a, b = lo * share, hi * share
                step = max(b - a, 1e-6) / 255
                zero = np.round(-a / step)
                error = float(((np.clip(np.round(v / step) + zero, 0, 255) - zero) * step - v).__pow__(2).mean())
                if best is None or error < best[0]:
                    best = (error, a, b)
            _, lo, hi = best
        out[t] = (np.float32(min(lo, 0.0)), np.float32(max(hi, 1e-6)))
    return out


def quantise(source, target, pictures, method="mse", reduce_range=True):
    model = onnx.load(str(source))
    if any(n.op_type in ("QuantizeLinear", "QLinearConv") for n in model.graph.node):
        raise SystemExit(f"{source} is in 8 bit already: export it again first")
    with tempfile.TemporaryDirectory() as folder:
        plain, ready = pathlib.Path(folder) / "plain.onnx", pathlib.Path(folder) / "ready.onnx"
        onnx.save(model, str(plain))
        quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
        model = onnx.load(str(ready))
    keep, convs = left_in_floats(model.graph)
    chosen = [n for n in model.graph.node if n.op_type in BETWEEN and n.name not in keep]
    constant = {t.name for t in model.graph.initializer}
    tensors = sorted({t for n in chosen for t in [*n.input, *n.output] if t and t not in constant})
    found = ranges(method, *drawn(model, tensors, pictures))
    quantizer = QDQQuantizer(model, True, reduce_range, QuantType.QInt8, QuantType.QUInt8, TensorsData(CalibrationMethod.MinMax, found),
                             [n.name for n in chosen], list(keep), BETWEEN, {"MinimumRealRange": 1e-4})
    quantizer.quantize_model()
    quantizer.model.save_model_to_file(str(target))
    return len(convs), sum(n.op_type == "Conv" for n in chosen)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("task", choices=list(NETS))
    ap.add_argument("--onnx", help="the file to start from (default: the exported one)")
    ap.add_argument("--to", help="write here and leave models/ and its manifest alone")
    ap.add_argument("--pictures", type=int, default=256)
    ap.add_argument("--calibrate", choices=["mse", "percentile", "minmax"], default="mse")
    ap.add_argument("--eight-bits", action="store_true", help="weights of 8 bits: only where every processor that will run it has VNNI")
    a = ap.parse_args()
    cv2.setNumThreads(1)
    entry = entry_of(a.task)
    source = pathlib.Path(a.onnx) if a.onnx else MODELS / entry["file"]
    target = pathlib.Path(a.to) if a.to else MODELS / entry["file"]
    pictures = as_wanted(entry, PICTURES.get(a.task, streets)(a.pictures, *NETS[a.task][2][1:]).numpy())
    before = ort.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    probe = pictures[:8]
    want = before.run(None, {"images": probe})
    layers, quantised = quantise(source, target, pictures, a.calibrate, not a.eight_bits)
    after = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    got = after.run(None, {"images": probe})
    if a.task == "vehicles":
        cells = same_cells(want[0], got[0])
        want = [np.stack([picture[c] for picture, c in zip(w, cells)]) for w in want]
    for name, w, g in zip([o.name for o in before.get_outputs()], want, got):
        w, g = comparable(a.task, w), comparable(a.task, g)
        print(f"{name}: mean difference {np.abs(w - g).mean():.3g}, largest {np.abs(w - g).max():.3g}")
    print(f"{quantised} of {layers} convolutions in 8 bit, {target.stat().st_size} bytes: {target}")
    if not a.to:
        entry |= {"sha256": hashlib.sha256(target.read_bytes()).hexdigest(), "accuracy": {}}
        write_entry(entry)
        print(f"its accuracy is not known now: python evaluate.py {a.task}")


if __name__ == "__main__":
    main()
