"""Record what other libraries give for cells that numbarnn has too: ``python record_cells_torch.py``.

Needs torch, onnx, onnxruntime, jax, flax, ncps, snntorch, xlstm and sru. Stored are outputs and
final states, in float64 where the library has it.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path

os.environ["PYTORCH_JIT"] = "0"  # sru has functions that need its compiled part to be scripted

import jax
import numpy as np
import torch
from cell_cases import TORCH, UNITS, Data

jax.config.update("jax_enable_x64", True)
LIBRARIES = ["torch", "onnx", "onnxruntime", "jax", "flax", "ncps", "snntorch", "xlstm", "sru"]


def tensor(array):
    return torch.tensor(np.asarray(array, "float64"))


def blocks(array, order):
    """The blocks of the last axis, one a gate, in another order."""
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[k] for k in order], axis=-1)


def over_time(data, states, step):
    """Outputs and final states of a step that is called once per time."""
    outputs = []
    with torch.no_grad():
        for t in range(data.inputs.shape[1]):
            x, elapsed = tensor(data.inputs[:, t]), tensor(data.elapsed[:, t])
            output, states = step(x, elapsed, states)
            outputs.append(np.asarray(output))
    return [np.stack(outputs, 1), *(np.asarray(state) for state in states)]


def onnx_lstm(case, data):
    import onnxruntime
    from onnx import TensorProto, helper

    kernel, recurrent, bias, *peepholes = data.weights
    order = [0, 3, 1, 2]  # i, f, c, o -> i, o, f, c
    given = {
        "X": data.inputs.transpose(1, 0, 2),
        "W": blocks(kernel, order).T[None],
        "R": blocks(recurrent, order).T[None],
        "B": np.concatenate([blocks(bias, order), 0 * bias])[None],
        "initial_h": data.states[0][None],
        "initial_c": data.states[1][None],
    }
    names = ["X", "W", "R", "B", "", "initial_h", "initial_c", ""]
    if peepholes:
        i, f, o = peepholes
        given["P"], names[7] = np.concatenate([i, o, f])[None], "P"
    options = {"clip": case.settings["clip"]} if "clip" in case.settings else {}
    node = helper.make_node(
        "LSTM", names, ["Y", "Y_h", "Y_c"], hidden_size=UNITS,
        input_forget=int(case.settings.get("input_forget", False)), **options,
    )  # fmt: skip

    def told(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        [node], "lstm", [told(name, list(value.shape)) for name, value in given.items()],
        [told(name, [None] * axes) for name, axes in (("Y", 4), ("Y_h", 3), ("Y_c", 3))],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 22)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    y, h, c = session.run(None, {n: np.ascontiguousarray(v) for n, v in given.items()})
    return [y[:, 0].transpose(1, 0, 2), h[0], c[0]]


def torch_projection(case, data):
    kernel, recurrent, bias, projection = data.weights
    module = torch.nn.LSTM(
        kernel.shape[0], UNITS, proj_size=projection.shape[1], batch_first=True
    ).double()
    with torch.no_grad():
        for name, value in (
            ("weight_ih_l0", kernel.T), ("weight_hh_l0", recurrent.T), ("bias_ih_l0", bias),
            ("bias_hh_l0", 0 * bias), ("weight_hr_l0", projection.T),
        ):  # fmt: skip
            getattr(module, name).copy_(tensor(value))
        states = tuple(tensor(state)[None] for state in data.states)
        output, (h, c) = module(tensor(data.inputs), states)
    return [output.numpy(), h[0].numpy(), c[0].numpy()]


def flax_mgu(case, data):
    from flax import linen

    (fk, nk), (fr, nr) = (np.split(w.astype("float64"), 2, axis=1) for w in data.weights[:2])
    (fb, nb), (fs, ns) = (np.split(row.astype("float64"), 2) for row in data.weights[2])
    # flax has no recurrent bias at the gate, and none at all without the reset gate.
    gate, reset = fb + fs, case.settings.get("reset_gate", True)
    params = {
        "if": {"kernel": fk, "bias": gate}, "hf": {"kernel": fr},
        "in": {"kernel": nk, "bias": nb if reset else nb + ns},
        "hn": {"kernel": nr, "bias": ns} if reset else {"kernel": nr},
    }  # fmt: skip
    cell = linen.MGUCell(UNITS, reset_gate=reset, dtype="float64", param_dtype="float64")

    def step(x, elapsed, states):
        h, y = cell.apply({"params": params}, states[0], x.numpy())
        return y, [h]

    return over_time(data, [data.states[0].astype("float64")], step)


def ncps_cfc(case, data):
    from ncps.torch import CfCCell

    layers, mode = case.settings.get("backbone_layers", 1), case.settings.get("mode", "default")
    cell = CfCCell(
        data.inputs.shape[-1], UNITS, mode=mode, backbone_layers=layers, backbone_dropout=0.0,
        backbone_units=case.settings.get("backbone_units", 1),
    ).double()  # fmt: skip
    kernel, recurrent, *rest = data.weights
    names = ["ff1"] if mode == "pure" else ["ff1", "ff2", "time_a", "time_b"]
    with torch.no_grad():
        if mode == "pure":
            cell.A.copy_(tensor(rest.pop()))
            cell.w_tau.copy_(tensor(rest.pop()))
        pairs = [(np.concatenate([kernel, recurrent]), rest[0])]
        pairs += list(zip(rest[1::2], rest[2::2], strict=True))
        linear = [module for module in (cell.backbone or ()) if isinstance(module, torch.nn.Linear)]
        weights, bias = pairs.pop()
        parts = np.split(weights, len(names), axis=1), np.split(bias, len(names))
        linear += [getattr(cell, name) for name in names]
        for module, (w, b) in zip(linear, [*pairs, *zip(*parts, strict=True)], strict=True):
            module.weight.copy_(tensor(w.T))
            module.bias.copy_(tensor(b))

    def step(x, elapsed, states):
        h, _ = cell(x, states[0], elapsed)
        return h, [h]

    return over_time(data, [tensor(data.states[0])], step)


def ncps_ltc(case, data):
    from ncps.torch import LTCCell
    from ncps.wirings import FullyConnected

    wiring = FullyConnected(UNITS, case.settings["outputs"])
    cell = LTCCell(wiring, data.inputs.shape[-1]).double()
    synapse = "w", "erev", "mu", "sigma"
    names = [f"sensory_{name}" for name in synapse] + [*synapse, "gleak", "vleak", "cm"]
    names += ["input_w", "input_b", "output_w", "output_b"]
    with torch.no_grad():
        for name, value in zip(names, data.weights, strict=True):
            getattr(cell, name).copy_(tensor(value))

    def step(x, elapsed, states):
        output, v = cell(x, states[0], elapsed)
        return output, [v]

    return over_time(data, [tensor(data.states[0])], step)


def snntorch_leaky(case, data):
    import snntorch

    kernel, bias = map(tensor, data.weights)
    neuron = snntorch.Leaky(
        beta=torch.tensor(case.settings["leak"], dtype=torch.float64),
        threshold=torch.tensor(1.0, dtype=torch.float64),
        reset_mechanism=case.settings.get("reset", "subtract"), reset_delay=False,
    )  # fmt: skip

    def step(x, elapsed, states):
        spikes, v = neuron(x @ kernel + bias, states[1])
        return spikes, [spikes, v]

    return over_time(data, [None, tensor(data.states[1])], step)


def xlstm_slstm(case, data):
    from xlstm.blocks.slstm.src.vanilla import slstm_forward, slstm_pointwise_function_registry

    kernel, recurrent, bias = map(tensor, data.weights)
    recurrent = recurrent.reshape(case.settings.get("num_heads", 1), *recurrent.shape[-2:])
    x = tensor(data.inputs.transpose(1, 0, 2)) @ kernel
    states, last, _ = slstm_forward(
        x, torch.stack([tensor(state) for state in data.states]), recurrent.transpose(1, 2), bias,
        slstm_pointwise_function_registry["slstm"],
    )  # fmt: skip
    return [states[0, 1:].transpose(0, 1).numpy(), *last.numpy()]


def sru_naive(case, data):
    import sys
    import types

    # Its C++ is not needed for the function in plain torch, and would be compiled on import.
    sys.modules["sru.cuda_functional"] = types.SimpleNamespace(elementwise_recurrence_forward=None)
    from sru.ops import elementwise_recurrence_naive

    kernel, bias, v = data.weights
    x = tensor(data.inputs.transpose(1, 0, 2))
    blocks = kernel.shape[1] // UNITS
    u = x @ tensor(kernel)
    u = u.reshape(*u.shape[:2], blocks, UNITS).transpose(-1, -2).reshape(u.shape)
    h, c = elementwise_recurrence_naive(
        u, x, tensor(v.ravel()), tensor(bias), tensor(data.states[0]),
        int(case.settings.get("activation") == "tanh"), UNITS, False, True,
        torch.tensor(case.settings.get("highway_scale", 1.0), dtype=torch.float64),
    )  # fmt: skip
    return [h.detach().numpy().transpose(1, 0, 2), c.detach().numpy()]


RECORDERS = {
    "onnx": onnx_lstm, "torch": torch_projection, "flax": flax_mgu, "ncps": ncps_cfc, "ncps LTC": ncps_ltc,
    "snntorch": snntorch_leaky, "xlstm": xlstm_slstm, "sru": sru_naive,
}  # fmt: skip


def main():
    stored = {}
    for name, case in TORCH.items():
        record = RECORDERS.get(name, RECORDERS.get(name.split()[0]))
        for index, array in enumerate(record(case, Data(name))):
            stored[f"{name}.{index}"] = array
    versions = {library: version(library) for library in LIBRARIES}
    stored["about"] = np.array(json.dumps(versions))
    np.savez_compressed(Path(__file__).with_name("cells_torch.npz"), **stored)


if __name__ == "__main__":
    main()
