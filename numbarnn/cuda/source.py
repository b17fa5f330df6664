"""Source code that is written line by line."""


class Writer:
    r"""Lines of source; a `with` block is one level deeper.

    Examples
    --------
    >>> write = Writer()
    >>> write("if x:")
    >>> with write:
    ...     write("y = 1")
    >>> write.text()
    'if x:\n    y = 1\n'
    """

    def __init__(self):
        self._lines, self._depth = [], 0

    def __call__(self, *lines):
        """Write lines at this level."""
        self._lines += ["    " * self._depth + line for line in lines]

    def __enter__(self):
        self._depth += 1

    def __exit__(self, *_):
        self._depth -= 1

    def text(self):
        """All lines."""
        return "\n".join(self._lines) + "\n"


def tuple_of(names):
    """A tuple of names, as source.

    Examples
    --------
    >>> tuple_of(["a"]), tuple_of(["a", "b"]), tuple_of([])
    ('(a,)', '(a, b)', '()')
    """
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
