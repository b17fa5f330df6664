"""A model as a chain of parts that run without Python: loops over cells, a table, merged directions."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError, CellError
from ..forms import (
    check_constants,
    form_of,
    initial_states,
    output_nest,
    positions_of,
    sample_program,
    segments,
    state_shapes,
    takes_constants,
    unit_program,
)
from ..given.nesting import is_nested
from ..given.sequences import Batch, Values
from ..given.shapes import is_shape
from ..layers import (
    RNN,
    Activation,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    LayerNormalization,
    LeakyReLU,
    Model,
    ReLU,
    Sequential,
    Softmax,
    TimeDistributed,
)
from ..layers.rows import map_rows
from .rectifiers import LeakyReLUCell, ReLUCell

#: What looks at every time step by itself.
_BY_STEP = (Activation, BatchNormalization, Dense, LayerNormalization, LeakyReLU, ReLU, Softmax)


@dataclass(kw_only=True)
class _Node:
    """One part: what it is made of, and what it reads and gives by number; -1 are the inputs.

    Attributes
    ----------
    kind : {"loop", "table", "merged"}
    layer : Layer
    cells : list of Cell
    source, target : int
    width : int
        Numbers of a row that it gives.
    sequences, backwards, turned, zeros : bool
        Of a loop, see `numbarnn.loop.sealed.Loop`.
    row, at : int
        The same.
    mask : int or None
    single : bool
    behind : int
        How many of the cells, the last ones, stand behind the last output of the others.
    """

    kind: str
    layer: Any
    cells: list
    source: int
    target: int
    width: int
    sequences: bool = True
    backwards: bool = False
    turned: bool = False
    zeros: bool = False
    row: int = 0
    at: int = 0
    mask: int | None = None
    single: bool = False
    behind: int = 0

    def takes_in(self, other):
        """Whether one loop can run this one and `other`, which reads what it gives."""
        alike = self.kind == other.kind == "loop" and other.source == self.target
        plain = not any(
            node.backwards or node.turned or node.row or node.mask is not None
            for node in (self, other)
        )
        units = all(form_of(cell) == "unit" for cell in (*self.cells, *other.cells))
        stateless = not any(state_shapes(cell) for cell in other.cells)
        return alike and plain and units and (self.sequences or stateless)

    def with_other(self, other):
        """Take it in."""
        last = not self.sequences
        self.behind += len(other.cells) if last or self.behind else 0
        self.cells = [*self.cells, *other.cells]
        self.target, self.width = other.target, other.width
        self.sequences = self.sequences and other.sequences


@dataclass(frozen=True)
class _Value:
    """What a layer is given: a number of a buffer, the numbers of a row if known, and its mask."""

    number: int
    width: int | None
    single: bool = False
    mask: int | None = None


def _refused(layer, must, got):
    return ArgumentError(f"`{layer.name}` must {must} to run in other programs; {got}.")


class _Builder:
    """Walks through a model and lists its parts."""

    def __init__(self, model):
        self.model, self.nodes, self._numbers, self.features = model, [], 0, None
        self.dtypes, self._read = set(), set()
        self._check_inputs(model)
        shape = model.input_shape
        width = shape[-1] if is_shape(shape) and len(shape) > 1 else None
        value = model.walked(_Value(-1, width), self.visit)
        if not isinstance(value, _Value) or value.number < 0:
            raise _refused(model, "give one array of its own", "it gives another")
        self.value = value

    def _check_inputs(self, model):
        if isinstance(model, Model) and len(model.input_names) > 1:
            raise _refused(model, "have one input", f"it has {model.input_names}")

    def _new(self):
        self._numbers += 1
        return self._numbers - 1

    def visit(self, layer, value):
        """List the parts of a layer; what it gives."""
        if isinstance(layer, (Sequential, Model)):
            self._check_inputs(layer)
            return layer.walked(value, self.visit)
        if isinstance(layer, Dropout):
            return value
        if not isinstance(value, _Value):
            raise _refused(self.model, "have layers of one input", f"{layer.name} has several")
        if value.number in self._read:
            raise _refused(
                self.model,
                "be a chain, in which every output is read once",
                f"what {layer.name} reads is read before",
            )
        self._read.add(value.number)
        inner = layer
        while isinstance(inner, TimeDistributed):
            inner = inner.layer
        if inner is not layer and not isinstance(inner, _BY_STEP):
            raise _refused(
                layer, "hold a layer of single steps", f"it holds a {type(inner).__name__}"
            )
        for kinds, listed in (
            (Embedding, self._table),
            (RNN, self._recurrent),
            (Bidirectional, self._both),
            (_BY_STEP, self._by_step),
        ):
            if isinstance(inner, kinds):
                return listed(inner, value)
        raise _refused(
            self.model,
            "be made of recurrent layers, Bidirectional, Embedding and layers of single steps, such as "
            "Dense",
            f"it holds a {type(layer).__name__}",
        )

    def _add(self, kind, layer, cells, value, width, **further):
        if getattr(layer, "dtype", None) is not None:
            self.dtypes.add(np.dtype(layer.dtype).name)
        if value.number < 0 and kind == "loop":
            self.features = value.width
        node = _Node(
            kind=kind, layer=layer, cells=cells, source=value.number, target=self._new(),
            width=width, single=value.single, **further,
        )  # fmt: skip
        self.nodes.append(node)
        return node

    def _table(self, layer, value):
        if value.number >= 0:
            raise _refused(layer, "be the first layer", "it is not")
        mask = self._new() if layer.mask_zero else None
        node = self._add("table", layer, layer._cells(), value, layer.output_dim, mask=mask)
        return _Value(node.target, node.width, mask=mask)

    def _by_step(self, layer, value):
        if isinstance(layer, Activation) and not layer.named:
            raise _refused(layer, "have an activation with a name", "it has a function")
        if isinstance(layer, (Softmax, LayerNormalization, BatchNormalization)):
            if not layer.by_step:
                raise _refused(layer, "look along the last axis", f"it has axis={layer.axis!r}")
            if isinstance(layer, Softmax) and value.mask is not None:
                raise _refused(layer, "get no mask", "a layer before it makes one")
        if layer._cells():
            (cell,) = cells = layer._cells()
            width, value = cell.units, self._told(value, cell)
        elif value.width is None:
            raise _refused(
                self.model, "know how many features it has", f"{layer.name} is its first layer"
            )
        else:
            cells, width = [], value.width
        node = self._add("loop", layer, cells, value, width)
        return _Value(node.target, width, value.single, value.mask)

    def _told(self, value, cell):
        """A value, whose width the cell tells that reads it."""
        shape = cell.input_shape
        if not is_shape(shape) or len(shape) != 2:
            raise ArgumentError(
                f"`{type(cell).__name__}` must be built for one input of one axis at each step to run in "
                f"other programs; it was for {shape}."
            )
        return _Value(value.number, shape[1], value.single, value.mask)

    def _check_cells(self, layer):
        if layer.return_states is not None:
            raise _refused(layer, "return no states over time", f"it has {layer.return_states!r}")
        for cell in layer._cells():
            kind, form = type(cell).__name__, form_of(cell)
            if form not in ("unit", "sample"):
                raise _refused(
                    layer, "have cells whose steps are compiled", f"{kind} runs in Python"
                )
            if form == "unit" and positions_of(cell):
                raise _refused(layer, "have states without positions", f"those of {kind} have them")
            if form == "unit" and takes_constants(cell):
                raise _refused(layer, "have cells without constants", f"{kind} maps some")
            if is_nested(output_nest(cell)):
                raise _refused(layer, "have cells with one output", f"{kind} has several")

    def _recurrent(self, layer, value, **further):
        self._check_cells(layer)
        turned = layer.go_backwards and not layer.keep_order
        flags = {
            "backwards": layer.go_backwards,
            "turned": turned,
            "zeros": layer.zero_output_for_mask,
        }
        flags.update(further)
        runs = segments(layer._cells())
        if len(runs) > 1 and layer.go_backwards:
            raise _refused(
                layer, "go forwards, as its cells have steps of several kinds", "it goes backwards"
            )
        if value.single:
            raise _refused(layer, "get a sequence", "it gets the last output of another layer")
        for number, cells in enumerate(runs):
            sequences = layer.return_sequences or number < len(runs) - 1
            value = self._told(value, cells[0])
            node = self._add(
                "loop", layer, cells, value, int(np.prod(_size(cells[-1]))), sequences=sequences,
                mask=value.mask, **flags,
            )  # fmt: skip
            value = _Value(node.target, node.width, not sequences, value.mask)
        return _Value(node.target, node.width, value.single, value.mask if sequences else None)

    def _both(self, layer, value):
        modes = ("concat", "sum", "mul", "ave")
        if not isinstance(layer.merge_mode, str):
            raise _refused(
                layer, f"have a merge mode of {list(modes)}", f"it has {layer.merge_mode!r}"
            )
        layers = layer.forward_layer, layer.backward_layer
        for one in layers:
            self._check_cells(one)
            if len(segments(one._cells())) > 1:
                raise _refused(one, "have cells with steps of one kind", "it has several")
        widths = [int(np.prod(_size(one._cells()[-1]))) for one in layers]
        target = None
        for one, at in zip(layers, (0, widths[0]), strict=True):
            turned = one.go_backwards != (one is layer.backward_layer)
            value = self._told(value, one._cells()[0])
            node = self._add(
                "loop", one, one._cells(), value, sum(widths), sequences=one.return_sequences,
                mask=value.mask, backwards=one.go_backwards, turned=turned, zeros=True,
                row=sum(widths), at=at,
            )  # fmt: skip
            target = node.target if target is None else target
            node.target = target
        single = not layer.return_sequences
        mask = None if single else value.mask
        if layer.merge_mode == "concat":
            return _Value(target, sum(widths), single, mask)
        side_by_side = _Value(target, sum(widths), value.single or single, mask)
        node = self._add("merged", layer, [], side_by_side, widths[0])
        return _Value(node.target, widths[0], single, mask)


def _size(cell):
    """The shape of a cell's output at one step."""
    size = output_nest(cell)
    return size if isinstance(size, tuple) else (size,)


@dataclass(frozen=True, eq=False)
class Chain:
    """What other programs run of a model.

    Attributes
    ----------
    name : str
    nodes : list
        Its parts.
    features : int
        Numbers of an input at one step; 1 for ids.
    ids : bool
        Whether inputs are ids.
    sequences : bool
        Whether the outputs of all steps are given, or the last.
    whole : str or None
        The name of a layer that needs the whole sequence, so that there are no single steps.
    dtype : NumPy dtype
    """

    name: str
    nodes: list
    features: int
    ids: bool
    sequences: bool
    whole: str | None
    dtype: np.dtype

    @property
    def versions(self):
        """What changes when a weight or setting of a cell does."""
        return tuple([cell._version for node in self.nodes for cell in node.cells])

    def empties(self):
        """For each part, the last output of a sequence without steps; None for zeros."""
        return [self._empty(node) for node in self.nodes]

    def _empty(self, node):
        if not node.behind:
            return None
        first = node.cells[-node.behind]
        row = np.zeros((1, 1, first.input_shape[1]), self.dtype)
        for cell in node.cells[-node.behind :]:
            row = map_rows(cell, row)
        return row[0, 0]

    def sealed(self, empties=None):
        """The parts with their weights as they are now, behind one address.

        `empties` is what `empties` gives, for a process that cannot run the cells itself.
        """
        from ..loop.sealed import Sealed

        empties, last = self.empties() if empties is None else empties, self.nodes[-1].target
        parts = [
            self._part(node, -1 if node.target == last else node.target, empty)
            for node, empty in zip(self.nodes, empties, strict=True)
        ]
        return Sealed(parts, self.dtype, self.features, self.sequences)

    def _part(self, node, target, empty):
        from ..loop.sealed import Lookup, Merged

        placed = {"source": node.source, "target": target, "mask": node.mask, "single": node.single}
        if node.kind == "table":
            (cell,) = node.cells
            return Lookup(table=cell.embeddings, **placed)
        if node.kind == "merged":
            return Merged(mode=node.layer.merge_mode, units=node.width, **placed)
        return self._loop(node, placed, empty)

    def _loop(self, node, placed, empty):
        from ..loop.sealed import Loop

        cells, dtype = node.cells, self.dtype
        features = cells[0].input_shape[1]
        sample = form_of(cells[0]) == "sample"
        program = (_sampled if sample else _united)(node.layer, cells, features, dtype)
        initial = []
        for cell in cells:
            given = initial_states(cell, 1, dtype)
            for state, shape in zip(given, state_shapes(cell), strict=True):
                initial.append(np.zeros(shape, dtype) if state is None else state[0])
        units = node.width if not node.row else int(np.prod(_size(cells[-1])))
        return Loop(
            program=program, features=features, units=units, initial=initial,
            sequences=node.sequences, backwards=node.backwards, turned=node.turned, zeros=node.zeros,
            empty=empty, row=node.row, at=node.at, **placed,
        )  # fmt: skip


def _united(layer, cells, features, dtype):
    return unit_program(cells, (features,), (), dtype)


def _sampled(layer, cells, features, dtype):
    (cell,) = cells
    values = Values(np.empty(0, dtype), 0, 0, (features,), (dtype.itemsize,))
    nothing = dict.fromkeys(("counts", "firsts", "mask", "reset", "order", "offsets"))
    batch = Batch((values,), 1, 1, 1, **nothing, by_length=False, time_major=False)
    try:
        check_constants(cells, (), 1)
        return sample_program(cell, batch, True, (), dtype)
    except (ArgumentError, CellError) as error:
        # A step that names constants where there are none does not compile.
        if "constants" not in str(error) and "tuple index" not in str(error):
            raise
        raise _refused(
            layer, "have cells without constants", f"{type(cell).__name__} takes some"
        ) from error


def _cell_of(layer, width, dtype):
    """The cell that does what a layer without weights does."""
    if isinstance(layer, (Activation, Softmax)):
        return layer.cell_for(width, dtype)
    cell = (ReLUCell if isinstance(layer, ReLU) else LeakyReLUCell)(width, layer)
    cell.dtype = dtype
    cell.ensure_built((None, width))
    return cell


def chain_of(model):
    """The chain of a layer or model.

    Parameters
    ----------
    model : Layer
        Built: recurrent layers, `Bidirectional`, `Embedding` and layers that look at every step by itself,
        alone, in a `Sequential`, or one after the other in a `Model`.

    Returns
    -------
    Chain

    Raises
    ------
    ArgumentError
        If the model is not built, or holds what does not run without Python.
    """
    if not model.built:
        raise _refused(model, "be built (call it, or its `build`)", "it is not")
    found = _Builder(model)
    if len(found.dtypes) > 1:
        raise _refused(model, "have layers of one dtype", f"they have {sorted(found.dtypes)}")
    dtype = np.dtype(found.dtypes.pop() if found.dtypes else "float32")
    nodes = []
    for node in found.nodes:
        if node.kind == "loop" and not node.cells:
            node.cells = [_cell_of(node.layer, node.width, dtype)]
        if nodes and nodes[-1].takes_in(node):
            nodes[-1].with_other(node)
        else:
            nodes.append(node)
    whole = next((node.layer.name for node in nodes if node.backwards), None)
    ids = nodes[0].kind == "table"
    return Chain(
        model.name, nodes, 1 if ids else found.features, ids, not found.value.single, whole, dtype
    )
