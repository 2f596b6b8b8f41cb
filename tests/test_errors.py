"""The shared checks: what passes comes back in working form, what fails says why."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minicnn.errors import (
    CheckpointError,
    DataError,
    ShapeError,
    describe,
    finite_float,
    nonnegative_int,
    pair,
    positive_int,
    probability,
)


def test_own_errors_are_value_errors() -> None:
    for error in (ShapeError, DataError, CheckpointError):
        assert issubclass(error, ValueError)


@pytest.mark.parametrize(("given", "expected"), [(3, (3, 3)), ((1, 2), (1, 2)), ([4, 5], (4, 5))])
def test_pair_takes_an_int_or_a_pair(given: object, expected: tuple[int, int]) -> None:
    assert pair(given, "stride") == expected


def test_pair_takes_numpy_integers_and_returns_plain_ones() -> None:
    assert [type(n) for n in pair(np.int64(2), "stride")] == [int, int]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (
            0,
            ValueError,
            "stride must be an integer or an (h, w) pair of integers of at least 1, got 0",
        ),
        ((1, 2, 3), ValueError, "got (1, 2, 3) (tuple)"),
        (1.5, TypeError, "got 1.5 (float)"),
        (True, TypeError, "got True (bool)"),
        ("3", TypeError, "got '3' (str)"),
        ((1, None), TypeError, "got None (NoneType)"),
    ],
)
def test_pair_says_what_is_wrong(given: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        pair(given, "stride")


def test_integers() -> None:
    assert positive_int(np.int32(7), "n") == 7
    assert nonnegative_int(0, "n") == 0
    with pytest.raises(ValueError, match="n must be an integer of at least 1, got 0"):
        positive_int(0, "n")
    with pytest.raises(TypeError, match=r"n must be an integer of at least 0, got 1\.0 \(float\)"):
        nonnegative_int(1.0, "n")  # type: ignore[arg-type]


def test_finite_float_bounds() -> None:
    assert finite_float(1, "lr") == 1.0
    assert finite_float(np.float32(0.5), "lr", 0, 1) == 0.5
    for bad in (float("nan"), float("inf"), -1):
        with pytest.raises(ValueError, match="lr must be a finite number above 0, got"):
            finite_float(bad, "lr", above=0)
    with pytest.raises(ValueError, match="at least 0 and below 1, got 1.0"):
        finite_float(1, "p", 0, below=1)
    for bad in ("1", None, True, 1j):
        with pytest.raises(TypeError, match="lr must be a finite number"):
            finite_float(bad, "lr")


def test_probability_includes_both_ends() -> None:
    assert probability(0, "p") == 0
    assert probability(1, "p") == 1
    with pytest.raises(ValueError, match=r"p must be a finite number at least 0 and at most 1"):
        probability(1.1, "p")


def test_describe_keeps_messages_short() -> None:
    assert describe(3) == "3 (int)"
    assert describe(list(range(100))) == "list"
