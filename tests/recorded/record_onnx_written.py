"""Record what onnxruntime gives for the layers of onnx_written.py: ``python record_onnx_written.py``.

Needs numbarnn, onnx and onnxruntime (recorded with 1.23 and 1.32). Beside the outputs stands the fingerprint
of the graph that onnxruntime ran, by which tests know that numbarnn still writes the same one.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx_written
import onnxruntime


def main():
    stored = {}
    for name in onnx_written.models():
        layer, given = onnx_written.made(name, np.random.default_rng(onnx_written.SEED))
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/model"
            layer.to_onnx(path, **onnx_written.options(name))
            stored[f"{name}/graph"] = np.array(onnx_written.fingerprint(onnx.load(path)))
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [put.name for put in session.get_inputs()]
        for number, array in enumerate(session.run(None, dict(zip(names, given, strict=True)))):
            stored[f"{name}/{number}"] = array
    np.savez_compressed(Path(__file__).with_name("onnx_written.npz"), **stored)


if __name__ == "__main__":
    main()
