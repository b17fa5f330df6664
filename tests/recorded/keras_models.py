"""Small models, written once for every Keras and for numbarnn: of every layer, of masks, of graphs.

Each is a function of `k`, which has the names of `keras.layers`, `Input`, `Model`, `Sequential`, and
the era (2 or 3). Weights and inputs come from `numpy.random.RandomState`, whose numbers are frozen, so that
only outputs, and files, are stored.
"""

import zlib

import numpy as np

B, T, F = 3, 6, 3


def rng_of(*words):
    return np.random.RandomState(zlib.crc32(" ".join(map(str, words)).encode()))


def events(*words, zeros=False):
    x = rng_of("x", *words).standard_normal((B, T, F)).astype("float32")
    if zeros:
        x[0, 4:] = x[1, :2] = x[2, 3] = 0
    return x


def vectors(word, size):
    return rng_of("v", word).standard_normal((B, size)).astype("float32")


def ids():
    return np.array([[1, 2, 3, 4, 0, 0], [5, 0, 6, 0, 0, 0], [7, 7, 1, 2, 3, 8]], "int32")


def weights_of(name, shapes):
    """Random weights of a layer: of sensible size, all different, moving variances above 0."""
    rng = rng_of("w", name)
    found = []
    for index, shape in enumerate(shapes):
        scale = 1 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.5
        array = rng.standard_normal(shape) * scale
        if "batch" in name and index == len(shapes) - 1:
            array = 0.5 + np.abs(array)
        found.append(array.astype("float32"))
    return found


def set_weights(model):
    """Give every layer its random weights, by its name."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            set_weights(layer)
        elif layer.get_weights():
            shapes = [w.shape for w in layer.get_weights()]
            layer.set_weights(weights_of(layer.name, shapes))


def activations(k):
    x = k.Input((None, F), name="x")
    d = k.Dense(4, name="dense")(x)
    found = [k.ReLU(1.5, 0.1, 0.2)(d), k.LeakyReLU(0.2)(d), k.Softmax()(d), k.Softmax(axis=1)(d)]
    names = ["relu", "elu", "selu", "softplus", "softsign", "swish", "gelu", "mish", "exponential",
             "sigmoid", "tanh", "linear", "softmax", k.hard_sigmoid]  # fmt: skip
    return k.Model(x, found + [k.Activation(name)(d) for name in names]), [events("activations")]


def dense(k):
    x = k.Input((None, F), name="x")
    y = k.Dense(4, activation="relu", name="one")(x)
    y = k.Dense(5, activation="softmax", use_bias=False, name="two")(y)
    return k.Model(x, y), [events("dense")]


def normalization(k):
    x = k.Input((T, F), name="x")
    found = [
        k.LayerNormalization(name="layer_a")(x),
        k.LayerNormalization(axis=[1, 2], epsilon=1e-5, name="layer_b")(x),
        k.LayerNormalization(center=False, name="layer_c")(x),
        k.BatchNormalization(name="batch_a")(x),
        k.BatchNormalization(axis=1, epsilon=1e-4, name="batch_b")(x),
        k.BatchNormalization(scale=False, momentum=0.9, name="batch_c")(x),
    ]
    return k.Model(x, found), [events("normalization")]


def pooling(k):
    x = k.Input((T, F), name="x")
    m = k.Masking(name="masking")(x)
    found = [k.GlobalAveragePooling1D()(x), k.GlobalAveragePooling1D(keepdims=True)(m)]
    found += [k.GlobalMaxPooling1D()(m), k.GlobalMaxPooling1D(keepdims=True)(x)]
    for pool in (k.MaxPooling1D, k.AveragePooling1D):
        found += [pool(2)(x), pool(3, 2, "same")(x), pool(4, 1, "valid")(x), pool(5, 3, "same")(x)]
    return k.Model(x, found), [events("pooling", zeros=True)]


def shaping(k):
    x = k.Input((T, F), name="x")
    v = k.Input((4,), name="v")
    found = [k.Flatten()(x), k.Reshape((F, -1))(x), k.Reshape((2, 3, 3))(x), k.Permute((2, 1))(x)]
    found += [k.RepeatVector(3)(v), k.ZeroPadding1D(2)(x), k.ZeroPadding1D((1, 3))(x)]
    return k.Model([x, v], found), [events("shaping"), vectors("shaping", 4)]


def merging(k):
    a, b = k.Input((T, F), name="a"), k.Input((T, F), name="b")
    c = k.Dense(2, name="dense")(b)
    found = [merge()([a, b]) for merge in (k.Add, k.Multiply, k.Subtract, k.Average)]
    found += [k.Maximum()([a, b]), k.Minimum()([a, b]), k.Add()([a, b, a])]
    found += [k.Concatenate()([a, b, c]), k.Concatenate(axis=1)([a, b])]
    return k.Model([a, b], found), [events("merging a"), events("merging b")]


def convolution(k):
    x = k.Input((T, F), name="x")
    found = [
        k.Conv1D(4, 3, name="a")(x),
        k.Conv1D(4, 2, strides=2, padding="same", activation="relu", name="b")(x),
        k.Conv1D(2, 3, padding="causal", dilation_rate=2, name="c")(x),
        k.Conv1D(5, 1, use_bias=False, name="d")(x),
        k.Conv1D(2, 4, strides=3, name="e")(x),
        k.Conv1D(3, 3, padding="same", dilation_rate=2, activation="tanh", name="f")(x),
    ]
    return k.Model(x, found), [events("convolution")]


def lstm(k):
    x = k.Input((None, F), name="x")
    y = k.LSTM(4, return_sequences=True, name="one")(x)
    y = k.LSTM(3, go_backwards=True, activation="softsign", recurrent_activation=k.hard_sigmoid,
               return_sequences=True, name="two")(y)  # fmt: skip
    y = k.LSTM(5, use_bias=False, unit_forget_bias=False, dropout=0.3, recurrent_dropout=0.2,
               return_state=True, name="three")(y)  # fmt: skip
    return k.Model(x, y), [events("lstm")]


def gru(k):
    x = k.Input((None, F), name="x")
    y = k.GRU(4, return_sequences=True, name="one")(x)
    y = k.GRU(3, reset_after=False, return_sequences=True, name="two")(y)
    y = k.GRU(3, reset_after=False, use_bias=False, return_sequences=True, name="three")(y)
    y = k.GRU(5, recurrent_activation=k.hard_sigmoid, activation="relu", name="four")(y)
    return k.Model(x, y), [events("gru")]


def simple_rnn(k):
    return (
        k.Sequential(
            [
                k.Input((None, F), name="x"),
                k.SimpleRNN(4, return_sequences=True, name="one"),
                k.SimpleRNN(3, activation="relu", use_bias=False, name="two"),
            ]
        ),
        [events("simple")],
    )


def bidirectional(k):
    x = k.Input((None, F), name="x")
    m = k.Masking(name="masking")(x)
    y = k.Bidirectional(k.LSTM(3, return_sequences=True), name="one")(m)
    z = k.Bidirectional(k.GRU(4, return_sequences=True), merge_mode="sum", name="two")(y)
    last = k.Bidirectional(k.SimpleRNN(2), merge_mode="mul", name="three")(z)
    return k.Model(x, [y, z, last]), [events("bidirectional", zeros=True)]


def both_layers(k):
    x = k.Input((None, F), name="x")
    y = k.Bidirectional(
        k.LSTM(3, return_sequences=True),
        backward_layer=k.GRU(3, return_sequences=True, go_backwards=True),
        name="one",
    )(x)
    y = k.Bidirectional(
        k.GRU(3, return_sequences=False, name="inner"), merge_mode="ave", name="two"
    )(y)
    return k.Model(x, y), [events("both")]


def stack(k):
    x = k.Input((None, F), name="x")
    cells = [k.LSTMCell(4), k.GRUCell(3), k.SimpleRNNCell(2, activation="relu")]
    y = k.RNN(cells, return_sequences=True, name="one")(x)
    y = k.RNN(
        k.GRUCell(3, reset_after=False), go_backwards=True, return_sequences=True, name="two"
    )(y)
    y = k.RNN([k.SimpleRNNCell(4), k.SimpleRNNCell(3)], name="three")(y)
    return k.Model(x, y), [events("stack")]


def embedding(k):
    return (
        k.Sequential(
            [
                k.Input((None,), name="ids", dtype="int32"),
                k.Embedding(9, 4, mask_zero=True, name="embedding"),
                k.LSTM(4, return_sequences=True, name="one"),
                k.Dropout(0.5),
                k.TimeDistributed(k.Dense(3, activation="tanh"), name="steps"),
                k.GRU(3, name="two"),
                k.Dense(2, activation="softmax", name="dense"),
            ]
        ),
        [ids()],
    )


def masks(k):
    """Where masks go: through layers that keep them, and through merges of two or of one."""
    i = k.Input((T,), name="ids", dtype="int32")
    x, b = k.Input((T, F), name="x"), k.Input((T, F), name="b")
    e = k.Embedding(9, F, mask_zero=True, name="embedding")(i)
    m = k.Masking(name="masking")(x)
    n = k.LayerNormalization(name="layer")(k.LeakyReLU(0.1)(m))
    both = k.Add()([e, n])
    one = k.Multiply()([e, b])
    side = k.Concatenate()([n, e])
    half = k.Concatenate(axis=1)([n, e])
    found = [
        k.SimpleRNN(2, return_sequences=True, name="r0")(n),
        k.SimpleRNN(2, return_sequences=True, name="r1")(both),
        k.SimpleRNN(2, return_sequences=True, name="r2")(one),
        k.SimpleRNN(2, return_sequences=True, name="r3")(side),
        k.SimpleRNN(2, return_sequences=True, name="r4")(half),
        k.SimpleRNN(2, return_sequences=True, name="r5")(k.BatchNormalization(name="batch")(both)),
        k.SimpleRNN(2, return_sequences=True, name="r6")(k.Conv1D(2, 1, name="conv")(n)),
        k.GlobalAveragePooling1D()(k.TimeDistributed(k.Dense(2), name="steps")(n)),
    ]
    # Keras 3 leaves masked values out of these.
    found += [merge()(given) for merge in (k.Multiply, k.Maximum, k.Minimum, k.Average)
              for given in ([e, n], [e, b], [b, n])]  # fmt: skip
    found += [k.SimpleRNN(2, name="r7")(k.Maximum()([e, n, b]))]
    return k.Model([i, x, b], found), [ids(), events("m", zeros=True), events("b")]


def graph(k):
    """An encoder that a decoder begins from, a layer used twice, a model as a layer."""
    x, d = k.Input((None, F), name="x"), k.Input((None, F), name="d")
    whole, h, c = k.LSTM(4, return_sequences=True, return_state=True, name="encoder")(x)
    y = k.LSTM(4, return_sequences=True, name="decoder")(d, initial_state=[h, c])
    shared = k.GRU(4, return_sequences=True, name="shared")
    z = k.Add()([shared(y), shared(whole)])
    inner = k.Sequential(
        [k.Input((None, 4)), k.Dense(3, name="inner_dense"), k.BatchNormalization(name="inner_batch"),
         k.LayerNormalization(name="inner_layer")], name="inner",
    )  # fmt: skip
    i = k.Input((None, 3), name="i")
    g, s = k.GRU(2, return_sequences=True, return_state=True, name="part_gru")(i)
    part = k.Model(i, [k.Concatenate()([g, i]), s], name="part")
    p, s = part(inner(z))
    return k.Model([x, d], [p, s, inner(y), h]), [events("graph x"), events("graph d")]


def masked_start(k):
    """Masked steps and given states; Keras 3 hands a layer that is given states no mask."""
    x, h, c = k.Input((None, F), name="x"), k.Input((4,), name="h"), k.Input((4,), name="c")
    m = k.Masking(name="masking")(x)
    y = k.begun(k.LSTM(4, return_sequences=True, name="one"), m, [h, c])
    z = k.Bidirectional(k.GRU(2, return_sequences=True), name="two")(y)
    inputs = [events("start", zeros=True), vectors("h", 4), vectors("c", 4)]
    return k.Model([x, h, c], [y, z, k.GRU(2, name="three")(m)]), inputs


def frozen(k):
    """A model in a model, some of whose layers are not trained: old files hold their weights last."""
    x = k.Input((None, F), name="x")
    inner = k.Sequential(
        [k.Input((None, F)), k.Dense(3, name="inner_dense", trainable=False),
         k.BatchNormalization(name="inner_batch"), k.Dense(3, name="inner_last")], name="inner",
    )  # fmt: skip
    y = k.BatchNormalization(name="batch", trainable=False)(inner(x))
    return k.Model(x, k.SimpleRNN(2, name="last", trainable=False)(y)), [events("frozen")]


def custom(k):
    x = k.Input((None, F), name="x")
    y = k.RNN(k.MinimalRNNCell(4), return_sequences=True, name="one")(x)
    y = k.RNN([k.LSTMCell(3), k.MinimalRNNCell(2)], return_sequences=True, name="two")(y)
    return k.Model(x, k.Bidirectional(k.RNN(k.MinimalRNNCell(3)), name="three")(y)), [
        events("custom")
    ]


def cudnn(k):
    """What `CuDNNLSTM` and `CuDNNGRU` of these names and weights compute."""
    x = k.Input((None, F), name="x")
    y = k.CuDNNLSTM(4, return_sequences=True, name="one")(x)
    return k.Model(x, k.Bidirectional(k.CuDNNGRU(3, name="inner"), name="two")(y)), [
        events("cudnn")
    ]


MODELS = {
    function.__name__: function
    for function in (
        activations, dense, normalization, pooling, shaping, merging, convolution, lstm, gru,
        simple_rnn, bidirectional, both_layers, stack, embedding, masks, graph, masked_start, frozen,
        custom,
    )
}  # fmt: skip


def flat(value):
    if isinstance(value, (list, tuple)):
        return [array for each in value for array in flat(each)]
    return [np.asarray(value)]
