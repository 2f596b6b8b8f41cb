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
from libc.math cimport INFINITY

from minicnn.kernels._lower cimport Walk, clip, lower
from minicnn.kernels._tile cimport COLS, ROWS, WalkTile, round_up, walk_tile


cdef inline void strip(const Walk* g, const floating* x, const Py_ssize_t* off,
                       const floating* packed, Py_ssize_t taps, const floating* start,
                       floating floor, floating* out, Py_ssize_t ld, Py_ssize_t out_picture,
                       Py_ssize_t pieces, Py_ssize_t wide) noexcept nogil:
    """All output channels of one strip of COLS positions: `pieces` runs of `wide` columns,
    which lie out_picture apart in `out`. `start` is NULL in every pass but the first, `floor`
    -inf in every pass but the last."""
    cdef floating stage[ROWS * COLS]
    cdef Py_ssize_t r0 = 0, rows
    cdef bint whole = pieces == 1 and wide == COLS
    cdef WalkTile tile = walk_tile(g.tile, packed)
    while r0 < g.outputs:
        rows = clip(g.tile, 0, g.outputs - r0)
        if whole and rows == g.tile:
            tile(x, off, packed, taps, start, floor, out, ld)
        else:
            if start == NULL:
                _exchange(stage, out, ld, out_picture, rows, pieces, wide, True)
            tile(x, off, packed, taps, start, floor, stage, COLS)
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


cdef inline void _gather(const floating* x, const Py_ssize_t* off, Py_ssize_t taps,
                         Py_ssize_t wide, floating* panel) noexcept nogil:
    """panel[k, n] = x[off[k] + n] for n < wide."""
    cdef Py_ssize_t k, n
    for k in range(taps):
        for n in range(wide):
            panel[k * COLS + n] = x[off[k] + n]


cdef inline Py_ssize_t walk_scratch(const Walk* g) noexcept nogil:
    """Numbers of scratch that walk_pass needs: lowered planes, some slack, a panel."""
    return round_up((0 if g.direct else g.plane) + COLS
                    + g.channels * g.taps_h * g.taps_w * COLS, 16)


cdef inline double pass_floor(const Walk* g, Py_ssize_t c0) noexcept nogil:
    """The floor of the pass over the channels from c0 on: the walk's own in the last one."""
    return g.floor if c0 + g.block >= g.channels else -INFINITY


cdef inline void walk_picture(const Walk* g, const floating* source, Py_ssize_t band_row,
                              const floating* packed, const floating* start, floating* out,
                              Py_ssize_t ld, floating* planes, floating* panel,
                              Py_ssize_t place) noexcept nogil:
    """Compute all whole strips of a band of one picture. What its edge needs goes to column
    `place` of the panel, or, where that is negative, the edge is computed at once."""
    cdef Py_ssize_t size = clip(g.band, 0, g.rows - band_row) * g.cols, wide = size % COLS
    cdef Py_ssize_t c0 = 0, channels, taps, n
    cdef floating floor
    cdef const floating* x
    while c0 < g.channels:
        channels = clip(g.block, 0, g.channels - c0)
        floor = pass_floor(g, c0)
        taps = channels * g.taps_h * g.taps_w
        x = planes
        if g.direct:
            x = source + (c0 * g.height + band_row) * g.width
        else:
            lower(g, source + c0 * g.height * g.width, channels, band_row, planes)
        for n in range(size // COLS):
            strip(g, x + n * COLS, g.off, packed, taps, start, floor, out + n * COLS, ld, 0, 1,
                  COLS)
        n = size - wide
        if wide and place < 0:             # reads up to COLS numbers behind the planes
            strip(g, x + n, g.off, packed, taps, start, floor, out + n, ld, 0, 1, wide)
        elif wide:
            _gather(x + n, g.off, taps, wide, panel + place)
        panel += taps * COLS
        packed += taps * round_up(g.outputs, g.tile)
        start = NULL
        c0 += g.block


cdef inline void walk_pass(const Walk* g, const floating* source, Py_ssize_t source_picture,
                           Py_ssize_t pictures, Py_ssize_t band_row, const floating* packed,
                           const floating* start, floating* out, Py_ssize_t ld,
                           Py_ssize_t out_picture, floating* scratch) noexcept nogil:
    """Compute one band of `pictures` pictures; `out` points at its first number.

    packed comes from `pack_tile`; start holds the bias of every output channel, filled up
    to whole tiles. The edges of the pictures are joined: there is room for all of them.
    """
    cdef Py_ssize_t size = clip(g.band, 0, g.rows - band_row) * g.cols, wide = size % COLS
    cdef floating* panel = scratch + (0 if g.direct else g.plane) + COLS
    cdef bint joined = wide > 0 and (g.direct or pictures > 1)
    cdef Py_ssize_t p, c0 = 0, taps
    for p in range(pictures):
        walk_picture(g, source + p * source_picture, band_row, packed, start,
                     out + p * out_picture, ld, scratch, panel, p * wide if joined else -1)
    while joined and c0 < g.channels:
        taps = clip(g.block, 0, g.channels - c0) * g.taps_h * g.taps_w
        strip(g, <const floating*> panel, g.ramp, packed, taps, start, pass_floor(g, c0),
              out + size - wide, ld, out_picture, pictures, wide)
        panel += taps * COLS
        packed += taps * round_up(g.outputs, g.tile)
        start = NULL
        c0 += g.block
