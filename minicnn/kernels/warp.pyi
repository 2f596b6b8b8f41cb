"""Pictures moved and turned; see reference.py for what each computes."""

from typing import Any

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]
_Places = npt.NDArray[np.int64]

def windows(
    x: _Array, tops: _Places, lefts: _Places, fill: float, y: _Array, num_threads: int
) -> None: ...
def rotate(
    x: _Array, cosines: _Array, sines: _Array, fill: float, y: _Array, num_threads: int
) -> None: ...
