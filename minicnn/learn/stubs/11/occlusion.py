"""Lesson 11, exercise 2: cover a window of the picture, and see how far the score falls.

`score` is a function that takes a picture H×W and returns one number: how sure something is that
the picture shows a certain class.
"""

import numpy as np


def occlusion(score, picture, window, stride):
    """H×W: for each pixel the mean fall of the score over all windows that cover it.

    A window of window×window zeros is laid over the picture at every stride-th row and column, as
    long as it lies within the picture whole. A pixel that no window covers has 0. The picture
    itself must not be changed.
    """
    raise NotImplementedError
