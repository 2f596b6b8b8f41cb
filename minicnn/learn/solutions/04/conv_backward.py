"""Lesson 4, exercise 1: both gradients of a convolution of one plane."""

import numpy as np


def backward_input(dy, w, shape, s):
    dx = np.zeros(shape)
    for i, j, u, v in np.ndindex(*dy.shape, *w.shape):
        dx[i * s + u, j * s + v] += dy[i, j] * w[u, v]
    return dx


def backward_weight(dy, x, kernel, s):
    dw = np.zeros(kernel)
    for i, j, u, v in np.ndindex(*dy.shape, *kernel):
        dw[u, v] += dy[i, j] * x[i * s + u, j * s + v]
    return dw
