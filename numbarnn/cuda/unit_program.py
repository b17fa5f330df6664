"""Cells whose steps see one unit, on a device: weights packed once, kernels queued by chunks of time."""

from .call import DeviceCall
from .driver import device
from .memory import Memory, numbers_of
from .packed_cell import packed_cell, plain_axes
from .plan import plan_chunk
from .tape import Tapes


class DeviceProgram:
    """Prepared cells, one on top of the other, as the loop over units is on the CPU.

    Parameters
    ----------
    cells : sequence of DeviceCell
    """

    def __init__(self, cells):
        self.cells, self.dtype = tuple(cells), cells[0].dtype
        self._packed, self._tapes = {}, Tapes()

    def packed(self, memory, number):
        """The weights of every cell on a device, and all arrays that they lie in."""
        if number not in self._packed:
            cells = [packed_cell(cell, memory) for cell in self.cells]
            # Of threads that come first at once, all take what the first has packed.
            self._packed.setdefault(number, (cells, tuple(memory.uploads)))
        return self._packed[number]

    def run(self, batch, request, initial, constants, stream=None):
        """Run a batch that lies on a device.

        Parameters
        ----------
        batch : Batch
        request : Request
        initial : list of (DeviceArray, ndarray or None)
        constants : list of (DeviceArray, bool)
            And whether they have a batch axis.
        stream : object, optional

        Returns
        -------
        Results
        """
        memory = Memory(batch.place, stream)
        # Whether the cells fit the device is known before anything is queued.
        cells, weights = self.packed(memory, batch.place.device)

        def queue(recorded):
            call = _Call(cells, batch, request, initial, constants, recorded)
            if batch.samples and batch.steps:
                call.run()
            return call.results

        return self._tapes.run(memory, weights, (batch, request, initial, constants), queue)


class _Call(DeviceCall):
    """One call: its buffers, and what the kernels of every layer are told."""

    def __init__(self, cells, batch, request, initial, constants, memory):
        declared = [packed.cell for packed in cells]
        sizes = [(*cell.shape, size) for cell in declared for size in cell.state_sizes]
        last, self._cells = declared[-1], cells
        shapes = [(*last.shape, last.units)]
        super().__init__(memory, batch, request, initial, sizes, shapes, last.dtype)
        self._place = device(batch.place.device)
        self._constants = constants
        #: Numbers of the output of a sample at one step.
        self._widths = [packed.cell.positions * packed.cell.units for packed in self._cells]

    def run(self):
        """Queue all kernels."""
        batch, samples, memory = self.batch, self.batch.samples, self.memory
        columns = max(p.cell.positions * p.cell.columns("inputs") for p in self._cells)
        columns += sum(self._widths[:-1])
        chunk = plan_chunk(columns, samples, batch.steps, self.item)
        # What one layer hands to the next, and the products of one layer, chunk by chunk.
        self._inner = [
            memory.empty((samples, chunk, width), self.dtype, lasting=False)
            for width in self._widths[:-1]
        ]
        shape = samples, max(1, chunk * columns)
        self._products = memory.empty(shape, self.dtype, lasting=False)
        held = [
            memory.filled(None, (samples, width), self.dtype, lasting=False)
            for width in self._widths
        ]
        constant = [self._constant_products(packed) for packed in self._cells]
        work = [packed.workspace(memory, samples) for packed in self._cells]
        beginnings = self.beginnings()
        for begin in range(0, batch.steps, chunk):
            span = begin, min(batch.steps, begin + chunk)
            first_state = 0
            for c, packed in enumerate(self._cells):
                self._project(packed, c, *span)
                given = self._layer(packed, c, held[c], constant[c], *span)
                for k in range(len(packed.cell.state_sizes)):
                    number = first_state + k
                    given |= {
                        f"state_{k}": self.results.finals[number], f"initial_{k}": beginnings[number]
                    }  # fmt: skip
                    given |= self.track(k, number)
                first_state += len(packed.cell.state_sizes)
                packed.queue(memory, given, work[c], self._place, *self._kinds(c))

    # --- products ------------------------------------------------------------------------------

    def _source(self, c, operand):
        """(array, strides of samples, steps, axes in space and items, in elements) of an input."""
        if c:
            array, units = self._inner[c - 1], self._cells[c - 1].cell.units
            return (array, *[stride // self.item for stride in array.strides[:2]], (units,), 1)
        values = self.batch.inputs[operand]
        strides = values.sample_stride, values.time_stride, *values.item_strides
        sample, time, *axes, item = [stride // values.array.dtype.itemsize for stride in strides]
        return values.array, sample, time, tuple(axes), item

    def _project(self, packed, c, begin, end):
        """The products of the dense maps of inputs for a chunk of time."""
        cell, column = packed.cell, 0
        total, count = cell.columns("inputs"), end - begin
        for dense in packed.projected["inputs"]:
            source, sample, time, axes, item = self._source(c, dense.map_.operand)
            given = self.steps() | self._axes(c, dense.map_.geometry, axes)
            given |= {
                "begin": begin, "count": count, "direct": c > 0, "in_sample": sample,
                "in_time": time, "in_item": item, "out_sample": count * cell.positions * total,
                "out_time": cell.positions * total,
            }  # fmt: skip
            self._multiply(dense, given, source, self._products[:, column:], total)
            column += dense.columns

    @staticmethod
    def _axes(c, geometry, axes):
        """Strides of the axes in space that a map gathers from."""
        if geometry is None:
            return {}
        if c:
            return plain_axes(geometry, geometry.channels)
        axes = (0,) * len(geometry.axes) if geometry.shared else axes
        first = len(geometry.axes) - len(axes)
        return {f"in_axis_{first + number}": stride for number, stride in enumerate(axes)}

    def _constant_products(self, packed):
        """The products of the dense maps of constants."""
        total = packed.cell.columns("constants")
        if total == 0:
            return None
        shape, column = (self.batch.samples, total), 0
        out = self.memory.empty(shape, self.dtype, lasting=False)
        for dense in packed.projected["constants"]:
            source, batched = self._constants[dense.map_.operand]
            item = source.dtype.itemsize
            given = self.steps() | {
                "begin": 0, "count": 1, "direct": 1, "in_time": 0, "out_sample": total, "out_time": 0,
                "in_sample": source.strides[0] // item if batched else 0,
                "in_item": source.strides[-1] // item,
            }  # fmt: skip
            self._multiply(dense, given, source, out[:, column:], total)
            column += dense.columns
        return out

    def _multiply(self, dense, given, source, out, row):
        for launch in dense.launches(given, source, numbers_of(source.dtype), out, row):
            self.memory.stream.launch(*launch)

    # --- the loop ------------------------------------------------------------------------------

    def _layer(self, packed, c, held, constant, begin, end):
        """What the kernel of one layer is told of a chunk of time, but for the states."""
        batch, request, cell = self.batch, self.request, packed.cell
        last = c == len(self._cells) - 1
        out = self.results.outputs[0] if last else self._inner[c]
        sequences = request.sequences or not last
        given = self.steps() | packed.weights
        given |= {
            "begin": begin, "end": end, "last": end == batch.steps, "zeros": request.zeros or not last,
            "sequences": sequences, "whole": self.is_whole(request.sequences and last),
            "direct": c > 0, "direct_out": not last, "held": held, "out": out,
            "x_values": self._products, "c_values": constant,
            "x_sample": (end - begin) * cell.positions * cell.columns("inputs"),
        }  # fmt: skip
        strides = self.places(out, sequences)
        if not last:
            strides = [stride // self.item for stride in out.strides[:2]]
        given["out_sample"], given["out_time"] = strides
        for operand in cell.read_by_unit("inputs"):
            name = f"input_{operand}"
            given[name], *strides, _, given[f"{name}_item"] = self._source(c, operand)
            given[f"{name}_sample"], given[f"{name}_time"] = strides
        for operand in cell.read_by_unit("constants"):
            name, (source, batched) = f"constant_{operand}", self._constants[operand]
            given[name] = source
            item = source.dtype.itemsize
            given[f"{name}_sample"] = source.strides[0] // item if batched else 0
            given[f"{name}_item"] = source.strides[-1] // item
        return given

    def _kinds(self, c):
        """The dtypes of a layer's inputs and of the constants."""
        inputs = [self.dtype] if c else [values.array.dtype for values in self.batch.inputs]
        constants = [array.dtype for array, _ in self._constants]
        return [tuple(map(numbers_of, each)) for each in (inputs, constants)]
