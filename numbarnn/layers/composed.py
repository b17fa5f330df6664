"""What models that are made of layers have in common."""

from .layer import Layer


class Composed(Layer):
    """A layer that is made of others, in `layers`; they have the cells and the weights."""

    layers: list[Layer]

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

    def reset_states(self):
        """Set the recorded states of all stateful layers to zeros."""
        for layer in self.layers:
            if getattr(layer, "stateful", True):
                layer.reset_states()
