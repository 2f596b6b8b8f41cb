"""Lesson 4, exercise 3: dL/dx, mended."""

import numpy as np


def backward_input(dy, w, shape, s):
    """dL/dx of one plane: the mirrored kernel over the gradients with s − 1 zeros between them."""
    dilated = np.zeros(((dy.shape[0] - 1) * s + 1, (dy.shape[1] - 1) * s + 1))
    dilated[::s, ::s] = dy
    KH, KW = w.shape
    padded = np.pad(dilated, ((KH - 1, KH - 1), (KW - 1, KW - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape)
    full = np.einsum("mnuv,uv->mn", windows, w[::-1, ::-1])
    dx = np.zeros(shape)
    dx[: full.shape[0], : full.shape[1]] = full
    return dx
