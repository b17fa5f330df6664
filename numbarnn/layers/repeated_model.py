"""Calls of small models like one before: layer after layer runs without Python in between."""

import threading
from contextlib import suppress
from numbers import Number
from operator import is_, itemgetter

import numpy as np

from ..errors import NumbarnnError
from ..forms import form_of, is_jit_off
from ..loop.kept import Kept
from .bidirectional import Bidirectional
from .dense import Dense
from .embedding import Embedding
from .layer import Layer
from .repeated import begin_with_zeros
from .rnn import RNN

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
#: Dtypes that become ids, and floats, in one step.
_AS_IDS = frozenset(map(np.dtype, ("i1", "i2", "i4", "i8", "u1", "u2", "u4")))
_AS_FLOATS = frozenset(map(np.dtype, ("f2", "f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4")))


def casts(layer):
    """Whether a layer turns what it is given into its dtype before anything else."""
    if isinstance(layer, (RNN, Bidirectional)):
        return all(form_of(cell) == "unit" for cell in layer._cells())
    return isinstance(layer, (Dense, Embedding))


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
    are_plain : bool
        Whether every layer and cell is what its class says, depends on nothing else, and remembers nothing
        between calls.
    """

    def __init__(self, model):
        self.layers, self._fields, self._numbers, self._lists = [], [], [], []
        #: What gives the cells of those layers that are not made of others.
        self._leaves = []
        self.are_plain = True
        self._look_at(model)
        self.cells = [cell for cells in self._leaves for cell in cells()]
        self._versions = [getattr(cell, "_version", None) for cell in self.cells]
        if None in self._versions:
            self.are_plain = False

    def _look_at(self, layer):
        if any(layer is each for each in self.layers):
            return
        self.layers.append(layer)
        fields = vars(layer)
        names = [name for name in fields if not name.startswith("_")]
        # The getter of a single name would give no tuple.
        read = itemgetter("name", "name", *names)
        self._fields.append((read, fields, len(fields), read(fields)))
        if not _is_plain(layer):
            self.are_plain = False
        is_leaf = True
        for name in names:
            value = fields[name]
            if isinstance(value, Number) and not isinstance(value, bool):
                self._numbers.append((fields, name, value))
            if isinstance(value, list):
                self._lists.append((value, list(value)))
            for each in value if isinstance(value, (list, tuple)) else [value]:
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
        # 0 equals -0, and False.
        for fields, name, value in self._numbers:
            if fields[name] is not value:
                return False
        for value, before in self._lists:
            if not _same(value, before):
                return False
        cells, found = self.cells, 0
        for leaf in self._leaves:
            for cell in leaf():
                if (
                    found == len(cells)
                    or cell is not cells[found]
                    or getattr(cell, "_version", None) != self._versions[found]
                ):
                    return False
                found += 1
        return found == len(cells)

    @property
    def weights(self):
        """How many numbers one step is multiplied with, about."""
        tables = sum(each.count_params() for each in self.layers if isinstance(each, Embedding))
        return max(1, self.layers[0].count_params() - tables)


def _is_plain(layer):
    """Whether a layer is what its class says, depends on nothing else, and remembers nothing."""
    kind = type(layer)
    if layer.stateful or kind.__module__.partition(".")[0] != _OWN:
        return False
    for name, value in vars(layer).items():
        # A method of its own, or an array that others may write into.
        if callable(value) and callable(getattr(kind, name, None)):
            return False
        if isinstance(value, np.ndarray) and value.flags.writeable:
            return False
    return not isinstance(layer, RNN) or not layer.built or begin_with_zeros(layer, 1)


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


def _steps_of(sealed, firsts, given):
    """The time steps of arrays; None if they do not fit a model, have none, or not as many."""
    samples, found = len(given[0]), set()
    for port, first, array in zip(sealed.inputs, firsts, given, strict=True):
        row = array.shape[1:]
        if port.timed and row:
            found.add(row[0])
            row = row[1:]
        fits = row == () if port.scalar else len(row) > 0 and np.prod(row) == port.numbers
        if len(array) != samples or not fits or not _is_cast_once(port, sealed.dtype, first, array):
            return None
    steps = found.pop() if found else 1
    return None if found or steps == 0 else steps


def _is_cast_once(port, dtype, first, array):
    """Whether an array ends as it would if it were turned straight into ids, or numbers of a dtype.

    `first` tells which dtype the input is declared to have, and whether what reads it casts it.
    """
    declared, is_read_cast = first
    if port.ids:
        return array.dtype in _AS_IDS and declared in (None, "int32", "int64")
    if array.dtype == dtype and declared in (None, dtype.name):
        return True
    straight = (None, dtype.name, "float64") if is_read_cast else (dtype.name,)
    return array.dtype in _AS_FLOATS and declared in straight


def _fits(port, steps, result):
    """Whether a result is what a port gives of every sample in so many steps."""
    count = len(result) * port.numbers * (port.steps(steps) if port.timed else 1)
    return result.size == count


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
        self.most = MOST_PRODUCTS // self.settings.weights if self.settings.are_plain else -1
        self._calls, self._sealed, self._initial = 0, None, {}
        self._lock = threading.Lock()

    def remember(self, model, given, kind, results):
        """Make calls like one that gave `results` ready, or note that they cannot be."""
        self._calls += 1
        if self._calls < self.patience or kind in self.kinds:
            return
        if not self._lock.acquire(blocking=False):
            return  # another thread makes it ready
        try:
            if not self.is_tried:
                self._sealed = self._sealed_of(model)
                self.is_tried = True
            found = None
            # A step may raise on numbers that were drawn.
            with suppress(Exception), np.errstate(all="ignore"):
                found = self._ready(model, given, results)
            self.kinds.keep(kind, found)
        finally:
            self._lock.release()

    def _sealed_of(self, model):
        """All of a model behind one address; None if it holds what needs Python."""
        # It has run, layer by layer: whatever stands against it here is nothing to tell of.
        with suppress(Exception):
            sealed = model.graph_maker(model).sealed()
            if all(np.dtype(cell.dtype) == sealed.dtype for cell in self.settings.cells):
                return sealed
        return None

    def _ready(self, model, given, results):
        """What runs calls like one; None if it would not give the same."""
        sealed, samples = self._sealed, len(given[0])
        if sealed is None or (len(sealed.inputs), len(sealed.outputs)) != (
            len(given),
            len(results),
        ):
            return None
        if any(type(each) is not np.ndarray or each.dtype != sealed.dtype for each in results):
            return None
        steps = _steps_of(sealed, model.first_dtypes(), given)
        if steps is None or not all(
            len(each) == samples and _fits(port, steps, each)
            for port, each in zip(sealed.outputs, results, strict=True)
        ):
            return None
        if samples not in self._initial:
            self._initial[samples] = np.tile(sealed.initial, (samples, 1))
        found = _Kind(sealed, self._initial[samples], steps, [each.shape for each in results])
        drawn = [_drawn(port, each) for port, each in zip(sealed.inputs, given, strict=True)]
        for numbers, wanted in ((given, results), (drawn, model.in_turn(drawn))):
            again = found(numbers)
            if again is None or not all(map(_are_equal, again, wanted)):
                return None
        return found


def _drawn(port, array):
    """An array like one that is given, of other numbers: the given ones may show nothing."""
    rng = np.random.default_rng(0)
    if port.ids:
        return rng.integers(0, min(port.ids, np.iinfo(array.dtype).max), array.shape).astype(
            array.dtype
        )
    values = 3 * rng.normal(size=array.shape)
    values[rng.random(array.shape) < 0.2] = 0
    return (np.abs(values) if array.dtype.kind == "u" else values).astype(array.dtype)


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
        return "a layer is stateful, patched or of another package, or a cell does not begin with zeros"
    try:
        model.graph_maker(model)
    except NumbarnnError as error:
        return str(error).rstrip(".")
    return None


def _are_equal(one, other):
    return np.array_equal(one, other, equal_nan=True)
