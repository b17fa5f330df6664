"""Layers whose cells convolve: what Keras gives, what numbarnn keeps beyond it, and the same bits."""

import json
from pathlib import Path

import numpy as np
import pytest
import reference
from recorded import conv_cases
from references import convolutional

import numbarnn as nr
from numbarnn.loop import plan

RECORDED = np.load(Path(conv_cases.__file__).with_name("tf_keras_conv.npz"))
ABOUT = json.loads(str(RECORDED["about"]))
CASES = list(enumerate(conv_cases.conv_cases()))
LAYERS = {1: nr.ConvLSTM1D, 2: nr.ConvLSTM2D, 3: nr.ConvLSTM3D}
DTYPES = ["float32", "float64"]


def described(item):
    number, case = item
    return f"{number}-{case['rank']}-{case['padding']}-{case['data_format'][9:]}-{case['mask']}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("item", CASES, ids=described)
def test_numbers_are_those_of_tf_keras(item, dtype):
    number, case = item
    data = conv_cases.Data(number, case)
    layer = LAYERS[case["rank"]](conv_cases.FILTERS, dtype=dtype, **conv_cases.arguments(case))
    layer.build((None, None, *data.item))
    layer.set_weights(data.weights)
    found = []
    for x, mask in zip(data.calls, data.masks, strict=True):
        result = layer(x, mask=mask, initial_state=data.states)
        found += result if isinstance(result, list) else [result]
    errors = ABOUT["errors"][number]
    assert len(found) == len(errors)
    for index, (got, error) in enumerate(zip(found, errors, strict=True)):
        wanted = RECORDED[f"{number}.{index}"]
        assert got.shape == wanted.shape
        assert got.dtype == dtype
        # Four times the error of Keras's own float32.
        allowed = max(4 * error, 3e-7) if dtype == "float32" else 4e-15
        np.testing.assert_allclose(got, wanted, rtol=0, atol=allowed, err_msg=str(case))


def test_the_cases_are_those_that_were_recorded():
    assert len(ABOUT["errors"]) == len(CASES) >= 50
    assert max(max(errors) for errors in ABOUT["errors"]) < 2e-6


def built(layer, rng, *item):
    """A layer for items of a shape, with random weights."""
    layer.build((None, None, *item))
    drawn = [rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights([w / max(1, np.prod(w.shape[:-1])) ** 0.5 for w in drawn])
    return layer


def exact(layer):
    return [np.asarray(w, np.float64) for w in layer.get_weights()]


def flat(value):
    if isinstance(value, (list, tuple)):
        return [array for each in value for array in flat(each)]
    return [value]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("filters", [1, 5, 17])
def test_the_gru_is_that_of_the_reference(rng, filters, padding, after, dtype):
    options = {"padding": padding, "strides": (2, 1), "dilation_rate": (1, 2)}
    layer = nr.ConvGRU2D(
        filters, (2, 3), **options, reset_after=after, dtype=dtype, return_sequences=True,
        go_backwards=after,
    )  # fmt: skip
    built(layer, rng, 9, 8, 2)
    x = rng.normal(size=(4, 6, 9, 8, 2)).astype(dtype)
    mask = rng.random((4, 6)) < 0.7
    size = layer.cell.state_size
    initial = rng.normal(size=(4, *size)).astype(dtype)
    options["dilation"] = options.pop("dilation_rate")
    step = convolutional.conv_gru(*exact(layer), reset_after=after, **options)
    wanted, _ = reference.rnn(step, x, [initial], mask, after)
    got = layer(x, initial_state=initial, mask=mask)
    assert size == ((5, 8, filters) if padding == "same" else (4, 4, filters))
    tolerance = {"float32": 2e-6, "float64": 4e-15}[dtype]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("layer", [nr.ConvLSTM1D(3, 3), nr.ConvGRU2D(3, 2, padding="same")],
                         ids=lambda layer: type(layer).__name__)  # fmt: skip
def test_the_state_is_padded_whatever_the_inputs_are(rng, layer):
    """Far taps of the state fall beyond its ends, where there are zeros, in the middle of a batch too."""
    item = (6, 2) if layer.rank == 1 else (5, 4, 2)
    built(layer, rng, *item)
    initial = [rng.normal(size=(3, *size)) for size in flat_sizes(layer)]
    step = (convolutional.conv_lstm if layer.rank == 1 else convolutional.conv_gru)(
        *exact(layer), padding=layer.cell.padding
    )
    x = rng.normal(size=(3, 1, *item))
    wanted, _ = reference.rnn(step, x, initial)
    np.testing.assert_allclose(layer(x, initial_state=initial), wanted[:, -1], rtol=0, atol=1e-6)


def flat_sizes(layer):
    size = layer.cell.state_size
    return [size] if isinstance(size, nr.Shape) else list(size)


def layers(dtype, **options):
    return [
        (nr.ConvLSTM1D(5, 3, padding="same", dtype=dtype, **options), (7, 2)),
        (nr.ConvGRU2D(17, (2, 3), dtype=dtype, **options), (4, 5, 3)),
        (nr.ConvLSTM3D(2, 2, strides=2, dtype=dtype, **options), (3, 4, 4, 1)),
        (nr.ConvLSTM2D(3, 1, data_format="channels_first", dtype=dtype, **options), (2, 6, 6)),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("index", range(4))
def test_the_bits_do_not_depend_on_the_batch_and_threads(rng, dtype, index, monkeypatch):
    monkeypatch.setattr(plan, "THREAD_WORK", 1)
    monkeypatch.setattr(plan, "SHARED_WORK", 1)
    layer, item = layers(dtype, return_sequences=True, return_state=True)[index]
    built(layer, rng, *item)
    x = rng.normal(size=(41, 9, *item)).astype(dtype)
    whole, *states = layer(x)
    for threads in (1, 2, 3, 5):
        with nr.set_num_threads(threads):
            for first, size in ((0, 41), (7, 1), (3, 2), (11, 5), (20, 17)):
                part = slice(first, first + size)
                found, *last = layer(x[part])
                assert found.tobytes() == whole[part].tobytes()
                for got, want in zip(last, states, strict=True):
                    assert got.tobytes() == want[part].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("index", range(4))
def test_ragged_is_padded_is_masked_is_step_by_step(rng, index, backwards, dtype):
    layer, item = layers(dtype, return_sequences=True, return_state=True, go_backwards=backwards)[
        index
    ]
    built(layer, rng, *item)
    lengths = [4, 0, 9, 1, 7]
    rows = [rng.normal(size=(n, *item)).astype(dtype) for n in lengths]
    x = np.full((5, 9, *item), np.nan, dtype)
    for b, row in enumerate(rows):
        x[b, : len(row)] = row
    ragged, *ragged_states = layer(nr.Ragged(np.concatenate(rows), np.cumsum([0, *lengths])))
    by_length, *length_states = layer(x, lengths=lengths)
    by_mask, *mask_states = layer(x, mask=np.arange(9)[None] < np.array(lengths)[:, None])
    for b, (n, row) in enumerate(zip(lengths, rows, strict=True)):
        alone, *lonely = layer(row[None])
        assert ragged[b].tobytes() == alone[0].tobytes()
        assert by_length[b, :n].tobytes() == alone[0].tobytes()
        valid = by_mask[b, 9 - n :] if backwards else by_mask[b, :n]
        assert valid.tobytes() == alone[0].tobytes()
        for number, state in enumerate(lonely):
            for each in (ragged_states, length_states, mask_states):
                assert each[number][b].tobytes() == state[0].tobytes()
        held = alone[0, -1] if n else np.zeros_like(by_length[b, 0])
        assert np.array_equal(by_length[b, n:], np.broadcast_to(held, by_length[b, n:].shape))
    stepper = layer.stepper(1)
    steps = rows[2][::-1] if backwards else rows[2]
    stepped = np.stack([stepper(step[None])[0] for step in steps])
    assert stepped.tobytes() == ragged[2].tobytes()
    holes = rng.random((5, 9)) < 0.5
    full = rng.normal(size=x.shape).astype(dtype)
    output, *last = layer(np.where(holes.reshape(5, 9, *[1] * len(item)), full, np.nan), mask=holes)
    for b in range(5):
        alone, *lonely = layer(full[b : b + 1, holes[b]])
        place = holes[b][::-1] if backwards else holes[b]
        assert output[b, place].tobytes() == alone[0].tobytes()
        for got, want in zip(last, lonely, strict=True):
            assert got[b].tobytes() == want[0].tobytes()


@pytest.mark.parametrize("backwards", [False, True])
def test_channels_first_is_channels_last_with_other_axes(rng, backwards):
    options = {"return_sequences": True, "return_state": True, "return_states": "all",
               "go_backwards": backwards}  # fmt: skip
    last = built(nr.ConvLSTM2D(5, 2, **options), rng, 6, 4, 3)
    first = nr.ConvLSTM2D(5, 2, data_format="channels_first", **options)
    first.build((None, None, 3, 6, 4))
    first.set_weights(last.get_weights())
    x = rng.normal(size=(2, 5, 6, 4, 3)).astype("float32")
    mask = [[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]]
    for _ in range(2):  # the second time as before
        found = first(np.moveaxis(x, -1, 2), mask=mask)
        for got, want in zip(flat(found), flat(last(x, mask=mask)), strict=True):
            assert np.array_equal(np.moveaxis(got, -3, -1), want)
    states = [rng.normal(size=(2, 5, 3, 5)).astype("float32") for _ in range(2)]
    out = np.empty((2, 5, 5, 5, 3), np.float32)
    first.return_state = last.return_state = False
    first.return_states = last.return_states = None
    turned = [np.moveaxis(state, -1, 1) for state in states]
    assert first(np.moveaxis(x, -1, 2), initial_state=turned, out=out) is out
    assert np.array_equal(np.moveaxis(out, 2, -1), last(x, initial_state=states))


def test_what_keras_ignores_is_honoured(rng):
    """`time_major` and `zero_output_for_mask`."""
    layer = built(nr.ConvLSTM1D(3, 2, return_sequences=True), rng, 5, 2)
    x, mask = rng.normal(size=(2, 6, 5, 2)), rng.random((2, 6)) < 0.6
    mask[0, 0] = False
    wanted = layer(x, mask=mask)
    other = nr.ConvLSTM1D(3, 2, return_sequences=True, time_major=True, zero_output_for_mask=True)
    other.build((None, None, 5, 2))
    other.set_weights(layer.get_weights())
    found = other(x.swapaxes(0, 1), mask=mask.T).swapaxes(0, 1)
    assert np.array_equal(found[mask], wanted[mask])
    assert not found[~mask].any()
    assert not wanted[0, 0].any()


def test_what_goes_beyond_keras(rng):
    options = {"return_sequences": True, "return_states": "all", "return_state": True}
    layer = built(nr.ConvLSTM1D(3, 2, padding="same", **options), rng, 5, 2)
    x, reset = rng.normal(size=(2, 6, 5, 2)).astype("float32"), np.zeros((2, 6), bool)
    reset[0, 2] = reset[1, 4] = True
    initial = [rng.normal(size=(2, 5, 3)).astype("float32") for _ in range(2)]
    output, over_h, over_c, h, c = layer(x, reset_mask=reset, initial_state=initial)
    assert np.array_equal(over_h, output)
    assert np.array_equal(over_c[:, -1], c)
    again = layer(x[:1, 2:], initial_state=[state[:1] for state in initial])
    assert again[0].tobytes() == output[:1, 2:].tobytes()
    assert again[-1].tobytes() == c[:1].tobytes()
    assert layer(x[0], initial_state=[state[0] for state in initial], reset_mask=reset[0],
                 batched=False)[0].tobytes() == output[0].tobytes()  # fmt: skip


def test_stateful_layers_go_on(rng):
    layer = built(nr.ConvGRU2D(3, 2, stateful=True, return_sequences=True), rng, 4, 4, 2)
    x = rng.normal(size=(2, 6, 4, 4, 2)).astype("float32")
    whole = layer(x)
    layer.reset_states()
    assert np.concatenate([layer(x[:, :2]), layer(x[:, 2:])], 1).tobytes() == whole.tobytes()
    assert [state.shape for state in layer.states] == [(2, 3, 3, 3)]
    layer.reset_states([np.ones((2, 3, 3, 3))])
    assert not np.array_equal(layer(x), whole)


def test_stacks_and_both_ways(rng):
    cells = [nr.ConvLSTMCell(2, 4, 3), nr.ConvGRUCell(2, 3, 2, strides=2, padding="same")]
    stack = built(nr.RNN(cells, return_sequences=True, go_backwards=True), rng, 6, 7, 2)
    one, two = (nr.RNN(cell, return_sequences=True) for cell in cells)
    x, mask = rng.normal(size=(2, 5, 6, 7, 2)), rng.random((2, 5)) < 0.7
    first = nr.RNN(cells[0], return_sequences=True, go_backwards=True)
    inner = first(x, mask=mask)
    assert stack(x, mask=mask).tobytes() == two(inner, mask=mask[:, ::-1]).tobytes()
    assert one(x, mask=mask).shape == (2, 5, 4, 5, 4)
    both = nr.Bidirectional(nr.ConvLSTM1D(3, 2, padding="same", return_sequences=True))
    built(both, rng, 5, 2)
    x = rng.normal(size=(2, 4, 5, 2)).astype("float32")
    found = both(x)
    assert found.shape == (2, 4, 5, 6)
    assert found[..., :3].tobytes() == both.forward_layer(x).tobytes()
    assert found[..., 3:].tobytes() == both.backward_layer(x)[:, ::-1].tobytes()


def test_inputs_of_any_dtype_stride_and_order_are_read(rng):
    layer = built(nr.ConvLSTM2D(3, 2), rng, 4, 5, 3)
    x = rng.integers(0, 200, size=(2, 3, 4, 5, 3))
    wanted = layer(x.astype("float32")).tobytes()
    for dtype in ("u1", "i4", ">i2", "f8", ">f4", "f2"):
        assert layer(x.astype(dtype)).tobytes() == wanted, dtype
    for array in (
        np.asfortranarray(x.astype("f4")),
        np.repeat(x.astype("f4"), 2, axis=3)[:, :, :, ::2],
        x.astype("f4")[..., ::-1].copy()[..., ::-1],
        x[:, ::-1, ::-1].astype("f4").copy()[:, ::-1, ::-1],
    ):
        assert layer(array).tobytes() == wanted
    one = nr.ConvLSTM2D(3, 2)
    gray = x[..., :1].astype("f4")
    built(one, rng, 4, 5, 1)
    assert one(gray).tobytes() == one(np.asfortranarray(gray)).tobytes()


def test_empty_batches_and_sequences(rng):
    layer = built(nr.ConvLSTM1D(3, 2, return_state=True), rng, 5, 2)
    output, h, c = layer(np.zeros((0, 4, 5, 2)))
    assert output.shape == h.shape == c.shape == (0, 4, 3)
    initial = [rng.normal(size=(2, 4, 3)).astype("float32") for _ in range(2)]
    output, h, c = layer(np.zeros((2, 0, 5, 2)), initial_state=initial)
    assert not output.any()
    assert h.tobytes() == initial[0].tobytes()
    assert c.tobytes() == initial[1].tobytes()


def test_dropout_acts_while_training_and_not_else(rng):
    options = {"padding": "same", "return_sequences": True, "seed": 4}
    layer = built(nr.ConvLSTM1D(3, 2, **options), rng, 5, 2)
    x = rng.normal(size=(3, 4, 5, 2)).astype("float32")

    def like(**rates):
        other = nr.ConvLSTM1D(3, 2, **options, **rates)
        other.build((None, None, 5, 2))
        other.set_weights(layer.get_weights())
        return other

    dropped = like(dropout=0.4, recurrent_dropout=0.3)
    assert dropped(x).tobytes() == layer(x).tobytes()
    assert not np.array_equal(dropped(x, training=True), layer(x))
    # All inputs dropped: only the bias is left. All of the state: each step is a first one, but for c.
    nothing = like(dropout=1.0)(x, training=True)
    assert nothing.tobytes() == layer(np.zeros_like(x)).tobytes()
    forgetful = like(recurrent_dropout=1.0)
    kernel, recurrent, bias = layer.get_weights()
    layer.set_weights([kernel, 0 * recurrent, bias])
    assert forgetful(x, training=True).tobytes() == layer(x).tobytes()


def test_each_gate_drops_an_operand_of_its_own():
    """One tap, one channel: a candidate is dropped or doubled, whatever happens to the gates."""
    layer = nr.ConvLSTM1D(1, 1, dropout=0.5, seed=1, activation=None, recurrent_activation=None)
    layer.build((None, None, 400, 1))
    layer.set_weights([[[[1, 0, 1, 0]]], np.zeros((1, 1, 4)), [0, 0, 0, 1]])
    found = layer(np.ones((1, 1, 400, 1)), training=True)[0, :, 0]
    # i * g with i and g each 0 or 2: half of the half that keeps i keeps g too.
    assert set(found.tolist()) == {0.0, 4.0}
    assert 60 < np.count_nonzero(found) < 140


def test_weights_fit_a_layer_for_other_sizes(rng):
    """Keras takes None for the sizes in space; here a layer is built for some, as it sees the first."""
    layer = nr.ConvLSTM2D(2, 3, padding="same", input_shape=(None, None, None, 1))
    x = rng.normal(size=(1, 3, 6, 5, 1))
    wanted = layer(x)
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must have shape \(batch, time, 6, 5, 1\)"
    ):
        layer(x[:, :, :4])
    wider = nr.ConvLSTM2D(2, 3, padding="same")
    wider.build((None, None, 12, 9, 1))
    wider.set_weights(layer.get_weights())
    padded = np.zeros((1, 3, 12, 9, 1))
    padded[:, :1, 3:9, 2:7] = x[:, :1]
    assert np.array_equal(wider(padded[:, :1])[:, 3:9, 2:7], layer(x[:, :1]))
    assert wanted.shape == (1, 6, 5, 2)


def test_output_shapes_are_foretold_before_anything_is_built():
    stack = [nr.ConvLSTMCell(2, 4, 3), nr.ConvGRUCell(2, 5, 3, strides=2)]
    layer = nr.RNN(stack, return_sequences=True, return_state=True)
    h = (None, 6, 7, 4)
    wanted = [(None, 9, 2, 3, 5), (h, h), (None, 2, 3, 5)]
    assert layer.compute_output_shape((None, 9, 8, 9, 1)) == wanted
    assert not layer.built
    wrapped = nr.Bidirectional(nr.RNN(nr.ResidualCell(nr.ConvLSTMCell(1, 4, 3, padding="same"))))
    assert wrapped.compute_output_shape((None, None, 8, 4)) == (None, 8, 8)
    layer = nr.QRNN(4, window=3, return_state=True)
    assert layer.compute_output_shape((2, 7, 5)) == [(2, 4), (2, 4), (2, 5), (2, 5)]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: nr.ConvLSTM2D(0, 3), "`filters` must be an integer of at least 1; got 0"),
        (lambda: nr.ConvLSTM2D(2, (3, 3, 3)), r"`kernel_size` must be one size or 2, .*; got \(3, 3, 3\)"),
        (lambda: nr.ConvLSTM2D(2, 3, strides=0), "`strides` must be an integer of at least 1; got 0"),
        (lambda: nr.ConvLSTM2D(2, 3, padding="full"), "`padding` must be 'valid' or 'same'; got 'full'"),
        (lambda: nr.ConvLSTM2D(2, 3, data_format="NCHW"), "`data_format` must be .*; got 'NCHW'"),
        (lambda: nr.ConvGRUCell(4, 2, 3), "`rank` must be 1, 2 or 3; got 4"),
        (lambda: nr.ConvLSTM1D(2, 3)(np.ones((1, 2, 5))), r"`inputs` must have 2 axes for each step"),
        (lambda: nr.ConvLSTM2D(2, 3)(np.ones((1, 2, 2, 5, 1))), "`input_shape` must have at least the size"),
        (lambda: nr.ConvLSTM2D(2, 3).build((None, None, None, 5, 1)), r"`input_shape` must say 3 sizes of a step, .* \(one for other sizes takes the same weights\); got \(None, None, 5, 1\)"),
        (lambda: nr.ConvLSTM1D(2, 3, padding="same")(np.ones((1, 2, 5, 1)), initial_state=[np.ones((1, 5, 2))]),
         "`initial_state` must hold 2 states"),
    ],
)  # fmt: skip
def test_other_arguments_are_refused(made, told):
    with pytest.raises(nr.ArgumentError, match=told):
        made()


@pytest.mark.parametrize(
    "layer",
    [
        nr.ConvLSTM2D(3, (2, 1), data_format="channels_first", unit_forget_bias=False),
        nr.ConvGRU2D(3, 2, padding="SAME", strides=2, reset_after=True, use_bias=False),
        nr.RNN(nr.ConvGRUCell(2, 3, 2, activation="relu")),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_configs_make_the_same_layer(layer, rng):
    x = rng.normal(size=(2, 4, 5, 5, 5))
    wanted = layer(x)
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    again.build((None, None, 5, 5, 5))
    again.set_weights(layer.get_weights())
    assert again(x).tobytes() == wanted.tobytes()


def test_calling_the_cell_is_one_step(rng):
    for layer, item in layers("float32"):
        built(layer, rng, *item)
        x = rng.normal(size=(2, *item))
        states = [rng.normal(size=(2, *size)) for size in flat_sizes(layer)]
        given = states[0] if len(states) == 1 else states
        output, _ = layer.cell(x, given)
        assert np.array_equal(output, layer(x[:, None], initial_state=states))


def test_a_saved_layer_is_the_same(rng, tmp_path):
    model = nr.Sequential(
        [nr.ConvLSTM2D(3, 2, return_sequences=True), nr.ConvGRU2D(2, 2, padding="same")]
    )
    x = rng.normal(size=(2, 3, 5, 5, 1))
    wanted = model(x)
    model.save(tmp_path / "model")
    assert nr.load(tmp_path / "model")(x).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_cells_around_it_keep_the_positions(rng, order):
    """A residual adds the film at every position; zoneout and dropout at rate 0 do nothing."""
    options = {"padding": "same", "data_format": order}
    item = (5, 4, 3) if order == "channels_last" else (3, 5, 4)
    x = rng.normal(size=(2, 4, *item)).astype("float32")
    plain = built(nr.RNN(nr.ConvLSTMCell(2, 3, 2, **options), return_sequences=True), rng, *item)
    wanted = plain(x)
    for wrapper, more in (
        (nr.ResidualCell, x),
        (lambda cell: nr.ZoneoutCell(cell, 0.0), 0),
        (lambda cell: nr.DropoutCell(cell, 0.0), 0),
    ):
        layer = nr.RNN(wrapper(nr.ConvLSTMCell(2, 3, 2, **options)), return_sequences=True)
        layer.build((None, None, *item))
        layer.set_weights(plain.get_weights())
        np.testing.assert_allclose(layer(x), wanted + more, rtol=0, atol=1e-6)
    gated = nr.RNN(nr.HighwayCell(nr.ConvLSTMCell(2, 3, 2, **options)), return_sequences=True)
    gated.build((None, None, *item))
    gated.set_weights([*plain.get_weights(), np.zeros((3, 3)), np.full(3, 99.0)])
    assert np.array_equal(gated(x), x)
