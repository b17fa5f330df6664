"""Models put together of calls of layers."""

from dataclasses import dataclass, field

import numpy as np

from ..configs import deserialized, serialized
from ..errors import ArgumentError
from ..given.arrays import as_list, as_numbers
from ..given.nesting import flattened, is_nested, mapped, packed_like, top_level
from ..given.ragged import Ragged
from ..given.shapes import checked_shapes, is_shape
from ..markup import table
from .composed import Composed
from .graph import Input, Symbol, is_symbolic, nodes_before, symbolic_call
from .layer import Layer, numbered_names
from .repeated_model import casts

#: Arguments of a call, beside the inputs, that may be symbols.
FURTHER = ("initial_state", "constants", "mask")


@dataclass
class _Call:
    """One call of a layer; arrays are told by their numbers, inputs of the model first.

    Attributes
    ----------
    layer : int
        Its place among the layers of the model.
    inputs : int or nest of int
    outputs : int or nest of int
    further : dict of str -> nest of int
    unmasked : bool
        Whether the layer gets no mask, though what follows does.
    shapes : list of tuple
        Those of the outputs, one after the other.
    """

    layer: int
    inputs: object
    outputs: object
    further: dict = field(default_factory=dict)
    unmasked: bool = False
    shapes: list = field(default_factory=list)

    def needed(self):
        """The numbers of all arrays that it reads."""
        nests = [self.inputs, *self.further.values()]
        return [number for nest in nests for number in flattened(nest)]

    def config(self):
        """The call as plain data."""
        config = {"layer": self.layer, "inputs": self.inputs, **self.further}
        return {**config, "unmasked": True} if self.unmasked else config


class Model(Composed):
    """Layers in a graph: with several inputs and outputs, shared layers, and models as layers.

    Masks are handed on as in Keras: each array has the mask that the layer it comes from gives it.

    Parameters
    ----------
    inputs : Symbol, or a list, tuple or dict of them
        Made by `numbarnn.Input`.
    outputs : Symbol or a nest of them
        What layers gave that were called with the inputs, or with what came of them.
    name : str, optional

    Attributes
    ----------
    layers : list of Layer
        In the order in which they are first run; of the same name, they get a number.
    input_names : list of str

    Raises
    ------
    ArgumentError
        If an input is none made by `Input`, is missing or stands there twice, or there is no output.

    References
    ----------
    `tf.keras.Model`, made by the functional API.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> one, other = nr.Input((2,), name="one"), nr.Input((2,), name="other")
    >>> model = nr.Model([one, other], nr.Add()([nr.ReLU()(one), other]))
    >>> model([np.array([[-5.0, 1.0]]), np.array([[10.0, 20.0]])])
    array([[10., 21.]])
    """

    def __init__(self, inputs, outputs, name=None, **ignored):
        super().__init__(name, **ignored)
        if not is_symbolic(outputs) or not all(isinstance(s, Symbol) for s in flattened(outputs)):
            raise ArgumentError(f"`outputs` must be symbols, given by layers; got {outputs!r:.80}.")
        self._inputs = self._taken_inputs(inputs)
        numbers = {id(symbol): number for number, symbol in enumerate(flattened(inputs))}
        self._inputs_nest = mapped(lambda symbol: numbers[id(symbol)], inputs)
        self.layers, self._calls = [], []
        places = {}
        for node in nodes_before(outputs):
            if id(node.layer) not in places:
                places[id(node.layer)] = len(self.layers)
                self.layers.append(node.layer)
            for symbol in flattened(node.outputs):
                numbers[id(symbol)] = len(numbers)
            self._calls.append(
                _Call(
                    places[id(node.layer)],
                    self._numbered(node.inputs, numbers),
                    self._numbered(node.outputs, numbers),
                    {key: self._numbered(nest, numbers) for key, nest in node.further.items()},
                    node.unmasked,
                    [symbol.shape for symbol in flattened(node.outputs)],
                )
            )
        self._outputs_nest = self._numbered(outputs, numbers)
        self._output_shapes = [symbol.shape for symbol in flattened(outputs)]
        names = list(numbered_names(layer.name for layer in self.layers))
        for layer, unique in zip(self.layers, names, strict=True):
            layer.name = unique
        self._plan()

    def _taken_inputs(self, inputs):
        """Inputs, in order: their shapes, names and dtypes."""
        seen = set()
        for symbol in flattened(inputs):
            if not isinstance(symbol, Symbol) or symbol.node is not None:
                raise ArgumentError(f"`inputs` must be made by nr.Input; got {symbol!r:.80}.")
            if id(symbol) in seen:
                raise ArgumentError(f"`inputs` must hold each input once; got {symbol!r} twice.")
            seen.add(id(symbol))
        if not seen:
            raise ArgumentError("`inputs` must hold at least one input; got none.")
        symbols = flattened(inputs)
        names = numbered_names(symbol.name or "input" for symbol in symbols)
        return [
            Symbol(s.shape, None, name, s.dtype) for s, name in zip(symbols, names, strict=True)
        ]

    @staticmethod
    def _numbered(nest, numbers):
        def number(symbol):
            if id(symbol) not in numbers:
                raise ArgumentError(
                    f"`inputs` must hold every input that the outputs come from; {symbol!r} is missing."
                )
            return numbers[id(symbol)]

        return mapped(number, nest)

    def _plan(self):
        """After which call each array is needed no more."""
        last = {number: -1 for number in flattened(self._outputs_nest)}
        self._freed = [[] for _ in self._calls]
        for place in reversed(range(len(self._calls))):
            for number in self._calls[place].needed():
                if number not in last:
                    last[number] = place
                    self._freed[place].append(number)

    @property
    def input_names(self):
        """The names of the inputs, in order."""
        return [symbol.name for symbol in self._inputs]

    @property
    def input_shape(self):
        """The shape of the inputs, or a nest of shapes, with None for sizes that are free."""
        return mapped(lambda number: self._inputs[number].shape, self._inputs_nest)

    @property
    def output_names(self):
        """The names of the layers that the outputs come from, in order; of the same name, numbered."""
        names = {number: symbol.name for number, symbol in enumerate(self._inputs)}
        for call in self._calls:
            for number in flattened(call.outputs):
                names[number] = self.layers[call.layer].name
        return list(numbered_names(names[number] for number in flattened(self._outputs_nest)))

    def walked(self, values, visit):
        """What comes out if ``visit(layer, values)`` is run in place of every layer that is called.

        Raises
        ------
        ArgumentError
            If a layer is called with more than inputs.
        """
        known = dict(enumerate(self._flat_inputs("inputs", values)))
        for call in self._calls:
            layer = self.layers[call.layer]
            if call.further:
                raise ArgumentError(
                    f"`{layer.name}` must be called with its inputs only; got {sorted(call.further)}."
                )
            inputs = mapped(lambda number: known[number], call.inputs)
            outputs = layer.walked(inputs, visit)
            places = zip(flattened(call.outputs), flattened(outputs), strict=True)
            known.update(places)
        return mapped(lambda number: known[number], self._outputs_nest)

    def compute_output_shape(self, input_shape=None):
        """The shapes of the outputs, in their structure; the batch is that of the inputs.

        Sizes that `Input` left free stay free.
        """
        batch = None
        if input_shape is not None:
            shape = checked_shapes(input_shape, 1)
            while not is_shape(shape):
                shape = next(iter(shape.values() if isinstance(shape, dict) else shape))
            batch = shape[0]
        return packed_like(
            self._outputs_nest, [(batch, *shape[1:]) for shape in self._output_shapes]
        )

    @property
    def gives_one(self):
        """Whether a call gives one array, not a list."""
        return not is_nested(self._outputs_nest)

    def _flat_inputs(self, argument, values, default=False):
        """One entry per input, of a structure like that of the inputs, or by their names."""
        nest, count = self._inputs_nest, len(self._inputs)
        if default and values is None:
            return [None] * count
        if isinstance(values, dict) and not isinstance(nest, dict):
            if set(values) != set(self.input_names):
                raise ArgumentError(
                    f"`{argument}` must hold the inputs {self.input_names}; got {sorted(values)}."
                )
            return [values[name] for name in self.input_names]
        if not is_nested(nest):
            return [values]
        if isinstance(nest, dict):
            good = isinstance(values, dict) and values.keys() == nest.keys()
            entries = [values[key] for key in sorted(nest)] if good else []
        else:
            good = isinstance(values, (list, tuple)) and len(values) == len(nest)
            entries = list(values) if good else []
        if not good or len(entries) != count:
            got = f"{len(values)}" if isinstance(values, (list, tuple)) else type(values).__name__
            raise ArgumentError(
                f"`{argument}` must hold one entry for each of the inputs {self.input_names}; got {got}."
            )
        return entries

    def _checked_input(self, symbol, value):
        if isinstance(value, Ragged):
            return value
        array = as_numbers(symbol.name, value)
        wanted = symbol.shape
        good = array.ndim == len(wanted) and all(
            size in (None, found) for size, found in zip(wanted, array.shape, strict=True)
        )
        if not good:
            raise ArgumentError(f"`{symbol.name}` must have shape {wanted}; got {array.shape}.")
        return array if symbol.dtype is None else array.astype(symbol.dtype, copy=False)

    def __call__(self, inputs, mask=None, lengths=None, training=None):
        """Run the model.

        Parameters
        ----------
        inputs : array_like, Ragged, or a structure of them
            As the model was made with, or a dict by the names of the inputs.
        mask, lengths : array_like, or a structure of them, optional
            As in `RNN.__call__`, for each of the inputs.
        training : bool, optional
            Whether dropout acts.

        Returns
        -------
        ndarray, Ragged, or a structure of them
            As the outputs that the model was made with.

        Raises
        ------
        ArgumentError
            If the inputs are not those of the model.
        """
        return self._run(inputs, mask, lengths, training)

    def _given(self, inputs):
        return self._flat_inputs("inputs", inputs)

    def _returned(self, results):
        return packed_like(self._outputs_nest, results)

    def _taken(self, given):
        return packed_like(self._inputs_nest, given)

    def first_dtypes(self):
        """See `Composed`."""
        found = []
        for number, symbol in enumerate(self._inputs):
            readers = [self.layers[call.layer] for call in self._calls if number in call.needed()]
            is_given_back = number in flattened(self._outputs_nest)
            found.append((symbol.dtype, not is_given_back and all(map(casts, readers))))
        return found

    def passed(self, values, mask, lengths, training):
        """Outputs of a call, and their masks."""
        given = [
            self._checked_input(symbol, value)
            for symbol, value in zip(self._inputs, self._flat_inputs("inputs", values), strict=True)
        ]
        told = [
            None if each is None else as_numbers("lengths", each)
            for each in self._flat_inputs("lengths", lengths, True)
        ]
        known = {
            number: found
            for number, found in enumerate(
                zip(
                    given,
                    self._flat_inputs("mask", mask, True),
                    told,
                    strict=True,
                )
            )
        }
        for call, freed in zip(self._calls, self._freed, strict=True):
            self._run_call(call, known, training)
            for number in freed:
                known.pop(number, None)
        outputs = mapped(lambda number: known[number][0], self._outputs_nest)
        return outputs, mapped(lambda number: known[number][1], self._outputs_nest)

    def _run_call(self, call, known, training):
        layer = self.layers[call.layer]
        values, masks, lengths = (
            mapped(lambda number, part=part: known[number][part], call.inputs) for part in range(3)
        )
        further = {
            name: mapped(lambda number: known[number][0], nest)
            for name, nest in call.further.items()
        }
        masks = further.pop("mask", masks)
        length = next((one for one in flattened(lengths) if one is not None), None)
        # A model is told the lengths of each of its inputs.
        told = lengths if isinstance(layer, Model) and length is not None else length
        if call.unmasked:
            following = layer.compute_mask(values, masks)
            outputs, _ = layer.passed(values, None, told, training, **further)
        else:
            outputs, following = layer.passed(values, masks, told, training, **further)
        length = length if layer.keeps_time else None
        if not is_nested(call.outputs):
            known[call.outputs] = outputs, following, length
            return
        if following is None:
            following = [None] * len(top_level(call.outputs))
        places = zip(top_level(call.outputs), top_level(outputs), top_level(following), strict=True)
        for place, output, one in places:
            if is_nested(place):
                one = None
            for number, array in zip(flattened(place), flattened(output), strict=True):
                known[number] = array, one, length

    def compute_mask(self, inputs, mask=None):
        """The masks of the outputs."""
        return self.passed(inputs, mask, None, False)[1]

    def emit(self, inputs, what="last"):
        """Run a model of one input and one output over ragged sequences; see `Sequential.emit`.

        Parameters
        ----------
        inputs : Ragged
        what : {"last", "sequence"}
            The output, of each row after its last time step where there is one for every step (0
            for a row without steps); or the outputs of all time steps.

        Returns
        -------
        ndarray of shape (batch, units), or Ragged

        Raises
        ------
        ArgumentError
            If the model has several inputs or outputs, or has not what is asked for.
        """
        if len(self._inputs) != 1 or not self.gives_one:
            raise ArgumentError(
                f"`{self.name}` must have one input and one output to be run so; it has the inputs "
                f"{self.input_names} and {len(self._output_shapes)} outputs."
            )
        if not isinstance(inputs, Ragged):
            raise ArgumentError(f"`inputs` must be an nr.Ragged; got {type(inputs).__name__}.")
        output = self(inputs if not is_nested(self._inputs_nest) else [inputs])
        ragged = isinstance(output, Ragged)
        if what not in ("last", "sequence") or (what == "sequence" and not ragged):
            raise ArgumentError(
                f"`what` must be 'last'{' or ' + repr('sequence') if ragged else ''} for the graph "
                f"{self.name!r}; got {what!r}."
            )
        if what == "sequence" or not ragged:
            return output
        found = np.zeros((len(output), *output.values.shape[1:]), output.values.dtype)
        rows = output.lengths > 0
        found[rows] = output.values[output.offsets[1:][rows] - 1]
        return found

    def get_config(self):
        """The model as plain data: its layers, and how each is called.

        Arrays are numbered: first the inputs, then the outputs of call after call.
        """
        inputs = [
            {"shape": list(symbol.shape), "name": symbol.name, "dtype": symbol.dtype}
            for symbol in self._inputs
        ]
        return {
            **super().get_config(),
            "inputs": inputs,
            "structure": self._inputs_nest,
            "layers": serialized(self.layers),
            "calls": [call.config() for call in self._calls],
            "outputs": self._outputs_nest,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make a model from what `get_config` gave.

        Raises
        ------
        ArgumentError
            If a class is not known, or the calls do not make a graph.
        """
        config = dict(config)
        parts = {name: config.pop(name, None) for name in ("inputs", "layers", "calls")}
        nests = config.pop("structure", None), config.pop("outputs", None)
        layers = deserialized(parts["layers"], custom_objects)
        return cls.from_calls(parts["inputs"], layers, parts["calls"], *nests, **config)

    @classmethod
    def from_calls(cls, inputs, layers, calls, structure, outputs, **keywords):
        """Make a model from layers and a list of their calls, as `get_config` describes them.

        Raises
        ------
        ArgumentError
            If the calls do not make a graph.
        """
        known = [
            Input(batch_shape=each["shape"], name=each["name"], dtype=each["dtype"])
            for each in as_list("inputs", inputs)
        ]

        def symbols(nest):
            return mapped(lambda number: _at(known, number), nest)

        first = symbols(structure)
        for call in as_list("calls", calls):
            layer = _at(as_list("layers", layers), call["layer"])
            if not isinstance(layer, Layer):
                raise ArgumentError(f"`layers` must be layers; got {type(layer).__name__}.")
            further = {name: symbols(call[name]) for name in FURTHER if name in call}
            unmasked = call.get("unmasked") is True
            known += flattened(symbolic_call(layer, symbols(call["inputs"]), unmasked, **further))
        return cls(first, symbols(outputs), **keywords)

    def summary(self):
        """Print the layers, what they are called with, and how many weights they have."""
        print(self._table())

    def _sources(self):
        """What every array is called: an input, or a layer that gives it."""
        sources = {number: symbol.name for number, symbol in enumerate(self._inputs)}
        for call in self._calls:
            name = self.layers[call.layer].name
            for index, number in enumerate(flattened(call.outputs)):
                sources[number] = name if not index else f"{name}[{index}]"
        return sources

    def _repr_html_(self):
        sources, seen = self._sources(), set()
        rows = [(symbol.name, "Input", symbol.shape, "", None) for symbol in self._inputs]
        for call in self._calls:
            layer = self.layers[call.layer]
            shape = call.shapes[0] if len(call.shapes) == 1 else call.shapes
            given = ", ".join(sources[number] for number in call.needed())
            # The weights of a layer that is called twice count once.
            count = 0 if call.layer in seen else layer.count_params()
            seen.add(call.layer)
            rows.append((layer.name, layer._title, shape, given, count))
        ends = ", ".join(sources[number] for number in flattened(self._outputs_nest))
        head = ("layer", "class", "output shape", "called with", "params")
        return table("Model", head, rows, f"{self.name} \N{RIGHTWARDS ARROW} {ends}")

    def _table(self):
        sources = self._sources()
        rows = [(symbol.name, "Input", str(symbol.shape), "", "") for symbol in self._inputs]
        for call in self._calls:
            layer = self.layers[call.layer]
            given = ", ".join(sources[number] for number in call.needed())
            rows.append((layer.name, type(layer).__name__, "", f"{layer.count_params():,}", given))
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = [f"Model({self.name!r}, {self.count_params():,} weights)"]
        for name, kind, shape, count, given in rows:
            line = f"  {name:<{widths[0]}}  {kind:<{widths[1]}}  {count:>{widths[3]}}  {given or shape}"
            lines.append(line.rstrip())
        ends = ", ".join(sources[number] for number in flattened(self._outputs_nest))
        return "\n".join([*lines, f"  -> {ends}"])

    def __repr__(self):
        return self._table()


def _at(entries, number):
    """An entry by its number; an ArgumentError if there is none."""
    if type(number) is not int or not 0 <= number < len(entries):
        raise ArgumentError(
            f"`calls` must name arrays and layers by numbers below {len(entries)}; got {number!r:.80}."
        )
    return entries[number]
