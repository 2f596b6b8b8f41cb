"""MaxPool2D, against the worked tables of the series and where the series was wrong."""

from __future__ import annotations

import numpy as np
import pytest

from minicnn import AvgPool2D, MaxPool2D, ShapeError

# The third channel of the second picture in the series' own check. In copies of the article 0.550
# and 1.036 of the output are misprinted as 0.330 and 1.030; the input decides.
INPUT = """
-0.170  0.137 -0.427  0.699 -0.469 -0.523
 0.036 -0.434  0.423  1.875  0.413 -0.573
 0.067 -1.014  0.550  0.133  0.880  1.036
 1.330 -1.025 -0.112 -1.763  0.882  0.181
-0.367  2.615  0.254 -1.258 -0.470  0.542
 0.708  0.814 -0.118  0.020  0.535 -0.233
"""
OUTPUT = "0.137 1.875 0.413 1.330 0.550 1.036 2.615 0.254 0.542"
OUTPUT_GRADIENT = "-0.259 1.209 2.082 0.959 0.855 1.922 -0.099 -1.074 -0.616"
WINNERS = {
    (0, 1): -0.259,
    (1, 3): 1.209,
    (1, 4): 2.082,
    (2, 2): 0.855,
    (2, 5): 1.922,
    (3, 0): 0.959,
    (4, 1): -0.099,
    (4, 2): -1.074,
    (4, 5): -0.616,
}


def table(text: str, *shape: int) -> np.ndarray:
    return np.array(text.split(), np.float32).reshape(shape)


def test_the_worked_tables_of_the_series() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 6, 6)).astype(np.float32)
    dy = rng.standard_normal((2, 3, 3, 3)).astype(np.float32)
    x[1, 2] = table(INPUT, 6, 6)
    dy[1, 2] = table(OUTPUT_GRADIENT, 3, 3)
    pool = MaxPool2D(2)
    y = pool(x).numpy()
    np.testing.assert_array_equal(y[1, 2], table(OUTPUT, 3, 3))
    dx = np.asarray(pool.backward(dy))
    expected = np.zeros((6, 6), np.float32)
    for place, value in WINNERS.items():
        expected[place] = value
    np.testing.assert_array_equal(dx[1, 2], expected)

    assert pool.mask is not None
    assert pool.mask.dtype == np.int32
    assert pool.mask[1, 2].tolist() == [[1, 9, 10], [18, 14, 17], [25, 26, 29]]
    assert sorted(int(n) for n in pool.mask[1, 2].ravel()) == sorted(i * 6 + j for i, j in WINNERS)

    # the other pictures and channels know nothing of it
    x[1, 2] = 0
    dy[1, 2] = 0
    again = pool(x).numpy()
    others = np.ones((2, 3), bool)
    others[1, 2] = False
    np.testing.assert_array_equal(again[others], y[others])
    np.testing.assert_array_equal(np.asarray(pool.backward(dy))[others], dx[others])


def test_a_pixel_that_wins_several_windows_gets_all_their_gradients() -> None:
    """7×7, windows 3×3, stride 2: the series' assignment would keep only the last of four."""
    x = np.zeros((1, 1, 7, 7))
    x[0, 0, 2, 2] = 5  # in windows (0,0), (0,1), (1,0) and (1,1)
    x[0, 0, 4, 4] = 3  # in (1,1), which 5 wins, and in (1,2), (2,1), (2,2)
    x[0, 0, 0, 5] = 2  # in (0,2) alone
    x[0, 0, 5, 0] = 1  # in (2,0) alone
    dy = np.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    pool = MaxPool2D(3, stride=2)
    assert pool(x).numpy()[0, 0].tolist() == [[5, 5, 2], [5, 5, 3], [1, 3, 3]]
    expected = np.zeros((7, 7))
    expected[2, 2] = 1 + 2 + 4 + 5
    expected[4, 4] = 6 + 8 + 9
    expected[0, 5] = 3
    expected[5, 0] = 7
    np.testing.assert_array_equal(np.asarray(pool.backward(dy))[0, 0], expected)


def test_a_peak_collects_from_nine_windows() -> None:
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 2, 2] = 1
    pool = MaxPool2D(3, stride=1)
    dx = pool.backward(np.ones_like(pool(x).numpy()))
    assert np.asarray(dx)[0, 0, 2, 2] == 9
    assert np.asarray(dx).sum() == 9


def test_padding_never_wins() -> None:
    x = np.full((1, 1, 2, 2), -3.0)
    pool = MaxPool2D(3, stride=1, padding=1)
    y = pool(x)
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), -3.0))
    assert np.asarray(pool.backward(np.ones((1, 1, 2, 2)))).sum() == 4


def test_the_first_of_equals_wins() -> None:
    pool = MaxPool2D(2)
    pool(np.ones((1, 1, 2, 2)))
    assert np.asarray(pool.backward(np.ones((1, 1, 1, 1)))).tolist() == [[[[1, 0], [0, 0]]]]


def test_nan_wins_over_numbers() -> None:
    x = np.array([[[[1.0, np.nan], [np.inf, 2.0]]]])
    pool = MaxPool2D(2)
    assert np.isnan(pool(x).numpy()).all()
    assert pool.mask is not None
    assert pool.mask.item() == 1


def test_no_mask_without_recording() -> None:
    from minicnn import no_grad

    pool = MaxPool2D(2)
    with no_grad():
        pool(np.ones((1, 1, 2, 2)))
    assert pool.mask is None


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("s", [1, 2, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_output_size_is_pytorchs(size: int, k: int, s: int, ceil_mode: bool) -> None:
    torch = pytest.importorskip("torch")
    for p in range(k // 2 + 1):
        for d in (1, 2):
            if size + 2 * p < d * (k - 1) + 1:
                continue
            theirs = torch.nn.MaxPool2d(k, s, p, d, ceil_mode=ceil_mode)
            x = torch.zeros(1, 1, size, size)
            expected = tuple(theirs(x).shape)
            assert MaxPool2D(k, s, p, d, ceil_mode).output_shape((1, 1, size, size)) == expected
            if d == 1:
                average = torch.nn.AvgPool2d(k, s, p, ceil_mode=ceil_mode)
                mine = AvgPool2D(k, s, p, ceil_mode)
                assert mine.output_shape((1, 1, size, size)) == tuple(average(x).shape)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="padding must be at most half of kernel_size"):
        MaxPool2D(2, padding=2)
    with pytest.raises(ValueError, match="padding must be at most half of kernel_size"):
        AvgPool2D((2, 4), padding=(2, 2))
    with pytest.raises(ValueError, match="stride must be"):
        MaxPool2D(2, stride=0)
    assert MaxPool2D((2, 3)).stride == (2, 3)


def test_the_mask_is_read_only_for_backward_writes_where_it_points() -> None:
    pool = MaxPool2D(2)
    pool(np.zeros((1, 1, 2, 2), np.float32))
    assert pool.mask is not None
    with pytest.raises(ValueError, match="read-only"):
        pool.mask[...] = 10**6


def test_a_plane_without_pixels_is_refused() -> None:
    for pool in (MaxPool2D(2, padding=1), AvgPool2D(2, padding=1)):
        with pytest.raises(ShapeError, match="x of 0×3 has no pixel to pool"):
            pool(np.zeros((1, 1, 0, 3), np.float32))
