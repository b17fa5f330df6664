"""Keras's layers that make ids of texts, at the front of a model, as the reading of it.

They are read where `nr.Text` gives the same ids for every text: nothing is lower-cased or stripped, and
every token that is not known has one id, or none.
"""

from ..errors import FormatError, NumbarnnError
from ..reading import Text
from .keras_calls import calls_of
from .keras_config import input_of

#: The classes, and what an argument must be; None stands for anything.
TEXTS = {
    "TextVectorization": {
        "standardize": (None,), "split": ("character", "whitespace"), "ngrams": (None,),
        "output_mode": ("int",), "output_sequence_length": (None,), "sparse": (False,),
        "ragged": (False, True), "encoding": ("utf-8",), "idf_weights": (None,),
    },
    "StringLookup": {
        "invert": (False,), "num_oov_indices": (0, 1), "output_mode": ("int",), "sparse": (False,),
        "encoding": ("utf-8",), "idf_weights": (None,),
    },
}  # fmt: skip
_ANY = {
    "name", "trainable", "dtype", "batch_input_shape", "batch_shape", "max_tokens", "pad_to_max_tokens",
    "vocabulary", "vocabulary_size", "has_input_vocabulary", "oov_token", "mask_token", "oov_method",
    "salt",
}  # fmt: skip


def vocabulary_files(class_name, path):
    """Where an archive has the vocabulary of a layer, whose path is given: the first that is there."""
    names = [f"assets/{path}vocabulary.txt"]
    if class_name == "TextVectorization":
        names.insert(0, f"assets/{path}_lookup_layer/vocabulary.txt")
    return names


def text_of(part, names, assets):
    """The reading that a layer stands for.

    Parameters
    ----------
    part : Part
        Of a class in `TEXTS`.
    names : list of str
        Where its vocabulary may lie beside the config, if it is not within.
    assets : dict of str -> bytes
        What lies there.

    Raises
    ------
    FormatError
        If an argument makes other ids than `nr.Text` does, or there is no vocabulary.
    """
    where, class_name, config = _where(part), part.class_name, part.data["config"]
    if not isinstance(config, dict):
        raise FormatError(f"{where} must have arguments; got {config!r:.80}.")
    files = [assets[name] for name in names if name in assets]
    if len(set(files)) > 1:
        raise FormatError(f"the vocabularies of {where} must be one; they differ.")
    file = files[0] if files else None
    for key, value in config.items():
        good = TEXTS[class_name].get(key)
        if key not in _ANY and (
            good is None or isinstance(value, (list, dict)) or value not in good
        ):
            raise FormatError(f"{where} with {key:.80}={value!r:.80} is not supported.")
    vectorizes = class_name == "TextVectorization"
    mask = "" if vectorizes else config.get("mask_token")
    unknown = "[UNK]" if vectorizes else config.get("oov_token", "[UNK]")
    count = 1 if vectorizes else config.get("num_oov_indices", 1)
    special = [] if mask is None else [mask]
    special += [unknown] * count
    found = _vocabulary(config.get("vocabulary"), file, where)
    # As Keras does it: what is given may have them in front, or not at all.
    if found[: len(special)] != special:
        found = special + found
    split = config.get("split", "whitespace") if vectorizes else "character"
    try:
        return Text(found, split, unknown if count else None)
    except NumbarnnError as error:
        raise FormatError(f"{where} cannot be read: {error}") from error


def _vocabulary(given, file, where):
    if isinstance(given, dict) and given.get("class_name") == "__tuple__":
        given = given.get("items")
    if given is None and file is not None:
        try:
            given = file.decode().split("\n")
        except UnicodeDecodeError as error:
            raise FormatError(f"the vocabulary of {where} must be UTF-8; {error}.") from error
        if any("\r" in token for token in given):
            raise FormatError(
                f"the vocabulary of {where} must have one token a line; one holds '\\r'."
            )
    if given is None:
        raise FormatError(
            f"the vocabulary of {where} must be in the file; it is not (what was adapted is in .keras "
            "files only, not in HDF5)."
        )
    if not isinstance(given, list) or not all(isinstance(token, str) for token in given):
        raise FormatError(f"{where} must have a vocabulary, a list of texts; got {given!r:.80}.")
    return given


# --- the front of a model ----------------------------------------------------------------------


def _where(part):
    return f"layer {part.name!r:.80} ({part.class_name})"


def check_front(parts):
    """That of a chain the first layer is the one that makes ids of texts, and no other."""
    inner = [each for each in parts if each.kind != "input"]
    for each in inner[1:]:
        if each.kind == "text":
            raise FormatError(f"{_where(each)} must be the first layer; it is not.")
    _check_text_input(inner[0], [each for each in parts if each.kind == "input"])


def _check_text_input(part, inputs):
    """That there is a text in every row, or a list of tokens."""
    for each in inputs:
        shape = input_of(each.data)[0]
        vectorizes = part.class_name == "TextVectorization"
        good = shape[1:] in ((), (1,)) if vectorizes else len(shape) == 2
        if not good:
            raise FormatError(f"{_where(part)} with inputs of shape {shape} is not supported.")


def fronts_of(parts, calls):
    """The layer that makes ids of an input of texts, by the name of the input."""
    inputs = {each.name: each for each in parts if each.kind == "input"}
    fronts = {}
    for inner in parts:
        if inner.kind != "text":
            continue
        made = calls_of(inner.data)
        places = made[0].inputs if len(made) == 1 else []
        if len(places) != 1 or places[0][0] not in inputs or places[0][0] in fronts:
            raise FormatError(
                f"{_where(inner)} must be called once, with an input of its own; it is not."
            )
        _check_text_input(inner, [inputs[places[0][0]]])
        fronts[places[0][0]] = inner.name
    for name, _, call in calls:
        used = [place[0] for place in call.places() if place[0] in fronts]
        if used:
            raise FormatError(
                f"layer {name!r:.80} must take ids; it takes the texts of {used[0]!r:.80}."
            )
    return fronts
