"""The same for a batch that lies on a device."""

from ..errors import DeviceError
from ..given.nesting import is_nested
from ..given.sequences import Shared
from .building import takes_constants
from .declaration import declaration_of, step_sizes
from .form import form_of, name_of, step_of
from .programs import Same, by_cell
from .sizes import (
    has_channels_first,
    output_nest,
    positions_of,
    scratch_shape,
    stages_of,
    state_shapes,
)


def run_on_device(cells, batch, input_nest, request, initial, constants, dtype):
    """The same for a batch that lies on a device."""
    from ..cuda.call import check_constants_on_device

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
            step_sizes([values.item_shape for values in batch.inputs]),
            tuple([array.shape[-1] for array, _ in given]),
            dtype,
        )
        flat = [state for states in initial for state in states]
        whole = program.run(batch, request, flat, given, batch.stream)
        return by_cell(whole, [len(states) for states in initial])
    program = _sample_program_on_device(cell, batch, not is_nested(input_nest), given, dtype)
    return [program.run(batch, request, initial[0], given, batch.stream)]


def _sample_program_on_device(cell, batch, one_input, constants, dtype):
    step, nest = step_of(cell), output_nest(cell)
    input_shapes = tuple(values.item_shape for values in batch.inputs)
    constant_shapes = tuple(a.shape[1:] if batched else a.shape for a, batched in constants)
    key = ("sample on a device", input_shapes, constant_shapes, one_input, dtype)

    def made():
        from ..cuda.sample_program import DeviceSampleProgram

        return DeviceSampleProgram(
            step=step,
            settings=cell.settings_of(step),
            weights=list(cell.weights.values()),
            input_shapes=input_shapes,
            state_shapes=state_shapes(cell),
            constant_shapes=constant_shapes,
            output_nest=nest,
            one_input=one_input,
            scratch_shape=scratch_shape(cell, constant_shapes),
            dtype=dtype,
            where=f"`{name_of(cell)}.step`",
        )

    return cell.remembered(key, made)


def _all_maps(cell):
    return [
        map_
        for stage in stages_of(cell)
        for maps in (stage.inputs, stage.constants, stage.recurrent)
        for entry in maps
        for map_ in entry
    ]


def _drops(cell):
    return any(map_.dropout is not None for map_ in _all_maps(cell))


def _check_on_device(cell):
    if positions_of(cell) and has_channels_first(cell):
        raise DeviceError(
            f"`{name_of(cell)}.data_format` must be 'channels_last' to run on a device; got "
            "'channels_first'."
        )


def _device_program(cells, input_widths, constant_widths, dtype):
    def made():
        from ..cuda.declared import declared
        from ..cuda.unit_program import DeviceProgram

        found, widths = [], input_widths
        for cell in cells:
            of_constants = constant_widths if takes_constants(cell) else ()
            found.append(declared(declaration_of(cell), widths, of_constants, dtype))
            units, shape = found[-1].units, found[-1].shape
            widths = ((*shape, units) if shape else units,)
        return DeviceProgram(found)

    versions = tuple([cell._version for cell in cells])
    key = ("device", Same(cells), versions, input_widths, constant_widths, dtype)
    return cells[-1].remembered(key, made)
