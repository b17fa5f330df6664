"""A graph of ONNX's as steps: constants computed, branches chosen, every name and shape known."""

import math
from dataclasses import dataclass, field

import numpy as np

from ..errors import FormatError
from ..operators import OPERATORS
from ..operators.elementwise import DTYPES
from .onnx_kinds import kind_given
from .onnx_parts import attributes, declared, tensor, text

MOST_NODES = 100_000
#: Those that are layers with cells of their own.
MOST_RECURRENT = 2_000
#: How deep branches may lie in one another.
DEEPEST = 8
#: The operator sets that are known.
OLDEST, LATEST = 7, 28
RECURRENT = {"RNN": 1, "GRU": 3, "LSTM": 4}
#: Operators that were others until this opset.
_OLDER = {"LogSoftmax": 13, "Pad": 11, "Slice": 10, "Softmax": 13}
#: What computing constants may fill: so many bytes for each of the file's, and some.
_GROWTH, _ALLOWANCE = 4, 1 << 24


@dataclass(eq=False)
class Step:
    """One node that is run.

    Attributes
    ----------
    operator, name : str
    inputs : list of str, ndarray or None
        Names of what others give, constants, and what is absent.
    outputs : list of str
        Empty for those that have no name.
    attributes : dict
    layer : Layer or None
        What it is run by, once that is known.
    """

    operator: str
    name: str
    inputs: list
    outputs: list
    attributes: dict = field(default_factory=dict)
    layer: object = None

    def needed(self):
        """The names of what it is given by others."""
        return [each for each in self.inputs if isinstance(each, str)]


def where_of(node):
    """What a node is called in errors."""
    name = text(node.name, "a name") or (text(node.output[0], "a name") if node.output else "")
    return f"node {name!r:.80} ({text(node.op_type, 'an operator')!s:.40})"


def free_names(graph, depth=0):
    """The names that the nodes of a graph need and do not give, those in branches too.

    Raises
    ------
    FormatError
        If branches lie too deep in one another.
    """
    if depth > DEEPEST:
        raise FormatError(f"branches must lie at most {DEEPEST} deep in one another.")
    needed = {name for node in graph.node for name in node.input}
    needed |= {put.name for put in graph.output}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == 5:
                needed |= free_names(attribute.g, depth + 1)
    given = {name for node in graph.node for name in node.output}
    given |= {each.name for each in graph.initializer} | {put.name for put in graph.input}
    return needed - given - {""}


class Graph:
    """The steps of a model.

    Parameters
    ----------
    model : onnx.ModelProto
    size : int
        Of the file.
    until : str or None
        The node before which to stop.

    Attributes
    ----------
    inputs : list of (str, tuple, dtype)
    steps : list of Step
    outputs : list of str
    shapes : dict of str -> tuple
        Of everything that has a name.
    kinds : dict of str -> dtype
        Of everything that is not constant.
    constants : dict of str -> ndarray

    Raises
    ------
    FormatError
        If something in it is not supported, or is not what it must be.
    """

    def __init__(self, model, size, until=None):
        self.opset = self._opset(model)
        self.steps, self.shapes, self.kinds, self.constants = [], {}, {}, {}
        self._budget = size * _GROWTH + _ALLOWANCE
        self._nodes = 0
        graph = model.graph
        self._check(graph)
        self._initializers(graph, {})
        self.inputs = [
            declared(put) for put in graph.input if text(put.name, "a name") not in self.constants
        ]
        for name, shape, dtype in self.inputs:
            self._new(name)
            self.shapes[name], self.kinds[name] = shape, dtype
        if not self.inputs:
            raise FormatError("the graph must have an input; it has none.")
        self.outputs = [text(put.name, "a name") for put in graph.output]
        if until is not None:
            self.outputs = self._before(graph, until)
        self._read(graph, self.outputs, {}, 0)
        if until is not None:
            self.outputs = [name for name in self.outputs if name not in self.constants]
        self._check_outputs(until)
        self._check_layers()

    def _check_layers(self):
        """Refuse more layers, or more weights in them, than a file of this size should make."""
        count = sum(step.operator in RECURRENT for step in self.steps)
        if count > MOST_RECURRENT:
            raise FormatError(
                f"there must be at most {MOST_RECURRENT} recurrent nodes; there are {count}."
            )
        # Constants may be shared; the weights of layers are their own.
        for step in self.steps:
            self._budget -= sum(each.nbytes for each in step.inputs if isinstance(each, np.ndarray))
        if self._budget < 0:
            raise FormatError(
                "the weights of all nodes together must be of a size that the file can hold; many nodes "
                "share large ones."
            )

    @staticmethod
    def _opset(model):
        if len(model.training_info):
            raise FormatError("the model must be one to be run; it holds how it is trained.")
        own = [f"{each.name!r:.80}" for each in model.functions if each.domain in ("", "ai.onnx")]
        if own:
            raise FormatError(
                f"operators of ONNX's must be its own; the model defines {own[0]} anew."
            )
        versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
        if len(versions) != 1 or not OLDEST <= versions[0] <= LATEST:
            raise FormatError(
                f"the model must be of one of the opsets {OLDEST} to {LATEST} of ONNX; got {versions}."
            )
        return versions[0]

    @staticmethod
    def _check(graph):
        if len(graph.sparse_initializer):
            raise FormatError("the graph must have dense tensors; it has sparse ones.")
        if not graph.output:
            raise FormatError("the graph must have an output; it has none.")

    def _check_outputs(self, until):
        fixed = [name for name in self.outputs if name in self.constants]
        if fixed:
            raise FormatError(f"output {fixed[0]!r:.80} must depend on an input; it is constant.")
        unknown = [name for name in self.outputs if name not in self.shapes]
        if unknown:
            raise FormatError(f"output {unknown[0]!r:.80} must be given by a node; it is not.")
        if not self.outputs or len(set(self.outputs)) < len(self.outputs):
            raise FormatError(f"outputs must be there, each once; got {self.outputs!r:.200}.")

    def _initializers(self, graph, renamed):
        for proto in graph.initializer:
            name = renamed.get(proto.name, text(proto.name, "a name"))
            self._new(name)
            array = tensor(proto)
            self.constants[name], self.shapes[name] = array, array.shape

    def _new(self, name):
        if name in self.shapes:
            raise FormatError(f"the name {name!r:.80} must be given once.")

    @staticmethod
    def _before(graph, until):
        """What the node `until` needs."""
        for node in graph.node:
            if text(node.name, "a name") == until or until in node.output:
                found = [name for name in node.input if name]
                return list(dict.fromkeys(found))
        names = [node.name or node.output[0] for node in graph.node if node.name or node.output]
        raise FormatError(f"`until` must be one of the nodes {names!r:.1000}; got {until!r:.80}.")

    @staticmethod
    def _leading_to(graph, outputs):
        """Whether each node leads to one of the outputs."""
        needed, kept = set(outputs), [False] * len(graph.node)
        for number in reversed(range(len(graph.node))):
            node = graph.node[number]
            if needed.isdisjoint(node.output):
                continue
            kept[number] = True
            needed.update(name for name in node.input if name)
            for attribute in node.attribute:
                if attribute.type == 5:
                    needed |= free_names(attribute.g)
        return kept

    def _read(self, graph, outputs, renamed, depth):
        """The steps of a graph; names within a branch are made their own."""
        self._nodes += len(graph.node)
        if self._nodes > MOST_NODES:
            raise FormatError(f"there must be at most {MOST_NODES} nodes; there are {self._nodes}.")
        for node, kept in zip(graph.node, self._leading_to(graph, outputs), strict=True):
            if not kept:
                continue
            where = where_of(node)
            try:
                self._node(node, where, renamed, depth)
            except FormatError:
                raise
            except Exception as error:  # whatever a claim of the file's makes NumPy raise
                told = f"{error}".splitlines() or [repr(error)]
                raise FormatError(f"{where}: {told[0]:.300}") from error

    def _node(self, node, where, renamed, depth):
        operator = text(node.op_type, "an operator")
        given = attributes(node, where)
        inputs = [renamed.get(name, text(name, "a name")) for name in node.input]
        outputs = [renamed.get(name, text(name, "a name")) for name in node.output]
        for name in inputs:
            if name and name not in self.shapes:
                raise FormatError(f"{where} needs {name!r:.80}, which nothing before it gives.")
        for name in outputs:
            if name:
                self._new(name)
        if node.domain not in ("", "ai.onnx"):
            raise FormatError(f"{where} must be one of ONNX's own; it is of {node.domain!r:.80}.")
        if operator == "If":
            self._branch(inputs, outputs, given, where, renamed, depth)
            return
        if operator == "Constant":
            self._fix(outputs, [_constant(given, where)])
            return
        if operator in _OLDER and self.opset < _OLDER[operator]:
            operator += "-1"
        name = text(node.name, "a name") or next((each for each in outputs if each), operator)
        values = [self.constants.get(each, each or None) for each in inputs]
        step = Step(operator, name, values, outputs, given)
        if operator in RECURRENT:
            self._add(step, self._recurrent_shapes(step, where), where)
            return
        if operator not in OPERATORS:
            raise FormatError(
                f"{where} is of an operator that is not supported (`until` takes what comes before it)."
            )
        self._operation(step, OPERATORS[operator], where)

    def _operation(self, step, operator, where):
        """A step of an operator; what does not depend on an input is computed."""
        if step.operator == "Split":
            step.attributes["outputs"] = len(step.outputs)
        if step.operator == "ConstantOfShape" and "value" in step.attributes:
            value = step.attributes.pop("value")
            if value.size != 1:
                raise FormatError(f"{where}: `value` must be one number; got {value.shape}.")
            step.attributes["value"] = value.item()
            step.attributes["dtype"] = _number_of(value.dtype)
        unknown = sorted(set(step.attributes) - operator.attributes)
        if unknown:
            raise FormatError(
                f"{where} has the attribute {unknown[0]!r:.80}, which is not supported."
            )
        count = len(step.inputs)
        while count and step.inputs[count - 1] is None:
            count -= 1
        step.inputs = step.inputs[:count]
        if count < operator.least or (operator.most is not None and count > operator.most):
            raise FormatError(f"{where} must have {operator.least} inputs or more; it has {count}.")
        if any(each is None for each in step.inputs[: operator.least]):
            raise FormatError(
                f"{where} must have its first {operator.least} inputs; one is absent."
            )
        shapes = [self._shape(each) for each in step.inputs]
        values = [each if isinstance(each, np.ndarray) else None for each in step.inputs]
        found = [tuple(s) for s in operator.shapes(shapes, values, **step.attributes)]
        if step.operator == "Shape" and None not in found and None not in _sliced(shapes[0], step):
            self._fix(step.outputs, [np.array(_sliced(shapes[0], step), np.int64)])
        elif step.needed():
            self._add(step, found, where)
        elif not operator.folds:
            raise FormatError(f"{where} must depend on an input; it is of constants alone.")
        else:
            self._spend(found, where)
            with np.errstate(all="ignore"):
                computed = operator.compute(*step.inputs, **step.attributes)
            self._fix(step.outputs, computed if isinstance(computed, list) else [computed])

    def _spend(self, shapes, where):
        """Before a constant is computed: whether it is of a size that a file may fill."""
        self._budget -= sum(8 * math.prod(shape) for shape in shapes if None not in shape)
        if self._budget < 0 or any(None in shape for shape in shapes):
            raise FormatError(
                f"{where} must make constants of a size that the file can hold; got {shapes!r:.200}."
            )

    def _shape(self, each):
        if each is None:
            return None
        return each.shape if isinstance(each, np.ndarray) else self.shapes[each]

    def _fix(self, outputs, arrays):
        for name, array in zip(outputs, arrays, strict=False):
            if name:
                array = np.asarray(array)
                self.constants[name], self.shapes[name] = array, array.shape

    def kind(self, each):
        """The dtype of an input of a step; None if it is absent."""
        return each.dtype if isinstance(each, np.ndarray) else self.kinds.get(each)

    def _add(self, step, shapes, where):
        kinds = [self.kind(each) for each in step.inputs]
        kind = kind_given(step.operator.removesuffix("-1"), kinds, step.attributes, where)
        self.steps.append(step)
        for name, shape in zip(step.outputs, shapes, strict=False):
            if name:
                self.shapes[name], self.kinds[name] = shape, kind

    def _recurrent_shapes(self, step, where):
        shape = self._shape(step.inputs[0]) if step.inputs else None
        kernel = step.inputs[1] if len(step.inputs) > 1 else None
        if shape is None or not isinstance(kernel, np.ndarray) or kernel.ndim != 3:
            raise FormatError(f"{where} must have X, and W as a constant of three axes.")
        if not isinstance(step.inputs[0], str):
            raise FormatError(f"{where} must depend on an input; X is constant.")
        if len(shape) != 3 or shape[2] not in (None, kernel.shape[2]):
            raise FormatError(
                f"{where} must have X of three axes, with {kernel.shape[2]} features, as W has; it has "
                f"{shape}."
            )
        ways, units = kernel.shape[0], kernel.shape[1] // RECURRENT[step.operator]
        first, second = shape[:2]
        if step.attributes.get("layout", 0) == 1:
            found = [(first, second, ways, units), (first, ways, units)]
        else:
            found = [(first, ways, second, units), (ways, second, units)]
        return found + found[1:] * (step.operator == "LSTM")

    def _branch(self, inputs, outputs, given, where, outer, depth):
        """The nodes of the branch that a constant condition chooses."""
        if depth >= DEEPEST:
            raise FormatError(f"{where} must lie at most {DEEPEST} deep in other branches.")
        condition = self.constants.get(inputs[0]) if len(inputs) == 1 else None
        if condition is None or condition.size != 1:
            raise FormatError(f"{where} must have a condition that is constant; it is computed.")
        graph = given.get("then_branch" if condition.item() else "else_branch")
        if graph is None or isinstance(graph, (int, float, str, list, np.ndarray)):
            raise FormatError(f"{where} must have two branches.")
        own = [name for node in graph.node for name in node.output if name]
        own += [each.name for each in graph.initializer]
        # What a branch calls its own is its own: another may use the same names.
        scope = outputs[0] if outputs else where
        renamed = {**outer, **{name: f"{scope}/{text(name, 'a name')}" for name in own}}
        if len(graph.input) or len(graph.output) != len(outputs):
            raise FormatError(f"{where} must have branches without inputs, with its outputs.")
        self._initializers(graph, renamed)
        self._read(graph, [put.name for put in graph.output], renamed, depth + 1)
        for name, put in zip(outputs, graph.output, strict=True):
            inner = renamed.get(put.name, put.name)
            if inner not in self.shapes:
                raise FormatError(f"{where} must give {inner!r:.80}, which no node of its does.")
            if inner in self.constants:
                self._fix([name], [self.constants[inner]])
            elif name:
                self._add(Step("Identity", name, [inner], [name]), [self.shapes[inner]], where)


def _sliced(shape, step):
    return shape[slice(step.attributes.get("start", 0), step.attributes.get("end"))]


def _number_of(dtype):
    return next(number for number, name in DTYPES.items() if name == dtype.name)


def _constant(given, where):
    """The value of a node that is a constant."""
    if set(given) == {"value"} and isinstance(given["value"], np.ndarray):
        return given["value"]
    for name, dtype in (("value_float", "f4"), ("value_int", "i8")):
        for attribute in (name, f"{name}s"):
            if set(given) == {attribute}:
                return np.array(given[attribute], dtype)
    raise FormatError(f"{where} must have one value, of numbers; it has {sorted(given)!r:.100}.")
