# Convolution and max pooling as a textbook writes them: the file to read first.
#
# Letters: b picture of the batch, o output channel, c input channel, (i, j) pixel of the output,
# (u, v) place in the window, (h, w) pixel of the input; s is the stride. There is no padding.
#
#     convolution     y[b, o, i, j] = bias[o] + sum_cuv weight[o, c, u, v] x[b, c, i s + u, j s + v]
#     max pooling     y[b, c, i, j] = max_uv x[b, c, i s + u, j s + v]
#
#          x                    window (i, j)             y
#        +-------------+          v = 0 1 2             +---------+
#        | . . . . . . |     u=0    * * *               | . . . . |
#        | . * * * . . |     u=1    * * *       -->     | . # . . |    one number a window
#        | . * * * . . |     u=2    * * *               | . . . . |
#        | . * * * . . |                                +---------+
#        +-------------+
#
# Design: none. The loops stand in the order of the letters in the formula, on one thread. Typed
# memoryviews and typed indices alone make C of them, without a Python object in the loops. Why
# they are still far from what the processor can do:
#
#   convolution   every addition waits for the one before it, and every number that is loaded is
#                 used once. conv.pyx keeps a tile of sums in registers instead (_tile.pxd).
#   max pooling   the processor cannot guess how the `if` will go. pool.pyx compares the windows
#                 of a row side by side, and has no branch.
#
# Nothing in minicnn calls these two: they are the fourth rung of `python -m benchmarks.ladder`.
# `fma_peak` and `copy_peak`, at the end, measure how high that ladder can reach: what a processor
# can calculate and what it can move at best.

from cython cimport floating
from libc.stdint cimport int32_t
from libc.string cimport memcpy

from minicnn.kernels._tile cimport COLS, ROWS


def conv2d_plain(const floating[:, :, :, ::1] x not None,
                 const floating[:, :, :, ::1] weight not None, const floating[::1] bias not None,
                 floating[:, :, :, ::1] y not None, Py_ssize_t stride):
    """y[b, o, i, j] = bias[o] + sum_cuv weight[o, c, u, v] x[b, c, i s + u, j s + v].

    x      IN  (B, C, H, W)
    weight IN  (O, C, KH, KW)
    bias   IN  (O,)
    y      OUT (B, O, OH, OW)
    """
    cdef Py_ssize_t b, o, i, j, c, u, v
    cdef floating total
    for b in range(y.shape[0]):
        for o in range(y.shape[1]):
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    total = bias[o]
                    for c in range(weight.shape[1]):
                        for u in range(weight.shape[2]):
                            for v in range(weight.shape[3]):
                                total += (weight[o, c, u, v]
                                          * x[b, c, i * stride + u, j * stride + v])
                    y[b, o, i, j] = total


def maxpool2d_plain(const floating[:, :, :, ::1] x not None, floating[:, :, :, ::1] y not None,
                    int32_t[:, :, :, ::1] mask not None, Py_ssize_t size, Py_ssize_t stride):
    """y[b, c, i, j] = max_uv x[b, c, i s + u, j s + v];  mask: the place h W + w of the winner.

    The first of equals wins, in row-major order. NaN, the only value that differs from itself,
    wins over numbers; of several the last one does.

    x    IN  (B, C, H, W)
    y    OUT (B, C, OH, OW)
    mask OUT (B, C, OH, OW)
    """
    cdef Py_ssize_t b, c, i, j, u, v, h, w, place
    cdef floating best, value
    for b in range(y.shape[0]):
        for c in range(y.shape[1]):
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    h, w = i * stride, j * stride
                    best, place = x[b, c, h, w], h * x.shape[3] + w
                    for u in range(size):
                        for v in range(size):
                            h, w = i * stride + u, j * stride + v
                            value = x[b, c, h, w]
                            if value > best or value != value:
                                best, place = value, h * x.shape[3] + w
                    y[b, c, i, j] = best
                    mask[b, c, i, j] = <int32_t> place


cdef float _converge(Py_ssize_t steps) noexcept nogil:
    """The sum of ROWS x COLS numbers a, after `steps` times a = a / 2 + 1: their limit is 2.

    One multiply-add a number and step, on registers alone: nothing is loaded, nothing is stored.
    The numbers start differently, for of equal ones the compiler would work out just one.
    """
    cdef float acc[ROWS * COLS]
    cdef Py_ssize_t n, _step
    cdef float total = 0
    for n in range(ROWS * COLS):
        acc[n] = <float> n
    for _step in range(steps):
        for n in range(ROWS * COLS):
            acc[n] = acc[n] * <float> 0.5 + 1
    for n in range(ROWS * COLS):
        total += acc[n]
    return total


def fma_peak(Py_ssize_t repetitions):
    """Do `repetitions` steps of ROWS x COLS independent multiply-adds; how many that were.

    Whoever times it learns what one core's arithmetic can do at best, in single precision. It does
    not hold the GIL: called from several Python threads it keeps as many cores busy.
    """
    cdef float total
    with nogil:
        total = _converge(repetitions)
    # Without a look at the result, the compiler might leave the work out.
    if not 0 < total < (ROWS * COLS) * (ROWS * COLS):
        raise ArithmeticError("fma_peak: the numbers do not converge")
    return repetitions * ROWS * COLS


def copy_peak(unsigned char[::1] a not None, unsigned char[::1] b not None,
              Py_ssize_t repetitions):
    """Copy a to b and b to a, as often as told; how many bytes were read and written.

    Whoever times it learns how fast so many bytes can be moved. Back and forth, for of copies in
    one direction the compiler might leave out all but the last. It does not hold the GIL either.

    a, b IN OUT of the same size
    """
    cdef Py_ssize_t size = a.shape[0], _repetition
    if b.shape[0] != size:
        raise ValueError(f"copy_peak: a has {size} bytes and b has {b.shape[0]}")
    if size == 0:
        return 0
    with nogil:
        for _repetition in range(repetitions):
            memcpy(&b[0], &a[0], size)
            memcpy(&a[0], &b[0], size)
    return 4 * size * repetitions
