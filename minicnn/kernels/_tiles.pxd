# Winograd's convolution over a batch: cutting pictures into tiles, passes, threads.
#
# Letters: b picture, p picture of a pass, c input channel, r output channel, t tile, (i, j) place
# in a tile's 6 x 4 inputs, q row of tiles, u column of tiles. The mathematics is in _winograd.pxd.
#
# A pass takes a band of tile rows of one picture, or several whole pictures. Each channel of it
# is lowered as for a direct convolution (_lower.pxd), here with a step of 4 rows and 2 columns, so
# that input (i, j) of tiles t, t + 1, ... are neighbours in memory; a picture's tiles are filled
# up to whole vectors. Then V is made, and strip by strip of COLS tiles the 24 products M.

from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from minicnn.kernels._dots cimport dots
from minicnn.kernels._lower cimport clip, divide_up
from minicnn.kernels._scratch cimport borrow, give_back
from minicnn.kernels._shape cimport Shape
from minicnn.kernels._tile cimport COLS, LANES, ROWS, round_up, walk_full
from minicnn.kernels._winograd cimport (
    ACROSS, DOWN, IN_H, IN_W, PLACES, TOGETHER, add_weights, own, transform_gradient,
    transform_input, transform_output, transform_weights,
)


cdef enum:
    LEAST_CHANNELS = 16     # below, the transforms cost more than they save
    LEAST_PAIRS = 768       # of an input and an output channel
    LEAST_OUTPUTS = 2048    # of a channel in the batch: the weights are transformed once for all
    V_BUDGET = 65536        # numbers of V in a pass: it stays in L2
    WEIGHT_TILES = 256      # tiles that a weight gradient sums over at a time, or more
    WEIGHT_CHUNKS = 8       # parts into which the batch is cut, for threads to share


cdef struct Tiles:
    Py_ssize_t channels, height, width                 # source of one group
    Py_ssize_t pad_h, pad_w
    Py_ssize_t outputs, out_height, out_width
    Py_ssize_t rows, cols                              # tiles of a picture, down and across
    Py_ssize_t band, pictures                          # rows of tiles, pictures in one pass
    Py_ssize_t lanes                                   # tiles of a band, filled up to vectors
    Py_ssize_t wide, strips                            # tiles of a strip, strips of a pass
    Py_ssize_t place                                   # numbers from one matrix to the next
    Py_ssize_t off[PLACES]                             # of input (i, j) in the lowered planes


cdef inline bint suits_tiles(const Shape* s) noexcept nogil:
    """Whether Winograd's way is possible, and the faster one with weights transformed before."""
    return (s.kernel_h == 3 and s.kernel_w == 3 and s.stride_h == 1 and s.stride_w == 1
            and s.dilation_h == 1 and s.dilation_w == 1 and s.padding_h <= 2 and s.padding_w <= 2
            and s.channels >= LEAST_CHANNELS and s.outputs >= LEAST_CHANNELS
            and s.channels * s.outputs >= LEAST_PAIRS and s.out_height >= DOWN
            and s.out_width >= DOWN)


cdef inline bint suits(const Shape* s) noexcept nogil:
    """The same where the weights are to be transformed first."""
    return suits_tiles(s) and s.batch * s.out_height * s.out_width >= LEAST_OUTPUTS


cdef inline void plan_tiles(Tiles* g, Py_ssize_t batch, Py_ssize_t bands) noexcept nogil:
    """Choose band and pictures: what fits the budget with the fewest lanes left empty. A picture is
    cut into `bands` bands or more, if it has so many whole strips."""
    cdef Py_ssize_t most = clip(V_BUDGET // (PLACES * g.channels), COLS, V_BUDGET)
    cdef Py_ssize_t p, full, best = 0
    g.rows = divide_up(g.out_height, DOWN)
    g.cols = divide_up(g.out_width, ACROSS)
    bands = clip(g.rows * g.cols // COLS, 1, bands)
    g.band = clip(most // g.cols, 1, divide_up(g.rows, bands))
    g.pictures = 1
    set_band(g)
    if g.band == g.rows:
        for p in range(1, clip(most // g.lanes, 1, batch) + 1):
            full = 1000 * p * g.lanes // round_up(p * g.lanes, COLS)
            if full > best + 10:
                best, g.pictures = full, p
    cut_strips(g, COLS)


cdef inline void set_band(Tiles* g) noexcept nogil:
    cdef Py_ssize_t i, j
    g.lanes = round_up(g.band * g.cols, LANES)
    for i in range(IN_H):
        for j in range(IN_W):
            g.off[IN_W * i + j] = ((i % DOWN * IN_W + j) * (g.band + 1) + i // DOWN) * g.cols


cdef inline void cut_strips(Tiles* g, Py_ssize_t wide) noexcept nogil:
    g.wide = wide
    g.strips = divide_up(g.pictures * g.lanes, wide)
    # 24 streams of stores a power of two apart would all meet in one set of the cache.
    g.place = g.channels * wide // 128 * 128 + 128 + 16


cdef inline Py_ssize_t lowered_size(const Tiles* g) noexcept nogil:
    """Numbers of the lowered planes of one channel (with room to read on), and of a line."""
    return round_up(DOWN * IN_W * (g.band + 1) * g.cols + COLS + ACROSS * g.cols + 2, 16)


cdef inline void split(const float* row, Py_ssize_t count, own p0, own p1, own p2,
                       own p3) noexcept nogil:
    """p_j[u] = row[2 u + j]"""
    cdef Py_ssize_t u
    for u in range(count):
        p0[u] = row[2 * u]
        p1[u] = row[2 * u + 1]
        p2[u] = row[2 * u + 2]
        p3[u] = row[2 * u + 3]


cdef inline void lower_tiles(const Tiles* g, const float* source, Py_ssize_t first_row,
                             float* planes) noexcept nogil:
    """planes[i % 4][j][q + i // 4][u] = source[4 (first_row + q) + i - pad, 2 u + j - pad]."""
    cdef Py_ssize_t size = (g.band + 1) * g.cols, wide = ACROSS * g.cols + 2
    cdef Py_ssize_t skip = clip(g.pad_w, 0, wide), count = clip(g.width, 0, wide - skip)
    cdef Py_ssize_t l, h, j
    cdef float* line = planes + DOWN * IN_W * size + COLS
    cdef float* p
    cdef const float* row
    memset(line, 0, wide * sizeof(float))
    for l in range(DOWN * g.band + 2):
        h = DOWN * first_row + l - g.pad_h
        p = planes + l % DOWN * IN_W * size + l // DOWN * g.cols
        if h < 0 or h >= g.height:
            for j in range(IN_W):
                memset(p + j * size, 0, g.cols * sizeof(float))
            continue
        row = source + h * g.width
        if skip > 0 or count < wide:
            memcpy(line + skip, row, count * sizeof(float))
            row = line
        split(row, g.cols, p, p + size, p + 2 * size, p + 3 * size)


cdef inline void make_v(const Tiles* g, const float* source, Py_ssize_t source_picture,
                        Py_ssize_t pictures, Py_ssize_t first_row, bint adjoint, float* planes,
                        float* v) noexcept nogil:
    """v[t / wide][e][c][t % wide] for all tiles of a pass."""
    cdef Py_ssize_t tiles = clip(g.band, 0, g.rows - first_row) * g.cols, c, p, n, t
    cdef float* to
    for c in range(g.channels):
        for p in range(pictures):
            lower_tiles(g, source + p * source_picture + c * g.height * g.width, first_row,
                        planes)
            n = 0
            while n < tiles:
                t = p * g.lanes + n
                to = v + t // g.wide * PLACES * g.place + c * g.wide + t % g.wide
                if adjoint:
                    transform_gradient(planes + n, g.off, to, g.place, tiles - n)
                else:
                    transform_input(planes + n, g.off, to, g.place)
                n += LANES


cdef inline void scatter(const Tiles* g, const float* z, Py_ssize_t t, Py_ssize_t end,
                         Py_ssize_t tiles, Py_ssize_t first_row, float* y,
                         Py_ssize_t y_picture) noexcept nogil:
    """Copy the outputs of tiles t ... end - 1 to their rows of y."""
    cdef Py_ssize_t at = t, n, col, count, wide, i, h
    cdef float* to
    while at < end:
        n = at % g.lanes
        if n >= tiles:                             # only there to fill up a vector
            at += g.lanes - n
            continue
        col = n % g.cols
        count = clip(g.cols - col, 0, end - at)
        wide = clip(ACROSS * count, 0, g.out_width - ACROSS * col)
        h = DOWN * (first_row + n // g.cols)
        to = y + at // g.lanes * y_picture + h * g.out_width + ACROSS * col
        for i in range(clip(DOWN, 0, g.out_height - h)):
            memcpy(to + i * g.out_width, z + (i * COLS + at - t) * ACROSS, wide * sizeof(float))
        at += count


cdef inline Py_ssize_t pass_scratch(const Tiles* g) noexcept nogil:
    """Numbers of scratch that tiles_pass needs."""
    return round_up(PLACES * (g.strips * g.place + COLS * round_up(g.outputs, ROWS))
                    + DOWN * ACROSS * COLS + lowered_size(g), 16)


cdef inline void tiles_pass(const Tiles* g, const float* source, Py_ssize_t source_picture,
                            Py_ssize_t pictures, Py_ssize_t first_row, const float* packed,
                            const Py_ssize_t* ramp, const float* bias, const float* zero,
                            float floor, float* y, Py_ssize_t y_picture,
                            float* scratch) noexcept nogil:
    """One pass: V, then for each strip M and the outputs."""
    cdef Py_ssize_t tiles = clip(g.band, 0, g.rows - first_row) * g.cols
    cdef Py_ssize_t end = (pictures - 1) * g.lanes + tiles, blocks = divide_up(g.outputs, ROWS)
    cdef Py_ssize_t t = 0, block, r, e
    cdef float* v = scratch
    cdef float* m = v + PLACES * g.strips * g.place
    cdef float* z = m + PLACES * COLS * blocks * ROWS
    make_v(g, source, source_picture, pictures, first_row, False, z + DOWN * ACROSS * COLS, v)
    while t < end:
        for e in range(PLACES):
            for block in range(blocks):
                walk_full(<const float*> v, ramp, packed + (e * blocks + block) * g.channels * ROWS,
                          g.channels, zero, <float> -INFINITY,
                          m + (block * PLACES + e) * ROWS * COLS, COLS)
            v += g.place
        for r in range(g.outputs):
            transform_output(m + (r // ROWS * PLACES * ROWS + r % ROWS) * COLS, z,
                             bias[r] if bias != NULL else 0, floor)
            scatter(g, z, t, clip(t + COLS, 0, end), tiles, first_row,
                    y + r * g.out_height * g.out_width, y_picture)
        t += COLS


cdef inline bint convolve_tiles(Tiles* g, const Shape* s, const float* source,
                                const float* weight, bint turned, const float* bias, float floor,
                                float* y) noexcept nogil:
    """Group by group: transform the weights, share the passes out among the threads. False: no
    memory."""
    cdef Py_ssize_t size = PLACES * g.channels * round_up(g.outputs, ROWS)
    cdef Py_ssize_t source_group = g.channels * g.height * g.width
    cdef Py_ssize_t y_group = g.outputs * g.out_height * g.out_width
    cdef Py_ssize_t each, bands, _group, item, b, i
    cdef float* packed
    cdef float* zero
    cdef float* scratch
    cdef Py_ssize_t* ramp
    plan_tiles(g, s.batch, 1)
    each = pass_scratch(g)
    bands = divide_up(g.rows, g.band)
    scratch = <float*> borrow((s.threads * each + size + ROWS) * sizeof(float)
                              + g.channels * sizeof(Py_ssize_t))
    if scratch == NULL:
        return False
    packed = scratch + s.threads * each
    zero = packed + size
    ramp = <Py_ssize_t*> (zero + ROWS)
    memset(scratch, 0, s.threads * each * sizeof(float))   # lanes that nobody fills are computed
    memset(zero, 0, ROWS * sizeof(float))
    for i in range(g.channels):
        ramp[i] = i * COLS
    for _group in range(s.groups):
        transform_weights(weight, turned, g.channels, g.outputs, packed)
        for item in prange(divide_up(s.batch, g.pictures) * bands, num_threads=s.threads,
                           schedule="dynamic"):
            b = item // bands * g.pictures
            tiles_pass(g, source + b * s.groups * source_group, s.groups * source_group,
                       clip(g.pictures, 0, s.batch - b), item % bands * g.band, packed, ramp,
                       bias, zero, floor, y + b * s.groups * y_group, s.groups * y_group,
                       scratch + threadid() * each)
        source += source_group
        weight += 9 * g.channels * g.outputs
        bias = bias + g.outputs if bias != NULL else NULL
        y += y_group
    give_back(scratch)
    return True


cdef inline bint tiles_forward(const Shape* s, const float* x, const float* weight,
                               const float* bias, float floor, float* y) noexcept nogil:
    cdef Tiles g
    g.channels, g.height, g.width = s.channels, s.height, s.width
    g.outputs, g.out_height, g.out_width = s.outputs, s.out_height, s.out_width
    g.pad_h, g.pad_w = s.padding_h, s.padding_w
    return convolve_tiles(&g, s, x, weight, False, bias, floor, y)


cdef inline bint tiles_backward_input(const Shape* s, const float* dy, const float* weight,
                                      float* dx) noexcept nogil:
    """dx is dy, padded by 2 - p, convolved with the weights turned round."""
    cdef Tiles g
    g.channels, g.height, g.width = s.outputs, s.out_height, s.out_width
    g.outputs, g.out_height, g.out_width = s.channels, s.height, s.width
    g.pad_h, g.pad_w = 2 - s.padding_h, 2 - s.padding_w
    return convolve_tiles(&g, s, dy, weight, True, NULL, <float> -INFINITY, dx)


cdef inline void weight_chunk(const Tiles* g, const Tiles* h, const float* x, Py_ssize_t x_picture,
                              const float* dy, Py_ssize_t dy_picture, Py_ssize_t pictures,
                              float* part, float* scratch) noexcept nogil:
    """Add to part[e][r][c] the sum over all tiles of some pictures."""
    cdef Py_ssize_t b = 0, e, count
    cdef float* v = scratch
    cdef float* d = v + PLACES * g.place
    cdef float* planes = d + PLACES * h.place
    while b < pictures:
        count = clip(g.pictures, 0, pictures - b)
        make_v(g, x + b * x_picture, x_picture, count, 0, False, planes, v)
        make_v(h, dy + b * dy_picture, dy_picture, count, 0, True, planes, d)
        for e in range(PLACES):
            dots(<const float*> d + e * h.place, h.wide, 0, h.channels,
                 <const float*> v + e * g.place, NULL, g.wide, 0, g.channels, 1,
                 count * g.lanes // LANES, part + e * g.channels * h.channels, g.channels, NULL, 1)
        b += count


cdef inline bint tiles_backward_weight(const Shape* s, const float* x, const float* dy,
                                       float* dweight, bint accumulate) noexcept nogil:
    """The batch is cut by its shape alone; each chunk has its own sums, added in order."""
    cdef Py_ssize_t x_group = s.channels * s.height * s.width
    cdef Py_ssize_t dy_group = s.outputs * s.out_height * s.out_width
    cdef Py_ssize_t weights = s.outputs * s.channels, chunk, chunks, each, item, group
    cdef float* part
    cdef float* scratch
    cdef Tiles g, h
    chunk = divide_up(s.batch, clip(WEIGHT_CHUNKS, 1, s.batch))
    chunks = divide_up(s.batch, chunk)
    g.channels, g.height, g.width = s.channels, s.height, s.width
    g.outputs, g.out_height, g.out_width = s.outputs, s.out_height, s.out_width
    g.pad_h, g.pad_w = s.padding_h, s.padding_w
    g.rows, g.cols = divide_up(s.out_height, DOWN), divide_up(s.out_width, ACROSS)
    g.band = g.rows
    set_band(&g)
    g.pictures = clip(divide_up(WEIGHT_TILES, g.lanes), 1, chunk)
    h = g
    h.channels, h.height, h.width = s.outputs, s.out_height, s.out_width
    h.pad_h = h.pad_w = 0
    cut_strips(&g, g.pictures * g.lanes)
    cut_strips(&h, g.pictures * g.lanes)
    each = PLACES * (g.place + h.place) + lowered_size(&g)
    scratch = <float*> borrow((s.threads * each + chunks * PLACES * weights) * sizeof(float))
    if scratch == NULL:
        return False
    part = scratch + s.threads * each
    for group in range(s.groups):
        memset(scratch, 0, (s.threads * each + chunks * PLACES * weights) * sizeof(float))
        for item in prange(chunks, num_threads=s.threads, schedule="dynamic"):
            weight_chunk(&g, &h, x + item * chunk * s.groups * x_group + group * x_group,
                         s.groups * x_group, dy + item * chunk * s.groups * dy_group
                         + group * dy_group, s.groups * dy_group,
                         clip(chunk, 0, s.batch - item * chunk),
                         part + item * PLACES * weights, scratch + threadid() * each)
        for item in prange(divide_up(weights, TOGETHER), num_threads=s.threads):
            add_weights(part, chunks, weights, item * TOGETHER, dweight + group * weights * 9,
                        accumulate)
    give_back(scratch)
    return True
