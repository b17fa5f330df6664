"""What notebooks show in place of a `repr`: tables whose numbers are those of the layers."""

from xml.etree import ElementTree

import pytest

import numbarnn as nr


def shown(thing):
    """The title and the rows of what a notebook shows."""
    tree = ElementTree.fromstring(thing._repr_html_())
    title = "".join([tree.text or "", *(e.text + (e.tail or "") for e in tree if e.tag == "b")])
    return title, [[entry.text or "" for entry in row] for row in tree.iter("tr")]


def test_a_sequential_has_a_row_for_each_layer():
    model = nr.Sequential(
        [
            nr.Embedding(9, 4),
            nr.Bidirectional(nr.GRU(3, return_sequences=True)),
            nr.RNN([nr.LSTMCell(5), nr.SimpleRNNCell(2)]),
            nr.TimeDistributed(nr.Dense(2)),
        ]
    )
    title, rows = shown(model)
    assert title == "Sequential sequential: not built"
    assert rows[2] == ["bidirectional", "Bidirectional(GRU)", "-", "-"]
    model.layers[3:] = [nr.Dense(2)]
    model.build((None, None))
    assert shown(model) == (
        "Sequential sequential",
        [
            ["layer", "class", "output shape", "params"],
            ["embedding", "Embedding", "(None, None, 4)", "36"],
            ["bidirectional", "Bidirectional(GRU)", "(None, None, 6)", "162"],
            ["rnn", "RNN(LSTMCell, SimpleRNNCell)", "(None, 2)", "256"],
            ["dense", "Dense", "(None, 2)", "6"],
            ["total", "", "", f"{model.count_params():,}"],
        ],
    )


def test_a_model_says_what_each_layer_is_called_with_and_counts_shared_weights_once():
    one, other = nr.Input((None, 3), name="one"), nr.Input((None, 3), name="other")
    shared = nr.GRU(4, return_state=True)
    (first, _), (second, _) = shared(one), shared(other)
    title, rows = shown(nr.Model([one, other], nr.Add()([first, second])))
    assert title == "Model model \N{RIGHTWARDS ARROW} add"
    assert rows[1] == ["one", "Input", "(None, None, 3)", "", "-"]
    assert rows[3:] == [
        ["gru", "GRU", "[(None, 4), (None, 4)]", "one", "108"],
        ["gru", "GRU", "[(None, 4), (None, 4)]", "other", "0"],
        ["add", "Add", "(None, 4)", "gru, gru", "0"],
        ["total", "", "", "", "108"],
    ]


def test_layers_and_cells_have_a_row_for_each_weight():
    layer = nr.LSTM(16, return_sequences=True, stateful=True)
    assert shown(layer) == ("LSTM lstm: not built, return_sequences, stateful", [])
    layer.build((None, None, 3))
    rows = [
        ["weight", "shape", "params"],
        ["kernel", "(3, 64)", "192"],
        ["recurrent_kernel", "(16, 64)", "1,024"],
        ["bias", "(64,)", "64"],
        ["total", "", "1,280"],
    ]
    arrow = "(None, None, 3) \N{RIGHTWARDS ARROW} (None, None, 16)"
    assert shown(layer) == (f"LSTM lstm: {arrow}, return_sequences, stateful", rows)
    assert shown(layer.cell) == ("LSTMCell(units=16) a step per unit", rows)
    assert shown(nr.ReLU()) == ("ReLU re_lu", [])


def test_names_of_users_are_escaped():
    bad = "<script>alert('&')</script>"
    model = nr.Sequential([nr.GRU(2, name=bad)], name=bad)
    assert "<script" not in model._repr_html_()
    title, rows = shown(model)
    assert bad in title
    assert rows[1][0] == bad
    assert bad in shown(model.layers[0])[0]


class Odd(nr.Cell):
    """A cell with a name for its weight that is markup, and a step of no form."""

    state_size = 2

    def build(self, input_shape):
        """Make it."""
        self.add_weight("<i>", (2, 3))

    def step(self):
        """Not one."""


@pytest.mark.parametrize("built", [True, False])
def test_a_cell_that_cannot_run_is_shown(built):
    cell = Odd()
    if built:
        cell.build((None, 1))
    title, rows = shown(cell)
    assert title == f"Odd(state_size=2){'' if built else ' not built'}"
    assert rows[1:2] == ([["<i>", "(2, 3)", "6"]] if built else [])
