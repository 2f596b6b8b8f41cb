"""Lesson 4, exercise 1: both gradients of a convolution of one plane, tap by tap.

y[i, j] = Σ_uv w[u, v] · x[i·s − p + u·d, j·s − p + v·d], where x counts as 0 outside its plane.
s, p and d, stride, padding and dilation, are the same for rows and columns.

Do not loop over windows, only over the taps (u, v). For one tap, the pixels that all windows read
are one slice of the padded plane. Where does it begin, what is its step, and where must it end?
"""

import numpy as np


def backward_input(dy, w, shape, s, p, d):
    """dL/dx, of the shape (H, W), from dL/dy, OH×OW, and the kernel w, KH×KW."""
    raise NotImplementedError


def backward_weight(dy, x, kernel, s, p, d):
    """dL/dw, of the shape `kernel` = (KH, KW), from dL/dy, OH×OW, and x, H×W."""
    raise NotImplementedError
