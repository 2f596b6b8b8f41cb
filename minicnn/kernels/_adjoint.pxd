# The input gradient of a convolution: the flat walk backwards.
#
# Letters: b picture, r output channel, c input channel, k = (c, i, j) tap, n flat position, l line
# of a lowered plane, u column.
#
#     dx[b, c, h, w] = sum over all (r, i, j, oh, ow) that read pixel (h, w)  w[r, k] dy[b, r, n]
#
# Forward reads, for tap k and position n, the number off[k] + n of the lowered planes (_lower.pxd).
# Backward adds to that number what the tap owes it, and then adds the planes up to dx:
#
#     w', taps x channels      dy, a strip             lowered planes              dx
#     | . . . . | k            r | n n n n n n |       from off[k] + n on
#     | . . . . | k+1     x    r | n n n n n n |  +=   plane of j = 0   ...  +=   rows of pixels
#     | . . . . | k+2          r | n n n n n n |       plane of j = 1
#
# dy is read as it lies, no product with padding is ever made, and all strides, paddings and
# dilations are one case. The planes of a pass stay in L2.

from cython cimport floating
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from minicnn.kernels._lower cimport PLANE_BUDGET, Walk, clip, divide_up
from minicnn.kernels._shape cimport Shape, forward_walk, plan_forward
from minicnn.kernels._tile cimport COLS, ROWS, WalkTile, round_up, tile_rows, walk_tile


cdef inline bint plan_adjoint(Walk* g, const Shape* s) noexcept nogil:
    """Whole pictures, as many channels and then pictures as stay in the cache. False: no memory."""
    cdef Py_ssize_t size = s.kernel_w * (s.height + 2 * s.padding_h) * s.out_width
    cdef Py_ssize_t wide = s.out_height * s.out_width % COLS
    forward_walk(g, s)
    g.block = clip(PLANE_BUDGET // size, 1, s.channels)
    g.block = divide_up(s.channels, divide_up(s.channels, g.block))
    if not plan_forward(g, s, s.batch, 0, 1):
        return False
    g.tile = tile_rows(g.block * s.kernel_h * s.kernel_w)
    g.pictures = 1
    if wide:                               # as many as their edges fill a strip
        g.pictures = clip(PLANE_BUDGET // g.plane, 1, COLS // wide)
        g.pictures = clip(g.pictures, 1, divide_up(s.batch, s.threads))
    return True


cdef inline Py_ssize_t adjoint_packed(const Walk* g, const Shape* s) noexcept nogil:
    """Numbers of the packed weights of one group."""
    return (divide_up(s.channels, g.block) * s.outputs
            * round_up(g.block * s.kernel_h * s.kernel_w, g.tile))


cdef inline Py_ssize_t adjoint_scratch(const Walk* g, const Shape* s) noexcept nogil:
    """Numbers of scratch that one item needs: lowered planes, and a panel of edges."""
    return round_up(g.pictures * g.plane + s.outputs * COLS, 16)


cdef inline Py_ssize_t adjoint_tiles(const Walk* g, const Shape* s) noexcept nogil:
    """Into how many tiles `pack_adjoint` cuts the weights of one group."""
    return divide_up(s.channels, g.block) * divide_up(g.block * s.kernel_h * s.kernel_w, g.tile)


cdef inline void pack_adjoint(const Walk* g, const Shape* s, const floating* weight,
                              Py_ssize_t number, floating* packed) noexcept nogil:
    """Lay one tile of a group's weights [r][k] as the micro-kernel reads it.

    All tiles together are packed[pass][tile][r][t], t a tap of the tile, filled up with zeros.
    """
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, row = s.channels * kernel
    cdef Py_ssize_t tiles = divide_up(g.block * kernel, g.tile), c0 = number // tiles * g.block
    cdef Py_ssize_t k = number % tiles * g.tile, r, t
    cdef Py_ssize_t taps = clip(clip(g.block, 0, s.channels - c0) * kernel - k, 0, g.tile)
    weight += c0 * kernel + k
    packed += number * s.outputs * g.tile
    if taps == ROWS:                       # a length that the compiler knows
        for r in range(s.outputs):
            memcpy(packed + r * ROWS, weight + r * row, ROWS * sizeof(floating))
        return
    for r in range(s.outputs):
        for t in range(g.tile):
            packed[r * g.tile + t] = weight[r * row + t] if t < taps else 0


cdef inline void add_run(const floating* x, floating* to, const Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t n
    for n in range(count):
        to[n] += x[n]


cdef inline void add_strip(const Walk* g, const floating* dy, const Py_ssize_t* off,
                           Py_ssize_t outputs, const floating* packed, Py_ssize_t taps,
                           floating* planes, Py_ssize_t pieces, Py_ssize_t wide) noexcept nogil:
    """Add what all taps owe to one strip of COLS positions, or to `pieces` runs of `wide`
    positions, one of each picture."""
    cdef floating stage[ROWS * COLS]
    cdef floating zero[ROWS]
    cdef floating* to
    cdef Py_ssize_t k = 0, t, p
    cdef WalkTile tile = walk_tile(g.tile, packed)
    memset(zero, 0, ROWS * sizeof(floating))
    while k < taps:
        tile(dy, off, packed, outputs, zero, <floating> -INFINITY, stage, COLS)
        for t in range(clip(g.tile, 0, taps - k)):
            to = planes + g.off[k + t]
            if wide == COLS:
                add_run(stage + t * COLS, to, COLS)
            else:
                for p in range(pieces):
                    add_run(stage + t * COLS + p * wide, to + p * g.plane, wide)
        packed += outputs * g.tile
        k += g.tile


cdef inline void gather_strip(const floating* dy, const Py_ssize_t* off, Py_ssize_t outputs,
                              Py_ssize_t wide, floating* panel) noexcept nogil:
    """panel[r, n] = dy[r, n] for n < wide."""
    cdef Py_ssize_t r, n
    for r in range(outputs):
        for n in range(wide):
            panel[r * COLS + n] = dy[off[r] + n]


cdef inline void add_up(const Walk* g, const floating* planes, Py_ssize_t channels,
                        floating* dx) noexcept nogil:
    """dx[c, h, w] = sum of all that the lowered planes hold of pixel (h, w)."""
    cdef Py_ssize_t _c, j, l, h, u, at, count
    cdef const floating* line
    cdef floating* to
    memset(dx, 0, channels * g.height * g.width * sizeof(floating))
    for _c in range(channels):
        for j in range(g.taps_w):
            at = g.col0[j] + g.first[j] * g.col_step
            count = g.last[j] - g.first[j]
            for l in range(g.lines):
                h = g.line_row[l]
                if 0 <= h < g.height:
                    line = planes + l * g.cols + g.first[j]
                    to = dx + h * g.width + at
                    if g.col_step == 1:
                        add_run(line, to, count)
                    else:
                        for u in range(count):
                            to[u * g.col_step] += line[u]
            planes += g.lines * g.cols
        dx += g.height * g.width


cdef inline void adjoint_item(const Walk* g, const Shape* s, const floating* dy,
                              const Py_ssize_t* off, const floating* packed,
                              Py_ssize_t pictures, Py_ssize_t channels, floating* dx,
                              floating* scratch) noexcept nogil:
    """dx of `channels` input channels of a few pictures."""
    cdef Py_ssize_t size = s.out_height * s.out_width, wide = size % COLS, whole = size - wide
    cdef Py_ssize_t dy_picture = s.groups * s.outputs * size, p, n
    cdef Py_ssize_t dx_picture = s.groups * s.channels * s.height * s.width
    cdef Py_ssize_t taps = channels * s.kernel_h * s.kernel_w
    cdef floating* panel = scratch + g.pictures * g.plane
    memset(scratch, 0, pictures * g.plane * sizeof(floating))
    for p in range(pictures):
        for n in range(whole // COLS):
            add_strip(g, dy + p * dy_picture + n * COLS, off, s.outputs, packed, taps,
                      scratch + p * g.plane + n * COLS, 1, COLS)
        gather_strip(dy + p * dy_picture + whole, off, s.outputs, wide, panel + p * wide)
    if wide:
        add_strip(g, <const floating*> panel, off + s.outputs, s.outputs, packed, taps,
                  scratch + whole, pictures, wide)
    for p in range(pictures):
        add_up(g, scratch + p * g.plane, channels, dx + p * dx_picture)


cdef inline void adjoint_numbered(const Walk* g, const Shape* s, Py_ssize_t item,
                                  const floating* dy, const Py_ssize_t* off,
                                  const floating* packed, floating* dx,
                                  floating* scratch) noexcept nogil:
    """Item number `item`: blocks of channels change fastest, then groups, then pictures."""
    cdef Py_ssize_t passes = divide_up(s.channels, g.block)
    cdef Py_ssize_t step = adjoint_packed(g, s) // passes
    cdef Py_ssize_t c0 = item % passes * g.block, group = item // passes % s.groups
    cdef Py_ssize_t b = item // passes // s.groups * g.pictures
    cdef Py_ssize_t plane = s.height * s.width, out_plane = s.out_height * s.out_width
    adjoint_item(g, s, dy + (b * s.groups + group) * s.outputs * out_plane, off,
                 packed + (group * passes + item % passes) * step,
                 clip(g.pictures, 0, s.batch - b), clip(g.block, 0, s.channels - c0),
                 dx + ((b * s.groups + group) * s.channels + c0) * plane, scratch)
