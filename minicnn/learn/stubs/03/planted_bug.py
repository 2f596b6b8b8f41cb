"""Lesson 3, exercise 3: the number of windows along one axis, with two mistakes in it.

The formula is right without padding and dilation, and so nobody has noticed. Derive it anew: how
long is a window, how far may it travel, and how many steps fit into that?
"""


def windows(size, k, s, p, d):
    """How many windows of k taps, d pixels from tap to tap, fit every s pixels into size + 2p."""
    return (size - 2 * p - d * k) // s + 1
