"""The kernel for steps that see one sample: one thread for each sample, from first step to last.

States and outputs are arrays of the thread's own, of sizes known when it is compiled; weights and
constants are read where they lie. A step that is masked is not called, and its output is the array as it
was left.
"""

import math

from .kernel import Kernel, reading, storing
from .primitives import SIMULATED, view_of
from .source import Writer, tuple_of

#: Threads of a block; each is one of Python in the simulator.
THREADS = 4 if SIMULATED else 64
#: Whole numbers that every such kernel takes, in this order.
NUMBERS = (
    "samples", "steps", "backwards", "turned", "zeros", "sequences", "whole", "mask_sample", "mask_time",
    "reset_sample", "reset_time", "has_mask", "has_reset", "has_lengths", "has_offsets",
)  # fmt: skip


class SampleKernel:
    """Writes the kernel of one cell.

    Parameters
    ----------
    step : dispatcher
    dtype : NumPy dtype
    inputs, states, weights, constants, outputs : sequence of tuple of int
        Shapes, of one sample at one step.
    scratch : tuple of int or None
    dtypes, outs : sequence of str
        Of the inputs as they were given, and of the outputs.
    one_input, one_output : bool
        Whether the step takes the one array, not a tuple.
    blame : tuple
        As in `Kernel`.
    parts : tuple
        As in `Kernel`.
    """

    def __init__(
        self, step, dtype, inputs, states, weights, constants, outputs, scratch, dtypes, outs, one_input,
        one_output, blame, parts,
    ):  # fmt: skip
        self._step, self._dtype, self._number = step, dtype, f"f{dtype.itemsize}"
        self._shapes = {
            "input": inputs, "state": states, "weight": weights, "constant": constants, "output": outputs
        }  # fmt: skip
        self._scratch, self._dtypes, self._outs = scratch, dtypes, outs
        self._one_input, self._one_output = one_input, one_output
        self._blame, self._parts = blame, parts
        self._write = Writer()

    def _arguments(self):
        found = [(name, "i8") for name in NUMBERS]
        found += [("mask", "u1*"), ("reset", "u1*"), ("lengths", "i8*"), ("offsets", "i8*")]
        number = self._number + "*"
        for i, shape in enumerate(self._shapes["input"]):
            found.append((f"input_{i}", f"{self._dtypes[i]}*"))
            found += [
                (f"input_{i}_{axis}", "i8") for axis in ("sample", "time", *range(len(shape)))
            ]
        for i in range(len(self._shapes["weight"])):
            found.append((f"weight_{i}", number))
        for i in range(len(self._shapes["constant"])):
            found += [(f"constant_{i}", number), (f"constant_{i}_sample", "i8")]
        for k in range(len(self._shapes["state"])):
            found += [(f"initial_{k}", number), (f"final_{k}", number), (f"track_{k}", number)]
            found += [
                (f"has_track_{k}", "i8"),
                (f"track_{k}_sample", "i8"),
                (f"track_{k}_time", "i8"),
            ]
        for i in range(len(self._shapes["output"])):
            found += [(f"out_{i}", f"{self._outs[i]}*")]
            found += [(f"out_{i}_sample", "i8"), (f"out_{i}_time", "i8")]
        return tuple(found)

    def kernel(self):
        """The kernel, ready to be compiled."""
        arguments, write = self._arguments(), self._write
        bound = {"step": self._step}
        for what in ("weight", "constant"):
            for i, shape in enumerate(self._shapes[what]):
                bound[f"see_{what}_{i}"] = view_of(shape)
        write(f"def sample_kernel({', '.join(name for name, _ in arguments)}):")
        with write:
            write("b = cuda.grid(1)", "if b < samples:")
            with write:
                self._begin()
                write("for it in range(stop):")
                with write:
                    self._at_step()
                self._finish()
        return Kernel(
            "sample_kernel", write.text(), arguments, bound, THREADS, self._parts, self._blame
        )

    # --- arrays --------------------------------------------------------------------------------

    def _local(self, name, shape):
        size = str(shape[0]) if len(shape) == 1 else repr(tuple(shape))
        self._write(f"{name} = cuda.local.array({size}, {self._number})")

    def _each(self, shape, line):
        """Loops over all places of a shape; the line has {index}, {flat} in it."""
        write = self._write
        axes = [f"i{axis}" for axis in range(len(shape))]
        flat = "0"
        for axis, size in zip(axes, shape, strict=True):
            flat = f"({flat}) * {size} + {axis}"
        lines = []
        for depth, (axis, size) in enumerate(zip(axes, shape, strict=True)):
            lines.append("    " * depth + f"for {axis} in range({size}):")
        places = dict(index=", ".join(axes), flat=flat, axes=axes)
        lines.append("    " * len(shape) + line.format(**places))
        write(*lines)

    def _begin(self):
        write, shapes = self._write, self._shapes
        write(f"zero = {self._number}(0)")
        for i, shape in enumerate(shapes["input"]):
            self._local(f"given_{i}", shape)
        for k, shape in enumerate(shapes["state"]):
            self._local(f"s_{k}", shape)
        for i, shape in enumerate(shapes["output"]):
            self._local(f"o_{i}", shape)
        if self._scratch is not None:
            self._local("scratch", self._scratch)
        for i in range(len(shapes["weight"])):
            write(f"w_{i} = see_weight_{i}(weight_{i}, 0)")
        for i in range(len(shapes["constant"])):
            write(f"c_{i} = see_constant_{i}(constant_{i}, b * constant_{i}_sample)")
        write(
            "count = steps",
            "if has_lengths != 0:",
            "    count = min(max(lengths[b], 0), steps)",
            "stop = steps if whole != 0 else count",
            "first = 0",
            "if has_offsets != 0:",
            "    first = offsets[b]",
        )
        self._to_beginning()

    def _to_beginning(self):
        for k, shape in enumerate(self._shapes["state"]):
            size = _size(shape)
            self._each(shape, f"s_{k}[{{index}}] = initial_{k}[b * {size} + {{flat}}]")
        for i, shape in enumerate(self._shapes["output"]):
            self._each(shape, f"o_{i}[{{index}}] = zero")

    # --- a step --------------------------------------------------------------------------------

    def _at_step(self):
        write = self._write
        write(
            "inside = it < count",
            "t = it",
            "if backwards != 0 and inside:",
            "    t = count - 1 - it",
            "at = it",
            "if inside and (backwards != 0) != (turned != 0):",
            "    at = count - 1 - it",
            "if has_reset != 0 and (inside or backwards == 0):",
        )
        with write:
            write("if reset[b * reset_sample + t * reset_time] != 0:")
            with write:
                self._to_beginning()
        write(
            "go = inside",
            "if has_mask != 0 and go:",
            "    go = mask[b * mask_sample + t * mask_time] != 0",
            "if go:",
        )
        with write:
            self._call()
        write("behind = not inside and backwards != 0 and turned == 0")
        write("if sequences != 0:")
        with write:
            write("silent = behind or (zeros != 0 and not go)")
            for i, shape in enumerate(self._shapes["output"]):
                write(f"place = b * out_{i}_sample + (first + at) * out_{i}_time")
                shown = storing(self._outs[i], f"zero if silent else o_{i}[{{index}}]")
                self._each(shape, f"out_{i}[place + {{flat}}] = {shown}")
        for k, shape in enumerate(self._shapes["state"]):
            write(f"if has_track_{k} != 0:")
            with write:
                write(f"place = b * track_{k}_sample + (first + at) * track_{k}_time")
                first = f"initial_{k}[b * {_size(shape)} + {{flat}}]"
                self._each(
                    shape,
                    f"track_{k}[place + {{flat}}] = {first} if behind else s_{k}[{{index}}]",
                )

    def _call(self):
        write, shapes = self._write, self._shapes
        for i, shape in enumerate(shapes["input"]):
            write(f"place = b * input_{i}_sample + (first + t) * input_{i}_time")
            steps = " + ".join(f"i{axis} * input_{i}_{axis}" for axis in range(len(shape)))
            value = f"input_{i}[place + {steps}]" if shape else f"input_{i}[place]"
            value = reading(self._dtypes[i], self._number, value)
            self._each(shape, f"given_{i}[{{index}}] = {value}")
        names = {
            "inputs": [f"given_{i}" for i in range(len(shapes["input"]))],
            "states": [f"s_{k}" for k in range(len(shapes["state"]))],
            "weights": [f"w_{i}" for i in range(len(shapes["weight"]))],
            "constants": [f"c_{i}" for i in range(len(shapes["constant"]))],
            "outputs": [f"o_{i}" for i in range(len(shapes["output"]))],
        }
        given = [
            names["inputs"][0] if self._one_input else tuple_of(names["inputs"]),
            tuple_of(names["states"]), tuple_of(names["weights"]), tuple_of(names["constants"]),
            names["outputs"][0] if self._one_output else tuple_of(names["outputs"]),
        ]  # fmt: skip
        if self._scratch is not None:
            given.append("scratch")
        write(f"step({', '.join(given)})")

    def _finish(self):
        write = self._write
        for k, shape in enumerate(self._shapes["state"]):
            self._each(shape, f"final_{k}[b * {_size(shape)} + {{flat}}] = s_{k}[{{index}}]")
        write("if sequences == 0:")
        with write:
            for i, shape in enumerate(self._shapes["output"]):
                shown = storing(self._outs[i], f"o_{i}[{{index}}]")
                self._each(shape, f"out_{i}[b * out_{i}_sample + {{flat}}] = {shown}")
            if not self._shapes["output"]:
                write("pass")


def _size(shape):
    return math.prod(shape)
