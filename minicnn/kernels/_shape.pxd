# The shape of one convolution, and the flat walk (_lower.pxd) that each pass over it is.
#
# Letters: i kernel row or column, oh output row, h input row.

from libc.math cimport INFINITY

from minicnn.kernels._lower cimport Walk, plan_walk
from minicnn.kernels._scratch cimport borrow, give_back


cdef struct Shape:
    Py_ssize_t batch, groups, channels, outputs        # channels and outputs of one group
    Py_ssize_t height, width, out_height, out_width
    Py_ssize_t kernel_h, kernel_w, stride_h, stride_w
    Py_ssize_t padding_h, padding_w, dilation_h, dilation_w
    int threads


cdef inline void forward_walk(Walk* g, const Shape* s) noexcept nogil:
    g.channels, g.height, g.width = s.channels, s.height, s.width
    g.taps_h, g.taps_w = s.kernel_h, s.kernel_w
    g.row_step, g.col_step = s.stride_h, s.stride_w
    g.rows, g.cols, g.outputs = s.out_height, s.out_width, s.outputs
    g.floor, g.block, g.kept = -INFINITY, 0, False


cdef inline Py_ssize_t* forward_taps(const Shape* s) noexcept nogil:
    """row0, col0 and tap of a forward walk, one table after the other."""
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, i
    cdef Py_ssize_t* row0 = <Py_ssize_t*> borrow(
        (s.kernel_h + s.kernel_w + kernel) * sizeof(Py_ssize_t))
    if row0 != NULL:
        for i in range(s.kernel_h):
            row0[i] = i * s.dilation_h - s.padding_h
        for i in range(s.kernel_w):
            row0[s.kernel_h + i] = i * s.dilation_w - s.padding_w
        for i in range(kernel):
            row0[s.kernel_h + s.kernel_w + i] = i
    return row0


cdef inline bint plan_forward(Walk* g, const Shape* s, Py_ssize_t batch, Py_ssize_t items,
                              Py_ssize_t join) noexcept nogil:
    cdef Py_ssize_t* row0 = forward_taps(s)
    cdef bint done = row0 != NULL and plan_walk(g, row0, row0 + s.kernel_h, batch, items, join)
    give_back(row0)
    return done
