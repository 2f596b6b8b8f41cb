# The mean of every window of one plane.
#
# Letters: (h, w) pixel of the input, (i, j) pixel of the output.

from cython cimport floating

from minicnn.kernels._maxima cimport Pool, largest, smallest


cdef inline Py_ssize_t counted(const Pool* g, Py_ssize_t h, Py_ssize_t w,
                               bint with_padding) noexcept nogil:
    """The pixels that the mean of the window with corner (h, w) is over."""
    if with_padding:
        return ((smallest(h + g.KH, g.H + g.PH) - h) * (smallest(w + g.KW, g.W + g.PW) - w))
    return ((smallest(h + g.KH, g.H) - largest(h, 0)) * (smallest(w + g.KW, g.W) - largest(w, 0)))


cdef inline void plane_means(const floating* x, floating* y, const Pool* g,
                             bint with_padding) noexcept nogil:
    """One plane: y = sum of the window / its size."""
    cdef Py_ssize_t i, j, h, w, top, left
    cdef floating total
    for i in range(g.OH):
        top = i * g.SH - g.PH
        for j in range(g.OW):
            left = j * g.SW - g.PW
            total = 0
            for h in range(largest(top, 0), smallest(top + g.KH, g.H)):
                for w in range(largest(left, 0), smallest(left + g.KW, g.W)):
                    total += x[h * g.W + w]
            y[i * g.OW + j] = total / counted(g, top, left, with_padding)
