"""A guess at the layers that arrays belong to, to be corrected by someone who knows."""

import re

_TORCH = re.compile(r"(weight|bias)_(ih|hh|hr)(_l(\d+)(_reverse)?)?$")
_KINDS = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}
#: A gate that only one kind of cell of Flax's or TensorFlow 1's has.
_GATES = (
    ("hf", "LSTM", ()), ("hn", "GRU", ()), ("candidate", "GRU", ("reset_after=False",)),
    ("h", "SimpleRNN", ()),
)  # fmt: skip
_MOST = 50


def candidate(arrays):
    """A spec as Python text; ``...`` stands for what names and shapes do not tell.

    Parameters
    ----------
    arrays : dict of str -> ndarray
    """
    found = guesses(arrays)
    entries = [f"{prefix!r}: {guess}" for prefix, guess in found[:_MOST]]
    return "{" + ", ".join(entries) + (", ...}" if len(found) > _MOST else "}")


def guesses(arrays):
    """What the names of each layer's arrays begin with, and the layer as Python text or ``...``."""
    groups = {}
    for name, array in arrays.items():
        prefix, local = _split(name)
        groups.setdefault(prefix, {})[local] = array.shape
    found = [(prefix, local, _guess(local, prefix)) for prefix, local in groups.items()]
    if list(groups) == sorted(groups):
        # Some formats sort the names, and the order in which layers run is lost.
        texts = [text for *_, text in found]
        found.sort(key=lambda each: _rank(*each[1:], texts))
    return [(prefix, text) for prefix, _, text in found]


def _split(name):
    """What the names of a layer's arrays begin with, and the rest of this one's."""
    plain = name.removesuffix(":0").replace(".", "/")
    parts = plain.split("/")
    if {"forward_rnn", "backward_rnn"} & set(parts):  # Flax: both directions
        count = next(n for n, part in enumerate(parts) if part in ("forward_rnn", "backward_rnn"))
    elif "vars" in parts[1:]:  # Keras 3: layers/lstm/cell/vars/0
        count = 2 if parts[0] in ("layers", "_layer_checkpoint_dependencies") else 1
    elif (
        len(parts) > 2
        and parts[-1] in ("kernel", "bias", "recurrent_kernel")
        and _is_gate(parts[-2])
    ):
        count = len(parts) - 2  # Flax: a dense map for each gate
    elif len(parts) > 2 and (parts[0] == parts[1] or parts[-2].endswith("_cell")):
        count = 1  # Keras: a group for each layer
    else:
        count = len(parts) - 1
    length = len("/".join(parts[:count]))
    return name[:length], plain[length:].lstrip("/")


def _rank(local, text, texts):
    """Embeddings come first; a dense layer as wide as what a recurrent one gives is behind it."""
    if text.startswith("nr.Embedding"):
        return 0
    if not text.startswith("nr.Dense"):
        return 1
    kernels = {name.rpartition("/")[2]: shape for name, shape in local.items()}
    width = kernels["kernel"][0] if "kernel" in kernels else kernels.get("weight", (0,))[-1]
    given = [re.search(r"(Bidirectional\()?nr\.\w+\((\d+), return_sequences", one) for one in texts]
    outputs = {int(found[2]) * (2 if found[1] else 1) for found in given if found}
    return 2 if width in outputs else 1


def _is_gate(word):
    return re.fullmatch(r"[ih][ifgornz]|[ih]|if_|dense_[ih]|gates|candidate", word) is not None


def _guess(local, prefix):
    """The text of a layer that has arrays of these names and shapes; ``...`` if nothing fits."""
    torch = [match for match in map(_TORCH.fullmatch, local) if match]
    if torch:
        return _guess_torch(local, torch)
    if any(name.startswith("forward_rnn/") for name in local):
        one = {name.partition("/")[2]: s for name, s in local.items() if name.startswith("f")}
        return f"nr.Bidirectional({_guess(one, prefix)})"
    dense = next((s for name, s in local.items() if f"/{name}".endswith("/dense_h/kernel")), ())
    if len(dense) == 2 and dense[0] and dense[1] // dense[0] in _KINDS:
        return _called(_KINDS[dense[1] // dense[0]], dense[0])
    gates = {name.rpartition("/")[0].rpartition("/")[2]: shape for name, shape in local.items()}
    for gate, kind, options in _GATES:
        if gate in gates:
            return _called(kind, gates[gate][-1], *options)
    words = {}
    for name, shape in local.items():
        words.setdefault(name.rpartition("/")[2], []).append(shape)
    if "recurrent_kernel" in words:
        return _guess_keras(words)
    return (
        _guess_numbered(local, prefix)
        if any("vars/" in name for name in local)
        else _guess_simple(words)
    )


def _called(kind, units, *options):
    return f"nr.{kind}({', '.join([str(units), 'return_sequences=True', *options])})"


def _guess_torch(local, matches):
    suffix = matches[0].group(3) or ""
    suffix = "_l0" if suffix else ""
    shape = local.get(f"weight_hh{suffix}", ())
    options = [] if f"bias_ih{suffix}" in local else ["use_bias=False"]
    projection = local.get(f"weight_hr{suffix}")
    if projection is not None and len(projection) == 2:
        one = _called("ProjectionLSTM", projection[1], f"projection={projection[0]}", *options)
    else:
        kind = _KINDS.get(shape[0] // shape[1]) if len(shape) == 2 and shape[1] else None
        if kind is None:
            return "..."
        one = _called(kind, shape[1], *options)
    if any(match.group(5) for match in matches):
        one = f"nr.Bidirectional({one})"
    depth = 1 + max(int(match.group(4) or 0) for match in matches)
    return one if depth == 1 else f"nr.Sequential([{', '.join([one] * min(depth, 20))}])"


def _guess_keras(words):
    shape = words["recurrent_kernel"][0]
    kind = _KINDS.get(shape[1] // shape[0]) if len(shape) == 2 and shape[0] else None
    if kind is None:
        return "..."
    options = [] if "bias" in words else ["use_bias=False"]
    if kind == "GRU" and options == [] and len(words["bias"][0]) == 1:
        options = ["reset_after=False"]
    one = _called(kind, shape[0], *options)
    return f"nr.Bidirectional({one})" if len(words["recurrent_kernel"]) == 2 else one


def _guess_numbered(local, prefix):
    """Of Keras 3's arrays, whose names are numbers; the path names the class."""
    if all(name.startswith("layer/") for name in local):
        inner = {name.removeprefix("layer/"): shape for name, shape in local.items()}
        return f"nr.TimeDistributed({_guess_numbered(inner, '')})"
    shapes = list(local.values())
    if "/cells/" in prefix or any("cells/" in name or "layers/" in name for name in local):
        return "..."
    if any("cell/" in name for name in local) and len(shapes) > 1:
        both = any(name.startswith("forward") for name in local)
        words = {"recurrent_kernel": [shapes[1]] * (2 if both else 1)}
        if len(shapes) > 2 and (not both or len(shapes) > 4):
            words["bias"] = [shapes[2] if not both else shapes[len(shapes) // 2 - 1]]
        return _guess_keras(words)
    for kind in ("batch", "layer"):
        if f"{kind}_normalization" in prefix:
            return f"nr.{kind.capitalize()}Normalization()"
    if "embedding" in prefix:
        return _guess_simple({"embeddings": shapes})
    return _guess_simple(
        {"kernel": shapes[:1], **({"bias": shapes[1:]} if len(shapes) > 1 else {})}
    )


def _guess_simple(words):
    options = "" if "bias" in words else ", use_bias=False"
    for word, columns, rows in (("kernel", -1, 0), ("weight", 0, -1)):
        shape = words.get(word, [()])[0]
        if len(shape) == 3:
            return f"nr.Conv1D({shape[columns]}, {shape[rows]}{options})"
        if len(shape) == 2 and (word == "kernel" or "bias" in words):
            return f"nr.Dense({shape[columns]}{options})"
        if len(shape) == 2:
            return f"nr.Embedding({shape[0]}, {shape[1]})"
    for word in ("embeddings", "embedding"):
        if len(words.get(word, [()])[0]) == 2:
            return "nr.Embedding({}, {})".format(*words[word][0])
    if {"running_mean", "mean"} & set(words):
        epsilon = "1e-5" if "running_mean" in words else "1e-3"
        return f"nr.BatchNormalization(epsilon={epsilon})"
    if "moving_mean" in words:
        return "nr.BatchNormalization()"
    if "gamma" in words:
        return "nr.LayerNormalization()"
    if {"weight", "scale"} & set(words):
        return f"nr.LayerNormalization(epsilon={'1e-5' if 'weight' in words else '1e-6'})"
    return "..."
