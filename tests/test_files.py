"""A file appears whole or not at all."""

import os

import pytest

from numbarnn.files import replacing


def test_the_file_appears_at_the_end(tmp_path):
    path = tmp_path / "out"
    with replacing(path) as temporary:
        with open(temporary, "w") as file:
            file.write("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "out"
    path.write_text("old")

    def half():
        with replacing(path) as temporary:
            with open(temporary, "w") as file:
                file.write("ne")
            raise error

    with pytest.raises(error):
        half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_permissions_are_those_of_a_new_file(tmp_path):
    old = os.umask(0o027)
    try:
        with replacing(tmp_path / "out"):
            pass
    finally:
        os.umask(old)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640
