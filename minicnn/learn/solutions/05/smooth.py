"""Lesson 5, exercise 2: sigmoid and tanh; their slopes follow from their values."""

import numpy as np


def sigmoid(x):
    small = np.exp(-np.abs(x))  # at most 1
    return np.where(x >= 0, 1, small) / (1 + small)


def sigmoid_backward(dy, y):
    return dy * y * (1 - y)


def tanh_backward(dy, y):
    return dy * (1 - y * y)
