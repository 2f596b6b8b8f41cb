"""Lesson 3, exercise 2: convolution of one picture as a matrix product."""

import numpy as np


def im2col(x, kernel, s):
    """The windows of a picture as columns.

    x: C×H×W; kernel: (KH, KW); windows start every s pixels. Returns (C·KH·KW)×(OH·OW): row
    (c·KH + u)·KW + v holds, for each window (i, j), from left to right and top to bottom,
    the pixel x[c, i·s + u, j·s + v].
    """
    raise NotImplementedError


def forward(x, w, s):
    """The convolution of x, C×H×W, with w, O×C×KH×KW: O×OH×OW, by im2col and one product `@`."""
    raise NotImplementedError
