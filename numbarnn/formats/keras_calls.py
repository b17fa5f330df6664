"""Calls of layers as Keras's files tell them, of every era.

A *place* is where an array comes from: (name of the layer, number of its call, number of its output).
"""

from dataclasses import dataclass, field

from ..errors import FormatError


@dataclass
class Call:
    """One call as a file tells it: places of what it is called with.

    Attributes
    ----------
    inputs : list of place
    several : bool
        Whether they are given as a list.
    further : dict of str -> place or nest of them
    computed_mask : place or None
        A mask that an operation makes.
    constants : list
        Numbers that an operation is called with.
    """

    inputs: list
    several: bool = False
    further: dict = field(default_factory=dict)
    computed_mask: tuple | None = None
    constants: list = field(default_factory=list)

    def without(self, operations):
        """The call, with a mask that is computed for it apart; other uses of operations are refused."""
        further, computed = dict(self.further), None
        if "mask" in further and further["mask"][0] in operations:
            computed = further.pop("mask")
        call = Call(self.inputs, self.several, further, computed)
        for name, _, _ in call.places():
            if name in operations:
                kind, _ = operations[name]
                raise FormatError(f"operation {name!r:.80} ({kind:.80}) is not supported.")
        return call

    def places(self):
        """All places."""
        return self.inputs + [place for nest in self.further.values() for place in flat(nest)]


def place_of(entry):
    """(layer, call, output) of what stands for an array, or None."""
    if isinstance(entry, dict) and entry.get("class_name") == "__keras_tensor__":
        config = entry.get("config")
        entry = config.get("keras_history") if isinstance(config, dict) else None
    if not isinstance(entry, (list, tuple)) or len(entry) < 3:
        return None
    name, call, output = entry[:3]
    if not isinstance(name, str) or type(call) is not int or type(output) is not int:
        return None
    return name, call, output


def places_of(entries):
    """Places of a list of them, or of one."""
    one = place_of(entries)
    if one is not None:
        return [one]
    found = [place_of(entry) for entry in entries] if isinstance(entries, list) else [None]
    if None in found or not found:
        raise FormatError(f"inputs and outputs must name layers; got {entries!r:.100}.")
    return found


def nest_of(entries):
    """Places in lists within one another, as they stand there."""
    one = place_of(entries)
    if one is not None:
        return one
    if not isinstance(entries, list) or not entries:
        raise FormatError(f"inputs and outputs must name layers; got {entries!r:.100}.")
    return [nest_of(entry) for entry in entries]


def flat(nest):
    """The places of a nest, in order."""
    if not isinstance(nest, list):
        return [nest]
    return [place for entry in nest for place in flat(entry)]


def mapped(function, nest):
    """What a function gives for every place of a nest."""
    return [mapped(function, e) for e in nest] if isinstance(nest, list) else function(nest)


def places_in(data):
    """All places in data of any form."""
    found, waiting = [], [data]
    while waiting:
        entry = waiting.pop()
        place = place_of(entry)
        if place is not None:
            found.append(place)
        elif isinstance(entry, (list, dict)):
            waiting += reversed(list(entry.values()) if isinstance(entry, dict) else entry)
    return found


def calls_of(data):
    """The calls of a layer."""
    entries = listed_calls(data)
    return [_new_call(e) if isinstance(e, dict) else _old_call(e) for e in entries]


def listed_calls(data):
    """The calls of a layer as they stand in the file."""
    entries = data.get("inbound_nodes", [])
    if not isinstance(entries, list):
        raise FormatError(f"inbound_nodes must be a list; got {entries!r:.100}.")
    return entries


def operation_call(entry):
    """A call of an operation: places of arrays, and the numbers beside them."""
    arguments = entry.get("args") if isinstance(entry, dict) else entry
    constants = (
        [a for a in arguments if type(a) in (int, float)] if isinstance(arguments, list) else []
    )
    return Call(places_in(arguments), constants=constants)


def _old_call(entry):
    """A call as Keras 1 and 2 tell it: ``[[layer, call, output, keywords], ...]``."""
    places = places_of(entry)
    keywords = {}
    for each in entry if place_of(entry) is None else [entry]:
        if len(each) > 3 and isinstance(each[3], dict):
            keywords.update(each[3])
    return Call(places, len(places) > 1, _further(keywords))


def _new_call(entry):
    """A call as Keras 3 tells it: ``{"args": [...], "kwargs": {...}}``."""
    arguments, keywords = entry.get("args"), entry.get("kwargs", {})
    if not isinstance(arguments, list) or not isinstance(keywords, dict):
        raise FormatError(f"a call must have args and kwargs; got {entry!r:.100}.")
    keywords = dict(keywords)
    if not arguments and "inputs" in keywords:
        arguments = [keywords.pop("inputs")]
    if len(arguments) == 2 and "initial_state" not in keywords:
        keywords["initial_state"] = arguments.pop()
    if len(arguments) != 1:
        raise FormatError(f"a call must have one argument; got {arguments!r:.100}.")
    several = place_of(arguments[0]) is None
    return Call(places_of(arguments[0]), several, _further(keywords))


def _further(keywords):
    """The arguments by name that are arrays; others must ask for nothing."""
    found = {}
    for key, value in keywords.items():
        if value is None or (key == "training" and value is False):
            continue
        if key in ("initial_state", "constants"):
            nest = nest_of(value)
            found[key] = nest if isinstance(nest, list) else [nest]
        elif key == "mask":
            found[key] = place_of(value)
            if found[key] is None:
                raise FormatError(f"`mask` of a call must be an array; got {value!r:.100}.")
        else:
            raise FormatError(f"a call with {key:.80}={value!r:.100} is not supported.")
    return found
