"""Lesson 3, exercise 3: a convolution of one plane with two mistakes; mend them here.

It was only ever tried with a 3×3 kernel and without padding, and there it is right. Look for small
inputs that show each of the mistakes: planes that are 0 but for one row, say, and other kernels.
"""

import numpy as np


def forward(x, w, s, p):
    """y[i, j] = Σ_uv w[u, v] · x[i·s − p + u, j·s − p + v], where x is 0 outside its plane."""
    (H, W), (KH, KW) = x.shape, w.shape
    y = np.zeros(((H + 2 * p - KH) // s + 1, (W + 2 * p - KW) // s + 1))
    for i, j in np.ndindex(*y.shape):
        for tap, weight in enumerate(w.ravel()):
            u, v = divmod(tap, KH)
            row, column = i * s - p + u, j * s - p + v
            if row < H and column < W:
                y[i, j] += weight * x[row, column]
    return y
