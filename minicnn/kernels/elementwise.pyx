# Activations: one number in, one number out.
#
# Letters: i element, p piece.
#
# Design. Each function cuts its arrays into pieces of PIECE elements, which threads share out, and
# leaves the piece to an inner loop over plain pointers: with nothing in it but arithmetic and a
# choice between two values, the C compiler makes it vector code. `if` on a local variable is
# such a choice; a store inside an `if` would be a branch.

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport tanh

from minicnn.kernels._exp cimport exp_negative
from minicnn.kernels._threads cimport PIECE, worth

cdef enum:
    CHEAP = 65536       # elements worth a thread: two loads, a store
    COSTLY = 8192       # the same with an exponential in it


cdef inline Py_ssize_t pieces_of(Py_ssize_t n) noexcept nogil:
    return (n + PIECE - 1) // PIECE


cdef inline Py_ssize_t length(Py_ssize_t n, Py_ssize_t p) noexcept nogil:
    """Elements of piece p."""
    return PIECE if n - p * PIECE > PIECE else n - p * PIECE


cdef inline void _relu(const floating* x, floating* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v
    for i in range(n):
        v = x[i]
        if v <= 0:
            v = 0
        y[i] = v


def relu_forward(const floating[::1] x not None, floating[::1] y not None, int num_threads):
    """y[i] = max(x[i], 0); NaN stays. Writes y."""
    cdef Py_ssize_t n = x.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        _relu(&x[p * PIECE], &y[p * PIECE], length(n, p))


cdef inline void _relu_back(const floating* dy, const floating* y, floating* dx,
                            Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v
    for i in range(n):
        v = dy[i]
        if y[i] <= 0:
            v = 0
        dx[i] = v


def relu_backward(const floating[::1] dy not None, const floating[::1] y not None,
                  floating[::1] dx not None, int num_threads):
    """dx[i] = 0 where y[i] <= 0, else dy[i]. Writes dx."""
    cdef Py_ssize_t n = y.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        _relu_back(&dy[p * PIECE], &y[p * PIECE], &dx[p * PIECE], length(n, p))


cdef inline void _leaky(const floating* choice, const floating* x, floating* y, floating slope,
                        Py_ssize_t n) noexcept nogil:
    """y[i] = x[i] where choice[i] > 0, else slope x[i]: forward with choice x, backward too."""
    cdef Py_ssize_t i
    cdef floating v
    for i in range(n):
        v = x[i] * slope
        if choice[i] > 0:
            v = x[i]
        y[i] = v


def leaky_relu_forward(const floating[::1] x not None, floating[::1] y not None,
                       double negative_slope, int num_threads):
    """y[i] = x[i] where x[i] > 0, else negative_slope x[i]. Writes y."""
    cdef Py_ssize_t n = x.shape[0], p
    cdef floating slope = <floating> negative_slope
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        _leaky(&x[p * PIECE], &x[p * PIECE], &y[p * PIECE], slope, length(n, p))


def leaky_relu_backward(const floating[::1] dy not None, const floating[::1] x not None,
                        floating[::1] dx not None, double negative_slope, int num_threads):
    """dx[i] = dy[i] where x[i] > 0, else negative_slope dy[i]. Writes dx."""
    cdef Py_ssize_t n = x.shape[0], p
    cdef floating slope = <floating> negative_slope
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        _leaky(&x[p * PIECE], &dy[p * PIECE], &dx[p * PIECE], slope, length(n, p))


cdef inline void _sigmoid(const floating* x, floating* y, Py_ssize_t n) noexcept nogil:
    """By way of e = exp(-|x|), which cannot overflow: 1 / (1 + e), or e / (1 + e) left of 0."""
    cdef Py_ssize_t i
    cdef floating v, e, top
    for i in range(n):
        v = x[i]
        if v > 0:
            v = -v
        e = exp_negative(v)
        top = 1
        if x[i] < 0:
            top = e
        y[i] = top / (1 + e)


def sigmoid_forward(const floating[::1] x not None, floating[::1] y not None, int num_threads):
    """y[i] = 1 / (1 + exp(-x[i])). Writes y."""
    cdef Py_ssize_t n = x.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, COSTLY, num_threads)):
        _sigmoid(&x[p * PIECE], &y[p * PIECE], length(n, p))


cdef inline void _sigmoid_back(const floating* dy, const floating* y, floating* dx,
                               Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        dx[i] = dy[i] * (y[i] * (1 - y[i]))


def sigmoid_backward(const floating[::1] dy not None, const floating[::1] y not None,
                     floating[::1] dx not None, int num_threads):
    """dx[i] = dy[i] y[i] (1 - y[i]). Writes dx."""
    cdef Py_ssize_t n = y.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        _sigmoid_back(&dy[p * PIECE], &y[p * PIECE], &dx[p * PIECE], length(n, p))


cdef inline void _tanh(const floating* x, floating* y, Py_ssize_t n) noexcept nogil:
    """With e = exp(-2|x|): (1 - e) / (1 + e) and the sign of x. Near 0, where 1 - e loses digits,
    Cephes' polynomial (S. L. Moshier, tanhf): x + x^3 P(x^2)."""
    cdef Py_ssize_t i
    cdef floating a, e, far, z, near
    if floating is double:
        for i in range(n):
            y[i] = tanh(x[i])
    else:
        for i in range(n):
            a = x[i]
            if a < 0:
                a = -a
            e = exp_negative(-2 * a)
            far = (1 - e) / (1 + e)
            z = a * a
            near = <float> -5.70498872745e-3
            near = near * z + <float> 2.06390887954e-2
            near = near * z + <float> -5.37397155531e-2
            near = near * z + <float> 1.33314422036e-1
            near = near * z + <float> -3.33332819422e-1
            near = near * z * a + a
            if a < <float> 0.625:
                far = near
            if x[i] < 0:
                far = -far
            y[i] = far


def tanh_forward(const floating[::1] x not None, floating[::1] y not None, int num_threads):
    """y[i] = tanh x[i]. Writes y."""
    cdef Py_ssize_t n = x.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, COSTLY, num_threads)):
        _tanh(&x[p * PIECE], &y[p * PIECE], length(n, p))


cdef inline void _tanh_back(const floating* dy, const floating* y, floating* dx,
                            Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        dx[i] = dy[i] * (1 - y[i] * y[i])


def tanh_backward(const floating[::1] dy not None, const floating[::1] y not None,
                  floating[::1] dx not None, int num_threads):
    """dx[i] = dy[i] (1 - y[i]^2). Writes dx."""
    cdef Py_ssize_t n = y.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        _tanh_back(&dy[p * PIECE], &y[p * PIECE], &dx[p * PIECE], length(n, p))
