"""A model as a graph of parts that run without Python; a chain of layers is a graph of one path."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ArgumentError, CellError
from ..forms import (
    check_constants,
    form_of,
    initial_states,
    sample_program,
    state_shapes,
    step_sizes,
    unit_program,
)
from ..given.sequences import Batch, Values
from ..given.shapes import is_shape
from ..layers import Activation, ReLU, Softmax
from ..layers.rows import map_rows
from ..loop.parts import Laid, Lookup, Loop, Port, TakenState, fixed
from .nodes import LoopNode, Value, as_count, product, refused, renamed
from .rectifiers import LeakyReLUCell, ReLUCell
from .walk import Walk


@dataclass(frozen=True, eq=False)
class Graph:
    """What other programs run of a model.

    Attributes
    ----------
    name : str
    nodes : list of LoopNode or numbarnn.loop.parts.Placed
    inputs, outputs : list of Port
    buffers : dict of int -> tuple of two int
        As of `numbarnn.loop.sealed.Sealed`.
    whole : str or None
        A layer that needs the whole sequence, and what it does; so that there are no single steps.
    dtype : NumPy dtype
    """

    name: str
    nodes: list
    inputs: list
    outputs: list
    buffers: dict
    whole: str | None
    dtype: np.dtype

    @property
    def versions(self):
        """What changes when a weight or setting of a cell does."""
        return tuple([cell._version for node in self.nodes for cell in _cells_of(node)])

    def empties(self):
        """For each node, the last output of a sequence without steps; None for zeros."""
        return [self._empty(node) for node in self.nodes]

    def _empty(self, node):
        if not getattr(node, "behind", 0):
            return None
        first = node.cells[-node.behind]
        row = np.zeros((1, 1, first.input_shape[1]), self.dtype)
        for cell in node.cells[-node.behind :]:
            row = map_rows(cell, row)
        return row[0, 0]

    def check_steps(self, form=None):
        """Refuse a model that needs the whole sequence."""
        if self.whole is not None:
            to = "run step by step" if form is None else f"have the form {form!r}"
            raise ArgumentError(
                f"`{self.name}` must have single steps to {to}; {self.whole} and needs the whole sequence."
            )

    def sealed(self, empties=None):
        """The parts with their weights as they are now, behind one address.

        `empties` is what `empties` gives, for a process that cannot run the cells itself.
        """
        from ..loop.sealed import Sealed

        empties = self.empties() if empties is None else empties
        parts = [
            self._loop(node, empty) if isinstance(node, LoopNode) else _with_weights(node)
            for node, empty in zip(self.nodes, empties, strict=True)
        ]
        return Sealed(parts, self.dtype, self.inputs, self.outputs, self.buffers)

    def _loop(self, node, empty):
        cells, dtype = node.cells, self.dtype
        sample = form_of(cells[0]) == "sample"
        program = (_sampled if sample else _united)(node, dtype)
        initial = []
        for cell in cells:
            given = initial_states(cell, 1, dtype)
            for state, shape in zip(given, state_shapes(cell), strict=True):
                initial.append(np.zeros(shape, dtype) if state is None else state[0])
        return Loop(
            program=program, items=node.items, units=node.width, initial=initial, empty=empty,
            sequences=node.sequences, source=node.source, target=node.target, mask=node.mask,
            states=node.states, **node.further,
        )  # fmt: skip


def _cells_of(node):
    """The cells whose weights a node holds."""
    if isinstance(node, LoopNode):
        return node.cells
    return [node.table] if isinstance(node, Lookup) else []


def _with_weights(node):
    """A node that is no loop, with the weights of its cell as they are now."""
    return replace(node, table=node.table.embeddings) if isinstance(node, Lookup) else node


def _united(node, dtype):
    return unit_program(node.cells, step_sizes(node.items), (), dtype)


def _sampled(node, dtype):
    (cell,) = node.cells
    values = []
    for shape in node.items:
        strides = np.empty((0, *shape), dtype).strides[1:]
        values.append(Values(np.empty(0, dtype), 0, 0, shape, strides))
    nothing = dict.fromkeys(("counts", "firsts", "mask", "reset", "order", "offsets"))
    batch = Batch(tuple(values), 1, 1, 1, **nothing, by_length=False, time_major=False)
    try:
        check_constants(node.cells, (), 1)
        return sample_program(cell, batch, is_shape(cell.input_shape), (), dtype)
    except (ArgumentError, CellError) as error:
        # A step that names constants where there are none does not compile.
        if "constants" not in str(error) and "tuple index" not in str(error):
            raise
        raise refused(
            node.layer, "have cells without constants", f"{type(cell).__name__} takes some"
        ) from error


def _cell_of(layer, width, dtype):
    """The cell that does what a layer without weights does."""
    if isinstance(layer, (Activation, Softmax)):
        return layer.cell_for(width, dtype)
    cell = (ReLUCell if isinstance(layer, ReLU) else LeakyReLUCell)(width, layer)
    cell.dtype = dtype
    cell.ensure_built((None, width))
    return cell


def _port(shape, ids=0):
    """An input or output of a shape: its time steps are those of the model, or it has none."""
    value = Value(0, shape)
    return Port(
        product(value.sizes), ids, as_count(shape[0]) if value.is_long else fixed(1),
        timed=value.is_long, scalar=bool(ids) and len(shape) == value.is_long,
    )  # fmt: skip


def _given_away(walk):
    """Which arrays are outputs, by their numbers; one that is two of them, or an input, is copied."""
    names = {}
    for number, value in enumerate(walk.outputs):
        if value.array < 0 or value.array in names:
            copy = walk.nodes.value(value.shape)
            walk.nodes.add(
                Laid(
                    mode="put", width=value.width, row=value.width, source=value.rows(),
                    target=copy.rows(),
                )
            )  # fmt: skip
            value = copy
        names[value.array] = -1 - len(walk.inputs) - number
    return names


def graph_of(model):
    """The graph of a layer or model.

    Parameters
    ----------
    model : Layer
        Built.

    Returns
    -------
    Graph

    Raises
    ------
    ArgumentError
        If the model is not built, or holds what does not run without Python.
    """
    if not model.built:
        raise refused(model, "be built (call it, or its `build`)", "it is not")
    walk = Walk(model)
    nodes = walk.nodes
    if len(nodes.dtypes) > 1:
        raise refused(model, "have layers of one dtype", f"they have {sorted(nodes.dtypes)}")
    dtype = np.dtype(nodes.dtypes.pop() if nodes.dtypes else "float32")
    for node in nodes.listed:
        if isinstance(node, LoopNode) and not node.cells:
            node.cells = [_cell_of(node.layer, node.width, dtype)]
    names, read = _given_away(walk), nodes.readers()
    nodes.listed = [
        node
        for node in nodes.listed
        if not isinstance(node, TakenState) or {node.target.array} & (read.keys() | names.keys())
    ]
    found = [renamed(node, names) for node in nodes.joined(names)]
    arrays = {view.array for node in found for view in _views(node)}
    buffers = {}
    for number in sorted(arrays & nodes.buffers.keys()):
        count, varies = nodes.buffers[number]
        size = count * (1 if number in nodes.masks else dtype.itemsize)
        buffers[number] = (0, size) if varies else (size, 0)
    inputs = [_port(each.shape, each.ids) for each in walk.inputs]
    outputs = [_port(value.shape) for value in walk.outputs]
    return Graph(model.name, found, inputs, outputs, buffers, walk.whole, dtype)


def _views(node):
    return [view for view in (node.source, node.target, node.mask, node.states) if view is not None]
