"""Masks that a file of Keras 3 computes by operations, which must be those that layers hand on.

Such a file tells with every call the mask that the layer got, as operations on the inputs of Masking and
Embedding layers. numbarnn's layers hand the same masks on by themselves, so that operations need not
run; that they are the same, and none that somebody made by hand, is checked here.
"""

from ..errors import FormatError
from ..layers import RNN, Bidirectional, Concatenate, Embedding, Masking, Model, Sequential
from ..layers.array_layer import ArrayLayer
from ..layers.merging import Merging

#: What Keras makes masks with, beside NotEqual.
_STEPS = {"Any", "BroadcastTo", "Cast", "Concatenate", "ExpandDims", "LogicalAnd", "LogicalOr"}
_SHAPES = {"OnesLike", "ZerosLike"}
OPERATIONS = {"NotEqual"} | _STEPS | _SHAPES


def is_operation(class_name, data):
    """Whether something in the list of layers is an operation, which has no config of a layer's."""
    return class_name in OPERATIONS and "trainable" not in data["config"]


class Masks:
    """What masks come from, in a graph.

    Parameters
    ----------
    operations : dict of str -> (class name, call)
        By name; each is called once.
    layers : dict of str -> Layer
    calls : list of (name, number, call)
        Of the layers; numbers as the file counts them.
    """

    def __init__(self, operations, layers, calls):
        self._operations, self._layers = operations, layers
        self._calls = {(name, number): call for name, number, call in calls}
        self._known = {}
        self._makers = {}
        for (name, _), call in self._calls.items():
            layer = layers[name]
            if isinstance(layer, Masking):
                self._makers[call.inputs[0], float(layer.mask_value)] = name
            elif isinstance(layer, Embedding) and layer.mask_zero:
                self._makers[call.inputs[0], 0.0] = name

    def check(self, name, number):
        """Refuse a call whose mask is another than the one that is handed on to it."""
        call = self._calls[name, number]
        if call.computed_mask is None:
            return
        expected = self._of(call.inputs[0][:2]) if len(call.inputs) == 1 else None
        found = self._computed(call.computed_mask, name)
        if expected is not None and found != expected:
            raise FormatError(
                f"layer {name!r:.80} must get the mask of its input; it is called with one that is "
                "computed in another way, which is not supported."
            )

    def _computed(self, place, name):
        """The layers whose inputs a mask is made of."""
        found, waiting, seen = set(), [place], set()
        while waiting:
            place = waiting.pop()
            if place[0] in seen:
                continue
            seen.add(place[0])
            kind, call = self._operations.get(place[0], (None, None))
            maker = None
            if kind == "NotEqual" and len(call.constants) == 1 and len(call.inputs) == 1:
                maker = self._makers.get((call.inputs[0], float(call.constants[0])))
            if maker is not None:
                found.add(maker)
            elif kind in _STEPS:
                waiting += call.inputs
            elif kind not in _SHAPES:
                raise FormatError(
                    f"layer {name!r:.80} must get the mask of its input; it is called with one that is "
                    f"made of {place[0]!r:.80}, which is not supported."
                )
        return found

    def _of(self, key):
        """The layers that the mask of an output comes from; None if that is not known."""
        waiting, begun = [key], set()
        while waiting:
            key = waiting.pop()
            if key in self._known or key not in self._calls:
                continue
            before = [place[:2] for place in self._calls[key].inputs]
            missing = [k for k in before if k in self._calls and k not in self._known]
            if missing and key not in begun:
                begun.add(key)
                waiting += [key, *missing]
                continue
            sources = [self._known.get(k, frozenset()) for k in before]
            self._known[key] = self._handed_on(key[0], sources)
        return self._known.get(key, frozenset())

    def _handed_on(self, name, sources):
        layer = self._layers[name]
        if isinstance(layer, (Model, Sequential)) or None in sources:
            return None
        if isinstance(layer, Masking):
            return frozenset([name])
        if isinstance(layer, Merging) and not isinstance(layer, Concatenate) and not all(sources):
            return frozenset()
        if isinstance(layer, (RNN, Bidirectional)):
            return sources[0] if layer.return_sequences else frozenset()
        if isinstance(layer, ArrayLayer) and not layer.keeps_mask:
            return frozenset()
        own = [name] if isinstance(layer, Embedding) and layer.mask_zero else []
        return frozenset().union(own, *sources)
