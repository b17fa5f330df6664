"""Steps that only borrow arrays count no references; what allocates does, or it would never be freed."""

import pytest

import numbarnn as nr
from numbarnn.compile.objects import module_of
from numbarnn.loop.recipes import SampleStep


def borrowing(inputs, states, weights, constants, output):
    half = len(output) // 2
    nr.elementwise(nr.tanh, output[:half], inputs[:half])
    nr.elementwise(nr.tanh, output[half:], states[0][half:])


def allocating(inputs, states, weights, constants, output):
    output[:] = 2 * (inputs + states[0])


@pytest.mark.parametrize(("step", "counts"), [(borrowing, False), (allocating, True)])
def test_what_allocates_counts(step, counts):
    recipe = SampleStep(
        where="the step", step=step, settings=(), dtype="float32", inputs=(1,), states=(1,), weights=(),
        constants=(), outputs=(1,), scratch=(), one_input=True, one_output=True,
    )  # fmt: skip
    dispatcher, _ = recipe.build()
    assert ("NRT_" in str(module_of(dispatcher, recipe.arguments))) == counts
