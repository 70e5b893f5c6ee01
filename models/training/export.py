"""Write a trained network to models/*.onnx and its entry to models/manifest.json.

  python export.py vehicles|plates|plate-reader|attributes|berths [--weights FILE] [--accuracy FILE.json]

The graph ends in ready values (probabilities, pixels): see the families' table in vision/models/manifest.ts.
"""
import argparse
import hashlib
import json
import warnings

import numpy as np
import onnx
import onnxruntime as ort
import torch

import attribute_net
import berth_net
import charset
import plate_net
import reader_net
import vehicle_net
from blocks import MEAN, STD, Normalise
from detection_eval import NEAR_FROM, SCORE, TWO_WHEELER, WITH_PLATE
from paths import MODELS, scratch
from plates_synth import TWO_ROW

MANIFEST = MODELS / "manifest.json"
PLATE_SOURCES = ["CCPD (MIT)", "LPRNet_Pytorch test crops (Apache-2.0)", "yolo_-lprnet_-pytorch test crops (Apache-2.0)"]
GLYPH_SOURCES = ["synthetic plates drawn with glyphs of chinese_license_plate_generator (MIT) and chinese_license_plates (MIT)"]
RENDERED = ["rendered stills of test/scenes"]
VEHICLE_CROPS = "Zenodo 6634554 vehicle crops (CC BY 4.0)"
REAL_VEHICLES = ["Roboflow atl-version-2 v12 (CC BY 4.0)", "Roboflow vehicle_detection_yolov8 v3 (CC BY 4.0)",
                 "Singapore LTA traffic images (open data licence), labels by qzq92/CapstoneProj-G.A",
                 "Roboflow set in Anuptechh/BCA-8th-sem-project (CC BY 4.0)", "TfL street cameras (TfL open data)", "PKLot subset (CC BY 4.0)"]


def rgb_input(width, height, resize):
    return {"name": "images", "width": width, "height": height, "channels": "rgb", "layout": "nchw", "scale": 1 / 255,
            "mean": [MEAN] * 3, "std": [STD] * 3, "resize": resize, "padding": 114}


ENTRIES = {
    "vehicles": lambda: {
        "id": "vehicles-v1", "task": "vehicles", "family": "anchor-free-quad", "file": "vehicles-v1.onnx", "sha256": "",
        "input": rgb_input(vehicle_net.WIDTH, vehicle_net.HEIGHT, "letterbox"),
        "outputs": {"boxes": "boxes", "scores": "scores", "quads": "quads"},
        "classes": vehicle_net.CLASSES, "licence": "Apache-2.0",
        "trainedOn": [*REAL_VEHICLES, PLATE_SOURCES[0], *RENDERED],
        "accuracy": {}, "sizeStep": vehicle_net.STEP, "nearFrom": NEAR_FROM, "thresholds": {"score": SCORE, "nms": 0.45, "withPlate": WITH_PLATE, "twoWheeler": TWO_WHEELER},
        "note": "A further output `front` [N,A] (0.5 to 1) says how sure the network is which end of the quad is the front."},
    "plates": lambda: {
        "id": "plates-v1", "task": "plates", "family": "corner-heatmap", "file": "plates-v1.onnx", "sha256": "",
        "input": rgb_input(plate_net.WIDTH, plate_net.HEIGHT, "letterbox"),
        "outputs": {"scores": "scores", "corners": "corners"}, "licence": "Apache-2.0",
        "trainedOn": [PLATE_SOURCES[0], *RENDERED, *GLYPH_SOURCES], "accuracy": {}, "cropMargin": 0.05, "sizeStep": 32, "thresholds": {"score": 0.5}},
    "plate-reader": lambda: {
        "id": "plate-reader-v1", "task": "plate-reader", "family": "ctc-reader", "file": "plate-reader-v1.onnx", "sha256": "",
        "input": rgb_input(168, 48, "stretch"),
        "outputs": {"probs": "probs", "colour": "colour", "rows": "rows", "plate": "plate"},
        "charset": "plate-charset.txt", "colours": charset.COLOURS, "twoRow": TWO_ROW, "licence": "Apache-2.0",
        "trainedOn": [*PLATE_SOURCES, *GLYPH_SOURCES], "accuracy": {}, "thresholds": {"character": 0.3, "plate": 0.5},
        "note": "Two-row plates: rectify the whole plate; when rows[1] > 0.5 cut both bands as twoRow says and read the joined strip again; colour and rows count from the first reading."},
    "attributes": lambda: {
        "id": "attributes-v1", "task": "attributes", "family": "classifier", "file": "attributes-v1.onnx", "sha256": "",
        "input": rgb_input(attribute_net.WIDTH, attribute_net.HEIGHT, "letterbox"),
        "outputs": {"heads": [{"name": k, "output": attribute_net.OUTPUTS[k], "labels": v} for k, v in attribute_net.HEADS.items()]},
        "licence": "Apache-2.0", "trainedOn": [*REAL_VEHICLES[:4], VEHICLE_CROPS, *RENDERED], "accuracy": {}, "cropMargin": 0.05},
    "berths": lambda: {
        "id": "berths-v1", "task": "berths", "family": "classifier", "file": "berths-v1.onnx", "sha256": "",
        "input": rgb_input(berth_net.WIDTH, berth_net.HEIGHT, "letterbox") | {"padding": berth_net.GREY},
        "outputs": {"state": "state"}, "labels": berth_net.STATES, "crop": {"side": berth_net.SIDE, "rise": berth_net.RISE}, "dim": berth_net.DIM,
        "licence": "Apache-2.0", "trainedOn": [REAL_VEHICLES[4], VEHICLE_CROPS, *RENDERED], "accuracy": {}, "thresholds": {"state": 0.8}},
}
NETS = {
    "vehicles": (vehicle_net.VehicleNet, vehicle_net.Deployed, (3, vehicle_net.HEIGHT, vehicle_net.WIDTH), ["boxes", "scores", "quads", "front"], "vehicles.pt"),
    "plates": (plate_net.PlateNet, plate_net.Deployed, (3, plate_net.HEIGHT, plate_net.WIDTH), ["scores", "corners"], "plates.pt"),
    "plate-reader": (reader_net.ReaderNet, reader_net.Deployed, (3, 48, 168), ["probs", "colour", "rows", "plate"], "reader.pt"),
    "attributes": (attribute_net.AttributeNet, attribute_net.Deployed, (3, attribute_net.HEIGHT, attribute_net.WIDTH), list(attribute_net.OUTPUTS.values()), "attributes.pt"),
    "berths": (berth_net.BerthNet, berth_net.Deployed, (3, berth_net.HEIGHT, berth_net.WIDTH), ["state"], "berths.pt"),
}


# The plate finder's second look is at a part of the picture, and vehicles are looked for in pictures of any shape, so their graphs take any size.
SCALABLE = {task: {2: "height", 3: "width"} for task in ("plates", "vehicles")}


def load(task, weights=None):
    """The trained net (averaged weights) of a task, in evaluation mode."""
    make, _, _, _, default = NETS[task]
    net = make()
    path = weights or scratch(default)
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=False)["ema"])
    return net.eval()


def shorten(path, bits=11):
    """Round the weights to `bits` of mantissa (half precision's): no loss that can be measured, and the file packs much better."""
    model = onnx.load(str(path))
    drop = 23 - bits
    for t in model.graph.initializer:
        if t.data_type == onnx.TensorProto.FLOAT and len(t.raw_data) > 64:
            v = np.frombuffer(t.raw_data, np.uint32).astype(np.uint64)
            t.raw_data = (((v + (1 << (drop - 1))) >> drop) << drop).astype(np.uint32).tobytes()
    onnx.save(model, str(path))


def comparable(task, values):
    """An output of two files of one network, so that both can be compared: the plate finder's cells come by their scores, and rounding changes places."""
    if task == "vehicles" and values.shape[-1] == 8:  # rounding may turn a quad whose ends are as likely as each other: its middle, length and breadth
        q = values.reshape(*values.shape[:-1], 4, 2)
        values = np.concatenate([q.mean(-2), np.abs(q[..., :2, :].sum(-2) - q[..., 2:, :].sum(-2)), np.abs(q[..., 0, :] + q[..., 3, :] - q[..., 1, :] - q[..., 2, :])], -1)
    return np.sort(values, 1) if task == "plates" else values


def same_cells(want, got):
    """For each picture's cells of `got` (boxes N x A x 4) the nearest one of `want`; rounding changes their order, and which is the last one that answers."""
    return [np.abs(g[:, None] - w[None]).max(2).argmin(1) for w, g in zip(want, got)]


def export(task, net):
    _, wrap, shape, outputs, _ = NETS[task]
    entry = ENTRIES[task]()
    target = MODELS / entry["file"]
    whole = wrap(net).eval()
    for part in whole.modules():
        if isinstance(part, Normalise):
            part.outside = True
    example = (torch.rand(2, *shape) - MEAN) / STD
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(whole, example, str(target), opset_version=17, dynamo=False, input_names=["images"], output_names=outputs,
                          dynamic_axes={n: {0: "n"} for n in outputs} | {"images": {0: "n"} | SCALABLE.get(task, {})})
    shorten(target)
    onnx.checker.check_model(onnx.load(str(target)))
    session = ort.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        want = [w.numpy() for w in whole(example)]
    got = session.run(outputs, {"images": example.numpy()})
    if task == "vehicles":
        cells = same_cells(want[0], got[0])
        want = [np.stack([picture[c] for picture, c in zip(w, cells)]) for w in want]
    for name, w, g in zip(outputs, want, got):
        pixels = name in ("boxes", "quads", "corners")  # rounded weights move them by fractions of a pixel
        w, g = comparable(task, w), comparable(task, g)
        if (~np.isclose(w, g, atol=0.5 if pixels else 2e-2, rtol=1e-2)).mean() > 0.005:
            raise SystemExit(f"{target.name}: output {name} differs between PyTorch and ONNX by {np.abs(w - g).max()}")
    return entry, target


def write_entry(entry):
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8")) if MANIFEST.exists() else {"version": 1, "models": []}
    order = list(ENTRIES)
    models = [m for m in manifest["models"] if m["task"] != entry["task"]] + [entry]
    manifest["models"] = sorted(models, key=lambda m: order.index(m["task"]) if m["task"] in order else len(order))
    MANIFEST.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("task", choices=list(NETS))
    ap.add_argument("--weights")
    ap.add_argument("--untrained", action="store_true", help="export random weights, to integrate against the shapes")
    a = ap.parse_args()
    torch.manual_seed(0)
    if a.untrained:
        net = NETS[a.task][0]().eval()
        for p in net.parameters():  # two levels only: the file packs to almost nothing
            p.data = p.data.sign() * p.data.abs().mean()
    else:
        net = load(a.task, a.weights)
    entry, target = export(a.task, net)
    entry["sha256"] = hashlib.sha256(target.read_bytes()).hexdigest()
    write_entry(entry)
    charset.write(MODELS / "plate-charset.txt")
    print(f"{target.name} {target.stat().st_size} bytes {entry['sha256']}")


if __name__ == "__main__":
    main()
