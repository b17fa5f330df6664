"""The job on a cluster of Dask's: one file is one task, and a file appears only when it is whole."""

import contextlib
import pickle
from functools import lru_cache

from ..errors import extra
from ..threads import set_num_threads
from .parquet import score_file
from .scoring import Scorer


@lru_cache(1)
def _loaded(blob):
    return pickle.loads(blob)


def _score(blob, pair, note):
    """One task: as often as it is run, its file is the same."""
    with set_num_threads(1):
        return score_file(_loaded(blob), pair, note)


@contextlib.contextmanager
def _client(scheduler, workers):
    """A client of a cluster, or of one of this machine's own processes, each with one thread."""
    distributed = extra("distributed", "dask")
    if scheduler is not None:
        with distributed.Client(scheduler, set_as_default=False) as client:
            yield client
        return
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def run_on_dask(scorer, left, workers, scheduler):
    """Score files on a cluster, whose workers see the same paths.

    Parameters
    ----------
    scorer : Scorer
    left : list of (Pair, dict)
        Files, and the notes in them.
    workers : int
        Processes of this machine, if there is no scheduler.
    scheduler : str or None
        Its address.

    Yields
    ------
    function
        Gives the `Summary` of a file, in the order in which they are done.
    """
    distributed = extra("distributed", "dask")
    with _client(scheduler, workers) as client:
        # Every task has the model with it: none waits for a worker that is lost.
        blob = pickle.dumps(scorer)
        tasks = [client.submit(_score, blob, pair, note, pure=False) for pair, note in left]
        try:
            for task in distributed.as_completed(tasks, loop=client.loop):
                yield task.result
        finally:
            client.cancel(tasks)


def _score_frame(frame, scorer):
    """One partition of pandas's to one of pandas's."""
    import pandas as pd

    with set_num_threads(1):
        table = scorer(frame)
    found = table.to_pandas(types_mapper=pd.ArrowDtype)
    return found.set_index(frame.index) if len(found) == len(frame) else found


def map_partitions(frame, model, columns=None, *, emit="last", keep=(), on_error="fail"):
    """Run a model over the rows of a Dask dataframe.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        With list columns of Arrow's types: read with ``dtype_backend="pyarrow"``.
    model : Layer
        Built.
    columns, emit, keep, on_error
        As in `Layer.run`; a row that is left out leaves its partition with an index of its own.

    Returns
    -------
    dask.dataframe.DataFrame
        With the same partitions and index, the columns `keep`, and those of the results, of Arrow's types.

    Raises
    ------
    ArgumentError
        If a column is missing or does not fit.
    """
    scorer = Scorer(model, columns, emit, keep, on_error)
    meta = _score_frame(frame._meta, scorer)
    return frame.map_partitions(_score_frame, scorer, meta=meta)
