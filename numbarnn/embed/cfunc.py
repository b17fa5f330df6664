"""A model as a C function of this process, by address."""

from typing import Any

import numpy as np

from ..errors import ArgumentError
from .compiled import one_or_all
from .signatures import FORMS


class CFunction:
    """A model as a C function; made by `cfunc`.

    Attributes
    ----------
    address : int
        Where it lies; good for as long as this object lives.
    signature : str
        In C.
    ctypes : ctypes function pointer
        The same, to be called from Python or handed to `scipy.LowLevelCallable`.
    features, units : int, or tuple of int
    state_size : int
    dtype : NumPy dtype
    """

    address: int
    signature: str
    features: Any
    units: Any
    state_size: int
    dtype: np.dtype

    def __init__(self, sealed, form, steps=True):
        import llvmlite.binding as llvm

        from ..compile.loader import SYMBOL, load, prepare_llvm, target_machine
        from .c_functions import c_functions, pointers_of

        self.features, self.units = (
            one_or_all(port.numbers for port in ports) for ports in (sealed.inputs, sealed.outputs)
        )
        self.state_size, self.dtype = sealed.state_size, sealed.dtype
        item, features, units = (
            sealed.dtype.itemsize, sealed.inputs[0].numbers, sealed.outputs[0].numbers,
        )  # fmt: skip
        # The weights, and all else that lies at the addresses in the code.
        self._sealed = sealed
        run, reset = (int(number) for number in sealed.numbers[:2])
        text = c_functions("model", sealed, sealed.address, run, reset, steps) + form.text.format(
            entry=SYMBOL, features=features, units=units, unit_bytes=units * item,
            further_bytes=(features - units) * item, state_bytes=self.state_size * item + 1,
            pointers=pointers_of(sealed),
        )  # fmt: skip
        prepare_llvm()
        machine, module = target_machine(), llvm.parse_assembly(text)
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        for function in module.functions:
            if not function.is_declaration and function.name != SYMBOL:
                function.linkage = "internal"
        module.verify()
        image = machine.emit_object(module)
        self.address, self._library = load(image, ("malloc", "free", "memcpy"))
        self.signature = form.shown(sealed)
        self.ctypes = form.ctypes_type(sealed)(self.address)
        # Whoever keeps the pointer keeps what it points to.
        self.ctypes.kept = self

    def __reduce__(self):
        raise TypeError("an address cannot be pickled: pickle the layer that it was made of")

    def __repr__(self):
        return f"CFunction({self.signature!r}, address={self.address:#x})"


def cfunc(model, form: str = "step") -> CFunction:
    """A model as a C function, for ctypes, cffi, SciPy's LowLevelCallable, solvers and the like.

    The weights are those that the model has now: after `set_weights`, make another. Any number of
    threads may call at once, and none needs the GIL. Arrays must not overlap. A status is 0, or says
    that a pointer was null (1), a count below 0 (2), that there was no memory (3), that an id was none of
    the table's (4), with nothing written in all these cases, or that a step raised an exception (5); a
    form without a status gives NaN then. A NaN or an infinity in a sample goes where the equations take
    it, and never into another sample; nothing traps.

    Parameters
    ----------
    model : Layer
        As for `Layer.compiled`.
    form : {"step", "run", "derivative", "integrand", "filter"}
        ``"step"``: one time step of one sample,
        ``int32_t f(const T *inputs, T *states, T *outputs)``; the states are overwritten. Inputs that an
        `Embedding` looks up are ``const int64_t *``. Several inputs, or outputs, are as many pointers, in
        the order of the model's.

        ``"run"``: whole sequences, ``int32_t f(int64_t samples, int64_t steps, const T *inputs,
        T *states, T *outputs)``, arrays as C has them.

        The others begin anew at every call, with the states that a sequence begins with, and are for
        float64 alone. ``"derivative"``: one step, the right-hand side of an ODE, ``void f(double t,
        const double *u, double *du, const double *p)``; the inputs are u, then parameters p if there
        are more features than units. ``"integrand"``: one step, ``double f(int n, double *x, void
        *user_data)``, as `scipy.integrate.quad` and `nquad` take. ``"filter"``: the last output for a
        sequence of numbers, ``int f(double *window, intptr_t size, double *value, void *user_data)``,
        as `scipy.ndimage.generic_filter` takes.

    Returns
    -------
    CFunction

    Raises
    ------
    ArgumentError
        If the model cannot run without Python, or does not fit the form.

    See Also
    --------
    Layer.compiled : for functions under `@njit`.

    Examples
    --------
    >>> import ctypes
    >>> import numbarnn as nr
    >>> layer = nr.RNN(nr.SimpleRNNCell(1, activation=None), dtype="float64")
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[1]], [0]])  # it adds up its inputs
    >>> step = nr.cfunc(layer)
    >>> step.signature
    'int32_t f(const double *inputs, double *states, double *outputs)'
    >>> x, h, y = (ctypes.c_double * 1)(5), (ctypes.c_double * 1)(2), (ctypes.c_double * 1)()
    >>> step.ctypes(x, h, y), y[0]
    (0, 7.0)
    """
    from .graph import graph_of

    if form not in FORMS:
        raise ArgumentError(f"`form` must be one of {list(FORMS)}; got {form!r}.")
    graph, wanted = graph_of(model), FORMS[form]
    if wanted.doubles and graph.dtype != np.float64:
        raise ArgumentError(
            f"`{graph.name}` must have dtype 'float64' for the form {form!r}; it has {graph.dtype.name!r}."
        )
    if wanted.steps:
        graph.check_steps(form)
    if wanted.doubles:
        _check_ports(graph, form)
    sealed = graph.sealed()
    if wanted.fits is not None:
        inputs, outputs = graph.inputs[0], graph.outputs[0]
        if not wanted.fits(inputs, outputs):
            raise ArgumentError(
                f"`{graph.name}` must have {wanted.wanted} for the form {form!r}; it has "
                f"{inputs.numbers} features{' without time steps' * (not inputs.timed)}, "
                f"{outputs.numbers} units and return_sequences={outputs.timed}."
            )
    return CFunction(sealed, wanted, graph.whole is None)


def _check_ports(graph, form):
    """Refuse a model of several inputs or outputs, or of ids, for a form that others call."""
    if len(graph.inputs) > 1 or len(graph.outputs) > 1:
        raise ArgumentError(
            f"`{graph.name}` must have one input and one output for the form {form!r}; it has "
            f"{len(graph.inputs)} and {len(graph.outputs)}."
        )
    if graph.inputs[0].ids:
        raise ArgumentError(
            f"`{graph.name}` must have numbers as inputs for the form {form!r}; it has ids."
        )
