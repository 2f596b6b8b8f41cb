# Pooling: of every window the largest value, or the mean.
#
# Letters: b picture, c channel, (h, w) pixel of the input, (i, j) pixel of the output, (u, v)
# place in the window. Sizes: B, C, H, W; OH, OW; KH, KW; stride SH, SW; padding PH, PW; dilation
# DH, DW. A plane is one (b, c); planes are independent, and threads share them out.
#
# The loops over one plane are in _maxima.pxd, where to begin reading, and _means.pxd.

from cython cimport floating
from cython.parallel cimport prange
from libc.stdint cimport int32_t
from libc.string cimport memset

from minicnn.kernels._lanes cimport sum_shifted
from minicnn.kernels._maxima cimport Pool, largest, plane_maxima, smallest
from minicnn.kernels._means cimport counted, plane_means
from minicnn.kernels._threads cimport worth

cdef enum:
    LEAST = 32768       # output pixels times window size worth a thread


cdef Pool geometry(const Py_ssize_t* x, const Py_ssize_t* y, tuple kernel, tuple stride,
                   tuple padding, tuple dilation):
    cdef Pool g
    g.H, g.W = x[2], x[3]
    g.OH, g.OW = y[2], y[3]
    g.KH, g.KW = kernel
    g.SH, g.SW = stride
    g.PH, g.PW = padding
    g.DH, g.DW = dilation
    return g


def maxpool2d_forward(const floating[:, :, :, ::1] x not None, floating[:, :, :, ::1] y not None,
                      int32_t[:, :, :, ::1] mask, tuple kernel, tuple stride, tuple padding,
                      tuple dilation, int num_threads):
    """y[b, c, i, j] = max of x over window (i, j);  mask[b, c, i, j] = h W + w of the winner.

    The window's pixels are (i SH - PH + u DH, j SW - PW + v DW); those in the padding are left
    out, as if they were -inf. Writes y, and mask unless it is None.
    """
    cdef Pool g = geometry(&x.shape[0], &y.shape[0], kernel, stride, padding, dilation)
    cdef Py_ssize_t C = x.shape[1], planes = x.shape[0] * C, plane
    cdef bint record = mask is not None
    if planes * g.OH * g.OW == 0:
        return
    for plane in prange(planes, nogil=True,
                        num_threads=worth(planes * g.OH * g.OW * g.KH * g.KW, LEAST, num_threads)):
        plane_maxima(&x[plane // C, plane % C, 0, 0], &y[plane // C, plane % C, 0, 0],
                     &mask[plane // C, plane % C, 0, 0] if record else NULL, &g)


cdef inline void _route(const floating* dy, const floating* y, const int32_t* mask, floating* dx,
                        Py_ssize_t outputs, Py_ssize_t inputs, const bint relu) noexcept nogil:
    """One plane: every gradient goes to its winner. `+=`: a pixel may have won several windows.

    With relu, a winner of 0 or less gets nothing. Which ones those are nobody can guess, so 0 is
    added: a choice between two values, no branch.
    """
    cdef Py_ssize_t n
    cdef floating v
    memset(dx, 0, inputs * sizeof(floating))
    for n in range(outputs):
        v = dy[n]
        if relu and y[n] <= 0:
            v = 0
        if mask[n] >= 0:                # -1: a window with no pixel in it
            dx[mask[n]] += v


def maxpool2d_backward(const floating[:, :, :, ::1] dy not None,
                       const floating[:, :, :, ::1] y,
                       const int32_t[:, :, :, ::1] mask not None,
                       floating[:, :, :, ::1] dx not None, int num_threads):
    """dx[b, c, n] = sum of dy[b, c, i, j] over the windows with mask[b, c, i, j] = n. Writes dx.

    Unless y, the maxima, is None, back through a ReLU before the pooling too: where y <= 0, dy is
    dropped.
    """
    cdef Py_ssize_t C = dx.shape[1], planes = dx.shape[0] * C, plane
    cdef Py_ssize_t inputs = dx.shape[2] * dx.shape[3], outputs = dy.shape[2] * dy.shape[3]
    cdef bint relu = y is not None
    if planes * inputs == 0:
        return
    if outputs == 0:
        dx[:, :, :, :] = 0
        return
    for plane in prange(planes, nogil=True,
                        num_threads=worth(planes * inputs, LEAST, num_threads)):
        if relu:
            _route(&dy[plane // C, plane % C, 0, 0], &y[plane // C, plane % C, 0, 0],
                   &mask[plane // C, plane % C, 0, 0], &dx[plane // C, plane % C, 0, 0], outputs,
                   inputs, True)
        else:
            _route(&dy[plane // C, plane % C, 0, 0], <const floating*> NULL,
                   &mask[plane // C, plane % C, 0, 0], &dx[plane // C, plane % C, 0, 0], outputs,
                   inputs, False)


cdef void _share(const floating* dy, floating* dx, const Pool* g, bint with_padding) noexcept nogil:
    """One plane: every gradient is shared out over its window."""
    cdef Py_ssize_t i, j, h, w, top, left
    cdef floating part
    memset(dx, 0, g.H * g.W * sizeof(floating))
    for i in range(g.OH):
        top = i * g.SH - g.PH
        for j in range(g.OW):
            left = j * g.SW - g.PW
            part = dy[i * g.OW + j] / counted(g, top, left, with_padding)
            for h in range(largest(top, 0), smallest(top + g.KH, g.H)):
                for w in range(largest(left, 0), smallest(left + g.KW, g.W)):
                    dx[h * g.W + w] += part


def avgpool2d_forward(const floating[:, :, :, ::1] x not None, floating[:, :, :, ::1] y not None,
                      tuple kernel, tuple stride, tuple padding, bint count_include_pad,
                      int num_threads):
    """y[b, c, i, j] = mean of x over window (i, j). Writes y.

    The padding counts as zeros with count_include_pad, and not at all without; what lies beyond
    the padding never counts.
    """
    cdef Pool g = geometry(&x.shape[0], &y.shape[0], kernel, stride, padding, (1, 1))
    cdef Py_ssize_t C = x.shape[1], planes = x.shape[0] * C, plane
    if planes * g.OH * g.OW == 0:
        return
    for plane in prange(planes, nogil=True,
                        num_threads=worth(planes * g.OH * g.OW * g.KH * g.KW, LEAST, num_threads)):
        plane_means(&x[plane // C, plane % C, 0, 0], &y[plane // C, plane % C, 0, 0], &g,
                    count_include_pad)


def avgpool2d_backward(const floating[:, :, :, ::1] dy not None,
                       floating[:, :, :, ::1] dx not None, tuple kernel, tuple stride,
                       tuple padding, bint count_include_pad, int num_threads):
    """dx[b, c, n] = sum of dy[b, c, i, j] / size over the windows (i, j) that hold n. Writes dx."""
    cdef Pool g = geometry(&dx.shape[0], &dy.shape[0], kernel, stride, padding, (1, 1))
    cdef Py_ssize_t C = dx.shape[1], planes = dx.shape[0] * C, plane
    if planes * g.OH * g.OW == 0:
        dx[:, :, :, :] = 0
        return
    for plane in prange(planes, nogil=True,
                        num_threads=worth(planes * g.OH * g.OW * g.KH * g.KW, LEAST, num_threads)):
        _share(&dy[plane // C, plane % C, 0, 0], &dx[plane // C, plane % C, 0, 0], &g,
               count_include_pad)


def global_avgpool2d_forward(const floating[:, :, :, ::1] x not None,
                             floating[:, :, :, ::1] y not None, int num_threads):
    """y[b, c, 0, 0] = mean of x[b, c]. Writes y."""
    cdef Py_ssize_t C = x.shape[1], planes = x.shape[0] * C, P = x.shape[2] * x.shape[3], plane
    if planes * P == 0:
        return
    for plane in prange(planes, nogil=True, num_threads=worth(planes * P, LEAST, num_threads)):
        y[plane // C, plane % C, 0, 0] = <floating> (
            sum_shifted(&x[plane // C, plane % C, 0, 0], P, <floating> 0) / P)


def global_avgpool2d_backward(const floating[:, :, :, ::1] dy not None,
                              floating[:, :, :, ::1] dx not None, int num_threads):
    """dx[b, c, h, w] = dy[b, c, 0, 0] / (H W). Writes dx."""
    cdef Py_ssize_t C = dx.shape[1], planes = dx.shape[0] * C, P = dx.shape[2] * dx.shape[3]
    cdef Py_ssize_t plane, i
    cdef floating part
    cdef floating* to
    if planes * P == 0:
        return
    for plane in prange(planes, nogil=True, num_threads=worth(planes * P, LEAST, num_threads)):
        part = dy[plane // C, plane % C, 0, 0] / P
        to = &dx[plane // C, plane % C, 0, 0]
        for i in range(P):
            to[i] = part
