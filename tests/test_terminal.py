"""The command line in a terminal: narrow, wide, taken away, and with somebody at the keyboard."""

import os
import struct
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import COMMAND, tiny_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pty is POSIX's")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal")
    tiny_model().save(folder / "tiny.model")
    rows = pa.array([[1 + n % 8] * 200 for n in range(8)] * 400, pa.list_(pa.int8()))
    pq.write_table(pa.table({"events": rows}), folder / "in.parquet")
    return folder


def in_terminal(columns, folder, *arguments, keys=None):
    """Status and all that is seen of ``numbarnn run`` in a terminal that is its own.

    Parameters
    ----------
    keys : (bytes, bytes), optional
        What is to be seen, and what is typed then.
    """
    import fcntl
    import pty
    import termios

    child, leader = pty.fork()
    if not child:
        os.chdir(folder)
        command = [*COMMAND, "run", "tiny.model", "in.parquet", *arguments]
        os.execv(sys.executable, command)
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    seen, typed = b"", False
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
        if keys is not None and not typed and keys[0] in seen:
            os.write(leader, keys[1])
            typed = True
    os.close(leader)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen.decode()


@pytest.mark.parametrize(
    ("columns", "told"), [(12, " 3"), (40, "3.20k/3.20k ["), (80, "row/s]"), (200, "row/s]")]
)
def test_a_bar_is_as_wide_as_the_terminal_and_no_wider(here, columns, told):
    status, seen = in_terminal(columns, here, "-o", f"{columns}.parquet", "--column", "events")
    assert status == 0, seen
    *bars, last = seen.rstrip("\r\n").replace("\n", "\r").split("\r")
    assert all(len(line) < columns for line in bars)
    assert "100%" in bars[-2] if not bars[-1] else "100%" in bars[-1]
    assert any(told in line for line in bars)
    assert last.startswith(f"{columns}.parquet: 3,200 rows, 640,000 time steps in ")


def test_no_bar_is_shown_that_nobody_wants(here):
    arguments = ("-o", "quiet.parquet", "--column", "events", "--no-progress")
    status, seen = in_terminal(80, here, *arguments)
    assert status == 0
    assert seen.startswith("quiet.parquet: 3,200 rows")
    assert seen.count("\n") == 1


def test_a_bar_does_not_go_into_a_pipe(here):
    """With standard error in a pipe there is none, wherever standard output goes."""
    import pty

    leader, follower = pty.openpty()
    command = [*COMMAND, "run", "tiny.model", "in.parquet", "-o", "piped.parquet"]
    result = subprocess.run(
        [*command, "--column", "events"],
        stdout=follower, stderr=subprocess.PIPE, cwd=here, check=False,
    )  # fmt: skip
    os.close(follower)
    seen = os.read(leader, 4096)
    os.close(leader)
    assert (result.returncode, result.stderr) == (0, b"")
    assert seen.startswith(b"piped.parquet: 3,200 rows")


def test_ctrl_c_at_the_keyboard_ends_the_bar_and_the_run(here):
    status, seen = in_terminal(
        80, here, "-o", "cut.parquet", "--column", "events", keys=(b"compiling", b"\x03")
    )
    assert status in (130, -2), seen
    # What stands on the line is taken away first.
    assert seen.endswith("\r\x1b[Knumbarnn: interrupted; nothing was written.\r\n")
    assert "Traceback" not in seen
    assert not [path for path in here.iterdir() if "cut" in path.name]


def test_an_error_stands_on_a_line_of_its_own(here, tmp_path):
    """The bar is left where it was."""
    rows = [[1]] * 5000 + [[9]]
    pq.write_table(pa.table({"events": rows}), tmp_path / "in.parquet")
    (tmp_path / "tiny.model").write_bytes((here / "tiny.model").read_bytes())
    status, seen = in_terminal(80, tmp_path, "-o", "out.parquet", "--column", "events")
    assert status == 1
    lines = seen.replace("\r", "\n").rstrip().split("\n")
    assert lines[-1].startswith("numbarnn: Row 5000: `inputs` must hold ids in 0 ... 8")
    assert not (tmp_path / "out.parquet").exists()
