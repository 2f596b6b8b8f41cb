"""Lesson 6, exercise 1: max pooling, forward and backward, of a batch, with padding."""

import numpy as np


def forward(x, k, s, p):
    B, C, H, W = x.shape
    shape = (B, C, (H + 2 * p - k) // s + 1, (W + 2 * p - k) // s + 1)
    y, mask = np.empty(shape, x.dtype), np.empty(shape, int)
    for b, c, i, j in np.ndindex(*shape):
        best, winner = -np.inf, -1
        # Padding never wins: leave it out.
        for h in range(max(0, i * s - p), min(H, i * s - p + k)):
            for w in range(max(0, j * s - p), min(W, j * s - p + k)):
                if x[b, c, h, w] > best:
                    best, winner = x[b, c, h, w], h * W + w
        y[b, c, i, j], mask[b, c, i, j] = best, winner
    return y, mask


def backward(dy, mask, shape):
    dx = np.zeros(shape, dy.dtype)
    for (b, c, i, j), gradient in np.ndenumerate(dy):
        h, w = divmod(mask[b, c, i, j], shape[3])
        dx[b, c, h, w] += gradient
    return dx
