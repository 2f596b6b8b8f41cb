# Activations of a run of numbers. Each inner loop is over plain pointers: with nothing in it but
# arithmetic and a choice between two values, the C compiler makes it vector code. `if` on a
# local variable is such a choice; a store inside an `if` would be a branch.
#
# Letters: i element.

from cython cimport floating
from libc.math cimport tanh

from minicnn.kernels._exp cimport exp_negative


cdef inline void relu(const floating* x, floating* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v
    for i in range(n):
        v = x[i]
        if v < 0:
            v = 0
        y[i] = v


cdef inline void leaky_relu(const floating* choice, const floating* x, floating* y,
                            floating slope, Py_ssize_t n) noexcept nogil:
    """y[i] = x[i] where choice[i] > 0, else slope x[i]: forward with choice x, backward too."""
    cdef Py_ssize_t i
    cdef floating v
    for i in range(n):
        v = x[i] * slope
        if choice[i] > 0:
            v = x[i]
        y[i] = v


cdef inline void sigmoid(const floating* x, floating* y, Py_ssize_t n) noexcept nogil:
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


cdef inline void hyperbolic_tangent(const floating* x, floating* y, Py_ssize_t n) noexcept nogil:
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
