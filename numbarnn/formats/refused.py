"""Files that are programs, not data: what they are, and how to take the numbers out of them."""

from ..errors import FormatError

_TORCH = (
    "in a torch of today, and only if you trust the file: "
    "`state = torch.load(path, weights_only=True)`, then "
    "`safetensors.torch.save_file(state, 'model.safetensors')`"
)
_SCRIPT = (
    "if you trust the file: `state = torch.jit.load(path).state_dict()`, then "
    "`safetensors.torch.save_file(state, 'model.safetensors')`"
)
_PICKLE = (
    "if you trust the file: load it where it was written, then save its arrays with "
    "`numpy.savez(path, **arrays)`"
)


def sniff(source):
    """Whether it is a pickle, a file of torch's, or TorchScript."""
    return _kind(source) is not None


def _kind(source):
    ends = {name.rpartition("/")[2] for name in source.members}
    if "constants.pkl" in ends:
        return "TorchScript", _SCRIPT
    if "data.pkl" in ends or any(name.endswith((".pkl", ".pickle")) for name in ends):
        return "a pickle of torch's", _TORCH
    head = source.head
    if len(head) > 2 and head[0] == 0x80 and head[1] in range(2, 6):
        torch = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" in head
        return ("a pickle of torch's", _TORCH) if torch else ("a pickle", _PICKLE)
    if head[4:8] == b"TFL3":
        return "TensorFlow Lite", "save the Keras model that it was made from, as .keras or .h5"
    return None


def read(source, options):
    """Refuse it.

    Raises
    ------
    FormatError
        Always.
    """
    kind, recipe = _kind(source)
    raise FormatError(
        f"`{source.path}` is {kind}, which is never opened, as it may run code; to convert it, {recipe}."
    )
