"""What positions see of an image, the tiles that read it there, and the memory that takes."""

import numpy as np
import pytest
from references.convolutional import convolution

import numbarnn as nr
from numbarnn.compile.code import native
from numbarnn.forms import unit_program
from numbarnn.loop.geometry import geometry_of
from numbarnn.loop.prepare import host_width
from numbarnn.loop.recipes import Convolved, Dense
from numbarnn.loop.tables import address, aligned


def geometry_for(map_, *shape):
    return geometry_of(map_, shape, map_.positions(shape[:-1]), "a test")


def laid_out(geometry, operand, pitch):
    """The operand of one sample in an image of zeros, with `pitch` numbers from position to position."""
    image = np.zeros((*geometry.padded, pitch))
    step, item = geometry.image_steps(pitch), image.reshape(-1)
    for place in np.ndindex(geometry.filled):
        begin = geometry.first(pitch) + sum(n * s for n, s in zip(place, step, strict=True))
        item[begin : begin + geometry.channels] = operand.reshape(*geometry.filled, -1)[place]
    return image


def test_a_row_of_three_with_two_lines():
    """Three lines of two, taps 2 x 1 two apart: each position sees itself, and what is two lines below."""
    map_ = nr.Convolution(np.ones((2, 1, 5, 1)), padding="valid", dilation=(2, 1))
    geometry = geometry_for(map_, 3, 2, 5)
    assert geometry.padded == geometry.filled == (1, 3, 2)
    assert geometry.image_steps(20) == (120, 40, 20)
    assert geometry.places(20).tolist() == [0, 20]
    lines, along = geometry.lines(20, True)
    assert (lines.tolist(), along) == ([0, 80], 1)
    # With "same" there is one more line before, and one behind.
    map_ = nr.Convolution(np.ones((2, 1, 5, 1)), padding="same", dilation=(2, 1))
    geometry = geometry_for(map_, 3, 2, 5)
    assert geometry.padded == (1, 5, 2)
    assert geometry.first(20) == 40
    assert geometry.places(20).tolist() == [0, 20, 40, 60, 80, 100]


def test_taps_side_by_side_are_one_line():
    geometry = geometry_for(nr.Convolution(np.ones((2, 3, 4, 1)), padding="same"), 5, 6, 4)
    lines, along = geometry.lines(16, True)
    assert (lines.tolist(), along) == ([0, 8 * 16], 3)
    lines, along = geometry.lines(64, False)  # something lies between them
    assert (lines.tolist(), along) == ([64 * n for n in (0, 1, 2, 8, 9, 10)], 1)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"dilation": 2}], ids=str)
@pytest.mark.parametrize(
    ("shape", "taps"), [((7, 3), (3,)), ((6, 5, 2), (2, 3)), ((5, 3, 4, 1), (3, 1, 2))]
)
def test_lines_are_what_the_taps_fall_on(rng, shape, taps, options, padding):
    kernel, operand = rng.normal(size=(*taps, shape[-1], 2)), rng.normal(size=shape)
    geometry = geometry_for(nr.Convolution(kernel, padding=padding, **options), *shape)
    wanted = convolution(operand[None], kernel, padding=padding, **options)[0].reshape(-1, 2)
    for pitch in (shape[-1], shape[-1] + 3):
        image = laid_out(geometry, operand, pitch).ravel()
        lines, along = geometry.lines(pitch, pitch == shape[-1])
        reach = np.arange(along * shape[-1])
        seen = geometry.places(pitch)[:, None, None] + lines[:, None] + reach
        found = image[seen.reshape(geometry.positions, -1)] @ kernel.reshape(-1, 2)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tile_of_an_image_has_the_bits_of_a_tile_of_rows(rng, dtype):
    """Every height, lines of several lengths, rows in any order; nothing behind the last row is written."""
    width = host_width(dtype)
    item, most = np.dtype(dtype).itemsize, 3
    targets = tuple(v * width * item for v in range(2))
    tile = native(Convolved(dtype, width, most, 2, targets)).call
    plain = native(Dense(dtype, width, most, 2, targets)).call
    image = aligned((50,), dtype)
    image[:] = rng.normal(size=50)
    start = aligned((2 * width,), dtype)
    start[:] = rng.normal(size=2 * width)
    for count, length in ((1, 1), (2, 3), (3, 4)):
        lines, panel = aligned((count,), np.int64), aligned((count * length, 2 * width), dtype)
        lines[:] = rng.permutation(10)[:count] * item
        panel[:] = rng.normal(size=panel.shape)
        for rows in range(8):
            places, out = aligned((8,), np.int64), aligned((8, 2 * width), dtype)
            places[:] = rng.permutation(30)[:8] * item
            out[:] = 7
            tile(
                address(places), address(image), address(lines), count, length, address(panel),
                address(start), address(out), 2 * width * item, rows,
            )  # fmt: skip
            seen = ((places[:, None, None] + lines[:, None]) // item + np.arange(length)).reshape(
                8, -1
            )
            given, wanted = aligned((8, count * length), dtype), np.full_like(out, 7)
            given[:] = image[seen]
            plain(
                address(given), count * length * item, address(panel), address(start),
                count * length, address(wanted), 2 * width * item, rows,
            )  # fmt: skip
            assert out.tobytes() == wanted.tobytes()


def workspace(size, steps):
    cell = nr.ConvLSTMCell(2, 16, 3, padding="same")
    cell.build((None, size, size, 2))
    return unit_program([cell], ((size, size, 2),), (), "float32").planned(1, steps, 1)[1]


def test_the_workspace_depends_on_no_number_of_steps_and_holds_no_pre_activations_of_an_image():
    assert workspace(8, 1) == workspace(8, 10**6)
    more = workspace(48, 1) - workspace(24, 1)
    # Of a position: its entry among the rows, when and where, both states, two images with ends; all its
    # pre-activations would be 512 bytes more.
    padded = -(-16 // host_width("float32")) * host_width("float32") * 4
    positions = 48 * 48 - 24 * 24
    ends = (50 * 50 - 26 * 26) / positions
    assert more <= positions * (7 * 8 + 2 * 8 + 2 * padded + ends * (16 + 2) * 4) + 1024
