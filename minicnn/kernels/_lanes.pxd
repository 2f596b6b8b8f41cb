# Sums of many numbers, fast and exact enough.
#
# Letters: i element, l lane, s step.
#
# LANES partial sums side by side are what a compiler can keep in vector registers without
# being allowed to reorder additions. A lane adds up BLOCK / LANES numbers in the precision of
# the data, then the lanes are added up in double: the rounding error is that of a sum of 64
# numbers, however long the array is. The order depends on the length alone.

from cython cimport floating

cdef enum:
    LANES = 32
    BLOCK = 2048


cdef inline double sum_shifted(const floating* x, Py_ssize_t n, floating shift) noexcept nogil:
    """sum_i (x[i] - shift)"""
    cdef floating lane[LANES]
    cdef double total = 0
    cdef Py_ssize_t i = 0, l, s, steps
    while i + LANES <= n:
        steps = (n - i if n - i < BLOCK else BLOCK) // LANES
        for l in range(LANES):
            lane[l] = 0
        for s in range(steps):
            for l in range(LANES):
                lane[l] += x[i + s * LANES + l] - shift
        for l in range(LANES):
            total += lane[l]
        i += steps * LANES
    while i < n:
        total += x[i] - shift
        i += 1
    return total


cdef inline double sum_squares(const floating* x, Py_ssize_t n, floating shift) noexcept nogil:
    """sum_i (x[i] - shift)^2"""
    cdef floating lane[LANES]
    cdef floating d
    cdef double total = 0
    cdef Py_ssize_t i = 0, l, s, steps
    while i + LANES <= n:
        steps = (n - i if n - i < BLOCK else BLOCK) // LANES
        for l in range(LANES):
            lane[l] = 0
        for s in range(steps):
            for l in range(LANES):
                d = x[i + s * LANES + l] - shift
                lane[l] += d * d
        for l in range(LANES):
            total += lane[l]
        i += steps * LANES
    while i < n:
        d = x[i] - shift
        total += d * d
        i += 1
    return total


cdef inline double sum_products(const floating* a, const floating* x, Py_ssize_t n,
                                floating shift) noexcept nogil:
    """sum_i a[i] (x[i] - shift)"""
    cdef floating lane[LANES]
    cdef double total = 0
    cdef Py_ssize_t i = 0, l, s, steps
    while i + LANES <= n:
        steps = (n - i if n - i < BLOCK else BLOCK) // LANES
        for l in range(LANES):
            lane[l] = 0
        for s in range(steps):
            for l in range(LANES):
                lane[l] += a[i + s * LANES + l] * (x[i + s * LANES + l] - shift)
        for l in range(LANES):
            total += lane[l]
        i += steps * LANES
    while i < n:
        total += a[i] * (x[i] - shift)
        i += 1
    return total
