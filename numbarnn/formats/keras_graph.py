"""Keras's models to numbarnn's: chains of layers and graphs of them, with what weights they wait for.

Layers are made first, then given their weights, and put together last: a shape that the file only
claims makes no array.
"""

from collections import Counter
from dataclasses import dataclass, field

from ..cells.keras_arguments import name_of
from ..errors import FormatError, NumbarnnError
from ..given.nesting import flattened
from ..layers import (
    RNN,
    Bidirectional,
    Input,
    Model,
    Sequential,
)
from ..layers.graph import symbolic_call
from ..layers.merging import Merging
from .filling import finish, parts_of
from .keras_calls import (
    calls_of,
    flat,
    listed_calls,
    mapped,
    nest_of,
    operation_call,
    places_in,
    places_of,
)
from .keras_config import MODELS, Maker, input_of
from .keras_masks import Masks, is_operation
from .keras_paths import Layout, layer_paths
from .keras_texts import TEXTS, check_front, fronts_of, text_of, vocabulary_files


@dataclass
class Part:
    """A layer of a model, or a model.

    Attributes
    ----------
    name, class_name : str
        In the file.
    layer : Layer or None
        None for an input, a model, what only computes masks, and what is left out.
    parts : list of Part or None
        Of a model.
    data : dict
        Its description.
    kind : {"layer", "input", "model", "mask", "text", "left out"}
        "text": what makes ids of texts, which becomes the reading of the model.
    """

    name: str
    class_name: str
    data: dict
    kind: str = "layer"
    layer: object = None
    parts: list = field(default_factory=list)


class Planner(Maker):
    """Makes the layers of whole models, and puts them together.

    Attributes
    ----------
    assets : dict of str -> bytes
        The files that lie beside the weights, by their paths.
    """

    def __init__(self, era, cells):
        super().__init__(era, cells)
        self.assets = {}

    def planned(self, data, until=None):
        """The parts of a model; layers from `until` on are left out.

        Raises
        ------
        FormatError
            If a layer is not supported, or there is none called `until`.
        """
        name, config = self.described(data, "the model")
        if name not in MODELS:
            if until is not None:
                raise FormatError(
                    "the file must hold a model to be read until a layer; it holds one layer."
                )
            return self._part(data)
        part = Part(self._name_of(data), name, data, "model")
        entries = config if isinstance(config, list) else config.get("layers")
        if not isinstance(entries, list) or not entries:
            raise FormatError(f"model {part.name!r:.80} must have layers; got {entries!r:.80}.")
        names = [self._name_of(entry) for entry in entries]
        if until is not None and until not in names:
            raise FormatError(f"`until` must be one of the layers {names!r:.1000}; got {until!r}.")
        kept = self._kept(name, config, names, entries, until)
        for number, entry in enumerate(entries):
            if number in kept:
                part.parts.append(self._part(entry))
            else:
                part.parts.append(Part(names[number], self._class_of(entry), entry, "left out"))
        return part

    def _kept(self, class_name, config, names, entries, until):
        """The numbers of the layers that are read: all, or those that come before one."""
        if until is None:
            return range(len(entries))
        if class_name == "Sequential":
            return range(names.index(until))
        places = {name: number for number, name in enumerate(names)}
        needed, waiting = set(), [until]
        while waiting:
            number = places.get(waiting.pop())
            if number is None or (number in needed):
                continue
            needed.add(number)
            waiting += [place[0] for place in places_in(entries[number].get("inbound_nodes"))]
        return needed - {places[until]}

    def _part(self, data):
        class_name = self._class_of(data)
        name = self._name_of(data)
        if class_name == "InputLayer":
            return Part(name, class_name, data, "input")
        if is_operation(class_name, data):
            return Part(name, class_name, data, "mask")
        if class_name in MODELS:
            return self.planned(data)
        if class_name in TEXTS:
            return Part(name, class_name, data, "text")
        return Part(name, class_name, data, "layer", self.layer(data))

    def _class_of(self, data):
        return self.described(data, "a layer")[0]

    @staticmethod
    def _name_of(data):
        if not isinstance(data, dict):
            raise FormatError(f"a layer must have a class_name and a config; got {data!r:.100}.")
        config = data.get("config")
        name = config.get("name") if isinstance(config, dict) else None
        return str(data.get("name", name) if name is None else name)

    def model(self, data):
        """A layer within another, or a chain of them."""
        name, _ = self.described(data, "a layer")
        if name not in MODELS:
            return self._not_adapted(self.layer(data))
        part = self.planned(data)
        inner = [each.layer for each in part.parts if each.kind != "input"]
        if name != "Sequential" or any(layer is None for layer in inner):
            raise FormatError(f"model {part.name!r:.80} within a layer must be a chain of layers.")
        made = Sequential(list(map(self._not_adapted, inner)), name=part.name)
        self.classes[id(made)] = name
        return made

    def _not_adapted(self, layer):
        if id(layer) in self.adapted:
            raise FormatError(
                f"layer {layer.name!r:.80} (Normalization), adapted, within another layer is not "
                "supported."
            )
        return layer

    # --- where weights lie -------------------------------------------------------------------

    def holders(self, part):
        """(cell, layer) of everything in a part that has weights, in Keras's order."""
        if part.kind == "model":
            return [found for inner in part.parts for found in self.holders(inner)]
        if id(part.layer) in self.adapted:
            return [(self.adapted[id(part.layer)], part.layer)]
        return [] if part.layer is None else [(c, part.layer) for c, _ in layer_paths(part.layer)]

    #: Where Keras's archives keep the layers of a model.
    layout = Layout()

    def paths(self, part, path=""):
        """(cell, path) of everything in a part that has weights; as Keras 3 names paths, by classes."""
        if part.kind != "model":
            if part.layer is None:
                return []
            if id(part.layer) in self.adapted:
                return [(self.adapted[id(part.layer)], path)]
            return layer_paths(part.layer, path, self.classes, self.layout)
        return [
            found
            for each, start in self._inner_paths(part, path)
            for found in self.paths(each, start)
        ]

    def _inner_paths(self, part, path=""):
        """The layers of a model, each with its path."""
        inner = [each for each in part.parts if each.kind != "mask"]
        paths = self.layout.paths([each.class_name for each in inner], path)
        return list(zip(inner, paths, strict=True))

    def paths_read(self, part):
        """The paths of the layers of a model that are read; None if all are."""
        pairs = self._inner_paths(part)
        if all(each.kind != "left out" for each, _ in pairs):
            return None
        return {path for each, path in pairs if each.kind != "left out"}

    # --- texts -------------------------------------------------------------------------------

    def vocabularies(self, part):
        """Where the vocabularies of a model's layers may lie beside its weights."""
        if part.kind != "model":
            return set()
        return {name for _, names in self._text_parts(part) for name in names}

    def _text_parts(self, part):
        """The layers of a model that make ids of texts, and where their vocabularies may lie."""
        return [
            (inner, vocabulary_files(inner.class_name, path))
            for inner, path in self._inner_paths(part)
            if inner.kind == "text"
        ]

    def _texts(self, part):
        """What the layers that make ids of texts stand for, by their names."""
        for inner in part.parts:
            if inner.kind == "model" and any(each.kind == "text" for each in inner.parts):
                raise FormatError(
                    f"model {inner.name!r:.80}, of texts, within another is not supported."
                )
        return {
            inner.name: text_of(inner, names, self.assets)
            for inner, names in self._text_parts(part)
        }

    # --- putting together --------------------------------------------------------------------

    def assembled(self, part, until=None):
        """The layer or model, once all weights are there.

        Raises
        ------
        FormatError
            If the calls of its layers make no graph.
        """
        if part.kind != "model":
            return self._finished(part.layer)
        layers = {
            inner.name: self.assembled(inner)
            for inner in part.parts
            if inner.kind in ("layer", "model")
        }
        if len(layers) < sum(inner.kind in ("layer", "model") for inner in part.parts):
            raise FormatError(f"the layers of {part.name!r:.80} must have names of their own.")
        texts = self._texts(part)
        try:
            if part.class_name == "Sequential":
                found = self._chain(part, list(layers.values()))
                if texts:
                    check_front(part.parts)
                    (found.reading,) = texts.values()
                return found
            return self._graph(part, layers, until, texts)
        except NumbarnnError as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"model {part.name!r:.80} cannot be put together: {error}") from error

    @staticmethod
    def _finished(layer):
        finish(layer)
        if isinstance(layer, Bidirectional):
            _tell_config(layer)
        return layer

    @staticmethod
    def _chain(part, layers):
        if not layers:
            raise FormatError(
                f"model {part.name!r:.80} must have a layer besides its input; it has none."
            )
        return layers[0] if len(layers) == 1 else Sequential(layers, name=part.name)

    def _graph(self, part, layers, until, texts):
        config = part.data["config"]
        operations = {
            inner.name: (inner.class_name, call)
            for inner in part.parts
            if inner.kind == "mask"
            for call in map(operation_call, listed_calls(inner.data))
        }
        calls = [
            (inner.name, number, call.without(operations))
            for inner in part.parts
            if inner.kind in ("layer", "model")
            for number, call in enumerate(calls_of(inner.data))
        ]
        if operations:
            first = _counted_from(part, layers, calls)
            counted = [(name, number + first.get(name, 0), call) for name, number, call in calls]
            masks = Masks(operations, layers, counted)
            for name, number, _ in counted:
                masks.check(name, number)
        _check_states(layers, calls)
        ends = self._ends(part, config, until)
        named = [name for name, _, _ in places_of(config.get("input_layers"))]
        fronts = fronts_of(part.parts, calls)
        chain = self._straight(part, config, layers, calls, flat(ends), fronts)
        if chain is not None:
            found = self._chain(part, chain)
            found.reading = texts[fronts[named[0]]] if fronts else None
            return found
        wiring = _Wiring(self, part, layers, fronts)
        wiring.run(calls)
        inputs = [wiring.inputs[name] for name in named if name in wiring.inputs]
        outputs = mapped(wiring.symbol, ends)
        model = Model(
            inputs[0] if len(inputs) == 1 else inputs,
            outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs,
            name=part.name,
        )
        if fronts:
            model.reading = [texts.get(fronts.get(name)) for name in named if name in wiring.inputs]
        return model

    @staticmethod
    def _ends(part, config, until):
        """Where the outputs come from: a place, or a nest of them."""
        if until is None:
            return nest_of(config.get("output_layers"))
        (data,) = [inner.data for inner in part.parts if inner.name == until]
        calls = data.get("inbound_nodes")
        if not isinstance(calls, list) or not calls:
            raise FormatError(f"`until` must be a layer that is called; {until!r:.80} is an input.")
        # What else it is called with may be anything: it is not read.
        first = calls[0].get("args") if isinstance(calls[0], dict) else calls[0]
        if isinstance(calls[0], dict) and isinstance(first, list):
            first = first[:1]
        return places_in(first)

    @staticmethod
    def _straight(part, config, layers, calls, ends, fronts):
        """The layers of a graph that is a chain, in order; None if it is none."""
        inputs = places_of(config.get("input_layers"))
        if len(inputs) != 1 or len(ends) != 1 or len(calls) != len(layers) or not calls:
            return None
        after = {}
        for name, _, call in calls:
            if len(call.inputs) != 1 or call.several or call.further or call.inputs[0][2]:
                return None
            after.setdefault(call.inputs[0][0], []).append(name)
        chain, at = [], fronts.get(inputs[0][0], inputs[0][0])
        while at in after and len(chain) < len(calls):
            if len(after[at]) != 1:
                return None
            at = after[at][0]
            chain.append(layers[at])
        good = len(chain) == len(calls) and at == ends[0][0] and not ends[0][2]
        simple = all(layer.gives_one and not isinstance(layer, (Merging, Model)) for layer in chain)
        return chain if good and simple else None


class _Wiring:
    """Calls layers with symbols, each call once its inputs are there."""

    def __init__(self, planner, part, layers, fronts):
        self._planner, self._layers, self._part = planner, layers, part
        self.inputs, self._known, self._first = {}, {}, {}
        for inner in part.parts:
            if inner.kind == "input":
                shape, name, dtype = input_of(inner.data)
                dtype = dtype if dtype in ("float32", "float64", "int32", "int64", "bool") else None
                front = fronts.get(inner.name)
                if front is not None and len(shape) < 2:
                    shape = (None, None)
                self.inputs[inner.name] = Input(batch_shape=shape, name=name, dtype=dtype)
                if front is not None:
                    # What has the ids is the input.
                    self.inputs[front] = self.inputs[inner.name]

    def run(self, calls):
        """Call the layers."""
        self._first = _counted_from(self._part, self._layers, calls)
        # Each call is told by what it waits for, so that thousands of them take no more than one look each.
        missing, waiting, ready = {}, {}, []
        for name, number, call in calls:
            keys = {place[:2] for place in call.places() if place[0] not in self.inputs}
            missing[name, number] = len(keys)
            for key in keys:
                waiting.setdefault(key, []).append((name, number, call))
            if not keys:
                ready.append((name, number, call))
        done = 0
        while ready:
            made = self._call(*ready.pop())
            done += 1
            for each in waiting.pop(made, ()):
                missing[each[:2]] -= 1
                if not missing[each[:2]]:
                    ready.append(each)
        if done < len(calls):
            stuck = next(name for name, number, _ in calls if missing[name, number])
            raise FormatError(
                f"the calls of the layers of {self._part.name!r:.80} must make a graph without rings; "
                f"{stuck!r:.80} waits for something that never comes."
            )

    def _call(self, name, number, call):
        """Call a layer; by what its outputs are known."""
        layer = self._layers[name]
        found = [self.symbol(place) for place in call.inputs]
        recurrent = isinstance(layer, (RNN, Bidirectional))
        if len(found) > 1 and not isinstance(layer, (Merging, Model)) and not recurrent:
            raise FormatError(f"layer {name!r:.80} must have one input; it has {len(found)}.")
        further = {key: mapped(self.symbol, nest) for key, nest in call.further.items()}
        # Keras 3 hands a layer that is given states no mask.
        unmasked = self._planner.era == 3 and bool(further) and "mask" not in further
        given = found if call.several or isinstance(layer, Merging) else found[0]
        number += self._first.get(name, 0)
        self._known[name, number] = symbolic_call(layer, given, unmasked, **further)
        return name, number

    def symbol(self, place):
        """The symbol at a place: name of the layer, number of its call, number of its output."""
        name, call, output = place
        if name in self.inputs:
            return self.inputs[name]
        outputs = self._known.get((name, call))
        if outputs is None:
            raise FormatError(f"a call must name one that there is; got {place!r:.100}.")
        outputs = flattened(outputs)
        if not 0 <= output < len(outputs):
            raise FormatError(
                f"a call must name one of {len(outputs)} outputs; got {place!r:.100}."
            )
        return outputs[output]


def _counted_from(part, layers, calls):
    """Where the calls of models within a model are counted from.

    They may begin with 1, as the making of a model was a call of it; every call is of use, so that
    the lowest number that is used is the first.
    """
    lowest = {}
    ends = flat(nest_of(part.data["config"].get("output_layers")))
    for inner in part.parts:
        ends += places_in(inner.data.get("inbound_nodes"))
    for name, number, _ in ends:
        lowest[name] = min(number, lowest.get(name, number))
    return {
        name: lowest.get(name, 0)
        for name, _, _ in calls
        if isinstance(layers[name], (Model, Sequential))
    }


def _check_states(layers, calls):
    """Refuse a layer that remembers, called twice: Keras hands its states from call to call."""
    counts = Counter(name for name, _, _ in calls)
    for name, count in counts.items():
        if count > 1 and _remembers(layers[name]):
            raise FormatError(
                f"layer {name!r:.80} must be called once, as it is stateful; it is called {count} times."
            )


def _remembers(layer):
    return getattr(layer, "stateful", False) or any(map(_remembers, parts_of(layer)))


def _tell_config(layer):
    """A Bidirectional is made again from the config of its layer, which weights may have corrected."""
    for setting in ("recurrent_activation", "reset_after"):
        if setting in layer._layer and hasattr(layer.forward_layer.cell, setting):
            layer._layer[setting] = name_of(getattr(layer.forward_layer.cell, setting))
