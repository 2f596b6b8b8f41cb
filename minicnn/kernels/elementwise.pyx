# Activations: one number in, one number out.
#
# Letters: i element, p piece.
#
# Design. Each function cuts its arrays into pieces of PIECE elements, which threads share out, and
# leaves the piece to an inner loop over plain pointers, here or in _activations.pxd.

from cython cimport floating
from cython.parallel cimport prange

from minicnn.kernels._activations cimport hyperbolic_tangent, leaky_relu, relu, sigmoid
from minicnn.kernels._threads cimport PIECE, worth

cdef enum:
    CHEAP = 65536       # elements worth a thread: two loads, a store
    COSTLY = 8192       # the same with an exponential in it


cdef inline Py_ssize_t pieces_of(Py_ssize_t n) noexcept nogil:
    return (n + PIECE - 1) // PIECE


cdef inline Py_ssize_t length(Py_ssize_t n, Py_ssize_t p) noexcept nogil:
    """Elements of piece p."""
    return PIECE if n - p * PIECE > PIECE else n - p * PIECE


def relu_forward(const floating[::1] x not None, floating[::1] y not None, int num_threads):
    """y[i] = max(x[i], 0); NaN stays. Writes y."""
    cdef Py_ssize_t n = x.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        relu(&x[p * PIECE], &y[p * PIECE], length(n, p))


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


def leaky_relu_forward(const floating[::1] x not None, floating[::1] y not None,
                       double negative_slope, int num_threads):
    """y[i] = x[i] where x[i] > 0, else negative_slope x[i]. Writes y."""
    cdef Py_ssize_t n = x.shape[0], p
    cdef floating slope = <floating> negative_slope
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        leaky_relu(&x[p * PIECE], &x[p * PIECE], &y[p * PIECE], slope, length(n, p))


def leaky_relu_backward(const floating[::1] dy not None, const floating[::1] x not None,
                        floating[::1] dx not None, double negative_slope, int num_threads):
    """dx[i] = dy[i] where x[i] > 0, else negative_slope dy[i]. Writes dx."""
    cdef Py_ssize_t n = x.shape[0], p
    cdef floating slope = <floating> negative_slope
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, CHEAP, num_threads)):
        leaky_relu(&x[p * PIECE], &dy[p * PIECE], &dx[p * PIECE], slope, length(n, p))


def sigmoid_forward(const floating[::1] x not None, floating[::1] y not None, int num_threads):
    """y[i] = 1 / (1 + exp(-x[i])). Writes y."""
    cdef Py_ssize_t n = x.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, COSTLY, num_threads)):
        sigmoid(&x[p * PIECE], &y[p * PIECE], length(n, p))


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


def tanh_forward(const floating[::1] x not None, floating[::1] y not None, int num_threads):
    """y[i] = tanh x[i]. Writes y."""
    cdef Py_ssize_t n = x.shape[0], p
    for p in prange(pieces_of(n), nogil=True, num_threads=worth(n, COSTLY, num_threads)):
        hyperbolic_tangent(&x[p * PIECE], &y[p * PIECE], length(n, p))


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
