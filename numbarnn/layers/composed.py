"""What models that are made of layers have in common."""

import numpy as np

from ..errors import ArgumentError
from ..given.inputs import checked_training
from ..given.nesting import flattened
from .attempt import Attempt
from .graph import is_symbolic, symbolic_call
from .layer import Layer
from .repeated_model import ModelMemory


class Composed(Layer):
    """A layer that is made of others, in `layers`; they have the cells and the weights."""

    layers: list[Layer]
    _repeated: ModelMemory

    def _cells(self):
        return [cell for layer in self.layers for cell in layer._cells()]

    def _parts(self):
        return [part for layer in self.layers for part in layer._parts()]

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return all(layer.built for layer in self.layers)

    def _named_weights(self):
        for layer in self.layers:
            for name, array in layer._named_weights():
                yield f"{layer.name}/{name}", array

    @property
    def keeps_time(self):
        """Whether the output has the time steps of the input."""
        return all(layer.keeps_time for layer in self.layers)

    def passed(self, values, mask, lengths, training):
        """Outputs of a call in a model, and their mask."""
        raise NotImplementedError

    def _given(self, inputs):
        """What a call gives to each input, in their order."""
        raise NotImplementedError

    def _returned(self, results):
        """What a call returns, from one array for each output."""
        raise NotImplementedError

    def first_dtypes(self):
        """Of each input: the dtype that it is declared to have, or None; whether its readers cast it."""
        raise NotImplementedError

    def in_turn(self, given):
        """One array for each output, of layers that run one after the other."""
        outputs, _ = self.passed(self._taken(given), None, None, False)
        return flattened(outputs)

    def _taken(self, given):
        """The inputs as a call takes them, from one array for each."""
        raise NotImplementedError

    def _run(self, inputs, mask, lengths, training):
        """Run the model: all that its calls do."""
        given = kind = None
        if mask is None and lengths is None and (training is None or training is False):
            given, kind = self._plainly(inputs)
        if kind is not None:
            results = self._repeated.again(self, given, kind)
            if results is not None:
                return self._returned(results)
        elif is_symbolic(inputs):
            return symbolic_call(self, inputs)
        training = checked_training(training)
        attempt = Attempt(self.layers, training)
        try:
            with attempt:
                outputs, _ = self.passed(inputs, mask, lengths, training)
                if kind is not None:
                    self._repeated.remember(self, given, kind, flattened(outputs))
            return outputs
        except BaseException:
            # An interrupt may come between the last layer and returning.
            attempt.undo()
            raise

    def _plainly(self, inputs):
        """The arrays of a call and their kind; None and None if it is one of anything else."""
        try:
            given = self._given(inputs)
        except ArgumentError:
            return None, None  # the call itself says so
        for each in given:
            if type(each) is not np.ndarray or each.ndim == 0:
                return None, None
        return given, tuple([(each.shape, each.dtype) for each in given])

    def prepare(self, *inputs, **arguments) -> None:
        """See `Layer.prepare`."""
        self._repeated.hurry()
        super().prepare(*inputs, **arguments)

    def _made_anew(self):
        return {**super()._made_anew(), "_repeated": ModelMemory()}

    def reset_states(self):
        """Set the recorded states of all stateful layers to zeros."""
        for layer in self.layers:
            if getattr(layer, "stateful", True):
                layer.reset_states()
