"""What was made for the kinds of calls there have been."""


class Kept(dict):
    """What was made for kinds of calls, so many of them at the most.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most):
        super().__init__()
        self._most = most

    def keep(self, kind, made):
        """Keep one more."""
        if len(self) >= self._most:
            self.clear()
        self[kind] = made
