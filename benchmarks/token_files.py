"""Rows of token ids of different lengths, in batches of nearly one length, as one makes them by hand."""

import numpy as np

#: Rows that a peer runs together, and what the longest is rounded up to, where shapes are compiled.
BATCH, ROUNDED = 64, 32


def batches(offsets, rounded=1):
    """Rows by falling length: (which, their first tokens' places, lengths, steps of the batch)."""
    counts = np.diff(offsets)
    order = np.argsort(-counts, kind="stable")
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        longest = -(-int(counts[rows[0]]) // rounded) * rounded
        yield rows, offsets[:-1][rows], counts[rows], longest


def padded(ids, firsts, counts, longest):
    """The ids of some rows, shape (rows, longest), zeros behind each."""
    steps = np.arange(longest)
    places = np.minimum(firsts[:, None] + steps, len(ids) - 1)
    return np.where(steps < counts[:, None], ids[places], 0).astype(np.int32)


def on_files(score, source, target):
    """``call()``: from a Parquet file of ids through ``score(ids, offsets)`` to one of vectors."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def call():
        column = pq.read_table(source, columns=["events"])["events"].combine_chunks()
        vectors = score(np.asarray(column.values), np.asarray(column.offsets))
        flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
        found = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        # As fast as pyarrow writes numbers that are all different; numbarnn's options too.
        options = {"use_dictionary": False, "write_statistics": False, "compression": "none"}
        pq.write_table(pa.table({"output": found}), target, **options)

    return call
