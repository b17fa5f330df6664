"""From Parquet to Parquet: rows of token ids, an embedding, an LSTM, the last output of every row."""

import tempfile
from pathlib import Path

import numpy as np
import ours
import pyarrow as pa
import pyarrow.parquet as pq
from cases import case, lengths
from token_files import on_files

import numbarnn as nr
from numbarnn.data.parquet import run_parquet

#: Rows, ids, features, units.
ROWS, IDS, FEATURES, UNITS = 8192, 1000, 64, 128


def _model(numbers, table):
    embedding = nr.Embedding(*table.shape)
    embedding.set_weights([table])
    return nr.Sequential([embedding, ours.layer_of(numbers)])


def _write(path):
    counts = lengths(ROWS)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    # Id 0 is what Keras's masks leave out.
    ids = np.random.default_rng(2).integers(1, IDS, offsets[-1]).astype(np.int32)
    events = pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids))
    pq.write_table(pa.table({"events": events}), path)


def _vectors(path):
    column = pq.read_table(path)["output"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1)


def measured(found, row, interleaved, checked):
    """The rows of the suite; what is measured, how, and what agrees are the caller's words.

    Parameters
    ----------
    found : list of module
        The peers; those that have `last_of_tokens` take part.
    row, interleaved, checked : function
        As in `suites`.
    """
    numbers = case("LSTM", (1, 1, FEATURES, UNITS))
    table = np.random.default_rng(3).normal(size=(IDS, FEATURES)).astype(np.float32)
    model = _model(numbers, table)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.parquet"
        _write(source)
        targets = {"numbarnn": Path(folder) / "numbarnn.parquet"}
        calls = {
            "numbarnn": lambda: run_parquet(
                model, source, targets["numbarnn"], "events", emit="last", progress=False
            )
        }
        for peer in found:
            if hasattr(peer, "last_of_tokens"):
                target = targets[peer.NAME] = Path(folder) / f"{peer.NAME}.parquet"
                calls[peer.NAME] = on_files(peer.last_of_tokens(numbers, table), source, target)
        for call in calls.values():
            call()
        expected = _vectors(targets["numbarnn"])
        for name, path in targets.items():
            checked(name, expected, _vectors(path))
        in_memory = pq.read_table(source)
        what = f"Embedding({FEATURES}), LSTM({UNITS}), {ROWS:,} rows, mean 40"
        rows = [
            row("pipelines", what, interleaved(calls, 5), sequences=ROWS),
            row(
                "pipelines",
                "the same, against the table in memory",
                interleaved(
                    {
                        "numbarnn": calls["numbarnn"],
                        "in memory": lambda: model.run(in_memory, "events", emit="last"),
                    },
                    9,
                ),
                sequences=ROWS,
            ),
        ]
        for peer in found:
            if hasattr(peer, "finished"):
                peer.finished()
        return rows
