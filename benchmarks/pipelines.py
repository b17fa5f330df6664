"""From Parquet to Parquet: rows of token ids, an embedding, an LSTM, the last output of every row.

And numbarnn's files against its memory, for these and for the outputs of all steps, whose numbers are so
many that it counts how fast they are written: as Parquet, as Arrow's file, and as nothing but bytes.
"""

import tempfile
from pathlib import Path

import numpy as np
import ours
import pyarrow as pa
import pyarrow.parquet as pq
from cases import case, lengths
from token_files import on_files

import numbarnn as nr
from numbarnn.data.files import ParquetTarget
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


def _all_steps(model, source, in_memory, folder, row, interleaved):
    """The outputs of all steps: files against memory, and what writing them alone takes."""
    target, plain = folder / "steps.parquet", folder / "plain"

    def run():
        return model.run(in_memory, "events", emit="sequence")

    column = run()["output"]
    numbers = column.combine_chunks().flatten().flatten().to_numpy()
    batches = pa.table({"output": column}).to_batches()

    def parquet():
        writer = ParquetTarget(target)
        for batch in batches:
            writer.write(batch)
        writer.close()

    def arrow():
        with (
            pa.OSFile(str(plain), "wb") as file,
            pa.ipc.new_file(file, batches[0].schema) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)

    def files():
        run_parquet(model, source, target, "events", emit="sequence", progress=False)

    calls = {
        "numbarnn": files,
        "in memory": run,
        "Parquet alone": parquet,
        "Arrow alone": arrow,
        "bytes alone": lambda: plain.write_bytes(numbers),
    }
    times = interleaved(calls, 5)
    alone = {name: times.pop(name) for name in list(times) if name.endswith("alone")}
    megabytes = f"all steps, {numbers.nbytes / 1e6:.0f} MB, against the table in memory"
    return [row("pipelines", megabytes, times, alone={n: 1e6 * s for n, s in alone.items()})]


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
        rows += _all_steps(model, source, in_memory, Path(folder), row, interleaved)
        for peer in found:
            if hasattr(peer, "finished"):
                peer.finished()
        return rows
