"""Recorded files to be spoilt, and what is asked of the error that comes of it."""

import os
import zipfile
from pathlib import Path

import pytest
from recorded import keras_models

import numbarnn as nr

HERE = Path(keras_models.__file__).parent
KERAS2 = zipfile.ZipFile(HERE / "keras2_files.zip")
KERAS3 = zipfile.ZipFile(HERE / "keras3_files.zip")
STATES = zipfile.ZipFile(HERE / "states.zip")


def refused(path, told, **options):
    """One sentence, that names the file."""
    with pytest.raises(nr.FormatError, match=told) as caught:
        nr.load(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 2000
    return message


def members_of(path):
    with zipfile.ZipFile(path) as old:
        return {name: old.read(name) for name in old.namelist()}


def rewrite(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, data in members.items():
            new.writestr(name, data)


class Bomb:
    def __reduce__(self):
        return os.system, ("touch numbarnn-was-here",)
