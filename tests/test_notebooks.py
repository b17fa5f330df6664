"""Notebooks run to the end, offline, show a picture, and are committed without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks_and_they_are_numbered():
    assert [int(path.name[:2]) for path in NOTEBOOKS] == list(range(1, 8))
    for path in NOTEBOOKS:
        first, *_ = nbformat.read(path, as_version=4).cells
        assert first.source.startswith(f"# {int(path.name[:2])}. ")


@EACH
def test_a_notebook_is_stored_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.fixture(scope="module")
def client():
    """One kernel for all, as its start and imports take longer than most notebooks."""
    client = NotebookClient(
        nbformat.v4.new_notebook(), timeout=120, resources={"metadata": {"path": str(FOLDER)}}
    )
    yield client
    client.nb = nbformat.v4.new_notebook()
    client.execute(cleanup_kc=True)


@pytest.mark.slow
@EACH
def test_a_notebook_runs_to_the_end(path, client):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    before = sorted(FOLDER.rglob("*"))
    client.nb = notebook
    client.execute(cleanup_kc=False)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    for output in outputs:
        assert output.output_type != "stream" or output.name != "stderr", output.text
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert sorted(FOLDER.rglob("*")) == before


OWN_CELL = """
import sys
import numpy as np
import numbarnn as nr
from numbarnn.compile.cache import STATISTICS

class Mine(nr.Cell):
    units = state_size = 1

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        h = 0.8125 * states[0] + x[0]
        return h, (h,)

before = STATISTICS.misses
print(float(nr.RNN(Mine())(np.ones((1, 2, 1)))[0, 0]), STATISTICS.misses - before)
"""


@pytest.mark.slow
def test_a_cell_that_a_notebook_defines_is_found_by_another_kernel(client):
    def told(client, *sources, **options):
        client.nb = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, sources)])
        client.execute(**options)
        return client.nb.cells[-1].outputs[0].text.split()

    first = told(client, "%reset -f", OWN_CELL, cleanup_kc=False)
    other = NotebookClient(nbformat.v4.new_notebook(), timeout=120)
    again = told(other, "pass", "pass", OWN_CELL)
    edited = told(client, OWN_CELL.replace("0.8125", "0.3125"), cleanup_kc=False)
    assert first[0] == again[0] == "1.8125"
    assert edited[0] == "1.3125"
    assert int(first[1]) > 0 == int(again[1])
    assert int(edited[1]) > 0
