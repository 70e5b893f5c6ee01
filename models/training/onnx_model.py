"""An ONNX file with the face of its session, for pictures with colours of 0 to 1, whatever its manifest entry wants of them."""
import json

import numpy as np
import onnxruntime as ort

from paths import MODELS


def entry_of(task):
    """What the manifest says of a task's network."""
    return next(m for m in json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))["models"] if m["task"] == task)


def as_wanted(entry, pictures):
    """Colours of 0 to 1 (N x 3 x H x W) as the network's input wants them."""
    channel = lambda values: np.array(values, np.float32).reshape(1, 3, 1, 1)
    given = entry["input"]
    return ((pictures * np.float32(given["scale"] * 255) - channel(given["mean"])) / channel(given["std"])).astype(np.float32)


class OnnxModel:
    """On one CPU thread, as in service. `run` takes {"images": N x 3 x H x W, 0 to 1} and gives the outputs it is asked for."""

    def __init__(self, path, entry):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.entry = entry

    def run(self, names, inputs):
        return self.session.run(names, {"images": as_wanted(self.entry, inputs["images"])})


def shipped(file):
    """A file of models/, as the manifest describes it."""
    task = next(m["task"] for m in json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))["models"] if m["file"] == file)
    return OnnxModel(MODELS / file, entry_of(task))
