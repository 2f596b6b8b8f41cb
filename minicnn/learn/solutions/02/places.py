"""Lesson 2, exercise 1: where a pixel lies in memory, and which pixel lies at a place."""


def strides(shape):
    result, step = [], 1
    for size in reversed(shape):
        result.append(step)
        step *= size
    return tuple(reversed(result))


def place(index, shape):
    return sum(i * s for i, s in zip(index, strides(shape), strict=True))


def index(place, shape):
    result = []
    for step in strides(shape):
        i, place = divmod(place, step)
        result.append(i)
    return tuple(result)
