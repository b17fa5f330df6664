"""The main job: files of sequences in, files of results out, with no more in memory than a few pieces."""

import contextlib
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial

from ..errors import ArgumentError, extra
from ..layers import RNN, Bidirectional, Model, Sequential
from .by_length import padded_only
from .files import STREAM, note_of, opened, pairs_of, remove_parts, writing
from .pipeline import ahead, behind, in_order
from .scoring import Fault, Scorer
from .stateful import StatefulScorer, states_of
from .update import fingerprint


@dataclass
class Summary:
    """What a job did.

    Attributes
    ----------
    rows, steps : int
        Read.
    seconds, compile_seconds : float
        What it took, compiling not counted, and compiling.
    faults : list of (str, Fault)
        Rows that could not be run, with their file.
    files, resumed : int
        Files that were written, and that had been before.
    """

    rows: int = 0
    steps: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0
    faults: list = field(default_factory=list)
    files: int = 0
    resumed: int = 0

    def add(self, other):
        """Count another job's work too; the time that passes is not its own."""
        for name in ("rows", "steps", "compile_seconds", "faults", "files", "resumed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def default_emit(model):
    """What the job asks of a model: the last output, or what a model without recurrent layers gives."""
    if padded_only(model) is not None:
        return None
    if isinstance(model, (RNN, Bidirectional)):
        return "last"
    recurrent = isinstance(model, Sequential) and any(
        isinstance(layer, (RNN, Bidirectional)) for layer in model.layers
    )
    return "last" if recurrent and not isinstance(model, Model) else None


def score_file(scorer, pair, note, workers=1, told=None, interrupted=None):
    """Score one file.

    Parameters
    ----------
    scorer : Scorer
    pair : Pair
    note : dict
        What to write into the target, beside the rows that could not be run.
    workers : int
        Pieces that are run at the same time.
    told : function of int, optional
        Called with the number of rows that have been written.
    interrupted : function, optional
        Whether somebody wants the job to end.

    Returns
    -------
    Summary
    """
    source = opened(pair.source)
    try:
        names = scorer.input_columns(source.schema.names)
        columns = list(dict.fromkeys([*scorer.needed, *names]))
        summary = Summary(files=1)
        with writing(pair.target, scorer.keep) as target:

            def write(scored):
                target.write(scored.batch)
                summary.rows += scored.rows
                summary.steps += scored.steps
                summary.faults += [(pair.source, fault) for fault in scored.faults]
                if told is not None:
                    told(scored.rows)

            with ahead(_numbered(source.batches(columns))) as pieces, behind(write) as put:
                first = next(pieces)
                began = time.perf_counter()
                scorer.prepare(first[0])
                _check(interrupted)
                summary.compile_seconds = time.perf_counter() - began
                pieces = _with_first(first, pieces)
                for scored in in_order(lambda piece: scorer.score(*piece), pieces, workers):
                    put(scored)
                    _check(interrupted)
            faults = [asdict(fault) for _, fault in summary.faults]
            target.finish({**note, "rows": summary.rows, "faults": faults})
        return summary
    finally:
        source.close()


def _check(interrupted):
    """Raise what callbacks of C code have swallowed."""
    if interrupted is not None and interrupted():
        raise KeyboardInterrupt


def _numbered(batches):
    row = 0
    for batch in batches:
        yield batch, row
        row += len(batch)


def _with_first(first, rest):
    yield first
    yield from rest


def _note(scorer, model, pair):
    """What tells whether a target is what this job would write."""
    if STREAM in (pair.source, pair.target):
        return {}
    found = os.stat(pair.source)
    return {
        "model": fingerprint(model),
        "source": [found.st_size, found.st_mtime_ns],
        "asked": scorer.asked(),
    }


def _is_done(pair, note):
    found = note_of(pair.target)
    return found is not None and all(found.get(key) == value for key, value in note.items())


def _resumed(pair):
    found = note_of(pair.target)
    faults = [(pair.source, Fault(**fault)) for fault in found["faults"]]
    return Summary(faults=faults, resumed=1)


@dataclass
class Job:
    """Files to score, and how; see `run_parquet`."""

    model: object
    source: str
    target: str
    columns: object = None
    identity: str | None = None
    emit: str | None = None
    progress: bool = True
    on_error: str = "fail"
    workers: int = 1
    resume: bool = False
    state_in: str | None = None
    state_out: str | None = None
    engine: str = "local"
    scheduler: str | None = None
    interrupted: object = None

    def run(self):
        """Do it; returns the `Summary`."""
        extra("pyarrow", "arrow")
        self._check()
        started = time.perf_counter()
        pairs, folder = pairs_of(self.source, self.target)
        if folder:
            self._make_folder(pairs)
        if self.resume:
            remove_parts(self.target)
        with states_of(self.state_in, self.state_out) as store:
            scorer = self._scorer(store)
            scorer.words = ("--column", "--id")
            notes = [_note(scorer, self.model, pair) for pair in pairs]
            summary, left = Summary(), []
            for pair, note in zip(pairs, notes, strict=True):
                if self.resume and _is_done(pair, note):
                    summary.add(_resumed(pair))
                else:
                    left.append((pair, note))
            self._run_files(scorer, left, summary)
        summary.seconds = time.perf_counter() - started - summary.compile_seconds
        return summary

    def _check(self):
        if self.engine not in ("local", "dask"):
            raise ArgumentError(f"`--engine` must be 'local' or 'dask'; got {self.engine!r}.")
        if self.workers < 1:
            raise ArgumentError(f"`--workers` must be at least 1; got {self.workers}.")
        if self.scheduler is not None and self.engine != "dask":
            raise ArgumentError(f"`--scheduler` needs `--engine dask`; got {self.engine!r}.")
        if self.target == STREAM and self.resume:
            raise ArgumentError("`--resume` needs files; got `-` as `--output`.")
        if self.engine == "dask" and STREAM in (self.source, self.target):
            raise ArgumentError("`--engine dask` needs files; got `-`.")
        if self.state_in is None and self.state_out is None:
            return
        if self.identity is None:
            raise ArgumentError("`--state-in` and `--state-out` need `--id`; it is missing.")
        if self.resume or self.workers > 1 or self.engine != "local":
            raise ArgumentError(
                "`--state-in` and `--state-out` need all rows in order, without `--resume`, `--workers` "
                "and `--engine`; one of them was given."
            )

    def _scorer(self, store):
        keep = () if self.identity is None else (self.identity,)
        if store is not None:
            return StatefulScorer(
                self.model, self.columns, self.emit or "last", self.identity, self.on_error, store
            )
        emit = self.emit or default_emit(self.model)
        return Scorer(self.model, self.columns, emit, keep, self.on_error)

    def _make_folder(self, pairs):
        if not self.resume and os.path.isdir(self.target) and os.listdir(self.target):
            raise ArgumentError(
                f"`--output` must be an empty folder, or one to be taken up again with --resume; "
                f"`{self.target}` is not empty."
            )
        for folder in {os.path.dirname(pair.target) for pair in pairs}:
            os.makedirs(folder, exist_ok=True)

    def _run_files(self, scorer, left, summary):
        with self._bar(left) as told:
            if self.engine == "dask":
                from .on_dask import run_on_dask

                run = run_on_dask(scorer, left, self.workers, self.scheduler)
            else:
                run = (
                    partial(score_file, scorer, pair, note, self.workers, told, self.interrupted)
                    for pair, note in left
                )
            # Closed at once if a file fails: a cluster must not go when it is collected.
            with contextlib.closing(run):
                for finish in run:
                    found = finish()
                    summary.add(found)
                    _check(self.interrupted)
                    if self.engine == "dask":
                        told(found.rows)

    @contextlib.contextmanager
    def _bar(self, left):
        """A function that is told how many rows have been written; it shows them on a terminal."""
        # Without a bar there is no tqdm: its lock is shared with all processes that have forked, and
        # stays locked if one is killed while it has it.
        if not (self.progress and sys.stderr.isatty()):
            yield lambda rows: None
            return
        from tqdm.auto import tqdm

        total = _total_rows([pair for pair, _ in left])
        with tqdm(total=total, unit="row", unit_scale=True, desc="compiling") as bar:

            def told(rows):
                if not bar.n:
                    # The rate is that of running.
                    bar.unpause()
                    bar.set_description(refresh=False)
                bar.update(rows)

            yield told


def _total_rows(pairs):
    """The rows of all files; None if a stream does not tell."""
    total = 0
    for pair in pairs:
        if pair.source == STREAM:
            return None
        with contextlib.closing(opened(pair.source)) as source:
            total += source.rows
    return total


def run_parquet(model, source, target, column, identity=None, emit=None, progress=True, **options):
    """Score files of sequences.

    Parameters
    ----------
    model : Layer
    source : path-like
        A Parquet file, a folder of them or a pattern; ``-`` for a stream of Arrow on standard input.
    target : path-like
        A file, which may be the source, a folder if the source is no single file, or ``-``. Files
        appear only when they are whole.
    column : str or sequence of str
        The list column that holds the sequences; of a model with several inputs, one for each.
    identity : str, optional
        A column to copy into the result.
    emit : {None, "last", "sequence", "state"}
        See `Sequential.emit`. None: the last outputs, or what a model gives that has others.
    progress : bool
        Whether to show a bar where standard error is a terminal.
    options
        ``on_error``, as in `Layer.run`; ``workers``, pieces that are run at the same time; ``resume``,
        to leave out files that an earlier run has written; ``state_in`` and ``state_out``, files of
        `StateStore` to begin with and to write; ``engine``, ``"dask"`` for a cluster, and ``scheduler``,
        its address; ``interrupted``, a function that says whether to end as after Ctrl-C.

    Returns
    -------
    Summary

    Raises
    ------
    ArgumentError
        If a file is no Parquet, a column is missing, or a sequence does not fit the model.
    OSError
        If a file cannot be read or written.
    """
    extra("pyarrow", "arrow")
    job = Job(
        model, os.fspath(source), os.fspath(target), column, identity, emit, progress, **options
    )
    return job.run()
