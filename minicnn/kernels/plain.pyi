"""Convolution and max pooling by textbook loops, and what a processor can do at best."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Floating = TypeVar("_Floating", np.float32, np.float64)

def conv2d_plain(
    x: npt.NDArray[_Floating],
    weight: npt.NDArray[_Floating],
    bias: npt.NDArray[_Floating],
    y: npt.NDArray[_Floating],
    stride: int,
) -> None: ...
def maxpool2d_plain(
    x: npt.NDArray[_Floating],
    y: npt.NDArray[_Floating],
    mask: npt.NDArray[np.int32],
    size: int,
    stride: int,
) -> None: ...
def fma_peak(repetitions: int) -> int: ...
def copy_peak(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], repetitions: int) -> int: ...
