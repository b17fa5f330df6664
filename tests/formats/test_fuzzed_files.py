"""Whatever is in a file, only a FormatError comes of it, in bounded memory and time."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hostile_files import HERE, KERAS2, KERAS3, STATES

import numbarnn as nr

FUZZ = """
import resource, sys, random, zipfile, io, time
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
sys.path[:0] = [{tests!r}, {tests!r} + '/formats']
import numpy as np
import numbarnn as nr
from test_fuzzed_files import spoilt, seeds
name, count = sys.argv[1], int(sys.argv[2])
raw, options = seeds()[name]
rng, worst = random.Random(name), 0
for number in range(count):
    data = spoilt(raw, rng)
    open(sys.argv[3], "wb").write(data)
    start = time.perf_counter()
    try:
        nr.load(sys.argv[3], **options())
    except nr.FormatError as error:
        assert sys.argv[3] in str(error) and "\\n" not in str(error), error
    worst = max(worst, time.perf_counter() - start)
    assert worst < 20, (number, worst)
print("done", count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def spoilt(raw, rng):
    """Some bytes changed, cut out, doubled, or the end cut off; of a zip also within its members."""
    if raw[:2] == b"PK" and rng.random() < 0.7:
        with zipfile.ZipFile(io.BytesIO(raw)) as old:
            members = {name: old.read(name) for name in old.namelist()}
        name = rng.choice(list(members))
        members[name] = _spoilt(members[name], rng)
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w") as new:
            for each, data in members.items():
                new.writestr(each, data)
        return memory.getvalue()
    return _spoilt(raw, rng)


def _spoilt(raw, rng):
    data = bytearray(raw)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at, way = rng.randrange(len(data) or 1), rng.randrange(6)
        if rng.random() < 0.5:  # headers are where the claims are
            at = min(at, rng.randrange(2048))
        if way == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif way == 1:
            size = rng.choice([1, 2, 4, 8])
            data[at : at + size] = rng.choice([b"\xff", b"\x00", b"\x7f"]) * size
        elif way == 2:
            del data[at : at + rng.randrange(1, 64)]
        elif way == 3:
            data[at:at] = data[at : at + rng.randrange(1, 64)]
        elif way == 4:
            words = [
                b'"units"',
                b"null",
                b"[]",
                b"{}",
                b"1e999",
                b"-1",
                b'"LSTM"',
                b"99999999999999999999",
            ]
            word = rng.choice(words)
            data[at : at + len(word)] = word
        else:
            del data[rng.randrange(len(data) // 2, len(data) + 1) :]
    return bytes(data)


def seeds():
    """A file for every reader, and what is said beside it."""
    own = io.BytesIO()
    model = nr.Sequential([nr.Embedding(9, 3), nr.Bidirectional(nr.LSTM(2)), nr.Dense(2)])
    model.build((None, None))
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        model.save(file.name)
        own = Path(file.name).read_bytes()

    def nothing():
        return {}

    def gru():
        return {"spec": {"": nr.GRU(5)}}

    def one():
        return {"spec": {"one": nr.LSTM(4), "two": None, "three": None}}

    def flax():
        return {"spec": {"params.cell": nr.GRU(5), "params.norm": None, "params.head": nr.Dense(3)}}

    return {
        "native": (own, nothing),
        "keras3": (KERAS3.read("graph3.keras"), nothing),
        "keras2": (KERAS2.read("graph2.h5"), nothing),
        "weights": (KERAS2.read("lstm2.old_weights.h5"), one),
        "safetensors": (STATES.read("gru.safetensors"), gru),
        "npz": (STATES.read("flax_gru.npz"), flax),
    }


@pytest.mark.parametrize("name", ["native", "keras3", "keras2", "weights", "safetensors", "npz"])
def test_whatever_is_in_a_file_only_a_format_error_comes_of_it(name, tmp_path):
    """In a process of its own, with bounded memory; HDF5 is C code, and could take one along."""
    code = FUZZ.format(tests=str(HERE.parent))
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, name, "300", str(tmp_path / "model")],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.startswith("done 300")
