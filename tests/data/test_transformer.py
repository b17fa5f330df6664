"""A model in a pipeline of scikit-learn's."""

import pickle

import numpy as np
import pyarrow as pa
import pytest

import numbarnn as nr

sklearn = pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402

from numbarnn.data.transformer import SequenceTransformer  # noqa: E402


@pytest.fixture(scope="module")
def layer():
    layer = nr.ESN(8)
    layer.build((None, None, 2))
    return layer


@pytest.fixture
def rows(rng):
    return [rng.normal(size=(n, 2)).astype(np.float32) for n in (3, 5, 1, 7)]


def test_every_form_of_the_same_sequences_gives_the_same_vectors(layer, rows):
    transformer = SequenceTransformer(layer).fit(rows)
    wanted = np.concatenate([layer(row[None]) for row in rows])
    ragged = nr.Ragged(np.concatenate(rows), np.cumsum([0, 3, 5, 1, 7]))
    column = pa.array([row.tolist() for row in rows], pa.list_(pa.list_(pa.float32(), 2)))
    for given in (rows, ragged, column, pa.chunked_array([column[:1], column[1:]])):
        assert np.array_equal(transformer.transform(given), wanted)
    assert np.array_equal(transformer.transform(rows[0][None]), wanted[:1])
    assert transformer.get_feature_names_out().tolist() == [f"{layer.name}{i}" for i in range(8)]


def test_it_stands_in_a_pipeline_and_is_cloned_and_pickled(layer, rows):
    pipeline = make_pipeline(SequenceTransformer(layer), Ridge())
    y = np.arange(4.0)
    found = pipeline.fit(rows, y).predict(rows)
    assert np.array_equal(pickle.loads(pickle.dumps(pipeline)).predict(rows), found)
    other = clone(pipeline)
    assert other[0].model is not layer
    assert np.array_equal(other.fit(rows, y).predict(rows), found)
    assert pipeline[:-1].get_feature_names_out().shape == (8,)
    assert pipeline.get_params()["sequencetransformer__model"] is layer


def test_what_gives_no_vectors_is_refused(layer, rows):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        SequenceTransformer(layer).transform(rows)
    with pytest.raises(nr.ArgumentError, match="`X` must hold at least one sequence"):
        SequenceTransformer(layer).fit([])
    with pytest.raises(
        nr.ArgumentError, match="`model` must give one vector for each sequence; 'gru'"
    ):
        SequenceTransformer(nr.GRU(2, return_sequences=True)).fit(rows)
    column = pa.array([[[1.0, 2.0]], None])
    with pytest.raises(nr.ArgumentError, match="`X` must hold no null rows; got 1"):
        SequenceTransformer(layer).fit(column[:1]).transform(column)
