"""The disk cache: what it finds must be what would be compiled, and nothing it meets may fail a call."""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import numbarnn as nr
from numbarnn.compile import cache, digest

#: A process that runs a cell of `cell.py` and tells the output, and what the cache did.
RUN = """
import sys
sys.path.insert(0, ".")
import numpy as np
import numbarnn as nr
from numbarnn.compile.cache import STATISTICS as s
from cell import cells
x = np.array([[[1.0], [2.0], [4.0]]])
out = [nr.RNN(cell, dtype="float64")(x)[0].tolist() for cell in cells()]
print(out, s.hits, s.misses, s.stores, s.uncacheable, "numba" in sys.modules)
"""

CELL = """
import numbarnn as nr

class Adding(nr.Cell):
    def __init__(self, step, **settings):
        super().__init__()
        self.units = self.state_size = 1
        self.given = nr.step(per="unit")(step)
        for name, value in settings.items():
            setattr(self, name, value)

    def stages(self):
        return (nr.Stage(self.given, inputs=(nr.Map(),)),)
"""

PLAIN = (
    CELL
    + """
FACTOR = 10.0

def step(x, r, states, params):
    h = states[0] + x[0]
    return FACTOR * h, (h,)

def cells():
    return [Adding(step)]
"""
)


class Told:
    """What a process of `RUN` told."""

    def __init__(self, text, errors=""):
        outputs, rest = text.rsplit("]", 1)
        self.outputs = eval(outputs + "]")
        *counts, numba = rest.split()
        self.hits, self.misses, self.stores, self.uncacheable = map(int, counts)
        self.numba = numba == "True"
        #: (kind of recipe, fingerprint) of all that was asked for, where the process was to log it.
        self.asked = re.findall(r"(?:hit|miss): (\w+) (\w+)", errors)


class Place:
    """A folder with a module `cell`, and one for the cache."""

    def __init__(self, root, warm):
        self.root, self.cache = root, root / "cache"
        shutil.copytree(warm, self.cache)
        self.cache.chmod(0o700)

    def start(self, **environ):
        environ = {**os.environ, "NUMBARNN_CACHE_DIR": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1",
                   **environ}  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-c", RUN], cwd=self.root, env=environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def write(self, text, name="cell.py"):
        (self.root / name).write_text(text)

    def run(self, text=None, **environ):
        if text is not None:
            self.write(text)
        process = self.start(**environ)
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        return Told(output, errors)

    def entries(self):
        return sorted(self.cache.glob("*.code"))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A cache of all that the cell of `PLAIN` asks for: compiling the loop takes seconds, so the tests' own has it."""
    (tmp_path_factory.getbasetemp() / "empty").mkdir()
    place = Place(tmp_path_factory.mktemp("found"), tmp_path_factory.getbasetemp() / "empty")
    shared = Path(os.environ["NUMBARNN_CACHE_DIR"])
    told = place.run(PLAIN, NUMBARNN_CACHE_DIR=str(shared), NUMBARNN_CACHE_LOG="1")
    assert told.outputs == [[70.0]]
    assert len(told.asked) == told.hits + told.misses
    for _, digest_ in told.asked:
        shutil.copy(shared / f"{digest_}.code", place.cache)
    place.steps = [digest_ for kind, digest_ in told.asked if kind == "Pointwise"]
    return place


@pytest.fixture
def known(tmp_path, found):
    """A place where `PLAIN` has run."""
    made = Place(tmp_path, found.cache)
    made.write(PLAIN)
    return made


@pytest.fixture
def place(tmp_path, found):
    """A place where nothing has run, and the loop, which cells share, is compiled."""
    made = Place(tmp_path, found.cache)
    for step in found.steps:
        (made.cache / f"{step}.code").unlink()
    return made


def test_a_second_process_finds_all_of_it_and_imports_no_numba(place):
    first, second = place.run(PLAIN), place.run()
    assert first.outputs == second.outputs == [[70.0]]
    assert first.misses == first.stores == 1
    assert first.numba
    assert (second.misses, second.stores, second.numba) == (0, 0, False)
    assert second.hits == first.hits + 1


@pytest.mark.parametrize(
    ("edit", "output"),
    [
        (("states[0] + x[0]", "states[0] - x[0]"), -70.0),
        (("FACTOR = 10.0", "FACTOR = 2.0"), 14.0),
        (("FACTOR * h", "FACTOR + h"), 17.0),
    ],
)
def test_an_edited_step_or_global_is_a_miss(known, edit, output):
    told = known.run(PLAIN.replace(*edit))
    assert (told.outputs, told.misses) == ([[output]], 1)


def test_a_step_that_was_moved_is_a_hit(known):
    told = known.run("# a comment\n\n\n" + PLAIN)
    assert (told.outputs, told.misses) == ([[70.0]], 0)


def test_an_edited_function_in_another_module_is_a_miss(place):
    """With ``njit(cache=True)`` the old code would run."""
    cell = CELL + (
        "import other\n"
        "def step(x, r, states, params):\n"
        "    h = states[0] + x[0]\n"
        "    return other.times(h), (h,)\n"
        "def cells():\n"
        "    return [Adding(step)]\n"
    )
    other = "def factor(h):\n    return 3.0 * h\n\ndef times(h):\n    return factor(h)\n"
    place.write(other, "other.py")
    assert place.run(cell).outputs == [[21.0]]
    place.write(other.replace("3.0", "5.0"), "other.py")
    told = place.run()
    assert (told.outputs, told.misses) == ([[35.0]], 1)


FACTORIES = (
    CELL
    + """
def make(factor):
    def step(x, r, states, params):
        h = states[0] + x[0]
        return factor * h, (h,)
    return step
"""
)


def test_functions_of_one_name_are_told_apart_by_what_they_close_over(place):
    """Two processes store one each; a third one loads both."""
    for factor in (1.0, 2.0):
        told = place.run(FACTORIES + f"def cells(): return [Adding(make({factor}))]\n")
        assert (told.outputs, told.misses) == ([[7.0 * factor]], 1)
    told = place.run(FACTORIES + "def cells(): return [Adding(make(1.0)), Adding(make(2.0))]\n")
    assert (told.outputs, told.misses) == ([[7.0], [14.0]], 0)


def test_settings_and_their_types_count(place):
    cell = CELL + (
        "def step(x, r, states, params, slope=1.0, sign=None):\n"
        "    h = states[0] + x[0]\n"
        "    if sign is None:\n"
        "        return slope * h, (h,)\n"
        "    return -slope * h, (h,)\n"
    )
    told = place.run(
        cell
        + "def cells(): return [Adding(step, slope=s, sign=t) for s, t in "
        + "((2.0, None), (2, None), (True, None), (2.0, 'minus'))]\n"
    )
    assert told.outputs == [[14.0], [14.0], [7.0], [-14.0]]


def test_an_array_that_a_step_reads_counts(place):
    cell = CELL + (
        "import numpy as np\n"
        "TABLE = np.array([1.0, 3.0])\n"
        "def step(x, r, states, params):\n"
        "    h = states[0] + x[0]\n"
        "    return TABLE[1] * h, (h,)\n"
        "def cells():\n"
        "    return [Adding(step)]\n"
    )
    assert place.run(cell).outputs == [[21.0]]
    assert place.run().misses == 0
    told = place.run(cell.replace("3.0]", "4.0]"))
    assert (told.outputs, told.misses) == ([[28.0]], 1)


LARGE = """
import numpy as np
import numbarnn as nr

TABLE = np.arange(300_000.0)  # Numba refers to an array of this size by its address

class Looking(nr.Cell):
    def __init__(self):
        super().__init__()
        self.state_size = self.output_size = 1

    @nr.step(per="sample")
    def step(inputs, states, weights, constants, output):
        states[0][0] += inputs[0]
        output[0] = TABLE[int(states[0][0]) * 10_000]

def cells():
    return [Looking()]
"""


def test_code_with_addresses_of_its_process_is_not_stored(place):
    for _ in range(2):
        told = place.run(LARGE)
        assert told.outputs == [[70_000.0]]
        assert told.misses > told.stores


def test_code_from_a_notebook_cell_is_found_again(known):
    told = known.run(
        f"source = '''{PLAIN}'''\n"
        "namespace = {'__name__': '__main__'}\n"
        "exec(compile(source, '<ipython-input-7>', 'exec'), namespace)\n"
        "cells = namespace['cells']\n"
    )
    assert (told.outputs, told.misses) == ([[70.0]], 0)


@pytest.mark.parametrize(
    ("what", "use"),
    [
        ("import numba\nBOX = {'a': 1.0}\nFACTOR = 10.0\n", "FACTOR * h"),
        (
            "from numba.extending import overload\n"
            "def times(h):\n    return 10.0 * h\n"
            "@overload(times)\n"
            "def _times(h):\n    return lambda h: 10.0 * h\n",
            "times(h)",
        ),
        (
            "import ctypes, ctypes.util\n"
            "times = ctypes.CDLL(ctypes.util.find_library('m')).fabs\n"
            "times.argtypes, times.restype = [ctypes.c_double], ctypes.c_double\n",
            "10.0 * times(h)",
        ),
    ],
    ids=["plain", "overload", "ctypes"],
)
def test_what_cannot_be_read_for_certain_is_not_cached(place, what, use):
    cell = CELL + what + (
        f"def step(x, r, states, params):\n    h = states[0] + x[0]\n    return {use}, (h,)\n"
        "def cells():\n    return [Adding(step)]\n"
    )  # fmt: skip
    for _ in range(2):
        told = place.run(cell)
        assert told.outputs == [[70.0]]
    assert told.uncacheable == (0 if "BOX" in what else 1)


def _flip(raw):
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 255]) + raw[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [_flip, lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"rubbish" * 99],
    ids=["a flipped byte", "half of it", "empty", "rubbish"],
)
def test_a_damaged_entry_is_made_again(known, found, damage):
    (step,) = found.steps
    path = known.cache / f"{step}.code"
    path.write_bytes(damage(path.read_bytes()))
    told = known.run()
    assert told.outputs == [[70.0]]
    assert told.misses == told.stores == 1
    assert path.read_bytes() == (found.cache / path.name).read_bytes()


def test_a_folder_that_cannot_be_made_costs_time_only(place):
    (place.root / "file").write_text("")
    told = place.run(PLAIN, NUMBARNN_CACHE_DIR=str(place.root / "file" / "cache"))
    assert (told.outputs, told.stores) == ([[70.0]], 0)


def test_another_processor_has_entries_of_its_own(known):
    count = len(known.entries())
    plain = known.run(NUMBA_CPU_NAME="generic")
    assert plain.outputs == [[70.0]]
    assert plain.hits == 0
    assert plain.misses == plain.stores == len(known.entries()) - count
    assert known.run(NUMBA_CPU_NAME="generic").misses == 0


def test_writers_at_the_same_time(place):
    place.write(PLAIN)
    started = [place.start() for _ in range(4)]
    for process in started:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert Told(output).outputs == [[70.0]]
    assert place.run().misses == 0
    assert not list(place.cache.glob(".part*"))


def test_a_changed_setting_of_numba_is_no_hit(known):
    told = known.run("import numba\nnumba.config.BOUNDSCHECK = 1\n" + PLAIN)
    assert told.outputs == [[70.0]]
    assert (told.hits, told.stores) == (0, 0)
    assert surroundings(NUMBA_BOUNDSCHECK="1") != digest.surroundings()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBARNN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_written_is_read_and_is_the_users_alone(folder):
    cache.write("a", {"told": {"x": [1]}, "outside": []}, b"code")
    assert cache.read("a") == ({"told": {"x": [1]}, "outside": []}, b"code")
    assert cache.read("b") is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "a.code").stat().st_mode) == 0o600


def test_a_full_disk_costs_time_only(folder, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.write("a", {}, b"code")
    assert cache.read("a") is None
    assert not list(folder.iterdir())


def test_a_folder_that_others_may_write_to_is_not_used(folder):
    cache.write("a", {}, b"code")
    folder.chmod(0o777)
    assert cache.read("a") is None
    cache.write("b", {}, b"code")
    assert [path.name for path in folder.iterdir()] == ["a.code"]


def test_no_cache_if_the_variable_is_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBARNN_CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    cache.write("a", {}, b"code")
    assert cache.read("a") is None
    assert not list(tmp_path.iterdir())


def test_a_folder_of_somebody_else_is_not_used(folder, monkeypatch):
    cache.write("a", {}, b"code")
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert cache.read("a") is None
    cache.write("b", {}, b"code")
    assert [path.name for path in folder.iterdir()] == ["a.code"]


def test_the_entries_used_longest_ago_go_first(folder, monkeypatch):
    for index, name in enumerate("abcd"):
        cache.write(name, {}, bytes(300_000))
        os.utime(folder / f"{name}.code", (index, index))
    cache.read("a")
    monkeypatch.setenv("NUMBARNN_CACHE_SIZE", "1")
    cache.write("e", {}, bytes(300_000))
    assert sorted(path.name for path in folder.iterdir()) == ["a.code", "d.code", "e.code"]


def test_a_folder_is_never_too_large_and_seldom_looked_at(folder, monkeypatch):
    looks, look = [], cache.entries
    monkeypatch.setattr(cache, "entries", lambda root: looks.append(root) or look(root))
    monkeypatch.setenv("NUMBARNN_CACHE_SIZE", "1")
    sizes = []
    for number in range(300):
        cache.write(f"{number:03}", {}, bytes(9_900))
        sizes.append(sum(path.stat().st_size for path in folder.iterdir()))
    assert max(sizes) <= 2**20
    assert min(sizes[150:]) > 0.9 * 2**20
    # The first time, and after every seventh: 65,536 bytes are a sixteenth.
    assert len(looks) == 1 + 299 // 7


def test_the_command_shows_and_clears(folder, capsys):
    from numbarnn.cli import main

    cache.write("a", {}, bytes(3 << 20))
    assert main(["cache", "show"]) == 0
    assert capsys.readouterr().out == f"{folder}: 1 entries, 3.0 of 256 MB\n"
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"{folder}: 1 entries removed, 3.0 MB\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"NUMBARNN_CACHE_DIR": "/a"}, "/a"),
        ({"NUMBA_CACHE_DIR": "/b", "XDG_CACHE_HOME": "/c"}, "/b/numbarnn"),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/numbarnn"),
        ({"HOME": "/h"}, "/h/.cache/numbarnn"),
    ],
)
def test_where_it_lies(monkeypatch, variables, expected):
    for name in ("NUMBARNN_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.folder() == Path(expected)


def surroundings(folder=None, **environ):
    """What a process says that all fingerprints depend on; with the numbarnn of a folder."""
    code = "from numbarnn.compile.digest import surroundings; print(surroundings())"
    if folder is not None:
        environ["PYTHONPATH"] = str(folder)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, **environ},
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def test_our_own_sources_are_part_of_the_fingerprint(tmp_path):
    root = tmp_path / "numbarnn"
    shutil.copytree(Path(nr.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__"))
    assert surroundings(tmp_path) == digest.surroundings()
    source = root / "lanes" / "elementary.py"
    source.write_text(source.read_text() + "\n")
    assert surroundings(tmp_path) != digest.surroundings()


PER_BATCH = """
import numpy as np
import numbarnn as nr

FACTOR = 10.0

def grown(x):
    return np.maximum(x, 0.5) * FACTOR

class Adding(nr.Cell):
    def __init__(self, activation):
        super().__init__()
        self.units = self.state_size = 1
        self.activation = activation

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (1, 1), initializer="ones")

    @nr.step(per="batch")
    def step(inputs, states, weights, constants, training, activation=None):
        h = activation(nr.dot(inputs, weights[0]) + states[0])
        return h, (h,)

def cells():
    return [Adding(grown)]
"""


def test_a_step_per_batch_is_found_by_a_second_process_unless_something_it_calls_was_edited(place):
    first, second = place.run(PER_BATCH), place.run()
    assert first.outputs == second.outputs == [[1240.0]]
    assert (first.misses, first.stores, second.hits, second.misses) == (1, 1, 1, 0)
    edited = place.run(PER_BATCH.replace("FACTOR = 10.0", "FACTOR = 1.0"))
    assert (edited.outputs, edited.misses) == ([[7.0]], 1)


def test_a_damaged_step_per_batch_is_compiled_again(place):
    place.run(PER_BATCH)
    entry = max(place.entries(), key=lambda path: path.stat().st_mtime)
    meta, image = (b'{"per": "batch"}', b"no pickle")
    body = len(meta).to_bytes(8, "little") + meta + image

    checksum = hashlib.blake2b(body, digest_size=32).digest()
    entry.write_bytes(cache._MAGIC + checksum + body)
    assert place.run().outputs == [[1240.0]]


@pytest.mark.parametrize("size", ["many", "inf", "nan"])
def test_a_size_that_is_none_is_the_usual_one(monkeypatch, size):
    monkeypatch.setenv("NUMBARNN_CACHE_SIZE", size)
    assert cache.most_bytes() == cache._MOST_MEGABYTES << 20
