"""What cells around a cell share: the weights and states inside, and stages added to those inside."""

from copy import copy

from ..cell import Cell
from ..errors import ArgumentError
from ..forms import build_cell, declared_output, form_of


class CellWrapper(Cell):
    """A cell that runs another, whose step sees one unit, and does something to it.

    It has the states and the weights of the cell inside, and after these its own. A subclass says
    what it does in `around`.

    Parameters
    ----------
    cell : Cell

    Raises
    ------
    ArgumentError
        If `cell` is none whose step sees one unit.
    """

    #: Names of the wrapper's own weights.
    own: tuple[str, ...] = ()

    def __init__(self, cell):
        super().__init__()
        if not isinstance(cell, Cell) or form_of(cell) != "unit":
            raise ArgumentError(
                f"`cell` of {type(self).__name__} must be an nr.Cell whose step sees one unit; "
                f"got {cell!r}."
            )
        self.cell = cell
        if cell.own_dtype is not None:
            self.dtype = cell.dtype
            self.__dict__["own_dtype"] = cell.own_dtype

    def around(self, stages):
        """The stages of the wrapper, for those of the cell inside."""
        return stages

    @property
    def units(self):
        """Those of the cell inside."""
        return self.cell.units

    @property
    def state_size(self):
        """That of the cell inside."""
        return self.cell.state_size

    @property
    def output_size(self):
        """That of the cell inside."""
        return declared_output(self.cell)

    @property
    def sized_by_build(self):
        """That of the cell inside."""
        return self.cell.sized_by_build

    @property
    def input_axes(self):
        """Those of the cell inside."""
        return self.cell.input_axes

    @property
    def data_format(self):
        """That of the cell inside."""
        return getattr(self.cell, "data_format", "channels_last")

    @property
    def get_initial_state(self):
        """The method of the cell inside."""
        return self.cell.get_initial_state

    def build(self, input_shape):
        """Build the cell inside."""
        if self.cell.built and self.cell.dtype != self.dtype:
            raise ArgumentError(
                f"`dtype` must be {self.cell.dtype.name!r}, in which the cell inside was built; "
                f"got {self.dtype.name!r}."
            )
        build_cell(self.cell, input_shape, self.dtype)
        again = sorted(set(self.own) & set(self.cell.weights))
        if again:
            raise ArgumentError(
                f"`cell` of {type(self).__name__} must have no weight {again[0]!r} of its own; "
                f"got {self.cell!r}."
            )

    def build_from(self, input_shape, arrays):
        """Build with the given weights, those of the cell inside among them."""
        inside = {name: array for name, array in arrays.items() if name not in self.own}
        self.cell.__dict__["dtype"] = self.dtype
        self.cell.build_from(input_shape, inside)
        super().build_from(input_shape, {name: arrays[name] for name in self.own if name in arrays})

    def stages(self):
        """Those of the cell inside, and what is done to them."""
        return tuple(self.around(tuple(self.cell.stages())))

    def settings_of(self, step):
        """The values of a step's settings; only the cell inside has any."""
        return self.cell.settings_of(step) if step.settings else {}

    # --- the weights inside come first ---------------------------------------------------------

    @property
    def _version(self):
        return self.__dict__["_version"] + self.cell._version

    @property
    def weights(self):
        """The weights by name: those of the cell inside, then the wrapper's own."""
        return {**self.cell.weights, **super().weights}

    def get_weights(self):
        """The weights as a list of arrays of one's own."""
        return self.cell.get_weights() + super().get_weights()

    def checked_weights(self, weights):
        """Copies of arrays that may replace the weights."""
        count = len(self.cell.weights)
        return self.cell.checked_weights(weights[:count]) + super().checked_weights(weights[count:])

    def replace_weights(self, arrays):
        """Replace all weights by arrays that `checked_weights` gave."""
        count = len(self.cell.weights)
        self.cell.replace_weights(arrays[:count])
        super().replace_weights(arrays[count:])

    def snapshot(self):
        """All fields as they are, those of the cell inside too."""
        return {**super().snapshot(), "_inside": self.cell.snapshot()}

    def restore(self, fields):
        """Make everything as it was."""
        fields = dict(fields)
        inside = fields.pop("_inside")
        super().restore(fields)
        self.cell.restore(inside)


def changed(stage, **fields):
    """A stage like another but for some fields."""
    new = copy(stage)
    new.__dict__.update(fields)
    return new
