"""The errors that numbarnn raises: one sentence each, and each also a built-in that callers catch."""


class NumbarnnError(Exception):
    """Any error raised by numbarnn."""


class ArgumentError(NumbarnnError, ValueError):
    """An argument is not what it must be; the message names it, what it must be and what it was."""


class CellError(NumbarnnError, TypeError):
    """A cell's declaration or its step cannot be used; the message names the user's own line."""


class DeviceError(NumbarnnError, ValueError):
    """An array lies on another device than the call needs."""


class FormatError(NumbarnnError, ValueError):
    """A file is not what it must be; the message says what was expected and what was found."""


class MissingExtraError(NumbarnnError, ImportError):
    """An optional library is not installed; the message gives the line that installs it."""


def extra(module, name):
    """Import an optional module, or say which extra of numbarnn brings it.

    Parameters
    ----------
    module : str
        The module to import, such as ``"pyarrow"``.
    name : str
        The extra that installs it, such as ``"arrow"``.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        If the module is not installed.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"`{module}` is not installed; get it with: pip install 'numbarnn[{name}]'."
        ) from error


def warn(message):
    """Warn at the line of the caller outside this package."""
    import os
    import sys
    import warnings
    from pathlib import Path

    frame, level, home = sys._getframe(1), 2, f"{Path(__file__).parent}{os.sep}"
    while frame.f_back is not None and frame.f_code.co_filename.startswith(home):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
