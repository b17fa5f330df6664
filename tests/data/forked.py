"""Processes to be killed, forked from one that has everything loaded: a kill falls into the work itself."""

import contextlib
import os
import signal
import subprocess
import sys
import time

_SERVER = """
import os, sys
{prepare}
print("ready", flush=True)
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0)
    print("pid", pid, flush=True)
    os.waitpid(pid, 0)
    print("end", flush=True)
"""


class Forked:
    """Code that defines `work`, each time in a process of its own; ``sys.argv[1:]`` are the arguments."""

    def __init__(self, prepare, *arguments, cwd):
        code = _SERVER.format(prepare=prepare)
        self._server = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd,
        )  # fmt: skip
        self.told = []
        line = self._line()
        assert line == "ready", line
        self.told = []

    def _line(self):
        line = self._server.stdout.readline()
        assert line, f"the process that forks ended with status {self._server.wait()}"
        return line.strip()

    def start(self):
        """Begin the work; `told` gets what it prints."""
        self.told = []
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        while not (line := self._line()).startswith("pid "):
            self.told.append(line)
        self._pid = int(line.split()[1])

    def wait_for_a_line(self):
        """Wait until the work has printed something."""
        if not self.told:
            self.told.append(self._line())

    def kill_after(self, seconds):
        """Kill it, if it is not done."""
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        self.wait()

    def wait(self):
        """Wait for its end."""
        while (line := self._line()) != "end":
            self.told.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
