"""Cells around a cell: what they do is one more stage behind the stages of the one inside."""

from copy import copy
from dataclasses import replace
from functools import partial

import numpy as np

from ..cell import Cell
from ..elementary import sigmoid
from ..errors import ArgumentError
from ..forms import build_cell, declared_output, form_of, output_nest
from ..given.shapes import flattened_shapes
from ..initializers import get_initializer
from ..stages import Dropout, Map, Stage, Step, plain_function, step
from .keras_arguments import checked_rate


class CellWrapper(Cell):
    """A cell that runs another, whose step sees one unit, and does something to it.

    It has the states and the weights of the cell inside, and after these its own. A subclass says
    what it does in `around`.

    Parameters
    ----------
    cell : Cell

    Raises
    ------
    ArgumentError
        If `cell` is none whose step sees one unit.
    """

    #: Names of the wrapper's own weights.
    own = ()

    def __init__(self, cell):
        super().__init__()
        if not isinstance(cell, Cell) or form_of(cell) != "unit":
            raise ArgumentError(
                f"`cell` of {type(self).__name__} must be an nr.Cell whose step sees one unit; "
                f"got {cell!r}."
            )
        self.cell = cell
        if cell.own_dtype is not None:
            self.dtype = cell.dtype
            self.__dict__["own_dtype"] = cell.own_dtype

    def around(self, stages):
        """The stages of the wrapper, for those of the cell inside."""
        return stages

    @property
    def units(self):
        """Those of the cell inside."""
        return self.cell.units

    @property
    def state_size(self):
        """That of the cell inside."""
        return self.cell.state_size

    @property
    def output_size(self):
        """That of the cell inside."""
        return declared_output(self.cell)

    @property
    def get_initial_state(self):
        """The method of the cell inside."""
        return self.cell.get_initial_state

    def build(self, input_shape):
        """Build the cell inside."""
        if self.cell.built and self.cell.dtype != self.dtype:
            raise ArgumentError(
                f"`dtype` must be {self.cell.dtype.name!r}, in which the cell inside was built; "
                f"got {self.dtype.name!r}."
            )
        build_cell(self.cell, input_shape, self.dtype)
        again = sorted(set(self.own) & set(self.cell.weights))
        if again:
            raise ArgumentError(
                f"`cell` of {type(self).__name__} must have no weight {again[0]!r} of its own; "
                f"got {self.cell!r}."
            )

    def build_from(self, input_shape, arrays):
        """Build with the given weights, those of the cell inside among them."""
        inside = {name: array for name, array in arrays.items() if name not in self.own}
        self.cell.__dict__["dtype"] = self.dtype
        self.cell.build_from(input_shape, inside)
        super().build_from(input_shape, {name: arrays[name] for name in self.own if name in arrays})

    def stages(self):
        """Those of the cell inside, and what is done to them."""
        return tuple(self.around(tuple(self.cell.stages())))

    def settings_of(self, step):
        """The values of a step's settings; only the cell inside has any."""
        return self.cell.settings_of(step) if step.settings else {}

    # --- the weights inside come first ---------------------------------------------------------

    @property
    def _version(self):
        return self.__dict__["_version"] + self.cell._version

    @property
    def weights(self):
        """The weights by name: those of the cell inside, then the wrapper's own."""
        return {**self.cell.weights, **super().weights}

    def get_weights(self):
        """The weights as a list of arrays of one's own."""
        return self.cell.get_weights() + super().get_weights()

    def checked_weights(self, weights):
        """Copies of arrays that may replace the weights."""
        count = len(self.cell.weights)
        return self.cell.checked_weights(weights[:count]) + super().checked_weights(weights[count:])

    def replace_weights(self, arrays):
        """Replace all weights by arrays that `checked_weights` gave."""
        count = len(self.cell.weights)
        self.cell.replace_weights(arrays[:count])
        super().replace_weights(arrays[count:])

    def snapshot(self):
        """All fields as they are, those of the cell inside too."""
        return {**super().snapshot(), "_inside": self.cell.snapshot()}

    def restore(self, fields):
        """Make everything as it was."""
        fields = dict(fields)
        inside = fields.pop("_inside")
        super().restore(fields)
        self.cell.restore(inside)


def _changed(stage, **fields):
    """A stage like another but for some fields."""
    new = copy(stage)
    new.__dict__.update(fields)
    return new


def _width(cell):
    """Numbers of the output of a cell that is built."""
    return output_nest(cell)


def _check_square(wrapper, input_shape):
    features, width = flattened_shapes(input_shape)[0][-1], _width(wrapper.cell)
    if features != width:
        raise ArgumentError(
            f"`inputs` of {type(wrapper).__name__} must have {width} features, as the output of its "
            f"cell has; got {features}."
        )


class ResidualCell(CellWrapper):
    """A cell to whose output its input is added.

    ``output = inputs + output of the cell``. The states stay as they are. Of several inputs the
    first is added.

    Parameters
    ----------
    cell : Cell
        With a step that sees one unit, and as many features as outputs.

    Raises
    ------
    ArgumentError
        If `cell` is none such, or the inputs have another width.

    References
    ----------
    Y. Wu et al., "Google's Neural Machine Translation System" (2016), section 3.1; TensorFlow's
    `ResidualWrapper`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.ResidualCell(nr.SimpleRNNCell(1, activation=None)), return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[10]], [[1]], [0]])
    >>> layer(np.array([[[1.0], [2.0]]])).ravel()  # 10 + 1, 30 + 2
    array([11., 32.], dtype=float32)
    """

    output_state = None

    def build(self, input_shape):
        """Build the cell inside, for inputs of shape (batch, features)."""
        super().build(input_shape)
        _check_square(self, input_shape)

    def around(self, stages):
        """The cell's stages, and one that adds."""
        width = _width(self.cell)
        added = Stage(self.step, inputs=(Map(),), recurrent=(Map(),), states=(), units=width)
        return (*stages, added)

    @step(per="unit")
    def step(x, r, states, params):
        """One unit of the output."""
        return x[0] + r[0], states


class HighwayCell(CellWrapper):
    """A cell past which a gate leads its input.

    With x from ``inputs @ carry_kernel + carry_bias``, unit by unit::

        carry  = sigmoid(x)
        output = carry * inputs + (1 - carry) * output of the cell

    Parameters
    ----------
    cell : Cell
        With a step that sees one unit, and as many features as outputs.
    carry_initializer : str or function
        Of the gate's kernel; its bias begins at 1.

    Attributes
    ----------
    carry_kernel : ndarray, shape (features, features)
    carry_bias : ndarray, shape (features,)
        The gate's weights, once `build` has run, behind those of the cell.

    Raises
    ------
    ArgumentError
        If `cell` is none such, or the inputs have another width.

    References
    ----------
    R. K. Srivastava, K. Greff, J. Schmidhuber, "Highway Networks" (2015), eq. 3; TensorFlow 1's
    `HighwayWrapper`.

    Examples
    --------
    A gate that is half open:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.HighwayCell(nr.SimpleRNNCell(1, activation=None)), return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[10]], [[1]], [0], [[0]], [0]])
    >>> layer(np.array([[[1.0], [2.0]]])).ravel()  # (1 + 10) / 2, (2 + 30) / 2
    array([ 5.5, 16. ], dtype=float32)
    """

    own = ("carry_kernel", "carry_bias")
    output_state = None

    def __init__(self, cell, carry_initializer="glorot_uniform"):
        super().__init__(cell)
        get_initializer(carry_initializer, "carry_initializer")
        self.carry_initializer = carry_initializer

    def build(self, input_shape):
        """Make the gate and build the cell inside, for inputs of shape (batch, features)."""
        super().build(input_shape)
        _check_square(self, input_shape)
        width = _width(self.cell)
        self.carry_kernel = self.add_weight("carry_kernel", (width, width), self.carry_initializer)
        self.carry_bias = self.add_weight("carry_bias", (width,), "ones")

    def around(self, stages):
        """The cell's stages, and one that mixes."""
        gate = Map(self.carry_kernel, self.carry_bias)
        mixed = Stage(
            self.step,
            inputs=((gate, Map()),),
            recurrent=(Map(),),
            states=(),
            units=_width(self.cell),
        )
        return (*stages, mixed)

    @step(per="unit")
    def step(x, r, states, params):
        """One unit of the output."""
        carry = sigmoid(x[0])
        return carry * x[1] + (1 - carry) * r[0], states


def held_back(function, place, rate, is_output):
    """A step like `function` whose state at `place` moves only ``1 - rate`` of the way."""
    behind = place + 1

    def step(x, r, states, params):
        output, new = function(x, r, states, params)
        # As old + (1 - rate) * (new - old), a state that does not change keeps its bits.
        state = states[place] + (1 - rate) * (new[place] - states[place])
        new = new[:place] + (state,) + new[behind:]
        if is_output:
            output = state
        return output, new

    return step


class ZoneoutCell(CellWrapper):
    """A cell whose states move only part of the way: zoneout, as it is used once it is trained.

    For every state, with z its rate::

        state' = z * state + (1 - z) * (state' of the cell)

    In training each unit keeps its old state with the chance z; this is what is expected of that,
    and what is done with ``training=True`` too.

    Parameters
    ----------
    cell : Cell
        With a step that sees one unit.
    rates : float or sequence of float
        One for all states, or one for each, in 0 ... 1.
    output_state : int, None or "cell"
        The state that the cell's output is, which is then the output after it was held back. None:
        the output stays the cell's. "cell": as the cell's own `output_state` says.

    Raises
    ------
    ArgumentError
        If `cell` is none such, there is not one rate for each state, or `output_state` is no state.

    References
    ----------
    D. Krueger et al., "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.ZoneoutCell(nr.SimpleRNNCell(1, activation=None), 0.5)
    >>> layer = nr.RNN(cell, return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[0]], [0]])
    >>> layer(np.array([[[8.0], [8.0], [0.0]]])).ravel()  # half of the way to 8, 8 and 0
    array([4., 6., 3.], dtype=float32)
    """

    def __init__(self, cell, rates, output_state="cell"):
        super().__init__(cell)
        several = isinstance(rates, (tuple, list, np.ndarray))
        self.rates = [checked_rate("rates", rate) for rate in rates] if several else rates
        if not several:
            self.rates = checked_rate("rates", rates)
        self.output_state = output_state

    def _output_state(self):
        told, cell = self.output_state, self.cell
        while told == "cell":
            told, cell = cell.output_state, getattr(cell, "cell", None)
        return told

    def build(self, input_shape):
        """Build the cell inside."""
        super().build(input_shape)
        count = self._states()
        if isinstance(self.rates, list) and len(self.rates) != count:
            raise ArgumentError(
                f"`rates` must hold {count} numbers, one for each state; got {self.rates}."
            )
        places = [None, *range(count)]
        if self._output_state() not in places:
            raise ArgumentError(
                f"`output_state` must be one of {places}; got {self._output_state()!r}."
            )

    def _states(self):
        size = self.cell.state_size
        return len(size) if isinstance(size, (tuple, list)) else 1

    def around(self, stages):
        """The cell's stages, their steps followed by what holds their states back."""
        return [self._held(stage, stage is stages[-1]) for stage in stages]

    def _held(self, stage, last):
        rates = self.rates if isinstance(self.rates, list) else [self.rates] * self._states()
        seen = range(len(rates)) if stage.states is None else stage.states
        settings = self.cell.settings_of(stage.step)
        function = plain_function(stage.step.function)
        function = partial(function, **settings) if settings else function
        for place, state in enumerate(seen):
            if rates[state]:
                is_output = last and state == self._output_state()
                function = held_back(function, place, rates[state], is_output)
        held = any(rates[state] for state in seen)
        return _changed(stage, step=Step(function, "unit")) if held else stage


class DropoutCell(CellWrapper):
    """A cell with dropout of its inputs, of what its maps see of the states, and of its output.

    It acts under ``training=True`` alone. A mask is drawn once per call and sample, and is the same
    at every time step (variational dropout).

    Parameters
    ----------
    cell : Cell
        With a step that sees one unit; dropout of its own is replaced.
    inputs, states, output : float
        Rates, in 0 ... 1.

    Raises
    ------
    ArgumentError
        If `cell` is none such, or a rate is no number.

    References
    ----------
    Y. Gal, Z. Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks" (2016); TensorFlow's `DropoutWrapper` with `variational_recurrent`.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> cell = nr.DropoutCell(nr.SimpleRNNCell(100), output=0.5)
    >>> layer = nr.RNN(cell, return_sequences=True, seed=1)
    >>> x = np.ones((1, 3, 4))
    >>> bool((layer(x) == 0).any())
    False
    >>> dropped = layer(x, training=True)[0] == 0
    >>> bool(20 < dropped[0].sum() < 80), bool((dropped[0] == dropped[2]).all())
    (True, True)
    """

    def __init__(self, cell, inputs=0.0, states=0.0, output=0.0):
        super().__init__(cell)
        self.inputs, self.states = checked_rate("inputs", inputs), checked_rate("states", states)
        self.output = checked_rate("output", output)
        self.output_state = None if self.output else cell.output_state

    def around(self, stages):
        """The cell's stages, their maps with dropout, and one more for the output."""
        inputs, states = Dropout(self.inputs), Dropout(self.states)
        stages = [
            _changed(
                stage,
                inputs=_dropped(stage.inputs, inputs),
                recurrent=stage.recurrent if number else _dropped(stage.recurrent, states),
            )
            for number, stage in enumerate(stages)
        ]
        if self.output:
            operand = (Map(dropout=Dropout(self.output)),)
            stages.append(Stage(self.step, recurrent=operand, states=(), units=_width(self.cell)))
        return stages

    @step(per="unit")
    def step(x, r, states, params):
        """One unit of the output."""
        return r[0], states


def _dropped(entries, dropout):
    if not dropout.rate:
        return entries
    return tuple(tuple(replace(map_, dropout=dropout) for map_ in maps) for maps in entries)
