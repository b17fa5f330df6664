"""What a recurrent layer is called with: checked, in canonical form, before anything is run."""

import numpy as np

from ..errors import ArgumentError, DeviceError
from ..forms import (
    check_axes,
    check_constants,
    form_of,
    initial_states,
    output_nest,
    state_nest,
)
from ..given.device_arrays import DeviceArray, one_place
from ..given.inputs import (
    Given,
    array_nest,
    constants_of,
    first_mask,
    names_of,
    seen_on_device,
    split_inputs,
    with_batch_axis,
)
from ..given.nesting import flattened, packed_like, shape_of
from ..given.ragged import Ragged
from ..given.sequences import Shared, canonical
from ..given.shapes import flattened_shapes
from ..given.states import checked_states
from ..loop.out import check_outs
from .stacked import StackedRNNCells


class Arguments:
    """The part of a recurrent layer that takes the arguments of a call.

    The layer has the flags, `cell`, `dtype`, what it was built for, and recorded states.
    """

    def given(
        self, inputs, initial_state, constants, mask, lengths, training, reset_mask, batched=True,
        stream=None,
    ):  # fmt: skip
        """Check all arguments, and build if that is still to do; nothing has run before it returns."""
        inputs, initial_state, constants, mask, lengths, reset_mask = seen_on_device(
            inputs=inputs, initial_state=initial_state, constants=constants, mask=mask, lengths=lengths,
            reset_mask=reset_mask,
        )  # fmt: skip
        inputs, initial_state, constants = split_inputs(
            inputs, initial_state, constants, self._num_constants
        )
        inputs = array_nest("inputs", inputs, 3 if batched else 2)
        if not batched:
            inputs, mask, lengths, reset_mask = with_batch_axis(
                inputs, mask, lengths, reset_mask, 1 if self.time_major else 0
            )
        batch = self._canonical(inputs, mask, lengths, reset_mask)
        if self.dtype is None:
            self._infer_dtype(batch)
        self._check_kinds(batch)
        shapes = [(batch.samples, batch.steps, *values.item_shape) for values in batch.inputs]
        self.build(packed_like(inputs, shapes))
        constants = constants_of(constants, batched)
        check_constants(self._cells(), constants, batch.samples)
        if constants and self._num_constants is None:
            self._num_constants = len(constants)
        initial, read = None, []
        if initial_state is not None:
            initial = self._explicit(initial_state, batch.samples, batched)
            read = [("initial_state", state) for states in initial for state in states]
        for number, constant in enumerate(constants):
            array = constant.array if isinstance(constant, Shared) else constant
            read.append((f"constants[{number}]", array))
        self._check_samples(batch.samples, initial)
        first = ("inputs", batch.inputs[0].array)
        one_place([first, *read] if read else [first])
        batch.stream = stream
        if stream is not None and batch.place is None:
            raise DeviceError("`stream` must be None, as the inputs lie on the host; it is not.")
        recorded = [s for states in self._states or () for s in states]
        if (
            batch.place is None
            and initial is None
            and any(isinstance(s, DeviceArray) for s in recorded)
        ):
            raise DeviceError(
                "`inputs` must lie on the device, as the recorded states do; they lie on the host "
                "(reset_states() starts anew)."
            )
        return Given(batch, inputs, initial, constants, training, bool(batched), read)

    def _canonical(self, inputs, mask, lengths, reset_mask):
        """The batch of the inputs, which must be what the layer was built for."""
        leaves, names, known = flattened(inputs), names_of("inputs", inputs), None
        if self.unroll and any(isinstance(leaf, Ragged) for leaf in leaves):
            raise ArgumentError("`unroll` must be False for a ragged input; got True.")
        built_for = (
            self._input_shape if self.built else getattr(self._cells()[0], "input_shape", None)
        )
        if built_for is not None:
            known = [shape[1:] for shape in flattened_shapes(built_for)]
            if len(known) != len(leaves):
                raise ArgumentError(
                    f"`inputs` must hold {len(known)} arrays, as the layer was built for; "
                    f"got {len(leaves)}."
                )
        batch = canonical(
            leaves, known, first_mask(mask), lengths, self.time_major, self.go_backwards,
            reset_mask, names,
        )  # fmt: skip
        if form_of(self._cells()[0]) == "unit":
            items, given = zip(*[(v.item_shape, v.array.shape) for v in batch.inputs], strict=True)
            check_axes(self._cells()[0], names, items, given)
        return batch

    def _infer_dtype(self, batch):
        found = batch.inputs[0].array.dtype
        if found.kind == "f":
            found = np.dtype(np.float64 if found.itemsize == 8 else np.float32)
        elif found.kind == "b" or any(form_of(cell) == "unit" for cell in self._cells()):
            found = np.dtype(np.float32)
        self.dtype = found.newbyteorder("=")
        self._set_cell_dtypes()
        if self._states is not None:
            self._states = [[s.astype(self.dtype) for s in states] for states in self._states]

    def _check_kinds(self, batch):
        """Integers that were inferred from first inputs must be able to hold later ones."""
        if self.dtype.kind == "f":
            return
        for values in batch.inputs:
            if not np.can_cast(values.array.dtype, self.dtype, "safe"):
                raise ArgumentError(
                    f"`inputs` must be {self.dtype.name}, as the first ones were (dtype=None); "
                    f"got {values.array.dtype}."
                )

    def _check_samples(self, samples, initial):
        """The batch of a stateful layer must be that of its states, unless they are given anew."""
        if not self.stateful:
            return
        if self._fixed_batch_size not in (None, samples):
            raise ArgumentError(
                f"`inputs` must have a batch of {self._fixed_batch_size}, as `batch_input_shape` "
                f"says; got {samples}."
            )
        if self._batch_size not in (None, samples) and self._starts_recorded(initial):
            hint = " (give `initial_state` to change it)" if initial is None else ""
            raise ArgumentError(
                f"`inputs` must have a batch of {self._batch_size}, as this stateful layer has had"
                f"{hint}; got {samples}."
            )

    def _starts_recorded(self, initial):
        """Whether a call begins with the recorded states."""
        if not self.stateful or (self._states is None and initial is not None):
            return False
        if initial is None:
            return True
        keras2 = self.stateful_initial_state == "keras2"
        return keras2 and any(state.any() for states in self._states for state in states)

    def _explicit(self, initial_state, samples, batched):
        """Explicit initial states, per cell."""
        if isinstance(self.cell, StackedRNNCells):
            return self.cell.split_states(initial_state, samples, self.dtype, batched=batched)
        nest = state_nest(self.cell)
        return [checked_states(initial_state, nest, samples, self.dtype, batched=batched)]

    def _initial(self, given):
        """The states to begin with, per cell."""
        if self._states is not None and self._starts_recorded(given.initial):
            return self._states
        if given.initial is not None:
            return given.initial
        samples = given.batch.samples
        return [initial_states(cell, samples, self.dtype) for cell in self._cells()]

    def _checked_out(self, given, out, sequences):
        """The arrays of `out`; those of a cell in Python are checked once its outputs are known."""
        leaves = flattened(out)
        if not given.batched:
            leaves = [self._with_batch_axis(leaf, sequences) for leaf in leaves]
        cell = self._cells()[-1]
        if form_of(cell) in ("unit", "sample"):
            shapes = [shape_of(size) for size in flattened(output_nest(cell))]
            check_outs(leaves, given.batch, shapes, sequences, self.dtype, given.read)
        return leaves

    def _with_batch_axis(self, leaf, sequences):
        axis = 1 if self.time_major and sequences else 0
        if isinstance(leaf, DeviceArray):
            return leaf.with_axis(min(axis, leaf.ndim))
        if not isinstance(leaf, np.ndarray):
            raise ArgumentError(f"`out` must hold arrays; got {type(leaf).__name__}.")
        return np.expand_dims(leaf, min(axis, leaf.ndim))
