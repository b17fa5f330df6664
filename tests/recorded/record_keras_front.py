"""Record what Keras's layers at the front of a model give, adapted or with a vocabulary, and their files.

    TF_USE_LEGACY_KERAS=1 python record_keras_front.py 2
    python record_keras_front.py 3

Needs tensorflow, tf_keras and keras (recorded with 2.21, 2.21 and 3.15.1). `keras_front<era>.zip` holds
the files, and `recorded.json` with, for each model, its rows, what the layers at the front give for each
row alone, and the outputs of the whole model for it in float32.
"""

import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf

ERA = int(sys.argv[1])
if ERA == 2:
    import tf_keras as keras
else:
    import keras
L = keras.layers
RNG = np.random.default_rng(20261127)
NUMBERS = RNG.normal(3, 5, (4, 5, 3)).astype(np.float32)
TEXTS = ["aé𝄞 b", "", "b a a", " a\u00a0b\tb  zz ", "[UNK] a"]
TOKENS = [["a", "b", "zz"], ["é"], ["", "a", "[UNK]"], ["b", "b"]]
KNOWN = [["a", "b"], ["b"]]


def numbers(features=3):
    return keras.Input((None, features), name="x")


def adapted(**named):
    layer = L.Normalization(name="norm", **named)
    layer.adapt(NUMBERS)
    return layer


def texts(layer, data):
    layer.adapt(tf.ragged.constant(data) if isinstance(data[0], list) else data)
    return layer


def chain(kind, front, *rest):
    return keras.Sequential([kind, front, *rest], name="chain")


def table():
    return [L.Embedding(9, 2, name="table"), L.GRU(2, name="gru")]


def graph():
    x, text = numbers(), keras.Input((), dtype="string", name="text")
    ids = texts(L.TextVectorization(standardize=None, name="vector"), TEXTS)(text)
    both = L.Concatenate(name="both")(
        [
            L.GRU(2, name="one")(adapted()(x)),
            L.GRU(2, name="two")(L.Embedding(9, 2, name="table")(ids)),
        ]
    )
    return keras.Model([x, text], L.Dense(2, name="dense")(both), name="graph")


def text_graph():
    text = keras.Input((None,), dtype="string", name="text")
    ids = texts(L.StringLookup(name="lookup"), TOKENS)(text)
    return keras.Model(
        text, L.GRU(2, name="gru")(L.Embedding(9, 2, name="table")(ids)), name="chained"
    )


def one_text():
    return keras.Input((), dtype="string", name="text")


def tokens():
    return keras.Input((None,), dtype="string", name="text")


MODELS = {
    "norm": lambda: (chain(numbers(), adapted(), L.GRU(2, name="gru")), [[x] for x in NUMBERS]),
    "norm_one": lambda: (chain(numbers(), adapted(axis=None), L.GRU(2, name="gru")), [[x] for x in NUMBERS]),
    "words": lambda: (chain(one_text(), texts(L.TextVectorization(standardize=None, name="vector"), TEXTS), *table()), [[t] for t in TEXTS]),
    "letters": lambda: (chain(one_text(), texts(L.TextVectorization(standardize=None, split="character", name="vector", max_tokens=8), TEXTS), *table()), [[t] for t in TEXTS]),
    "given": lambda: (chain(one_text(), L.TextVectorization(standardize=None, vocabulary=["b", "a"], name="vector"), *table()), [[t] for t in TEXTS]),
    "lookup": lambda: (chain(tokens(), texts(L.StringLookup(name="lookup"), TOKENS), *table()), [[t] for t in TOKENS]),
    "masked": lambda: (chain(tokens(), texts(L.StringLookup(mask_token="", oov_token="?", name="lookup"), TOKENS), *table()), [[t] for t in TOKENS]),
    "known": lambda: (chain(tokens(), L.StringLookup(vocabulary=["b", "a"], num_oov_indices=0, name="lookup"), *table()), [[t] for t in KNOWN]),
    "chained": lambda: (text_graph(), [[t] for t in TOKENS]),
    "graph": lambda: (graph(), [[x, t] for x, t in zip(NUMBERS, TEXTS, strict=False)]),
}  # fmt: skip
#: In the order of their inputs.
FRONTS = ("norm", "vector", "lookup")


def batch_of(value):
    """A row as a batch of one."""
    return tf.constant(value[None] if isinstance(value, np.ndarray) else [value])


def main():
    files, recorded = Path(tempfile.mkdtemp()), {"keras": keras.__version__}
    for name, make in MODELS.items():
        keras.backend.clear_session()
        model, rows = make()
        for layer in model.layers:
            if layer.name not in FRONTS and layer.get_weights():
                layer.set_weights([RNG.normal(0, 0.7, w.shape) for w in layer.get_weights()])
        names = [layer.name for layer in model.layers]
        fronts = [model.get_layer(each) for each in FRONTS if each in names]
        found = []
        for row in rows:
            if isinstance(row[-1], str) and not row[-1].strip():
                continue  # without steps Keras's GRU has no output
            batch = [batch_of(value) for value in row]
            outputs = model(batch if len(batch) > 1 else batch[0])
            made = [np.asarray(f(v))[0].tolist() for f, v in zip(fronts, batch, strict=True)]
            plain = [v.tolist() if isinstance(v, np.ndarray) else v for v in row]
            found.append({"row": plain, "front": made, "output": np.asarray(outputs)[0].tolist()})
        recorded[name] = found
        for suffix in (".keras", ".h5"):
            try:
                model.save(files / f"{name}{suffix}")
            except Exception as error:
                print(name, suffix, "is not saved:", str(error)[:80])
                (files / f"{name}{suffix}").unlink(missing_ok=True)
    (files / "recorded.json").write_text(json.dumps(recorded))
    here = Path(__file__).parent
    with zipfile.ZipFile(here / f"keras_front{ERA}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files.iterdir()):
            archive.write(path, path.name)


if __name__ == "__main__":
    main()
