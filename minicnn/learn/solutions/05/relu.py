"""Lesson 5, exercise 1: ReLU, forward and backward, on an array of any shape."""

import numpy as np


def forward(x):
    return np.maximum(x, 0)


def backward(dy, y):
    return dy * (y > 0)
