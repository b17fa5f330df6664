"""Inputs that are multiplied step by step, where weights come from far: the bits of a chunk of time at once."""

from dataclasses import replace

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.loop import task as slot
from numbarnn.loop.plan import Plan, this_machine
from numbarnn.loop.unit_call import UnitCall

T, F = 9, 3


def far_from_here(monkeypatch):
    """Caches so small that all weights come from far, in blocks of 18; a list that tells which calls may go
    step by step.
    """
    machine = replace(this_machine(), first_cache=1 << 10, second_cache=1 << 10)
    for module in ("prepare", "unit_call"):
        monkeypatch.setattr(f"numbarnn.loop.{module}.this_machine", lambda: machine)

    def planned(samples, *_):
        block = min(samples, 18)
        return Plan(block, 4, -(-samples // block), 1)

    monkeypatch.setattr("numbarnn.loop.unit_call.plan", planned)
    told, made = [], UnitCall.__init__

    def tell(self, *arguments):
        made(self, *arguments)
        told.append(self.tables.entry("stages")[slot.STEPWISE] != 0)
        behind = range(1, sum(len(cell.stages) for cell in self._cells))
        assert not any(self.tables.entry("stages", n)[slot.STEPWISE] for n in behind)

    monkeypatch.setattr(UnitCall, "__init__", tell)
    return told


def pair_of(make, shape, monkeypatch):
    """Two layers of equal weights, of which the second sees those far away; and what it was told."""
    near = make()
    near.build(shape)
    told = far_from_here(monkeypatch)
    far = make()
    far.build(shape)
    far.set_weights(near.get_weights())
    return near, far, told


def both(near, far, monkeypatch, *arguments, **keywords):
    """What the two give."""
    found = far(*arguments, **keywords)
    monkeypatch.undo()
    return near(*arguments, **keywords), found


def assert_same(one, other):
    one, other = (each if isinstance(each, list) else [each] for each in (one, other))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


CELLS = {
    "LSTM": lambda: nr.LSTMCell(40),
    "GRU": lambda: nr.GRUCell(20),
    "one gate": lambda: nr.SimpleRNNCell(70),
    "a second stage without inputs": lambda: nr.ProjectionLSTMCell(40, 24),
    "two layers": lambda: [nr.LSTMCell(24), nr.GRUCell(33)],
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("rows", [17, 18, 97])
def test_every_form_has_the_same_bits(cell, rows, rng, monkeypatch):
    def make():
        return nr.RNN(cell(), return_sequences=True, return_state=True)

    x = rng.normal(size=(rows, T, F)).astype(np.float32)
    near, far, told = pair_of(make, x.shape, monkeypatch)
    assert_same(*both(near, far, monkeypatch, x))
    assert told == [True]


WAYS = {
    "backwards": (dict(go_backwards=True), lambda x: x),
    "time first": (dict(time_major=True), lambda x: np.ascontiguousarray(x.swapaxes(0, 1))),
    "another dtype": ({}, lambda x: x.astype(np.float64)),
    "every other number": ({}, lambda x: np.repeat(x, 2, axis=2)[:, :, ::2]),
    "every other sample": ({}, lambda x: np.repeat(x, 2, axis=0)[::2]),
    "the last output": (dict(return_sequences=False), lambda x: x),
    "float64": (dict(dtype="float64"), lambda x: x.astype(np.float64)),
}


@pytest.mark.parametrize(("settings", "given"), WAYS.values(), ids=WAYS)
def test_inputs_of_every_layout(settings, given, rng, monkeypatch):
    settings = {"return_sequences": True, **settings}
    x = given(rng.normal(size=(20, T, F)).astype(np.float32))
    near, far, told = pair_of(lambda: nr.LSTM(40, **settings), x.shape, monkeypatch)
    assert_same(*both(near, far, monkeypatch, x))
    assert told == [True]


@pytest.mark.parametrize("kind", ["lengths", "mask", "reset", "ragged"])
def test_samples_whose_steps_differ_are_taken_a_chunk_at_once(kind, rng, monkeypatch):
    x = rng.normal(size=(20, T, F)).astype(np.float32)
    flags = rng.random((20, T)) < 0.6
    lengths = rng.integers(0, T + 1, 20)
    keywords = {
        "lengths": dict(lengths=lengths),
        "mask": dict(mask=flags),
        "reset": dict(reset_mask=flags),
    }
    if kind == "ragged":
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        x = nr.Ragged(rng.normal(size=(offsets[-1], F)).astype(np.float32), offsets)

    def make():
        return nr.LSTM(40)

    near, far, _ = pair_of(make, (None, None, F), monkeypatch)
    assert_same(*both(near, far, monkeypatch, x, **keywords.get(kind, {})))


def test_dropped_inputs(rng, monkeypatch):
    x = rng.normal(size=(20, T, F)).astype(np.float32)

    def make():
        return nr.LSTM(40, dropout=0.5, recurrent_dropout=0.25, seed=3, return_sequences=True)

    near, far, told = pair_of(make, x.shape, monkeypatch)
    assert_same(*both(near, far, monkeypatch, x, training=True))
    assert told


def test_two_maps_of_inputs_and_a_normalised_one_are_taken_a_chunk_at_once(rng, monkeypatch):
    x = rng.normal(size=(20, T, 40)).astype(np.float32)
    for cell in (
        lambda: nr.QRNNCell(40),
        lambda: nr.LayerNormLSTMCell(40),
        lambda: nr.IndRNNCell(40),
    ):
        near, far, told = pair_of(lambda cell=cell: nr.RNN(cell()), x.shape, monkeypatch)
        assert_same(*both(near, far, monkeypatch, x))
        assert told == [False]
