"""Lesson 4, exercise 1: both gradients of a convolution of one plane.

y[i, j] = Σ_uv w[u, v] · x[i·s + u, j·s + v], OH = (H − KH)//s + 1 rows, OW columns likewise.
"""

import numpy as np


def backward_input(dy, w, shape, s):
    """dL/dx, of the shape (H, W), from dL/dy, OH×OW, and the kernel w, KH×KW."""
    raise NotImplementedError


def backward_weight(dy, x, kernel, s):
    """dL/dw, of the shape `kernel` = (KH, KW), from dL/dy, OH×OW, and x, H×W."""
    raise NotImplementedError
