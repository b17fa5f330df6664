"""Weights, declarations, configs and copies of cells."""

import copy
import pickle

import numpy as np
import pytest

import numbarnn as nr


class Own(nr.Cell):
    def __init__(self, units, scale=1.0):
        super().__init__()
        self.units = self.state_size = units
        self.scale = scale

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.gain = self.add_weight("gain", (self.units,), "ones")

    @nr.step(per="unit")
    def step(x, r, states, params, scale=1.0):
        h = states[0] + params[0] * x[0] * scale
        return h, (h,)


def built(features=3, units=2):
    cell = Own(units)
    cell.ensure_built((None, features))
    return cell


def test_shape_is_one_state_of_several_axes():
    assert nr.Shape(2, 3) == (2, 3)
    assert repr(nr.Shape(2, 3)) == "Shape(2, 3)"
    assert isinstance(nr.Shape(4), tuple)
    for wrong in (-1, 1.5, "a"):
        with pytest.raises(nr.ArgumentError, match="`sizes` must be integers of at least 0; got"):
            nr.Shape(2, wrong)


def test_weights_are_read_only_views_and_copies_are_ones_own():
    cell = built()
    with pytest.raises(ValueError, match="read-only"):
        cell.kernel[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        cell.weights["gain"][0] = 1
    own = cell.get_weights()
    own[0][:] = 7
    assert not np.any(cell.kernel == 7)
    assert list(cell.weights) == ["kernel", "gain"]
    assert np.array_equal(cell.gain, [1, 1])


def test_assigning_a_weight_checks_copies_and_takes_effect():
    cell = built(features=1, units=2)
    layer = nr.RNN(cell)
    cell.kernel = [[1, 2]]
    x = np.ones((1, 3, 1))
    assert np.array_equal(layer(x), [[3, 6]])
    new = np.array([[2.0, 4.0]])
    cell.kernel = new
    new[:] = 99
    assert np.array_equal(layer(x), [[6, 12]])
    with pytest.raises(
        nr.ArgumentError, match=r"Weight 'kernel' must have shape \(1, 2\); got \(2, 2\)"
    ):
        cell.kernel = np.ones((2, 2))
    assert np.array_equal(layer(x), [[6, 12]])


def test_set_weights_changes_all_or_nothing():
    cell = built(features=1, units=2)
    before = cell.get_weights()
    with pytest.raises(
        nr.ArgumentError, match=r"must hold 2 arrays \(kernel \(1, 2\), gain \(2,\)\); got 1"
    ):
        cell.set_weights([np.ones((1, 2))])
    with pytest.raises(nr.ArgumentError, match=r"Weight 'gain' must have shape \(2,\); got \(3,\)"):
        cell.set_weights([np.ones((1, 2)), np.ones(3)])
    assert all(np.array_equal(a, b) for a, b in zip(cell.get_weights(), before, strict=True))
    with pytest.raises(nr.ArgumentError, match="the cell is not built yet"):
        Own(2).set_weights([1])


def test_add_weight_refuses_a_name_twice_and_other_sizes():
    cell = Own(2)
    cell.add_weight("a", 3)
    with pytest.raises(nr.ArgumentError, match="`name` must be new; 'a' is a weight already"):
        cell.add_weight("a", (3,))
    with pytest.raises(
        nr.ArgumentError, match=r"`shape` of weight 'b' must hold sizes; got \(-1,\)"
    ):
        cell.add_weight("b", (-1,))
    with pytest.raises(
        nr.ArgumentError, match="`initializer` must be a function or one of .*; got 'nope'"
    ):
        cell.add_weight("c", (3,), "nope")
    with pytest.raises(
        nr.ArgumentError, match=r"`initializer` must give an array of shape \(3,\); got \(2,\)"
    ):
        cell.add_weight("d", (3,), lambda shape, rng: np.ones(2))


def test_a_failed_build_leaves_the_cell_as_it_was():
    class Failing(Own):
        fail = True

        def build(self, input_shape):
            super().build(input_shape)
            if self.fail:
                raise RuntimeError("half way")

    cell = Failing(2)
    with pytest.raises(RuntimeError, match="half way"):
        cell.ensure_built((None, 3))
    assert not cell.built
    assert not cell.weights
    cell.fail = False
    cell.ensure_built((None, 3))
    assert cell.kernel.shape == (3, 2)


def test_attributes_may_be_set_before_init_as_keras_cells_do():
    class Ported(nr.Cell):
        def __init__(self, units, **keywords):
            self.units = self.state_size = units
            super().__init__(**keywords)

    cell = Ported(2, name="mine", dtype="float64", trainable=False)
    assert (cell.units, cell.dtype) == (2, np.float64)


def test_config_makes_the_same_cell():
    cell = Own(3, scale=2.5)
    assert cell.get_config() == {"units": 3, "scale": 2.5}
    again = Own.from_config(cell.get_config())
    assert (again.units, again.scale) == (3, 2.5)

    class Hidden(Own):
        def __init__(self, units, secret):
            super().__init__(units)

    with pytest.raises(
        nr.CellError, match="`Hidden` must define get_config, or keep its argument 'secret'"
    ):
        Hidden(2, 3).get_config()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_compute_the_same_and_share_nothing(duplicate, rng):
    cell = nr.LSTMCell(5)
    x = rng.normal(size=(2, 4, 3))
    one = nr.RNN(cell, return_sequences=True)
    wanted = one(x)
    other = duplicate(cell)
    assert np.array_equal(nr.RNN(other, return_sequences=True)(x), wanted)
    other.set_weights([np.zeros_like(w) for w in other.get_weights()])
    assert np.array_equal(one(x), wanted)
    with pytest.raises(ValueError, match="read-only"):
        other.kernel[0, 0] = 1


def test_calling_a_cell_takes_bare_states_and_lists(rng):
    cell = nr.GRUCell(4)
    x, h = rng.normal(size=(3, 2)), rng.normal(size=(3, 4))
    output, state = cell(x, h)
    again, (listed,) = cell(x, [h])
    assert np.array_equal(output, state)
    assert np.array_equal(state, listed)
    assert np.array_equal(output, again)
    assert isinstance(cell(x, (h,))[1], tuple)
    with pytest.raises(nr.ArgumentError, match="`states` must hold 1 states; got 2"):
        cell(x, [h, h])
    with pytest.raises(
        nr.ArgumentError, match=r"`states\[0\]` must have shape \(3, 4\) .*; got \(3, 5\)"
    ):
        cell(x, [np.ones((3, 5))])
    with pytest.raises(
        nr.ArgumentError, match=r"`inputs` must have shape \(batch, features\); got \(3,\)"
    ):
        cell(np.ones(3), h)


def test_initial_states_have_the_structure_of_state_size():
    assert np.array_equal(nr.GRUCell(4).get_initial_state(batch_size=2), np.zeros((2, 4)))
    h, c = nr.LSTMCell(4).get_initial_state(batch_size=2, dtype="float64")
    assert h.shape == c.shape == (2, 4)
    assert h.dtype == np.float64
    assert nr.GRUCell(4).get_initial_state(np.ones((7, 3))).shape == (7, 4)
    with pytest.raises(nr.ArgumentError, match="`batch_size` must be given"):
        nr.GRUCell(4).get_initial_state()


# --- the default declaration -----------------------------------------------------------------


def declared(names, units=2, features=3):
    """A cell whose weights have the given shapes."""

    class Declared(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = units

        def build(self, input_shape):
            for name, shape in names.items():
                setattr(self, name, self.add_weight(name, shape))

        @nr.step(per="unit")
        def step(x, r, states, params):
            return states[0], states

    cell = Declared()
    cell.ensure_built((None, features))
    return cell


def test_reserved_names_become_maps_and_the_rest_params():
    cell = declared(
        {
            "late": (2,), "recurrent_kernel": (2, 4), "kernel": (3, 6), "bias": (6,),
            "recurrent_bias": (4,), "early": (2,),
        }
    )  # fmt: skip
    (stage,) = cell.stages()
    ((input_map,),), ((recurrent_map,),) = stage.inputs, stage.recurrent
    assert input_map.kernel.shape == (3, 6)
    assert np.array_equal(input_map.bias, cell.bias)
    assert recurrent_map.kernel.shape == (2, 4)
    assert np.array_equal(recurrent_map.bias, cell.recurrent_bias)
    assert np.array_equal(stage.params[0], cell.late)
    assert np.array_equal(stage.params[1], cell.early)


def test_a_bias_of_two_rows_belongs_to_both_maps():
    cell = declared({"kernel": (3, 2), "recurrent_kernel": (2, 2), "bias": (2, 2)})
    (stage,) = cell.stages()
    assert np.array_equal(stage.inputs[0][0].bias, cell.bias[0])
    assert np.array_equal(stage.recurrent[0][0].bias, cell.bias[1])


def test_missing_maps_give_empty_tuples():
    (stage,) = declared({}).stages()
    assert stage.inputs == stage.recurrent == stage.params == ()


def test_a_kernel_of_one_axis_is_diagonal(rng):
    class Diagonal(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = 3

        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", (3,))
            self.recurrent_kernel = self.add_weight("recurrent_kernel", (3,))

        @nr.step(per="unit")
        def step(x, r, states, params):
            h = x[0] + r[0]
            return h, (h,)

    layer = nr.RNN(Diagonal())
    layer.build((None, None, 3))
    layer.set_weights([[1, 10, 100], [0, 1, 2]])
    assert np.array_equal(layer(np.ones((1, 3, 3))), [[1, 30, 700]])


def test_other_shapes_ask_for_stages():
    with pytest.raises(
        nr.CellError, match=r"`Declared`: declare `stages`, or give weight 'odd' the shape \(2,\)"
    ):
        declared({"odd": (3, 3)}).stages()


def test_a_bias_without_its_kernel_is_refused():
    with pytest.raises(nr.CellError, match="`bias` needs the kernel"):
        declared({"bias": (2,)}).stages()
    with pytest.raises(nr.CellError, match="`recurrent_bias` needs the kernel"):
        declared({"kernel": (3, 2), "recurrent_bias": (2,)}).stages()


def test_kernels_that_do_not_fit_are_refused(rng):
    for names, told in (
        ({"kernel": (3, 5)}, "columns must be a multiple of the stage's 2 units; got 5"),
        ({"kernel": (4, 2)}, "a map's kernel must have 3 rows, .*; got 4"),
        ({"recurrent_kernel": (3, 2)}, "a map's kernel must have 2 rows, .*; got 3"),
    ):
        with pytest.raises(nr.CellError, match=told):
            nr.RNN(declared(names))(np.ones((1, 2, 3)))


def test_a_step_that_was_not_declared_is_refused():
    class Plain(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = self.state_size = 2

    with pytest.raises(nr.CellError, match="`Plain.step` must be made by nr.step; got None"):
        nr.RNN(Plain())(np.ones((1, 2, 3)))


def test_a_state_size_is_needed():
    class Stateless(nr.Cell):
        def __init__(self):
            super().__init__()
            self.units = 2

    with pytest.raises(nr.ArgumentError, match="should have a `state_size` attribute; `Stateless`"):
        nr.RNN(Stateless())(np.ones((1, 2, 3)))


def test_a_cell_that_was_built_by_hand_is_built():
    cell = nr.LSTMCell(1, unit_forget_bias=False)
    cell.build((None, 1))
    cell.set_weights([[[0, 0, 99, 99]], [[0, 0, 0, 0]], [0, 0, 0, 0]])
    output, (h, c) = cell(np.ones((1, 1)), (np.full((1, 1), 5.0), np.full((1, 1), 3.0)))
    assert c == 2.0  # half of 3 and half of 1; with h and c swapped it would be 3
    np.testing.assert_allclose(output, np.tanh(2.0), rtol=1e-6)
    assert output == h
    layer = nr.RNN(cell)
    again = layer(np.ones((1, 1, 1)), initial_state=[np.full((1, 1), 5.0), np.full((1, 1), 3.0)])
    assert again == output
    with pytest.raises(nr.ArgumentError, match="the cell was built for 1 features"):
        nr.RNN(cell)(np.ones((1, 1, 2)))


def test_a_cell_whose_build_fails_half_way_is_not_built():
    class Failing(nr.LSTMCell):
        def build(self, input_shape):
            super().build(input_shape)
            raise RuntimeError("half way")

    cell = Failing(2)
    with pytest.raises(RuntimeError, match="half way"):
        cell.build((None, 1))
    assert not cell.built
