"""What the benchmarks measure, and what their report says of it; nothing is timed here."""

import ast
import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

import numbarnn as nr

FOLDER = Path(__file__).parent.parent / "benchmarks"


def module(name):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def inside(cell):
    """The types of a cell and of all cells in it."""
    found = set()
    while cell is not None:
        found.add(type(cell))
        cell = getattr(cell, "cell", None)
    return found


def test_every_public_cell_is_measured():
    made = [told.make(8) for told in module("built_in").CELLS.values()]
    measured = {kind for cell in made for kind in inside(cell)}
    public = {getattr(nr, name) for name in nr.__all__ if name.endswith("Cell") and name != "Cell"}
    # The LSTM and the GRU have a suite of their own.
    assert public - measured - {nr.LSTMCell, nr.GRUCell} == set()


@pytest.mark.parametrize(
    ("cell", "products", "kind"),
    [
        # (features + units) * 4 gates; three taps; no maps at all.
        ("PeepholeLSTM", 2 * 3 * (4 + 4) * 16, "unit"),
        ("ConvLSTM1D", 2 * 3 * 4 * 3 * (4 + 4) * 16, "convolution"),
        ("KalmanFilter", 0, "sample"),
    ],
)
def test_multiply_adds_are_counted(cell, products, kind):
    space = (4,) if kind == "convolution" else ()
    case = module("built_in").cell_case(cell, (2, 3, *space, 4, 4))
    assert (case.products, case.kind) == (products, kind)


def test_slow_cells_are_named_with_the_reason():
    rows = [
        {"suite": "catalogue", "what": what, "ratio": ratio, "bound": bound, "kind": kind}
        for what, ratio, bound, kind in (
            ("MGU (1, 2)", 1.1, 0.8, "unit"), ("NAS (1, 2)", 1.3, 0.5, "unit"),
            ("LTC (1, 2)", 0.3, 0.0, "sample"),
        )
    ]  # fmt: skip
    head, _, unit, _, sample = module("report").slow(rows)
    assert head == "Slower than 1.2 times the best peer's speed, and why:"
    assert unit.endswith(": MGU (1, 2) 1.10 [80%].")
    assert sample.startswith("- Steps that see a sample")
    assert sample.endswith(": LTC (1, 2) 0.30.")
    assert list(module("report").slow(rows[1:2])) == []


def test_every_row_that_was_measured_is_reported():
    measured = json.loads((FOLDER / "results.json").read_text())
    report = module("report")
    text = "\n".join(report._section(measured["rows"], measured["versions"], measured["machine"]))
    readme = (FOLDER.parent / "README.md").read_text()
    for row in measured["rows"]:
        what = row["what"].rpartition(", against the table")[0] or row["what"]
        assert what in text, row["what"]
        assert what in readme, f"README.md is older than results.json: {row['what']}"


def extra(name, declared):
    """The packages that an extra brings, and those of the extras that it names."""
    found = set()
    for need in declared["optional-dependencies"][name]:
        package = re.match(r"[\w-]+", need).group()
        if package == "numbarnn":
            for other in re.search(r"\[(.*)\]", need).group(1).split(","):
                found |= extra(other, declared)
        else:
            found.add(package)
    return found


def test_a_fresh_environment_of_the_bench_has_what_it_imports():
    declared = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())["project"]
    there = extra("bench", declared) | {"numba", "numpy", "tqdm", "numbarnn"}
    own = {path.stem for path in FOLDER.glob("*.py")} | {"peers"}
    # The others run under pytest, and on a machine with a device.
    files = [path for path in FOLDER.glob("[!t]*.py") if path.stem != "on_gpu"]
    files += [FOLDER / "token_files.py"]
    for path in files:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            else:
                continue
            for top in {name.partition(".")[0] for name in names}:
                assert top in there | own | set(sys.stdlib_module_names), f"{path.name}: {top}"
