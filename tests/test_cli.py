"""The command line as a user meets it: real processes, exit status, standard error, files."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import COMMAND, run, tiny_model

import numbarnn as nr
from numbarnn.cli import main


def run_here(*arguments):
    """Status of the command line in this process: a process of its own takes a second to start."""
    try:
        return main(list(arguments))
    except SystemExit as left:
        return left.code


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    tiny_model().save(folder / "tiny.safetensors")
    rows = [[1, 2, 3], None, [], [4]]
    pq.write_table(
        pa.table({"events": rows, "who": list("abcd"), "text": ["x"] * 4}), folder / "in.parquet"
    )
    (folder / "notes.txt").write_text("no model, no table")
    return folder


def test_run_scores_a_file(here):
    arguments = "tiny.safetensors in.parquet -o out.parquet --column events --id who"
    result = run("run", *arguments.split(), cwd=here)
    assert result.returncode == 0, result.stderr
    assert "4 rows, 4 time steps" in result.stdout
    assert result.stderr == ""  # no bar where there is no terminal
    table = pq.read_table(here / "out.parquet")
    assert table["who"].to_pylist() == list("abcd")
    model = nr.load(here / "tiny.safetensors")
    got = table["output"].to_pylist()
    assert got[1] is None
    assert got[0] == model([[1, 2, 3]])[0].tolist()
    (here / "out.parquet").unlink()


@pytest.mark.parametrize("emit", ["sequence", "state"])
def test_run_emits_what_is_asked(here, monkeypatch, emit):
    arguments = f"tiny.safetensors in.parquet -o out.parquet --column events --emit {emit}"
    monkeypatch.chdir(here)
    assert run_here("run", *arguments.split(), "--no-progress") == 0
    names = pq.read_table(here / "out.parquet").column_names
    assert names == {"sequence": ["output"], "state": ["gru.0"]}[emit]
    (here / "out.parquet").unlink()


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["run", "none.safetensors", "in.parquet", "-o", "o", "--column", "events"], 1, "numbarnn: No such file or directory `none.safetensors`."),
        (["run", "tiny.safetensors", "none.parquet", "-o", "o", "--column", "events"], 1, "none.parquet"),
        (["run", "notes.txt", "in.parquet", "-o", "o", "--column", "events"], 1, "numbarnn: `notes.txt` must be a model"),
        (["run", "tiny.safetensors", "notes.txt", "-o", "o", "--column", "events"], 1, "numbarnn: `notes.txt` must be a Parquet file"),
        (["run", "tiny.safetensors", "in.parquet", "-o", "o", "--column", "event"], 1, "numbarnn: `--column` must be one of ['events', 'who', 'text']; got 'event'."),
        (["run", "tiny.safetensors", "in.parquet", "-o", "o", "--column", "events", "--id", "w"], 1, "numbarnn: `--id` must be one of"),
        (["run", "tiny.safetensors", "in.parquet", "-o", "o", "--column", "text"], 1, "numbarnn: Column 'text' must hold lists; got string."),
        (["run", "tiny.safetensors", "in.parquet", "-o", "no/such/o", "--column", "events"], 1, "No such file or directory"),
        (["run", "tiny.safetensors", "in.parquet", "-o", "o"], 2, "the following arguments are required: --column"),
        (["run", "tiny.safetensors", "in.parquet", "-o", "o", "--column", "events", "--emit", "all"], 2, "invalid choice: 'all'"),
        (["walk"], 2, "invalid choice: 'walk'"),
        ([], 2, "the following arguments are required: COMMAND"),
        (["inspect", "notes.txt"], 1, "numbarnn: `notes.txt` must be a model"),
        (["inspect", "."], 1, "numbarnn: Is a directory `.`."),
    ],
)  # fmt: skip
def test_errors_are_one_sentence_and_a_status(here, monkeypatch, capsys, arguments, status, told):
    before = sorted(p.name for p in here.iterdir())
    monkeypatch.chdir(here)
    assert run_here(*arguments) == status
    seen = capsys.readouterr()
    assert told in seen.err
    if status == 1:
        assert seen.err.count("\n") == 1
    assert seen.out == ""
    assert sorted(p.name for p in here.iterdir()) == before


@pytest.mark.parametrize(("arguments", "status"), [(["inspect", "notes.txt"], 1), (["walk"], 2)])
def test_a_process_ends_with_that_status(here, arguments, status):
    result = run(*arguments, cwd=here)
    assert result.returncode == status
    assert "Traceback" not in result.stderr


def test_inspect_tells_layers_shapes_and_sizes(here):
    result = run("inspect", "tiny.safetensors", cwd=here)
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "tiny.safetensors: Sequential 'tiny', numbarnn native format"
    assert lines[2].split() == [
        "gru", "GRU", "108", "kernel", "(3,", "12),", "recurrent_kernel", "(4,", "12),", "bias", "(2,", "12)",
    ]  # fmt: skip
    assert lines[-1] == "145 weights"


@pytest.mark.parametrize("command", [[], ["run"], ["inspect"], ["demo"], ["cache"]])
def test_help_shows_an_example(capsys, command):
    assert run_here(*command, "--help") == 0
    told = capsys.readouterr().out
    assert "usage: numbarnn" in told
    if command:
        assert f"example:\n  numbarnn {command[0]}" in told


def test_version(here):
    assert run("--version", cwd=here).stdout == f"numbarnn {nr.__version__}\n"


def test_a_full_disk_is_a_sentence(here):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    result = run("inspect", "tiny.safetensors", cwd=here, env={**os.environ})
    assert result.returncode == 0
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*COMMAND, "inspect", "tiny.safetensors"],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=here, check=False,
        )  # fmt: skip
    assert result.returncode == 1
    assert "No space left" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_closed_pipe_is_no_traceback(here):
    """``numbarnn inspect m | head -1``: the reader may leave early."""
    # Python itself buffers what it writes into a pipe, unless the environment says otherwise.
    for arguments, unbuffered in (
        ("inspect tiny.safetensors", ""),
        ("inspect tiny.safetensors", "1"),
        ("--help", ""),
    ):
        result = subprocess.run(
            f"{sys.executable} -m numbarnn {arguments} | true", shell=True, capture_output=True, text=True,
            cwd=here, check=False, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
        assert "Traceback" not in result.stderr
        assert "Exception" not in result.stderr


def _hear_ctrl_c():
    """A shell that starts something in the background has it ignore the signal."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_is_status_130_and_leaves_nothing(here, rng, tmp_path):
    rows = [rng.integers(1, 9, 200).tolist() for _ in range(400)]
    table = pa.table({"events": pa.array(rows * 400, pa.list_(pa.int8()))})
    pq.write_table(table, tmp_path / "big.parquet")
    process = subprocess.Popen(
        [*COMMAND, "run", str(here / "tiny.safetensors"), "big.parquet",
         "-o", "out.parquet", "--column", "events"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, preexec_fn=_hear_ctrl_c,
    )  # fmt: skip
    deadline = time.time() + 60
    while not list(tmp_path.glob(".out.parquet*")) and time.time() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    # The interpreter dies by the signal itself if it came inside of a library's `exec`: 130 in a shell too.
    assert process.returncode in (130, -signal.SIGINT), errors
    assert errors == "numbarnn: interrupted; nothing was written.\n"
    assert [p.name for p in tmp_path.iterdir()] == ["big.parquet"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("swallowed", ["silently", "as another error"])
def test_ctrl_c_that_c_code_swallows_counts(here, tmp_path, monkeypatch, capsys, swallowed):
    """In a callback of LLVM's, or in an import."""
    from numbarnn.data.scoring import Scorer

    score = Scorer.score

    def interrupted(self, *arguments):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if swallowed != "silently":
                raise AttributeError("partially initialized module") from None
        return score(self, *arguments)

    monkeypatch.setattr(Scorer, "score", interrupted)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    files = str(here / "tiny.safetensors"), str(here / "in.parquet")
    try:
        status = main(["run", *files, "-o", str(tmp_path / "out"), "--column", "events"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert status == 130
    assert capsys.readouterr().err == "numbarnn: interrupted; nothing was written.\n"
    assert not list(tmp_path.iterdir())


def test_the_demo_runs_and_draws(tmp_path):
    result = run("demo", "-o", "shown", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert sorted(p.name for p in (tmp_path / "shown").iterdir()) == [
        "demo.png",
        "names.parquet",
        "scores.parquet",
    ]
    for word in ("accuracy", "macro-F1", "always the largest class", "sequences/s", "characters/s"):
        assert word in result.stdout
    picture = (tmp_path / "shown" / "demo.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(picture) > 50_000


def test_the_module_and_the_script_are_the_same(here):
    script = os.path.join(os.path.dirname(sys.executable), "numbarnn")
    if not os.path.exists(script):
        pytest.skip("the package is not installed as a script here")
    result = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert result.stdout == f"numbarnn {nr.__version__}\n"


def test_numbers_are_the_same_as_in_python(here):
    assert np.isfinite(nr.load(here / "tiny.safetensors")([[1, 2]])).all()


def test_inspect_tells_how_columns_are_read(here, tmp_path):
    model = nr.load(here / "tiny.safetensors")
    model.reading = nr.Text("abcdefghi".replace("", " ").split())
    model.save(tmp_path / "text")
    result = run("inspect", "text", cwd=tmp_path)
    assert "input 0 is read as Text(9 tokens, split='character')\n" in result.stdout
