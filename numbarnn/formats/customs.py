"""The customs in which frameworks name the arrays of a layer, and how each becomes weights here.

Names are those within the layer, with slashes. Gates are put into Keras's order: i, f, c, o of an LSTM,
z, r, h of a GRU.
"""

import numpy as np

from ..cells import DenseCell, GRUCell, LSTMCell, ProjectionLSTMCell
from ..errors import FormatError
from ..layers import RNN, Bidirectional, Sequential, StackedRNNCells
from ..layers.convolution import WindowCell
from ..layers.embedding import Table
from ..layers.normalization import CentredRows, ScaledRows, Scales
from .filling import RECURRENT, in_one_line, parts_of, weight_names
from .keras_paths import layer_paths

#: Where torch's gates go: i, f, g, o and r, z, n.
_TORCH_ORDER = {LSTMCell: (0, 1, 2, 3), ProjectionLSTMCell: (0, 1, 2, 3), GRUCell: (1, 0, 2)}


def _transposed(array):
    return array.transpose()


def _same(array):
    return array


_SCALES = (
    ("gamma", "beta", "moving_mean", "moving_variance"),
    ("weight", "bias", "running_mean", "running_var"),
    ("scale", "bias", "mean", "var"),
)
#: Per kind of cell: each custom's name for a weight, and what is done to the array.
_CUSTOMS = {
    DenseCell: (
        {"kernel": ("kernel", _same), "bias": ("bias", _same)},
        {"kernel": ("weight", _transposed), "bias": ("bias", _same)},
    ),
    WindowCell: (
        {"kernel": ("kernel", _same), "bias": ("bias", _same)},
        {"kernel": ("weight", _transposed), "bias": ("bias", _same)},
    ),
    Table: tuple({"embeddings": (name, _same)} for name in ("embeddings", "weight", "embedding", "")),
}  # fmt: skip
for _kind in (Scales, CentredRows, ScaledRows):
    _CUSTOMS[_kind] = tuple(
        {own: (name, _same) for own, name in zip(_SCALES[0], names, strict=True)}
        for names in _SCALES
    )


def dealt_out(layer, local, where):
    """(cell, arrays) for every cell of a layer.

    Parameters
    ----------
    layer : Layer
    local : dict of str -> ndarray
        By their names within the layer.
    where : str

    Raises
    ------
    FormatError
        If the names follow no custom, or one is missing or left over.
    """
    local = dict(local)
    if any("vars/" in f"/{name}" for name in local):
        return _keras3(layer, local, where)
    directions = directions_of(layer)
    if directions is not None:
        found = _recurrent(directions, local, where)
    elif parts_of(layer):
        found = []
        for part in parts_of(layer):
            own = _taken(local, part.name) if len(parts_of(layer)) > 1 else _all(local)
            found += dealt_out(part, own, f"{where}, {part.name!r}")
    else:
        found = [(cell, _simple(cell, local, where)) for cell in layer._weighted()]
    if local:
        raise FormatError(f"{where} has arrays too many: {in_one_line(local, 8)}.")
    return found


def _keras3(layer, local, where):
    """Arrays by the paths of Keras 3: ``cell/vars/0``."""
    found = []
    for cell, path in layer_paths(layer):
        own = []
        while (name := f"{path}vars/{len(own)}") in local:
            own.append(local.pop(name))
        found.append((cell, own))
    if local:
        raise FormatError(f"{where} has arrays too many: {in_one_line(local, 8)}.")
    return found


def _all(local):
    own = dict(local)
    local.clear()
    return own


def _taken(local, name):
    """The arrays of a layer within another, which begin with its name."""
    own = {key: local[key] for key in list(local) if key.startswith(f"{name}/")}
    for key in own:
        del local[key]
    return {key.removeprefix(f"{name}/"): array for key, array in own.items()}


def _simple(cell, local, where):
    names = weight_names(cell)
    if type(cell) not in _CUSTOMS:
        return _in_order(cell, local)
    bare = {name.rpartition("/")[2].removesuffix(":0"): name for name in local}
    for custom in _CUSTOMS[type(cell)]:
        if len(bare) == len(local) and {custom[name][0] for name in names} == set(bare):
            return [custom[name][1](local.pop(bare[custom[name][0]])) for name in names]
    ways = [[custom[name][0] for name in names] for custom in _CUSTOMS[type(cell)]]
    raise FormatError(
        f"{where} must have arrays called as one of {ways}; it has {in_one_line(local, 8)}."
    )


def _in_order(cell, local):
    """The arrays of a cell of the caller's: by the names of its weights, else in their order."""
    names = list(cell.weights) if cell.built else []
    return [local.pop(name) for name in (names if set(names) == set(local) else list(local))]


def directions_of(layer):
    """Per depth of a recurrent layer, or of several on top of each other: cells (forward, backward)."""
    if isinstance(layer, Bidirectional):
        forward, backward = (directions_of(each) for each in layer._layers())
        if len(forward) != len(backward):
            return None
        return [(one, other) for (one, _), (other, _) in zip(forward, backward, strict=True)]
    if isinstance(layer, RNN):
        stacked = isinstance(layer.cell, StackedRNNCells)
        return [(cell, None) for cell in (layer.cell.flat_cells() if stacked else [layer.cell])]
    if isinstance(layer, Sequential) and all(
        isinstance(e, (RNN, Bidirectional)) for e in layer.layers
    ):
        found = [directions_of(each) for each in layer.layers]
        return None if None in found else [pair for each in found for pair in each]
    return None


def _recurrent(directions, local, where):
    cells = [cell for pair in directions for cell in pair if cell is not None]
    if any(type(cell) not in RECURRENT for cell in cells):
        if len(cells) != 1:
            raise FormatError(f"{where} must have cells of numbarnn's own; it has {cells!r:.200}.")
        return [(cells[0], _in_order(cells[0], local))]
    for custom in (_torch, _torch_cell, _flax, _tensorflow1, _keras):
        found = custom(directions, local, where)
        if found is not None:
            return found
    raise FormatError(
        f"{where} must have arrays called as PyTorch, Keras, Flax or TensorFlow 1 call them; it has "
        f"{in_one_line(local, 8)}."
    )


def _needed(local, name, where):
    if name not in local:
        raise FormatError(f"{where} must have an array {name!r}; it has {in_one_line(local, 8)}.")
    return local.pop(name)


def _gates(array, order, axis=0):
    """An array with its gates in another order."""
    if order is None:
        return array
    if array.shape[axis] % len(order):
        raise FormatError(
            f"{len(order)} gates must share {array.shape[axis]} rows evenly; they cannot."
        )
    parts = np.split(array, len(order), axis=axis)
    return np.concatenate([parts[gate] for gate in order], axis=axis)


# --- PyTorch -------------------------------------------------------------------------------------


def _torch(directions, local, where):
    if "weight_ih_l0" not in local:
        return None
    found = []
    for depth, pair in enumerate(directions):
        for cell, suffix in zip(pair, (f"_l{depth}", f"_l{depth}_reverse"), strict=True):
            if cell is not None:
                found.append((cell, _torch_weights(cell, local, suffix, where)))
    return found


def _torch_cell(directions, local, where):
    """`torch.nn.LSTMCell` and its sisters."""
    if "weight_ih" not in local or len(directions) != 1 or directions[0][1] is not None:
        return None
    cell = directions[0][0]
    return [(cell, _torch_weights(cell, local, "", where))]


def _torch_weights(cell, local, suffix, where):
    order, last = _TORCH_ORDER.get(type(cell)), []
    if type(cell) is ProjectionLSTMCell:
        last = [_needed(local, f"weight_hr{suffix}", where).T]
    elif f"weight_hr{suffix}" in local:
        raise FormatError(
            f"{where} has a projection (weight_hr{suffix}), so its spec must have an nr.ProjectionLSTM; "
            f"it has {cell!r}."
        )
    kernel, recurrent = (
        _gates(_needed(local, f"weight_{which}{suffix}", where), order).T for which in ("ih", "hh")
    )
    if not cell.use_bias:
        return [kernel, recurrent, *last]
    bias, other = (
        _gates(_needed(local, f"bias_{which}{suffix}", where), order) for which in ("ih", "hh")
    )
    if bias.shape != other.shape:
        raise FormatError(
            f"{where} must have two biases of one shape; got {bias.shape} and {other.shape}."
        )
    # A GRU of torch's resets after the product, so that its biases cannot be added up.
    both = np.stack([bias, other]) if type(cell) is GRUCell else bias + other
    return [kernel, recurrent, both, *last]


# --- Keras ---------------------------------------------------------------------------------------


def _keras(directions, local, where):
    """Arrays in Keras's order, known by the last word of their names; those of both directions in turn."""
    words = {name.rpartition("/")[2].removesuffix(":0") for name in local}
    if not words <= {"kernel", "recurrent_kernel", "bias"} or not local:
        return None
    forward = [one for one, _ in directions]
    cells = forward + [other for _, other in directions if other is not None]
    if len(directions) > 1 and len(cells) > len(forward):
        cells = [cell for pair in directions for cell in pair]
    found, names = [], list(local)
    for cell in cells:
        wanted, own = weight_names(cell), []
        for word in wanted:
            if not names or names[0].rpartition("/")[2].removesuffix(":0") != word:
                raise FormatError(f"{where} must have {word!r} next; it has {names[:3]}.")
            own.append(local.pop(names.pop(0)))
        found.append((cell, own))
    return found


# --- Flax ----------------------------------------------------------------------------------------


def _flax(directions, local, where):
    """`flax.linen` and `flax.nnx`: a dense map for each gate, or one for all of them."""
    if len(directions) != 1:
        return None
    # `flax.nnx` writes if_, as if is a word of Python's.
    for name in [name for name in local if f"/{name}".endswith(("/if_/kernel", "/if_/bias"))]:
        local[name.replace("if_/", "if/")] = local.pop(name)
    cells = [cell for cell in directions[0] if cell is not None]
    ways = [""] if len(cells) == 1 else _flax_ways(local)
    if ways is None:
        return None
    found = []
    for cell, way in zip(cells, ways, strict=True):
        arrays = _flax_cell(cell, local, way, where)
        if arrays is None:
            return None
        found.append((cell, arrays))
    return found


def _flax_ways(local):
    """What the names of each direction's arrays begin with; None if there are not two."""
    starts = sorted({name.partition("/")[0] for name in local})
    if starts == ["backward_rnn", "forward_rnn"]:
        starts.reverse()
    elif len({start.rpartition("_")[0] for start in starts}) != 1:  # GRUCell_0, GRUCell_1
        return None
    return [f"{start}/" for start in starts] if len(starts) == 2 else None


def _flax_cell(cell, local, way, where):
    starts = {way + "".join(f"{part}/" for part in name.removeprefix(way).split("/")[:-2])
              for name in local if name.startswith(way)}  # fmt: skip
    if len(starts) != 1:
        return None
    (start,) = starts

    def needed(name):
        return _needed(local, f"{start}{name}", where)

    def joined(side, gates, word):
        return _joined([needed(f"{side}{gate}/{word}") for gate in gates], where)

    if f"{start}dense_i/kernel" in local:
        return _flax_dense(cell, needed)
    if type(cell) is LSTMCell and f"{start}ii/kernel" in local:
        arrays = [joined(side, "ifgo", "kernel") for side in "ih"]
        return arrays + ([joined("h", "ifgo", "bias")] if cell.use_bias else [])
    if type(cell) is GRUCell and f"{start}ir/kernel" in local:
        kernel, recurrent = (joined(side, "zrn", "kernel") for side in "ih")
        bias, only = joined("i", "zrn", "bias"), needed("hn/bias")
        other = np.concatenate([np.zeros(2 * len(only), only.dtype), only])
        if bias.shape != other.shape:
            raise FormatError(
                f"{where} must have biases of one length; got {bias.shape} and {only.shape}."
            )
        return [kernel, recurrent, np.stack([bias, other])]
    if f"{start}i/kernel" in local and f"{start}h/kernel" in local:
        return [needed("i/kernel"), needed("h/kernel")] + [needed("i/bias")] * cell.use_bias
    return None


def _flax_dense(cell, needed):
    """`flax.nnx`: one map of the inputs and one of the state; gates i, f, g, o, and r, z, n."""
    order = _TORCH_ORDER.get(type(cell))
    arrays = [_gates(needed(f"dense_{side}/kernel"), order, axis=1) for side in "ih"]
    if cell.use_bias:
        bias = _gates(needed(f"dense_{'h' if type(cell) is LSTMCell else 'i'}/bias"), order)
        arrays.append(np.stack([bias, np.zeros_like(bias)]) if type(cell) is GRUCell else bias)
    return arrays


def _joined(gates, where):
    try:
        return np.concatenate(gates, axis=-1)
    except ValueError as error:
        raise FormatError(f"the gates of {where} must have shapes alike ({error}).") from error


# --- TensorFlow 1 --------------------------------------------------------------------------------


def _tensorflow1(directions, local, where):
    """`BasicLSTMCell` and its sisters of TensorFlow 1: inputs and state share one kernel.

    `BasicLSTMCell` adds its ``forget_bias=1`` when it runs; the cells that are compatible with cuDNN,
    known by their name, do not.
    """
    names = {name.removesuffix(":0"): name for name in local}
    if len(names) == 1 and next(iter(names)).endswith("opaque_kernel"):
        return _opaque(directions, local.popitem()[1], where)
    if len(directions) != 1 or directions[0][1] is not None:
        return None
    cell = directions[0][0]
    compatible = any("cudnn_compatible" in name for name in names)

    def taken(word):
        found = [
            full
            for name, full in names.items()
            if f"/{name}".endswith(f"/{word}") and full in local
        ]
        if len(found) != 1:
            raise FormatError(
                f"{where} must have one array {word!r}; it has {in_one_line(local, 8)}."
            )
        return local.pop(found[0])

    words = {name.rpartition("/")[2] for name in names}
    if type(cell) is not GRUCell and words == {"kernel", "bias"} and len(names) == 2:
        kernel, bias = taken("kernel"), taken("bias")
        if kernel.ndim != 2 or bias.ndim != 1 or not cell.use_bias:
            raise FormatError(
                f"{where} must have a kernel of two axes, and a bias; got {kernel.shape}."
            )
        units = len(bias) // cell.gates
        if cell.gates == 4:
            order = (0, 2, 1, 3)
            kernel, bias = _gates(kernel, order, axis=1), np.array(_gates(bias, order))
            bias[units : 2 * units] += 0 if compatible else 1
        cut = max(0, len(kernel) - units)
        return [(cell, [kernel[:cut], kernel[cut:], bias])]
    if type(cell) is GRUCell and any(name.endswith("gates/kernel") for name in names):
        if cell.reset_after or not cell.use_bias:
            raise FormatError(
                f"{where} must be a GRU with reset_after=False, as TensorFlow 1's is; it is not."
            )
        kernels = [_gates(taken("gates/kernel"), (1, 0), axis=1), taken("candidate/kernel")]
        bias = _joined([_gates(taken("gates/bias"), (1, 0)), taken("candidate/bias")], where)
        kernel = _joined(kernels, where)
        cut = max(0, len(kernel) - len(bias) // 3)
        return [(cell, [kernel[:cut], kernel[cut:], bias])]
    return None


def _opaque(directions, buffer, where):
    """The one buffer of `CudnnLSTM` and `CudnnGRU`: matrices of the inputs, of the state, and two biases.

    As `canonical_to_params` of tf_keras (``layers/rnn/gru_lstm_utils.py``) lays them out for cuDNN: each
    matrix transposed, gates i, f, c, o and r, z, h. Of several layers there is no rule but cuDNN's own.
    """
    cell, other = directions[0]
    gates = {LSTMCell: 4, GRUCell: 3}.get(type(cell))
    if len(directions) > 1 or other is not None or gates is None:
        raise FormatError(
            f"{where} has an opaque buffer of cuDNN's, which is read as one LSTM or GRU; the spec has "
            "more or another (in TensorFlow, CudnnRNNParamsToCanonicalV2 takes the buffer apart)."
        )
    rows = gates * cell.units
    features, rest = divmod(buffer.size - rows * cell.units - 2 * rows, rows)
    if buffer.ndim != 1 or rest or features < 1 or (gates == 3 and not cell.reset_after):
        raise FormatError(
            f"{where} must be an LSTM, or a GRU that resets after the product, of a buffer of {rows} * "
            f"(features + {cell.units + 2}) numbers; got {cell!r:.80} and {buffer.shape}."
        )
    kernel, recurrent, *biases = np.split(
        buffer, np.cumsum([rows * features, rows * cell.units, rows])
    )
    parts = {
        "weight_ih": kernel.reshape(rows, features),
        "weight_hh": recurrent.reshape(rows, cell.units),
        "bias_ih": biases[0],
        "bias_hh": biases[1],
    }
    if not cell.use_bias:
        raise FormatError(f"{where} must have a bias, as cuDNN's buffers do; it has none.")
    return [(cell, _torch_weights(cell, parts, "", where))]
