"""Lesson 2, exercise 1: where a pixel lies in memory, and which pixel lies at a place."""


def strides(shape):
    """For a shape such as (B, C, H, W): how many numbers further the next one lies, axis by axis.

    The last axis is innermost: its stride is 1. A tuple, as long as `shape`.
    """
    raise NotImplementedError


def place(index, shape):
    """The place of the pixel `index` = (b, c, h, w) in the memory of an array of this shape."""
    raise NotImplementedError


def index(place, shape):
    """The other way round: (b, c, h, w), as a tuple of ints."""
    raise NotImplementedError
