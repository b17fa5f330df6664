"""Measure numbarnn and every installed peer in turn, and write what came out.

    python benchmarks/against_peers.py [--suites cells,custom] [--threads 1,2] [--write]

Every number of threads is a process of its own, pinned to as many cores. `--write` puts the tables into
README.md, all rows into benchmarks/results.json and a picture beside it.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def _machine():
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


def _pin(threads):
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[-threads:]
        os.sched_setaffinity(0, cores)


def _child(arguments):
    """Measure the suites on one number of threads; the rows go to a file."""
    _pin(arguments.child)
    from suites import run

    rows, versions = run(arguments.suites, arguments.child)
    Path(arguments.to).write_text(json.dumps({"rows": rows, "versions": versions}))


def main():
    """Run the command line."""
    everything = ["cells", "custom", "catalogue", "own", "ragged", "streaming", "chunks"]
    everything += ["models", "float64", "composed", "pipelines"]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--suites", default=",".join([*everything, "startup", "memory"]))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--to", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.suites = arguments.suites.split(",")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    if arguments.child:
        _child(arguments)
        return
    rows, versions = [], {}
    measured = [name for name in arguments.suites if name in everything]
    for threads in map(int, arguments.threads.split(",")) if measured else ():
        # What one thread cannot do otherwise is measured once.
        chosen = (
            measured
            if threads == 1
            else [n for n in measured if n in ("cells", "custom", "ragged", "pipelines")]
        )
        if not chosen:
            continue
        print(f"--- {threads} thread{'s' if threads > 1 else ''}", flush=True)
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            environ = {**os.environ, "OMP_NUM_THREADS": str(threads)}
            command = [
                sys.executable,
                __file__,
                "--suites",
                ",".join(chosen),
                "--child",
                str(threads),
            ]
            subprocess.run([*command, "--to", file.name], env=environ, check=True)
            found = json.loads(Path(file.name).read_text())
        rows += found["rows"]
        versions = found["versions"]
    import processes

    for name in ("startup", "memory"):
        if name in arguments.suites:
            rows += getattr(processes, name)()
    if arguments.write:
        from report import write

        write(rows, versions, _machine())


if __name__ == "__main__":
    main()
