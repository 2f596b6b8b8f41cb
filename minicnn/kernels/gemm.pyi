from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Floating = TypeVar("_Floating", np.float32, np.float64)

def matmul(
    a: npt.NDArray[_Floating],
    b: npt.NDArray[_Floating],
    out: npt.NDArray[_Floating],
    transpose_a: bool,
    transpose_b: bool,
    accumulate: bool,
    num_threads: int,
) -> None: ...
