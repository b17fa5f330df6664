"""A step per unit is plain Python: number by number it gives what the compiled layer gives."""

import numpy as np
import pytest
from catalogue import PER_UNIT
from references.normalised import layer_norm


def mapped(map_, operand, units):
    """The values of a map, one row of numbers a gate."""
    operand = np.asarray(operand, np.float64)
    if map_.kernel is None:
        value = np.repeat(operand, units) if len(operand) == 1 else operand
    elif map_.kernel.ndim == 1:
        value = np.tile(operand, len(map_.kernel) // units) * map_.kernel
    else:
        value = operand @ map_.kernel.astype(np.float64)
    if map_.gamma is not None:
        value = layer_norm(value, map_.gamma.astype(np.float64), epsilon=map_.epsilon)
    return (value if map_.bias is None else value + map_.bias).reshape(-1, units)


def values(entries, operands, units):
    return [
        row
        for maps, operand in zip(entries, operands, strict=False)
        for map_ in maps
        for row in mapped(map_, operand, units)
    ]


def one_step(cell, inputs, states):
    """Output and states of one sample, every step called on one unit after the other."""
    operands, states = states, list(states)
    for stage in cell.stages():
        units = stage.units or cell.units
        x, r = values(stage.inputs, inputs, units), values(stage.recurrent, operands, units)
        seen = range(len(states)) if stage.states is None else stage.states
        settings = cell.settings_of(stage.step)
        outputs, news = [], []
        for j in range(units):
            columns = (x, r, [states[i] for i in seen], stage.params)
            numbers = (tuple(float(row[j]) for row in rows) for rows in columns)
            output, new = stage.step(*numbers, **settings)
            outputs.append(output if isinstance(output, tuple) else (output,))
            news.append(new)
        for place, state in enumerate(seen):
            states[state] = np.array([new[place] for new in news], np.float64)
        operands = np.array(outputs, np.float64).T
    return operands[0], states


@pytest.mark.parametrize("entry", PER_UNIT, ids=lambda entry: entry.name)
def test_called_on_python_numbers(entry, rng):
    layer = entry.made(3, 4, rng, dtype="float64", return_state=True)
    x = entry.numbers(rng, 1, 1, entry.features(4, 3))
    initial = entry.initial(rng, 1, layer)
    output, *states = entry.run(layer, x, initial_state=initial)
    inputs = entry.inputs(x[0, 0])
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    wanted, new = one_step(layer.cell, inputs, [state[0] for state in initial])
    np.testing.assert_allclose(output[0], wanted, rtol=0, atol=1e-13)
    for got, want in zip(states, new, strict=True):
        np.testing.assert_allclose(got[0], want, rtol=0, atol=1e-13)
