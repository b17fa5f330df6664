"""A layer on the simulated device beside the same layer on the CPU.

Memory that the device hands out is full of NaN, and so are inputs at masked steps. The sums of the device
are added in another order than those of the CPU: the tolerance is that of the CPU against float64.
"""

import numpy as np
from fake_device import fake, on_host

import numbarnn as nr
from numbarnn.given.nesting import flattened, mapped

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}
B, T, F = 3, 4, 3
MASK = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]], bool)
#: All that a layer can return.
ALL = dict(return_sequences=True, return_state=True, return_states="all")
#: What a call can be given, and flags that each of the forms goes with.
FORMS = [
    ("mask", dict(go_backwards=True, keep_order=True)),
    ("lengths", dict(go_backwards=True)),
    ("ragged", dict(zero_output_for_mask=True)),
    ("reset", dict(go_backwards=True, time_major=True)),
    ("reset and lengths", dict(go_backwards=True, keep_order=True)),
    ("plain", dict(go_backwards=True, zero_output_for_mask=True)),
]


def on_device(nest):
    """A nest of arguments on the fake device."""

    def moved(leaf):
        if isinstance(leaf, nr.Ragged):
            return leaf.with_values(fake(leaf.values))
        if isinstance(leaf, nr.Shared):
            return nr.Shared(fake(leaf.array))
        return fake(leaf)

    return mapped(moved, nest)


def assert_same(device, cpu, dtype="float32"):
    found, wanted = flattened(on_host(device)), flattened(on_host(cpu))
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def both(layer, inputs, **given):
    """The results of the device and of the CPU."""
    cpu = layer(inputs, **given)
    lengths = given.get("lengths")
    moved = {name: on_device(value) for name, value in given.items() if name != "lengths"}
    if lengths is not None:
        moved["lengths"] = fake(lengths, np.int64)
    return layer(on_device(inputs), **moved), cpu


def filled(layer, rng):
    """A layer for F features, with random weights."""
    layer.build((None, None, F))
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def cell_of(entry, rng, dtype, units=5, **options):
    layer = entry.made(units, F, rng, dtype=dtype, **options)
    return layer, entry._given(layer)


def poisoned(x, mask):
    return np.where(mask[..., None], x, np.nan)


def arguments(form, rng, time_major=False):
    """The inputs of a call, and what else it is given."""
    x = rng.normal(size=(B, T, F)).astype("f4")
    given = {}
    if "mask" in form:
        x, given["mask"] = poisoned(x, MASK), MASK
    if "reset" in form:
        given["reset_mask"] = rng.random((B, T)) < 0.4
    if time_major:
        given = {name: value.T.copy() for name, value in given.items()}
        x = x.transpose(1, 0, 2).copy()
    if "lengths" in form:
        given["lengths"] = np.array([2, 0, 4])
    if form == "ragged":
        x = nr.Ragged(x.reshape(B * T, F)[:9], [0, 5, 5, 8])
    return x, given


def masked_backwards(entry, rng):
    """What the device and the CPU give for a cell that goes backwards under a mask, from states of its own."""
    layer, given = cell_of(entry, rng, "float32", go_backwards=True, **ALL)
    x = entry.numbers(rng, B, T, entry.features(F, 5)).astype("f4")
    initial = [state.astype("f4") for state in entry.initial(rng, B, layer)]
    inputs = entry.inputs(poisoned(x, MASK))
    return both(layer, inputs, mask=MASK, initial_state=initial, **given)
