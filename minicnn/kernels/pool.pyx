# Pooling: of every window the largest value, or the mean.
#
# Letters: b picture, c channel, (h, w) pixel of the input, (i, j) pixel of the output, (u, v)
# place in the window. Sizes: B, C, H, W; OH, OW; KH, KW; stride SH, SW; padding PH, PW; dilation
# DH, DW. A plane is one (b, c); planes are independent, and threads share them out.
#
# Design. `_window` is the loop to read first: one window, from its corner, with an `if`. It is
# right for everything, and slow, for the processor cannot guess how the `if` will go. The rest
# of the file does the same for many windows at once:
#
#     x, row 2i      a b | c d | e f | g h          a row of windows 2x2; in each the four
#     x, row 2i+1    A B | C D | E F | G H          values are compared in the same order, on
#     y, row i        1     2     3     4           local variables, so that eight windows fill
#                                                   a vector register
#
# Other windows are taken apart: `_line` finds the maxima along one row of the input, for all
# windows side by side, and `_row` the maxima of these over the rows of the windows; rows that
# windows share are kept. Left before right and then top before bottom, with a strict >, leaves
# the first of equals in row-major order. A NaN breaks the rule that a maximum can be taken in any
# grouping, so rows with one in them go to `_window`.

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport INFINITY
from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from minicnn.kernels._lanes cimport sum_shifted
from minicnn.kernels._threads cimport worth

cdef enum:
    LEAST = 32768       # output pixels times window size worth a thread
    COLUMNS = 64        # windows of a row that `_row` handles at a time
    KEPT = 8            # rows of maxima that it keeps for the windows below


cdef struct Pool:
    Py_ssize_t H, W, OH, OW
    Py_ssize_t KH, KW, SH, SW, PH, PW, DH, DW


cdef inline Py_ssize_t largest(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a > b else b


cdef inline Py_ssize_t smallest(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a < b else b


cdef inline void _window(const floating* x, const Pool* g, Py_ssize_t i, Py_ssize_t j,
                         floating* value, int32_t* place) noexcept nogil:
    """The largest pixel of window (i, j) and its place h W + w; padding is not looked at.

    The first of equals wins. NaN, the only value that differs from itself, wins over numbers; of
    several the last one does, as in PyTorch. Without a pixel there is no winner: place -1.
    """
    cdef Py_ssize_t u, v, h, w, best = -1
    for u in range(g.KH):
        h = i * g.SH - g.PH + u * g.DH
        if h < 0 or h >= g.H:
            continue
        for v in range(g.KW):
            w = j * g.SW - g.PW + v * g.DW
            if w < 0 or w >= g.W:
                continue
            if best < 0 or x[h * g.W + w] > x[best] or x[h * g.W + w] != x[h * g.W + w]:
                best = h * g.W + w
    value[0] = x[best] if best >= 0 else -INFINITY
    place[0] = <int32_t> best


cdef inline bint _has_nan(const floating* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t w
    cdef int count = 0
    for w in range(n):
        count += x[w] != x[w]
    return count != 0


cdef inline void _pairs(const floating* top, const floating* bottom, int32_t first, int32_t W,
                        floating* value, int32_t* place, Py_ssize_t n) noexcept nogil:
    """n windows 2x2 side by side: `first` is the place of the first window's corner."""
    cdef Py_ssize_t j
    cdef floating a, b, c, d
    cdef int32_t p
    for j in range(n):
        a = top[2 * j]
        b = top[2 * j + 1]
        c = bottom[2 * j]
        d = bottom[2 * j + 1]
        p = 0
        if b > a:
            a = b
            p = 1
        if c > a:
            a = c
            p = W
        if d > a:
            a = d
            p = W + 1
        value[j] = a
        place[j] = first + 2 * <int32_t> j + p


cdef inline void _triples(const floating* x, const Py_ssize_t step, int32_t first, floating* value,
                          int32_t* place, Py_ssize_t n) noexcept nogil:
    """n windows 1x3, `step` apart: `first` is the place of the first window's first pixel."""
    cdef Py_ssize_t j
    cdef floating a, b, c
    cdef int32_t p
    for j in range(n):
        a = x[step * j]
        b = x[step * j + 1]
        c = x[step * j + 2]
        p = 0
        if b > a:
            a = b
            p = 1
        if c > a:
            a = c
            p = 2
        value[j] = a
        place[j] = first + <int32_t> (step * j) + p


cdef inline void _compare(const floating* x, const Py_ssize_t step, int32_t place, floating* best,
                          int32_t* winner, Py_ssize_t n) noexcept nogil:
    """best[j] = max(best[j], x[j step]), with the winner's place."""
    cdef Py_ssize_t j
    cdef floating a
    cdef int32_t p
    for j in range(n):
        a = best[j]
        p = winner[j]
        if x[j * step] > a:
            a = x[j * step]
            p = place + <int32_t> (j * step)
        best[j] = a
        winner[j] = p


cdef inline void _merge(const floating* x, const int32_t* place, floating* best, int32_t* winner,
                        Py_ssize_t n) noexcept nogil:
    """best[j] = max(best[j], x[j]), with the winner's place."""
    cdef Py_ssize_t j
    cdef floating a
    cdef int32_t p
    for j in range(n):
        a = best[j]
        p = winner[j]
        if x[j] > a:
            a = x[j]
            p = place[j]
        best[j] = a
        winner[j] = p


cdef inline void _line(const floating* x, const Pool* g, Py_ssize_t h, Py_ssize_t j0, Py_ssize_t n,
                       floating* best, int32_t* winner) noexcept nogil:
    """The maxima of row h alone in the windows of columns j0 to j0 + n - 1; -1 without a pixel."""
    cdef Py_ssize_t j, v, w = j0 * g.SW - g.PW, low, high
    if g.KW == 3 and g.DW == 1 and w >= 0 and w + (n - 1) * g.SW + 3 <= g.W and g.SW <= 2:
        w += h * g.W
        if g.SW == 1:
            _triples(x + w, 1, <int32_t> w, best, winner, n)
        else:
            _triples(x + w, 2, <int32_t> w, best, winner, n)
        return
    for j in range(n):
        best[j] = -INFINITY
        winner[j] = -1
    for v in range(g.KW):
        w = v * g.DW - g.PW                     # of window j: w + j SW; keep 0 <= that < W
        low = largest(0, (g.SW - 1 - w) // g.SW - j0 if w < 0 else -j0)
        high = smallest(n, (g.W - w + g.SW - 1) // g.SW - j0 if g.W > w else 0)
        if low >= high:
            continue
        w += h * g.W + (j0 + low) * g.SW
        if g.SW == 1:
            _compare(x + w, 1, <int32_t> w, best + low, winner + low, high - low)
        elif g.SW == 2:
            _compare(x + w, 2, <int32_t> w, best + low, winner + low, high - low)
        else:
            _compare(x + w, g.SW, <int32_t> w, best + low, winner + low, high - low)


cdef struct Lines:
    # What `_line` found last for one block of columns, by row of the input; h < 0: nothing yet.
    Py_ssize_t h[KEPT]
    int32_t winner[KEPT][COLUMNS]


cdef inline void _row(const floating* x, const Pool* g, Py_ssize_t i, Py_ssize_t j0, Py_ssize_t n,
                      Lines* kept, floating* lines, floating* best,
                      int32_t* winner) noexcept nogil:
    """Windows (i, j0) to (i, j0 + n - 1); the maxima of kept row h are lines[h % KEPT]."""
    cdef Py_ssize_t j, u, h, slot
    cdef bint started = False
    for u in range(g.KH):
        h = i * g.SH - g.PH + u * g.DH
        if h < 0 or h >= g.H:
            continue
        slot = h % KEPT
        if kept.h[slot] != h:
            _line(x, g, h, j0, n, lines + slot * COLUMNS, kept.winner[slot])
            kept.h[slot] = h
        if started:
            _merge(lines + slot * COLUMNS, kept.winner[slot], best, winner, n)
        else:
            memcpy(best, lines + slot * COLUMNS, n * sizeof(floating))
            memcpy(winner, kept.winner[slot], n * sizeof(int32_t))
            started = True
    if not started:
        for j in range(n):
            winner[j] = -1


cdef inline void _slow_windows(const floating* x, const Pool* g, Py_ssize_t i, Py_ssize_t j0,
                               Py_ssize_t n, bint nan, floating* best,
                               int32_t* winner) noexcept nogil:
    """Do again what the fast loops cannot know: windows with a NaN, windows of nothing but -inf."""
    cdef Py_ssize_t j
    cdef int32_t lowest = 0
    for j in range(n):
        lowest = winner[j] if winner[j] < lowest else lowest
    if nan or lowest < 0:
        for j in range(n):
            if nan or winner[j] < 0:
                _window(x, g, i, j0 + j, &best[j], &winner[j])


cdef void _plane(const floating* x, floating* y, int32_t* mask, const Pool* g) noexcept nogil:
    """One plane, block of columns by block of columns; mask is NULL when nobody will ask for it."""
    cdef Py_ssize_t block, j0, n
    for block in range((g.OW + COLUMNS - 1) // COLUMNS):
        j0 = block * COLUMNS
        n = smallest(COLUMNS, g.OW - j0)
        _block(x, y + j0, mask + j0 if mask != NULL else NULL, g, j0, n)


cdef inline void _block(const floating* x, floating* y, int32_t* mask, const Pool* g,
                        Py_ssize_t j0, Py_ssize_t n) noexcept nogil:
    """The windows of columns j0 to j0 + n - 1, row by row."""
    cdef floating best[COLUMNS]
    cdef int32_t winner[COLUMNS]
    cdef floating lines[KEPT * COLUMNS]
    cdef Lines kept
    cdef bint pairs = (g.KH == 2 and g.KW == 2 and g.SH == 2 and g.SW == 2 and g.PH == 0
                       and g.PW == 0 and g.DH == 1 and g.DW == 1 and 2 * g.OW <= g.W)
    cdef bint nan
    cdef Py_ssize_t i, top, bottom
    for i in range(KEPT):
        kept.h[i] = -1
    for i in range(g.OH):
        top = largest(0, i * g.SH - g.PH)
        bottom = smallest(g.H, i * g.SH - g.PH + (g.KH - 1) * g.DH + 1)
        nan = _has_nan(x + top * g.W, (bottom - top) * g.W) if bottom > top else False
        if pairs and not nan and bottom == top + 2:
            _pairs(x + top * g.W + 2 * j0, x + top * g.W + g.W + 2 * j0,
                   <int32_t> (top * g.W + 2 * j0), <int32_t> g.W, best, winner, n)
        else:
            _row(x, g, i, j0, n, &kept, lines, best, winner)
            _slow_windows(x, g, i, j0, n, nan, best, winner)
        memcpy(y + i * g.OW, best, n * sizeof(floating))
        if mask != NULL:
            memcpy(mask + i * g.OW, winner, n * sizeof(int32_t))


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
        _plane(&x[plane // C, plane % C, 0, 0], &y[plane // C, plane % C, 0, 0],
               &mask[plane // C, plane % C, 0, 0] if record else NULL, &g)


cdef inline void _route(const floating* dy, const int32_t* mask, floating* dx, Py_ssize_t outputs,
                        Py_ssize_t inputs) noexcept nogil:
    """One plane: every gradient goes to its winner. `+=`: a pixel may have won several windows."""
    cdef Py_ssize_t n
    memset(dx, 0, inputs * sizeof(floating))
    for n in range(outputs):
        if mask[n] >= 0:                # -1: a window with no pixel in it
            dx[mask[n]] += dy[n]


def maxpool2d_backward(const floating[:, :, :, ::1] dy not None,
                       const int32_t[:, :, :, ::1] mask not None,
                       floating[:, :, :, ::1] dx not None, int num_threads):
    """dx[b, c, n] = sum of dy[b, c, i, j] over the windows with mask[b, c, i, j] = n. Writes dx."""
    cdef Py_ssize_t C = dx.shape[1], planes = dx.shape[0] * C, plane
    cdef Py_ssize_t inputs = dx.shape[2] * dx.shape[3], outputs = dy.shape[2] * dy.shape[3]
    if planes * inputs == 0:
        return
    if outputs == 0:
        dx[:, :, :, :] = 0
        return
    for plane in prange(planes, nogil=True,
                        num_threads=worth(planes * inputs, LEAST, num_threads)):
        _route(&dy[plane // C, plane % C, 0, 0], &mask[plane // C, plane % C, 0, 0],
               &dx[plane // C, plane % C, 0, 0], outputs, inputs)


cdef inline Py_ssize_t _counted(const Pool* g, Py_ssize_t h, Py_ssize_t w,
                                bint with_padding) noexcept nogil:
    """The pixels that the mean of the window with corner (h, w) is over."""
    if with_padding:
        return ((smallest(h + g.KH, g.H + g.PH) - h) * (smallest(w + g.KW, g.W + g.PW) - w))
    return ((smallest(h + g.KH, g.H) - largest(h, 0)) * (smallest(w + g.KW, g.W) - largest(w, 0)))


cdef void _average(const floating* x, floating* y, const Pool* g, bint with_padding) noexcept nogil:
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
            y[i * g.OW + j] = total / _counted(g, top, left, with_padding)


cdef void _share(const floating* dy, floating* dx, const Pool* g, bint with_padding) noexcept nogil:
    """One plane: every gradient is shared out over its window."""
    cdef Py_ssize_t i, j, h, w, top, left
    cdef floating part
    memset(dx, 0, g.H * g.W * sizeof(floating))
    for i in range(g.OH):
        top = i * g.SH - g.PH
        for j in range(g.OW):
            left = j * g.SW - g.PW
            part = dy[i * g.OW + j] / _counted(g, top, left, with_padding)
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
        _average(&x[plane // C, plane % C, 0, 0], &y[plane // C, plane % C, 0, 0], &g,
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
