"""Lesson 4, exercise 1: both gradients of a convolution of one plane, tap by tap."""

import numpy as np


def read_by(u, v, padded, windows, s, d):
    """What tap (u, v) reads of the padded plane: a view with one pixel for each window."""
    OH, OW = windows
    top, left = u * d, v * d
    return padded[top : top + (OH - 1) * s + 1 : s, left : left + (OW - 1) * s + 1 : s]


def backward_input(dy, w, shape, s, p, d):
    H, W = shape
    padded = np.zeros((H + 2 * p, W + 2 * p))
    for u, v in np.ndindex(*w.shape):
        pixels = read_by(u, v, padded, dy.shape, s, d)
        pixels += dy * w[u, v]
    return padded[p : p + H, p : p + W]


def backward_weight(dy, x, kernel, s, p, d):
    padded, dw = np.pad(x, p), np.zeros(kernel)
    for u, v in np.ndindex(*kernel):
        dw[u, v] = (dy * read_by(u, v, padded, dy.shape, s, d)).sum()
    return dw
