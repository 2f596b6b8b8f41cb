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


cdef inline bint plan_forward(Walk* g, const Shape* s, Py_ssize_t batch, Py_ssize_t items,
                              Py_ssize_t join) noexcept nogil:
    """`plan_walk` for a walk that `forward_walk` has begun. False: no memory."""
    cdef Py_ssize_t* row0 = <Py_ssize_t*> borrow((s.kernel_h + s.kernel_w) * sizeof(Py_ssize_t))
    cdef Py_ssize_t* col0 = row0 + s.kernel_h
    cdef Py_ssize_t i
    cdef bint done
    if row0 == NULL:
        return False
    for i in range(s.kernel_h):
        row0[i] = i * s.dilation_h - s.padding_h
    for i in range(s.kernel_w):
        col0[i] = i * s.dilation_w - s.padding_w
    done = plan_walk(g, row0, col0, batch, items, join)
    give_back(row0)
    return done
