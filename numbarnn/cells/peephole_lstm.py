"""The LSTM whose gates see the cell state, with the clipping and coupling that files ask for."""

from ..activations import get_activation, sigmoid, tanh
from ..given.arrays import as_number
from ..stages import Stage, step
from .lstm import LSTMCell

_PEEPHOLES = ("input_gate_peephole", "forget_gate_peephole", "output_gate_peephole")


def clipped(x, limit):
    """`x` cut to ``-limit ... limit``; as it is if the limit is None."""
    if limit is None:
        return x
    return max(min(x, limit), -limit)


def remembered(
    x, r, c, params, activation, recurrent_activation, input_forget, clip, cell_clip,
    output_activation=None,
):  # fmt: skip
    """The new h and c of one unit; h is of c by `activation` too, unless there is another for it."""
    i, f, g, o = x[0] + r[0], x[1] + r[1], x[2] + r[2], x[3] + r[3]
    if len(params) > 0:
        i, f = i + params[0] * c, f + params[1] * c
    i = recurrent_activation(clipped(i, clip))
    if input_forget:
        f = 1 - i
    else:
        f = recurrent_activation(clipped(f, clip))
    c = clipped(f * c + i * activation(clipped(g, clip)), cell_clip)
    if len(params) > 0:
        o = o + params[2] * c
    o = recurrent_activation(clipped(o, clip))
    if output_activation is None:
        return o * activation(c), c
    return o * output_activation(c), c


def checked_limit(argument, limit):
    """A limit of clipping as a float of at least 0, or None."""
    return None if limit is None else as_number(argument, limit, 0)


class PeepholeLSTMCell(LSTMCell):
    """One step of an LSTM whose gates see the cell state, each unit its own.

    For one unit, with x from ``inputs @ kernel + bias`` and r from ``h @ recurrent_kernel``, in the
    order input gate, forget gate, candidate, output gate::

        i  = recurrent_activation(x[0] + r[0] + w_i * c)
        f  = recurrent_activation(x[1] + r[1] + w_f * c)
        c' = f * c + i * activation(x[2] + r[2])
        o  = recurrent_activation(x[3] + r[3] + w_o * c')
        h' = o * activation(c')

    With `input_forget`, ``f = 1 - i``. With `clip`, what goes into the gates' activations and the
    candidate's is cut to ``-clip ... clip`` first; with `cell_clip`, c' is, before anything sees it.

    Parameters
    ----------
    units : int
        Length of the output and of each state; at least 1.
    use_peepholes : bool
        Whether there are w_i, w_f and w_o.
    input_forget : bool
        Whether the forget gate is what the input gate leaves.
    clip, cell_clip : float, optional
        Limits of the pre-activations, and of c.
    output_activation : str or function, optional
        Of c, in place of `activation`.
    arguments
        Those of `LSTMCell`.

    Attributes
    ----------
    kernel : ndarray, shape (features, 4 * units)
    recurrent_kernel : ndarray, shape (units, 4 * units)
    bias : ndarray, shape (4 * units,)
    input_gate_peephole, forget_gate_peephole, output_gate_peephole : ndarray, shape (units,)
        The weights, once `build` has run; w_i, w_f, w_o are the last three.
    state_size : tuple of int
        ``(units, units)``: h, then c.
    output_size : int
        ``units``: the output is h.

    Raises
    ------
    ArgumentError
        If a limit is below 0, or for what `LSTMCell` refuses.

    See Also
    --------
    LSTMCell : without all of this.
    ProjectionLSTMCell : with a smaller h.

    References
    ----------
    F. Gers, J. Schmidhuber, "Recurrent Nets that Time and Count" (2000). The settings are those of
    ONNX's operator LSTM (P, `input_forget`, `clip`) and of TensorFlow 1's LSTMCell
    (`use_peepholes`, `cell_clip`). `input_forget` is the variant CIFG of K. Greff et al., "LSTM: A
    Search Space Odyssey" (2017).

    Examples
    --------
    The output gate sees the new c: shut at 0, open where c has grown to 1:

    >>> import numpy as np
    >>> import numbarnn as nr
    >>> layer = nr.PeepholeLSTM(1, activation=None)
    >>> layer.build((None, None, 1))
    >>> zero, one = np.zeros((1, 4)), np.array([[99.0, 99.0, 1.0, -50.0]])
    >>> layer.set_weights([one, zero, [0, 0, 0, 0], [0], [0], [99]])
    >>> float(layer(np.ones((1, 1, 1)))[0, 0])
    1.0
    """

    def __init__(
        self,
        units,
        *,
        use_peepholes=True,
        input_forget=False,
        clip=None,
        cell_clip=None,
        output_activation=None,
        **arguments,
    ):
        super().__init__(units, **arguments)
        self.use_peepholes = bool(use_peepholes)
        self.input_forget = bool(input_forget)
        self.clip = checked_limit("clip", clip)
        self.cell_clip = checked_limit("cell_clip", cell_clip)
        self.output_activation = None
        if output_activation is not None:
            self.output_activation = get_activation(output_activation, "output_activation")

    def build(self, input_shape):
        """Make the weights for inputs of shape (batch, features)."""
        super().build(input_shape)
        if self.use_peepholes:
            for name in _PEEPHOLES:
                setattr(self, name, self.add_weight(name, (self.units,), self.kernel_initializer))

    def peepholes(self):
        """w_i, w_f, w_o; none without them."""
        return tuple(self.weights[name] for name in _PEEPHOLES if self.use_peepholes)

    def maps(self):
        """The maps of the inputs and of h, as a stage takes them."""
        inputs, recurrent = self.input_map(bias=self.weights.get("bias")), self.recurrent_map()
        return {"inputs": (inputs,), "recurrent": (recurrent,)}

    def stages(self):
        """One stage."""
        return (Stage(self.step, params=self.peepholes(), **self.maps()),)

    @step(per="unit")
    def step(
        x, r, states, params, activation=tanh, recurrent_activation=sigmoid,
        input_forget=False, clip=None, cell_clip=None, output_activation=None,
    ):  # fmt: skip
        """One unit, one time step."""
        _, c = states
        h, c = remembered(
            x, r, c, params, activation, recurrent_activation, input_forget, clip, cell_clip,
            output_activation,
        )  # fmt: skip
        return h, (h, c)
