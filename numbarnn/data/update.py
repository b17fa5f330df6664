"""States of entities, taken on by the steps that have come for them."""

import hashlib
import json
import weakref

import numpy as np

from ..configs import serialized
from ..errors import ArgumentError
from ..forms import initial_states, state_shapes
from ..given.nesting import is_nested
from ..given.ragged import Ragged
from ..layers import RNN, Dense, Embedding, Layer, Sequential, TimeDistributed
from ..layers.array_layer import ArrayLayer
from ..layers.dropout import Dropout
from ..layers.merging import Merging
from ..reading import Elapsed
from .arrow import arrow_from_ragged, arrow_from_rows
from .columns import NEVER, elapsed
from .inputs import input_shapes, packed_inputs, readings_of
from .steps import steps_of
from .store import StateStore, checked_ids
from .tables import as_table

#: Layers that see one time step at a time, as the recurrent ones do.
_BY_STEP = (Dense, Embedding, Dropout, TimeDistributed, Merging)


def recurrent_layers(model):
    """The recurrent layers of a model, in the order in which they run.

    Raises
    ------
    ArgumentError
        If there is none, one runs twice, or a layer sees more than the steps up to now.
    """
    if not model.built:
        raise ArgumentError(f"`{model.name}` must be built before it updates states; it is not.")
    found = []

    def visit(layer, values):
        if isinstance(layer, RNN):
            if layer.go_backwards or layer.time_major or not layer.gives_one:
                raise ArgumentError(
                    f"`{layer.name}` must run forwards, batch first, and return its output alone, to "
                    "update states; it does not."
                )
            if layer in found:
                raise ArgumentError(
                    f"`{layer.name}` must be called once to update states; got twice."
                )
            found.append(layer)
        elif not isinstance(layer, _BY_STEP) and not (
            isinstance(layer, ArrayLayer) and layer.by_step and layer.keeps_time
        ):
            raise ArgumentError(
                f"`{layer.name}` must see one time step at a time to update states; "
                f"{type(layer).__name__} does not."
            )
        return values[0] if isinstance(values, (list, tuple)) else values

    shapes = input_shapes(model)
    names = getattr(model, "input_names", [model.name] * len(shapes))
    for name, shape in zip(names, shapes, strict=True):
        if shape is not None and (len(shape) < 2 or shape[1] is not None):
            raise ArgumentError(
                f"`{name}` must have an entry for every time step to update states (with one for the whole "
                f"row, a row without steps has no output to repeat); its shape is {shape}."
            )
    model.walked(packed_inputs(model, [None] * len(shapes)), visit)
    if not found:
        raise ArgumentError(
            f"`{model.name}` must have a recurrent layer to update states; got none."
        )
    return found


def _plain(value):
    """What stands for a value that is no plain data in a fingerprint."""
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"


_fingerprints: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def fingerprint(model):
    """What tells a model, with its weights, from others: a hexadecimal number."""
    versions = [getattr(cell, "_version", None) for cell in model._cells()] + [model.reading]
    known = _fingerprints.get(model)
    if known is not None and known[0] == versions:
        return known[1]
    try:
        described = serialized(model)
    except ArgumentError:  # an object of a class of one's own, without a config
        described = [_plain(type(cell)) for cell in model._cells()]
    if model.reading is not None:
        described = [described, serialized(model.reading)]
    digest = hashlib.sha256(json.dumps(described, default=_plain, sort_keys=True).encode())
    for name, array in model._named_weights():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    if None not in versions[:-1]:
        _fingerprints[model] = versions, digest.hexdigest()
    return digest.hexdigest()


class _Record:
    """How the states of all recurrent layers and the last output lie in the record of an entity.

    Before the output there are the times of the last step, one for each input that is to be what passes
    between steps; `timed` has their numbers.
    """

    def __init__(self, layers, blank, timed):
        self.layers = layers
        self.layout = []
        for layer in layers:
            shapes = [shape for cell in layer._cells() for shape in state_shapes(cell)]
            dtype = layer.dtype.newbyteorder("<").str
            self.layout += [(f"{layer.name}.{i}", dtype, s) for i, s in enumerate(shapes)]
        times = ["time"] if len(timed) == 1 else [f"time.{number}" for number in timed]
        self.layout += [(name, "<i8", ()) for name in times]
        self.layout.append(("output", blank.dtype.newbyteorder("<").str, blank.shape))
        fields = [(str(i), dtype, shape) for i, (_, dtype, shape) in enumerate(self.layout)]
        self.dtype = np.dtype(fields)
        self._last = [*[NEVER] * len(timed), blank]

    def arrays(self, records):
        """The arrays of entities, (entities, ...), and what is begun with where there is no record."""
        count = len(records)
        new = [i for i, record in enumerate(records) if record is None]
        empty = bytes(self.dtype.itemsize)
        whole = np.frombuffer(b"".join(r or empty for r in records), self.dtype, count)
        found = [
            np.array(whole[name], whole[name].dtype.newbyteorder("=")) for name in self.dtype.names
        ]
        if new:
            begun = [
                state
                for layer in self.layers
                for cell in layer._cells()
                for state in initial_states(cell, len(new), layer.dtype)
            ]
            for array, state in zip(found, [*begun, *self._last], strict=True):
                if state is not None:
                    array[new] = state
        return found

    def initial(self, arrays):
        """The initial states of every layer, in the structure of `return_state`."""
        arrays, found = iter(arrays), []
        for layer in self.layers:
            per_cell = [[next(arrays) for _ in state_shapes(cell)] for cell in layer._cells()]
            found.append(layer.structured(per_cell))
        return found

    def packed(self, arrays):
        """The records of entities, as bytes."""
        whole = np.zeros(len(arrays[-1]), self.dtype)
        for name, array in zip(self.dtype.names, arrays, strict=True):
            whole[name] = array
        size, packed = self.dtype.itemsize, whole.tobytes()
        return [packed[i : i + size] for i in range(0, len(packed), size)]


def _blank_output(model, values, timed):
    """The output of an entity without steps, shape (units,)."""
    none = [each.values[:0] for each in values]
    none = [
        Ragged(each.astype(np.float64) if number in timed else each, [0, 0])
        for number, each in enumerate(none)
    ]
    none = packed_inputs(model, none)
    if isinstance(model, RNN) or (isinstance(model, Sequential) and any(
        isinstance(layer, RNN) for layer in model.layers
    )):  # fmt: skip
        model = model if isinstance(model, Sequential) else Sequential([model])
        return model.emit(none, "last")[0]
    output = model(none)
    if isinstance(output, Ragged):
        return np.zeros(output.values.shape[1:], output.values.dtype)
    return output[0]


def _by_entity(values, entities):
    """The steps of every entity in a row, which rows those are, in order, and where each begins."""
    order = np.argsort(entities, kind="stable")
    lengths = values[0].lengths[order]
    ends = np.cumsum(lengths)
    sorted_already = np.array_equal(order, np.arange(len(order)))
    arrays = []
    for each in values:
        if sorted_already:
            arrays.append(each.values[each.offsets[0] : each.offsets[-1]])
        else:
            shift = np.repeat(each.offsets[:-1][order] - (ends - lengths), lengths)
            arrays.append(each.values[shift + np.arange(len(shift))])
    # Rows of one entity lie side by side.
    counts = np.bincount(entities)
    last = np.cumsum(counts)
    offsets = np.concatenate([[0], np.concatenate([[0], ends])[last]])
    return [Ragged(array, offsets) for array in arrays], order, ends, last


def _advanced(model, layers, initial, steps, ends, emit):
    """The output after every step, or, for "last", after those at which rows end; final states."""
    finals, at_ends = [], False
    states = iter(initial)
    rows = np.diff(ends, prepend=0) > 0

    def visit(layer, values):
        nonlocal at_ends
        if not isinstance(layer, RNN):
            return layer(values)
        outputs, final = layer.outcome(values, True, next(states))
        finals.extend(final)
        if is_nested(outputs):
            raise ArgumentError(
                f"`{layer.name}` must give one array to update states; got several."
            )
        if emit == "last" and not layer.return_sequences:
            at_ends = True
            return _picked(outputs, ends, rows)
        return outputs

    output = model.walked(steps, visit)
    if is_nested(output):
        raise ArgumentError(f"`{model.name}` must have one output to update states; got several.")
    if emit == "last" and not at_ends:
        output = _picked(output, ends, rows)
    return output, finals


def _picked(outputs, ends, rows):
    """The steps at which rows end, of those rows that have any, all in a batch of one."""
    places = ends[rows] - 1
    return Ragged(outputs.values[places], [0, len(places)])


def updated(model, store, ids, values, emit):
    """The outputs of a ragged batch of steps, whose states are read from and written to the store.

    Parameters
    ----------
    values : list of Ragged
        One for each input, with as many steps in every row. Row i holds the next steps of entity
        ``ids[i]``; of an input that is read as `Elapsed`, nanoseconds.

    Returns
    -------
    ndarray or Ragged
    """
    layers = recurrent_layers(model)
    numbers = {}
    entities = np.array([numbers.setdefault(each, len(numbers)) for each in ids], np.int64)
    readings = readings_of(model, len(values))
    timed = [number for number, each in enumerate(readings) if isinstance(each, Elapsed)]
    record = _Record(layers, _blank_output(model, values, timed), timed)
    with store.changing():
        store.claim(fingerprint(model), record.layout)
        before = record.arrays(store.records(list(numbers)))
        if not len(entities):
            return _nothing(before[-1], emit)
        steps, order, ends, last = _by_entity(values, entities)
        times = before[-1 - len(timed) : -1]
        for place, number in enumerate(timed):
            steps[number], times[place] = elapsed(readings[number], steps[number], times[place])
        initial = record.initial(before[:-1])
        steps = packed_inputs(model, steps)
        output, finals = _advanced(model, layers, initial, steps, ends, emit)
        outputs = np.asarray(output.values)
        # Rows without steps have the output of the row before, or the one that is remembered.
        lengths = np.diff(ends, prepend=0)
        count = np.cumsum(lengths > 0) if emit == "last" else ends
        first = np.concatenate([[0], last[:-1]])
        none_yet = (
            count - np.repeat(np.concatenate([[0], count])[first], np.diff(last, prepend=0)) == 0
        )
        after = np.array(before[-1])
        moved = ~none_yet[last - 1]
        after[moved] = outputs[count[last - 1][moved] - 1]
        store.put(zip(numbers, record.packed([*finals, *times, after]), strict=True))
        if emit == "sequence":
            return _in_order(outputs, values[0], order, ends, lengths)
        found = np.empty((len(order), *outputs.shape[1:]), outputs.dtype)
        sorted_rows = before[-1][entities[order]]
        sorted_rows[~none_yet] = outputs[count[~none_yet] - 1]
        found[order] = sorted_rows
        return found


def _nothing(output, emit):
    return Ragged(output, [0]) if emit == "sequence" else output


def _in_order(outputs, values, order, ends, lengths):
    """Outputs of all steps in the order of the rows that were given."""
    starts = np.empty(len(order), np.int64)
    starts[order] = ends - lengths
    offsets = values.offsets - values.offsets[0]
    shift = np.repeat(starts - offsets[:-1], values.lengths)
    return Ragged(outputs[shift + np.arange(len(shift))], offsets)


def update(model, store, ids, values, *, emit="last"):
    """See `Layer.update`."""
    if not isinstance(model, Layer):
        raise ArgumentError(f"`model` must be a layer; got {type(model).__name__}.")
    if not isinstance(store, StateStore):
        raise ArgumentError(f"`store` must be an nr.StateStore; got {type(store).__name__}.")
    if emit not in ("last", "sequence"):
        raise ArgumentError(f"`emit` must be 'last' or 'sequence'; got {emit!r}.")
    if hasattr(ids, "__arrow_c_stream__") or hasattr(ids, "__arrow_c_array__"):
        ids = as_table(ids)[0]
        if ids.num_columns != 1:
            raise ArgumentError(f"`ids` must be one column; got {ids.column_names}.")
        ids = ids.column(0)
    ids = checked_ids(ids)
    recurrent_layers(model)
    steps = steps_of(model, values, len(ids))
    chosen = [each for each, good in zip(ids, steps.valid, strict=True) if good]
    found = updated(model, store, chosen, steps.inputs, emit)
    if steps.kind == "arrow":
        return (arrow_from_ragged if emit == "sequence" else arrow_from_rows)(found, steps.valid)
    return found.values if steps.kind == "array" and emit == "sequence" else found
