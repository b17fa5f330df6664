"""Tables of steps of entities: a scorer that takes states from a store and leaves them there."""

import contextlib

from ..errors import ArgumentError
from ..files import replacing
from ..given.nesting import flattened
from ..layers import Model
from .arrow import filtered
from .columns import read
from .scoring import Scorer
from .steps import check_lengths
from .store import StateStore, checked_ids
from .update import recurrent_layers, updated


@contextlib.contextmanager
def states_of(path, target):
    """A store that begins with the states of one file, and becomes another at the end; None if neither."""
    if path is None and target is None:
        yield None
        return
    if path is not None:
        with open(path, "rb"):
            pass
    with contextlib.ExitStack() as stack:
        place = None if target is None else stack.enter_context(replacing(target))
        before = None if path is None else stack.enter_context(StateStore(path))
        with StateStore.working(place, before) as store:
            yield store


class StatefulScorer(Scorer):
    """A function of tables in which every row holds the next steps of an entity.

    Parameters
    ----------
    model, columns, on_error
        As in `Scorer`.
    emit : {"last", "sequence"}
    identity : str
        The column of the ids.
    store : StateStore
    """

    def __init__(self, model, columns, emit, identity, on_error, store):
        if emit not in ("last", "sequence"):
            raise ArgumentError(
                f"`emit` must be 'last' or 'sequence' with states, which are in the store; got {emit!r}."
            )
        recurrent_layers(model)
        inner = None if isinstance(model, Model) else "last"
        super().__init__(model, columns, inner, (identity,), on_error)
        self._own, self._told, self._identity, self._store = model, emit, identity, store

    def _read(self, reading, array, column, rows):
        # What has passed since the last run's steps, the store knows.
        return read(reading, array, column, rows, times=True)

    def _found(self, inputs, batch, valid, rows):
        ids = batch[self._identity]
        if not valid.all():
            ids = filtered(ids, valid)
        ids = checked_ids(ids, rows[valid], f"Ids in column {self._identity!r}")
        inputs = flattened(inputs)
        check_lengths(inputs, rows[valid])
        return {"output": updated(self._own, self._store, ids, inputs, self._told)}

    def _blank_found(self, inputs):
        none = updated(self._own, self._store, [], flattened(inputs), self._told)
        return {"output": none}

    @contextlib.contextmanager
    def _tried(self):
        with self._store.unchanged():
            yield
