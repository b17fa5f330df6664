"""Record what onnxruntime gives for Keras's files, written as ONNX: ``python record_onnx_from_keras.py``.

Needs numbarnn, h5py, pytest, onnx and onnxruntime (recorded with 1.32). Beside the outputs stands the
fingerprint of the graph that onnxruntime ran, by which tests know that numbarnn still writes the same one.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from formats.test_keras import ARCHIVES, CELLS, INPUTS, WITH_CONFIG  # noqa: E402
from formats.test_keras_to_onnx import axes_of  # noqa: E402
from onnx_written import fingerprint  # noqa: E402

import numbarnn as nr  # noqa: E402


def main():
    stored = {}
    for era, name in WITH_CONFIG:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            path.write_bytes(ARCHIVES[era].read(name))
            model = nr.load(path, cells=CELLS)
            try:
                model.to_onnx(f"{folder}/onnx", **axes_of(name, model))
            except nr.ArgumentError as error:
                print(name, error)
                continue
            stored[f"{name}/graph"] = np.array(fingerprint(onnx.load(f"{folder}/onnx")))
            session = onnxruntime.InferenceSession(
                f"{folder}/onnx", providers=["CPUExecutionProvider"]
            )
        given = INPUTS[name.partition(".")[0][:-1]]
        kinds = {
            "tensor(float)": "f4",
            "tensor(double)": "f8",
            "tensor(int64)": "i8",
            "tensor(int32)": "i4",
        }
        told = {
            put.name: np.asarray(array, kinds[put.type])
            for put, array in zip(session.get_inputs(), given, strict=True)
        }
        for number, array in enumerate(session.run(None, told)):
            stored[f"{name}/{number}"] = array
    np.savez_compressed(HERE / "onnx_from_keras.npz", **stored)


if __name__ == "__main__":
    main()
