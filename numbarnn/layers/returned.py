"""What a call of a recurrent layer returns: Keras's structure, in the form of what was given."""

from ..forms import state_nest
from ..given.device_arrays import given_back
from ..given.nesting import flattened, mapped, packed_like, top_level
from ..given.ragged import Ragged
from .recorded import own_copy
from .stacked import StackedRNNCells


class Returned:
    """The part of a recurrent layer that returns outputs and states.

    The layer has the flags and `cell`.
    """

    def _returned(self, given, outputs, states, over_time, out=None):
        found = [self.as_given(given, outputs, out)]
        if self.return_states == "all":
            found += self.states_over_time(given, over_time)
        if self.return_state:
            found += self.final_states(states, given.batched)
        if given.batch.place is not None:
            found = [mapped(given_back, each) for each in found]
        return found if self.return_state or self.return_states else found[0]

    def as_given(self, given, outputs, out=None):
        """Outputs as they are returned: ragged or without batch axis if the inputs were; `out` itself."""
        if not given.batched:
            if out is not None:
                return packed_like(outputs, flattened(out))
            axis = 1 if self.time_major and self.return_sequences else 0
            return mapped(lambda array: array.take(0, axis), outputs)
        if given.batch.offsets is not None and self.return_sequences:
            return mapped(lambda array: Ragged(array, given.batch.offsets), outputs)
        return outputs

    def states_over_time(self, given, over_time):
        """The states after every step as they are returned: one entry per top-level state."""
        found = self.structured(over_time)
        if given.batch.offsets is not None:
            found = mapped(lambda array: Ragged(array, given.batch.offsets), found)
        if not given.batched:
            found = mapped(lambda array: array.take(0, 1 if self.time_major else 0), found)
        return found

    def final_states(self, states, batched=True):
        """The final states as they are returned: one entry per top-level state."""
        found = self.structured(states)
        if self.stateful:
            found = mapped(own_copy, found)  # what is recorded is nobody else's
        return found if batched else mapped(lambda array: array[0], found)

    def structured(self, states):
        """States per cell as a list with one entry per top-level state, or per cell of a stack."""
        if isinstance(self.cell, StackedRNNCells):
            return self.cell.joined_states(states)
        return top_level(packed_like(state_nest(self.cell), states[0]))
