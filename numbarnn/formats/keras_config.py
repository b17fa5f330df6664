"""Keras's configs to layers: data, read against the lists of this file; nothing is looked up or imported.

A class that is not here is refused by its name, and so is an argument that is not: what has no
effect on the numbers that a trained model gives is listed too. What differs between the Kerases is told
by the era, 1, 2 or 3.
"""

from dataclasses import dataclass

from .. import layers
from ..activations import ACTIVATIONS
from ..cells import GRUCell, LSTMCell, SimpleRNNCell
from ..errors import FormatError, NumbarnnError
from ..given.shapes import is_shape
from ..layers import StackedRNNCells
from .filling import Moments

#: Arguments of every layer's that change no number here; `dtype` and `name` are taken by themselves.
_COMMON = {
    "trainable", "batch_input_shape", "batch_shape", "input_shape", "input_dtype", "activity_regularizer",
    "input_dim", "input_length",
}  # fmt: skip
_WEIGHTS = {
    f"{weight}_{what}"
    for weight in ("kernel", "recurrent", "bias", "beta", "gamma", "embeddings", "moving_mean",
                   "moving_variance")
    for what in ("initializer", "regularizer", "constraint")
} | {"unit_forget_bias", "seed", "use_cudnn", "renorm_clipping",
     "renorm_momentum"}  # fmt: skip
#: Arguments that may be there as long as they ask for nothing.
_NOTHING = {
    "lora_rank": (None,), "lora_alpha": (None,), "quantization_config": (None,), "groups": (1,),
    "data_format": ("channels_last", None), "rms_scaling": (False,), "renorm": (False,),
    "synchronized": (False,), "sparse": (False,), "ragged": (False,), "optional": (False,),
    "robust_masking": (False,), "dynamic": (False,), "fused": (None, True, False),
    "virtual_batch_size": (None,), "adjustment": (None,), "noise_shape": (None,),
    "reverse_state_order": (False,), "cpu_only": (False,), "invert": (False,),
}  # fmt: skip
_RECURRENT = (
    "return_sequences", "return_state", "go_backwards", "stateful", "unroll", "time_major",
    "zero_output_for_mask",
)  # fmt: skip
_KERASES = ("keras", "tf_keras", "tensorflow")
_CELL = ("units", "activation", "recurrent_activation", "use_bias", "dropout", "recurrent_dropout",
         "implementation")  # fmt: skip
#: Keras 1's words for arguments.
_KERAS1 = {
    "output_dim": "units", "inner_activation": "recurrent_activation", "bias": "use_bias", "p": "rate",
    "dropout_W": "dropout", "dropout_U": "recurrent_dropout", "nb_filter": "filters",
    "filter_length": "kernel_size", "subsample_length": "strides", "border_mode": "padding",
}  # fmt: skip
_KERAS1_IGNORED = {
    "init", "inner_init", "forget_bias_init", "W_regularizer", "U_regularizer", "b_regularizer",
    "W_constraint", "U_constraint", "b_constraint", "consume_less", "input_dim", "input_length", "weights",
}  # fmt: skip


@dataclass(frozen=True)
class _Entry:
    """A class of Keras's: what it is here, and its arguments that are handed on, under our names."""

    make: object
    arguments: dict
    takes_dtype: bool = False
    fixed: dict | None = None
    masks: bool = False


def _entry(make, *names, dtype=False, fixed=None, masks=False, **renamed):
    return _Entry(make, {**{name: name for name in names}, **renamed}, dtype, fixed, masks)


def _spatial_dropout(rate=0.5, **named):
    return layers.Dropout(rate, noise_shape=(None, 1, None), **named)


def _normalization(axis=-1, mean=None, variance=None, **named):
    """What was adapted has its numbers beside the config; until they are there it does nothing."""
    # Without an axis there is one number for all features.
    axis = -1 if axis in (None, [], ()) else axis
    if mean is None and variance is None:
        mean, variance = 0.0, 1.0
    return layers.Normalization(axis, mean, variance, **named)


_SIGMOIDS = {"activation": "tanh", "recurrent_activation": "sigmoid"}
_CUDNN = tuple(name for name in _RECURRENT if name != "unroll")
_NORM = ("axis", "epsilon", "center", "scale")
_POOL = ("pool_size", "strides", "padding")

LAYERS = {
    "SimpleRNN": _entry(layers.SimpleRNN, *_CELL, *_RECURRENT, dtype=True),
    "LSTM": _entry(layers.LSTM, *_CELL, *_RECURRENT, dtype=True),
    "GRU": _entry(layers.GRU, *_CELL, *_RECURRENT, "reset_after", dtype=True),
    "CuDNNLSTM": _entry(layers.LSTM, "units", *_CUDNN, dtype=True, fixed=_SIGMOIDS),
    "CuDNNGRU": _entry(
        layers.GRU, "units", *_CUDNN, dtype=True, fixed={**_SIGMOIDS, "reset_after": True}
    ),
    "RNN": _entry(layers.RNN, "cell", "num_constants", *_RECURRENT, dtype=True),
    "Bidirectional": _entry(layers.Bidirectional, "layer", "backward_layer", "merge_mode"),
    "TimeDistributed": _entry(layers.TimeDistributed, "layer"),
    "Dense": _entry(layers.Dense, "units", "activation", "use_bias", dtype=True),
    "Embedding": _entry(layers.Embedding, "input_dim", "output_dim", "mask_zero", dtype=True),
    "Masking": _entry(layers.Masking, "mask_value"),
    "Dropout": _entry(layers.Dropout, "rate", "noise_shape"),
    "SpatialDropout1D": _entry(_spatial_dropout, "rate"),
    "Activation": _entry(layers.Activation, "activation"),
    "ReLU": _entry(layers.ReLU, "max_value", "negative_slope", "threshold"),
    "LeakyReLU": _entry(layers.LeakyReLU, "alpha", negative_slope="alpha"),
    "Softmax": _entry(layers.Softmax, "axis", masks=True),
    "LayerNormalization": _entry(layers.LayerNormalization, *_NORM, dtype=True),
    "BatchNormalization": _entry(layers.BatchNormalization, *_NORM, "momentum", dtype=True),
    "Normalization": _entry(_normalization, "axis", "mean", "variance", dtype=True),
    "GlobalAveragePooling1D": _entry(layers.GlobalAveragePooling1D, "keepdims"),
    "GlobalMaxPooling1D": _entry(layers.GlobalMaxPooling1D, "keepdims"),
    "MaxPooling1D": _entry(layers.MaxPooling1D, *_POOL),
    "AveragePooling1D": _entry(layers.AveragePooling1D, *_POOL),
    "Flatten": _entry(layers.Flatten),
    "Reshape": _entry(layers.Reshape, "target_shape"),
    "Permute": _entry(layers.Permute, "dims"),
    "RepeatVector": _entry(layers.RepeatVector, "n"),
    "ZeroPadding1D": _entry(layers.ZeroPadding1D, "padding"),
    "Conv1D": _entry(
        layers.Conv1D, "filters", "kernel_size", "strides", "padding", "dilation_rate", "activation",
        "use_bias", dtype=True,
    ),
    "Concatenate": _entry(layers.Concatenate, "axis", masks=True),
    **{
        name: _entry(getattr(layers, name), masks=True)
        for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
    },
}  # fmt: skip
CELLS = {
    "SimpleRNNCell": _entry(SimpleRNNCell, *_CELL),
    "LSTMCell": _entry(LSTMCell, *_CELL),
    "GRUCell": _entry(GRUCell, *_CELL, "reset_after"),
    "StackedRNNCells": _entry(StackedRNNCells, "cells"),
}
#: Classes that hold layers, which the readers take apart.
MODELS = ("Sequential", "Functional", "Model")


class Maker:
    """Makes layers of configs.

    Parameters
    ----------
    era : int
        Of the Keras that wrote them: 1, 2 or 3.
    cells : dict of str -> class
        Cells of the caller's, by the names that they were registered under.

    Attributes
    ----------
    classes : dict of int -> str
        The file's class of everything made, by its `id`.
    frozen : set of int
        The `id` of every layer whose weights are not trainable.
    adapted : dict of int -> Moments
        By the `id` of a `Normalization`, what waits for its numbers.
    """

    def __init__(self, era, cells):
        self.era, self.cells = era, cells
        self.classes, self.frozen, self.adapted = {}, set(), {}

    def described(self, data, where):
        """Class and arguments of something that was serialized.

        Raises
        ------
        FormatError
            If it is no such thing.
        """
        name = data.get("class_name") if isinstance(data, dict) else None
        config = data.get("config") if isinstance(data, dict) else None
        if not isinstance(name, str) or not isinstance(config, (dict, list)):
            raise FormatError(f"{where} must have a class_name and a config; got {data!r:.100}.")
        registered = data.get("registered_name")
        if isinstance(registered, str) and ">" in registered:
            name = registered
        return name, config

    def layer(self, data):
        """A layer that holds no list of layers.

        Raises
        ------
        FormatError
            If its class is not known here, or one of its arguments is not.
        """
        name, config = self.described(data, "a layer")
        called = config.get("name") if isinstance(config, dict) else None
        where = f"layer {called!r:.80} ({name:.80})"
        if name == "Lambda":
            raise FormatError(
                f"{where} is code, which is never run; take what comes before it with until={called!r:.80}."
            )
        if name not in LAYERS or not isinstance(config, dict):
            raise FormatError(
                f"{where} is not supported; what comes before it is read with until={called!r:.80}."
            )
        return self._made(LAYERS[name], name, config, where)

    def _cell(self, data, where):
        name, config = self.described(data, f"the cell of {where}")
        own = self.cells.get(name)
        if own is not None:
            return self._own_cell(own, name, config, where)
        if name not in CELLS or not isinstance(config, dict):
            raise FormatError(
                f"cell {name!r:.80} of {where} is not known (pass a cell of your own as "
                f"cells={{{name!r:.80}: class}})."
            )
        return self._made(CELLS[name], name, config, f"a cell of {where}", named=False)

    def _own_cell(self, kind, name, config, where):
        """A cell of the caller's class, from its config without what Keras adds to every one."""
        config = {
            key: value for key, value in config.items() if key not in ("dtype", "name", "trainable")
        }
        try:
            cell = kind.from_config(config) if hasattr(kind, "from_config") else kind(**config)
        except (NumbarnnError, TypeError, ValueError, KeyError) as error:
            raise FormatError(f"cell {name!r:.80} of {where} cannot be made: {error}") from error
        self.classes[id(cell)] = name.rpartition(">")[2]
        return cell

    def _made(self, entry, name, config, where, named=True):
        arguments = dict(entry.fixed or {})
        for key, value in config.items():
            if self.era == 1 and key not in entry.arguments:
                if key in _KERAS1_IGNORED:
                    continue
                key = _KERAS1.get(key, key)
            if key in entry.arguments:
                arguments[entry.arguments[key]] = self._value(key, value, where)
            elif key == "dtype":
                if entry.takes_dtype:
                    arguments["dtype"] = _dtype(value, where)
            elif key == "name":
                if named:
                    arguments["name"] = str(value)[:200]
            elif not self._has_no_effect(key, value):
                raise FormatError(f"{where} with {key:.80}={value!r:.80} is not supported.")
        if arguments.get("zero_output_for_mask") and not arguments.get("return_sequences"):
            raise FormatError(
                f"{where} with zero_output_for_mask=True and no sequences is not supported: Keras then "
                "gives 0 where the last step is masked."
            )
        self._add_defaults(entry, arguments)
        try:
            made = entry.make(**arguments)
        except (NumbarnnError, TypeError, ValueError) as error:
            raise FormatError(f"{where} cannot be made: {error}") from error
        self.classes[id(made)] = name
        if isinstance(made, layers.Normalization) and config.get("mean") is None:
            self.adapted[id(made)] = Moments(made)
        if config.get("trainable") is False:
            self.frozen.add(id(made))
        return made

    @staticmethod
    def _has_no_effect(key, value):
        if key in _NOTHING:
            return not isinstance(value, (list, dict)) and value in _NOTHING[key]
        return key in _COMMON or key in _WEIGHTS

    def _add_defaults(self, entry, arguments):
        """What a missing argument meant in that era."""
        if self.era < 3 and entry.make in (layers.LSTM, layers.GRU, LSTMCell, GRUCell):
            arguments.setdefault("recurrent_activation", "hard_sigmoid")
            if entry.make in (layers.GRU, GRUCell):
                arguments.setdefault("reset_after", False)
        if entry.masks:
            arguments["mask_rule"] = "keras3" if self.era == 3 else "keras2"

    def _value(self, key, value, where):
        if key in ("activation", "recurrent_activation"):
            return self._activation(value, where)
        if key == "cell":
            return self._cell(value, where)
        if key == "cells":
            if not isinstance(value, list):
                raise FormatError(f"{where} must have a list of cells; got {value!r:.80}.")
            return [self._cell(each, where) for each in value]
        if key in ("layer", "backward_layer"):
            return None if value is None else self.model(value)
        if isinstance(value, dict):
            raise FormatError(f"{where} with {key:.80}={value!r:.80} is not supported.")
        return value

    def model(self, data):
        """A layer within another; a reader that knows models puts its own here."""
        return self.layer(data)

    def _activation(self, value, where):
        """An activation by its name; the config of a function is its name too."""
        if value is None:
            return "linear"
        name = value
        if isinstance(value, dict):
            # A function of Keras's own; one of the user's may have the same name.
            module, name = str(value.get("module")), value.get("config")
            if value.get("class_name") != "function" or module.partition(".")[0] not in _KERASES:
                name = None
        if name == "hard_sigmoid" and self.era == 3:
            return "hard_sigmoid_keras3"
        if isinstance(name, str) and name in (*ACTIVATIONS, "softmax"):
            return name
        raise FormatError(f"{where} with the activation {value!r:.80} is not supported.")


def _dtype(value, where):
    """float32 or float64, of a name or of a policy."""
    if isinstance(value, dict):
        config = value.get("config")
        value = config.get("name") if isinstance(config, dict) else None
    if value in (None, "float32"):
        return "float32"
    if value == "float64":
        return value
    raise FormatError(f"{where} must compute in float32 or float64; got {value!r:.80}.")


def input_of(data):
    """Shape, with the batch, and name of an input layer."""
    config = data.get("config")
    config = config if isinstance(config, dict) else {}
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    name = config.get("name", data.get("name"))
    if not isinstance(shape, list) or not is_shape(shape) or not shape:
        raise FormatError(f"input {name!r:.80} must have a shape; got {shape!r:.80}.")
    if config.get("sparse") or config.get("ragged"):
        raise FormatError(f"input {name!r:.80} must be dense; it is sparse or ragged.")
    return tuple(shape), str(name), config.get("dtype")
