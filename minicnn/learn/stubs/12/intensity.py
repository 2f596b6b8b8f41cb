"""Lesson 12, exercise 2: how many operations a layer does for each byte that it must move.

A multiplication and an addition are one operation each. Every array that is read or written is
moved once, with 4 bytes a number.
"""


def convolution(B, C, H, W, OC, k):
    """(operations, bytes) of a convolution k×k without bias, stride 1, no padding: B×C×H×W in."""
    raise NotImplementedError


def linear(B, inputs, outputs):
    """(operations, bytes) of a linear layer without bias."""
    raise NotImplementedError


def limit(operations, moved, peak, bandwidth):
    """(seconds, what) that the work takes at least; `what` is "arithmetic" or "memory".

    peak: operations a second; bandwidth: bytes a second.
    """
    raise NotImplementedError
