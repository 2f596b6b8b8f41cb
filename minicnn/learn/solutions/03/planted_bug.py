"""Lesson 3, exercise 3: the number of windows along one axis."""


def windows(size, k, s, p, d):
    return (size + 2 * p - d * (k - 1) - 1) // s + 1
