import pytest
from hostile_files import KERAS2, KERAS3


@pytest.fixture
def h5(tmp_path):
    """A Keras file of today, to be spoilt."""
    path = tmp_path / "model"
    path.write_bytes(KERAS2.read("gru2.h5"))
    return path


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(KERAS3.read("gru3.keras"))
    return path
