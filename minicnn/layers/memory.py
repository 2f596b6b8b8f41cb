"""Memory for what is needed only until the next layer has read it: gradients on their way back.

A net of n layers needs not n gradients at a time but two, the one that comes into a layer and the
one that goes out. They take turns in a few blocks. Nobody gives a block back: it is idle as soon as
no array refers to it.
"""

from __future__ import annotations

import bisect
import math
import sys

import numpy as np
import numpy.typing as npt

from ..tensor import FloatArray


def _references(blocks: list[FloatArray], index: int) -> int:
    """How often an entry is referred to. Views refer to the array that has the memory."""
    return sys.getrefcount(blocks[index])


_IDLE = _references([np.empty(0)], 0)


class Blocks:
    """Blocks of memory that are lent out."""

    def __init__(self) -> None:
        self._blocks: list[FloatArray] = []  # by size

    def borrow(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> FloatArray:
        """An array of this shape, its values undefined, in the smallest idle block that has room.

        Where there is none, a new block takes the place of the largest idle one.
        """
        blocks, size = self._blocks, math.prod(shape)
        largest = None
        for k in range(len(blocks)):
            if _references(blocks, k) == _IDLE:
                if blocks[k].size >= size and blocks[k].dtype == dtype:
                    return blocks[k][:size].reshape(shape)
                largest = k
        if largest is not None:
            del blocks[largest]
        block = np.empty(size, dtype)
        bisect.insort(blocks, block, key=np.size)
        return block.reshape(shape)
