"""What the compilers of C and Fortran are told of a model, whatever it is called and however it branches."""

import shutil
import subprocess

import pytest

from numbarnn.embed import exported
from numbarnn.embed.c_functions import DONE, NEGATIVE_COUNT, NO_MEMORY, NULL_POINTER
from numbarnn.embed.declarations import fortran, header
from numbarnn.loop.parts import EVERY_STEP, Port, fixed
from numbarnn.loop.task import NO_SUCH_ID, STEP_RAISED

FORTRAN = shutil.which("gfortran")
NAME = "a" * 40
TITLE = f"The model {NAME}, made by numbarnn: " + ", ".join(["outputs of all steps"] * 9)


def told(inputs=9, count=EVERY_STEP, ids=0):
    """What there is to tell of a model with several inputs and outputs."""
    return {
        "item": 4, "state_size": 12, "work": 123456789, "step_work": 987654321, "steps": True,
        "inputs": [Port(3, ids, EVERY_STEP, timed=True, scalar=False)] * inputs,
        "outputs": [
            Port(5, 0, count, timed=True, scalar=False),
            *[Port(5, 0, fixed(1), timed=False, scalar=False)] * 8,
        ],
    }  # fmt: skip


def test_no_line_is_too_long_for_fortran(tmp_path):
    text = fortran(NAME, TITLE, told(), "x86-64-v3")
    assert max(map(len, text.splitlines())) <= 132
    assert max(map(len, header(NAME, TITLE, told(), "x86-64-v3").splitlines())) <= 132
    if FORTRAN is None:
        pytest.skip("there is no gfortran")
    (tmp_path / "model.f90").write_text(text)
    command = [FORTRAN, "-std=f2008", "-Wall", "-Werror", "-fsyntax-only", "model.f90"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("count", "least"), [((-4, 2), 4), ((-3, 1), 3), ((-1, 3), 1)])
def test_sequences_that_are_too_short_for_a_window_are_told_of(count, least):
    """By hand: 3 steps have no window of 4, but (3 - 4) / 2 + 1 is 1 where division goes towards 0."""
    told_of = told(1, count)
    steps = f"(steps - {-count[0]}) / {count[1]} + 1"
    assert f"outputs0[samples][{steps}][A_UNITS0] (none if steps < {least}),\n" in header(
        "a", "", told_of, "x86-64-v3"
    )
    assert f"outputs0(5, {steps}, samples) (none if steps < {least}),\n" in fortran(
        "a", "", told_of, "x86-64-v3"
    )


@pytest.mark.parametrize("count", [EVERY_STEP, (0, 1), (2, 3)])
def test_outputs_that_every_sequence_has_are_told_of_without_a_condition(count):
    assert "none if" not in header("a", "", told(1, count), "x86-64-v3")


def test_every_status_is_told_of():
    statuses = {NULL_POINTER, NEGATIVE_COUNT, NO_MEMORY, NO_SUCH_ID, STEP_RAISED}
    assert exported._FAILURES.keys() == statuses
    for write in (header, fortran):
        text = " ".join(write("a", "", told(ids=7), "x86-64-v3").replace("!", "").split())
        assert (
            f"Status: {DONE} done; 1 a pointer is null (states may be, where there are none); 2 a count is "
            "below 0; 3 no memory; 4 an id is not in" in text
        )
        assert (
            "; 5 a step raised an exception, and what was written is worth nothing. After any other but 0, "
            "nothing was written." in text
        )
