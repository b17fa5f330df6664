"""The demo's model and data: real, small, and clearly better than a constant answer."""

import numpy as np
import pytest

import numbarnn as nr
from numbarnn.demo import MODEL
from numbarnn.demo.job import macro_f1, run_demo
from numbarnn.demo.names import (
    ALPHABET,
    CATEGORIES,
    RULE_MADE,
    ids_of,
    is_held_out,
    named_characters,
)


@pytest.fixture(scope="module")
def verdict(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo"), progress=False)


def test_the_model_is_small_and_beats_the_baseline_by_15_points(verdict):
    assert MODEL.stat().st_size < 1_000_000
    assert verdict.accuracy >= verdict.baseline + 0.15
    assert verdict.names > 2500
    assert 0 < verdict.macro_f1 <= 1
    assert verdict.sequences_per_second > 0


def test_names_are_real_ragged_and_labelled():
    names, categories = named_characters()
    assert len(names) > 30_000
    assert set(categories) <= set(CATEGORIES)
    assert not any(name.startswith(RULE_MADE) for name in names)
    lengths = [len(name) for name in names]
    assert min(lengths) < 4
    assert max(lengths) > 80
    largest = max(categories.count(c) for c in set(categories))
    assert largest / len(categories) < 0.6


def test_ids_begin_at_one_and_cover_every_name():
    assert ids_of(" Z") == [1, len(ALPHABET)]
    names, _ = named_characters()
    assert all(ids_of(name) for name in names)


def test_a_tenth_is_held_out_for_good():
    names, _ = named_characters()
    share = np.mean([is_held_out(name) for name in names])
    assert 0.08 < share < 0.12
    assert is_held_out("LATIN SMALL LETTER A") == is_held_out("LATIN SMALL LETTER A")
    # The split is a function of the name alone: these do not move when Unicode grows.
    assert [is_held_out(n) for n in ("SNOWMAN", "SPACE", "DIGIT ONE")] == [
        HELD[n] for n in ("SNOWMAN", "SPACE", "DIGIT ONE")
    ]


HELD = {"SNOWMAN": False, "SPACE": False, "DIGIT ONE": False}


def test_macro_f1_by_hand():
    truth, guess = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    # Class 0: 2 * 1 / (2 + 2); class 1: 2 * 2 / (2 + 3); class 2: 0; class 3 does not occur.
    assert macro_f1(truth, guess, 4) == pytest.approx((0.5 + 0.8 + 0) / 3)


def test_the_shipped_model_answers_as_it_did(verdict):
    model = nr.load(MODEL)
    ids = ids_of("LATIN SMALL LETTER A WITH ACUTE")
    answer = model([ids])[0]
    assert CATEGORIES[int(answer.argmax())] == "Ll"
    assert answer.sum() == pytest.approx(1, abs=1e-5)
