"""What a compiled function calls a model with: its arrays looked at, as a few numbers.

Arrays of a call are looked at where it stands, so that of each there is an address and its sizes, and none
is counted as held by one more. What is wrong is found by one pass over all sizes.
"""

from functools import cache

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic, register_jitable

from ..loop import task as slot
from ..loop.graph import count_of

#: What does not fit, beside the statuses of a run.
FEATURES, STATE, BATCH, OUT, STEPS = range(10, 15)
_INT = ir.IntType(64)

register_jitable(count_of)


def several(kind):
    """The types of a tuple, or of one value."""
    return list(kind) if isinstance(kind, types.BaseTuple) else [kind]


def own_axes(port, over_time):
    """How many axes an array of a port has, without that of the batch."""
    return (port.timed and over_time) + (not port.scalar)


def is_id(kind):
    """Whether a type is that of one id, not of an array."""
    return isinstance(kind, types.Integer)


def want(name, array, dtype, axes, written=True):
    """Refuse, when it is compiled, what is no array of so many axes that machine code can use."""
    good = (
        isinstance(array, types.Array)
        and array.dtype == dtype
        and array.ndim in axes
        and array.layout == "C"
        and (array.mutable or not written)
    )
    if not good:
        count = " or ".join(map(str, axes))
        raise TypingError(
            f"`{name}` must be a {'writeable ' * written}C-contiguous {dtype} array of {count} "
            f"axes; got {array}."
        )


def checked_ports(name, model, ports, kind, over_time, written, batched=None):
    """Refuse what is not one array for each port; whether they have an axis of the batch.

    Parameters
    ----------
    name : str
    model : CompiledType
    ports : tuple of Port
    kind : Numba type
        Of an array, or of a tuple of them.
    over_time, written : bool
    batched : bool or None
        None: the first array tells.
    """
    kinds = several(kind)
    if len(kinds) != len(ports) or (len(ports) > 1) != isinstance(kind, types.BaseTuple):
        raise TypingError(
            f"`{name}` must be {'a tuple of ' * (len(ports) > 1)}{len(ports)} arrays; got {kind}."
        )
    for number, (port, array) in enumerate(zip(ports, kinds, strict=True)):
        own, dtype = own_axes(port, over_time), types.int64 if port.ids else model.dtype
        shown = f"{name}[{number}]" if len(ports) > 1 else name
        if own == 0 and is_id(array) and not batched:
            batched = False
            continue
        axes = [n for n in (own, own + 1) if n]
        want(shown, array, dtype, axes if batched is None else [own + batched], written)
        batched = array.ndim > own if batched is None else batched
    return batched


class _Arrays:
    """Arrays of a call, in the code that looks at them: where they lie, and their sizes."""

    def __init__(self, context, builder, kind, value):
        kinds = several(kind)
        values = cgutils.unpack_tuple(builder, value) if len(kinds) > 1 else [value]
        self.places, self.sizes = [], []
        for each, given in zip(kinds, values, strict=True):
            if is_id(each):
                number = context.cast(builder, given, each, types.int64)
                place, sizes = cgutils.alloca_once_value(builder, number), []
            else:
                array = context.make_array(each)(context, builder, given)
                place, sizes = array.data, cgutils.unpack_tuple(builder, array.shape)
            self.places.append(builder.ptrtoint(place, _INT))
            self.sizes.append(sizes)

    def place(self, builder):
        """The address of the only one, or of a table of addresses."""
        if len(self.places) == 1:
            return self.places[0]
        table = cgutils.alloca_once(builder, ir.ArrayType(_INT, len(self.places)))
        for number, place in enumerate(self.places):
            builder.store(place, cgutils.gep_inbounds(builder, table, 0, number))
        return builder.ptrtoint(table, _INT)


def _steps_told(told, steps):
    return count_of(told, steps)


class _Look:
    """One look at the arrays of a call; `over_time`: whether sequences are run."""

    def __init__(self, context, builder, model, address, batched, over_time):
        self.context, self.builder, self.model, self.address = context, builder, model, address
        self.batched, self.over_time = batched, over_time
        self.wrong = self.number(0)
        self.samples = self.steps = self.number(1)

    def number(self, value):
        """A constant."""
        return ir.Constant(_INT, value)

    def at(self, place):
        """A number of the model."""
        place = self.builder.add(self.address, self.number(place))
        return self.builder.load(self.builder.inttoptr(place, _INT.as_pointer()))

    def want(self, size, wanted, code):
        """Note what is wrong if a size is another; what was wrong before counts more."""
        builder = self.builder
        fits, found = builder.icmp_signed("==", size, wanted), self.wrong
        code = builder.select(fits, self.number(0), self.number(code))
        good = builder.icmp_signed("==", found, self.number(0))
        self.wrong = builder.select(good, code, found)

    def inputs(self, kind, value):
        """Look at the inputs, which tell how many samples and steps there are."""
        arrays, told, timed = _Arrays(self.context, self.builder, kind, value), False, False
        for number, (port, (*sizes,)) in enumerate(
            zip(self.model.inputs, arrays.sizes, strict=True)
        ):
            if self.batched:
                size = sizes.pop(0)
                if told:
                    self.want(size, self.samples, BATCH)
                else:
                    self.samples, told = size, True
            if port.timed and self.over_time:
                size = sizes.pop(0)
                if timed:
                    self.want(size, self.steps, STEPS)
                else:
                    self.steps, timed = size, True
            if sizes:
                self.want(sizes[0], self.port(number, slot.PORT_NUMBERS), FEATURES)
        return arrays.place(self.builder)

    def port(self, number, place):
        """A number of a port."""
        return self.at(slot.MODEL_PORTS + number * slot.PORT_ENTRY + place)

    def states(self, kind, value):
        """Look at the states."""
        arrays = _Arrays(self.context, self.builder, kind, value)
        ((*lead, size),) = arrays.sizes
        self.want(size, self.at(slot.MODEL_STATE), STATE)
        if lead:
            self.want(lead[0], self.samples, BATCH)
        return arrays.places[0]

    def output_sizes(self):
        """The sizes that the outputs must have, each a list."""
        found, first = [], len(self.model.inputs)
        for number, port in enumerate(self.model.outputs):
            sizes = [self.samples] if self.batched else []
            if port.timed and self.over_time:
                place = slot.MODEL_PORTS + (first + number) * slot.PORT_ENTRY + slot.PORT_COUNT
                told = self.builder.add(self.address, self.number(place))
                kind = types.intp(types.intp, types.intp)
                sizes.append(
                    self.context.compile_internal(
                        self.builder, _steps_told, kind, (told, self.steps)
                    )
                )
            found.append([*sizes, self.port(first + number, slot.PORT_NUMBERS)])
        return found

    def outputs(self, kind, value):
        """Look at the outputs."""
        arrays = _Arrays(self.context, self.builder, kind, value)
        for found, wanted in zip(arrays.sizes, self.output_sizes(), strict=True):
            for size, other in zip(found, wanted, strict=True):
                self.want(size, other, OUT)
        return arrays.place(self.builder)


@cache
def looker(model, batched, over_time):
    """An intrinsic that looks at all arrays of a call of a model, told by its type and where it lies.

    It gives what is wrong, or 0; how many samples and steps there are; where inputs, states, outputs lie.
    """

    @intrinsic
    def look(context, address, inputs, states, out):
        def generate(context, builder, signature, values):
            kinds, found = (
                signature.args,
                _Look(context, builder, model, values[0], batched, over_time),
            )
            places = [
                found.inputs(kinds[1], values[1]),
                found.states(kinds[2], values[2]),
                found.outputs(kinds[3], values[3]),
            ]
            numbers = [found.wrong, found.samples, found.steps, *places]
            return context.make_tuple(builder, signature.return_type, numbers)

        return types.UniTuple(types.intp, 6)(types.intp, inputs, states, out), generate

    return look


@cache
def shaper(model, batched):
    """An intrinsic: the shapes that the outputs of sequences have, a tuple of tuples."""

    @intrinsic
    def shapes(context, address, inputs):
        counts = [own_axes(port, True) + batched for port in model.outputs]
        result = types.BaseTuple.from_types([types.UniTuple(types.intp, n) for n in counts])

        def generate(context, builder, signature, values):
            found = _Look(context, builder, model, values[0], batched, True)
            found.inputs(signature.args[1], values[1])
            shapes = [
                context.make_tuple(builder, kind, sizes)
                for kind, sizes in zip(result, found.output_sizes(), strict=True)
            ]
            return context.make_tuple(builder, result, shapes)

        return result(types.intp, inputs), generate

    return shapes


@cache
def numbers_of(model, outputs):
    """An intrinsic: the numbers of one step of the inputs, or outputs: one, or a tuple."""
    first, count = (len(model.inputs), len(model.outputs)) if outputs else (0, len(model.inputs))
    result = types.intp if count == 1 else types.UniTuple(types.intp, count)

    @intrinsic
    def numbers(context, address):
        def generate(context, builder, signature, values):
            look = _Look(context, builder, model, values[0], False, False)
            found = [look.port(first + number, slot.PORT_NUMBERS) for number in range(count)]
            return found[0] if count == 1 else context.make_tuple(builder, result, found)

        return result(types.intp), generate

    return numbers
