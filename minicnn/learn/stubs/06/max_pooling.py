"""Lesson 6, exercise 1: max pooling, forward and backward, of a batch, with padding.

The lesson pools one plane without padding; here there are B·C of them, and windows may reach over
the edge. Write both functions with plain loops; nothing here has to be fast. Then run

    minicnn learn check 06 .
"""

import numpy as np


def forward(x, k, s, p):
    """The maxima of windows k×k that start every s pixels, and where they were found.

    x: B×C×H×W, with p rows and columns of padding on each side, which count as −∞. Returns
    (y, mask), both B×C×OH×OW with OH = (H + 2p − k)//s + 1 and OW likewise: y[b, c, i, j] is the
    maximum of the window whose corner is (i·s − p, j·s − p), and mask[b, c, i, j] the flat index
    h·W + w of the pixel that it came from, in its own plane x[b, c] without the padding. Of equal
    values the first in row-major order wins: compare with > and walk the window row by row.
    """
    raise NotImplementedError


def backward(dy, mask, shape):
    """dL/dx, of the shape B×C×H×W: every gradient goes to the pixel that won its window.

    dy, mask: B×C×OH×OW, mask as `forward` gave it. A pixel may have won several windows.
    """
    raise NotImplementedError
