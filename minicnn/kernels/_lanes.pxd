# Sums of many numbers, fast and exact enough.
#
# Letters: i element, l lane, s step.
#
# LANES partial sums side by side are what a compiler can keep in vector registers without
# being allowed to reorder additions. A lane adds up BLOCK / LANES numbers in the precision of
# the data, the lanes are added up in halves, and blocks in double: the rounding error is that of
# a sum of 64 numbers, however long the array is. The order depends on the length alone.

from cython cimport floating

cdef enum:
    LANES = 32
    BLOCK = 2048


cdef inline double lanes_total(const floating* lane) noexcept nogil:
    """The sum of LANES numbers, in halves."""
    cdef floating part[LANES]
    cdef Py_ssize_t l
    for l in range(LANES // 2):
        part[l] = lane[l] + lane[l + LANES // 2]
    for l in range(LANES // 4):
        part[l] += part[l + LANES // 4]
    for l in range(LANES // 8):
        part[l] += part[l + LANES // 8]
    return (<double> part[0] + part[2]) + (<double> part[1] + part[3])


cdef inline double sum_shifted(const floating* x, Py_ssize_t n, floating shift) noexcept nogil:
    """sum_i (x[i] - shift)"""
    cdef floating lane[LANES]
    cdef double total = 0
    cdef Py_ssize_t i = 0, l, s, steps
    while i + LANES <= n:
        steps = (n - i if n - i < BLOCK else BLOCK) // LANES
        for l in range(LANES):
            lane[l] = x[i + l] - shift
        for s in range(1, steps):
            for l in range(LANES):
                lane[l] += x[i + s * LANES + l] - shift
        total += lanes_total(<const floating*> lane)
        i += steps * LANES
    for l in range(i, n):
        total += x[l] - shift
    return total


cdef inline void add_moments(const floating* x, Py_ssize_t n, floating shift, double* total,
                             double* squares) noexcept nogil:
    """total += sum_i (x[i] - shift);  squares += sum_i (x[i] - shift)^2."""
    cdef floating lane[LANES]
    cdef floating square[LANES]
    cdef floating d
    cdef Py_ssize_t i = 0, l, s, steps
    while i + LANES <= n:
        steps = (n - i if n - i < BLOCK else BLOCK) // LANES
        for l in range(LANES):
            d = x[i + l] - shift
            lane[l] = d
            square[l] = d * d
        for s in range(1, steps):
            for l in range(LANES):
                d = x[i + s * LANES + l] - shift
                lane[l] += d
                square[l] += d * d
        total[0] += lanes_total(<const floating*> lane)
        squares[0] += lanes_total(<const floating*> square)
        i += steps * LANES
    for l in range(i, n):
        d = x[l] - shift
        total[0] += d
        squares[0] += d * d


cdef inline floating passed(floating v, floating x, floating scale, floating shift,
                            const bint relu) noexcept nogil:
    """A gradient v before a ReLU of x scale + shift; v where there is no ReLU."""
    if relu and x * scale + shift <= 0:
        v = 0
    return v


cdef inline void add_products(const floating* dy, const floating* x, Py_ssize_t n, floating scale,
                              floating shift, floating mean, const bint relu, double* products,
                              double* total) noexcept nogil:
    """products += sum_i dy[i] (x[i] - mean);  total += sum_i dy[i], with dy `passed` back."""
    cdef floating product[LANES]
    cdef floating lane[LANES]
    cdef floating v
    cdef Py_ssize_t i = 0, l, s, steps, at
    while i + LANES <= n:
        steps = (n - i if n - i < BLOCK else BLOCK) // LANES
        for l in range(LANES):
            v = passed(dy[i + l], x[i + l], scale, shift, relu)
            product[l] = v * (x[i + l] - mean)
            lane[l] = v
        for s in range(1, steps):
            for l in range(LANES):
                at = i + s * LANES + l
                v = passed(dy[at], x[at], scale, shift, relu)
                product[l] += v * (x[at] - mean)
                lane[l] += v
        products[0] += lanes_total(<const floating*> product)
        total[0] += lanes_total(<const floating*> lane)
        i += steps * LANES
    for l in range(i, n):
        v = passed(dy[l], x[l], scale, shift, relu)
        products[0] += v * (x[l] - mean)
        total[0] += v
