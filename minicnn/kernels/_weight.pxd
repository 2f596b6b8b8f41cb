# The weight gradient of a convolution: which sums one thread takes, and in what order.
#
# Letters: b picture, r output channel, c input channel, k = (c, i, j) tap, n flat position.
#
#     dw[r, k] = sum_b,n dy[b, r, n] x[b][off[k] + n]        (x lowered, see _lower.pxd)
#
#                    taps k -> rows of b, each one a run of a lowered plane
#                    +-------+-------+-------+
#     channels r     |  4x3  |  4x3  |       |     scalar products (_dots.pxd): a plane of dy
#     -> rows of a   +-------+-------+-------+     is a row of a as it lies in memory
#                    |  4x3  |  4x3  |       |
#                    +-------+-------+-------+
#
# With many output channels the taps are turned round instead, a panel at a time, and the product is
# that of convolution (_tile.pxd): its tiles end without sums across a register.
#
#     dy, packed [n][r]    x    taps, a panel [n][k]    -->    dw, a tile of r x k
#
# The batch is cut into chunks and the channels into blocks, by the shape alone; an item is one
# chunk, group and block. Every chunk sums into a copy of dw of its own.

from cython cimport floating
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from minicnn.kernels._dots cimport dots, gather_rows
from minicnn.kernels._lower cimport Walk, clip, divide_up, lower
from minicnn.kernels._shape cimport Shape
from minicnn.kernels._tile cimport COLS, LANES, ROWS, interleave, round_up, tile_rows
from minicnn.kernels._walk cimport strip


cdef enum:
    FEW = 32                # positions of a plane too few to be summed where they lie
    MANY_OUTPUTS = 48       # output channels from which on taps are turned round instead
    PANEL = 192             # positions of one panel: it fills half of L1


cdef inline bint by_panels(const Shape* s) noexcept nogil:
    """Whether turning the taps round pays: every panel of them serves all output channels."""
    return s.outputs >= MANY_OUTPUTS and s.out_height * s.out_width > 1


cdef inline Py_ssize_t padded_plane(const Walk* g) noexcept nogil:
    """Numbers of one plane of dy in a band, filled up to whole vectors."""
    return round_up(g.band * g.cols, LANES)


cdef inline Py_ssize_t weight_scratch(const Walk* g, const Shape* s) noexcept nogil:
    """Numbers of scratch that one item needs: lowered planes and two panels."""
    cdef Py_ssize_t panel = g.pictures * padded_plane(g), taps = 0
    cdef Py_ssize_t planes = 0 if g.direct else g.pictures * g.plane + LANES
    if g.band * g.cols < FEW:
        taps = g.block * g.taps_h * g.taps_w
    if by_panels(s):
        return round_up(planes, 16) + (round_up(s.outputs, ROWS) + COLS) * PANEL + 16
    return round_up(planes, 16) + (taps + s.outputs) * panel + 16


cdef inline void pad_rows(const floating* dy, Py_ssize_t count, Py_ssize_t plane, Py_ssize_t size,
                          floating* panel) noexcept nogil:
    """panel[r, n] = dy[r, n] for n < size, in rows filled up with zeros to LANES."""
    cdef Py_ssize_t padded = round_up(size, LANES), r, n
    for r in range(count):
        memcpy(panel + r * padded, dy + r * plane, size * sizeof(floating))
        for n in range(size, padded):
            panel[r * padded + n] = 0


cdef inline void panels(const Walk* g, const Shape* s, const floating* planes, Py_ssize_t step,
                        const floating* dy, Py_ssize_t dy_picture, Py_ssize_t pictures,
                        Py_ssize_t size, Py_ssize_t taps, floating* dw,
                        floating* scratch) noexcept nogil:
    """The same as a matrix product, PANEL positions at a time: of one picture, or of several."""
    cdef Py_ssize_t most = clip(PANEL // size, 1, pictures), p = 0, n, count, wide
    while p < pictures:
        count = clip(most, 0, pictures - p)
        n = 0
        while n < size:
            wide = clip(PANEL // count, 0, size - n)
            panel_block(g, s, planes + p * step + n, step, dy + p * dy_picture + n, dy_picture,
                        count, wide, taps, dw, scratch)
            n += wide
        p += count


cdef inline void pack_tile(const floating* dy, Py_ssize_t plane, Py_ssize_t rows,
                           Py_ssize_t tile, Py_ssize_t size, floating* packed) noexcept nogil:
    """packed[n][r] = dy[r, n] for the rows of a tile, filled up with zeros."""
    cdef Py_ssize_t r, n
    if rows == 4 and tile == 4:
        interleave(dy, dy + plane, dy + 2 * plane, dy + 3 * plane, size, packed)
        return
    for r in range(tile):
        for n in range(size):
            packed[n * tile + r] = dy[r * plane + n] if r < rows else 0


cdef inline void panel_block(const Walk* g, const Shape* s, const floating* planes,
                             Py_ssize_t step, const floating* dy, Py_ssize_t dy_picture,
                             Py_ssize_t pictures, Py_ssize_t size, Py_ssize_t taps, floating* dw,
                             floating* scratch) noexcept nogil:
    """dw[r, k] += sum over `size` positions of `pictures` pictures: packed dy [tile][n][r] times
    panels of taps [n][k]."""
    cdef Py_ssize_t plane = s.out_height * s.out_width, steps = pictures * size
    cdef Py_ssize_t row = s.channels * s.kernel_h * s.kernel_w
    cdef floating four[4 * PANEL]
    cdef Py_ssize_t ramp[PANEL]
    cdef Py_ssize_t at[4]
    cdef floating* packed = scratch
    cdef floating* panel = scratch + round_up(s.outputs, ROWS) * PANEL
    cdef const floating* x
    cdef Py_ssize_t p, n, r, t, k = 0
    cdef Walk w
    w.outputs, w.tile = s.outputs, tile_rows(s.outputs)
    for n in range(steps):
        ramp[n] = n * COLS
    for r in range(divide_up(s.outputs, w.tile)):
        for p in range(pictures):
            pack_tile(dy + p * dy_picture + r * w.tile * plane, plane,
                      clip(w.tile, 0, s.outputs - r * w.tile), w.tile, size,
                      packed + (r * steps + p * size) * w.tile)
    while k < taps:
        for t in range(COLS // 4):
            for n in range(4):                         # past the last tap: that one again
                at[n] = g.off[clip(k + 4 * t + n, 0, taps - 1)]
            for p in range(pictures):
                x = planes + p * step
                interleave(x + at[0], x + at[1], x + at[2], x + at[3], size, four)
                for n in range(size):
                    memcpy(panel + (p * size + n) * COLS + 4 * t, four + 4 * n,
                           4 * sizeof(floating))
        strip(&w, <const floating*> panel, ramp, <const floating*> packed, steps,
              <const floating*> NULL, <floating> -INFINITY, dw + k, row, 0, 1,
              clip(COLS, 0, taps - k))
        k += COLS


cdef inline void weight_item(const Walk* g, const Shape* s, const floating* x, const floating* dy,
                             const Py_ssize_t* off, const Py_ssize_t* index, Py_ssize_t pictures,
                             Py_ssize_t channels, floating* dw, floating* scratch) noexcept nogil:
    """Add to dw[r, k] for all output channels r of a group and the taps of `channels` input
    channels, over pictures of which each plane of dy is a row of a and each tap a row of b.

    A plane of dy that is no whole number of vectors is copied and filled up with zeros: what the
    taps hold there, numbers of the rows below, then does not count. Behind the last tap there
    are zeros, for in memory that nobody wrote there may be a NaN, and zero times that is NaN.
    """
    cdef Py_ssize_t plane = s.out_height * s.out_width
    cdef Py_ssize_t x_picture = s.groups * s.channels * s.height * s.width
    cdef Py_ssize_t dy_picture = s.groups * s.outputs * plane
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, taps = channels * kernel
    cdef Py_ssize_t step = x_picture if g.direct else g.plane
    cdef Py_ssize_t used = channels * g.taps_w * g.lines * g.cols
    cdef Py_ssize_t band, first, p, size, padded
    cdef const floating* planes
    cdef floating* panel = scratch + (0 if g.direct else round_up(g.pictures * g.plane + LANES, 16))
    cdef floating* x_panel = panel + s.outputs * g.pictures * padded_plane(g)
    for band in range(divide_up(s.out_height, g.band)):
        first = band * g.band
        size = clip(g.band, 0, s.out_height - first) * s.out_width
        padded = round_up(size, LANES)
        planes = scratch
        if g.direct:
            planes = x + first * s.width
        else:
            for p in range(pictures):
                lower(g, x + p * x_picture, channels, first, scratch + p * g.plane)
                memset(scratch + p * g.plane + used, 0, LANES * sizeof(floating))
        if by_panels(s):
            panels(g, s, planes, step, dy + first * s.out_width, dy_picture, pictures, size, taps,
                   dw, panel)
        elif size < FEW:
            padded = round_up(pictures * size, LANES)
            gather_rows(planes, off, 0, step, taps, pictures, size, x_panel)
            gather_rows(dy + first * s.out_width, NULL, plane, dy_picture, s.outputs, pictures,
                        size, panel)
            dots(<const floating*> panel, padded, 0, s.outputs, <const floating*> x_panel, NULL,
                 padded, 0, taps, 1, padded // LANES, dw, s.channels * kernel, index, 0)
        elif size == padded:
            dots(dy + first * s.out_width, plane, dy_picture, s.outputs, planes, off, 0, step,
                 taps, pictures, size // LANES, dw, s.channels * kernel, index, 0)
        else:
            for p in range(pictures):
                pad_rows(dy + p * dy_picture + first * s.out_width, s.outputs, plane, size,
                         panel + p * s.outputs * padded)
            dots(<const floating*> panel, padded, s.outputs * padded, s.outputs, planes, off, 0,
                 step, taps, pictures, padded // LANES, dw, s.channels * kernel, index, 0)


cdef inline void order_taps(const Walk* g, Py_ssize_t* off, Py_ssize_t* index) noexcept nogil:
    """The taps as (c, j, i): three neighbours then read one lowered plane, rows apart, and the
    plane comes into L1 once."""
    cdef Py_ssize_t c, i, j, at = 0
    for c in range(g.block):
        for j in range(g.taps_w):
            for i in range(g.taps_h):
                index[at] = (c * g.taps_h + i) * g.taps_w + j
                off[at] = g.off[index[at]]
                at += 1


cdef inline void weight_numbered(const Walk* g, const Shape* s, Py_ssize_t item, Py_ssize_t passes,
                                 Py_ssize_t chunk, const floating* x, const floating* dy,
                                 const Py_ssize_t* off, floating* part,
                                 floating* scratch) noexcept nogil:
    """Item number `item`: channel blocks change fastest, then groups, then chunks."""
    cdef Py_ssize_t c0 = item % passes * g.block, group = item // passes % s.groups
    cdef Py_ssize_t chunk_at = item // passes // s.groups, b = chunk_at * chunk
    cdef Py_ssize_t end = clip(b + chunk, 0, s.batch), kernel = s.kernel_h * s.kernel_w
    cdef Py_ssize_t plane = s.height * s.width, out_plane = s.out_height * s.out_width
    part += ((chunk_at * s.groups + group) * s.outputs * s.channels + c0) * kernel
    while b < end:
        weight_item(g, s, x + ((b * s.groups + group) * s.channels + c0) * plane,
                    dy + (b * s.groups + group) * s.outputs * out_plane,
                    off, off + g.block * kernel, clip(g.pictures, 0, end - b),
                    clip(g.block, 0, s.channels - c0), part, scratch)
        b += g.pictures
