# The flat walk: how every convolution here becomes one long loop over neighbouring numbers.
#
# Letters: c source channel, i, j kernel row and column, k = (c, i, j) tap, l line of a
# lowered plane, n = oh * cols + ow flat position on the output grid, u column.
#
# The walk computes, for every output channel r and every position n of the output grid,
#
#     out[r, n] = sum_k w[r, k] * source[c, row0[i] + oh * row_step, col0[j] + ow * col_step]
#
# where a source outside its plane counts as zero: a forward convolution (_walk.pxd), or one with
# the pooling behind it, at twice the steps (_pooled.pxd). An input gradient goes the same way
# backwards (_adjoint.pxd).
#
# Lowering copies, for every channel c and kernel column j, the source columns that ow = 0 ...
# cols - 1 need into a plane of exactly `cols` columns (for stride 1: the picture, shifted by
# j and cropped). On such planes the row below is `cols` numbers further, so the numbers that
# tap k needs for n = 0, 1, 2 ... are neighbours in memory, starting at off[k]:
#
#     source 4 x 5, kernel 3 x 3        plane of j = 0      j = 1      j = 2      (cols = 3)
#         a b c d e                     l=0   a b c         b c d      c d e
#         f g h i j                     l=1   f g h         g h i      h i j
#         k l m n o                     l=2   k l m         l m n      m n o
#         p q r s t                     l=3   p q r         q r s      r s t
#
#     tap (i=1, j=2) for n = 0 ... 5:  h i j m n o,  from off = 2 * 12 + 1 * 3 on
#
# Nothing is computed twice or in vain, the output needs no repacking, and the copy is KW
# times the source, where im2col takes KH * KW. (Cho and Brand, "MEC: memory-efficient
# convolution for deep neural network", ICML 2017, lower the same way for a BLAS.) A row step
# s > 1 sorts the rows of a plane by their remainder, so that oh and oh + 1 stay neighbours.

from cython cimport floating
from libc.string cimport memcpy, memset

from minicnn.kernels._scratch cimport borrow, give_back, keep
from minicnn.kernels._tile cimport COLS, LANES, interleave, tile_rows


cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX
    const Py_ssize_t PY_SSIZE_T_MIN

cdef enum:
    BLOCK_TAPS = 160        # taps in one pass at most: their strips of source stay in L1
    LEAST_TAPS = 72         # taps in one pass at least, if a window of rows is to stay there
    WINDOW_BUDGET = 2816    # numbers of such a window: a third of L1
    MOST_SHIFT = 2          # columns by which a shifted plane is worth copying
    PLANE_BUDGET = 49152    # numbers of lowered planes in one pass: they stay in L2


cdef struct Walk:
    # the geometry, for one group
    Py_ssize_t channels, height, width     # source
    Py_ssize_t taps_h, taps_w              # kernel rows and columns that take part
    Py_ssize_t row_step, col_step
    Py_ssize_t rows, cols                  # output grid
    Py_ssize_t outputs                     # output channels
    double floor                           # what lies lower becomes this: 0 is a ReLU, -inf none
    # the plan
    Py_ssize_t tile                        # rows of a micro-tile
    Py_ssize_t block                       # source channels in one pass
    Py_ssize_t band                        # output rows in one pass
    Py_ssize_t pictures                    # pictures in one pass
    Py_ssize_t lines                       # lines of a lowered plane
    Py_ssize_t plane                       # numbers from one picture to the next, when lowered
    bint direct                            # the source can be walked as it lies
    bint kept                              # the tables outlive the call: a compiled plan's
    Py_ssize_t* table                      # owns the tables below
    Py_ssize_t* row0                       # [taps_h] source row of tap i for oh = 0
    Py_ssize_t* col0                       # [taps_w] source column of tap j for ow = 0
    Py_ssize_t* first                      # [taps_w] columns first ... last - 1 of plane j lie
    Py_ssize_t* last                       # [taps_w] inside the source, the others are zero
    Py_ssize_t* turn                       # [taps_w] order in which planes are made
    Py_ssize_t* twin                       # [taps_w] plane j is plane twin[j] shifted
    Py_ssize_t* shift                      # [taps_w] by so many columns, or 0: from the source
    Py_ssize_t* line                       # [taps_h] line of tap i for oh = 0
    Py_ssize_t* line_row                   # [lines] source row of line l in the band at row 0
    Py_ssize_t* off                        # [block * taps_h * taps_w]
    Py_ssize_t* ramp                       # [block * taps_h * taps_w] k * COLS: off of a panel


cdef inline Py_ssize_t divide_up(Py_ssize_t value, Py_ssize_t by) noexcept nogil:
    return (value + by - 1) // by


cdef inline Py_ssize_t remainder(Py_ssize_t value, Py_ssize_t by) noexcept nogil:
    """value mod by, in 0 ... by - 1 for negative values too."""
    return (value % by + by) % by


cdef inline Py_ssize_t _size(Py_ssize_t value) noexcept nogil:
    return -value if value < 0 else value


cdef inline Py_ssize_t clip(Py_ssize_t value, Py_ssize_t low, Py_ssize_t high) noexcept nogil:
    if value > high:
        value = high
    return low if value < low else value


cdef inline Py_ssize_t pass_count(const Walk* g) noexcept nogil:
    """Passes over blocks of source channels, as few as the cache allows.

    A strip reads COLS numbers of every tap. The next strip finds all but the last row of them
    in L1 if what lies between the taps of a plane stays there too, the window; where rows are
    too long for that, only the strip itself has to.
    """
    cdef Py_ssize_t phases = clip(g.row_step, 1, g.taps_h), most = BLOCK_TAPS
    cdef Py_ssize_t taps = clip(g.taps_h * g.taps_w, 1, PY_SSIZE_T_MAX)
    cdef Py_ssize_t window = g.taps_w * ((g.taps_h - phases) * g.cols + phases * COLS)
    if WINDOW_BUDGET // (window + 1) * taps >= LEAST_TAPS:
        most = clip(WINDOW_BUDGET // (window + 1) * taps, 1, BLOCK_TAPS)
    return divide_up(g.channels, clip(most // taps, 1, g.channels))


cdef inline bint plan_walk(Walk* g, const Py_ssize_t* row0, const Py_ssize_t* col0,
                           Py_ssize_t batch, Py_ssize_t items, Py_ssize_t join) noexcept nogil:
    """Choose block (where it is 0), band and pictures, and fill the tables. False: no memory.

    `items` passes or more are asked for, to feed the threads (0: whole pictures, however large),
    and passes of `join` positions
    or more where several pictures are needed for that.
    """
    cdef Py_ssize_t taps = g.taps_h * g.taps_w
    cdef Py_ssize_t passes, row_numbers, span, low, high, i, size, bytes
    g.tile = tile_rows(g.outputs)
    if g.block == 0:
        g.block = divide_up(g.channels, pass_count(g))
    low = high = row0[0] if g.taps_h else 0
    for i in range(g.taps_h):
        low = row0[i] if row0[i] < low else low
        high = row0[i] if row0[i] > high else high
    span = (high - low) // g.row_step + 1

    row_numbers = g.block * g.taps_w * g.cols * clip(g.taps_h, 1, g.row_step)
    passes = divide_up(g.rows, clip(PLANE_BUDGET // (row_numbers + 1), 1, g.rows))
    passes = clip(divide_up(items, batch), passes, divide_up(g.rows * g.cols, 4 * COLS))
    g.band = divide_up(g.rows, clip(passes, 1, g.rows))
    if items == 0:
        g.band = g.rows
    g.pictures = 1
    if g.band == g.rows:
        size = row_numbers * (g.band + span)
        g.pictures = clip(divide_up(join, g.rows * g.cols), 1, PLANE_BUDGET // (size + 1))
        g.pictures = clip(g.pictures, 1, batch // (items if items > 0 else 1))

    g.direct = (g.taps_w == 1 and col0[0] == 0 and g.col_step == 1 and g.cols == g.width
                and g.row_step == 1 and low >= 0 and high + g.rows <= g.height)
    if join > 1 and (g.band < g.rows or g.rows * g.cols % LANES):
        g.direct = False                   # rows of a sum are read to the end of their last vector

    size = clip(g.taps_h, 1, g.row_step) * (g.band + span)
    bytes = (2 * g.taps_h + 6 * g.taps_w + size + 2 * g.block * taps + 1) * sizeof(Py_ssize_t)
    g.table = <Py_ssize_t*> (keep(bytes) if g.kept else borrow(bytes))
    if g.table == NULL:
        return False
    g.row0 = g.table
    g.line = g.row0 + g.taps_h
    g.col0 = g.line + g.taps_h
    g.first = g.col0 + g.taps_w
    g.last = g.first + g.taps_w
    g.turn = g.last + g.taps_w
    g.twin = g.turn + g.taps_w
    g.shift = g.twin + g.taps_w
    g.line_row = g.shift + g.taps_w
    g.off = g.line_row + size
    g.ramp = g.off + g.block * taps
    for i in range(g.taps_h):
        g.row0[i] = row0[i]
    for i in range(g.taps_w):
        g.col0[i] = col0[i]
    _order_columns(g)
    _number_lines(g)
    _number_taps(g)
    return True


cdef inline void _order_columns(Walk* g) noexcept nogil:
    """Which columns of a lowered plane exist; which plane is copied from the source, and which
    ones are that one, or another before them, but for a shift of a column or two."""
    cdef Py_ssize_t j, t, s, shift, base = 0
    for j in range(g.taps_w):
        g.first[j] = divide_up(-g.col0[j], g.col_step) if g.col0[j] < 0 else 0
        g.first[j] = clip(g.first[j], 0, g.cols)
        g.last[j] = divide_up(g.width - g.col0[j], g.col_step) if g.width > g.col0[j] else 0
        g.last[j] = clip(g.last[j], g.first[j], g.cols)
        if g.last[j] - g.first[j] > g.last[base] - g.first[base]:
            base = j
    for t in range(g.taps_w):
        j = base + t if base + t < g.taps_w else g.taps_w - 1 - t
        g.turn[t] = g.twin[j] = j
        g.shift[j] = 0
        for s in range(t):
            shift = g.col0[j] - g.col0[g.turn[s]]
            if shift % g.col_step == 0 and _size(shift // g.col_step) < clip(
                    g.cols, 0, _size(g.shift[j]) if g.shift[j] else MOST_SHIFT + 1):
                g.twin[j], g.shift[j] = g.turn[s], shift // g.col_step


cdef inline void _number_lines(Walk* g) noexcept nogil:
    """Give every source row that the first band needs its line, sorted by remainder."""
    cdef Py_ssize_t phase, i, q, low, high
    g.lines = 0
    for phase in range(g.row_step):
        low = PY_SSIZE_T_MAX
        high = PY_SSIZE_T_MIN
        for i in range(g.taps_h):
            if remainder(g.row0[i], g.row_step) == phase:
                q = (g.row0[i] - phase) // g.row_step
                low = q if q < low else low
                high = q if q > high else high
        for i in range(g.taps_h):
            if remainder(g.row0[i], g.row_step) == phase:
                g.line[i] = g.lines + (g.row0[i] - phase) // g.row_step - low
        if low <= high:
            for q in range(low, high + g.band):
                g.line_row[g.lines] = phase + q * g.row_step
                g.lines += 1
    g.plane = g.block * g.taps_w * g.lines * g.cols


cdef inline void _number_taps(Walk* g) noexcept nogil:
    cdef Py_ssize_t c, i, j, k = 0
    for c in range(g.block):
        for i in range(g.taps_h):
            for j in range(g.taps_w):
                if g.direct:
                    g.off[k] = c * g.height * g.width + g.row0[i] * g.width
                else:
                    g.off[k] = ((c * g.taps_w + j) * g.lines + g.line[i]) * g.cols
                g.ramp[k] = k * COLS
                k += 1


cdef inline void lower(const Walk* g, const floating* source, Py_ssize_t channels,
                       Py_ssize_t band_row, floating* planes) noexcept nogil:
    """Copy `channels` source planes into lowered planes for the band that starts at band_row."""
    cdef Py_ssize_t _c, t, j, size = g.lines * g.cols
    for _c in range(channels):
        for t in range(g.taps_w):
            j = g.turn[t]
            if g.shift[j] == 0:
                _copy_plane(g, source, j, band_row, planes + j * size)
            else:
                _shift_plane(g, source, j, band_row, planes + g.twin[j] * size,
                             planes + j * size)
        planes += g.taps_w * size
        source += g.height * g.width


cdef inline void _copy_plane(const Walk* g, const floating* source, Py_ssize_t j,
                             Py_ssize_t band_row, floating* plane) noexcept nogil:
    """plane[l, u] = source[row of l, col0[j] + u * col_step], or zero outside the source."""
    cdef Py_ssize_t first = g.first[j], count = g.last[j] - g.first[j], l, h
    cdef Py_ssize_t at = g.col0[j] + first * g.col_step
    if count < g.cols:
        memset(plane, 0, g.lines * g.cols * sizeof(floating))
    for l in range(g.lines):
        h = g.line_row[l] + band_row * g.row_step
        if 0 <= h < g.height:
            _copy_row(source + h * g.width + at, plane + first, count, g.col_step)
        elif count == g.cols:
            memset(plane, 0, g.cols * sizeof(floating))
        plane += g.cols


cdef inline void _copy_row(const floating* row, floating* line, Py_ssize_t count,
                           Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t u
    if step == 1:
        memcpy(line, row, count * sizeof(floating))
    elif step == 2:
        for u in range(count):
            line[u] = row[2 * u]
    else:
        for u in range(count):
            line[u] = row[step * u]


cdef inline void _shift_plane(const Walk* g, const floating* source, Py_ssize_t j,
                              Py_ssize_t band_row, const floating* twin,
                              floating* plane) noexcept nogil:
    """The same from the plane of another tap, `shift` columns away: one long copy, then the
    columns that came in from the rows above or below are put right."""
    cdef Py_ssize_t shift = g.shift[j], size = g.lines * g.cols
    cdef Py_ssize_t begin = 0, end = -shift, l, h, u, w
    if shift > 0:
        memcpy(plane, twin + shift, (size - shift) * sizeof(floating))
        begin, end = g.cols - shift, g.cols
    else:
        memcpy(plane - shift, twin, (size + shift) * sizeof(floating))
    for u in range(begin, end):
        w = g.col0[j] + u * g.col_step
        if u < g.first[j] or u >= g.last[j]:
            for l in range(g.lines):
                plane[l * g.cols + u] = 0
        else:
            for l in range(g.lines):
                h = g.line_row[l] + band_row * g.row_step
                plane[l * g.cols + u] = source[h * g.width + w] if 0 <= h < g.height else 0


cdef inline Py_ssize_t weight_tiles(const Walk* g) noexcept nogil:
    """Into how many tiles `pack_tile` cuts the weights of one group."""
    return divide_up(g.channels, g.block) * divide_up(g.outputs, g.tile)


cdef inline void pack_tile(const Walk* g, const floating* weight, Py_ssize_t number,
                           floating* packed) noexcept nogil:
    """Lay one tile of a group's weights [r][k] as the micro-kernel reads it.

    All tiles together are packed[pass][tile][k][r]; the last of a pass is filled up with zeros.
    """
    cdef Py_ssize_t taps = g.taps_h * g.taps_w, row = g.channels * taps
    cdef Py_ssize_t tiles = divide_up(g.outputs, g.tile)
    cdef Py_ssize_t k0 = number // tiles * g.block * taps, r0 = number % tiles * g.tile
    cdef Py_ssize_t steps = clip(g.block * taps, 0, row - k0), k, r
    weight += r0 * row + k0
    packed += k0 * tiles * g.tile + r0 * steps
    if g.tile == 4 and r0 + 4 <= g.outputs:
        interleave(weight, weight + row, weight + 2 * row, weight + 3 * row, steps, packed)
        return
    for k in range(steps):
        for r in range(g.tile):
            packed[k * g.tile + r] = weight[r * row + k] if r0 + r < g.outputs else 0


cdef inline void free_walk(Walk* g) noexcept nogil:
    give_back(g.table)
    g.table = NULL
