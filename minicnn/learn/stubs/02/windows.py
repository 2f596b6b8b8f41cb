"""Lesson 2, exercise 3: every window of a plane, and no pixel is copied."""

import numpy as np


def windows(x, k, s):
    """A view OH×OW×k×k of a plane H×W: [i, j, u, v] is the pixel x[i·s + u, j·s + v].

    A window is k×k pixels and lies within the plane; the next one begins s pixels further on.
    OH×OW is how many there are, from top to bottom and from left to right. Which strides does the
    view have? np.lib.stride_tricks.as_strided(x, shape, strides) takes them in bytes. Compute OH
    and OW with care: with a wrong shape it reads memory that is not yours.
    (sliding_window_view, in the same place, would do the whole exercise for you.)
    """
    raise NotImplementedError
