"""Imports point one way, and Numba is imported only when something is compiled."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import numbarnn

ROOT = Path(numbarnn.__file__).parent

#: From the ground up: a room may import from those below its own line, and from its own room.
FLOORS = [
    {"errors", "machine", "markup"},
    {"elementary", "elementwise", "dot", "initializers", "files", "given", "threads"},
    {"activations", "configs", "weights"},
    {"lanes"},
    {"compile"},
    {"stages"},
    {"loop"},
    {"cuda"},
    {"forms"},
    {"cell"},
    {"cells"},
    {"layers"},
    {"operators", "reading"},
    {"explain", "formats", "embed", "over_time"},
    {"data"},
    {"plot"},
    {"demo"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
#: Hands the public names on; it belongs to no floor, and only the command line may ask it.
FACE = {"__init__", "__main__"}


def room_of(path):
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imported_rooms(path):
    """The rooms that a module imports from, imports inside functions included."""
    package = path.relative_to(ROOT.parent).with_suffix("").parts
    package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = list(package[: len(package) - node.level + 1])
                parts = base + (node.module.split(".") if node.module else [])
            else:
                parts = (node.module or "").split(".")
            if parts[0] != "numbarnn":
                continue
            if len(parts) > 1:
                yield parts[1], node.lineno
            else:
                for name in node.names:
                    known = name.name in FLOOR_OF
                    yield (name.name if known else "__init__"), node.lineno
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "numbarnn":
                    yield ([*name.name.split("."), "__init__"])[1], node.lineno


MODULES = sorted(path for path in ROOT.rglob("*.py") if room_of(path) not in FACE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    room = room_of(path)
    assert room in FLOOR_OF, f"{room} has no floor: give it one in this test"
    for other, line in imported_rooms(path):
        if other == room:
            continue
        if other == "__init__":
            assert room in ("demo", "cli"), f"{path}:{line} imports the package's face"
            continue
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{path}:{line}: {room} must not import {other}"


@pytest.mark.parametrize("room", ["loop", "compile"])
def test_the_loop_and_the_compiler_name_no_cell(room):
    import re

    words = re.compile(r"lstm|gru\b|\bSimpleRNN|keras|peephole", re.IGNORECASE)
    for path in (ROOT / room).rglob("*.py"):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert not words.search(line), f"{path}:{number}: {line}"


def run(code, **environ):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environ},
    )  # fmt: skip


def test_ready_made_layers_are_built_without_numba(tmp_path):
    code = """
import sys
import numbarnn as nr
model = nr.Sequential([nr.Embedding(9, 4), nr.Bidirectional(nr.LSTM(3, return_sequences=True)),
                       nr.RNN([nr.GRUCell(3), nr.SimpleRNNCell(2)]), nr.Dense(2)])
model.build((None, None))
repr(model), model.get_weights(), nr.tanh(0.5)
assert "numba" not in sys.modules, "numba was imported"
assert "llvmlite" not in sys.modules
model([[1, 2]])
print("numba" in sys.modules)
"""
    # Compiled by the first process, found on the disk by the second.
    for expected in ("True", "False"):
        result = run(code, NUMBARNN_CACHE_DIR=str(tmp_path))
        assert result.returncode == 0, result.stderr
        assert result.stdout.strip() == expected


def test_optional_libraries_are_imported_only_when_used():
    result = run(
        "import sys, numbarnn\n"
        "found = {'pyarrow', 'sklearn', 'dask', 'pandas', 'safetensors', 'matplotlib', 'h5py', 'onnx', 'scipy'} & set(sys.modules)\n"
        "assert not found, found"
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("module", "use", "line"),
    [
        ("pyarrow", "from numbarnn.data.parquet import run_parquet; run_parquet(m, 'a', 'b', 'c')", "arrow"),
        ("pyarrow", "m.run([])", "arrow"),
        ("sklearn.base", "import numbarnn.data.transformer", "sklearn"),
        ("distributed", "from numbarnn.data.on_dask import run_on_dask; list(run_on_dask(m, [], 1, None))", "dask"),
        ("safetensors", "m.save('x')", "safetensors"),
        ("h5py", r"open('x', 'wb').write(b'\x89HDF\r\n\x1a\n'); nr.load('x')", "keras"),
        ("onnx", r"open('x', 'wb').write(b'\x08\x08\x3a\x00'); nr.load('x')", "onnx"),
        ("onnx", "m.to_onnx('x')", "onnx"),
        ("matplotlib", "nr.plot.confusion([0], [0], ['a'])", "plot"),
    ],
)  # fmt: skip
def test_a_missing_extra_says_how_to_install_it(module, use, line, tmp_path):
    code = f"""
import sys
sys.modules[{module!r}] = None
import numbarnn as nr
m = nr.Sequential([nr.Dense(2)]); m.build((None, 3))
try:
    {use}
except nr.MissingExtraError as error:
    assert isinstance(error, ImportError)
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert f"pip install 'numbarnn[{line}]'" in result.stdout, result.stderr


def test_every_public_name_is_documented():
    for name in numbarnn.__all__:
        value = getattr(numbarnn, name)
        assert value.__doc__, name


def test_test_modules_have_names_of_their_own():
    found = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    again = {name for name in found if found.count(name) > 1}
    assert not again, "pytest collects modules by their names alone"
