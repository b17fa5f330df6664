"""Kernels compiled for devices that are not there: what is in their code.

Every cell of the catalogue in float32, and in float64 all that they are made of, for sm_80 and sm_90: no double
precision where the cell has none, no calls, nothing spilled.
"""

import re
import shutil
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from catalogue import CATALOGUE

import numbarnn as nr
from numbarnn.activations import ACTIVATIONS
from numbarnn.compile import cache
from numbarnn.cuda.cluster_kernel import ClusterKernel
from numbarnn.cuda.declared import declared
from numbarnn.cuda.kernel import linked
from numbarnn.cuda.multiplied import TILES, choose_tile, tiles
from numbarnn.cuda.normal_kernel import normal_kernel, softmax_kernel
from numbarnn.cuda.packed_cell import device_steps
from numbarnn.cuda.plan import plan_cluster, plan_rows, plan_unit
from numbarnn.cuda.project_kernel import project_kernel
from numbarnn.cuda.sample_program import DeviceSampleProgram
from numbarnn.cuda.small_kernels import MERGED, copy_kernel, merge_kernel
from numbarnn.cuda.stage_kernel import StageKernel
from numbarnn.cuda.unit_kernel import UnitKernel
from numbarnn.forms import declaration_of, output_nest, scratch_shape, state_shapes, step_of
from numbarnn.stages import plain_function

CAPABILITIES = [(8, 0), (9, 0)]
EVERY = [entry for entry in CATALOGUE if entry.per == "unit"]
UNITS = [entry for entry in EVERY if not entry.normalises]
SAMPLES = [entry for entry in CATALOGUE if entry.per == "sample"]


def object_dump():
    """The tool that reads cubins; it comes with the test extra."""
    places = [Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cu13" / "bin" / "cuobjdump"]
    found = next((str(place) for place in places if place.exists()), shutil.which("cuobjdump"))
    assert found, "cuobjdump is part of the test extra"
    return found


def resources(image, tmp_path):
    """(registers, stack, local memory) of a cubin."""
    path = tmp_path / "kernel.cubin"
    path.write_bytes(image)
    told = subprocess.run(
        [object_dump(), "-res-usage", str(path)], capture_output=True, text=True, check=True
    ).stdout
    registers, stack, local = re.findall(r"REG:(\d+) STACK:(\d+) SHARED:\d+ LOCAL:(\d+)", told)[-1]
    return int(registers), int(stack), int(local)


def assert_good(kernel, dtype, tmp_path, stack=0, capabilities=CAPABILITIES):
    text = kernel.assembly()
    assert not re.search(r"^\s*(@%p\d+ )?call", text, re.MULTILINE)
    if dtype == "float32":
        wrong = [line for line in text.splitlines() if ".f64" in line]
        assert not wrong, wrong[:5]
    for capability in capabilities:
        found = resources(linked(text, capability), tmp_path)
        assert found[2] == 0
        assert found[1] <= stack, found
    return text


def instructions(tmp_path):
    """How often each instruction is in the cubin that `resources` has read."""
    told = subprocess.run(
        [object_dump(), "-sass", str(tmp_path / "kernel.cubin")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return Counter(
        re.findall(r"^\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z0-9_.]+)", told, re.MULTILINE)
    )


def loop_of_products(tmp_path):
    """How often each instruction is in the loop with most multiplications of the cubin that `resources` has read."""
    told = subprocess.run(
        [object_dump(), "-sass", str(tmp_path / "kernel.cubin")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = re.findall(
        r"^\s+/\*([0-9a-f]+)\*/\s+(?:@!?U?P\w+ )?([A-Z0-9_.]+)(.*)", told, re.MULTILINE
    )
    places, best = {int(place, 16): i for i, (place, *_) in enumerate(found)}, Counter()
    for i, (_, name, rest) in enumerate(found):
        target = re.search(r"0x([0-9a-f]+)", rest)
        if name.startswith("BRA") and target and places[int(target[1], 16)] < i:
            body = Counter(each for _, each, _ in found[places[int(target[1], 16)] : i + 1])
            best = max(best, body, key=lambda each: each["FFMA"] + each["DFMA"])
    return best


def widths(entry, features, units):
    """The widths of all inputs of a cell of the catalogue, and of its constants."""
    constants = tuple(np.shape(c)[-1] for c in entry.constants(units)) if entry.constants else ()
    return (entry.features(features, units), *entry.further), constants


def declared_cell(cell, features, dtype, constants=()):
    """A cell as a device sees it, built for inputs of these widths."""
    if hasattr(cell, "recurrent_initializer"):
        cell.recurrent_initializer = "zeros"  # an orthogonal matrix takes seconds
    shapes = tuple((None, None, width) for width in features)
    nr.RNN(cell, dtype=dtype).build(shapes if len(shapes) > 1 else shapes[0])
    return declared(declaration_of(cell), features, constants, np.dtype(dtype))


def kinds(found):
    """The dtypes of inputs and of constants, of all that are mapped: the compute type's."""
    for place in ("inputs", "constants"):
        mapped = [map_.operand for stage in found.stages for map_ in getattr(stage, place)]
        yield (f"f{found.dtype.itemsize}",) * (1 + max(mapped, default=-1))


def unit_kernel(
    cell, features, dtype, rows=1, constants=(), kind=UnitKernel, plan=plan_unit, out=None
):
    found = declared_cell(cell, features, dtype, constants)
    return kind(found, plan(found), rows, device_steps(found), *kinds(found), out).kernel()


def made_of(entry):
    """What its kernel is made of: names in the steps, activations, stages, kinds of maps and gates."""
    if entry.per == "sample":
        return set(plain_function(step_of(entry.made_cell(4)).function).__code__.co_names)
    features, constants = widths(entry, 5, 4)
    found = declared_cell(entry.made_cell(4), features, "float32", constants)
    names = {len(found.stages)}
    for stage in found.stages:
        names |= {*plain_function(stage.step).__code__.co_names, *stage.settings.values()}
        for place in ("inputs", "constants", "recurrent"):
            names |= {(place, map_.kind) for map_ in getattr(stage, place)}
            names |= {("gates", map_.gates) for map_ in getattr(stage, place)}
    return names


def in_both_types(entries):
    """Every entry in float32, and in float64 those made of something that none behind them has.

    The first ones are the plainest.
    """
    known, cases = set(), []
    for entry in reversed(entries):
        cases.append(pytest.param(entry, "float32", id=f"{entry.name}-float32"))
        if not made_of(entry) <= known:
            cases.append(pytest.param(entry, "float64", id=f"{entry.name}-float64"))
        known |= made_of(entry)
    return pytest.mark.parametrize(("entry", "dtype"), cases)


@in_both_types(UNITS)
def test_every_cell_per_unit(entry, dtype, tmp_path):
    features, constants = widths(entry, 5, 17)
    kernel = unit_kernel(entry.made_cell(17), features, dtype, constants=constants)
    # In float64 the assembler puts ten numbers of one cell aside on sm_80.
    assert_good(kernel, dtype, tmp_path, stack=0 if dtype == "float32" else 80)


def stage_kernels(found):
    """The kernels of a cell that is run step by step."""
    steps = device_steps(found)
    return [StageKernel(found, s, steps, *kinds(found)).kernel() for s in range(len(steps))]


#: All that are run step by step only, and some that are so when they are large.
STEPPED = [entry for number, entry in enumerate(EVERY) if entry.normalises or number % 5 == 2]


@in_both_types(STEPPED)
def test_cells_step_by_step(entry, dtype, tmp_path):
    features, constants = widths(entry, 5, 300)
    for kernel in stage_kernels(declared_cell(entry.made_cell(300), features, dtype, constants)):
        assert_good(kernel, dtype, tmp_path)


def test_convolutions_step_by_step(tmp_path):
    layer = nr.ConvLSTM2D(24, 3, padding="same")
    layer.build((None, None, 10, 12, 3))
    found = declared(declaration_of(layer.cell), ((10, 12, 3),), (), np.dtype("f4"))
    for kernel in stage_kernels(found):
        assert_good(kernel, "float32", tmp_path)
    for maps in (found.stages[0].inputs, found.stages[0].recurrent):
        kernel = project_kernel(np.dtype("f4"), "f4", TILES[6], maps[0].geometry)
        assert_good(kernel, "float32", tmp_path)


@pytest.mark.parametrize(
    ("cell", "rows"),
    [(nr.LSTMCell(64), 1), (nr.LSTMCell(32), 2), (nr.GRUCell(72), 1), (nr.SimpleRNNCell(150), 1)],
    ids=["LSTM 64", "LSTM 32, two rows", "GRU 72", "SimpleRNN 150"],
)
def test_the_largest_that_the_plan_allows_spill_nothing(cell, rows, tmp_path):
    text = assert_good(unit_kernel(cell, (16,), "float32", rows), "float32", tmp_path)
    assert "ld.shared.v4.f32" in text
    assert "shfl.sync.bfly" in text
    # One barrier in the loop, and two before it.
    assert text.count("bar.sync") == 3


@pytest.mark.parametrize(
    ("cell", "rows", "blocks"),
    [
        (nr.LSTMCell(256), 1, 8),
        (nr.LSTMCell(128), 1, 4),
        (nr.GRUCell(256), 1, 8),
        (nr.SimpleRNNCell(160), 2, 2),
        (nr.PeepholeLSTMCell(130), 1, 8),
    ],
    ids=lambda value: (
        f"{type(value).__name__} {value.units}" if hasattr(value, "units") else str(value)
    ),
)
def test_clusters_of_blocks(cell, rows, blocks, tmp_path):
    turns = 0

    def plan(found):
        nonlocal turns
        planned = plan_cluster(found, (9, 0))
        assert planned.blocks == blocks
        assert plan_rows(found, planned, 10_000, 132) >= rows
        turns = -(-blocks // (planned.lanes // rows))
        return planned

    kernel = unit_kernel(cell, (16,), "float32", rows, kind=ClusterKernel, plan=plan)
    text = assert_good(kernel, "float32", tmp_path, capabilities=[(9, 0)])
    found = instructions(tmp_path)
    # A number of a lane's own row into the shared memory of a block, before the loop and in it.
    assert text.count("st.async.weak.shared::cluster") == 2 * turns
    assert found["STAS"] == 2 * turns
    assert "mapa.shared::cluster" in text
    assert any(name.startswith("SYNCS.PHASECHK") for name in found)  # the wait in the loop
    # Threads of all blocks wait for each other at the beginning and at the end, and not in the loop.
    assert text.count("barrier.cluster.arrive.release") == 2
    loop = text[text.index("mbarrier.try_wait") : text.rindex("barrier.cluster.arrive.release")]
    assert "barrier.cluster" not in loop
    assert loop.count("bar.sync") == 1
    assert "membar" not in text
    assert found["LDS.128"]
    assert not [name for name in found if name.startswith(("STL", "LDL"))]


class Six(nr.Cell):
    """Six activations at once: a kernel of its own for each takes a second."""

    def __init__(self, a, b, c, d, e, f):
        super().__init__()
        self.a, self.b, self.c, self.d, self.e, self.f = a, b, c, d, e, f
        self.units = self.state_size = 4

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params, a=None, b=None, c=None, d=None, e=None, f=None):
        h = a(x[0]) + b(x[0]) + c(x[0]) + d(x[0]) + e(x[0]) + f(x[0])
        return h, (h,)


NAMES = sorted(ACTIVATIONS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("first", range(0, len(NAMES), 6))
def test_every_activation(first, dtype, tmp_path):
    six = [ACTIVATIONS[name] for name in (NAMES[first:] + NAMES)[:6]]
    assert_good(unit_kernel(Six(*six), (4,), dtype), dtype, tmp_path)


def test_what_numpy_and_math_call_by_other_names_and_integers_among_numbers(tmp_path):
    class Own(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = 4

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (input_shape[-1], 8))

        @nr.step(per="unit")
        def step(x, r, states, params):
            (h,) = states
            y = np.exp(-np.abs(x[0])) + np.maximum(x[1], 0) + min(h, 1) + np.where(h > 2, 1, h)
            y = (1 - y) * x[0] + y * (2 * y - 1) / (1 + y * y) + np.sqrt(abs(x[1])) + np.sign(h)
            if y > 1:
                y = y**2
            return nr.fma(y, 2, h), (np.clip(y, -3, 3),)

    assert_good(unit_kernel(Own(), (3,), "float32"), "float32", tmp_path)


@in_both_types(SAMPLES)
def test_every_cell_per_sample(entry, dtype, tmp_path):
    layer = entry.made(4, entry.features(3, 4), np.random.default_rng(0), dtype=dtype)
    cell, step = layer.cell, step_of(layer.cell)
    features, _ = widths(entry, 3, 4)
    constants = tuple(np.shape(c) for c in entry.constants(4)) if entry.constants else ()
    program = DeviceSampleProgram(
        step=step, settings=cell.settings_of(step), weights=list(cell.weights.values()),
        input_shapes=tuple((width,) for width in features),
        state_shapes=state_shapes(cell), constant_shapes=constants, output_nest=output_nest(cell),
        one_input=not entry.further, dtype=np.dtype(dtype), where="the step",
        scratch_shape=scratch_shape(cell, constants),
    )  # fmt: skip
    kernel = program.kernel((f"f{np.dtype(dtype).itemsize}",) * len(features))
    # Arrays that are indexed by what is known at run time only lie in local memory, and integers in
    # such a step are indices: next to a float32 they make a float64.
    assert_good(kernel, "float64", tmp_path, stack=4096)


def test_the_small_kernels(tmp_path):
    for source in ("i8", "f2", "b2"):
        assert_good(project_kernel(np.dtype("f4"), source, TILES[6]), "float32", tmp_path)
    assert_good(copy_kernel("f4", "b2"), "float32", tmp_path)
    for dtype, name in (("f4", "float32"), ("f8", "float64")):
        assert_good(normal_kernel(np.dtype(dtype), 0.001), name, tmp_path)
        assert_good(softmax_kernel(np.dtype(dtype)), name, tmp_path)
    assert_good(copy_kernel("f4", "i2"), "float32", tmp_path)
    for mode in MERGED:
        assert_good(merge_kernel("f4", mode), "float32", tmp_path)


#: (tile, least share of multiplications in the loop over k, most registers); threads of small tiles wait
#: for memory, whatever else they do.
PRODUCTS = [
    ("f4", TILES[0], 0.75, 200),
    ("f4", TILES[1], 0.7, 224),
    ("f4", TILES[2], 0.6, 200),
    ("f4", TILES[3], 0.6, 200),
    ("f4", TILES[4], 0.35, 160),
    ("f4", TILES[5], 0.35, 200),
    ("f4", TILES[6], 0.15, 128),
    ("f8", tiles(8)[0], 0.6, 224),
]


@pytest.mark.parametrize(
    ("dtype", "tile", "share", "most"),
    PRODUCTS,
    ids=lambda value: f"{value.rows}x{value.columns}" if hasattr(value, "rows") else str(value),
)
def test_the_loop_of_products_multiplies(dtype, tile, share, most, tmp_path):
    name = {"f4": "float32", "f8": "float64"}[dtype]
    kernel = project_kernel(np.dtype(dtype), dtype, tile)
    text = assert_good(kernel, name, tmp_path, capabilities=[(9, 0)])
    assert not re.search(r"\b(div|rem)\.[su]64", text)
    assert resources((tmp_path / "kernel.cubin").read_bytes(), tmp_path)[0] <= most
    loop = loop_of_products(tmp_path)
    operation = {"f4": "FFMA", "f8": "DFMA"}[dtype]
    assert loop[operation] == tile.depth * tile.own_rows * tile.own_columns
    assert loop[operation] >= share * loop.total()
    assert loop["BAR.SYNC.DEFER_BLOCKING"] == 1
    assert not [each for each in instructions(tmp_path) if each.startswith(("STL", "LDL", "CALL"))]
    # Whole vectors, and none for one number more than once.
    vector = 16 // np.dtype(dtype).itemsize
    reads = sum(-(-own // vector) for own in (tile.own_rows, tile.own_columns))
    assert sum(loop[each] for each in loop if each.startswith("LDS")) == tile.depth * reads
    if min(tile.own_rows, tile.own_columns) >= vector:
        assert loop["LDS.128"] == tile.depth * reads


@pytest.mark.parametrize(
    ("rows", "columns", "tile"),
    [(25_600, 2048, TILES[0]), (64, 4096, TILES[3]), (64, 2048, TILES[4]), (32, 1024, TILES[5]),
     (1, 1024, TILES[6])],
)  # fmt: skip
def test_as_many_blocks_as_the_device_has_room_for(rows, columns, tile):
    assert choose_tile(4, rows, columns, 132) == tile


@pytest.mark.parametrize(("out", "rounding"), [("f2", "cvt.rn.f16.f32"), ("b2", "cvt.rn.bf16.f32")])
def test_outputs_in_half_as_many_bits_are_rounded_once_where_they_are_written(
    out, rounding, tmp_path
):
    kernels = [unit_kernel(nr.GRUCell(20), (3,), "float32", out=out), copy_kernel(out, "f4")]
    found = declared_cell(nr.GRUCell(20), (3,), "float32")
    kernels.append(StageKernel(found, 0, device_steps(found), ("f4",), out=out).kernel())
    for kernel in kernels:
        text = assert_good(kernel, "float32", tmp_path)
        assert rounding in text
        assert not re.search(r"\.b?f16", text.replace(rounding, ""))  # nothing is computed so


def test_an_error_names_the_cell_and_the_line_of_the_step():
    class Wrong(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = 4

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (input_shape[-1], 4))

        @nr.step(per="unit")
        def step(x, r, states, params):
            h = x[0] + np.median(states[0])
            return h, (h,)

    told = (
        r"`Wrong\.step` did not compile in float32 for a device: .*\(test_compiled_kernels.py, line"
    )
    with pytest.raises(nr.CellError, match=told):
        unit_kernel(Wrong(), (3,), "float32").assembly()


FACTOR = 2.0


def inner(x):
    return FACTOR * x


def cell_with_inner():
    class Calling(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = 4

        @nr.step(per="unit")
        def step(x, r, states, params):
            h = inner(states[0])
            return h, (h,)

        def stages(self):
            return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    return Calling()


def test_cubins_are_found_again_unless_something_that_the_step_calls_was_edited(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("NUMBARNN_CACHE_DIR", str(tmp_path))
    tmp_path.chmod(0o700)

    def made():
        before = cache.STATISTICS.hits, cache.STATISTICS.misses
        code = unit_kernel(cell_with_inner(), (4,), "float32").machine_code((9, 0))
        return code, (cache.STATISTICS.hits - before[0], cache.STATISTICS.misses - before[1])

    first, counts = made()
    assert counts == (0, 1)
    second, counts = made()
    assert counts == (1, 0)
    assert first == second
    assert second[1][:4] == b"\x7fELF"
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    third, counts = made()
    assert counts == (0, 1)
    assert third[1] != first[1]
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    assert made()[1] == (1, 0)
    # A damaged entry is compiled again.
    for path in tmp_path.glob("*.code"):
        path.write_bytes(path.read_bytes()[:-5])
    again, counts = made()
    assert counts == (0, 1)
    assert again[1][:4] == b"\x7fELF"
