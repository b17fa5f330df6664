"""What the machine code of each part of a loop depends on, and who makes it.

Nothing here imports Numba; making does. Widths are numbers of lanes, places and row lengths bytes.
"""

from dataclasses import dataclass

from ..compile.code import Recipe


@dataclass(frozen=True)
class Dense(Recipe):
    """The product of rows with one panel of weights, in tiles of up to `height` rows.

    `ahead` says which panel is asked for meanwhile: the one behind, 1, the one before, -1, or none;
    `portion` how many k several tiles pass at once at the most, or 0 for all; `at_once` how many a turn of
    the highest tile's loop takes.
    """

    dtype: str
    width: int
    height: int
    vectors: int
    targets: tuple
    ahead: int = 0
    portion: int = 0
    at_once: int = 1
    arguments = 8

    def build(self):
        """See `Recipe`."""
        from .products import dense

        return dense(self), {}


@dataclass(frozen=True)
class Convolved(Recipe):
    """The same of rows that lie in an image, at the taps of a convolution."""

    dtype: str
    width: int
    height: int
    vectors: int
    targets: tuple
    at_once: int = 1
    arguments = 10

    def build(self):
        """See `Recipe`."""
        from .products import convolved

        return convolved(self), {}


@dataclass(frozen=True)
class DensePair(Recipe):
    """The product of up to `rows` rows with two panels at once."""

    dtype: str
    width: int
    rows: int
    vectors: int
    targets: tuple
    arguments = 11

    def build(self):
        """See `Recipe`."""
        from .products import dense_pair

        return dense_pair(self), {}


@dataclass(frozen=True)
class Elementwise(Recipe):
    """The product with a diagonal, or the value itself."""

    dtype: str
    width: int
    sources: tuple
    targets: tuple
    diagonal: bool
    arguments = 8

    def build(self):
        """See `Recipe`."""
        from .products import elementwise

        return elementwise(self), {}


@dataclass(frozen=True)
class Broadcast(Recipe):
    """An operand of width 1, for every unit."""

    dtype: str
    width: int
    targets: tuple
    arguments = 8

    def build(self):
        """See `Recipe`."""
        from .products import broadcast

        return broadcast(self), {}


@dataclass(frozen=True)
class Read(Recipe):
    """Reading of an array, again and again."""

    dtype: str
    width: int
    arguments = 4

    def build(self):
        """See `Recipe`."""
        from .read import read

        return read(self), {}


@dataclass(frozen=True)
class Norm(Recipe):
    """The normalisation of rows of so many gates."""

    dtype: str
    width: int
    gates: int
    arguments = 5

    def build(self):
        """See `Recipe`."""
        from .norms import norm

        return norm(self), {}


@dataclass(frozen=True)
class Softmax(Recipe):
    """The softmax of rows of one gate."""

    dtype: str
    width: int
    arguments = 5

    def build(self):
        """See `Recipe`."""
        from .norms import softmax

        return softmax(self), {}


@dataclass(frozen=True)
class Gather(Recipe):
    """Rows of the input, of the NumPy dtype `source`, side by side in the compute dtype."""

    source: str
    dtype: str
    arguments = 1

    def build(self):
        """See `Recipe`."""
        from .gather import gather

        return gather(self), {}


@dataclass(frozen=True)
class Image(Recipe):
    """The operand of a sample, of the NumPy dtype `source`, as an image of the compute dtype."""

    source: str
    dtype: str
    arguments = 4

    def build(self):
        """See `Recipe`."""
        from .image import image

        return image(self), {}


@dataclass(frozen=True)
class Scale(Recipe):
    """A row times its dropout mask."""

    dtype: str
    arguments = 4

    def build(self):
        """See `Recipe`."""
        from .scale import scale

        return scale(self), {}


@dataclass(frozen=True)
class Pointwise(Recipe):
    """A stage's step with its loads and stores; `where` names the step in errors.

    What it tells: `outputs`, how many numbers the output has, and `reason`, why it is not on lanes.
    """

    where: str
    step: object
    settings: tuple
    dtype: str
    width: int
    inputs: int
    constants: int
    recurrent: int
    states: int
    params: int
    joined: int
    inner: bool
    arguments = 12

    def parts(self):
        """All but `where`."""
        return tuple(value for name, value in vars(self).items() if name != "where")

    def build(self):
        """See `Recipe`."""
        from .pointwise import pointwise

        return pointwise(self)


@dataclass(frozen=True)
class SampleStep(Recipe):
    """A step that sees one sample, with the views of what it sees; the numbers are axes of each.

    `one_input` and `one_output` say whether it sees the array, or a tuple of arrays.
    """

    where: str
    step: object
    settings: tuple
    dtype: str
    inputs: tuple
    states: tuple
    weights: tuple
    constants: tuple
    outputs: tuple
    scratch: tuple
    one_input: bool
    one_output: bool
    arguments = 3

    def parts(self):
        """All but `where`."""
        return tuple(value for name, value in vars(self).items() if name != "where")

    def build(self):
        """See `Recipe`."""
        from .sample_step import sample_step

        return sample_step(self), {}


@dataclass(frozen=True)
class Lay(Recipe):
    """What lays rows into others by a word of `numbarnn.loop.lay`; `one`: of one number each."""

    dtype: str
    mode: str
    one: bool = False
    arguments = 5

    def build(self):
        """See `Recipe`."""
        from .lay import lay

        return lay(self), {}


@dataclass(frozen=True)
class Pool(Recipe):
    """What makes one row of several, ``"max"`` or ``"average"``; `whole`: of all."""

    dtype: str
    kind: str
    whole: bool
    arguments = 5

    def build(self):
        """See `Recipe`."""
        from .windows import pool

        return pool(self), {}


@dataclass(frozen=True)
class MaskRows(Recipe):
    """What masks the rows of one value."""

    dtype: str
    arguments = 5

    def build(self):
        """See `Recipe`."""
        from .mask_rows import mask_rows

        return mask_rows(self), {}


@dataclass(frozen=True)
class Part(Recipe):
    """A function of the loops that knows no cell, compiled once and called by address.

    Those that few calls need are parts of their own, so that a first call need not wait for them.
    """

    module: str
    name: str
    arguments: int

    def build(self):
        """See `Recipe`."""
        from importlib import import_module

        from ..compile.bind import bound

        module = import_module(f".{self.module}", __package__)
        return bound(getattr(module, self.name)), {}


UNIT_LOOP = Part("unit", "run_blocks", 4)
PROJECT_CONSTANTS = Part("unit", "project_constants", 3)
BEGIN_IMAGES = Part("convolve", "begin_images", 3)
RUN_POSITIONS = Part("convolve", "run_positions", 6)
RUN_WHOLE = Part("whole", "run_whole", 6)
SAMPLE_LOOP = Part("sample", "run_samples", 4)
HOLD_ROWS = Part("times", "hold_rows", 3)
RESET_STATES = Part("times", "reset_states", 7)
RESET_ENDS = Part("times", "reset_ends", 3)
WRITE_STATES = Part("times", "write_states", 7)
RUN_STEP, RUN_ARRAYS = Part("stream", "run_step", 3), Part("stream", "run_arrays", 2)
RUN_MODEL, RESET_MODEL = Part("model", "run_model", 7), Part("model", "reset_model", 3)
RUN_GRAPH = Part("graph", "run_graph", 7)
RUN_LOOP, LOOK_UP = Part("graph", "run_loop", 5), Part("graph", "look_up", 5)
JOIN_MASKS, TAKE_STATES = Part("graph", "join_masks", 5), Part("graph", "take_states", 5)
SEE_WINDOWS = Part("windows", "see_windows", 5)
SHARE, HELP_TEAM = Part("team", "share", 7), Part("team", "help_team", 4)
