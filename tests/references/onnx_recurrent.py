"""ONNX's recurrent operators as their pages define them, one number type, loops and all."""

import numpy as np


def _functions(names, alphas, betas):
    alphas, betas = iter(alphas), iter(betas)

    def made(name):
        def told(numbers, default):
            return next(numbers, default)

        if name == "Affine":
            a, b = told(alphas, 1), told(betas, 0)
            return lambda x: a * x + b
        if name == "Elu":
            a = told(alphas, 1)
            return lambda x: np.where(x < 0, a * (np.exp(x) - 1), x)
        if name == "HardSigmoid":
            a, b = told(alphas, 0.2), told(betas, 0.5)
            return lambda x: np.clip(a * x + b, 0, 1)
        if name == "LeakyRelu":
            a = told(alphas, 0.01)
            return lambda x: np.where(x < 0, a * x, x)
        if name == "ScaledTanh":
            a, b = told(alphas, 1), told(betas, 1)
            return lambda x: a * np.tanh(b * x)
        if name == "ThresholdedRelu":
            a = told(alphas, 1)
            return lambda x: np.where(x > a, x, 0)
        return {
            "Relu": lambda x: np.maximum(x, 0),
            "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
            "Softplus": lambda x: np.log(1 + np.exp(x)),
            "Softsign": lambda x: x / (1 + np.abs(x)),
            "Tanh": np.tanh,
        }[name]

    return [made(name) for name in names]


def node(
    operator, arrays, direction="forward", layout=0, clip=None, activations=None,
    activation_alpha=(), activation_beta=(), linear_before_reset=0, input_forget=0,
):  # fmt: skip
    """Y, Y_h and, of an LSTM, Y_c; `arrays` are the inputs by ONNX's names."""
    x, w, r = arrays["X"], arrays["W"], arrays["R"]
    x = x.swapaxes(0, 1) if layout else x
    (steps, batch, _), units = x.shape, r.shape[2]
    ways = ["forward", "reverse"] if direction == "bidirectional" else [direction]
    lengths = arrays.get("sequence_lens", [steps] * batch)
    default = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
    names = activations or default[operator] * len(ways)
    functions = _functions(names, activation_alpha, activation_beta)
    each = len(names) // len(ways)
    y = np.zeros((steps, len(ways), batch, units))
    h_last, c_last = np.zeros((2, len(ways), batch, units))

    def cut(a):
        return a if clip is None else np.clip(a, -clip, clip)

    for way, name in enumerate(ways):
        b = arrays.get("B", np.zeros((len(ways), 2 * w.shape[1])))[way]
        wb, rb = np.split(b, 2)
        p = arrays.get("P", np.zeros((len(ways), 3 * units)))[way]
        own = functions[way * each : way * each + each]
        for sample in range(batch):
            h, c = np.zeros((2, units))
            for key in ("initial_h", "initial_c"):
                if key in arrays:
                    state = arrays[key].swapaxes(0, 1) if layout else arrays[key]
                    h, c = (
                        (state[way, sample], c) if key == "initial_h" else (h, state[way, sample])
                    )
            order = range(lengths[sample])
            for t in reversed(order) if name == "reverse" else order:
                a = w[way] @ x[t, sample] + wb
                if operator == "RNN":
                    h = own[0](cut(a + r[way] @ h + rb))
                elif operator == "GRU":
                    (az, ar, ah), (rz, rr, rh) = np.split(a, 3), np.split(r[way], 3)
                    bz, br, bh = np.split(rb, 3)
                    z = own[0](cut(az + rz @ h + bz))
                    gate = own[0](cut(ar + rr @ h + br))
                    inner = gate * (rh @ h + bh) if linear_before_reset else rh @ (gate * h) + bh
                    h = (1 - z) * own[1](cut(ah + inner)) + z * h
                else:
                    i, o, f, g = np.split(a + r[way] @ h + rb, 4)
                    pi, po, pf = np.split(p, 3)
                    i = own[0](cut(i + pi * c))
                    f = 1 - i if input_forget else own[0](cut(f + pf * c))
                    c = f * c + i * own[1](cut(g))
                    h = own[0](cut(o + po * c)) * own[2](c)
                y[t, way, sample] = h
            h_last[way, sample], c_last[way, sample] = h, c
    found = [y, h_last, c_last][: 3 if operator == "LSTM" else 2]
    if layout:
        found = [found[0].transpose(2, 0, 1, 3), *(state.swapaxes(0, 1) for state in found[1:])]
    return found
