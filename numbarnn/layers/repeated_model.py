"""Calls of small models like one before: layer after layer runs without Python in between."""

from contextlib import suppress
from operator import is_, itemgetter

import numpy as np

from ..errors import ArgumentError, CellError
from ..forms import is_jit_off
from ..loop.kept import Kept
from .embedding import Embedding
from .layer import Layer

#: How many kinds of call a model remembers: sequences have many lengths.
_MOST = 256
#: Samples, and products with weights, of the largest calls that are run so: of larger ones Python takes
#: little, and layers run better one by one, in larger blocks and in several threads.
MOST_SAMPLES, MOST_PRODUCTS = 32, 12_000_000
#: How many calls with the same settings there are before a model is made ready, as that takes as long as
#: some hundred calls; twice as many each time that it has changed since.
_PATIENCE = 64
#: The package whose layers do what their classes say.
_OWN = __name__.partition(".")[0]
#: What is cast to ids, and to floats, in one step whose rounding is that of several.
_AS_IDS = frozenset(map(np.dtype, ("i1", "i2", "i4", "i8", "u1", "u2", "u4")))
_AS_FLOATS = frozenset(map(np.dtype, ("f2", "f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4")))


def _same(some, others):
    """Whether two sequences hold the very same objects."""
    return len(some) == len(others) and all(map(is_, some, others))


class _Settings:
    """What was set of a model, of the layers in it and of their cells, at the time of asking.

    Parameters
    ----------
    model : Layer

    Attributes
    ----------
    layers : list of Layer
        The model, and all layers in it.
    """

    def __init__(self, model):
        self.layers, self._fields, self._floats, self._lists = [], [], [], []
        #: What gives the cells of those layers that are not made of others.
        self._leaves = []
        self._look_at(model)
        self._cells = [cell for cells in self._leaves for cell in cells()]
        self._versions = [getattr(cell, "_version", None) for cell in self._cells]

    def _look_at(self, layer):
        if any(layer is each for each in self.layers):
            return
        self.layers.append(layer)
        fields = vars(layer)
        names = [name for name in fields if not name.startswith("_")]
        # The getter of a single name would give no tuple.
        read = itemgetter("name", "name", *names)
        self._fields.append((read, fields, len(fields), read(fields)))
        is_leaf = True
        for name in names:
            value = fields[name]
            if isinstance(value, float):
                self._floats.append((fields, name, value))
            if isinstance(value, list):
                self._lists.append((value, list(value)))
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, Layer):
                    self._look_at(each)
                    is_leaf = False
        if is_leaf and type(layer)._cells is not Layer._cells:
            self._leaves.append(layer._cells)

    def hold(self):
        """Whether nothing was set since."""
        try:
            for read, fields, count, before in self._fields:
                if len(fields) != count or read(fields) != before:
                    return False
        except (KeyError, ValueError):
            return False  # one is gone, or is an array now
        # 0 equals -0, and True 1.0.
        for fields, name, value in self._floats:
            if fields[name] is not value:
                return False
        for value, before in self._lists:
            if not _same(value, before):
                return False
        found = 0
        for leaf in self._leaves:
            for cell in leaf():
                if (
                    found == len(self._cells)
                    or cell is not self._cells[found]
                    or cell._version != self._versions[found]
                ):
                    return False
                found += 1
        return found == len(self._cells)

    @property
    def are_plain(self):
        """Whether every layer and cell is what its class says, and remembers nothing between calls."""
        return None not in self._versions and not any(
            layer.stateful or type(layer).__module__.partition(".")[0] != _OWN
            for layer in self.layers
        )

    @property
    def weights(self):
        """How many numbers one step is multiplied with, about."""
        tables = sum(each.count_params() for each in self.layers if isinstance(each, Embedding))
        return max(1, self.layers[0].count_params() - tables)


class _Kind:
    """Calls of a model with arrays of the same shapes.

    Parameters
    ----------
    sealed : Sealed
    initial : ndarray of shape (samples, state_size)
        What their states begin with.
    steps : int
    shapes : list of tuple
        Those of the results.
    """

    def __init__(self, sealed, initial, steps, shapes):
        self._sealed, self._initial, self._steps, self._shapes = sealed, initial, steps, shapes
        self._dtypes = [np.dtype(np.int64) if port.ids else sealed.dtype for port in sealed.inputs]
        self._samples = len(initial)
        self._size = sealed.work(self._samples, steps)

    def __call__(self, given):
        """What the model gives; None if there is something to be said of what is given."""
        inputs = []
        for array, dtype in zip(given, self._dtypes, strict=True):
            flags = array.flags
            if array.dtype is not dtype or not (flags.c_contiguous and flags.aligned):
                array = np.array(array, dtype, order="C")
            inputs.append(array)
        results = [np.empty(shape, self._sealed.dtype) for shape in self._shapes]
        states = self._initial.copy()
        failed = self._sealed.run(inputs, states, results, self._samples, self._steps, self._size)
        return None if failed else results


def _steps_of(sealed, declared, given):
    """The time steps of arrays; None if they do not fit a model, have none, or not as many."""
    samples, found = len(given[0]), set()
    for port, name, array in zip(sealed.inputs, declared, given, strict=True):
        row = array.shape[1:]
        if port.timed and row:
            found.add(row[0])
            row = row[1:]
        fits = row == () if port.scalar else len(row) > 0 and np.prod(row) == port.numbers
        casts, dtype = (_AS_IDS, "int64") if port.ids else (_AS_FLOATS, sealed.dtype.name)
        known = array.dtype in casts and name in (None, dtype)
        if len(array) != samples or not fits or not known:
            return None
    steps = found.pop() if found else 1
    return None if found or steps == 0 else steps


class _Repeated:
    """What is remembered of a model as long as nothing is set.

    Parameters
    ----------
    model : Layer
    patience : int
        How many calls there must be before it is made ready.
    """

    def __init__(self, model, patience):
        self.settings, self.patience = _Settings(model), patience
        self.kinds, self.is_tried = Kept(_MOST), False
        #: Samples times steps of the largest calls that are run as a whole.
        self.most = MOST_PRODUCTS // self.settings.weights if self.settings.are_plain else 0
        self._calls, self._sealed, self._initial = 0, None, {}

    def remember(self, model, given, kind, results):
        """Make calls like one that gave `results` ready, or note that they cannot be."""
        self._calls += 1
        if self._calls < self.patience or kind in self.kinds:
            return
        if not self.is_tried:
            self.is_tried = True
            with suppress(ArgumentError, CellError):  # if it holds what needs Python
                self._sealed = model.graph_maker(model).sealed()
        found = self._ready(model, given, [each.shape for each in results])
        again = None if found is None else found(given)
        # What would not be the same to the bit is not run so.
        good = again is not None and all(map(_is_same_array, again, results))
        self.kinds.keep(kind, found if good else None)

    def _ready(self, model, given, shapes):
        """What runs calls like one, whose results had such shapes; or None."""
        sealed, samples = self._sealed, len(given[0])
        if sealed is None or (len(sealed.inputs), len(sealed.outputs)) != (len(given), len(shapes)):
            return None
        steps = _steps_of(sealed, model._input_dtypes(), given)
        if steps is None:
            return None
        if samples not in self._initial:
            self._initial[samples] = np.tile(sealed.initial, (samples, 1))
        return _Kind(sealed, self._initial[samples], steps, shapes)


class ModelMemory:
    """The small plain calls that a model has had.

    Parameters
    ----------
    patience : int
        How many calls there must be before it is made ready.
    """

    def __init__(self, patience=_PATIENCE):
        self._repeated, self._patience = None, patience

    def hurry(self):
        """Make the next call ready at once."""
        self._repeated, self._patience = None, 1

    def again(self, model, given, kind):
        """The results of a call like one before; None if there was none, or something was set since."""
        repeated = self._repeated
        found = None if repeated is None else repeated.kinds.get(kind)
        if found is None or is_jit_off() or not repeated.settings.hold():
            return None
        return found(given)

    def remember(self, model, given, kind, results):
        """Make calls like one that gave `results` ready to be run as a whole, if that can be."""
        if is_jit_off() or not 0 < len(given[0]) <= MOST_SAMPLES:
            return
        repeated = self._repeated
        if repeated is None or not repeated.settings.hold():
            if repeated is not None and repeated.is_tried:
                self._patience = 2 * repeated.patience
            self._repeated = repeated = _Repeated(model, self._patience)
        if max(np.prod(each.shape[:2], dtype=np.int64) for each in given) <= repeated.most:
            repeated.remember(model, given, kind, results)


def why_not(model):
    """Why no call of a built model is run as a whole; None if small ones are."""
    if not _Settings(model).are_plain:
        return "it has a stateful layer, or one of another package"
    try:
        model.graph_maker(model)
    except (ArgumentError, CellError) as error:
        return str(error).rstrip(".")
    return None


def _is_same_array(one, other):
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()
