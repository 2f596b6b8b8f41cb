# One pass of the flat walk over a few pictures: lower, then micro-tiles, then the edges.
#
# Letters: p picture, r output channel, n flat position, k tap, c source channel.
#
# The output of one picture, seen as a matrix of outputs x (band * cols), is covered so:
#
#              n = 0      COLS     2 COLS          full      size
#       r = 0   +---------+---------+--- ... ---+---------+----+
#               |  tile   |  tile   |           |  tile   |edge|     tile by tile downwards,
#      tile     +---------+---------+--- ... ---+---------+----+     so that a strip of source
#               |  tile   |  tile   |           |  tile   |edge|     stays in L1 while all
#    outputs    +---------+---------+--- ... ---+---------+----+     output channels use it
#
# The edges of several pictures are put side by side into one panel [k][COLS], as many as
# fit, and then make one full tile.

from cython cimport floating

from minicnn.kernels._lower cimport Walk, clip, divide_up, lower
from minicnn.kernels._tile cimport COLS, ROWS, round_up, walk_tile


cdef inline void strip(const Walk* g, const floating* x, const Py_ssize_t* off,
                       const floating* packed, Py_ssize_t taps, const floating* start,
                       floating* out, Py_ssize_t ld, Py_ssize_t out_picture,
                       Py_ssize_t pieces, Py_ssize_t wide) noexcept nogil:
    """All output channels of one strip of COLS positions: `pieces` runs of `wide` columns,
    which lie out_picture apart in `out`. `start` is NULL in every pass but the first."""
    cdef floating stage[ROWS * COLS]
    cdef Py_ssize_t r0 = 0, rows
    cdef bint whole = pieces == 1 and wide == COLS
    while r0 < g.outputs:
        rows = clip(g.tile, 0, g.outputs - r0)
        if whole and rows == g.tile:
            walk_tile(x, off, packed, taps, start, out, ld, g.tile)
        else:
            if start == NULL:
                _exchange(stage, out, ld, out_picture, rows, pieces, wide, True)
            walk_tile(x, off, packed, taps, start, stage, COLS, g.tile)
            _exchange(stage, out, ld, out_picture, rows, pieces, wide, False)
        packed += taps * g.tile
        out += g.tile * ld
        if start != NULL:
            start += g.tile
        r0 += g.tile


cdef inline void _exchange(floating* stage, floating* out, Py_ssize_t ld, Py_ssize_t out_picture,
                           Py_ssize_t rows, Py_ssize_t pieces, Py_ssize_t wide,
                           bint load) noexcept nogil:
    """Load the staging tile from the output, or store it there: only the part that exists."""
    cdef Py_ssize_t p, r, n
    for p in range(pieces):
        for r in range(rows):
            for n in range(wide):
                if load:
                    stage[r * COLS + p * wide + n] = out[p * out_picture + r * ld + n]
                else:
                    out[p * out_picture + r * ld + n] = stage[r * COLS + p * wide + n]


cdef inline void _gather(const floating* x, Py_ssize_t x_picture, const Py_ssize_t* off,
                         Py_ssize_t taps, Py_ssize_t pieces, Py_ssize_t wide,
                         floating* panel) noexcept nogil:
    """panel[k, p * wide + n] = x[p][off[k] + n], and zero in the columns beyond."""
    cdef Py_ssize_t k, p, n
    for k in range(taps):
        for p in range(pieces):
            for n in range(wide):
                panel[p * wide + n] = x[p * x_picture + off[k] + n]
        for n in range(pieces * wide, COLS):
            panel[n] = 0
        panel += COLS


cdef inline Py_ssize_t walk_scratch(const Walk* g) noexcept nogil:
    """Numbers of scratch that walk_pass needs: lowered planes, some slack, a panel."""
    cdef Py_ssize_t planes = 0 if g.direct else g.pictures * g.plane
    return round_up(planes + COLS + g.block * g.taps_h * g.taps_w * COLS, 16)


cdef inline void walk_pass(const Walk* g, const floating* source, Py_ssize_t source_picture,
                           Py_ssize_t pictures, Py_ssize_t band_row, const floating* packed,
                           const floating* start, floating* out, Py_ssize_t ld,
                           Py_ssize_t out_picture, floating* scratch) noexcept nogil:
    """Compute one band of `pictures` pictures; `out` points at its first number.

    packed comes from `pack_weights`; start holds the bias of every output channel, filled up
    to whole tiles.
    """
    cdef Py_ssize_t size = clip(g.band, 0, g.rows - band_row) * g.cols
    cdef Py_ssize_t wide = size % COLS, full = size - size % COLS
    cdef Py_ssize_t together = COLS // wide if wide else 1
    cdef floating* panel = scratch + (0 if g.direct else g.pictures * g.plane) + COLS
    cdef const floating* planes
    cdef Py_ssize_t plane = source_picture if g.direct else g.plane
    cdef Py_ssize_t q, c0, channels, taps, p, n
    for q in range(divide_up(g.channels, g.block)):
        c0 = q * g.block
        channels = clip(g.block, 0, g.channels - c0)
        taps = channels * g.taps_h * g.taps_w
        planes = scratch
        if g.direct:
            planes = source + (c0 * g.height + band_row) * g.width
        else:
            for p in range(pictures):
                lower(g, source + p * source_picture + c0 * g.height * g.width, channels,
                      band_row, scratch + p * g.plane)
        for p in range(pictures):
            for n in range(full // COLS):
                strip(g, planes + p * plane + n * COLS, g.off, packed, taps, start,
                      out + p * out_picture + n * COLS, ld, 0, 1, COLS)
        if wide:
            p = 0
            while p < pictures:
                n = clip(together, 1, pictures - p)
                if n == 1 and not g.direct:        # slack behind the planes may be read
                    strip(g, planes + p * plane + full, g.off, packed, taps, start,
                          out + p * out_picture + full, ld, 0, 1, wide)
                else:
                    _gather(planes + p * plane + full, plane, g.off, taps, n, wide, panel)
                    strip(g, <const floating*> panel, g.ramp,
                          packed, taps, start, out + p * out_picture + full, ld, out_picture,
                          n, wide)
                p += n
        packed += taps * round_up(g.outputs, g.tile)
        start = NULL
