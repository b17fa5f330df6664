"""Array objects taken by compiled code: a time step, which is checked, or those of a call like one before.

Asking an array in Python for its type, shape, layout and address takes longer than a step of a small
cell. The first fields of NumPy's array object are part of its C interface; what stands there is read by
the compiled code itself.
"""

from ..lanes.memory import caller, integer_at, set_integer
from . import task as slot

call_loop = caller(4)
_LOW = 0xFFFFFFFF
#: C-contiguous and aligned; and writeable too.
_READABLE, _WRITEABLE = 0x101, 0x501


def is_like(array, kind, flags):
    """Whether an array object has the dtype object and shape that stand in a table, and flags."""
    if integer_at(array + slot.ARRAY_DTYPE) != integer_at(kind + slot.KIND_DTYPE):
        return False
    if integer_at(array + slot.ARRAY_FLAGS) & flags != flags:
        return False
    if integer_at(array + slot.ARRAY_AXES) & _LOW != 2:
        return False
    sizes = integer_at(array + slot.ARRAY_SIZES)
    rows = integer_at(sizes) == integer_at(kind + slot.KIND_ROWS)
    return rows and integer_at(sizes + slot.EIGHT) == integer_at(kind + slot.KIND_COLUMNS)


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
    places = integer_at(stream + slot.STREAM_PLACES)
    for index in range(integer_at(stream + slot.STREAM_PLACE_COUNT)):
        place = integer_at(places + slot.EIGHT * index)
        set_integer(place, integer_at(values + slot.ARRAY_DATA))
    set_integer(integer_at(stream + slot.STREAM_TARGET), integer_at(output + slot.ARRAY_DATA))
    call_loop(
        integer_at(stream + slot.STREAM_LOOP),
        (
            integer_at(stream + slot.STREAM_TASK),
            integer_at(stream + slot.STREAM_WORK),
            0,
            integer_at(stream + slot.STREAM_BLOCKS),
        ),
    )


def run_arrays(call, space):
    """Run a call with the arrays whose objects its table has; `space` is the object of a workspace."""
    array, place = integer_at(call + slot.ARRAYS), integer_at(call + slot.ARRAYS_PLACES)
    end = array + integer_at(call + slot.ARRAYS_COUNT) * slot.ARRAY_ENTRY
    while array < end:
        data = integer_at(integer_at(array + slot.ARRAY_OBJECT) + slot.ARRAY_DATA)
        last = place + integer_at(array + slot.ARRAY_PLACES) * slot.EIGHT
        while place < last:
            set_integer(integer_at(place), data)
            place += slot.EIGHT
        array += slot.ARRAY_ENTRY
    call_loop(
        integer_at(call + slot.ARRAYS_LOOP),
        (
            integer_at(call + slot.ARRAYS_TASK),
            integer_at(space + slot.ARRAY_DATA),
            0,
            integer_at(call + slot.ARRAYS_BLOCKS),
        ),
    )
