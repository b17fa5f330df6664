"""What runs when a layer is called: forms of steps, register tiles, the plan of a batch, its bound."""

import numpy as np

from .errors import ArgumentError, NumbarnnError
from .forms import declaration_of, form_of, output_nest, positions_of, programs, step_sizes
from .given.arrays import as_size
from .given.nesting import flattened, shape_of
from .given.shapes import is_shape
from .layers import RNN, Bidirectional, Embedding, Layer, Model, Sequential
from .layers.repeated_model import MOST_PRODUCTS, MOST_SAMPLES, why_not
from .threads import get_num_threads

_FORMS = {
    "sample": "a step per sample: compiled, one sample after the other, threads by samples",
    "batch": "a step per batch: compiled, called from Python once per time step",
    "call": "`call` of a Python object, once per time step",
}


def explain(layer, batch=None, time=None, device=False):
    """Print what runs when a layer is called.

    For every recurrent layer: which form its step has, whether it runs on SIMD lanes and if not why,
    and the register tiles of its products; with `batch` and `time` also the plan, and how long the
    products alone would take at the speed that a register tile reached on this machine just now.

    Parameters
    ----------
    layer : Layer
        Built; a model is explained layer by layer, and whether small calls run all of them at once.
    batch, time : int, optional
        The sizes of a call: both, or neither.
    device : bool
        Whether to tell, instead, of a call with arrays on a CUDA device: which kernel takes each cell,
        and why if none does. No device is needed for that.

    Raises
    ------
    ArgumentError
        If it is no layer, or not built, or only one of the sizes is given.

    Examples
    --------
    >>> import numbarnn as nr
    >>> layer = nr.LSTM(64)
    >>> layer.build((None, None, 32))
    >>> nr.explain(layer)  # doctest: +ELLIPSIS
    lstm: LSTMCell(units=64; ...), float32
      stage 0: the step runs on lanes, ... float32 at once
        inputs[0]: dense, 32 -> 4 x 64, tiles of ... rows x 4 vectors...
        states[0]: dense, 64 -> 4 x 64, tiles of ... rows x 4 vectors...
    >>> nr.explain(layer, batch=8, time=100)  # doctest: +ELLIPSIS
    lstm: ...
      plan: 8 x 100 steps as 1 block of 8 samples, ... steps at a time, on 1 of ... threads
      workspace: ... KB a thread
      bound: ... million multiply-adds, ... ms on 1 thread at ... GFLOP/s
    >>> nr.explain(layer, device=True)
    lstm: LSTMCell on a device, float32
      a block for a few rows: 256 threads, 4 of them share the sums of a unit, whose recurrent
      weights stay in their registers
    """
    if not isinstance(layer, Layer):
        raise ArgumentError(f"`layer` must be a Layer; got {type(layer).__name__}.")
    if (batch is None) != (time is None):
        raise ArgumentError("`batch` and `time` must be given together.")
    if not layer.built:
        raise ArgumentError(
            f"`{layer.name}` must be built before it is explained: call it, or its `build`."
        )
    if device:
        print("\n".join(_lines(layer, None, _on_device)))
        return
    sizes = None if batch is None else (as_size("batch", batch), as_size("time", time))
    print("\n".join(_lines(layer, sizes, _recurrent)))
    if isinstance(layer, (Model, Sequential)):
        print(_whole(layer))


def _whole(model):
    """How a model runs that is called from Python again and again."""
    why = why_not(model)
    if why is not None:
        return f"{model.name}: one layer after the other: {why}"
    return (
        f"{model.name}: calls that come again run as a whole, of up to {MOST_SAMPLES} samples and "
        f"{MOST_PRODUCTS / 1e6:.0f} million multiply-adds"
    )


def _lines(layer, sizes, recurrent):
    if isinstance(layer, (Model, Sequential)):
        for part in layer.layers:
            yield from _lines(part, sizes, recurrent)
    elif isinstance(layer, Bidirectional):
        yield f"{layer.name}: two layers, one after the other"
        for part in (layer.forward_layer, layer.backward_layer):
            yield from (f"  {line}" for line in _lines(part, sizes, recurrent))
    elif isinstance(layer, RNN):
        yield from recurrent(layer, sizes)
    else:
        compiled = hasattr(layer, "cell_for") or layer._cells() and not isinstance(layer, Embedding)
        yield f"{layer.name}: {type(layer).__name__}, {'compiled' if compiled else 'in NumPy'}"


def _on_device(layer, sizes):
    from .cuda.declared import declared

    shape = layer._input_shape
    shapes = (shape,) if is_shape(shape) else shape
    widths = step_sizes([each[1:] for each in shapes])
    for cell in layer._cells():
        yield f"{layer.name}: {type(cell).__name__} on a device, {layer.dtype.name}"
        form = form_of(cell)
        if form == "sample":
            yield "  a thread for every sample"
        elif form != "unit":
            yield f"  none: {_FORMS[form]}"
        else:
            try:
                found = declared(declaration_of(cell), widths, (), layer.dtype)
            except NumbarnnError as error:
                yield f"  none: {error}"
            else:
                yield from _unit_on_device(found)
        widths = (_size(cell),)


def _unit_on_device(cell):
    """Which kernel takes a cell whose step sees one unit."""
    from .cuda.measured import preference
    from .cuda.plan import OF_CLUSTERS, plan_cell, plan_cluster

    device = preference(OF_CLUSTERS).device
    seen = f"measured on {device}" if device else "never measured"
    plan, cluster = plan_cell(cell, OF_CLUSTERS), plan_cluster(cell, OF_CLUSTERS)
    if plan is None:
        yield "  step by step: products of whole matrices, then a thread for every unit of a row;"
        if cell.shape:
            yield "  its states have positions"
        elif cell.needs_rows:
            yield "  its recurrent maps are normalised"
        else:
            yield "  its recurrent weights do not fit the registers of a block"
            if cluster is not None:
                blocks = cluster.blocks
                yield f"  NUMBARNN_GPU_KERNEL=K2c: a cluster of {blocks} blocks for a few rows, on"
                yield f"  compute capability 9.0 or later; {seen}"
        return
    share = f"{plan.lanes} of them share" if plan.lanes > 1 else "one of them has"
    if plan.blocks > 1:
        yield (
            f"  a cluster of {plan.blocks} blocks for a few rows, each of {plan.threads} threads: "
            f"{plan.lanes} of them share"
        )
        yield "  the sums of a unit, whose recurrent weights stay in their registers; on compute capability"
        yield f"  9.0 or later; {seen}"
        return
    yield (
        f"  a block for a few rows: {plan.threads} threads, {share} the sums of a unit, whose "
        "recurrent"
    )
    yield "  weights stay in their registers"


def _size(cell):
    """The width of the output of a built cell, or its shape if its states have positions."""
    shapes = [shape_of(size) for size in flattened(output_nest(cell))]
    return shapes[0] if positions_of(cell) else int(np.sum([np.prod(shape) for shape in shapes]))


def _recurrent(layer, sizes):
    cells = layer._cells()
    for cell in cells:
        yield f"{layer.name}: {cell!r}, {layer.dtype.name}"
        form = form_of(cell)
        if form != "unit":
            yield f"  {_FORMS[form]}"
    if not all(form_of(cell) == "unit" for cell in cells) or not is_shape(layer._input_shape):
        return
    for program in programs(cells, layer._input_shape[1:], layer.dtype):
        for cell in program.cells:
            for number, stage in enumerate(cell.stages):
                yield from _stage(number, stage, program)
        if sizes is not None:
            yield from _plan(program, *sizes)


def _stage(number, stage, program):
    from .loop.plan import this_machine, tile_height

    how = f"lanes, {program.width} {program.dtype.name} at once"
    if stage.reason is not None:
        how = f"single numbers, as it does not compile on lanes: {stage.reason}"
    yield f"  stage {number}: the step runs on {how}"
    layout = stage.layout
    kinds = (
        ["inputs"] * len(layout.inputs)
        + ["constants"] * len(layout.constants)
        + ["states" if number == 0 else "values"] * len(layout.recurrent)
    )
    for kind, map_, product in zip(kinds, layout.maps, stage.products, strict=True):
        vectors = len(map_.targets)
        text = f"    {kind}[{map_.operand}]: {map_.kind}"
        if map_.geometry is not None and map_.geometry.width > map_.geometry.channels:
            taps = " x ".join(str(axis.taps) for axis in map_.geometry.axes[-len(program.shape) :])
            text = f"    {kind}[{map_.operand}]: convolution of {taps} taps"
        if map_.kind == "dense":
            height = tile_height(vectors, this_machine().registers)
            gates = vectors // layout.joined
            text += f", {map_.width} -> {gates} x {layout.units}, "
            text += f"tiles of {height} rows x {vectors} vectors"
            if product.pair is not None:
                text += f", two panels at once for {product.pair_rows} row"
                text += "s or less" if product.pair_rows > 1 else ""
        if map_.norm is not None:
            text += f", normalised over {map_.norm.gates * layout.units} columns"
        yield text
    if layout.needs_rows:
        yield "    the step waits for the recurrent products of all units"


def _plan(program, samples, steps):
    from .loop.peak import bandwidth, bound, peak

    plan, size, stepwise = program.planned(samples, steps)
    threads = max(plan.threads, plan.members)
    blocks = "1 block" if plan.blocks == 1 else f"{plan.blocks} blocks"
    rows = f"{plan.block // program.positions} samples"
    if program.shape:
        rows += f" at {program.positions} positions"
    inputs = " (inputs step by step too)" if stepwise else ""
    yield (
        f"  plan: {samples} x {steps} steps as {blocks} of {rows}, "
        f"{plan.chunk} steps at a time{inputs}, on {threads} of {get_num_threads()} threads"
    )
    yield f"  workspace: {size / 1024:.0f} KB a thread"
    work, dtype, width = program.products * samples * steps, program.dtype.name, program.width
    weights, reads = program.weight_bytes // plan.members, -(-plan.blocks // plan.threads) * steps
    products, reading = bound(work / threads, weights, reads, dtype, width)
    on = f"{threads} thread{'s' if threads > 1 else ''}"
    if products >= reading:
        yield (
            f"  bound: {work / 1e6:.1f} million multiply-adds, {1e3 * products:.3g} ms on {on} at "
            f"{2e-9 * peak(dtype, width):.0f} GFLOP/s"
        )
    else:
        yield (
            f"  bound: {weights / 1e3:.1f} kB of weights to be read {reads} times, "
            f"{1e3 * reading:.3g} ms on {on} at {1e-9 * bandwidth(weights, dtype, width):.0f} GB/s"
        )
