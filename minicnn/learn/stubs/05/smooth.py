"""Lesson 5, exercise 2: sigmoid and tanh; their slopes follow from their values."""

import numpy as np


def sigmoid(x):
    """1 / (1 + exp(−x)), without a warning for any x: exp(1000) overflows, exp(−1000) does not."""
    raise NotImplementedError


def sigmoid_backward(dy, y):
    """dL/dx from dL/dy and y = sigmoid(x)."""
    raise NotImplementedError


def tanh_backward(dy, y):
    """dL/dx from dL/dy and y = tanh(x)."""
    raise NotImplementedError
