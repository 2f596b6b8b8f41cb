# Optimizers: one step for every value of a parameter; the length of gradients, for clipping.
#
# Letters: i value, p piece, l lane; theta parameter, g its gradient, v and m what the optimizer
# remembers.
#
# Design. A step of SGD hardly computes: it costs what reading and writing its arrays costs. Adam's
# costs its root and its division, so that it divides once a value: the division by the step's
# sqrt(1 - beta_2^step) is a product with `widen`. Arrays are cut into pieces, which threads share
# out; what is a choice for the whole step (is there a decay of the weights?) the compiler takes out
# of the loop. A sum is taken piece by piece, in LANES partial sums that a compiler may keep in
# vector registers, and over the pieces in their order, so that threads do not change its bits.

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport sqrt, sqrtf

from minicnn.kernels._scratch cimport borrow, give_back
from minicnn.kernels._threads cimport PIECE, worth

cdef enum:
    LEAST = 65536       # values worth a thread
    LANES = 32          # partial sums of a piece


cdef inline floating root(floating x) noexcept nogil:
    return sqrtf(x) if floating is float else sqrt(x)


cdef inline void descend(floating* theta, const floating* g, Py_ssize_t n, floating rate,
                         floating decay) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        theta[i] -= rate * (g[i] + decay * theta[i] if decay != 0 else g[i])


cdef inline void roll(floating* theta, const floating* g, floating* v, Py_ssize_t n, floating rate,
                      floating momentum, bint nesterov, floating decay) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating slope, speed
    for i in range(n):
        slope = g[i] + decay * theta[i] if decay != 0 else g[i]
        speed = momentum * v[i] + slope
        v[i] = speed
        theta[i] -= rate * (slope + momentum * speed if nesterov else speed)


def sgd_update(floating[::1] theta not None, const floating[::1] g not None, floating[::1] v,
               double lr, double momentum, bint nesterov, double weight_decay, int num_threads):
    """g' = g + weight_decay theta;  v = momentum v + g';  theta -= lr v, or with nesterov
    lr (g' + momentum v). Without v: theta -= lr g'. Writes theta and v.
    """
    cdef Py_ssize_t size = theta.shape[0], p, n
    cdef bint rolling = v is not None
    for p in prange((size + PIECE - 1) // PIECE, nogil=True,
                    num_threads=worth(size, LEAST, num_threads)):
        n = PIECE if size - p * PIECE > PIECE else size - p * PIECE
        if rolling:
            roll(&theta[p * PIECE], &g[p * PIECE], &v[p * PIECE], n, <floating> lr,
                 <floating> momentum, nesterov, <floating> weight_decay)
        else:
            descend(&theta[p * PIECE], &g[p * PIECE], n, <floating> lr, <floating> weight_decay)


cdef inline void adapt(floating* theta, const floating* g, floating* m, floating* v, Py_ssize_t n,
                       floating keep, floating take_m, floating keep_v, floating take_v,
                       floating widen, floating eps, floating rate,
                       floating decay) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating slope
    for i in range(n):
        slope = g[i] + decay * theta[i] if decay != 0 else g[i]
        m[i] += take_m * (slope - m[i])
        v[i] = keep_v * v[i] + take_v * (slope * slope)
        theta[i] = keep * theta[i] - rate * (m[i] / (root(v[i]) * widen + eps))


def adam_update(floating[::1] theta not None, const floating[::1] g not None,
                floating[::1] m not None, floating[::1] v not None, double lr, double beta_1,
                double beta_2, double eps, double weight_decay, bint decoupled, Py_ssize_t step,
                int num_threads):
    """g' = g + weight_decay theta;  m += (1 - beta_1) (g' - m);  v = beta_2 v + (1 - beta_2) g'^2;
    theta -= lr m^ / (sqrt(v^) + eps)  with  m^ = m / (1 - beta_1^step), v^ alike.

    Where decoupled is true, g' = g and theta is first made smaller by lr weight_decay theta.
    Writes theta, m and v.
    """
    cdef Py_ssize_t size = theta.shape[0], p, n
    cdef double rate = lr / (1 - beta_1 ** step), widen = 1 / sqrt(1 - beta_2 ** step)
    cdef double keep = 1 - lr * weight_decay if decoupled else 1
    cdef double decay = 0 if decoupled else weight_decay
    for p in prange((size + PIECE - 1) // PIECE, nogil=True,
                    num_threads=worth(size, LEAST, num_threads)):
        n = PIECE if size - p * PIECE > PIECE else size - p * PIECE
        adapt(&theta[p * PIECE], &g[p * PIECE], &m[p * PIECE], &v[p * PIECE], n, <floating> keep,
              <floating> (1 - beta_1), <floating> beta_2, <floating> (1 - beta_2),
              <floating> widen, <floating> eps, <floating> rate, <floating> decay)


cdef inline double squares(const floating* g, Py_ssize_t n) noexcept nogil:
    """sum_i g[i]^2, in double: the squares of large float32 numbers are beyond float32."""
    cdef double lane[LANES]
    cdef double total = 0
    cdef Py_ssize_t i = 0, l
    for l in range(LANES):
        lane[l] = 0
    while i + LANES <= n:
        for l in range(LANES):
            lane[l] += <double> g[i + l] * <double> g[i + l]
        i += LANES
    for l in range(LANES):
        total += lane[l]
    for i in range(i, n):
        total += <double> g[i] * <double> g[i]
    return total


def sum_of_squares(const floating[::1] g not None, int num_threads):
    """sum_i g[i]^2, in float64."""
    cdef Py_ssize_t size = g.shape[0], count = (size + PIECE - 1) // PIECE, p, n
    cdef double total = 0
    cdef double* part = <double*> borrow(count * sizeof(double))
    if part == NULL:
        raise MemoryError("sum_of_squares: no memory for scratch")
    with nogil:
        for p in prange(count, num_threads=worth(size, LEAST, num_threads)):
            n = PIECE if size - p * PIECE > PIECE else size - p * PIECE
            part[p] = squares(&g[p * PIECE], n)
        for p in range(count):
            total += part[p]
    give_back(part)
    return total
