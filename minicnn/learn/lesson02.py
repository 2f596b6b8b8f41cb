"""What the exercises of lesson 2, tensors, must do."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..museum.checks import same
from ..tensor import Tensor
from .exercise import Exercise

SHAPES = ((2, 3, 4, 5), (1, 1, 1, 7), (4, 1, 3, 2), (6,), (3, 4), (2, 3, 2, 1, 2))


def strides_of_shapes(own: ModuleType) -> None:
    """Strides of any shape, as NumPy has them"""
    for shape in SHAPES:
        array = np.empty(shape, np.int8)
        same(f"strides of {shape}", own.strides(shape), array.strides)


def places_of_the_lesson(own: ModuleType) -> None:
    """The lesson's two pixels, at 119 and 33"""
    same("place of (1, 2, 3, 4)", own.place((1, 2, 3, 4), (2, 3, 4, 5)), 119)
    same("place of (0, 1, 2, 3)", own.place((0, 1, 2, 3), (2, 3, 4, 5)), 33)


def every_place(own: ModuleType) -> None:
    """Every pixel of any shape, with any number of axes"""
    for shape in SHAPES:
        for number, index in enumerate(np.ndindex(*shape)):
            same(f"place of {index} in {shape}", own.place(index, shape), number)


def and_back(own: ModuleType) -> None:
    """From every place back to its pixel"""
    for shape in SHAPES:
        for number, index in enumerate(np.ndindex(*shape)):
            same(f"index of place {number} in {shape}", own.index(number, shape), index)


def a_batch() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)


def channels_come_first(own: ModuleType) -> None:
    """Channels first, and every pixel where it belongs"""
    pictures = a_batch()
    same("pictures_in", own.pictures_in(pictures), Tensor.from_images(pictures).data)


def of_the_right_kind(own: ModuleType) -> None:
    """float32, in order in memory, and the pictures are not changed"""
    pictures = a_batch()
    x = own.pictures_in(pictures)
    assert x.dtype == np.float32, f"pictures_in: {x.dtype}, expected float32"
    assert x.flags.c_contiguous, "pictures_in: not C-contiguous"
    same("the pictures afterwards", pictures, a_batch())


def there_and_back(own: ModuleType) -> None:
    """In and out again: the same pictures"""
    pictures = a_batch()
    got = own.pictures_out(Tensor.from_images(pictures).data)
    assert got.dtype == np.uint8, f"pictures_out: {got.dtype}, expected uint8"
    same("pictures_out", got, pictures)


def out_of_range(own: ModuleType) -> None:
    """Values are rounded, and what is out of range does not wrap around"""
    x = np.array([-0.5, 0.0019, 0.4999, 0.999, 1.5], np.float32).reshape(1, 1, 1, 5)
    same("pictures_out", own.pictures_out(x).ravel(), [0, 0, 127, 255, 255])


def every_window(own: ModuleType) -> None:
    """Every window, for any size and stride"""
    for H, W, k, s in ((4, 5, 2, 1), (6, 6, 2, 2), (7, 8, 3, 2)):
        x = np.arange(float(H * W)).reshape(H, W)
        right = np.lib.stride_tricks.sliding_window_view(x, (k, k))[::s, ::s]
        same(f"windows {k}×{k}, stride {s}, of {H}×{W}", own.windows(x, k, s), right)


def of_any_view(own: ModuleType) -> None:
    """Of a plane that is itself a view"""
    x = np.arange(60.0).reshape(6, 10)[:, ::2]
    right = np.lib.stride_tricks.sliding_window_view(x, (3, 3))
    same("windows of every second column", own.windows(x, 3, 1), right)


def nothing_is_copied(own: ModuleType) -> None:
    """No pixel is copied"""
    x = np.zeros((6, 6))
    view = own.windows(x, 3, 1)
    assert np.shares_memory(view, x), "the windows have memory of their own"
    x[2, 2] = 5
    same("how often the pixel (2, 2) is seen", np.count_nonzero(view), 9)


EXERCISES = (
    Exercise(
        "places",
        "Find the place of a pixel in memory, and the pixel at a place.",
        (strides_of_shapes, places_of_the_lesson, every_place, and_back),
    ),
    Exercise(
        "pictures",
        "Turn pictures into tensors and back.",
        (channels_come_first, of_the_right_kind, there_and_back, out_of_range),
    ),
    Exercise(
        "windows",
        "Show every window of a plane as a view.",
        (every_window, of_any_view, nothing_is_copied),
    ),
)
