"""ONNX's recurrent nodes to recurrent layers: their weights in Keras's order, and all their attributes."""

import numpy as np

from ..cells import GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell
from ..errors import FormatError
from ..layers import RNN
from ..operators import Recurrence
from ..operators.shaped import (
    PLAIN,
    SHAPED,
    ShapedGRUCell,
    ShapedLSTMCell,
    ShapedSimpleRNNCell,
)

#: For each operator: gates of ONNX's in Keras's order, and the activations where none are named.
GATES = {"RNN": (0,), "GRU": (0, 1, 2), "LSTM": (0, 2, 3, 1)}
_DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
#: Peepholes of ONNX's, i, o, f, in the order i, f, o.
PEEPHOLES = (0, 2, 1)
_KNOWN = {
    "activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "layout",
}  # fmt: skip
_OWN = {"RNN": set(), "GRU": {"linear_before_reset"}, "LSTM": {"input_forget"}}
_WAYS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
#: Activations whose numbers must be told: implementations take others where they are not.
_UNTOLD = ("Affine", "ScaledTanh", "ThresholdedRelu")
_NAMES = {name.lower(): name for name in SHAPED}


def recurrence(step):
    """The layer of a recurrent node.

    Raises
    ------
    FormatError
        If an attribute is not supported, or an array has another shape.
    """
    where = f"node {step.name!r:.80} ({step.operator})"
    try:
        return _Recurrent(step, where).layer()
    except FormatError:
        raise
    except Exception as error:  # whatever comes of an attribute that is text where a number must be
        raise FormatError(f"{where} must have attributes as ONNX says: {error}") from error


class _Recurrent:
    """One recurrent node, read."""

    def __init__(self, step, where):
        self.step, self.where, self.operator = step, where, step.operator
        given = step.attributes
        unknown = sorted(set(given) - _KNOWN - _OWN[self.operator])
        if unknown:
            raise FormatError(
                f"{where} has the attribute {unknown[0]!r:.80}, which is not supported."
            )
        direction = given.get("direction", "forward")
        if direction not in _WAYS:
            raise FormatError(
                f"{where}: `direction` must be one of {list(_WAYS)}; got {direction!r:.80}."
            )
        self.ways = _WAYS[direction]
        self.layout = self._choice("layout", (0, 1))
        self.inputs = [*step.inputs, *[None] * 8][:8]
        if len(step.inputs) > (8 if self.operator == "LSTM" else 6):
            raise FormatError(f"{where} must have fewer inputs; it has {len(step.inputs)}.")
        self.clip = given.get("clip") or None
        if self.clip is not None:
            if not 0 < self.clip < np.inf:
                raise FormatError(
                    f"{where}: `clip` must be a number above 0; got {self.clip!r:.40}."
                )
            self.clip = _plain(self.clip)
        self._shapes()
        self.activations = self._activations()

    def _choice(self, name, values):
        value = self.step.attributes.get(name, 0)
        if value not in values:
            raise FormatError(f"{self.where}: `{name}` must be one of {values}; got {value!r:.40}.")
        return value

    def _shapes(self):
        """Check W, R, B and P against one another."""
        w = self._array(1, "W", None)
        gates = len(GATES[self.operator])
        if w.ndim != 3 or w.shape[0] != len(self.ways) or w.shape[1] % gates or not w.size:
            raise FormatError(
                f"{self.where} must have W of the shape ({len(self.ways)}, {gates} * units, features); "
                f"got {w.shape}."
            )
        ways, rows, self.features = w.shape
        self.units = rows // gates
        if self.step.attributes.get("hidden_size", self.units) != self.units:
            raise FormatError(
                f"{self.where}: `hidden_size` must be {self.units}, as W has; got "
                f"{self.step.attributes['hidden_size']!r:.40}."
            )
        self.w = w
        self.r = self._array(2, "R", (ways, rows, self.units))
        self.b = self._array(3, "B", (ways, 2 * rows))
        self.p = self._array(7, "P", (ways, 3 * self.units)) if self.operator == "LSTM" else None

    def _array(self, index, name, shape):
        """A constant; None if it is absent and may be."""
        found = self.inputs[index]
        if found is None and name in ("B", "P"):
            return None
        if not isinstance(found, np.ndarray):
            raise FormatError(
                f"{self.where} must have {name} as a constant; it is computed or absent."
            )
        if found.dtype not in (np.float32, np.float64) or (shape and found.shape != shape):
            raise FormatError(
                f"{self.where} must have {name} of float32 or float64, of the shape {shape}; "
                f"got {found.dtype}, {found.shape}."
            )
        return found

    def _activations(self):
        """For each direction, a list of name, alpha and beta."""
        given = self.step.attributes
        defaults = _DEFAULTS[self.operator]
        names = given.get("activations", defaults * len(self.ways))
        if len(names) != len(defaults) * len(self.ways):
            raise FormatError(
                f"{self.where} must have {len(defaults)} activations a direction; got {names!r:.200}."
            )
        # Only activations that take numbers use them up.
        alphas, betas = (iter(given.get(f"activation_{which}", ())) for which in ("alpha", "beta"))
        found = []
        for name in names:
            known = _NAMES.get(str(name).lower())
            if known is None:
                raise FormatError(
                    f"{self.where} has the activation {name!r:.40}, which is none of {sorted(SHAPED)}."
                )
            _, alpha, beta = SHAPED[known]
            numbers = []
            for default, told in ((alpha, alphas), (beta, betas)):
                number = None if default is None else next(told, None)
                if number is None and default is not None and known in _UNTOLD:
                    raise FormatError(
                        f"{self.where} must tell alpha and beta of its activation {known}, as there is "
                        "no rule for what they are otherwise."
                    )
                numbers.append(default if number is None else _plain(number))
            found.append([known, *numbers])
        for which, rest in (("alpha", alphas), ("beta", betas)):
            left = len(list(rest))
            if left:
                raise FormatError(
                    f"{self.where} must have as many numbers in `activation_{which}` as its activations "
                    f"{names!r:.200} take; it has {left} more."
                )
        count = len(defaults)
        return [found[way * count : way * count + count] for way in range(len(self.ways))]

    def _is_plain(self, way):
        """Whether the activations of a direction are those that a cell of numbarnn's own takes."""
        words = self._words(way)
        return None not in words and (self.operator != "LSTM" or words[1] == words[2])

    def _words(self, way):
        return [PLAIN.get(tuple(each)) for each in self.activations[way]]

    def _cell(self, way):
        """The cell of one direction, and its weights by name."""
        activations, words = self.activations[way], self._words(way)
        # Both directions have cells of one kind.
        plain = all(map(self._is_plain, range(len(self.ways))))
        arguments = {"use_bias": self.b is not None}
        if self.operator == "RNN":
            if plain and self.clip is None:
                cell = SimpleRNNCell(self.units, words[0], **arguments)
            else:
                cell = ShapedSimpleRNNCell(self.units, activations, self.clip, **arguments)
        elif self.operator == "GRU":
            arguments["reset_after"] = bool(self._choice("linear_before_reset", (0, 1)))
            if plain and self.clip is None:
                cell = GRUCell(self.units, words[1], words[0], **arguments)
            else:
                cell = ShapedGRUCell(self.units, activations, self.clip, **arguments)
        else:
            further = {
                "use_peepholes": self.p is not None,
                "input_forget": bool(self._choice("input_forget", (0, 1))),
            }
            if not plain:
                cell = ShapedLSTMCell(self.units, activations, self.clip, **further, **arguments)
            elif self.clip is not None or any(further.values()):
                cell = PeepholeLSTMCell(
                    self.units, clip=self.clip, activation=words[1], recurrent_activation=words[0],
                    **further, **arguments,
                )  # fmt: skip
            else:
                cell = LSTMCell(self.units, words[1], words[0], **arguments)
        cell.dtype = self.w.dtype
        return cell, self._weights(way, cell)

    def _weights(self, way, cell):
        def ordered(array):
            parts = np.split(array, len(GATES[self.operator]))
            return np.concatenate([parts[gate] for gate in GATES[self.operator]])

        weights = {"kernel": ordered(self.w[way]).T, "recurrent_kernel": ordered(self.r[way]).T}
        if self.b is not None:
            one, other = map(ordered, np.split(self.b[way], 2))
            after = self.operator == "GRU" and cell.reset_after
            weights["bias"] = np.stack([one, other]) if after else one + other
        if self.p is not None:
            parts = np.split(self.p[way], 3)
            for name, part in zip(("input", "forget", "output"), PEEPHOLES, strict=True):
                weights[f"{name}_gate_peephole"] = parts[part]
        return weights

    def layer(self):
        """The node as a layer."""
        layers = []
        for way, backwards in enumerate(self.ways):
            cell, weights = self._cell(way)
            cell.build_from((None, self.features), weights)
            layer = RNN(
                cell, return_sequences=True, return_state=True, go_backwards=backwards,
                keep_order=backwards, time_major=not self.layout, zero_output_for_mask=True,
                dtype=cell.dtype.name, name=f"{self.step.name}_{way}",
            )  # fmt: skip
            layer.build((None, None, self.features))
            layers.append(layer)
        states = 2 if self.operator == "LSTM" else 1
        slots, constants = [], {}
        self._check_starts(states)
        for place, each in enumerate([self.inputs[0], *self.inputs[4 : 5 + states]]):
            if isinstance(each, np.ndarray) and place > 1 and not each.any():
                each = None
            if isinstance(each, np.ndarray):
                if place > 1:
                    constants[place] = each
                slots.append(slot_of(each))
            else:
                slots.append(None if each is None else "input")
        made = Recurrence(
            layers, slots, self.layout, dtype=self.w.dtype.name, name=self.step.name
        )  # fmt: skip
        made.give(constants)
        return made

    def _check_starts(self, states):
        """Check the lengths and the initial states that are constant, as far as the batch is known."""
        lengths, *starts = self.inputs[4 : 5 + states]
        if isinstance(lengths, np.ndarray):
            good = lengths.ndim == 1 and lengths.dtype.kind in "iu" and (lengths >= 0).all()
            if not good:
                raise FormatError(
                    f"{self.where} must have sequence_lens of integers from 0 on, one for each sample; got "
                    f"{lengths.dtype} of the shape {lengths.shape}."
                )
        for start in starts:
            if isinstance(start, np.ndarray):
                ways, units = start.shape[self.layout : self.layout + 1], start.shape[2:]
                if start.ndim != 3 or (*ways, *units) != (len(self.ways), self.units):
                    raise FormatError(
                        f"{self.where} must have initial states of {len(self.ways)} directions and "
                        f"{self.units} units; got the shape {start.shape}."
                    )


def slot_of(array):
    """What a constant is in a layer: a weight, or numbers that are no floats."""
    if array.dtype.kind == "f":
        return {"shape": list(array.shape)}
    return {"dtype": array.dtype.name, "values": array.tolist()}


def _plain(number):
    """A number of float32 as it was written down: 0.2, not 0.200000003."""
    return float(str(np.float32(number)))
