"""Keras's layers that make ids of texts, at the front of a model, as the reading of it.

They are read where `nr.Text` gives the same ids for every text: nothing is lower-cased or stripped, and
every token that is not known has one id, or none.
"""

from ..errors import FormatError, NumbarnnError
from ..reading import Text

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


def text_of(class_name, config, file, where):
    """The reading that a layer stands for.

    Parameters
    ----------
    class_name : str
        A key of `TEXTS`.
    config : dict
    file : bytes or None
        The vocabulary that lies beside the config, where it is not within.
    where : str
        What the layer is called in errors.

    Raises
    ------
    FormatError
        If an argument makes other ids than `nr.Text` does, or there is no vocabulary.
    """
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
