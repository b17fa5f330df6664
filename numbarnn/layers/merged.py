"""The outputs of both directions as one."""

import numpy as np

from ..errors import ArgumentError
from ..forms import form_of, output_nest
from ..given.device_arrays import DeviceArray, given_back
from ..given.nesting import is_nested, shape_of
from ..loop.out import check_outs, new_output, output_shape

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


class Merged:
    """The part of a layer that merges the outputs of two.

    The layer has `merge_mode`, `_layers`, `forward_layer` and `dtype`.
    """

    def _check_widths(self):
        """Outputs that are merged element by element must have one shape, as far as it is known."""
        if callable(self.merge_mode) or self.merge_mode is None:
            return
        one, other = (self._shape_of_output(layer) for layer in self._layers())
        if one is None or other is None:
            return
        cut = -1 if self.merge_mode == "concat" else None
        if len(one) != len(other) or one[:cut] != other[:cut]:
            raise ArgumentError(
                f"`backward_layer` must give outputs of the layer's shape, {one}, to be merged by "
                f"{self.merge_mode!r}; got {other}."
            )

    @staticmethod
    def _shape_of_output(layer):
        """The shape of a layer's output at one step; None if only a call tells it."""
        cell = layer._cells()[-1]
        if form_of(cell) not in ("unit", "sample") or not hasattr(cell, "state_size"):
            return None
        nest = output_nest(cell)
        return None if is_nested(nest) else shape_of(nest)

    def _widened_out(self, given, out, sequences):
        """`out` as one array, or two without merging, with a batch axis."""
        if callable(self.merge_mode):
            raise ArgumentError("`out` must be None with a function as `merge_mode`; it is not.")
        arrays = [out]
        if self.merge_mode is None:
            if not isinstance(out, (list, tuple)) or len(out) != 2:
                raise ArgumentError(
                    "`out` must be a list of two arrays, forward and backward, as `merge_mode` is "
                    f"None; got {type(out).__name__}."
                )
            arrays = list(out)
        if not given.batched:
            arrays = [self.forward_layer._with_batch_axis(array, sequences) for array in arrays]
        return arrays if self.merge_mode is None else arrays[0]

    def _places(self, batch, out, sequences, read):
        """One array for both outputs side by side, and its halves; None where they are merged after."""
        shapes = [self._shape_of_output(layer) for layer in self._layers()]
        if any(shape is None for shape in shapes):
            return None, (None, None)
        if self.merge_mode is None:
            if out is not None:
                check_outs(out, batch, shapes, sequences, self.dtype, read)
            return None, (None, None) if out is None else out
        joined = self.merge_mode == "concat"
        last = shapes[0][-1:] if not joined else (shapes[0][-1] + shapes[1][-1],)
        shape = (*shapes[0][:-1], *last)
        if out is not None:
            check_outs([out], batch, [shape], sequences, self.dtype, read)
        if not joined or len(shape) != 1:
            return None, (None, None)
        whole = self._new_output(batch, shape, sequences) if out is None else out
        return whole, (whole[..., : shapes[0][-1]], whole[..., shapes[0][-1] :])

    def _new_output(self, batch, shape, sequences):
        if batch.place is None:
            return new_output(batch, shape, sequences, self.dtype)
        from ..cuda.memory import Memory

        memory = Memory(batch.place, batch.stream)
        return memory.empty(output_shape(batch, shape, sequences), self.dtype)

    def _not_mergeable(self):
        return ArgumentError(
            f"`merge_mode` must be None or a function for outputs that are no single array of one "
            f"shape; got {self.merge_mode!r}."
        )

    def _merged(self, one, other, batch, out, sequences, read):
        """Both outputs as one; into `out`, which is only now known to fit if the cells run in Python."""
        if self.merge_mode is None:
            if out is not None and one is not out[0]:
                axes = 2 if sequences and batch.offsets is None else 1
                shapes = [array.shape[axes:] for array in (one, other)]
                check_outs(out, batch, shapes, sequences, self.dtype, read)
                out[0][...], out[1][...] = one, other
                return out
            return [one, other]
        if callable(self.merge_mode):
            return self.merge_mode(given_back(one), given_back(other))
        joined = self.merge_mode == "concat"
        cut = -1 if joined else None
        single = all(isinstance(each, (np.ndarray, DeviceArray)) for each in (one, other))
        if not single or one.ndim != other.ndim or one.shape[:cut] != other.shape[:cut]:
            raise self._not_mergeable()
        if batch.place is not None:
            return self._merged_on_device(one, other, batch, out)
        if joined:
            merged = np.concatenate([one, other], axis=-1)
        elif self.merge_mode == "mul":
            merged = np.multiply(one, other, out=one)
        else:
            merged = np.add(one, other, out=one)
            if self.merge_mode == "ave":
                np.divide(merged, merged.dtype.type(2), out=merged)
        if out is None:
            return merged
        axes = 2 if sequences and batch.offsets is None else 1
        check_outs([out], batch, [merged.shape[axes:]], sequences, self.dtype, read)
        out[...] = merged
        return out

    def _merged_on_device(self, one, other, batch, out):
        """Outputs of one axis; those side by side were written so."""
        from ..cuda.memory import Memory

        if self.merge_mode == "concat":
            raise self._not_mergeable()
        memory = Memory(batch.place, batch.stream)
        merged = memory.merge(one, other, self.merge_mode)
        if out is None:
            return merged
        memory.fill(out, merged)
        return out
