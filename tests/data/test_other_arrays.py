"""Awkward and xarray: what the documentation says of them."""

import numpy as np
import pytest

import numbarnn as nr


@pytest.fixture(scope="module")
def sums():
    """Sums of pairs, the second times 10: every number of a result can be told by hand."""
    layer = nr.SimpleRNN(1, activation=None)
    layer.build((None, None, 2))
    layer.set_weights([[[1], [10]], [[1]], [0]])
    return layer


@pytest.mark.parametrize("extension", [True, False], ids=["extension types", "plain types"])
def test_awkward_arrays_go_through_arrow_and_back(sums, extension):
    ak = pytest.importorskip("awkward")
    rows = [[[1, 2], [3, 4]], [], [[5, 6]]]
    for array, wanted in [
        (ak.Array(rows), [[64], [0], [65]]),
        (ak.to_regular(ak.Array(rows), axis=2), [[64], [0], [65]]),
        (ak.Array([None, *rows])[1:3], [[64], [0]]),
        (ak.Array([rows[0], None, rows[2]]), [[64], None, [65]]),
        (ak.values_astype(ak.Array(rows), "float32"), [[64], [0], [65]]),
    ]:
        found = sums.run(ak.to_arrow(array, extensionarray=extension))
        assert found.to_pylist() == wanted
        assert ak.from_arrow(found).to_list() == wanted
    every = sums.run(ak.to_arrow(ak.Array(rows), extensionarray=extension), emit="sequence")
    assert ak.from_arrow(every).to_list() == [[[21], [64]], [], [[65]]]


def test_an_awkward_record_is_a_table_of_its_fields(sums):
    ak = pytest.importorskip("awkward")
    array = ak.Array([{"x": [[1, 2]], "n": 1}, {"x": [], "n": 2}])
    found = sums.run(ak.to_arrow_table(array), "x", keep="n")
    assert found.to_pylist() == [{"n": 1, "output": [21]}, {"n": 2, "output": [0]}]


def test_xarray_keeps_its_names_and_coordinates(sums):
    xr = pytest.importorskip("xarray")
    numbers = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    days = xr.DataArray(
        numbers.transpose(1, 0, 2), dims=("day", "site", "sensor"),
        coords={"site": ["a", "b"], "day": [1, 2, 3]},
    )  # fmt: skip
    last = xr.apply_ufunc(
        sums, days, input_core_dims=[["day", "sensor"]], output_core_dims=[["unit"]]
    )
    assert last.dims == ("site", "unit")
    # Of site a 0 + 2 + 4 and ten times 1 + 3 + 5.
    assert last.sel(site="a").values.tolist() == [96]
    assert last.sel(site="b").values.tolist() == [24 + 270]
    every = nr.SimpleRNN(1, activation=None, return_sequences=True)
    every.build((None, None, 2))
    every.set_weights(sums.get_weights())
    found = xr.apply_ufunc(
        every, days, input_core_dims=[["day", "sensor"]], output_core_dims=[["day", "unit"]]
    )
    assert found.sel(site="a").values.tolist() == [[10], [42], [96]]
    assert found["day"].values.tolist() == [1, 2, 3]
    assert found.sel(site="b", day=3).values.tolist() == last.sel(site="b").values.tolist()


def test_xarray_hands_its_chunks_on(sums):
    xr, _ = pytest.importorskip("xarray"), pytest.importorskip("dask.array")
    numbers = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    array = xr.DataArray(numbers, dims=("site", "day", "sensor")).chunk({"site": 2})
    found = xr.apply_ufunc(
        sums, array, input_core_dims=[["day", "sensor"]], output_core_dims=[["unit"]],
        dask="parallelized", output_dtypes=[np.float32], dask_gufunc_kwargs={"output_sizes": {"unit": 1}},
    )  # fmt: skip
    assert np.array_equal(found.compute(scheduler="synchronous").values, sums(numbers))
