"""Array objects taken by compiled code: a time step, which is checked, or those of a call like one before.

Asking an array in Python for its type, shape, layout and address takes longer than a step of a small
cell. The first fields of NumPy's array object are part of its C interface; what stands there is read by
the compiled code itself.
"""

from ..lanes.memory import caller, field, integer_at, set_integer
from . import task as slot

call_loop = caller(4)
_LOW = 0xFFFFFFFF
#: C-contiguous and aligned; and writeable too.
_READABLE, _WRITEABLE = 0x101, 0x501


def is_like(array, kind, flags):
    """Whether an array object has the dtype object and shape that stand in a table, and flags."""
    if field(array, slot.ARRAY_DTYPE) != field(kind, slot.KIND_DTYPE):
        return False
    if field(array, slot.ARRAY_FLAGS) & flags != flags:
        return False
    if field(array, slot.ARRAY_AXES) & _LOW != 2:
        return False
    sizes = field(array, slot.ARRAY_SIZES)
    rows = integer_at(sizes) == field(kind, slot.KIND_ROWS)
    return rows and field(sizes, slot.EIGHT) == field(kind, slot.KIND_COLUMNS)


def run_step(stream, values, output):
    """Run one time step; `values` and `output` are the addresses of two array objects.

    Raises
    ------
    TypeError
        If one of them is not such an array; nothing has happened then.
    """
    if not is_like(values, stream + slot.STREAM_VALUES, _READABLE):
        raise TypeError
    if not is_like(output, stream + slot.STREAM_OUTPUT, _WRITEABLE):
        raise TypeError
    places = field(stream, slot.STREAM_PLACES)
    for index in range(field(stream, slot.STREAM_PLACE_COUNT)):
        place = integer_at(places + slot.EIGHT * index)
        set_integer(place, field(values, slot.ARRAY_DATA))
    set_integer(field(stream, slot.STREAM_TARGET), field(output, slot.ARRAY_DATA))
    call_loop(
        field(stream, slot.STREAM_LOOP),
        (
            field(stream, slot.STREAM_TASK),
            field(stream, slot.STREAM_WORK),
            0,
            field(stream, slot.STREAM_BLOCKS),
        ),
    )


def run_arrays(call, space):
    """Run a call with the arrays whose objects its table has; `space` is the object of a workspace."""
    array, place = field(call, slot.ARRAYS), field(call, slot.ARRAYS_PLACES)
    end = array + field(call, slot.ARRAYS_COUNT) * slot.ARRAY_ENTRY
    while array < end:
        data = field(field(array, slot.ARRAY_OBJECT), slot.ARRAY_DATA)
        last = place + field(array, slot.ARRAY_PLACES) * slot.EIGHT
        while place < last:
            set_integer(integer_at(place), data)
            place += slot.EIGHT
        array += slot.ARRAY_ENTRY
    call_loop(
        field(call, slot.ARRAYS_LOOP),
        (
            field(call, slot.ARRAYS_TASK),
            field(space, slot.ARRAY_DATA),
            0,
            field(call, slot.ARRAYS_BLOCKS),
        ),
    )
