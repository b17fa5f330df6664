"""How a cell runs: which form its step has, and the loop that belongs to it.

A cell is an `nr.Cell` with a step of one of the three forms, or any object with a `state_size` and a
`call` of Keras's form. What layers ask of a cell they ask here, so that they need not know the form.
"""

import inspect
import operator
from dataclasses import replace

import numpy as np

from .errors import ArgumentError, CellError, DeviceError, warn
from .given.arrays import read_only
from .given.nesting import Shape, flattened, is_nested, packed_like, shape_of
from .given.sequences import Shared, Values, checked_state
from .loop.channels import with_channels_first, with_channels_last
from .loop.results import Results, turned_over
from .stages import Declaration, Stage, Step, recognised


def name_of(cell):
    """The cell's name for errors."""
    return type(cell).__name__


def step_of(cell):
    """The cell's `Step`, or None if it has a `call` instead, or stages with steps of their own.

    Raises
    ------
    CellError
        If a bare function has the parameters of no form.
    """
    found = inspect.getattr_static(cell, "step", None)
    if isinstance(found, staticmethod):
        found = found.__func__
    if found is None or isinstance(found, Step):
        return found
    if not callable(found):
        raise CellError(f"`{name_of(cell)}.step` must be made by nr.step; got {found!r}.")
    return recognised(found, f"`{name_of(cell)}.step`")


def form_of(cell):
    """``"unit"``, ``"sample"``, ``"batch"`` or ``"call"``.

    Raises
    ------
    ArgumentError
        If the object is no cell.
    CellError
        If its step has the parameters of no form.
    """
    if isinstance(cell, type):
        raise ArgumentError(f"Argument `cell` must be an object, not a class; got {cell.__name__}.")
    if hasattr(cell, "remembered"):
        return cell.remembered("form", lambda: _form_of(cell))
    return _form_of(cell)


def _form_of(cell):
    where = name_of(cell)
    step = step_of(cell)
    if step is None and callable(getattr(cell, "call", None)):
        form = "call"
    elif step is not None:
        form = step.per
    elif callable(getattr(cell, "stages", None)):
        form = "unit"
    else:
        raise ArgumentError(
            "Argument `cell` should have a `call` method, or a `step` made by nr.step; "
            f"got {where}."
        )
    if form != "call" and not hasattr(cell, "add_weight"):
        raise CellError(f"A cell with a `step` must be an nr.Cell; got {where}.")
    if not hasattr(cell, "state_size") and not hasattr(cell, "build"):
        raise ArgumentError(
            f"The RNN cell should have a `state_size` attribute; `{where}` has none."
        )
    return form


# --- states --------------------------------------------------------------------------------------


def state_nest(cell):
    """The cell's `state_size`, its leaves sizes or shapes.

    Raises
    ------
    ArgumentError
        If it has none.
    CellError
        If it holds other than sizes.
    """
    if not hasattr(cell, "state_size"):
        raise ArgumentError(
            f"The RNN cell should have a `state_size` attribute; `{name_of(cell)}` has none."
        )
    return _checked_sizes(cell, "state_size", cell.state_size)


def _checked_sizes(cell, attribute, nest):
    for size in flattened(nest):
        if isinstance(size, Shape):
            continue
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise CellError(
                f"`{name_of(cell)}.{attribute}` must hold sizes of at least 0, or nr.Shape; "
                f"got {nest!r}."
            )
    return nest


def state_shapes(cell):
    """The shapes of all states, one after the other."""
    return [shape_of(size) for size in flattened(state_nest(cell))]


def _accepted(function, keywords):
    """Those of `keywords` that a function's signature accepts."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return keywords
    return {name: value for name, value in keywords.items() if name in parameters}


def initial_states(cell, samples, dtype):
    """What the cell's own `get_initial_state` gives, one array per state; None for zeros.

    Raises
    ------
    CellError
        If it gives other than one array of the right shape per state.
    """
    shapes = state_shapes(cell)
    method = getattr(cell, "get_initial_state", None)
    if method is None or getattr(method, "gives_zeros", False):
        return [None] * len(shapes)
    given = method(**_accepted(method, {"inputs": None, "batch_size": samples, "dtype": dtype}))
    leaves = flattened(given)
    where = f"`{name_of(cell)}.get_initial_state`"
    if len(leaves) != len(shapes):
        raise CellError(f"{where} must give {len(shapes)} states; got {len(leaves)}.")
    try:
        return [
            checked_state("get_initial_state", leaf, (samples, *shape), dtype)
            for leaf, shape in zip(leaves, shapes, strict=True)
        ]
    except ArgumentError as error:
        raise CellError(f"{where}: {error}") from error


def output_nest(cell):
    """The structure and shapes of the output of one step: the real ones if they can be known.

    Raises
    ------
    CellError
        If neither the cell's declaration nor its attributes tell them.
    """
    if form_of(cell) == "unit" and getattr(cell, "built", False):
        return cell.remembered("output", lambda: _unit_output(cell))
    found = declared_output(cell)
    if found is None:
        raise CellError(
            f"`{name_of(cell)}` must have an `output_size`, as it has no state; it has none."
        )
    return found


def declared_output(cell):
    """The `output_size` of a cell, else the size of its first state, else its units, else None."""
    size = getattr(cell, "output_size", None)
    if size is not None:
        return _checked_sizes(cell, "output_size", size)
    leaves = flattened(state_nest(cell))
    return leaves[0] if leaves else getattr(cell, "units", None)


def _units_of(cell):
    units = getattr(cell, "units", None)
    if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units < 1:
        raise CellError(
            f"`{name_of(cell)}.units` must be an integer of at least 1, as its step sees one unit; "
            f"got {units!r}."
        )
    return int(units)


def _stages_of(cell):
    stages = cell.stages()
    if not isinstance(stages, (tuple, list)) or not all(isinstance(s, Stage) for s in stages):
        raise CellError(
            f"`{name_of(cell)}.stages` must return a tuple of nr.Stage; got {stages!r}."
        )
    if not stages:
        raise CellError(f"`{name_of(cell)}.stages` must return at least one stage; got none.")
    return tuple(stages)


def output_units(cell):
    """Numbers of the output of a cell per unit, which is built, at one position."""
    return _stages_of(cell)[-1].units or _units_of(cell)


def _unit_output(cell):
    width, positions = output_units(cell), positions_of(cell)
    if not positions:
        return width
    return Shape(width, *positions) if has_channels_first(cell) else Shape(*positions, width)


def has_channels_first(cell):
    """Whether inputs, states and outputs have the channels in front of the axes in space."""
    return getattr(cell, "data_format", "channels_last") == "channels_first"


def positions_of(cell):
    """The sizes of the axes in space of the states of a cell per unit; none if they have none.

    Raises
    ------
    CellError
        If not all states have the same.
    """
    return cell.remembered("positions", lambda: _positions_of(cell))


def _positions_of(cell):
    shapes = state_shapes(cell)
    found = {shape[1:] if has_channels_first(cell) else shape[:-1] for shape in shapes}
    if (
        len(found) > 1
        or any(len(shape) == 0 for shape in shapes)
        or any(0 in positions for positions in found)
    ):
        raise CellError(
            f"`{name_of(cell)}.state_size` must have the same axes in space for every state, with at "
            f"least one position, as its step sees one unit; got {cell.state_size!r}."
        )
    return found.pop() if found else ()


def compare_with_declared(cell, shapes):
    """Warn, once for a cell, if it declares another `output_size` than it gives; what it gives counts."""
    declared = getattr(cell, "output_size", None)
    fields = getattr(cell, "__dict__", {})
    if declared is None or fields.get("_compared"):
        return
    wanted = [shape_of(size) for size in flattened(_checked_sizes(cell, "output_size", declared))]
    if wanted != shapes:
        fields["_compared"] = True
        found = shapes[0] if len(shapes) == 1 else shapes
        warn(
            f"`{name_of(cell)}.output_size` is {declared!r}, but the output of a step has the shape "
            f"{found}; the latter is used."
        )


# --- building and weights ------------------------------------------------------------------------


def build_cell(cell, input_shape, dtype):
    """Build a cell, once, for inputs of `input_shape`, a nest of (None, ...)."""
    if hasattr(cell, "ensure_built"):
        if cell.built and cell.input_shape not in (None, input_shape):
            raise ArgumentError(
                f"`input_shape` of the cell `{name_of(cell)}` must be {cell.input_shape}, for which it "
                f"was built; got {input_shape}."
            )
        cell.ensure_built(input_shape, dtype)
    elif callable(getattr(cell, "build", None)) and not getattr(cell, "built", False):
        cell.build(input_shape)
        cell.built = True
    state_nest(cell)
    if form_of(cell) == "unit":
        compare_with_declared(cell, [shape_of(output_nest(cell))])


def takes_constants(cell):
    """Whether the cell can be given constants."""
    if hasattr(cell, "remembered"):
        return cell.remembered("constants", lambda: _takes_constants(cell))
    return _takes_constants(cell)


def _takes_constants(cell):
    form = form_of(cell)
    if form == "call":
        return "constants" in inspect.signature(cell.call).parameters
    if form == "unit":
        return any(stage.constants for stage in _stages_of(cell))
    return True


def check_constants(cells, constants, samples):
    """Refuse constants that the cells of a stack, which are built, cannot be given.

    Parameters
    ----------
    cells : sequence of cell
    constants : list of ndarray or Shared
    samples : int

    Raises
    ------
    ArgumentError
        If no cell takes constants, there are more or fewer than a cell maps, or one has no row per
        sample, or another width.
    """
    takers = [cell for cell in cells if takes_constants(cell)]
    if constants and not takers:
        raise ArgumentError(
            f"RNN cell `{name_of(cells[-1])}` does not support constants; got {len(constants)}."
        )
    for cell in takers:
        form = form_of(cell)
        if form == "unit":
            _check_mapped_constants(cell, constants)
        if form == "call" and not constants:
            parameter = inspect.signature(cell.call).parameters["constants"]
            if parameter.default is parameter.empty:
                raise ArgumentError(
                    f"`constants` must be given to `{name_of(cell)}.call`; got none."
                )
        for number, constant in enumerate(constants):
            if form in ("unit", "sample") and not isinstance(constant, Shared):
                _check_rows(constant, number, samples)


def _check_rows(constant, number, samples):
    if constant.ndim < 1 or constant.shape[0] != samples:
        raise ArgumentError(
            f"`constants[{number}]` must have a first axis of {samples} (the batch; wrap what has "
            f"none in nr.Shared); got shape {constant.shape}."
        )


def _check_mapped_constants(cell, constants):
    stages = _stages_of(cell)
    count = max(len(stage.constants) for stage in stages)
    if len(constants) != count:
        raise ArgumentError(
            f"`constants` must hold {count} array{'s' * (count != 1)}, as `{name_of(cell)}` maps; "
            f"got {len(constants)}."
        )
    for stage in stages:
        for number, maps in enumerate(stage.constants):
            constant = constants[number]
            shared = isinstance(constant, Shared)
            shape = constant.array.shape if shared else constant.shape
            axes = 1 if shared else 2
            widths = {map_.kernel.shape[0] for map_ in maps if np.ndim(map_.kernel) == 2}
            if len(shape) != axes or (widths and shape[-1] not in widths):
                wanted = f"{'' if shared else 'batch, '}{min(widths, default='features')}"
                raise ArgumentError(
                    f"`constants[{number}]` must have shape ({wanted}), as the step of "
                    f"`{name_of(cell)}` sees one unit; got {shape}."
                )


# --- loops ---------------------------------------------------------------------------------------


def declaration_of(cell):
    """All that a loop must know of a cell whose steps see one unit."""
    stages, positions = _stages_of(cell), positions_of(cell)
    where = f"`{name_of(cell)}.step`"
    if any(map(is_nested, _top(cell))):
        raise CellError(
            f"{where} is per unit: `state_size` must not be nested; got {cell.state_size!r}."
        )
    channels = 0 if has_channels_first(cell) else -1
    return Declaration(
        stages=stages,
        settings=tuple(cell.settings_of(stage.step) for stage in stages),
        units=_units_of(cell),
        state_sizes=tuple(shape[channels] for shape in state_shapes(cell)),
        where=where,
        positions=positions,
    )


def _top(cell):
    nest = state_nest(cell)
    return list(nest) if is_nested(nest) else [nest]


def check_axes(cell, names, items, given):
    """Refuse inputs of a cell per unit that have other axes at each step than it says.

    Parameters
    ----------
    cell : Cell
    names : sequence of str
        What the inputs are called in errors.
    items, given : sequence of tuple of int
        The shape of each at one step, and as it was given.

    Raises
    ------
    ArgumentError
        If one has other axes, or the cell speaks of more or fewer inputs.
    """
    axes = cell.input_axes
    each = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,) * len(items)
    if len(each) != len(items):
        raise ArgumentError(
            f"`inputs` must hold {len(each)} arrays, as `{name_of(cell)}.input_axes` says; "
            f"got {len(items)}."
        )
    for name, count, item, shape in zip(names, each, items, given, strict=True):
        if len(item) != count:
            wanted = "one axis of features" if count == 1 else f"{count} axes for each step"
            raise ArgumentError(
                f"`{name}` must have {wanted}, as the step of the cell sees one unit; got {shape}."
            )


def step_sizes(shapes):
    """What a step per unit is told of its inputs: how many numbers, or a shape if there are more axes."""
    return tuple([shape[0] if len(shape) == 1 else tuple(shape) for shape in shapes])


def programs(cells, input_shape, dtype):
    """The loops over cells whose steps see one unit, for one input of `input_shape` at each step."""
    for segment in segments(cells):
        if positions_of(segment[0]) and has_channels_first(segment[0]):
            input_shape = (*input_shape[1:], input_shape[0])
        yield unit_program(segment, step_sizes([input_shape]), (), dtype)
        input_shape = shape_of(output_nest(segment[-1]))


def _prepared(cell, input_widths, constant_widths, dtype, training):
    """The cell made runnable, kept until a weight or setting changes."""
    from .loop.prepare import prepare

    key = (input_widths, constant_widths, np.dtype(dtype), training)
    return cell.remembered(
        key, lambda: prepare(declaration_of(cell), input_widths, constant_widths, dtype, training)
    )


def unit_program(cells, input_widths, constant_widths, dtype, training=False):
    """The loop over cells whose steps see one unit, each on top of the one before.

    Parameters
    ----------
    cells : sequence of Cell
    input_widths : tuple of int or tuple
        See `step_sizes`; the channels last.
    constant_widths : tuple of int
    dtype : NumPy dtype
    training : bool

    Returns
    -------
    UnitProgram

    Raises
    ------
    CellError
        If a declaration does not hold together or a step does not compile.
    """
    cells = tuple(cells)
    # The cells are part of the key as objects, so that none can take another's place in memory.
    versions = tuple([cell._version for cell in cells])
    key = (_Same(cells), versions, input_widths, constant_widths, dtype, training)
    return cells[-1].remembered(
        key, lambda: _made_program(cells, input_widths, constant_widths, dtype, training)
    )


class _Same:
    """A key that is equal only where all objects are the very same ones."""

    __slots__ = ("_hash", "objects")

    def __init__(self, objects):
        self.objects = objects
        self._hash = hash(tuple(map(id, objects)))

    def __hash__(self):
        return self._hash

    def __eq__(self, other):
        return len(self.objects) == len(other.objects) and all(
            map(operator.is_, self.objects, other.objects)
        )


def _made_program(cells, input_widths, constant_widths, dtype, training):
    from .loop.program import UnitProgram

    prepared = []
    for cell in cells:
        widths = constant_widths if takes_constants(cell) else ()
        prepared.append(_prepared(cell, tuple(input_widths), widths, dtype, training))
        input_widths = (prepared[-1].output_width,)
    return UnitProgram(prepared)


def _sample_program(cell, batch, one_input, constants, dtype):
    from .loop.sample_program import SampleProgram

    step, where = step_of(cell), f"`{name_of(cell)}.step`"
    nest = output_nest(cell)
    scratch = getattr(cell, "scratch_size", None)
    input_shapes = tuple(values.item_shape for values in batch.inputs)
    constant_shapes = tuple(
        c.array.shape if isinstance(c, Shared) else c.shape[1:] for c in constants
    )
    key = ("sample", input_shapes, constant_shapes, one_input, np.dtype(dtype))
    return cell.remembered(
        key,
        lambda: SampleProgram(
            step=step,
            settings=cell.settings_of(step),
            weights=list(cell.weights.values()),
            input_shapes=input_shapes,
            state_shapes=state_shapes(cell),
            constant_shapes=constant_shapes,
            output_shapes=[shape_of(size) for size in flattened(nest)],
            one_input=one_input,
            output_nest=nest,
            scratch_shape=None if scratch is None else shape_of(scratch),
            dtype=dtype,
            where=where,
        ),
    )


def _batch_program(cell, input_nest, dtype, training):
    from .loop.batch import BatchProgram

    where = f"`{name_of(cell)}.{'call' if form_of(cell) == 'call' else 'step'}`"
    nest = state_nest(cell)
    if form_of(cell) == "call":
        call = cell.call
        signature = inspect.signature(call).parameters
        extra = {"training": training} if "training" in signature else {}

        def run(inputs, states, constants):
            keywords = dict(extra)
            if "constants" in signature and constants:
                keywords["constants"] = constants
            shown = packed_like(nest, states)
            return call(
                packed_like(input_nest, inputs),
                shown if is_nested(shown) else [shown],
                **keywords,
            )

    else:
        compiled = cell.remembered(("batch", np.dtype(dtype)), lambda: _compiled_batch(cell, dtype))
        weights = tuple(np.ascontiguousarray(w, dtype) for w in cell.weights.values())

        def run(inputs, states, constants):
            # Constants and states of a compiled step are tuples, flattened.
            given = tuple(inputs) if is_nested(input_nest) else inputs[0]
            return compiled(given, tuple(states), weights, tuple(constants), bool(training))

    return BatchProgram(run, state_shapes(cell), dtype, where)


def _compiled_batch(cell, dtype):
    """A step per batch that compiles itself for the types it meets, its errors made readable."""
    from .compile.step import whole_step

    step, where = step_of(cell), f"`{name_of(cell)}.step`"
    settings = tuple(cell.settings_of(step).items())
    return whole_step(step.function, settings, np.dtype(dtype), where)


def run_cells(cells, batch, input_nest, request, initial, constants, dtype, masks=None):
    """Run cells of any form over a batch, each on top of the one before.

    Parameters
    ----------
    cells : sequence of cell
        Built.
    batch : Batch
    input_nest : nest
        The structure of the inputs of the first cell.
    request : Request
    initial : list of list of (ndarray or None)
        The initial states of each cell.
    constants : list of ndarray or Shared
    dtype : NumPy dtype
    masks : Masks, optional
        Draws the masks of dropped operands.

    Returns
    -------
    list of Results
        Of each cell; the outputs are those of the last.
    """
    found, first = [], 0
    for segment in segments(cells):
        end = first + len(segment)
        last = end == len(cells)
        asked = request
        if not last:
            # Inner outputs at valid steps stand at their own time: the next cell reads the same
            # steps in the same order, whatever the direction.
            asked = replace(request, sequences=True, zeros=True, turned=False, out=None)
        part = _run_segment(
            segment, batch, input_nest, asked, initial[first:end], constants, dtype, masks
        )
        if not last:
            batch = replace(batch, inputs=_as_values(batch, part[-1].outputs))
            input_nest = part[-1].nest
            if request.turned:
                for results in part:
                    results.over_time = [turned_over(batch, a) for a in results.over_time]
        found += part
        first = end
    return found


def segments(cells):
    """The cells of a stack in runs, each of which shares a loop."""
    found = []
    for cell in cells:
        if found and _share_a_loop(found[-1][-1], cell):
            found[-1].append(cell)
        else:
            found.append([cell])
    return found


def _share_a_loop(one, other):
    """Whether two cells can run on top of each other, chunk by chunk."""
    return all(form_of(cell) == "unit" and not positions_of(cell) for cell in (one, other))


def _as_values(batch, outputs):
    values = []
    for array in outputs:
        if batch.offsets is not None:
            sample, time, first = 0, array.strides[0], 1
        elif batch.time_major:
            time, sample, first = *array.strides[:2], 2
        else:
            sample, time, first = *array.strides[:2], 2
        values.append(Values(array, sample, time, array.shape[first:], array.strides[first:]))
    return tuple(values)


def _run_segment(cells, batch, input_nest, request, initial, constants, dtype, masks):
    """Cells whose steps see one unit, or one cell of another form."""
    dtype = np.dtype(dtype)
    cell = cells[0]
    form = form_of(cell)
    if batch.place is not None:
        return _run_on_device(cells, batch, input_nest, request, initial, constants, dtype)
    if form == "unit":
        used = constants if any(map(takes_constants, cells)) else []
        arrays = [_batched_constant(c, batch, dtype) for c in used]
        training = request.training and masks is not None
        flat, out = [state for states in initial for state in states], request.out
        first = bool(positions_of(cell)) and has_channels_first(cell)
        if first:
            batch, flat = with_channels_last(batch, flat)
            request = replace(request, out=None)
        program = unit_program(
            cells,
            step_sizes([values.item_shape for values in batch.inputs]),
            tuple([array.shape[1] for array in arrays]),
            dtype,
            training,
        )
        dropped = {
            key: masks.draw(rate, batch.samples, width, dtype)
            for key, (rate, width) in (program.dropped.items() if training else ())
        }
        whole = program.run(batch, request, flat, arrays, dropped)
        if first:
            whole = with_channels_first(whole, len(positions_of(cell)), out)
        return _by_cell(whole, [len(states) for states in initial])
    if form == "sample":
        program = _sample_program(cell, batch, not is_nested(input_nest), constants, dtype)
        given = [
            (np.ascontiguousarray(c.array, dtype), False)
            if isinstance(c, Shared)
            else (np.ascontiguousarray(c, dtype), True)
            for c in constants
        ]
    else:
        program = _batch_program(cell, input_nest, dtype, request.training)
        used = constants if takes_constants(cell) else []
        given = [_plain_constant(c, dtype, form) for c in used]
    results = program.run(batch, request, initial[0], given)
    if form in ("batch", "call"):
        axes = 1 if batch.offsets is not None or not request.sequences else 2
        compare_with_declared(cell, [array.shape[axes:] for array in results.outputs])
    return [results]


def _run_on_device(cells, batch, input_nest, request, initial, constants, dtype):
    """The same for a batch that lies on a device."""
    from .cuda.call import check_constants_on_device

    cell = cells[0]
    form = form_of(cell)
    if form in ("batch", "call"):
        what = "step per batch" if form == "batch" else "`call`"
        raise DeviceError(f"`{name_of(cell)}` must have a step per unit or per sample to run on a device; "
                          f"it has a {what}.")  # fmt: skip
    used = constants if any(map(takes_constants, cells)) else []
    given = check_constants_on_device(
        [(c.array, False) if isinstance(c, Shared) else (c, True) for c in used]
    )
    if form == "unit":
        for each in cells:
            _check_on_device(each)
        if request.training and any(_drops(each) for each in cells):
            raise DeviceError(
                "`training` must be False on a device, as dropout acts there not; got True."
            )
        program = _device_program(
            tuple(cells),
            tuple([values.features for values in batch.inputs]),
            tuple([array.shape[-1] for array, _ in given]),
            dtype,
        )
        flat = [state for states in initial for state in states]
        whole = program.run(batch, request, flat, given, batch.stream)
        return _by_cell(whole, [len(states) for states in initial])
    program = _sample_program_on_device(cell, batch, not is_nested(input_nest), given, dtype)
    return [program.run(batch, request, initial[0], given, batch.stream)]


def _sample_program_on_device(cell, batch, one_input, constants, dtype):
    from .cuda.sample_program import DeviceSampleProgram

    step, nest = step_of(cell), output_nest(cell)
    scratch = getattr(cell, "scratch_size", None)
    input_shapes = tuple(values.item_shape for values in batch.inputs)
    constant_shapes = tuple(a.shape[1:] if batched else a.shape for a, batched in constants)
    key = ("sample on a device", input_shapes, constant_shapes, one_input, dtype)
    return cell.remembered(
        key,
        lambda: DeviceSampleProgram(
            step=step,
            settings=cell.settings_of(step),
            weights=list(cell.weights.values()),
            input_shapes=input_shapes,
            state_shapes=state_shapes(cell),
            constant_shapes=constant_shapes,
            output_nest=nest,
            one_input=one_input,
            scratch_shape=None if scratch is None else shape_of(scratch),
            dtype=dtype,
            where=f"`{name_of(cell)}.step`",
        ),
    )


def _all_maps(cell):
    return [
        map_
        for stage in _stages_of(cell)
        for maps in (stage.inputs, stage.constants, stage.recurrent)
        for entry in maps
        for map_ in entry
    ]


def _drops(cell):
    return any(map_.dropout is not None for map_ in _all_maps(cell))


def _check_on_device(cell):
    if positions_of(cell):
        raise DeviceError(
            f"`{name_of(cell)}` must have states without positions to run on a device; they have "
            f"{positions_of(cell)}."
        )
    if any(map_.gamma is not None for map_ in _all_maps(cell)):
        raise DeviceError(
            f"`{name_of(cell)}` must have no normalised map to run on a device; it has one."
        )


def _device_program(cells, input_widths, constant_widths, dtype):
    from .cuda.declared import declared
    from .cuda.unit_program import DeviceProgram

    def made():
        found, widths = [], input_widths
        for cell in cells:
            of_constants = constant_widths if takes_constants(cell) else ()
            found.append(declared(declaration_of(cell), widths, of_constants, dtype))
            widths = (found[-1].units,)
        return DeviceProgram(found)

    versions = tuple([cell._version for cell in cells])
    key = ("device", _Same(cells), versions, input_widths, constant_widths, dtype)
    return cells[-1].remembered(key, made)


def _plain_constant(constant, dtype, form):
    """A constant as a step per batch or a `call` sees it: whole, and not to be written to."""
    array = constant.array if isinstance(constant, Shared) else constant
    return read_only(np.ascontiguousarray(array, dtype) if form == "batch" else array)


def _batched_constant(constant, batch, dtype):
    """A constant with a row per sample, contiguous."""
    array = constant
    if isinstance(constant, Shared):
        array = np.broadcast_to(constant.array, (batch.samples, *constant.array.shape))
    return np.ascontiguousarray(array, dtype)


def _by_cell(whole, counts):
    """The results of several cells run as one: each with its own states."""
    found, first = [], 0
    for count in counts:
        part = slice(first, first + count)
        found.append(Results(whole.outputs, whole.finals[part], whole.over_time[part], whole.nest))
        first += count
    return found
