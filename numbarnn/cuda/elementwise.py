"""`nr.elementwise` in a step per sample on a device: a loop, one number after the other."""

from numba import types
from numba.cuda.extending import overload


def elementwise(function, out, *operands):
    """Write ``function(a[i], b[i], ...)`` into ``out[i]``, for every i."""
    raise NotImplementedError("compiled only")


def _loop(outs, arrays):
    """The loop that writes so many arrays, or, with None, the one; and which operands are arrays."""
    given = ", ".join(
        f"operands[{n}][i]" if is_array else f"operands[{n}]" for n, is_array in enumerate(arrays)
    )
    lines = ["def loop(function, out, *operands):"]
    if outs is None:
        lines += ["    for i in range(out.shape[0]):", f"        out[i] = function({given})"]
    else:
        lines += ["    for i in range(out[0].shape[0]):", f"        found = function({given})"]
        lines += [f"        out[{n}][i] = found[{n}]" for n in range(outs)]
    names = {}
    exec("\n".join([*lines, "    return out"]), names)
    return names["loop"]


@overload(elementwise, jit_options={"forceinline": True})
def _typed_elementwise(function, out, *operands):
    return _loop(
        len(out) if isinstance(out, types.BaseTuple) else None,
        tuple(isinstance(each, types.Array) for each in operands),
    )
