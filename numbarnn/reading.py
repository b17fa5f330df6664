"""How columns that hold no numbers are read: declared with a model, and part of its file."""

from .configs import Configured
from .errors import ArgumentError

SPLITS = ("character", "whitespace")
#: Nanoseconds of every unit of time, by NumPy's letters.
UNITS = {
    "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "D": 86400 * 10**9,
}  # fmt: skip


class Text(Configured):
    """Texts are read as token ids: the place of every token in a vocabulary.

    Parameters
    ----------
    vocabulary : sequence of str
        Each once; as `get_vocabulary` of Keras's text layers gives it, ``""`` and ``"[UNK]"`` included.
    split : {"character", "whitespace"}
        What the tokens of a text are: its characters (Unicode's code points), or what stands between
        white space (ASCII's, as in Keras). Lists of texts are tokens already.
    oov_token : str, optional
        The entry of the vocabulary that stands for tokens that are not in it. None: they are an error.

    Raises
    ------
    ArgumentError
        If `vocabulary` holds no texts, or one twice, or `oov_token` is none of them.

    See Also
    --------
    tf.keras.layers.TextVectorization, tf.keras.layers.StringLookup : unlike these, nothing is
        lower-cased or stripped, and no id is added. Those of a Keras file that do neither become this.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import numbarnn as nr
    >>> model = nr.Sequential([nr.Embedding(3, 1), nr.SimpleRNN(1, activation=None)])
    >>> model.build((None, None))
    >>> model.set_weights([[[0], [1], [10]], [[1]], [[1]], [0]])
    >>> model.reading = nr.Text(["", "a", "b"])
    >>> model.run(pa.array(["aab", None, ""])).to_pylist()
    [[12.0], None, [0.0]]
    """

    def __init__(self, vocabulary, split="character", oov_token=None):
        if isinstance(vocabulary, str) or not all(isinstance(each, str) for each in vocabulary):
            raise ArgumentError(
                f"`vocabulary` must be a sequence of texts; got {vocabulary!r:.80}."
            )
        self.vocabulary = tuple(vocabulary)
        known = set(self.vocabulary)
        if len(known) < len(self.vocabulary):
            twice = next(each for each in self.vocabulary if self.vocabulary.count(each) > 1)
            raise ArgumentError(
                f"`vocabulary` must hold every token once; got {twice!r:.80} twice."
            )
        if split not in SPLITS:
            raise ArgumentError(f"`split` must be one of {list(SPLITS)}; got {split!r:.80}.")
        if oov_token is not None and (not isinstance(oov_token, str) or oov_token not in known):
            raise ArgumentError(
                f"`oov_token` must be None or in `vocabulary`; got {oov_token!r:.80}."
            )
        self.split, self.oov_token = split, oov_token

    def get_config(self):
        """The arguments that make one like this."""
        return {
            "vocabulary": list(self.vocabulary),
            "split": self.split,
            "oov_token": self.oov_token,
        }

    def __repr__(self):
        more = "" if self.oov_token is None else f", oov_token={self.oov_token!r}"
        return f"Text({len(self.vocabulary):,} tokens, split={self.split!r}{more})"


class Elapsed(Configured):
    """Times are read as what has passed since the step before, 0 at the first.

    A step that goes back in time has a negative number. In `Layer.update` the step before the first of a
    row is the last that the entity had.

    Parameters
    ----------
    unit : {"ns", "us", "ms", "s", "m", "h", "D"}
        Of the result; and of the times, where the column holds integers.

    Raises
    ------
    ArgumentError
        If `unit` is another.

    Examples
    --------
    >>> from datetime import datetime
    >>> import pyarrow as pa
    >>> import numbarnn as nr
    >>> layer = nr.SimpleRNN(1, activation=None, return_sequences=True)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[0]], [0]])
    >>> layer.reading = nr.Elapsed("h")
    >>> layer.run(pa.array([[datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 13), datetime(2026, 1, 2, 1)]])).to_pylist()
    [[[0.0], [1.0], [12.0]]]
    """  # noqa: E501

    def __init__(self, unit="s"):
        if not isinstance(unit, str) or unit not in UNITS:
            raise ArgumentError(f"`unit` must be one of {list(UNITS)}; got {unit!r:.80}.")
        self.unit = unit

    def get_config(self):
        """The arguments that make one like this."""
        return {"unit": self.unit}

    def __repr__(self):
        return f"Elapsed({self.unit!r})"


#: By the names under which they are in files.
READINGS = {"Text": Text, "Elapsed": Elapsed}


def checked_readings(reading):
    """What `Layer.reading` holds as a list, one entry for each input; None if it is None.

    Raises
    ------
    ArgumentError
        If an entry is no reading.
    """
    if reading is None:
        return None
    found = list(reading) if isinstance(reading, (list, tuple)) else [reading]
    for each in found:
        if each is not None and not isinstance(each, tuple(READINGS.values())):
            raise ArgumentError(
                f"`reading` must hold None, nr.Text or nr.Elapsed for each input; got {each!r:.80}."
            )
    return found
