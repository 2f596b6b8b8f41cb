"""Lesson 2, exercise 1: where a pixel lies in memory, and which pixel lies at a place."""

# A shape may have any number of axes here: (B, C, H, W), but also (H, W) or (N,).


def strides(shape):
    """How many places further the next number along each axis lies.

    The last axis runs fastest: its stride is 1. A tuple, as long as `shape`.
    """
    raise NotImplementedError


def place(index, shape):
    """The place, in the memory of an array of this shape, of the number at `index`, a tuple."""
    raise NotImplementedError


def index(place, shape):
    """The other way round: the index of the number at this place, as a tuple of ints."""
    raise NotImplementedError
