"""Layers that make an array of an array: by hand, and what they refuse."""

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.formats.keras_config import Maker

X = np.random.default_rng(7).normal(size=(4, 6, 3)).astype("float32")


def test_a_sample_has_the_same_bits_in_any_batch():
    layers = [nr.Activation("gelu"), nr.Softmax(), nr.LayerNormalization(), nr.BatchNormalization(),
              nr.Conv1D(5, 3, padding="same"), nr.Conv1D(2, 2, dilation_rate=2),
              nr.GlobalAveragePooling1D(), nr.AveragePooling1D(2)]  # fmt: skip
    for layer in layers:
        whole = layer(X)
        for b in range(len(X)):
            assert np.array_equal(layer(X[b : b + 1]), whole[b : b + 1]), layer
        assert layer(X[:0]).shape == (0, *whole.shape[1:]), layer
        assert layer.compute_output_shape(X.shape) == whole.shape


def test_ragged_rows_are_treated_step_by_step():
    rows = nr.Ragged(X.reshape(-1, 3), [0, 6, 6, 24])
    for layer in (nr.Activation("tanh"), nr.ReLU(), nr.LeakyReLU(), nr.Softmax(),
                  nr.LayerNormalization(), nr.BatchNormalization(), nr.Add()):  # fmt: skip
        one = isinstance(layer, nr.Add)
        wanted = layer([X, X] if one else X).reshape(-1, 3)
        assert np.array_equal(layer([rows, rows] if one else rows).values, wanted)
    for layer in (nr.Flatten(), nr.Softmax(axis=1), nr.Conv1D(2, 2), nr.LayerNormalization(axis=1)):
        with pytest.raises(nr.ArgumentError, match="must be padded"):
            layer(rows)
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs\[1\]` must have the rows of `inputs\[0\]`"
    ):
        nr.Add()([rows, X])


def test_pooling_of_lengths_masks_and_ragged_rows():
    lengths = np.array([6, 1, 3, 4])
    rows = nr.Ragged(np.concatenate([x[:n] for x, n in zip(X, lengths, strict=True)]),
                     np.concatenate([[0], lengths.cumsum()]))  # fmt: skip
    mask = np.arange(6) < lengths[:, None]
    average, most = nr.GlobalAveragePooling1D(), nr.GlobalMaxPooling1D()
    wanted = average(rows)
    assert np.array_equal(average(X, mask=mask), wanted)
    assert np.array_equal(average(X, lengths=lengths), wanted)
    np.testing.assert_allclose(wanted[2], X[2, :3].mean(axis=0), rtol=1e-6)
    assert np.array_equal(most(X, lengths=lengths), most(rows))
    assert np.array_equal(most(rows)[1], X[1, 0])
    assert np.isnan(average(nr.Ragged(np.zeros((0, 2)), [0, 0]))).all()
    assert most(nr.Ragged(np.zeros((0, 2)), [0, 0])).tolist() == [[-np.inf, -np.inf]]
    with pytest.raises(nr.ArgumentError, match="`mask` or `lengths` must be given, not both"):
        average(X, mask=mask, lengths=lengths)
    with pytest.raises(nr.ArgumentError, match=r"`mask` must have shape \(4, 6\)"):
        average(X, mask=mask.T)
    model = nr.Sequential([nr.GRU(3, return_sequences=True), average])
    assert np.array_equal(
        model(X, lengths=lengths), average(model.layers[0](X, lengths=lengths), lengths=lengths)
    )


def test_nothing_of_a_masked_step_is_averaged():
    x = X.copy()
    x[0, 2] = np.nan
    mask = np.ones((4, 6), bool)
    mask[0, 2] = False
    assert np.isfinite(nr.GlobalAveragePooling1D()(x, mask=mask)).all()


def test_integers_and_halves_become_float32():
    for dtype in ("int32", "float16", "bool"):
        assert nr.Activation("relu")(np.ones((1, 2), dtype)).dtype == np.float32
    assert nr.Activation(None)(np.ones((1, 2))).dtype == np.float64
    assert nr.Flatten()(np.ones((1, 2, 2), "int32")).dtype == np.int32


def test_activation_takes_a_function():
    assert nr.Activation(lambda x: 2 * x)(np.ones((1, 2))).tolist() == [[2, 2]]


def test_softmax_of_several_axes_and_masks():
    x = X.astype("float64")
    np.testing.assert_allclose(nr.Softmax(axis=[1, 2])(x).sum(axis=(1, 2)), 1)
    mask = np.zeros((2, 2), bool)
    mask[0] = [True, False]
    two = np.array([[1.0, 5.0], [3.0, 3.0]])
    assert nr.Softmax()(two, mask=mask).tolist() == [[1, 0], [0.5, 0.5]]
    assert nr.Softmax(mask_rule="keras3")(two, mask=mask).tolist() == [[1, 0], [0, 0]]
    with pytest.raises(
        nr.ArgumentError, match="`mask` of `softmax` must have the shape of the inputs"
    ):
        nr.Softmax()(X, mask=np.ones((4, 6), bool))


def test_float64_layers_compute_in_float64():
    x = np.random.default_rng(1).normal(size=(2, 5, 3))
    layer = nr.Conv1D(2, 3, dtype="float64")
    got = layer(x)
    kernel, bias = layer.get_weights()
    wanted = sum(x[:, k : k + 3] @ kernel[k] for k in range(3)) + bias
    # Each of nine products and their sum is rounded, here and there; sums may come near 0.
    sizes = sum(np.abs(x[:, k : k + 3]) @ np.abs(kernel[k]) for k in range(3))
    assert np.all(np.abs(got - wanted) <= 2 * 10 * np.finfo(np.float64).eps * sizes)
    y = nr.LayerNormalization(dtype="float64", epsilon=0)(x)
    np.testing.assert_allclose(y.mean(axis=-1), 0, atol=1e-15)
    np.testing.assert_allclose(y.std(axis=-1), 1, rtol=1e-13)


def test_features_are_centred_and_scaled_by_given_numbers():
    """As Keras 3.15 does it, a variance of 0 included."""
    layer = nr.Normalization(mean=[1, -2, 0.5], variance=[4, 0.25, 0])
    x = np.array([[[3, -1, 0.5], [1.5, -2.25, 0.5]]], np.float32)
    wanted = [[[1, 2, 0], [0.25, -0.5, 0]]]
    assert layer(x).tolist() == wanted
    assert layer(nr.Ragged(x[0], [0, 2])).values.tolist() == wanted[0]
    assert nr.Normalization.from_config(layer.get_config())(x).tolist() == wanted
    assert nr.Normalization(mean=1, variance=4)(x)[0, 0].tolist() == [1, -1, -0.25]
    assert nr.Normalization(mean=1, variance=4, dtype="float64")(x).dtype == np.float64
    store, model = nr.StateStore(), nr.Sequential([layer, nr.SimpleRNN(1, activation=None)])
    model.build((None, None, 3))
    model.set_weights([[[1], [10], [0]], [[1]], [0]])
    assert model.update(store, ["a", "a"], x[0]).tolist() == [[21], [16.25]]
    written = {"name": "n", "trainable": True, "dtype": "float32", "axis": [-1], "invert": False,
               "mean": [1.0, -2.0, 0.5], "variance": [4.0, 0.25, 0.0]}  # fmt: skip
    data = {"class_name": "Normalization", "config": written}
    assert Maker(3, {}).layer(data)(x).tolist() == wanted
    with pytest.raises(nr.FormatError, match="with invert=True is not supported"):
        Maker(3, {}).layer({**data, "config": {**written, "invert": True}})
    with pytest.raises(nr.FormatError, match="cannot be made: `mean` must be a number"):
        Maker(3, {}).layer({**data, "config": {**written, "mean": None}})


def test_a_convolution_copies_no_windows():
    """Each of 1000 steps of a window of 500 would be 500 times the input."""
    import tracemalloc

    x = np.ones((1, 1000, 8), np.float32)
    layer = nr.Conv1D(1, 500)
    layer(x)
    tracemalloc.start()
    layer(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * x.nbytes


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nr.Activation("no"), "`activation` must be a function, None or one of .*; got 'no'"),
        (lambda: nr.Reshape((-1, -1)), r"`target_shape` must hold one -1 at most; got \(-1, -1\)"),
        (lambda: nr.Permute((1, 3)), r"`dims` must be an order of the axes 1, 2, ...; got \(1, 3\)"),
        (lambda: nr.RepeatVector(0), "`n` must be an integer of at least 1; got 0"),
        (lambda: nr.ZeroPadding1D((1, 2, 3)), r"`padding` must be one size or two; got \(1, 2, 3\)"),
        (lambda: nr.Concatenate(axis=0), "`axis` must be an axis behind that of the batch; got 0"),
        (lambda: nr.Add(mask_rule="keras1"), r"`mask_rule` must be one of \['keras2', 'keras3'\]; got"),
        (lambda: nr.Conv1D(2, 3, padding="full"), r"`padding` must be one of \[.*\]; got 'full'"),
        (lambda: nr.Conv1D(2, 3, strides=2, dilation_rate=2), "`strides` or `dilation_rate` must be 1"),
        (lambda: nr.Conv1D(2, (3, 3)), r"`kernel_size` must be one size; got \(3, 3\)"),
        (lambda: nr.MaxPooling1D(padding="causal"), "`padding` must be one of"),
        (lambda: nr.BatchNormalization(axis=[1, 2]), r"`axis` must be one axis; got \[1, 2\]"),
        (lambda: nr.LayerNormalization(epsilon=-1), "`epsilon` must be a number of at least 0; got -1"),
        (lambda: nr.Normalization(mean=1), "`variance` must be a number, or one for each feature; got None"),
        (lambda: nr.Normalization(mean=[[1, 2], [3, 4]], variance=1), "`mean` must be a number, or one for each"),
        (lambda: nr.Normalization(mean=1, variance=-1), "`variance` must be at least 0; got -1"),
        (lambda: nr.Normalization(axis=1, mean=1, variance=1), "`axis` must be -1; got 1"),
        (lambda: nr.Normalization(mean=[1, 2], variance=1)(X), "must have 2 features, as `mean` has"),
        (lambda: nr.ReLU(max_value=[1]), r"`max_value` must be a number; got shape \(1,\)"),
        (lambda: nr.Softmax(axis="x"), "`axis` must be an axis or several; got 'x'"),
        (lambda: nr.Softmax(axis=5)(X), "`axis` must be an axis behind that of the batch, of 3; got 5"),
        (lambda: nr.LayerNormalization(axis=0)(X), "`axis` must be an axis behind that of the batch"),
        (lambda: nr.Reshape((5, 5))(X), r"`target_shape` must hold the 18 numbers .*; got \(5, 5\)"),
        (lambda: nr.Permute((1,))(X), "`inputs` of `permute` must have 1 axes behind the batch; got 2"),
        (lambda: nr.RepeatVector(2)(X), r"`inputs` of `repeat_vector` must have shape \(batch, features\)"),
        (lambda: nr.Conv1D(2, 2)(X[..., None]), r"must have shape \(batch, time, features\); got \(4, 6, 3, 1\)"),
        (lambda: nr.MaxPooling1D(2)(X[0]), r"`inputs` of `max_pooling1d` must have shape .*; got \(6, 3\)"),
        (lambda: nr.Add()([]), "`inputs` of `add` must hold at least 1 arrays; got 0"),
        (lambda: nr.Subtract()([X, X, X]), "`inputs` of `subtract` must hold 2 arrays; got 3"),
        (lambda: nr.Concatenate()([X, X[:2]]), "must agree in all axes but -1"),
        (lambda: nr.Add()([X, X[:, :2]]), "must have shapes that go together"),
        (lambda: nr.Flatten()(3.0), r"`inputs` of `flatten` must have shape \(batch, ...\); got \(\)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_told(make, told):
    with pytest.raises(nr.ArgumentError, match=told):
        make()


def test_a_layer_keeps_to_what_it_was_built_for():
    for layer in (nr.Conv1D(2, 2), nr.LayerNormalization(), nr.BatchNormalization()):
        layer.build((None, None, 3))
        with pytest.raises(nr.ArgumentError, match="`inputs` of .* must have .*; got"):
            layer(X[..., :2])
