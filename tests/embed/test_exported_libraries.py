"""Exported models give the numbers of the layers in programs that know nothing of Python."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import run

import numbarnn as nr
from numbarnn.embed import exported

CC = shutil.which("gcc") or shutil.which("cc")
FORTRAN = shutil.which("gfortran")
SAMPLES, STEPS, FEATURES = 9, 70, 5
needs_a_compiler = pytest.mark.skipif(CC is None, reason="there is no C compiler")
pytestmark = needs_a_compiler

#: Reads inputs, writes the outputs and final states of a batch; then every sample again, step by step.
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "{name}.h"

enum {{ SAMPLES = {samples}, STEPS = {steps}, SIZE = {sequences} ? STEPS : 1 }};

static {kind} x[SAMPLES][STEPS][{NAME}_FEATURES], y[SAMPLES][SIZE][{NAME}_UNITS];
static {kind} states[SAMPLES][{NAME}_STATE_SIZE], own[{NAME}_STATE_SIZE], out[{NAME}_UNITS];
static char work[{NAME}_WORK_BYTES];

int main(void)
{{
    FILE *file = fopen("inputs.bin", "rb");
    if (!file || fread(x, sizeof x, 1, file) != 1 || fclose(file))
        return 10;
    if ({name}_run(SAMPLES, STEPS, &x[0][0][0], 0, &y[0][0][0], 0) != 1)
        return 11;
    if ({name}_run(SAMPLES, STEPS, 0, &states[0][0], &y[0][0][0], 0) != 1)
        return 12;
    if ({name}_run(-1, STEPS, &x[0][0][0], &states[0][0], &y[0][0][0], 0) != 2)
        return 13;
    if ({name}_step(x[0][0], own, 0, work) != 1 || {name}_reset_states(-2, own) != 2)
        return 14;
    if ({name}_reset_states(0, 0) || {name}_run(0, STEPS, 0, 0, 0, 0))
        return 15;
    memset(states, 1, sizeof states);
    if ({name}_reset_states(SAMPLES, &states[0][0]))
        return 16;
    if ({name}_run(SAMPLES, STEPS, &x[0][0][0], &states[0][0], &y[0][0][0], 0))
        return 17;
    for (int b = 0; b < SAMPLES; b++) {{
        {name}_reset_states(1, own);
        for (int t = 0; t < STEPS; t++) {{
            if ({name}_step(x[b][t], own, out, t % 2 ? 0 : work))
                return 18;
            if (SIZE == STEPS && memcmp(out, y[b][t], sizeof out))
                return 19;
        }}
        if (memcmp(out, y[b][SIZE - 1], sizeof out) || memcmp(own, states[b], sizeof own))
            return 20;
    }}
    file = fopen("outputs.bin", "wb");
    if (!file || fwrite(y, sizeof y, 1, file) != 1 || fwrite(states, sizeof states, 1, file) != 1)
        return 21;
    return fclose(file);
}}
"""

FORTRAN_PROGRAM = """
program main
  use, intrinsic :: iso_c_binding
  use {name}_model
  implicit none
  integer(c_int64_t), parameter :: samples = {samples}, steps = {steps}
  real({kind}) :: x({name}_features, steps, samples), y({name}_units, {kept}, samples)
  real({kind}) :: states({name}_state_size, samples)
  character, target :: work({name}_work_bytes)
  integer :: unit
  open(newunit=unit, file="inputs.bin", access="stream", form="unformatted", status="old")
  read(unit) x
  close(unit)
  if ({name}_run(-1_c_int64_t, steps, x, states, y, c_null_ptr) /= 2) error stop 11
  if ({name}_reset_states(samples, states) /= 0) error stop 12
  if ({name}_step(x(:, 1, 1), states(:, 1), y(:, 1, 1), c_loc(work)) /= 0) error stop 13
  if ({name}_reset_states(samples, states) /= 0) error stop 14
  if ({name}_run(samples, steps, x, states, y, c_null_ptr) /= 0) error stop 15
  open(newunit=unit, file="outputs.bin", access="stream", form="unformatted", status="replace")
  write(unit) y, states
  close(unit)
end program
"""


class Doubling(nr.Cell):
    """h' = h / 2 + tanh(x @ kernel), from h = 1."""

    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return np.ones((batch_size, self.units), dtype)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = states[0] / 2 + nr.tanh(x[0])
        return h, (h,)


def filled(layer):
    rng = np.random.default_rng(5)
    layer.build((None, None, FEATURES))
    layer.set_weights([rng.normal(size=w.shape) / len(w) ** 0.5 for w in layer.get_weights()])
    return layer


def stack():
    """An object file, float32, all outputs."""
    cells = [nr.LSTMCell(33), Doubling(7), nr.GRUCell(17)]
    return filled(nr.RNN(cells, return_sequences=True, return_state=True))


def head():
    """A library, float64, the last output."""
    layers = [nr.GRU(9, return_state=False, dtype="float64"), nr.Dense(3, "tanh", dtype="float64")]
    return filled(nr.Sequential(layers))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with both models, and inputs."""
    folder = tmp_path_factory.mktemp("exported")
    written = stack().export(folder / "stack.o")
    assert [path.name for path in written] == ["stack.o", "stack.h", "stack.f90"]
    head().export(str(folder / "libhead.so"))
    return folder


def inputs(dtype):
    return np.random.default_rng(6).normal(size=(SAMPLES, STEPS, FEATURES)).astype(dtype)


def wanted(model, x):
    """Outputs and final states of a model as one row of numbers."""
    if isinstance(model, nr.Sequential):
        (gru, dense) = model.layers
        return np.concatenate([model(x).ravel(), gru(x).ravel()])
    output, *states = model(x)
    sides = [np.concatenate(s, 1) if isinstance(s, (list, tuple)) else s for s in states]
    return np.concatenate([output.ravel(), np.concatenate(sides, 1).ravel()])


def compiled_and_run(command, folder, source, x):
    """Compile a program, run it, and read what it has written."""
    program = folder / "program"
    x.tofile(folder / "inputs.bin")
    arguments = [
        *command,
        "-o",
        str(program),
        source,
        *sorted({"stack.o"} & set(os.listdir(folder))),
    ]
    arguments += [f"-L{folder}", f"-Wl,-rpath,{folder}", "-lhead", "-lm"]
    result = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    result = subprocess.run([str(program)], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return np.fromfile(folder / "outputs.bin", x.dtype)


@pytest.mark.parametrize(("make", "name"), [(stack, "stack"), (head, "head")])
def test_c_programs_get_the_numbers_of_the_layer(make, name, folder):
    if name == "head":
        shutil.copy(folder / "libhead.h", folder / "head.h")
    model = make()
    x = inputs("float32" if name == "stack" else "float64")
    source = PROGRAM.format(
        name=name, NAME=name.upper(), kind={"float32": "float", "float64": "double"}[x.dtype.name],
        samples=SAMPLES, steps=STEPS, sequences=int(name == "stack"),
    )  # fmt: skip
    (folder / f"{name}.c").write_text(source)
    command = [CC, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I", str(folder)]
    assert np.array_equal(compiled_and_run(command, folder, f"{name}.c", x), wanted(model, x))


@pytest.mark.skipif(FORTRAN is None, reason="there is no gfortran")
@pytest.mark.parametrize(("make", "name"), [(stack, "stack"), (head, "head")])
def test_fortran_programs_get_the_numbers_of_the_layer(make, name, folder):
    model = make()
    x = inputs("float32" if name == "stack" else "float64")
    source = FORTRAN_PROGRAM.format(
        name=name, kind={"float32": "c_float", "float64": "c_double"}[x.dtype.name],
        samples=SAMPLES, steps=STEPS, kept="steps" if name == "stack" else "1_c_int64_t",
    )  # fmt: skip
    (folder / f"{name}_main.f90").write_text(source)
    module = "stack.f90" if name == "stack" else "libhead.f90"
    command = [FORTRAN, "-std=f2008", "-Wall", "-Werror", module]
    assert np.array_equal(
        compiled_and_run(command, folder, f"{name}_main.f90", x), wanted(model, x)
    )


def test_an_object_file_needs_the_c_library_and_no_more(folder):
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("there is no nm")
    listed = subprocess.run(
        [nm, "-P", str(folder / "stack.o")], capture_output=True, text=True, check=True
    )
    kinds = dict(line.split()[:2] for line in listed.stdout.splitlines())
    assert {name for name, kind in kinds.items() if kind == "U"} <= {
        "malloc", "free", "memcpy", "memset", "memmove",
    }  # fmt: skip
    seen = {name for name, kind in kinds.items() if kind.isupper() and kind != "U"}
    assert seen == {"stack_run", "stack_step", "stack_reset_states", "stack_about"}


LOADED = """
import sys
import numpy as np
{how}
model = Exported("libhead.so", "head")
x = np.fromfile("x.bin").reshape({shape})
states = model.initial_states(len(x))
model.run(x, states).tofile("y.bin")
print(sorted({{"numba", "llvmlite", "numbarnn"}} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("how", "modules"),
    [
        ("from numbarnn import Exported", "['numbarnn']"),
        (
            f"sys.path.insert(0, {str(Path(exported.__file__).parent)!r})\nfrom exported import Exported",
            "[]",
        ),
    ],
)
def test_python_runs_an_export_without_numba(how, modules, folder):
    model, x = head(), inputs("float64")
    x.tofile(folder / "x.bin")
    result = subprocess.run(
        [sys.executable, "-c", LOADED.format(how=how, shape=x.shape)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == modules
    assert np.array_equal(np.fromfile(folder / "y.bin").reshape(SAMPLES, 3), model(x))


def test_nan_stays_in_its_sample(folder):
    library, model, x = nr.Exported(folder / "libhead.so"), head(), inputs("float64")
    want = model(x)
    x[4, 1, 2] = np.nan
    states = library.initial_states(SAMPLES)
    found = library.run(x, states)
    others = np.arange(SAMPLES) != 4
    assert np.array_equal(found[others], want[others])
    assert np.isnan(found[4]).all()
    assert np.isnan(states[4]).all()


def test_an_exported_library_refuses_what_does_not_fit(folder):
    library = nr.Exported(folder / "libhead.so")
    assert (library.features, library.units, library.state_size) == (FEATURES, 3, 9)
    assert not library.sequences
    states = library.initial_states(2)
    assert not states.any()
    x = np.zeros((2, 4, FEATURES))
    with pytest.raises(
        ValueError, match=r"`inputs` must have shape \(batch, time, 5\); got \(2, 4, 4\)"
    ):
        library.run(x[:, :, :4], states)
    with pytest.raises(ValueError, match=r"`states` must be .* shape \(2, 9\); got \(1, 9\)"):
        library.run(x, states[:1])
    with pytest.raises(ValueError, match=r"`out` must be .* shape \(2, 3\); got \(2, 4\)"):
        library.run(x, states, np.zeros((2, 4)))
    with pytest.raises(ValueError, match="`name` must be that of a model in .*; got 'other'"):
        nr.Exported(folder / "libhead.so", "other")
    with pytest.raises(OSError, match="notes"):
        nr.Exported(folder / "notes.so")


def looking_up(x, table):
    return x * table[0]


TABLE = np.arange(1e6)


class Looking(Doubling):
    @nr.step(per="unit")
    def step(x, r, states, params):
        h = states[0] + x[0] * TABLE[3]
        return h, (h,)


def test_what_cannot_be_exported_is_refused_before_anything_is_written(tmp_path):
    model = head()
    for path, keywords, words in (
        ("a.dll", {}, r"`path` must end in one of \['.o', '.so'\]; got .*a.dll"),
        ("a.o", {"cpu": "vax"}, "`cpu` must be one of .*'native'.*; got 'vax'"),
        ("a.o", {"name": "Upper"}, "`name` must begin with a small letter .*; got 'Upper'"),
        ("2a.o", {}, "`name` must begin with a small letter .*; got '2a'"),
    ):
        with pytest.raises(nr.ArgumentError, match=words):
            model.export(tmp_path / path, **keywords)
    with pytest.raises(nr.ArgumentError, match="`gru` must be built"):
        nr.GRU(3).export(tmp_path / "a.o")
    with pytest.raises(nr.ArgumentError, match="must need no Python to be exported; it uses"):
        filled(nr.RNN(Looking(2))).export(tmp_path / "a.o")
    assert list(tmp_path.iterdir()) == []


OWN = """
import numpy as np
import numbarnn as nr

class Halving(nr.Cell):
    def __init__(self, units):
        super().__init__()
        self.units = self.state_size = units

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = half(states[0]) + x[0]
        return h, (h,)

def half(x):
    return x / 2

layer = nr.RNN(Halving(2))
layer.build((None, None, 2))
layer.export("libown.so")
library = nr.Exported("libown.so")
print(library.run([[[4, 0], [2, 8]]], library.initial_states(1)).tolist())
"""


def test_a_cell_of_a_script_is_exported(tmp_path):
    """No other process could import it."""
    (tmp_path / "script.py").write_text(OWN)
    result = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[[4.0, 8.0]]"  # 4 / 2 + 2, 0 / 2 + 8


def test_a_library_needs_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(nr.ArgumentError, match="must end in '.o', as there is no C compiler"):
        head().export(tmp_path / "a.so")


def test_the_command_line_exports(tmp_path, folder):
    head().save(tmp_path / "head.safetensors")
    result = run("export", "head.safetensors", "libhead.so", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [re.sub(":.*", "", line) for line in result.stdout.splitlines()] == [
        "libhead.so", "libhead.h", "libhead.f90",
    ]  # fmt: skip
    x = inputs("float64")
    libraries = [nr.Exported(place / "libhead.so") for place in (folder, tmp_path)]
    one, other = (library.run(x, library.initial_states(SAMPLES)) for library in libraries)
    assert np.array_equal(one, other)
