"""Lesson 6, exercise 1: max pooling, forward and backward, of one plane.

Write both functions with plain loops; nothing here has to be fast. Then run

    minicnn learn check 06 .
"""

import numpy as np


def forward(x, k, s):
    """The maxima of windows k×k that start every s pixels, and where they were found.

    x: H×W. Returns (y, mask), both OH×OW with OH = (H − k)//s + 1 and OW likewise: y[i, j] is the
    maximum of the window whose corner is (i·s, j·s), and mask[i, j] the flat index h·W + w of the
    pixel in x that it came from. Of equal values the first in row-major order wins: compare
    with > and walk the window row by row.
    """
    raise NotImplementedError


def backward(dy, mask, shape):
    """dL/dx, of the shape H×W: every gradient goes to the pixel that won its window.

    dy, mask: OH×OW, mask as `forward` gave it. A pixel may have won several windows.
    """
    raise NotImplementedError
