# A convolution and the 2 x 2 maximum pooling behind it, in one: the convolution's own output is
# never stored.
#
# Letters: c input channel, r output channel, f phase, k = (c, i, j) tap, n flat position on the
# pooled grid.
#
#     y[r, n] = max over f = 0 ... 3 of  bias[r] + sum_k w[r, k] x[position k of window 2 n + f]
#
# The four values of a pooling window are the same sum over four places of the picture, a step of
# the convolution apart. So one flat walk (_lower.pxd) with twice the steps serves all four: its
# planes hold the rows and columns that any of them needs, and each phase has its table of offsets.
#
#     conv output        phases          four tiles in L1, the largest of each four goes on
#       0 1 0 1
#       2 3 2 3          f = 0   1          +----+ +----+ +----+ +----+         +----+
#       0 1 0 1              2   3          | t0 | | t1 | | t2 | | t3 |  max -> | y  |
#       2 3 2 3                             +----+ +----+ +----+ +----+         +----+
#
# Nothing has to be taken apart into even and odd columns but the input, which has fewer channels.

from cython cimport floating
from libc.math cimport INFINITY

from minicnn.kernels._lower cimport Walk, clip, free_walk, lower, plan_walk
from minicnn.kernels._maxima cimport larger
from minicnn.kernels._scratch cimport borrow, give_back, keep
from minicnn.kernels._shape cimport Shape, forward_walk
from minicnn.kernels._tile cimport COLS, ROWS, WalkTile, round_up, walk_tile


cdef enum:
    PHASES = 4


cdef struct Pooled:
    Walk walk               # of all phases together
    Py_ssize_t taps         # of one phase
    Py_ssize_t* off[PHASES]         # where the taps of a phase lie in the lowered planes ...
    Py_ssize_t* ramp[PHASES]        # ... and in a panel of edges


cdef inline Py_ssize_t both_phases(Py_ssize_t kernel, Py_ssize_t stride, Py_ssize_t dilation,
                                   Py_ssize_t padding, Py_ssize_t* first,
                                   Py_ssize_t* place) noexcept nogil:
    """first: the rows (or columns) that the taps of either phase begin at, ascending, each once.
    place[f * kernel + i]: which of them tap i of phase f begins at. Returns how many there are."""
    cdef Py_ssize_t f, i, t, at, value, n = 0
    for f in range(2):
        for i in range(kernel):
            value = i * dilation + f * stride - padding
            at = n
            while at > 0 and first[at - 1] > value:
                at -= 1
            if at > 0 and first[at - 1] == value:
                continue
            for t in range(n, at, -1):
                first[t] = first[t - 1]
            first[at] = value
            n += 1
    for f in range(2):
        for i in range(kernel):
            at = 0
            while first[at] != i * dilation + f * stride - padding:
                at += 1
            place[f * kernel + i] = at
    return n


cdef inline bint plan_pooled(Pooled* q, const Shape* s, Py_ssize_t rows, Py_ssize_t cols,
                             float floor, Py_ssize_t items) noexcept nogil:
    """Plan for a pooled grid of rows x cols, with `items` bands or more. False: no memory."""
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, f, c, i, j, k, at
    cdef Walk* g = &q.walk
    cdef Py_ssize_t* row0 = <Py_ssize_t*> borrow(4 * (s.kernel_h + s.kernel_w)
                                                 * sizeof(Py_ssize_t))
    cdef Py_ssize_t* col0 = row0 + 2 * s.kernel_h
    cdef Py_ssize_t* row = col0 + 2 * s.kernel_w
    cdef Py_ssize_t* col = row + 2 * s.kernel_h
    q.taps = s.channels * kernel
    q.off[0] = <Py_ssize_t*> keep(2 * PHASES * q.taps * sizeof(Py_ssize_t))
    g.table = NULL
    if row0 == NULL or q.off[0] == NULL:
        give_back(row0)
        return False
    forward_walk(g, s)
    g.taps_h = both_phases(s.kernel_h, s.stride_h, s.dilation_h, s.padding_h, row0, row)
    g.taps_w = both_phases(s.kernel_w, s.stride_w, s.dilation_w, s.padding_w, col0, col)
    g.row_step, g.col_step = 2 * s.stride_h, 2 * s.stride_w
    g.rows, g.cols, g.floor = rows, cols, floor
    g.block, g.kept = g.channels, True
    if not plan_walk(g, row0, col0, 1, items, 1):
        give_back(row0)
        return False
    for f in range(PHASES):
        q.off[f] = q.off[0] + 2 * f * q.taps
        q.ramp[f] = q.off[f] + q.taps
        for c in range(s.channels):
            for i in range(s.kernel_h):
                for j in range(s.kernel_w):
                    k = (c * s.kernel_h + i) * s.kernel_w + j
                    at = ((c * g.taps_h + row[f // 2 * s.kernel_h + i]) * g.taps_w
                          + col[f % 2 * s.kernel_w + j])
                    q.off[f][k] = g.off[at]
                    q.ramp[f][k] = g.ramp[at]
    give_back(row0)
    return True


cdef inline void free_pooled(Pooled* q) noexcept nogil:
    give_back(q.off[0])
    free_walk(&q.walk)


cdef inline Py_ssize_t pooled_scratch(const Pooled* q) noexcept nogil:
    """Numbers of scratch that pooled_pass needs: lowered planes, some slack, a panel."""
    cdef const Walk* g = &q.walk
    return round_up(g.plane + COLS + g.channels * g.taps_h * g.taps_w * COLS, 16)


cdef inline void largest(const floating* four, floating floor, floating* out, Py_ssize_t ld,
                         Py_ssize_t out_picture, Py_ssize_t rows, Py_ssize_t pieces,
                         Py_ssize_t wide) noexcept nogil:
    """out = max(floor, the largest of four tiles), for `pieces` runs of `wide` columns."""
    cdef Py_ssize_t p, r, n
    cdef floating v
    cdef const floating* t
    cdef floating* to
    for p in range(pieces):
        for r in range(rows):
            t = four + r * COLS + p * wide
            to = out + p * out_picture + r * ld
            for n in range(wide):
                v = larger(larger(t[n], t[ROWS * COLS + n]),
                           larger(t[2 * ROWS * COLS + n], t[3 * ROWS * COLS + n]))
                to[n] = floor if floor > v else v


cdef inline void pooled_strip(const Pooled* q, const floating* x, Py_ssize_t** off,
                              const floating* packed, const floating* start, floating* out,
                              Py_ssize_t ld, Py_ssize_t out_picture, Py_ssize_t pieces,
                              Py_ssize_t wide) noexcept nogil:
    """All output channels of one strip of COLS positions, or of `pieces` runs of `wide`."""
    cdef floating four[PHASES * ROWS * COLS]
    cdef const Walk* g = &q.walk
    cdef Py_ssize_t r0 = 0, f
    cdef WalkTile tile = walk_tile(g.tile, packed)
    while r0 < g.outputs:
        for f in range(PHASES):
            tile(x, off[f], packed, q.taps, start, <floating> -INFINITY, four + f * ROWS * COLS,
                 COLS)
        if wide == COLS:
            largest(<const floating*> four, <floating> g.floor, out, ld, out_picture,
                    clip(g.tile, 0, g.outputs - r0), 1, COLS)
        else:
            largest(<const floating*> four, <floating> g.floor, out, ld, out_picture,
                    clip(g.tile, 0, g.outputs - r0), pieces, wide)
        packed += q.taps * g.tile
        start += g.tile
        out += g.tile * ld
        r0 += g.tile


cdef inline void gather_edges(const Walk* g, const floating* x, Py_ssize_t wide,
                              floating* panel) noexcept nogil:
    """panel[k, n] = x[off[k] + n] for n < wide."""
    cdef Py_ssize_t k, n
    for k in range(g.channels * g.taps_h * g.taps_w):
        for n in range(wide):
            panel[k * COLS + n] = x[g.off[k] + n]


cdef inline void pooled_pass(const Pooled* q, const floating* source, Py_ssize_t source_picture,
                             Py_ssize_t pictures, Py_ssize_t band_row, const floating* packed,
                             const floating* start, floating* out, Py_ssize_t ld,
                             Py_ssize_t out_picture, floating* scratch) noexcept nogil:
    """One band of `pictures` pictures; `out` points at its first number. As walk_pass does, with
    the edges of several pictures joined."""
    cdef const Walk* g = &q.walk
    cdef Py_ssize_t size = clip(g.band, 0, g.rows - band_row) * g.cols, wide = size % COLS
    cdef Py_ssize_t whole = size - wide, p, n
    cdef floating* panel = scratch + g.plane + COLS
    cdef const floating* x = scratch
    for p in range(pictures):
        lower(g, source + p * source_picture, g.channels, band_row, scratch)
        for n in range(size // COLS):
            pooled_strip(q, x + n * COLS, <Py_ssize_t**> q.off, packed, start,
                         out + p * out_picture + n * COLS, ld, 0, 1, COLS)
        if wide and pictures > 1:
            gather_edges(g, x + whole, wide, panel + p * wide)
        elif wide:                                  # reads up to COLS numbers behind the planes
            pooled_strip(q, x + whole, <Py_ssize_t**> q.off, packed, start, out + whole, ld, 0,
                         1, wide)
    if wide and pictures > 1:
        pooled_strip(q, <const floating*> panel, <Py_ssize_t**> q.ramp, packed, start, out + whole,
                     ld, out_picture, pictures, wide)
