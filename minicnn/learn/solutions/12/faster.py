"""Lesson 12, exercise 1: four slices, and three calls for all windows at once."""

import numpy as np


def max_pool(x):
    top = np.maximum(x[:, :, ::2, ::2], x[:, :, ::2, 1::2])
    bottom = np.maximum(x[:, :, 1::2, ::2], x[:, :, 1::2, 1::2])
    return np.maximum(top, bottom)
