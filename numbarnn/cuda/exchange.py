"""How blocks of a cluster hand numbers to each other: for devices, and for the simulator.

A block writes into the shared memory of another one by ``st.async``, which reports its bytes there to an
``mbarrier``: a number in shared memory whose phase ends when as many bytes as were announced have come and
one thread has arrived, which is the one that announced them. The next phase begins at once.
"""

from .primitives import SIMULATED

if SIMULATED:

    def together(thread):
        """Wait for all threads of the cluster."""
        yield ("cluster",)

    def make_arrivals(thread, arrivals):
        """Begin the first phase of both barriers; one thread does."""
        thread.block.make_arrivals(2)
        yield "turn"

    def announce(thread, arrivals, which, count):
        """Say how many bytes the present phase of a barrier waits for."""
        thread.block.announce(which, count)
        yield "turn"

    def await_arrivals(thread, arrivals, which, parity):
        """Wait for the end of the phase with that parity."""
        yield "phase", which, parity
        thread.phases += 1

    def hand_over(thread, shared, place, value, rank, arrivals, which):
        """Write a number into the same place of a block, and report it to that block's barrier."""
        thread.block.hand_over(thread, shared, place, value, rank, which)
        yield "turn"

else:
    from llvmlite import ir
    from numba import types
    from numba.cuda.extending import intrinsic

    _WORD, _LONG, _NOTHING = ir.IntType(32), ir.IntType(64), ir.VoidType()
    _SHARED = 3

    def _address(context, builder, kind, value, place):
        """The 32-bit address in shared memory of one element of an array."""
        array = context.make_array(kind)(context, builder, value)
        pointer = builder.gep(array.data, [place])
        shared = builder.addrspacecast(pointer, ir.PointerType(pointer.type.pointee, _SHARED))
        return builder.ptrtoint(shared, _WORD)

    def _run(builder, code, constraints, values, result=_NOTHING):
        """An instruction that other ones must not be moved across."""
        kind = ir.FunctionType(result, [value.type for value in values])
        inline = ir.InlineAsm(kind, code, f"{constraints}~{{memory}}", side_effect=True)
        return builder.call(inline, values, attrs=("convergent",))

    def _in_block(builder, address, rank):
        """The address of the same place in another block of the cluster."""
        kind = ir.FunctionType(_WORD, [_WORD, _WORD])
        code = "mapa.shared::cluster.u32 $0, $1, $2;"
        return builder.call(ir.InlineAsm(kind, code, "=r,r,r", False), [address, rank])

    def _word(context, builder, kind, value):
        return context.cast(builder, value, kind, types.int32)

    @intrinsic
    def together(context):
        """Wait for all threads of the cluster."""

        def generate(context, builder, sig, values):
            code = "barrier.cluster.arrive.release; barrier.cluster.wait.acquire;"
            _run(builder, code, "", [])
            return context.get_dummy_value()

        return types.none(), generate

    @intrinsic
    def make_arrivals(context, arrivals):
        """Begin the first phase of both barriers; one thread does."""

        def generate(context, builder, sig, values):
            for which in range(2):
                address = _address(context, builder, sig.args[0], values[0], _LONG(which))
                _run(builder, "mbarrier.init.shared::cta.b64 [$0], 1;", "r,", [address])
            _run(builder, "fence.mbarrier_init.release.cluster;", "", [])
            return context.get_dummy_value()

        return types.none(arrivals), generate

    @intrinsic
    def announce(context, arrivals, which, count):
        """Say how many bytes the present phase of a barrier waits for."""

        def generate(context, builder, sig, values):
            address = _address(context, builder, sig.args[0], values[0], values[1])
            count = _word(context, builder, sig.args[2], values[2])
            code = "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;"
            _run(builder, code, "r,r,", [address, count])
            return context.get_dummy_value()

        return types.none(arrivals, types.int64, count), generate

    #: Labels within braces are of these lines alone.
    _WAIT = """{
.reg .pred over;
WAIT:
mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 over, [$0], $1;
@over bra OVER;
bra WAIT;
OVER:
}"""

    @intrinsic
    def await_arrivals(context, arrivals, which, parity):
        """Wait for the end of the phase with that parity."""

        def generate(context, builder, sig, values):
            address = _address(context, builder, sig.args[0], values[0], values[1])
            parity = _word(context, builder, sig.args[2], values[2])
            _run(builder, _WAIT, "r,r,", [address, parity])
            return context.get_dummy_value()

        return types.none(arrivals, types.int64, parity), generate

    @intrinsic
    def hand_over(context, shared, place, value, rank, arrivals, which):
        """Write a number into the same place of a block, and report it to that block's barrier."""

        def generate(context, builder, sig, values):
            shared, place, value, rank, arrivals, which = values
            rank = _word(context, builder, sig.args[3], rank)
            target = _address(context, builder, sig.args[0], shared, place)
            barrier = _address(context, builder, sig.args[4], arrivals, which)
            code = "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [$0], $1, [$2];"
            given = [
                _in_block(builder, target, rank), builder.bitcast(value, _WORD),
                _in_block(builder, barrier, rank),
            ]  # fmt: skip
            _run(builder, code, "r,r,r,", given)
            return context.get_dummy_value()

        kinds = shared, types.int64, types.float32, rank, arrivals, types.int64
        return types.none(*kinds), generate
