"""Lesson 12, exercise 1: right, and slow. Make it at least twice as fast; NumPy only.

A reshape and one `max` over two axes will not do: a reduction over an axis of length 2 has an inner
loop of two numbers. Look for calls whose inner loops are long.
"""

import numpy as np


def max_pool(x):
    """The maxima of windows 2×2 side by side: B×C×H×W with even H and W → B×C×(H/2)×(W/2)."""
    B, C, H, W = x.shape
    y = np.empty((B, C, H // 2, W // 2), x.dtype)
    for i in range(H // 2):
        for j in range(W // 2):
            y[:, :, i, j] = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(2, 3))
    return y
