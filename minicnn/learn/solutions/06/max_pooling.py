"""Lesson 6, exercise 1: max pooling, forward and backward, of one plane."""

import numpy as np


def forward(x, k, s):
    H, W = x.shape
    OH, OW = (H - k) // s + 1, (W - k) // s + 1
    y, mask = np.empty((OH, OW), x.dtype), np.empty((OH, OW), int)
    for i in range(OH):
        for j in range(OW):
            best = i * s * W + j * s
            for u in range(k):
                for v in range(k):
                    n = (i * s + u) * W + j * s + v
                    if x.flat[n] > x.flat[best]:
                        best = n
            y[i, j], mask[i, j] = x.flat[best], best
    return y, mask


def backward(dy, mask, shape):
    dx = np.zeros(shape, dy.dtype)
    for gradient, n in zip(dy.flat, mask.flat, strict=True):
        dx.flat[n] += gradient
    return dx
