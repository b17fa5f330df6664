"""Hostile configs of Keras's: data, which is never looked up, imported or run."""

import io
import json

import h5py
import numpy as np
import pytest
from hostile_files import members_of, refused, rewrite

import numbarnn as nr


def with_config(path, text):
    members = members_of(path)
    members["config.json"] = text if isinstance(text, bytes) else json.dumps(text).encode()
    memory = io.BytesIO()
    h5py.File(memory, "w").close()
    members["model.weights.h5"] = memory.getvalue()
    rewrite(path, members)


def layer(class_name, **config):
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": "x", "trainable": True, **config},
    }


def sequence(*layers):
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (b"[" * 10_000_000, "config.json must be JSON"),
        (b"[" * 500 + b"]" * 500, "must be at most 100 levels deep"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "must be at most 100 levels deep"),
        (b"9" * 100_000, "config.json must be JSON|the model must have a class_name"),
        (b"\xff\xfe", "config.json must be JSON"),
        (3, "the model must have a class_name and a config; got 3"),
        ({"class_name": 3, "config": {}}, "must have a class_name"),
        ({"class_name": "os.system", "module": "os", "config": {}}, r"\(os.system\) is not supported"),
        (sequence(layer("Lambda", function=["4wEAAAA", None, None])), "is code, which is never run"),
        (sequence({"class_name": "__lambda__", "config": {"value": "x"}}), "is not supported"),
        (sequence(layer("TFSMLayer", filepath="/etc")), r"\(TFSMLayer\) is not supported"),
        (sequence(layer("Dense", units=2, activation={"class_name": "__lambda__", "config": {"value": "x"}})),
         "with the activation"),
        (sequence(layer("Dense", units=2, activation={"module": "os", "class_name": "function", "config": "system"})),
         "with the activation"),
        (sequence(layer("Dense", units={"class_name": "__tensor__", "config": {}})), "with units="),
        (sequence(layer("Dense", units=2, fn="x")), "with fn='x' is not supported"),
        (sequence(layer("RNN", cell={"class_name": "Cell", "module": "os", "config": {}})), "cell 'Cell'"),
        (sequence(layer("RNN", cell={"class_name": "x", "registered_name": "pkg>Mine", "config": {}})),
         "cell 'pkg>Mine' of .* is not known"),
        (sequence(layer("Embedding", input_dim=1 << 40, output_dim=1 << 40)), "Weight 'embeddings' must be of a size that the file can"),
        (sequence(*[layer("Embedding", input_dim=1 << 20, output_dim=1) for _ in range(9)]), "must be of a size that"),
        (sequence(layer("Embedding", input_dim="9", output_dim=True)), "cannot be made: `input_dim`"),
        (sequence(layer("LSTM", units=1 << 40)), "must have the weights"),
        (sequence(layer("GRU", units=2, zero_output_for_mask=True)), "no sequences is not supported: Keras then gives 0"),
        (sequence(layer("Conv1D", filters=1, kernel_size=1 << 40)), "a window must span at most"),
        (sequence(layer("Reshape", target_shape=[-1, -1])), "cannot be made: `target_shape`"),
        (sequence(layer("TimeDistributed", layer=layer("TimeDistributed", layer=3))), "must have a class_name"),
        (sequence(layer("Bidirectional", layer=layer("Dense", units=2))), "cannot be made"),
        (sequence(layer("StackedRNNCells", cells=[])), "is not supported"),
        (sequence(layer("RNN", cell=layer("StackedRNNCells", cells=3))), "must have a list of cells"),
        (sequence(*[layer("Flatten")] * 2), "must have names of their own"),
        (sequence(), "must have layers"),
        ({"class_name": "Functional", "config": {"layers": [layer("Flatten")], "input_layers": 3, "output_layers": []}},
         "inputs and outputs must name layers"),
    ],
)  # fmt: skip
def test_configs_are_data(config, told, archive):
    with_config(archive, config)
    refused(archive, told)


def test_models_within_models_end(archive):
    inner = layer("Flatten")
    for number in range(40):
        inner = {**sequence(inner), "config": {"name": f"m{number}", "layers": [inner]}}
    with_config(archive, inner)
    refused(archive, "must be at most 100 levels deep|arrays belong to no layer")


def test_a_graph_of_thousands_of_calls_ends(archive):
    """Deep graphs are walked, not recursed into; calls that wait for each other are noticed."""

    def called(name, *before):
        node = [[b, 0, 0, {}] for b in before]
        return {
            "class_name": "Add",
            "name": name,
            "config": {"name": name},
            "inbound_nodes": [node],
        }

    start = {"class_name": "InputLayer", "name": "i", "inbound_nodes": [],
             "config": {"batch_input_shape": [None, 2], "name": "i"}}  # fmt: skip
    chain = [called("a0", "i", "i")] + [called(f"a{n}", f"a{n - 1}", "i") for n in range(1, 3000)]
    config = {"name": "m", "layers": [start, *chain], "input_layers": [["i", 0, 0]],
              "output_layers": [["a2999", 0, 0]]}  # fmt: skip
    members = members_of(archive)
    memory = io.BytesIO()
    h5py.File(memory, "w").close()
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    members["model.weights.h5"] = memory.getvalue()
    rewrite(archive, members)
    assert nr.load(archive)(np.ones((1, 2), "f4")).tolist() == [[3001, 3001]]
    config["layers"] = [start, *chain[::-1]]  # each has to wait for the one behind it
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    rewrite(archive, members)
    assert nr.load(archive)(np.ones((1, 2), "f4")).tolist() == [[3001, 3001]]
    chain[0]["inbound_nodes"] = [[["a2999", 0, 0, {}]]]
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    rewrite(archive, members)
    refused(archive, "must make a graph without rings")


def test_a_layer_that_remembers_is_called_once(archive):
    """Called twice, it would begin the second time where it ended the first."""
    gru = layer("GRU", units=2, stateful=True, return_sequences=True)
    gru |= {"name": "x", "inbound_nodes": [[["i", 0, 0, {}]], [["x", 0, 0, {}]]]}
    start = {"class_name": "InputLayer", "name": "i", "inbound_nodes": [],
             "config": {"batch_input_shape": [1, None, 2], "name": "i"}}  # fmt: skip
    config = {"name": "m", "layers": [start, gru], "input_layers": [["i", 0, 0]],
              "output_layers": [["x", 1, 0]]}  # fmt: skip
    members, memory = members_of(archive), io.BytesIO()
    with h5py.File(memory, "w") as file:
        for number, shape in enumerate([(2, 6), (2, 6), (2, 6)]):
            file[f"layers/gru/cell/vars/{number}"] = np.ones(shape, "f4")
    members["model.weights.h5"] = memory.getvalue()
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    rewrite(archive, members)
    refused(archive, "layer 'x' must be called once, as it is stateful; it is called 2 times")
    gru["config"]["stateful"] = False
    members["config.json"] = json.dumps({"class_name": "Functional", "config": config}).encode()
    rewrite(archive, members)
    assert nr.load(archive)(np.ones((1, 3, 2), "f4")).shape == (1, 3, 2)
