"""Record what onnxruntime gives for the models of onnx_models.py: ``python record_onnx.py``.

Needs onnx and onnxruntime (recorded with 1.23 and 1.32).
"""

from pathlib import Path

import numpy as np
import onnx_models
import onnxruntime


def outputs(model, inputs):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [put.name for put in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def main():
    stored = {}
    for name, case in onnx_models.CASES.items():
        for output, array in outputs(*onnx_models.node_model(name, case)).items():
            stored[f"{name}/{output}"] = array
    for name in onnx_models.OPERATORS:
        for output, array in outputs(*onnx_models.operator_model(name)).items():
            stored[f"operator {name}/{output}"] = array
    for name, make in onnx_models.GRAPHS.items():
        for output, array in outputs(*make(onnx_models.rng_of(name))).items():
            stored[f"{name}/{output}"] = array
    np.savez_compressed(Path(__file__).with_name("onnx_models.npz"), **stored)


if __name__ == "__main__":
    main()
