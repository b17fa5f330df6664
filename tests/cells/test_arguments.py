"""What the cells refuse, and the sentence that says so."""

import numpy as np
import pytest

import numbarnn as nr

X, TIMES = np.zeros((2, 3, 4)), np.ones((2, 3, 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nr.PeepholeLSTMCell(2, clip=-2), r"`clip` must be a number of at least 0; got -2\."),
        (lambda: nr.PeepholeLSTMCell(2, cell_clip="x"), r"`cell_clip` must be a number of at least 0; got 'x'\."),
        (lambda: nr.PeepholeLSTMCell(2, wrong=1), "`wrong` must not be given: PeepholeLSTMCell has no such argument"),
        (lambda: nr.PeepholeLSTM(2, wrong=1), "`wrong` must not be given: PeepholeLSTMCell has no such argument"),
        (lambda: nr.ProjectionLSTMCell(2, 0), r"`projection` must be an integer of at least 1; got 0\."),
        (lambda: nr.ProjectionLSTMCell(2, 1, projection_clip=-1), r"`projection_clip` must be a number of at least 0; got -1\."),
        (lambda: nr.NASCell(2, projection=0), r"`projection` must be an integer of at least 1; got 0\."),
        (lambda: nr.MinGRUCell(2, recurrent_dropout=0.5), r"`recurrent_dropout` must be 0 \(MinGRUCell has no recurrent kernel\); got 0.5\."),
        (lambda: nr.QRNNCell(2, window=0), r"`window` must be an integer of at least 1; got 0\."),
        (lambda: nr.QRNNCell(2, dropout=0.5), r"`dropout` must be 0 \(put nr.Dropout before the layer\); got 0.5\."),
        (lambda: nr.ESNCell(2, leaky=2), r"`leaky` must be a number in 0 ... 1; got 2\."),
        (lambda: nr.ESNCell(2, spectral_radius=-1), r"`spectral_radius` must be a number of at least 0; got -1\."),
        (lambda: nr.LIFCell(2, reset="none"), r"`reset` must be 'subtract' or 'zero'; got 'none'\."),
        (lambda: nr.LIFCell(2, leak="x"), r"`leak` must be a number; got 'x'\."),
        (lambda: nr.SRUCell(2, highway_scale=None), r"`highway_scale` must be a number; got None\."),
        (lambda: nr.PhasedLSTMCell(2, initial_ratio_on=2), r"`initial_ratio_on` must be a number in 0 ... 1; got 2\."),
        (lambda: nr.KalmanFilterCell(2, -1), r"`initial_covariance` must be a number of at least 0; got -1\."),
        (lambda: nr.SLSTMCell(2, forget_gate="x"), r"`forget_gate` must be 'sigmoid' or 'exponential'; got 'x'\."),
        (lambda: nr.TimeAwareLSTMCell(2, decay="x"), r"`decay` must be a function or one of \['inverse', 'log'\]; got 'x'\."),
        (lambda: nr.TimeAwareLSTM(2)(X), r"`inputs` of TimeAwareLSTMCell must be a tuple of \(batch, time, features\) and elapsed"),
        (lambda: nr.PhasedLSTM(2)((X, X)), r"`inputs` of PhasedLSTMCell must be .* and the time of each step \(batch, time, 1\)"),
        (lambda: nr.CfC(2)((X, TIMES, TIMES)), r"`inputs` of CfCCell must be \(batch, time, features\), or a tuple of that and elapsed"),
        (lambda: nr.LTC(2)((X, X)), r"`inputs` of LTCCell must be \(batch, time, features\), or a tuple"),
        (lambda: nr.CfCCell(2, mode="no"), r"`mode` must be 'default', 'no_gate' or 'pure'; got 'no'\."),
        (lambda: nr.QRNNCell(2, pooling="max"), r"`pooling` must be 'f', 'fo' or 'ifo'; got 'max'\."),
        (lambda: nr.SLSTMCell(6, num_heads=4), r"`num_heads` must divide the 6 units; got 4\."),
        (lambda: nr.SLSTMCell(6, num_heads=0), r"`num_heads` must be an integer of at least 1; got 0\."),
        (lambda: nr.CfCCell(2, backbone_activation="x"), "`backbone_activation` must be a function, None or one of"),
        (lambda: nr.LTCCell(2, outputs=3), r"`outputs` must be at most the 2 units; got 3\."),
        (lambda: nr.LRUCell(2, r_min=0.9, r_max=0.1), r"`r_min` must be a number in 0 ... 0.1; got 0.9\."),
        (lambda: nr.LRUCell(2, max_phase=7), r"`max_phase` must be a number in 0 ... 6.28\d*; got 7\."),
        (lambda: nr.LRU(2)(X), r"`inputs` of LRUCell must have 2 features, as many as units; got 4\."),
        (lambda: nr.QRNNCell(2, pooling=["f"]), r"`pooling` must be 'f', 'fo' or 'ifo'; got \['f'\]\."),
        (lambda: nr.LayerNormLSTMCell(2, form={}), r"`form` must be 'tfa' or 'haste'; got {}\."),
        (lambda: nr.LayerNormGRUCell(2, reset_after=False), r"`reset_after` must be True .*; got False\."),
        (lambda: nr.NASCell(2, activation="relu"), "`activation` must not be given: NASCell has no such argument"),
        (lambda: nr.LIFCell(2, activation="relu"), "`activation` must not be given: LIFCell has no such argument"),
        (lambda: nr.ConvLSTMCell(1, 2, 3, units=2), "`units` must not be given: ConvLSTMCell has no such argument"),
        (lambda: nr.MinGRUCell(2, recurrent_initializer="zeros"), "`recurrent_initializer` must not be given: MinGRUCell"),
        (lambda: nr.QRNN(2, recurrent_initializer="zeros"), "`recurrent_initializer` must not be given: QRNNCell"),
        (lambda: nr.KalmanFilterCell(0), r"`units` must be an integer of at least 1; got 0\."),
        (lambda: nr.LuongAttentionCell(2, 0), r"`memory_features` must be an integer of at least 1; got 0\."),
        (lambda: nr.LuongAttentionCell(2, 3).memory(X), "`LuongAttentionCell` must be built before it has a memory"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(make, message):
    with pytest.raises(nr.ArgumentError, match=message):
        make()


def test_the_reservoir_has_the_radius_and_the_connections_asked_for():
    layer = nr.ESN(200, connectivity=0.2, spectral_radius=0.7)
    layer.build((None, None, 1))
    kernel = layer.cell.recurrent_kernel.astype("float64")
    assert abs(np.abs(np.linalg.eigvals(kernel)).max() - 0.7) < 1e-5
    assert 0.15 < np.mean(kernel != 0) < 0.25
    layer = nr.ESN(50, spectral_radius=0.7, use_norm2=True)
    layer.build((None, None, 1))
    assert abs(np.linalg.norm(layer.cell.recurrent_kernel) - 0.7) < 1e-5
    layer = nr.ESN(5, connectivity=0.0)
    layer.build((None, None, 1))
    assert not layer.cell.recurrent_kernel.any()


def test_the_eigenvalues_of_an_lru_begin_on_the_ring():
    layer = nr.LRU(300, r_min=0.8, r_max=0.9, max_phase=0.5)
    layer.build((None, None, 300))
    nu, theta, gamma, *_ = (w.astype("float64") for w in layer.get_weights())
    radii = np.exp(-np.exp(nu))
    assert radii.min() > 0.799
    assert radii.max() < 0.901
    assert np.exp(theta).max() <= 0.5001
    np.testing.assert_allclose(np.exp(gamma), np.sqrt(1 - radii**2), rtol=1e-5)


def test_an_slstm_survives_gates_whose_exponentials_would_overflow():
    layer = nr.SLSTM(1, activation=None, forget_gate="exponential", return_sequences=True)
    layer.build((None, None, 1))
    layer.set_weights([[[1, 0, 1, 0]], [[0, 0, 0, 0]], [0, 300, 0, 99]])
    # log i is x and log f is 300: the first candidate outweighs all others.
    x = np.array([[[-200.0], [5.0], [-100.0]]])
    assert layer(x).ravel().tolist() == [-200, -200, -200]
    layer.set_weights([[[1, 0, 1, 0]], [[0, 0, 0, 0]], [0, -300, 0, 99]])
    assert layer(x).ravel().tolist() == [-200, 5, -100]


def test_sru_takes_the_input_past_c_if_sizes_agree():
    square, other = nr.SRU(4), nr.SRU(3)
    for layer in (square, other):
        layer.build((None, None, 4))
    assert square.cell.kernel.shape == (4, 12)
    assert other.cell.kernel.shape == (4, 12)
    assert other.cell.gates == 4


def test_poolings_by_hand():
    x = np.array([[[4.0], [8.0]]])
    # The forget gate is half open, output and input gate all the way.
    for pooling, gates, wanted in (
        ("f", [0], [2, 5]), ("fo", [0, 99], [2, 5]), ("ifo", [0, 99, 99], [4, 10])
    ):  # fmt: skip
        layer = nr.QRNN(1, 1, pooling, activation=None, return_sequences=True)
        layer.build((None, None, 1))
        layer.set_weights([[[[1, *[0] * len(gates)]]], [0, *gates]])
        assert layer(x).ravel().tolist() == wanted, pooling


def test_zoneout_of_an_f_pooled_qrnn_is_zoneout_of_its_output(rng):
    x = rng.normal(size=(2, 3, 4))
    layer = nr.RNN(nr.ZoneoutCell(nr.QRNNCell(5, 1, "f"), 0.5), return_state=True)
    assert np.array_equal(*layer(x))
    layer = nr.RNN(nr.ZoneoutCell(nr.QRNNCell(5, 1), 0.5), return_state=True)
    assert not np.allclose(*layer(x))


def test_a_pure_cfc_by_hand():
    layer = nr.CfC(1, "pure", backbone_layers=0)
    layer.build(((None, None, 1), (None, None, 1)))
    assert [w.tolist() for w in layer.get_weights()[-2:]] == [[0], [1]]
    layer.set_weights([[[0]], [[0]], [1], [-2], [8]])
    # 8 - 8 exp(-(|-2| + |1|) time)
    h = layer((np.ones((1, 1, 1)), np.full((1, 1, 1), np.log(2) / 3)))
    np.testing.assert_allclose(h, 4, rtol=1e-6)


def test_no_time_changes_no_potential(rng):
    layer = nr.LTC(5, return_state=True, dtype="float64")
    x, v = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5))
    _, state = layer((x, np.zeros((2, 3, 1))), initial_state=v)
    np.testing.assert_allclose(state, v, rtol=1e-13)


def test_each_head_of_an_slstm_begins_with_a_kernel_of_its_own():
    layer = nr.SLSTM(32, num_heads=2)
    layer.build((None, None, 3))
    one, other = layer.cell.recurrent_kernel
    assert not np.array_equal(one, other)
    for kernel in (one, other):
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(16), atol=1e-5)


def test_a_qrnn_that_is_cut_anywhere_goes_on_as_before(rng):
    whole = nr.QRNN(5, window=3, return_sequences=True)
    x = rng.normal(size=(2, 9, 4)).astype(np.float32)
    wanted = whole(x)
    pieces = nr.QRNN(5, window=3, return_sequences=True, stateful=True)
    pieces.build(x.shape)
    pieces.set_weights(whole.get_weights())
    found = np.concatenate([pieces(x[:, :2]), pieces(x[:, 2:3]), pieces(x[:, 3:])], axis=1)
    assert np.array_equal(found, wanted)


def test_a_partial_function_is_an_activation(rng):
    from functools import partial

    def leaky(x, slope=0.5):
        return nr.where(x < 0, slope * x, x)

    x = rng.normal(size=(2, 5, 3))
    layer = nr.SimpleRNN(4, activation=partial(leaky, slope=0.25), return_sequences=True)
    wanted = nr.SimpleRNN(
        4, activation=lambda v: nr.where(v < 0, 0.25 * v, v), return_sequences=True
    )
    layer(x)
    wanted.build(x.shape)
    wanted.set_weights(layer.get_weights())
    assert np.array_equal(layer(x), wanted(x))
    layer.cell.activation = partial(leaky, slope=1.0)
    wanted.cell.activation = nr.activations.linear
    assert np.array_equal(layer(x), wanted(x))
    for wrong in (partial(leaky, 0.5), partial(leaky, tilt=1)):
        layer.cell.activation = wrong
        with pytest.raises(nr.CellError, match="A functools.partial must bind the last parameters"):
            layer(x)
