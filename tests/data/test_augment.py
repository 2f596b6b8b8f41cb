"""Augmentations: each against a slow, plain version of what it promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn.data.augment import (
    Augmentation,
    Compose,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShift,
    RandomVerticalFlip,
    rotate,
)
from minicnn.errors import ShapeError

ALL: list[Augmentation] = [
    RandomShift(2),
    RandomShift((0, 3), fill=0.5),
    RandomCrop(3),
    RandomCrop((4, 6), padding=(1, 2), fill=-1.0),
    RandomHorizontalFlip(),
    RandomVerticalFlip(0.3),
    RandomRotation(30),
    Compose(RandomShift(1), RandomHorizontalFlip(), RandomCrop(4)),
    Compose(),
]
SHAPES = st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(4, 7), st.integers(4, 7))


def pictures(shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Pictures in which every pixel has a value of its own."""
    return np.arange(1, np.prod(shape) + 1).reshape(shape).astype(dtype)


@pytest.mark.parametrize("augment", ALL, ids=repr)
@given(shape=SHAPES, seed=st.integers(0, 99), double=st.booleans())
def test_the_input_stays_and_the_generator_decides(
    augment: Augmentation, shape: tuple[int, ...], seed: int, double: bool
) -> None:
    x = pictures(shape, np.float64 if double else np.float32)
    before = x.copy()
    x.flags.writeable = False
    y = augment(x, np.random.default_rng(seed))
    again = augment(x, np.random.default_rng(seed))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(y, again)
    assert y.dtype == x.dtype
    assert y.shape[:2] == x.shape[:2]
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize("augment", ALL[:-1], ids=repr)
def test_pictures_of_a_batch_change_in_their_own_ways(augment: Augmentation) -> None:
    x = np.broadcast_to(pictures((1, 1, 7, 7)), (60, 1, 7, 7))
    y = augment(x, np.random.default_rng(0))
    assert len({picture.tobytes() for picture in y}) > 1


@given(shape=SHAPES, seed=st.integers(0, 99), rows=st.integers(0, 9), columns=st.integers(0, 9))
def test_a_shift_moves_everything_alike(
    shape: tuple[int, int, int, int], seed: int, rows: int, columns: int
) -> None:
    x = pictures(shape)
    y = RandomShift((rows, columns), fill=-5)(x, np.random.default_rng(seed))
    for b in range(len(x)):
        fits = [
            (down, right)
            for down in range(-rows, rows + 1)
            for right in range(-columns, columns + 1)
            if np.array_equal(y[b], moved(x[b], down, right, -5.0))
        ]
        assert fits


def moved(picture: npt.NDArray[Any], down: int, right: int, fill: float) -> npt.NDArray[Any]:
    C, H, W = picture.shape
    y = np.full_like(picture, fill)
    for c in range(C):
        for i in range(H):
            for j in range(W):
                if 0 <= i - down < H and 0 <= j - right < W:
                    y[c, i, j] = picture[c, i - down, j - right]
    return y


def test_every_shift_occurs() -> None:
    x = np.zeros((400, 1, 5, 5), dtype=np.float32)
    x[:, :, 2, 2] = 1
    y = RandomShift((1, 2))(x, np.random.default_rng(0))
    _, _, rows, columns = np.nonzero(y)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {
        (i, j) for i in range(1, 4) for j in range(5)
    }


@given(shape=SHAPES, seed=st.integers(0, 99), data=st.data())
def test_a_crop_is_a_window_of_the_padded_picture(
    shape: tuple[int, int, int, int], seed: int, data: st.DataObject
) -> None:
    x = pictures(shape)
    B, C, H, W = shape
    padding = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    size = (
        data.draw(st.integers(1, H + 2 * padding[0])),
        data.draw(st.integers(1, W + 2 * padding[1])),
    )
    y = RandomCrop(size, padding, fill=-1)(x, np.random.default_rng(seed))
    assert y.shape == (B, C, *size)
    around = ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, around, constant_values=-1), size, axis=(2, 3)
    )
    for b in range(B):
        assert (windows[b] == y[b][:, None, None]).all(axis=(0, 3, 4)).any()


def test_every_window_occurs_and_the_classic_keeps_the_size() -> None:
    x = np.broadcast_to(pictures((1, 1, 4, 4)), (300, 1, 4, 4))
    y = RandomCrop(2)(x, np.random.default_rng(0))
    assert len({picture.tobytes() for picture in y}) == 9
    assert RandomCrop(4, padding=2)(x, np.random.default_rng(0)).shape == x.shape


@pytest.mark.parametrize(("flip", "axis"), [(RandomHorizontalFlip, 3), (RandomVerticalFlip, 2)])
def test_a_flip_mirrors_or_does_not(flip: Callable[[float], Augmentation], axis: int) -> None:
    x = pictures((200, 2, 4, 5))
    mirrored = np.flip(x, axis)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(flip(1)(x, rng), mirrored)
    np.testing.assert_array_equal(flip(0)(x, rng), x)
    y = flip(0.25)(x, rng)
    turned = (y == mirrored).all(axis=(1, 2, 3))
    assert ((y == x).all(axis=(1, 2, 3)) ^ turned).all()
    assert 30 <= turned.sum() <= 70


@given(shape=SHAPES, turns=st.integers(-4, 4))
def test_quarter_turns_are_exact(shape: tuple[int, int, int, int], turns: int) -> None:
    x = pictures((*shape[:3], shape[2]), np.float64)
    y = rotate(x, [90 * turns] * len(x))
    np.testing.assert_allclose(y, np.rot90(x, turns, axes=(2, 3)), rtol=1e-12, atol=1e-9)


@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    degrees=st.floats(-180, 180),
    fill=st.floats(-2, 2),
)
def test_rotation_is_bilinear(height: int, width: int, degrees: float, fill: float) -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, height, width))
    y = rotate(x, [degrees], fill)
    np.testing.assert_allclose(y, slowly_rotated(x, degrees, fill), rtol=0, atol=1e-6)


def slowly_rotated(x: npt.NDArray[Any], degrees: float, fill: float) -> npt.NDArray[Any]:
    _, C, H, W = x.shape
    angle = np.deg2rad(degrees)
    y = np.zeros_like(x)

    def value(c: int, i: int, j: int) -> float:
        return float(x[0, c, i, j]) if 0 <= i < H and 0 <= j < W else fill

    for c in range(C):
        for i in range(H):
            for j in range(W):
                di, dj = i - (H - 1) / 2, j - (W - 1) / 2
                row = di * np.cos(angle) + dj * np.sin(angle) + (H - 1) / 2
                column = dj * np.cos(angle) - di * np.sin(angle) + (W - 1) / 2
                top, left = int(np.floor(row)), int(np.floor(column))
                a, b = row - top, column - left
                y[0, c, i, j] = (
                    (1 - a) * (1 - b) * value(c, top, left)
                    + (1 - a) * b * value(c, top, left + 1)
                    + a * (1 - b) * value(c, top + 1, left)
                    + a * b * value(c, top + 1, left + 1)
                )
    return y


def test_rotation_goes_counter_clockwise_and_stays_in_its_range() -> None:
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 2, 4] = 1  # on the right
    assert rotate(x, [90])[0, 0, 0, 2] == pytest.approx(1)  # at the top
    flat = np.ones((50, 1, 9, 9), dtype=np.float32)
    y = RandomRotation(45, fill=1)(flat, np.random.default_rng(0))
    np.testing.assert_allclose(y, 1, atol=1e-6)
    np.testing.assert_array_equal(RandomRotation(0)(x, np.random.default_rng(0)), x)


def test_compose_runs_the_steps_in_turn() -> None:
    x = pictures((3, 1, 4, 4))
    one, two = RandomShift(1), RandomRotation(20)
    rng = np.random.default_rng(5)
    expected = two(one(x, rng), rng)
    np.testing.assert_array_equal(Compose(one, two)(x, np.random.default_rng(5)), expected)


def brighter(images: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Works in place, as a step that somebody writes may do."""
    images += 1
    return images


class BrighterShift(RandomShift):
    """One of our steps, made to work in place."""

    def __call__(self, images: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        """The pictures, brighter."""
        return brighter(images, rng)


@pytest.mark.parametrize(
    "steps",
    [
        (brighter,),
        (BrighterShift(0),),
        (RandomShift(0), brighter),
        (Compose(brighter),),
        (Compose(), brighter),
    ],
)
def test_compose_keeps_its_input_from_steps_that_work_in_place(
    steps: tuple[Augmentation, ...],
) -> None:
    x = pictures((2, 1, 4, 4))
    before = x.copy()
    y = Compose(*steps)(x, np.random.default_rng(0))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(y, before + 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RandomShift(-1), ValueError, "max_shift"),
        (lambda: RandomShift(cast(Any, 1.5)), TypeError, "max_shift"),
        (lambda: RandomCrop(0), ValueError, "size"),
        (lambda: RandomCrop(3, padding=-1), ValueError, "padding"),
        (lambda: RandomHorizontalFlip(1.5), ValueError, "p must be"),
        (lambda: RandomVerticalFlip(-0.1), ValueError, "p must be"),
        (lambda: RandomRotation(200), ValueError, "degrees"),
        (lambda: RandomShift(1, fill=float("nan")), ValueError, "fill"),
        (lambda: Compose(cast(Any, 3)), TypeError, "Compose takes augmentations"),
    ],
)
def test_arguments_that_cannot_be_are_refused(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("augment", ALL, ids=repr)
def test_batches_that_cannot_be_are_refused(augment: Augmentation) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match=r"\(B, C, H, W\), got \(4, 4\)"):
        augment(np.zeros((4, 4)), rng)
    with pytest.raises(TypeError, match="got dtype uint8"):
        augment(np.zeros((1, 1, 8, 8), np.uint8), rng)


def test_a_window_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"4×4 with padding \(1, 1\) are too small.*7×3"):
        RandomCrop((7, 3), 1)(np.zeros((1, 1, 4, 4)), np.random.default_rng(0))


def test_an_angle_must_be_a_number() -> None:
    with pytest.raises(ValueError, match="degrees must be finite"):
        rotate(np.zeros((2, 1, 3, 3), np.float32), [1.0, np.nan])
