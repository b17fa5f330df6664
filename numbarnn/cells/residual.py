"""Cells past which their input is led: added, or mixed in by a gate."""

from ..elementary import sigmoid
from ..errors import ArgumentError
from ..forms import output_nest, output_units
from ..given.nesting import shape_of
from ..given.shapes import flattened_shapes
from ..initializers import get_initializer
from ..stages import Map, Stage, step
from .wrapper import CellWrapper


def _check_square(wrapper, input_shape):
    given, output = flattened_shapes(input_shape)[0][1:], shape_of(output_nest(wrapper.cell))
    if given != output:
        wanted, got = f"the shape {output} at each step", given
        if len(given) == len(output) == 1:
            wanted, got = f"{output[0]} features", given[0]
        raise ArgumentError(
            f"`inputs` of {type(wrapper).__name__} must have {wanted}, as the output of its cell has; "
            f"got {got}."
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

    output_state: int | None = None

    def build(self, input_shape):
        """Build the cell inside, for inputs of shape (batch, features)."""
        super().build(input_shape)
        _check_square(self, input_shape)

    def around(self, stages):
        """The cell's stages, and one that adds."""
        width = output_units(self.cell)
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
    output_state: int | None = None

    def __init__(self, cell, carry_initializer="glorot_uniform"):
        super().__init__(cell)
        get_initializer(carry_initializer, "carry_initializer")
        self.carry_initializer = carry_initializer

    def build(self, input_shape):
        """Make the gate and build the cell inside, for inputs of shape (batch, features)."""
        super().build(input_shape)
        _check_square(self, input_shape)
        width = output_units(self.cell)
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
            units=output_units(self.cell),
        )
        return (*stages, mixed)

    @step(per="unit")
    def step(x, r, states, params):
        """One unit of the output."""
        carry = sigmoid(x[0])
        return carry * x[1] + (1 - carry) * r[0], states
