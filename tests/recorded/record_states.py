"""Record state_dicts of torch's and parameters of Flax's, and what they give: ``python record_states.py``.

Needs torch, jax, flax and safetensors (recorded with 2.13, 0.10.2, 0.12.8 and 0.8.0). `states.zip` holds a file
per net, and `outputs.npz`: outputs in float64, and the errors of float32 against them.
"""

import io
import zipfile
from pathlib import Path

import flax
import flax.linen as nn
import jax
import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from flax import nnx

jax.config.update("jax_enable_x64", True)
B, T, F, U = 3, 7, 4, 5


class Tagger(torch.nn.Module):
    """Of every kind of layer."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(11, F)
        self.conv = torch.nn.Conv1d(F, 6, 3)
        self.norm = torch.nn.LayerNorm(6)
        self.batch = torch.nn.BatchNorm1d(6)
        self.rnn = torch.nn.LSTM(6, U, num_layers=2, bidirectional=True, batch_first=True)
        self.fc = torch.nn.Linear(2 * U, 2, bias=False)

    def forward(self, x):
        x = self.conv(self.embedding(x).transpose(1, 2))
        x = self.batch(self.norm(x.transpose(1, 2)).transpose(1, 2)).transpose(1, 2)
        return self.fc(self.rnn(x)[0])


NETS = {
    "rnn": lambda: torch.nn.RNN(F, U, batch_first=True),
    "relu": lambda: torch.nn.RNN(F, U, nonlinearity="relu", bias=False, batch_first=True),
    "lstm": lambda: torch.nn.LSTM(F, U, batch_first=True),
    "lstm2": lambda: torch.nn.LSTM(F, U, num_layers=2, batch_first=True),
    "lstm_no_bias": lambda: torch.nn.LSTM(F, U, bias=False, bidirectional=True, batch_first=True),
    "lstm_projected": lambda: torch.nn.LSTM(
        F, U, proj_size=2, num_layers=2, bidirectional=True, batch_first=True
    ),
    "gru": lambda: torch.nn.GRU(F, U, batch_first=True),
    "gru_both": lambda: torch.nn.GRU(F, U, num_layers=3, bidirectional=True, batch_first=True),
    "gru_no_bias": lambda: torch.nn.GRU(F, U, bias=False, batch_first=True),
    "lstm_cell": lambda: torch.nn.LSTMCell(F, U),
    "gru_cell": lambda: torch.nn.GRUCell(F, U),
    "bfloat16": lambda: torch.nn.GRU(F, U, batch_first=True),
    "tagger": Tagger,
}
FLAX = {
    "flax_lstm": nn.LSTMCell,
    "flax_optimized_lstm": nn.OptimizedLSTMCell,
    "flax_gru": nn.GRUCell,
    "flax_simple": nn.SimpleCell,
}
NNX = {
    "nnx_lstm": nnx.LSTMCell,
    "nnx_optimized_lstm": nnx.OptimizedLSTMCell,
    "nnx_gru": nnx.GRUCell,
    "nnx_simple": nnx.SimpleCell,
    "nnx_both": nnx.GRUCell,
}


class FlaxNet(nn.Module):
    cell: nn.Module

    @nn.compact
    def __call__(self, x):
        x = nn.LayerNorm(name="norm")(nn.RNN(self.cell, name="rnn")(x))
        return nn.Dense(3, name="head")(x)


def events():
    return np.random.RandomState(1).standard_normal((B, T, F)).astype("float32")


def ids():
    return np.random.RandomState(2).randint(0, 11, (B, T))


def of_torch(name, files, stored):
    torch.manual_seed(sum(map(ord, name)))
    net = NETS[name]().eval()
    with torch.no_grad():
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                noise = torch.randn_like(value) * (0.3 if value.ndim > 1 else 0.5)
                value.copy_(noise.abs() + 0.5 if "running_var" in key else noise)
        if name == "bfloat16":
            net = net.to(torch.bfloat16)
        files[f"{name}.safetensors"] = safetensors.torch.save(
            {key: value.contiguous() for key, value in net.state_dict().items()}
        )
        found = []
        for dtype in (torch.float64, torch.float32):
            net = net.to(dtype)
            x = torch.tensor(ids()) if name == "tagger" else torch.tensor(events()).to(dtype)
            if name.endswith("cell"):
                state, outputs = None, []
                for t in range(T):
                    state = net(x[:, t], state)
                    outputs.append(state[0] if isinstance(state, tuple) else state)
                output = torch.stack(outputs, 1)
            else:
                output = net(x)
                output = output[0] if isinstance(output, tuple) else output
            found.append(output.double().numpy())
    stored[name], stored[f"{name}.error"] = found[0], np.abs(found[0] - found[1]).max()


def of_flax(name, files, stored):
    net = FlaxNet(FLAX[name](U))
    found = []
    parameters = net.init(jax.random.PRNGKey(len(name)), events())
    leaves, tree = jax.tree_util.tree_flatten(parameters)
    rng = np.random.RandomState(len(name))
    leaves = [(0.4 * rng.standard_normal(leaf.shape)).astype("float32") for leaf in leaves]
    parameters = jax.tree_util.tree_unflatten(tree, leaves)
    for dtype in ("float64", "float32"):
        cast = jax.tree_util.tree_map(lambda leaf, dtype=dtype: leaf.astype(dtype), parameters)
        net = FlaxNet(FLAX[name](U, param_dtype=dtype))
        found.append(np.asarray(net.apply(cast, events().astype(dtype)), "float64"))
    flat = {
        k: np.asarray(v) for k, v in flax.traverse_util.flatten_dict(parameters, sep="/").items()
    }
    files[f"{name}.safetensors"] = safetensors.numpy.save(flat)
    memory = io.BytesIO()
    np.savez(memory, **{key.replace("/", "."): value for key, value in flat.items()})
    files[f"{name}.npz"] = memory.getvalue()
    stored[name], stored[f"{name}.error"] = found[0], np.abs(found[0] - found[1]).max()


class NnxNet(nnx.Module):
    def __init__(self, name, dtype, rngs):
        def rnn():
            return nnx.RNN(NNX[name](F, U, dtype=dtype, param_dtype=dtype, rngs=rngs), rngs=rngs)

        both = name == "nnx_both"
        self.rnn = nnx.Bidirectional(rnn(), rnn(), rngs=rngs) if both else rnn()
        self.norm = nnx.LayerNorm((1 + both) * U, rngs=rngs)
        self.head = nnx.Linear((1 + both) * U, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(self.norm(self.rnn(x)))


class LinenBoth(nn.Module):
    """Directions whose cells have names of their own."""

    dtype: str

    @nn.compact
    def __call__(self, x):
        return nn.Bidirectional(*(nn.RNN(nn.LSTMCell(U, param_dtype=self.dtype)) for _ in "12"))(x)


def named_both(dtype):
    return nn.Bidirectional(*(nn.RNN(nn.GRUCell(U, param_dtype=dtype)) for _ in "12"))


def of_linen_both(name, make, files, stored):
    shapes = make("float32").init(jax.random.PRNGKey(0), events())
    rng = np.random.RandomState(len(name))
    parameters = jax.tree_util.tree_map(
        lambda leaf: (0.4 * rng.standard_normal(leaf.shape)).astype("float32"), shapes
    )
    found = []
    for dtype in ("float64", "float32"):
        cast = jax.tree_util.tree_map(lambda leaf, dtype=dtype: leaf.astype(dtype), parameters)
        found.append(np.asarray(make(dtype).apply(cast, events().astype(dtype)), "float64"))
    flat = flax.traverse_util.flatten_dict(parameters, sep="/")
    files[f"{name}.safetensors"] = safetensors.numpy.save(flat)
    stored[name], stored[f"{name}.error"] = found[0], np.abs(found[0] - found[1]).max()


def of_nnx(name, files, stored):
    """All of a net's state, and where its random numbers stand too."""
    state = nnx.state(NnxNet(name, "float32", nnx.Rngs(0)))
    flat = flax.traverse_util.flatten_dict(nnx.to_pure_dict(state), sep="/")
    rng = np.random.RandomState(len(name))
    drawn = {
        key: (0.4 * rng.standard_normal(leaf.shape)).astype("float32")
        for key, leaf in flat.items()
        if "rngs" not in key
    }
    found = []
    for dtype in ("float64", "float32"):
        graph, state = nnx.split(NnxNet(name, dtype, nnx.Rngs(0)))
        cast = {**flat, **{key: leaf.astype(dtype) for key, leaf in drawn.items()}}
        nnx.replace_by_pure_dict(state, flax.traverse_util.unflatten_dict(cast, sep="/"))
        found.append(np.asarray(nnx.merge(graph, state)(events().astype(dtype)), "float64"))
    kept = {
        key: np.asarray(jax.random.key_data(v) if key.endswith("key") else v)
        for key, v in flat.items()
        if "rngs" in key
    }
    files[f"{name}.safetensors"] = safetensors.numpy.save({**drawn, **kept})
    stored[name], stored[f"{name}.error"] = found[0], np.abs(found[0] - found[1]).max()


def main():
    files, stored = {}, {}
    for name in NETS:
        of_torch(name, files, stored)
    for name in FLAX:
        of_flax(name, files, stored)
    for name in NNX:
        of_nnx(name, files, stored)
    of_linen_both("flax_both", LinenBoth, files, stored)
    of_linen_both("flax_both_named", named_both, files, stored)
    memory = io.BytesIO()
    np.savez(memory, **stored)
    files["outputs.npz"] = memory.getvalue()
    for name, value in stored.items():
        if name.endswith("error"):
            print(name, value)
    path = Path(__file__).with_name("states.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(name, data)


if __name__ == "__main__":
    main()
