"""A model as a transformer of scikit-learn's."""

import numpy as np

from ..errors import ArgumentError, extra
from ..given.ragged import Ragged
from .scoring import run

_base = extra("sklearn.base", "sklearn")
_check = extra("sklearn.utils.validation", "sklearn")


class SequenceTransformer(_base.TransformerMixin, _base.BaseEstimator):
    """Sequences to the vectors that a model makes of them.

    It learns nothing: `fit` runs the model on one sequence to see how wide its output is.

    Parameters
    ----------
    model : Layer
        Built, with its weights; not copied, but by `sklearn.base.clone`, as all parameters are.

    Attributes
    ----------
    n_features_out_ : int
        Length of the vectors.

    Examples
    --------
    >>> import numpy as np
    >>> import numbarnn as nr
    >>> from numbarnn.data.transformer import SequenceTransformer
    >>> layer = nr.SimpleRNN(1, activation=None)
    >>> layer.build((None, None, 1))
    >>> layer.set_weights([[[1]], [[1]], [0]])
    >>> transformer = SequenceTransformer(layer)
    >>> transformer.fit_transform([[[1.0], [2.0]], [[5.0]]])
    array([[3.],
           [5.]], dtype=float32)
    >>> transformer.get_feature_names_out()
    array(['simple_rnn0'], dtype=object)
    """

    def __init__(self, model):
        self.model = model

    def fit(self, X, y=None):  # noqa: N803
        """Look at the first sequence.

        Parameters
        ----------
        X : sequence of sequences, array of shape (samples, time, features), Ragged, or Arrow column
        y : object
            Not used.

        Returns
        -------
        SequenceTransformer

        Raises
        ------
        ArgumentError
            If there is no sequence, or the model gives something else than a vector for it.
        """
        if not len(X):
            raise ArgumentError("`X` must hold at least one sequence; got none.")
        self.n_features_out_ = self._vectors(_first(X)).shape[1]
        return self

    def transform(self, X):  # noqa: N803
        """The vectors, shape (samples, n_features_out_).

        Parameters
        ----------
        X : as in `fit`

        Raises
        ------
        ArgumentError
            If a sequence does not fit the model, or is null.
        """
        _check.check_is_fitted(self)
        return self._vectors(X)

    def _vectors(self, X):  # noqa: N803
        if hasattr(X, "__arrow_c_stream__") or hasattr(X, "__arrow_c_array__"):
            column = run(self.model, X)
            if column.null_count:
                raise ArgumentError(f"`X` must hold no null rows; got {column.null_count}.")
            chunks = getattr(column, "chunks", [column])
            width = column.type.list_size
            return np.concatenate(
                [chunk.flatten().to_numpy().reshape(-1, width) for chunk in chunks]
            )
        if not isinstance(X, (Ragged, np.ndarray)):
            rows = [np.asarray(row) for row in X]
            offsets = np.cumsum([0, *map(len, rows)])
            filled = [row for row in rows if len(row)] or rows[:1]
            X = Ragged(np.concatenate(filled) if filled else np.zeros(0), offsets)  # noqa: N806
        found = self.model(X)
        if not isinstance(found, np.ndarray) or found.ndim != 2:
            raise ArgumentError(
                f"`model` must give one vector for each sequence; {self.model.name!r} does not."
            )
        return found

    def get_feature_names_out(self, input_features=None):
        """The model's name, numbered.

        Parameters
        ----------
        input_features : object
            Not used.

        Returns
        -------
        ndarray of str
        """
        _check.check_is_fitted(self)
        names = [f"{self.model.name}{i}" for i in range(self.n_features_out_)]
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


def _first(X):  # noqa: N803
    if isinstance(X, Ragged):
        return Ragged(X[0], [0, len(X[0])])
    return X[:1]
