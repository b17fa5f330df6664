"""Hostile HDF5, one file per rule: each a FormatError, soon, and with little memory."""

import resource
import time

import h5py
import numpy as np
import pytest
from hostile_files import KERAS2, refused


@pytest.fixture
def secret(tmp_path):
    """A file of the machine that opens the model."""
    path = tmp_path / "secret"
    path.write_bytes(np.arange(12, dtype="f4").tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["kernel:0"] = np.zeros((3, 12), "f4")
    return path


def replaced(raw, name="kernel:0"):
    group = raw["model_weights/one/one/gru_cell"]
    del group[name]
    return group


def test_links_to_other_files_are_refused(h5, secret):
    with h5py.File(h5, "r+") as raw:
        replaced(raw)["kernel:0"] = h5py.ExternalLink(f"{secret}.h5", "/kernel:0")
    refused(h5, "there must be no links elsewhere; .*kernel:0' is a ExternalLink")


def test_soft_links_are_refused(h5):
    with h5py.File(h5, "r+") as raw:
        replaced(raw)["kernel:0"] = h5py.SoftLink("/model_weights/two/two/gru_cell/kernel:0")
    refused(h5, "there must be no links elsewhere; .*kernel:0' is a SoftLink")
    with h5py.File(h5, "r+") as raw:  # also where nobody would look
        raw["elsewhere"] = h5py.SoftLink("/nothing")
    refused(h5, "no links elsewhere")


def test_numbers_in_other_files_are_refused(h5, secret):
    with h5py.File(h5, "r+") as raw:
        replaced(raw).create_dataset("kernel:0", (3, 4), "f4", external=[(str(secret), 0, 48)])
    refused(h5, "every array must lie in the file; .*kernel:0' lies elsewhere")


def test_virtual_arrays_are_refused(h5, secret):
    with h5py.File(h5, "r+") as raw:
        layout = h5py.VirtualLayout((3, 12), "f4")
        layout[:] = h5py.VirtualSource(f"{secret}.h5", "kernel:0", (3, 12))
        replaced(raw).create_virtual_dataset("kernel:0", layout)
    refused(h5, "every array must lie in the file; .*kernel:0' lies elsewhere")


def test_one_object_in_two_places_is_refused(h5):
    with h5py.File(h5, "r+") as raw:
        raw["model_weights/one/ring"] = raw["model_weights"]
    refused(h5, "every object must have one place")


def test_arrays_larger_than_the_file_are_refused(h5):
    with h5py.File(h5, "r+") as raw:  # no bytes are there until some are written
        replaced(raw).create_dataset("kernel:0", (1 << 20, 1 << 20), "f4")
    refused(h5, "claims 4398046511104 bytes, of which the file holds 0")


def test_arrays_packed_beyond_measure_are_refused(h5):
    with h5py.File(h5, "r+") as raw:
        replaced(raw).create_dataset(
            "kernel:0", data=np.zeros((4096, 4096), "f4"), compression="gzip", chunks=(4096, 4096)
        )
    assert h5.stat().st_size < 1 << 20
    refused(h5, "claims 67108864 bytes, of which the file holds")
    with h5py.File(h5, "r+") as raw:  # chunks that are not there are zeros
        replaced(raw).create_dataset(
            "kernel:0", (1 << 16, 1 << 16), "f4", chunks=(256, 256), compression="gzip"
        )
    refused(h5, "claims 17179869184 bytes")


def test_many_small_packed_arrays_are_refused_together(h5):
    with h5py.File(h5, "r+") as raw:
        group = raw.create_group("optimizer_weights")
        for number in range(60):
            data = np.zeros(1 << 18, "f4")
            group.create_dataset(str(number), data=data, compression="gzip", chunks=data.shape)
    assert h5.stat().st_size < 1 << 19
    refused(h5, "the arrays must have at most")


def test_other_filters_are_refused(h5):
    with h5py.File(h5, "r+") as raw:
        replaced(raw).create_dataset("kernel:0", data=np.zeros((3, 12), "f4"), compression="lzf")
    refused(h5, r"is packed by filter \[32000\], which is not HDF5's own")


@pytest.mark.parametrize(
    "make",
    [
        lambda group: group.create_dataset("kernel:0", data=["text"], dtype=h5py.string_dtype()),
        lambda group: group.create_dataset(
            "kernel:0", data=np.zeros(3, [("a", "f4"), ("b", "i4")])
        ),
        lambda group: group.create_dataset("kernel:0", (2,), h5py.vlen_dtype(np.float32)),
        lambda group: group.create_dataset("kernel:0", (2,), h5py.ref_dtype),
        lambda group: group.create_dataset("kernel:0", data=np.zeros((3, 12), "c8")),
        lambda group: group.create_dataset("kernel:0", data=h5py.Empty("f4")),
    ],
)
def test_arrays_of_other_than_numbers_are_refused(make, h5):
    with h5py.File(h5, "r+") as raw:
        make(replaced(raw))
    refused(h5, "arrays must be of plain numbers")


def test_what_is_neither_group_nor_array_is_refused(h5):
    with h5py.File(h5, "r+") as raw:
        raw["kind"] = np.dtype("f4")
    refused(h5, "there must be groups and arrays only; 'kind' is a Datatype")


def test_groups_too_deep_or_too_many_are_refused(h5, monkeypatch):
    from numbarnn.formats import hdf5

    with h5py.File(h5, "r+") as raw:
        raw.create_group("/".join(["g"] * 40))
    refused(h5, "groups must be at most 32 deep")
    with h5py.File(h5, "r+") as raw:
        del raw["g"]
    monkeypatch.setattr(hdf5, "MOST_OBJECTS", 10)
    refused(h5, "there must be at most 10 objects")


def test_attributes_of_other_kinds_are_refused(h5):
    for value, told in (
        (np.zeros(60_000, "S1"), "`layer_names` must hold each name once"),
        (np.array([1j]), "attribute 'layer_names' is too large, or no text"),
        (np.arange(2), "`layer_names` must name groups"),
    ):
        with h5py.File(h5, "r+") as raw:
            raw["model_weights"].attrs["layer_names"] = value
        refused(h5, told)
    with h5py.File(h5, "r+") as raw:
        raw["model_weights"].attrs["layer_names"] = raw["model_weights"].ref
    refused(h5, "attribute 'layer_names' must be text")


def test_names_that_lead_nowhere_are_refused(h5):
    for names, told in (
        (["../../etc/passwd"], "`layer_names` must name groups"),
        (["one", "one"], "`layer_names` must hold each name once"),
        (["one", "two", "three", "four", "x", "no"], "`layer_names` must name groups"),
    ):
        with h5py.File(h5, "r+") as raw:
            raw["model_weights"].attrs["layer_names"] = np.array(names, "S")
        refused(h5, told)
    h5.write_bytes(KERAS2.read("gru2.h5"))
    for names, told in (
        (["../two/two/gru_cell/kernel:0"] * 3, "must hold each name once"),
        (["../two/kernel", "/etc/passwd", "x"], "`weight_names` must name arrays"),
    ):
        with h5py.File(h5, "r+") as raw:
            raw["model_weights/one"].attrs["weight_names"] = np.array(names, "S")
        refused(h5, told)


def test_memory_stays_bounded(h5):
    """A claim of terabytes is refused before anything of its size is made."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    test_arrays_larger_than_the_file_are_refused(h5)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert time.monotonic() - start < 60
