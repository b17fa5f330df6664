"""Folders of files, streams, rows that cannot be run, states between runs, little memory, kills."""

import csv
import os
import random
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import COMMAND, tiny_model
from forked import Forked

import numbarnn as nr
from numbarnn.data.parquet import run_parquet


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def here(model, tmp_path_factory):
    """A model file, and a folder of three files with five rows each."""
    folder = tmp_path_factory.mktemp("files")
    model.save(folder / "tiny.model")
    for number, name in enumerate(["a.parquet", "sub/b.parquet", "sub/c.parquet"]):
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [[1 + (number + i) % 8] * (i + number) for i in range(4)] + [None]
        pq.write_table(pa.table({"events": rows, "who": range(5)}), path, row_group_size=2)
    (folder / "data" / "_SUCCESS.parquet").write_text("a mark of another program's")
    return folder


def cli(*arguments, cwd, **options):
    return subprocess.run(
        [*COMMAND, "run", *map(str, arguments)],
        capture_output=True, cwd=cwd, timeout=300, check=False, **options,
    )  # fmt: skip


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def expected(model, path):
    return model.run(pq.read_table(path), "events", emit="last")["output"].to_pylist()


def test_a_folder_becomes_a_folder_of_the_same_files(model, here, tmp_path):
    summary = run_parquet(model, here / "data", tmp_path / "out", "events", "who", workers=3)
    names = ["a.parquet", "sub/b.parquet", "sub/c.parquet"]
    assert files_in(tmp_path / "out") == names
    for name in names:
        table = pq.read_table(tmp_path / "out" / name)
        assert table["output"].to_pylist() == expected(model, here / "data" / name)
        assert table["who"].to_pylist() == list(range(5))
    assert (summary.files, summary.resumed, summary.rows, summary.steps) == (3, 0, 15, 6 + 10 + 14)


def test_a_pattern_takes_what_it_matches(model, here, tmp_path):
    run_parquet(model, here / "data" / "sub" / "[bx].parquet", tmp_path / "out", "events")
    assert files_in(tmp_path / "out") == ["b.parquet"]


def test_resume_leaves_out_what_is_complete_and_nothing_else(model, here, tmp_path):
    out, data = tmp_path / "out", here / "data"
    run_parquet(model, data, out, "events")
    (out / "sub" / ".b.parquet.x.part").write_text("half")
    (out / "a.parquet").unlink()
    before = os.stat(out / "sub" / "b.parquet").st_ino
    (out / "sub" / "c.parquet").write_text("not whole")
    summary = run_parquet(model, data, out, "events", resume=True)
    assert (summary.files, summary.resumed, summary.rows) == (2, 1, 10)
    assert os.stat(out / "sub" / "b.parquet").st_ino == before
    assert files_in(out) == ["a.parquet", "sub/b.parquet", "sub/c.parquet"]
    # Other options, another model or other data make everything anew.
    assert run_parquet(model, data, out, "events", "who", resume=True).resumed == 0
    other = nr.Sequential.from_config(model.get_config())
    other.build((None, None))
    assert run_parquet(other, data, out, "events", "who", resume=True).resumed == 0
    again = run_parquet(other, data, out, "events", "who", resume=True)
    assert (again.resumed, again.files) == (3, 0)


@pytest.mark.parametrize(
    ("data", "out", "options", "told"),
    [
        ("data", "full", {}, "`--output` must be an empty folder, or one to be taken up again"),
        ("data", "data/out", {}, "`--output` must lie outside the folder of the data"),
        ("data", "tiny.model", {}, "`--output` must be a folder, as the data are"),
        ("full", "out", {}, "must hold Parquet files; got none"),
        ("*.none", "out", {}, "must hold Parquet files; got none"),
        ("data", "out", {"workers": 0}, "`--workers` must be at least 1; got 0"),
        ("data", "out", {"engine": "x"}, "`--engine` must be 'local' or 'dask'; got 'x'"),
        ("data", "out", {"scheduler": "x"}, "`--scheduler` needs `--engine dask`"),
        ("data", "-", {"resume": True}, "`--resume` needs files"),
        ("-", "out", {"engine": "dask"}, "`--engine dask` needs files"),
        ("data", "out", {"state_out": "s"}, "`--state-in` and `--state-out` need `--id`"),
        ("data", "out", {"state_out": "s", "identity": "who", "workers": 2}, "need all rows in order"),
        ("data", "out", {"state_out": "s", "identity": "who", "emit": "state"}, "must be 'last' or 'sequence' with states"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_told(model, here, monkeypatch, data, out, options, told):
    monkeypatch.chdir(here)
    (here / "full").mkdir(exist_ok=True)
    (here / "full" / "notes").write_text("mine")
    with pytest.raises(nr.ArgumentError, match=told):
        run_parquet(model, data, out, "events", **options)
    assert not (here / "s").exists()


def test_rows_that_cannot_be_run_fail_or_are_told_of(model, here, tmp_path):
    rows = [[1], [9], None, [2, None], [3]]
    pq.write_table(pa.table({"events": rows, "who": range(5)}), tmp_path / "in.parquet")
    base = (here / "tiny.model", "in.parquet", "-o", "out", "--column", "events", "--id", "who")
    result = cli(*base, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(b"numbarnn: Row 1: `inputs` must hold ids in 0 ... 8")
    assert files_in(tmp_path) == ["in.parquet"]

    result = cli(*base, "--on-error", "null", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stderr.decode().splitlines()
    assert lines[0] == "numbarnn: 2 rows could not be run and are null."
    assert lines[1].startswith("numbarnn: in.parquet, row 1: `inputs` must hold ids")
    assert "row 3: Column 'events' must hold no null" in lines[2]
    found = pq.read_table(tmp_path / "out")["output"].to_pylist()
    assert [each is None for each in found] == [False, True, True, True, False]

    result = cli(*base, "--on-error", "skip", "--errors", "bad.csv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == b"numbarnn: 2 rows could not be run and are left out; see bad.csv.\n"
    assert pq.read_table(tmp_path / "out")["who"].to_pylist() == [0, 2, 4]
    with open(tmp_path / "bad.csv", newline="") as file:
        told = list(csv.DictReader(file))
    assert [(each["file"], each["row"]) for each in told] == [
        ("in.parquet", "1"),
        ("in.parquet", "3"),
    ]
    assert "got 9" in told[0]["reason"]
    result = cli(*base, "--errors", "bad.csv", cwd=tmp_path)
    assert result.returncode == 1
    assert b"`--errors` needs `--on-error null` or `skip`" in result.stderr


def test_rows_told_of_are_told_of_again_when_a_run_is_resumed(model, tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"events": [[1], [9]]}), tmp_path / "in" / "a.parquet")
    first = run_parquet(model, tmp_path / "in", tmp_path / "out", "events", on_error="null")
    again = run_parquet(
        model, tmp_path / "in", tmp_path / "out", "events", on_error="null", resume=True
    )
    assert again.resumed == 1
    assert [fault for _, fault in again.faults] == [fault for _, fault in first.faults]
    assert again.faults[0][1].row == 1


def test_a_broken_file_is_a_sentence(model, tmp_path):
    pq.write_table(pa.table({"events": [[1, 2, 3]] * 5000}), tmp_path / "in", compression="gzip")
    data = bytearray((tmp_path / "in").read_bytes())
    data[20:60] = bytes(40)
    (tmp_path / "in").write_bytes(data)
    with pytest.raises((nr.ArgumentError, OSError)):
        run_parquet(model, tmp_path / "in", tmp_path / "out", "events")
    assert files_in(tmp_path) == ["in"]


def test_streams_of_arrow_go_through_pipes(model, here, tmp_path):
    table = pa.table({"events": [[1, 2], None, [], [3]], "who": list("abcd")})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    result = cli(
        here / "tiny.model", "-", "-o", "-", "--column", "events", "--id", "who",
        cwd=tmp_path, input=sink.getvalue().to_pybytes(),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert b"4 rows, 3 time steps" in result.stderr
    found = pa.ipc.open_stream(result.stdout).read_all()
    assert found["who"].to_pylist() == list("abcd")
    assert found["output"].to_pylist() == model.run(table, "events")["output"].to_pylist()
    result = cli(
        here / "tiny.model", "-", "-o", "-", "--column", "events", cwd=tmp_path, input=b"no arrow"
    )
    assert result.returncode == 1
    assert b"standard input must be a stream in Arrow's IPC format" in result.stderr


@pytest.mark.parametrize("emit", ["last", "sequence"])
def test_states_carried_from_run_to_run_give_the_bits_of_one_run(model, here, tmp_path, rng, emit):
    rows = [rng.integers(1, 9, n).tolist() for n in rng.integers(0, 6, 60)]
    who = rng.integers(0, 7, 60).tolist()
    rows[30] = None
    table = pa.table({"events": pa.array(rows, pa.list_(pa.int64())), "who": who})
    pq.write_table(table, tmp_path / "all", row_group_size=7)
    run_parquet(
        model, tmp_path / "all", tmp_path / "whole", "events", "who", emit, state_out=tmp_path / "s"
    )
    assert len(nr.StateStore(tmp_path / "s")) == len(
        {w for w, r in zip(who, rows, strict=True) if r is not None}
    )
    pieces, before = [], None
    for number, (start, stop) in enumerate([(0, 13), (13, 13), (13, 41), (41, 60)]):
        pq.write_table(table.slice(start, stop - start), tmp_path / "piece")
        states = ["--state-out", f"s{number}"] + ([] if before is None else ["--state-in", before])
        before = f"s{number}"
        if number == 2:  # the others in this process: it is faster
            result = cli(here / "tiny.model", "piece", "-o", "out", "--column", "events", "--id", "who",
                         "--emit", emit, *states, cwd=tmp_path)  # fmt: skip
            assert result.returncode == 0, result.stderr
        else:
            run_parquet(
                model, tmp_path / "piece", tmp_path / "out", "events", "who", emit,
                state_in=None if number == 0 else tmp_path / f"s{number - 1}", state_out=tmp_path / before,
            )  # fmt: skip
        pieces.append(pq.read_table(tmp_path / "out"))
    assert pa.concat_tables(pieces).to_pylist() == pq.read_table(tmp_path / "whole").to_pylist()
    one, other = nr.StateStore(tmp_path / "s"), nr.StateStore(tmp_path / "s3")
    assert one.ids() == other.ids()
    assert one.records(one.ids()) == other.records(one.ids())
    history = [e for r, w in zip(rows, who, strict=True) if w == who[0] for e in r or []]
    assert one.get(who[0])["output"].tolist() == model([history])[0].tolist()


def test_a_failed_run_leaves_neither_output_nor_states(model, tmp_path):
    pq.write_table(
        pa.table({"events": [[1]] * 5 + [[9]], "who": range(6)}), tmp_path / "in", row_group_size=2
    )
    with pytest.raises(nr.ArgumentError, match="Row 5: `inputs` must hold ids"):
        run_parquet(
            model, tmp_path / "in", tmp_path / "out", "events", "who", state_out=tmp_path / "s"
        )
    assert files_in(tmp_path) == ["in"]
    with pytest.raises(FileNotFoundError):
        run_parquet(
            model, tmp_path / "in", tmp_path / "out", "events", "who", state_in=tmp_path / "none"
        )
    assert files_in(tmp_path) == ["in"]
    summary = run_parquet(
        model, tmp_path / "in", tmp_path / "out", "events", "who", state_out=tmp_path / "s", on_error="null"
    )  # fmt: skip
    assert [fault.row for _, fault in summary.faults] == [5]
    assert nr.StateStore(tmp_path / "s").ids() == list(range(5))


def test_a_file_is_the_unit_of_resuming(model, tmp_path):
    """One that was cut short begins anew; what a killed run left of it is taken away."""
    pq.write_table(pa.table({"events": [[1, 2], [3]]}), tmp_path / "in")
    for name in (".out.ab12.part", ".other.ab12.part"):
        (tmp_path / name).write_text("half")
    first = run_parquet(model, tmp_path / "in", tmp_path / "out", "events", resume=True)
    assert (first.files, first.resumed, first.rows) == (1, 0, 2)
    assert files_in(tmp_path) == [".other.ab12.part", "in", "out"]
    again = run_parquet(model, tmp_path / "in", tmp_path / "out", "events", resume=True)
    assert (again.files, again.resumed, again.rows) == (0, 1, 0)


def test_an_id_that_is_none_is_told_with_its_row(model, tmp_path):
    table = pa.table({"events": [[1], None, [2], [3]], "who": ["a", None, "b", None]})
    pq.write_table(table, tmp_path / "in", row_group_size=2)
    run = (model, tmp_path / "in", tmp_path / "out", "events", "who")
    told = "^Ids in column 'who' must be integers of 64 bits or texts; got None in row 3.$"
    with pytest.raises(nr.ArgumentError, match=told):
        run_parquet(*run, state_out=tmp_path / "s")
    assert files_in(tmp_path) == ["in"]
    summary = run_parquet(*run, state_out=tmp_path / "s", on_error="null")
    assert [fault.row for _, fault in summary.faults] == [3]
    assert nr.StateStore(tmp_path / "s").ids() == ["a", "b"]


MEMORY = """
import resource, sys
import numbarnn as nr
from numbarnn.data.parquet import run_parquet
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
model, data, small, out = nr.load(sys.argv[1]), *sys.argv[2:5]
run_parquet(model, small, out, "x", emit="sequence", progress=False)
before = peak()
print(run_parquet(model, data, out, "x", emit="sequence", progress=False).steps, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="maximum resident size in KiB is Linux's")
def test_a_file_larger_than_its_memory_runs_in_little(tmp_path, rng):
    """5 million steps, 160 MB of numbers out, all in one row group."""
    wide = nr.Sequential([nr.Embedding(9, 3), nr.GRU(4), nr.Dense(8)])
    wide.build((None, None))
    wide.save(tmp_path / "model")
    rows, length = 50_000, 100
    values = pa.array(rng.integers(1, 9, rows * length).astype(np.int8))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * length)
    table = pa.table({"x": pa.ListArray.from_arrays(offsets, values)})
    plain = {"compression": "none", "use_dictionary": False}
    pq.write_table(table, tmp_path / "data", row_group_size=rows, **plain)
    pq.write_table(table.slice(0, 10_000), tmp_path / "small", **plain)
    paths = [tmp_path / name for name in ("model", "data", "small", "out")]
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, *paths], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    steps, more = map(float, result.stdout.split())
    assert steps == 5_000_000
    # The results that the small run has not made are 128 MB.
    assert more < 32


RUN = """
import numbarnn as nr
from numbarnn.data.parquet import run_parquet
model = nr.load("model")
run_parquet(model, "data/00.parquet", "first", "events", progress=False)
def work():
    run_parquet(model, "data", "out", "events", resume=True, progress=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_runs_killed_fifty_times_leave_whole_files_and_are_resumed(model, tmp_path):
    """Every file is whole or not there, and in the end all are."""
    model.save(tmp_path / "model")
    (tmp_path / "data").mkdir()
    rng, seed = np.random.default_rng(1), random.Random(4)
    wanted = {}
    for number in range(8):
        lengths = rng.integers(0, 40, 1000)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        values = rng.integers(1, 9, offsets[-1]).astype(np.int8)
        table = pa.table({"events": pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))})
        pq.write_table(table, tmp_path / "data" / f"{number:02}.parquet")
        wanted[f"{number:02}.parquet"] = model.run(table, emit="last")["output"]
    out, halves = tmp_path / "out", 0

    def check():
        found = sorted(out.glob("*.parquet"))
        for path in found:
            assert pq.read_table(path)["output"].equals(wanted[path.name])
        return found

    with Forked(RUN, cwd=tmp_path) as runs:
        began = time.perf_counter()
        runs.start()
        runs.wait()
        whole = time.perf_counter() - began
        assert len(check()) == 8
        for _ in range(50):
            found = sorted(out.glob("*.parquet"))
            for path in seed.sample(found, max(0, len(found) - seed.randint(0, 4))):
                path.unlink()
            before = len(list(out.glob("*.parquet")))
            runs.start()
            runs.kill_after(seed.uniform(0, whole * (8 - before) / 8))
            halves += before < len(check()) < 8 or bool(list(out.glob(".*.part")))
        runs.start()
        runs.wait()
    assert len(check()) == 8
    assert files_in(out) == sorted(wanted)
    # Most kills come while files are being made.
    assert halves > 20
