"""Dropout: drawn anew each time, scaled to keep the mean, nothing in evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn import Dropout, no_grad

X = np.ones((4, 8, 10, 10), np.float32)


def test_values_are_dropped_or_scaled_up() -> None:
    y = Dropout(0.25, rng=0)(X).numpy()
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.03
    assert abs(y.mean() - 1) < 0.03


def test_p_is_the_probability_to_drop() -> None:
    assert (Dropout(0.9, rng=0)(X).numpy() == 0).mean() > 0.8


def test_every_position_is_dropped_at_some_time() -> None:
    """The series dropped the same channels at every step; they never learnt."""
    drop = Dropout(0.5, rng=0)
    kept = sum((drop(X).numpy() != 0).astype(int) for _ in range(40))
    assert kept.min() > 0
    assert kept.max() < 40


def test_backward_uses_the_same_mask_and_scale() -> None:
    drop = Dropout(0.5, rng=0)
    y = drop(X)
    np.testing.assert_array_equal(drop.backward(X), y)


def test_evaluation_does_nothing_and_no_grad_is_not_evaluation() -> None:
    drop = Dropout(0.5, rng=0)
    with no_grad():
        assert (drop(X).numpy() == 0).any()
    drop.eval()
    np.testing.assert_array_equal(drop(X), X)
    np.testing.assert_array_equal(drop.backward(2 * X), 2 * X)


def test_seeds() -> None:
    np.testing.assert_array_equal(Dropout(0.5, rng=3)(X), Dropout(0.5, rng=3)(X))
    assert (Dropout(0.5)(X).numpy() != Dropout(0.5)(X).numpy()).any()
    drop = Dropout(0.5, rng=3)
    state = drop.rng_state()
    first = drop(X)
    drop.set_rng_state(state)
    np.testing.assert_array_equal(drop(X), first)
    with pytest.raises(KeyError, match="generators at"):
        drop.set_rng_state({})


def test_p_is_checked() -> None:
    for bad in (-0.1, 1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="p must be a finite number at least 0 and below 1"):
            Dropout(bad)
