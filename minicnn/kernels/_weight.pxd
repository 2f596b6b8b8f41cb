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
# The batch is cut into chunks and the channels into blocks, by the shape alone; an item is one
# chunk, group and block. Every chunk sums into a copy of dw of its own.

from cython cimport floating
from libc.string cimport memcpy, memset

from minicnn.kernels._dots cimport dots, gather_rows
from minicnn.kernels._lower cimport Walk, clip, divide_up, lower
from minicnn.kernels._shape cimport Shape
from minicnn.kernels._tile cimport LANES, round_up


cdef enum:
    FEW = 32                # positions of a plane too few to be summed where they lie


cdef inline Py_ssize_t padded_plane(const Walk* g) noexcept nogil:
    """Numbers of one plane of dy in a band, filled up to whole vectors."""
    return round_up(g.band * g.cols, LANES)


cdef inline Py_ssize_t weight_scratch(const Walk* g, const Shape* s) noexcept nogil:
    """Numbers of scratch that one item needs: lowered planes and two panels."""
    cdef Py_ssize_t panel = g.pictures * padded_plane(g), taps = 0
    cdef Py_ssize_t planes = 0 if g.direct else g.pictures * g.plane + LANES
    if g.band * g.cols < FEW:
        taps = g.block * g.taps_h * g.taps_w
    return round_up(planes, 16) + (taps + s.outputs) * panel + 16


cdef inline void pad_rows(const floating* dy, Py_ssize_t count, Py_ssize_t plane, Py_ssize_t size,
                          floating* panel) noexcept nogil:
    """panel[r, n] = dy[r, n] for n < size, in rows filled up with zeros to LANES."""
    cdef Py_ssize_t padded = round_up(size, LANES), r, n
    for r in range(count):
        memcpy(panel + r * padded, dy + r * plane, size * sizeof(floating))
        for n in range(size, padded):
            panel[r * padded + n] = 0


cdef inline void weight_item(const Walk* g, const Shape* s, const floating* x, const floating* dy,
                             const Py_ssize_t* off, const Py_ssize_t* index, Py_ssize_t pictures,
                             Py_ssize_t channels, floating* dw, floating* scratch) noexcept nogil:
    """Add to dw[r, k] for all output channels r of a group and the taps of `channels` input
    channels, over pictures of which each plane of dy is a row of a and each tap a row of b.

    A plane of dy that is no whole number of vectors is copied and filled up with zeros: what the
    taps hold there, numbers of the rows below, then does not count.
    """
    cdef Py_ssize_t plane = s.out_height * s.out_width
    cdef Py_ssize_t x_picture = s.groups * s.channels * s.height * s.width
    cdef Py_ssize_t dy_picture = s.groups * s.outputs * plane
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, taps = channels * kernel
    cdef Py_ssize_t step = x_picture if g.direct else g.plane
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
            memset(scratch + pictures * g.plane, 0, LANES * sizeof(floating))
        if size < FEW:
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
