"""Flags, masks, lengths, resets, directions and stacks of mixed forms, all at once, step by step by hand.

The reference goes through one sample after the other, one step after the other, and knows nothing of
windows, blocks, orders or positions. The toys add integers, so every number must be exact.
"""

import numpy as np
import pytest
from toys import ACC, FORMS

import numbarnn as nr


def one_sample(ks, x, valid, length, reset, initial, *, backwards, turned, zeros):
    """Outputs, states after every step, and the final states of one sample, each at its position."""
    steps = len(x)
    by_length = length is not None
    positions = {t: t for t in range(steps)}
    times = list(range(steps))
    if turned and by_length:
        positions.update({t: length - 1 - t for t in range(length)})
    elif turned:
        positions = {t: steps - 1 - t for t in times}
    if backwards and turned and by_length:
        times = [*reversed(range(length)), *range(length, steps)]
    elif backwards:
        times.reverse()
    output, after = np.zeros(steps), np.zeros((steps, len(ks)))
    held, states = 0, list(initial)
    for t in times:
        padding = by_length and t >= length
        if reset[t] and not (padding and backwards):
            held, states = 0, list(initial)
        if valid[t]:
            value = x[t]
            for i, k in enumerate(ks):
                states[i] += value
                value = k * states[i] + value
            held = value
        output[positions[t]] = held if valid[t] or not zeros else 0
        after[positions[t]] = states
    return output, after, states, held


def case(seed):
    rng = np.random.default_rng(seed)
    batch, steps = rng.integers(1, 5), rng.integers(1, 7)
    kind = rng.choice(["none", "mask", "lengths", "ragged"])
    lengths = rng.integers(0, steps + 1, batch)
    lengths[rng.integers(batch)] = steps
    valid = np.ones((batch, steps), bool)
    if kind == "mask":
        valid = rng.random((batch, steps)) < 0.6
    elif kind != "none":
        valid = np.arange(steps) < lengths[:, None]
    reset = np.zeros((batch, steps), bool)
    if kind != "ragged" and rng.random() < 0.5:
        reset = rng.random((batch, steps)) < 0.3
    ks = rng.integers(1, 4, rng.integers(1, 4))
    return {
        "x": rng.integers(-3, 4, (batch, steps)).astype("float64"),
        "kind": kind,
        "lengths": lengths,
        "valid": valid,
        "reset": reset,
        "ks": ks,
        "forms": rng.choice(FORMS, len(ks)),
        "initial": rng.integers(-5, 6, (len(ks), batch)) * int(rng.random() < 0.5),
        "flags": {
            "go_backwards": bool(rng.random() < 0.5),
            "keep_order": bool(rng.random() < 0.3),
            "zero_output_for_mask": bool(rng.random() < 0.3),
            "time_major": bool(kind != "ragged" and rng.random() < 0.3),
        },
    }


def cells_of(case):
    cells = [ACC[form](int(k)) for form, k in zip(case["forms"], case["ks"], strict=True)]
    return cells if len(cells) > 1 else cells[0]


def arguments_of(case):
    """The inputs, and the other arguments, as the layer gets them."""
    x, flags, initial = case["x"][..., None], case["flags"], list(case["initial"][..., None])
    given = {"initial_state": initial}
    if case["kind"] == "ragged":
        offsets = np.concatenate([[0], np.cumsum(case["lengths"])])
        return nr.Ragged(x[case["valid"]], offsets), given
    if case["kind"] == "mask":
        given["mask"] = case["valid"]
    elif case["kind"] == "lengths":
        given["lengths"] = case["lengths"]
    if case["reset"].any():
        given["reset_mask"] = case["reset"]
    if flags["time_major"]:
        x = x.swapaxes(0, 1)
        given.update({name: given[name].T for name in ("mask", "reset_mask") if name in given})
    return x, given


def by_hand(case, **how):
    """Outputs (batch, time), states after every step (batch, time, cells), final ones, last outputs."""
    ends = case["lengths"] if case["kind"] in ("lengths", "ragged") else [None] * len(case["x"])
    samples = [
        one_sample(
            case["ks"], case["x"][b], case["valid"][b], ends[b], case["reset"][b], case["initial"][:, b],
            zeros=case["flags"]["zero_output_for_mask"], **how,
        )
        for b in range(len(case["x"]))
    ]  # fmt: skip
    return tuple(map(np.stack, zip(*samples, strict=True)))


def padded(found, like, time_major):
    """What was found as (batch, time), the rows of a ragged one filled up from `like`."""
    if not isinstance(found, nr.Ragged):
        return found[..., 0].T if time_major else found[..., 0]
    full = like.copy()
    for b, row in enumerate(found):
        full[b, : len(row)] = row[:, 0]
    return full


@pytest.mark.parametrize("first", range(0, 240, 20))
def test_one_layer(first):
    for seed in range(first, first + 20):
        this = case(seed)
        flags, count, told = this["flags"], len(this["ks"]), f"seed {seed}: {this}"
        turned = flags["go_backwards"] and not flags["keep_order"]
        outputs, after, finals, last = by_hand(this, backwards=flags["go_backwards"], turned=turned)
        x, given = arguments_of(this)
        all_of_it = {"return_sequences": True, "return_state": True, "return_states": "all"}
        layer = nr.RNN(cells_of(this), dtype="float64", **flags, **all_of_it)
        output, *rest = layer(x, **given)
        check = np.testing.assert_array_equal
        check(padded(output, outputs, flags["time_major"]), outputs, err_msg=told)
        check(
            nr.RNN(cells_of(this), dtype="float64", **flags)(x, **given)[:, 0], last, err_msg=told
        )
        for i, (steps, final) in enumerate(zip(rest[:count], rest[count:], strict=True)):
            wanted = after[..., i]
            check(padded(steps, wanted, flags["time_major"]), wanted, err_msg=told)
            check(np.ravel(final), finals[:, i], err_msg=told)


@pytest.mark.parametrize("first", range(500, 620, 20))
def test_both_directions(first):
    """Whichever way the layer that is wrapped goes; outputs of skipped steps are 0."""
    for seed in range(first, first + 20):
        this = case(seed)
        this["flags"].update(keep_order=False, zero_output_for_mask=True)
        flags, count, told = this["flags"], len(this["ks"]), f"seed {seed}: {this}"
        backwards = flags["go_backwards"]
        wanted = [
            by_hand(this, backwards=way, turned=backwards) for way in (backwards, not backwards)
        ]
        x, given = arguments_of(this)
        given["initial_state"] *= 2
        all_of_it = {"return_sequences": True, "return_state": True, "return_states": "all"}
        inner = nr.RNN(cells_of(this), dtype="float64", **flags, **all_of_it)
        one, other, *rest = nr.Bidirectional(inner, merge_mode=None)(x, **given)
        check = np.testing.assert_array_equal
        for output, half in zip((one, other), wanted, strict=True):
            check(padded(output, half[0], flags["time_major"]), half[0], err_msg=told)
        after = [half[1][..., i] for half in wanted for i in range(count)]
        finals = [half[2][:, i] for half in wanted for i in range(count)]
        for steps, final, each, end in zip(
            rest[: 2 * count], rest[2 * count :], after, finals, strict=True
        ):
            check(padded(steps, each, flags["time_major"]), each, err_msg=told)
            check(np.ravel(final), end, err_msg=told)
