"""PyTorch: nn.LSTM and nn.GRU (oneDNN), its cells one step at a time, an eager loop for custom cells."""

import numpy as np
import torch
from token_files import batches, padded

import numbarnn as nr

NAME = "torch"
_float = torch.from_numpy


def version():
    """The version measured."""
    return torch.__version__


def set_threads(count):
    """Use so many threads."""
    torch.set_num_threads(count)


def _gates(case, kernel):
    """Keras's gate order as torch has it: the GRU's first two change places."""
    if case.cell == "GRU":
        z, r, h = np.split(kernel, 3, axis=-1)
        kernel = np.concatenate([r, z, h], axis=-1)
    return torch.from_numpy(np.ascontiguousarray(kernel.T))


def fill(module, case, suffix="_l0"):
    """Set the weights of a module of torch's."""
    both = case.bias if case.bias.ndim > 1 else np.stack([case.bias, 0 * case.bias])
    with torch.no_grad():
        for name, values in (
            ("weight_ih", case.kernel), ("weight_hh", case.recurrent),
            ("bias_ih", both[0]), ("bias_hh", both[1]),
        ):  # fmt: skip
            getattr(module, name + suffix).copy_(_gates(case, values))
    return module


def module_of(case, layers=1, bidirectional=False):
    """A module with the weights of a case in its first layer."""
    kind = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}[case.cell]
    module = kind(case.x.shape[-1], case.units, num_layers=layers, bidirectional=bidirectional)
    return fill(module.to(torch.from_numpy(case.x).dtype), case).eval()


def _part(layer):
    """The module of torch's that is a layer of a model."""
    shapes = {name: array.shape for name, array in nr.to_torch_state_dict(layer).items()}
    kind = type(layer).__name__
    if kind == "Dense":
        outputs, inputs = shapes["weight"]
        return torch.nn.Linear(inputs, outputs)
    if kind == "Embedding":
        return torch.nn.Embedding(*shapes["weight"])
    inputs = shapes["weight_ih_l0"][1]
    return getattr(torch.nn, kind)(inputs, shapes["weight_hh_l0"][1], batch_first=True)


def whole(model, path, x):
    """A model of modules one after the other: ``call()``."""
    parts = []
    for layer in model.layers:
        part = _part(layer)
        part.load_state_dict({n: _float(a) for n, a in nr.to_torch_state_dict(layer).items()})
        parts.append((part.eval(), layer))
    x = torch.from_numpy(x)
    acts = {"relu": torch.relu, "sigmoid": torch.sigmoid}

    def call():
        with torch.inference_mode():
            y = x
            for part, layer in parts:
                y = part(y)
                if isinstance(y, tuple):
                    y = y[0] if layer.return_sequences else y[0][:, -1]
                elif isinstance(part, torch.nn.Linear):
                    y = acts.get(layer.get_config()["activation"], lambda value: value)(y)
            return y

    return call


def sequences(case):
    """See the package."""
    x = torch.from_numpy(np.ascontiguousarray(case.x.swapaxes(0, 1)))
    if case.cell in ("LSTM", "GRU"):
        module = module_of(case)

        def call():
            with torch.inference_mode():
                return module(x)[0]

        return call, lambda given: given.numpy().swapaxes(0, 1)
    return _loop(case, x), lambda given: given.numpy().swapaxes(0, 1)


def _loop(case, x):
    kernel, recurrent, bias, extra = map(
        torch.from_numpy, (case.kernel, case.recurrent, case.bias, case.extra)
    )

    def step(p, h, c):
        if case.cell == "minimal":
            return p + h @ recurrent, c
        if case.cell == "IndRNN":
            return torch.relu(p + extra[0] * h), c
        if case.cell == "leaky ESN":
            return 0.7 * h + 0.3 * torch.tanh(p + h @ recurrent), c
        i, f, g, o = (p + h @ recurrent).chunk(4, dim=-1)
        i, f = torch.sigmoid(i + extra[0] * c), torch.sigmoid(f + extra[1] * c)
        c = f * c + i * torch.tanh(g)
        return torch.sigmoid(o + extra[2] * c) * torch.tanh(c), c

    def call():
        with torch.inference_mode():
            projected = x @ kernel + bias
            h = c = torch.zeros(x.shape[1], case.units)
            found = []
            for p in projected:
                h, c = step(p, h, c)
                found.append(h)
            return torch.stack(found)

    return call


def bucketed(case, rows, size=32):
    """Ragged rows, sorted and padded by hand in buckets: ``call() -> last outputs, in order``."""
    module = module_of(case)
    order = np.argsort([-len(row) for row in rows], kind="stable")
    buckets = [order[i : i + size] for i in range(0, len(rows), size)]

    def call():
        last = np.empty((len(rows), case.units), np.float32)
        with torch.inference_mode():
            for bucket in buckets:
                longest = len(rows[bucket[0]])
                x = np.zeros((longest, len(bucket), rows[0].shape[1]), np.float32)
                for place, b in enumerate(bucket):
                    x[: len(rows[b]), place] = rows[b]
                output = module(torch.from_numpy(x))[0].numpy()
                for place, b in enumerate(bucket):
                    last[b] = output[len(rows[b]) - 1, place]
        return last

    return call


def last_of_tokens(case, table):
    """``score(ids, offsets)``: the last output of every row, in buckets of nearly one length."""
    module, table = module_of(case), torch.from_numpy(table)

    def score(ids, offsets):
        last = np.empty((len(offsets) - 1, case.units), np.float32)
        with torch.inference_mode():
            for rows, firsts, counts, longest in batches(offsets):
                given = torch.from_numpy(padded(ids, firsts, counts, longest).T)
                output = module(torch.nn.functional.embedding(given, table))[0].numpy()
                last[rows] = output[counts - 1, np.arange(len(rows))]
        return last

    return score


def packed(case, rows):
    """Ragged rows as torch packs them."""
    module = module_of(case)
    tensors = [torch.from_numpy(row) for row in rows]

    def call():
        with torch.inference_mode():
            given = torch.nn.utils.rnn.pack_sequence(tensors, enforce_sorted=False)
            return module(given)[1][0][0].numpy()

    return call


def stream(case):
    """One step per call, the state carried along: ``call()``."""
    cell = torch.nn.LSTMCell(case.x.shape[-1], case.units)
    fill(cell, case, "")
    x = torch.from_numpy(case.x[:, 0].copy())
    state = [(torch.zeros(len(x), case.units), torch.zeros(len(x), case.units))]

    def call():
        with torch.inference_mode():
            state[0] = cell(x, state[0])

    return call


def chunks(case):
    """All steps per call, their outputs kept and the state carried along: ``call()``."""
    module, x = module_of(case), torch.from_numpy(np.ascontiguousarray(case.x.swapaxes(0, 1)))
    shape = (1, x.shape[1], case.units)
    state = [(torch.zeros(shape), torch.zeros(shape))]

    def call():
        with torch.inference_mode():
            y, state[0] = module(x, state[0])
        return y.numpy()

    return call
