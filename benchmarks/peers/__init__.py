"""The peers, one module each; only those that are installed are measured.

Every module has `NAME`, `version()`, `set_threads(count)` and `sequences(case)`, which gives
``(call, outputs)``: `call` runs the peer in the layout that it likes best, `outputs` turns what it gave
into an array of shape (batch, time, units). A case that a peer cannot run gives None.
One that has the cells of the catalogue has `cells(case)`, which gives the same. One that runs rows of token
ids has `last_of_tokens(case, table)`, which gives ``score(ids, offsets)``: the last output of every row.
"""

from importlib import import_module

MODULES = ("torch_cpu", "onnx_runtime", "open_vino", "jax_cpu", "keras_cpu")


def installed():
    """The modules of the installed peers."""
    found = []
    for name in MODULES:
        try:
            found.append(import_module(f".{name}", __package__))
        except ImportError as error:
            print(f"{name} is left out: {error}")
    return found
