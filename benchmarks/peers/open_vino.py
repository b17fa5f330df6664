"""OpenVINO on the models of `onnx_runtime`, told to compute in float32: by itself it may take bfloat16."""

import io

import numpy as np
import openvino

from . import onnx_runtime

NAME = "OpenVINO"
_threads = 1


def version():
    """The version measured."""
    return openvino.__version__.split("-")[0]


def set_threads(count):
    """Use so many threads in the models that follow."""
    global _threads
    _threads = count


def _request(core, model):
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": _threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return core.compile_model(model, "CPU", settings).create_infer_request()


def whole(model, path, x):
    """The model of a file: ``call()``."""
    core = openvino.Core()
    read = core.read_model(path)
    x = x.astype(read.inputs[0].element_type.to_dtype())
    request = _request(core, read)
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))

    def call(kept=x):
        request.infer()
        return request.get_output_tensor(0).data

    return call


def sequences(case):
    """See the package."""
    if case.cell not in ("LSTM", "GRU") or case.x.dtype != np.float32:
        return None
    core = openvino.Core()
    text = onnx_runtime.model_of(case).SerializeToString()
    x = np.ascontiguousarray(case.x.swapaxes(0, 1))
    model = core.read_model(io.BytesIO(text))
    model.reshape({"x": x.shape})
    request = _request(core, model)
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))

    def call(kept=x):  # the tensor only borrows its memory
        request.infer()
        return request.get_output_tensor(0).data

    return call, lambda given: given[:, 0].swapaxes(0, 1)
