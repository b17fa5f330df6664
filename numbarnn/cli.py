"""The command line: ``numbarnn run``, ``inspect``, ``convert``, ``export``, ``demo`` and ``cache``.

Exit status: 0 done; 1 the data, the model or the machine; 2 wrong use of the command line; 130 after
Ctrl-C. Errors are one sentence on standard error.
"""

import argparse
import contextlib
import csv
import os
import signal
import sys
import threading
from pathlib import Path

from . import __version__
from .errors import ArgumentError, NumbarnnError
from .files import replacing

_RUN_EXAMPLE = """example:
  numbarnn run model.safetensors events.parquet -o scores.parquet --column events --id customer
  numbarnn run model.safetensors events/ -o scores/ --column events --workers 4 --resume
  numbarnn run model.safetensors monday.parquet -o scores.parquet --column events --id customer \\
      --state-in sunday.states --state-out monday.states
"""
_INSPECT_EXAMPLE = """example:
  numbarnn inspect model.keras
"""
_CONVERT_EXAMPLE = """examples:
  numbarnn convert model.keras model.safetensors
  numbarnn convert model.keras model.onnx
  numbarnn convert state.safetensors model.safetensors --spec spec.json
with a spec.json such as
  {"rnn": {"class_name": "GRU", "config": {"units": 64, "return_sequences": true}}, "head": null}
"""
_EXPORT_EXAMPLE = """example:
  numbarnn export model.safetensors libmodel.so
which writes libmodel.h and libmodel.f90 too
"""
_CACHE_EXAMPLE = """example:
  numbarnn cache show
  numbarnn cache clear
"""
_DEMO_EXAMPLE = """example:
  numbarnn demo -o demo-output
"""

#: Rows that could not be run, of which standard error tells.
_SHOWN = 10


def _parser():
    parser = argparse.ArgumentParser(
        prog="numbarnn", description="Recurrent models over sequences, compiled by Numba."
    )
    parser.add_argument("--version", action="version", version=f"numbarnn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, text, example):
        return commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=example,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    run = command(
        "run", "score Parquet files of sequences, one row out for each row in", _RUN_EXAMPLE
    )
    run.add_argument("model", metavar="MODEL", help="a model file")
    run.add_argument(
        "data",
        metavar="DATA",
        help="the sequences, one list per row: a Parquet file, a folder of them, a pattern such as "
        "'day-*.parquet', or - for Arrow's stream format on standard input",
    )
    run.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="where to write: a file, a folder if DATA is no single file, or - for Arrow's stream "
        "format on standard output",
    )
    run.add_argument(
        "--column",
        required=True,
        action="append",
        metavar="NAME",
        help="the column to read, of lists or of what the model declares; of several inputs, once for each",
    )
    run.add_argument("--id", metavar="NAME", help="a column to copy into the output")
    run.add_argument(
        "--emit",
        choices=("last", "sequence", "state"),
        help="the output after the last time step (default), after every one, or the final states",
    )
    run.add_argument(
        "--on-error",
        choices=("fail", "null", "skip"),
        default="fail",
        help="what becomes of a row that cannot be run: the run fails (default), its result is null, "
        "or it has none",
    )
    run.add_argument(
        "--errors", metavar="FILE.csv", help="where to write which rows those were, and why"
    )
    run.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="pieces of the data that are run at the same time (default: 1, on all cores)",
    )
    run.add_argument(
        "--resume",
        action="store_true",
        help="leave out the files that an earlier run of the same model, data and options has written; "
        "a file that was cut short begins anew, so cut large data into several",
    )
    run.add_argument(
        "--state-in", metavar="FILE", help="the states, by --id, that the sequences go on from"
    )
    run.add_argument("--state-out", metavar="FILE", help="where to write the states at the end")
    run.add_argument(
        "--engine", choices=("local", "dask"), default="local", help="what runs it (default: local)"
    )
    run.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of Dask; without it, --workers processes of this machine",
    )
    run.add_argument("--no-progress", action="store_true", help="show no progress bar")
    run.set_defaults(call=_run)

    inspect = command("inspect", "say what a model file holds", _INSPECT_EXAMPLE)
    inspect.add_argument("model", metavar="MODEL", help="a model file")
    inspect.set_defaults(call=_inspect)

    convert = command(
        "convert",
        "write a model of Keras's, PyTorch's or others' as numbarnn's own, or as ONNX",
        _CONVERT_EXAMPLE,
    )
    convert.add_argument("model", metavar="IN", help="a model file of any format that is read")
    convert.add_argument(
        "output", metavar="OUT", help="the file to write; ONNX if its name ends with .onnx"
    )
    convert.add_argument(
        "--spec",
        metavar="SPEC.json",
        help="of weights alone: the layers, by what their arrays begin with",
    )
    convert.add_argument("--until", metavar="LAYER", help="only what comes before this layer")
    convert.set_defaults(call=_convert)

    export = command(
        "export",
        "write a model as an object file or shared library for C and Fortran",
        _EXPORT_EXAMPLE,
    )
    export.add_argument("model", metavar="MODEL", help="a model file of any format that is read")
    export.add_argument("output", metavar="OUT", help="the file to write, .o or .so")
    export.add_argument("--cpu", metavar="CPU", help="the least processor, such as x86-64-v3")
    export.add_argument("--name", metavar="NAME", help="what the names of the functions begin with")
    export.set_defaults(call=_export)

    demo = command("demo", "run the job on a small model and real data, offline", _DEMO_EXAMPLE)
    demo.add_argument(
        "-o",
        "--output",
        default="demo-output",
        metavar="FOLDER",
        help="where to write (default: %(default)s)",
    )
    demo.add_argument("--no-progress", action="store_true", help="show no progress bar")
    demo.set_defaults(call=_demo)

    cache = command("cache", "show or clear the machine code kept on the disk", _CACHE_EXAMPLE)
    cache.add_argument(
        "action",
        choices=("show", "clear"),
        help="`show` says where it lies and how much there is; `clear` removes it",
    )
    cache.set_defaults(call=_cache)
    return parser


def _run(arguments):
    from .data.parquet import run_parquet
    from .formats import load

    if arguments.errors is not None and arguments.on_error == "fail":
        raise ArgumentError("`--errors` needs `--on-error null` or `skip`; it is missing.")
    summary = run_parquet(
        load(arguments.model),
        arguments.data,
        arguments.output,
        column=arguments.column,
        identity=arguments.id,
        emit=arguments.emit,
        progress=not arguments.no_progress,
        on_error=arguments.on_error,
        workers=arguments.workers,
        resume=arguments.resume,
        state_in=arguments.state_in,
        state_out=arguments.state_out,
        engine=arguments.engine,
        scheduler=arguments.scheduler,
        interrupted=arguments.interrupted,
    )
    _tell_faults(summary.faults, arguments)
    rate = summary.rows / max(summary.seconds, 1e-9)
    files = summary.files + summary.resumed
    parts = [f"{files:,} files"] if files > 1 else []
    if summary.resumed:
        parts.append(f"{summary.resumed:,} of them written before")
    parts += [f"{summary.rows:,} rows", f"{summary.steps:,} time steps"]
    print(
        f"{arguments.output}: {', '.join(parts)} in {summary.seconds:.2f} s "
        f"({rate:,.0f} rows/s; compiling {summary.compile_seconds:.1f} s)",
        file=sys.stderr if arguments.output == "-" else sys.stdout,
    )


def _tell_faults(faults, arguments):
    """Rows that could not be run: in a file, or the first of them on standard error."""
    if arguments.errors is not None:
        with replacing(arguments.errors) as temporary, open(temporary, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "row", "reason"])
            rows.writerows([name, fault.row, fault.reason] for name, fault in faults)
    if not faults:
        return
    done = {"null": "are null", "skip": "are left out"}[arguments.on_error]
    where = f"; see {arguments.errors}" if arguments.errors else ""
    print(f"numbarnn: {len(faults):,} rows could not be run and {done}{where}.", file=sys.stderr)
    if arguments.errors is None:
        for name, fault in faults[:_SHOWN]:
            print(f"numbarnn: {name}, row {fault.row}: {fault.reason}", file=sys.stderr)
        if len(faults) > _SHOWN:
            more = len(faults) - _SHOWN
            print(f"numbarnn: and {more:,} more; --errors FILE.csv has all.", file=sys.stderr)


def _inspect(arguments):
    from .formats import load
    from .formats.loading import format_of
    from .formats.spec import SpecNeededError

    try:
        model = load(arguments.model)
    except SpecNeededError as error:
        _print_arrays(arguments.model, error.arrays)
        return
    source, _ = format_of(arguments.model)
    print(f"{arguments.model}: {type(model).__name__} {model.name!r}, {source}")
    _print_layers(model)


def _print_arrays(path, arrays):
    """Weights without an architecture, and a spec to begin with."""
    from .formats.candidates import guesses
    from .formats.filling import shown

    print(f"{path}: weights alone; to be read with a spec")
    width = max((len(shown(name)) for name in arrays), default=0)
    for name, array in arrays.items():
        print(f"  {shown(name):<{width}}  {array.dtype}  {array.shape}")
    found = guesses(arrays)
    print("to begin with: spec={")
    for prefix, guess in found:
        print(f"    {prefix!r}: {guess},")
    print("}")
    if any(guess == "..." for _, guess in found):
        print("where it says ..., the names follow no custom; say which array is which, as in")
        print("    'encoder': {'layer': nr.GRU(256), 'arrays': {'weight_ih_l0': 'enc_w_ih', ...}},")


def _print_layers(model):
    from .formats.filling import shown
    from .given.shapes import flattened_shapes
    from .layers import Model
    from .operators import Operation
    from .reading import checked_readings

    if isinstance(model, Model):
        given = [(symbol.name, symbol.shape) for symbol in model._inputs]
        told = ", ".join(f"{shown(name)} {shape}" for name, shape in given)
        shapes = [shape for _, shape in given]
        gives = model.compute_output_shape(shapes if len(shapes) > 1 else shapes[0])
        print(f"  is given {told}")
        print(f"  gives    {', '.join(map(str, flattened_shapes(gives)))}")
    rows = []
    for layer in getattr(model, "layers", [model]):
        shapes = ", ".join(f"{shown(n)} {array.shape}" for n, array in layer.weights.items())
        kind = type(layer).__name__
        kind += f" {layer.operator}" if isinstance(layer, Operation) else ""
        rows.append((shown(layer.name), kind, layer.count_params(), shapes))
    wide, kinds = (max(len(row[n]) for row in rows) for n in (0, 1))
    for name, kind, count, shapes in rows:
        print(f"  {name:<{wide}}  {kind:<{kinds}}  {count:>9,}  {shapes}".rstrip())
    for number, reading in enumerate(checked_readings(model.reading) or ()):
        if reading is not None:
            print(f"input {number} is read as {reading!r}")
    print(f"{model.count_params():,} weights")


def _convert(arguments):
    from .formats import load
    from .formats.source import json_data
    from .formats.spec import SpecNeededError

    spec = None
    if arguments.spec is not None:
        spec = json_data(Path(arguments.spec).read_bytes(), f"`{arguments.spec}`")
    try:
        model = load(arguments.model, spec=spec, until=arguments.until)
    except SpecNeededError:
        raise ArgumentError(
            f"`--spec` must be given for `{arguments.model}`, which holds weights without an "
            "architecture: a JSON file of layers, by what the names of their arrays begin with "
            "(`numbarnn inspect` lists them and makes a guess)."
        ) from None
    write = model.to_onnx if arguments.output.lower().endswith(".onnx") else model.save
    write(arguments.output)
    print(
        f"{arguments.output}: {type(model).__name__} {model.name!r}, {model.count_params():,} weights"
    )


def _export(arguments):
    from .formats import load

    model = load(arguments.model)
    for path in model.export(arguments.output, cpu=arguments.cpu, name=arguments.name):
        print(f"{path}: {path.stat().st_size:,} bytes")


def _demo(arguments):
    from .demo.job import run_demo

    folder = Path(arguments.output)
    print("Names of Unicode characters -> general category, with a GRU that ships with numbarnn.")
    verdict = run_demo(folder, progress=not arguments.no_progress)
    print(f"held-out names   {verdict.names:,}")
    print(
        f"accuracy         {verdict.accuracy:.1%}   (always the largest class: {verdict.baseline:.1%})"
    )
    print(f"macro-F1         {verdict.macro_f1:.3f}")
    print(
        f"speed            {verdict.sequences_per_second:,.0f} sequences/s, "
        f"{verdict.characters_per_second:,.0f} characters/s, reading and writing included"
    )
    for name in ("names.parquet", "scores.parquet", "demo.png"):
        print(f"wrote            {folder / name}")


def _cache(arguments):
    from .compile import cache

    place = cache.folder()
    if place is None:
        print("off: NUMBARNN_CACHE_DIR is empty")
        return
    if arguments.action == "clear":
        count, size = cache.clear()
        print(f"{place}: {count:,} entries removed, {size / 2**20:.1f} MB")
        return
    found = cache.entries()
    size = sum(entry.size for entry in found)
    print(f"{place}: {len(found):,} entries, {size / 2**20:.1f} of {cache.most_bytes() >> 20:,} MB")


@contextlib.contextmanager
def _ctrl_c():
    """A function that says whether Ctrl-C has been heard, also where C code swallowed the exception."""
    heard, tell = [], sys.unraisablehook

    def hear(number, frame):
        heard.append(number)
        raise KeyboardInterrupt

    def told(unraisable):
        if unraisable.exc_type is not KeyboardInterrupt:
            tell(unraisable)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before, sys.unraisablehook = signal.signal(signal.SIGINT, hear), told
    try:
        yield lambda: bool(heard)
    except Exception:
        if heard:  # an import that was cut short, say, fails with an error of its own
            raise KeyboardInterrupt from None
        raise
    finally:
        sys.unraisablehook = tell
        if not heard:
            signal.signal(signal.SIGINT, before)


def main(arguments=None):
    """Run the command line; returns the exit status."""
    try:
        parsed = _parser().parse_args(arguments)
    except SystemExit:  # after help, too
        _drop_output()
        raise
    try:
        with _ctrl_c() as parsed.interrupted:
            parsed.call(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        # Libraries that have handlers of their own may raise the same signal once more.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        left = "nothing was written"
        if os.path.isdir(getattr(parsed, "output", "")) and parsed.command == "run":
            left = f"the files in {parsed.output} are whole, and --resume goes on from them"
        # A bar that was cut short may stand on the line, with what the keys have left.
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        print(f"{start}numbarnn: interrupted; {left}.", file=sys.stderr)
        return 130
    except NumbarnnError as error:
        print(f"numbarnn: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        _drop_output()
        place = f" `{error.filename}`" if error.filename else ""
        print(f"numbarnn: {error.strerror or error}{place}.", file=sys.stderr)
        return 1
    return 0


def _drop_output():
    """Have Python not write again, at its end, what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
