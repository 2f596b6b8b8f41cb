# Convolution: forward, input gradient, weight gradient, bias gradient.
#
# Letters: b picture of the batch, g group, c input channel, r output channel, (h, w) input
# pixel, (oh, ow) output pixel, (i, j) kernel row and column, k = (c, i, j) tap, n flat position.
# Sizes: B, C, H, W input; OC, OH, OW output; KH, KW window; stride s, padding p, dilation d.
#
#     y[b, r, oh, ow] = bias[r] + sum_cij w[r, c, i, j] x[b, c, oh s + i d - p, ow s + j d - p]
#
# Design. No patch matrix (im2col) is ever built. Input planes are copied once, padded and
# shifted, so that all the numbers one tap needs are neighbours in memory (_lower.pxd); then
# one micro-kernel walks over them with a table of offsets, one number a tap (_tile.pxd, _walk.pxd):
#
#      weights [k][r]              lowered planes, from off[k] on
#      r0 r1 r2 r3                 n n n n n n n n  n n n n n n n n  n n n n n n n n
#     | .  .  .  . | k=0     x     . . . . . . . .  . . . . . . . .  . . . . . . . .   row k=0
#     | .  .  .  . | k=1           . . . . . . . .  . . . . . . . .  . . . . . . . .   row k=1
#
# Forward: that. Input gradient: the same walk backwards, adding to the lowered planes what forward
# read of them (_adjoint.pxd). Weight gradient: scalar products of rows of dy with the lowered
# planes, four rows by three taps at a time (_weight.pxd). Work is divided into passes over
# pictures, groups and bands of rows. Which thread makes a pass, and how passes are cut, never
# changes the order in which a sum is taken, so the results are the same bits for any number of
# threads.
#
# Many channels, 3 x 3 windows and stride 1 in single precision go another way where `winograd`
# is true: a third of the multiplications, a rounding error up to three times as large (_tiles.pxd).

from cython cimport floating
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY
from libc.string cimport memset

from minicnn.kernels._adjoint cimport (
    adjoint_numbered, adjoint_packed, adjoint_scratch, adjoint_tiles, pack_adjoint, plan_adjoint,
)
from minicnn.kernels._lanes cimport sum_shifted
from minicnn.kernels._lower cimport (
    Walk, clip, divide_up, free_walk, pack_tile, pass_count, weight_tiles,
)
from minicnn.kernels._scratch cimport borrow, give_back
from minicnn.kernels._shape cimport Shape, forward_walk, plan_forward
from minicnn.kernels._threads cimport worth
from minicnn.kernels._tile cimport COLS, round_up
from minicnn.kernels._tiles cimport (
    suits, tiles_backward_input, tiles_backward_weight, tiles_forward,
)
from minicnn.kernels._walk cimport walk_pass, walk_scratch
from minicnn.kernels._weight cimport order_taps, weight_numbered, weight_scratch


cdef enum:
    WEIGHT_ITEMS = 8        # parts into which a weight gradient is cut, for threads to share
    WEIGHT_LEAST = 512      # positions that such a part sums over, or more
    WEIGHT_JOIN = 1024      # positions summed between two additions to memory, or more
    TOGETHER = 4096         # weights that a thread adds up at once
    RUN = 64                # numbers that such a sum takes before it goes on in double
    SUMS = 32               # sums side by side in a bias gradient: they hide the additions' latency
    THREAD_WORK = 200000    # multiply-adds for which a thread is worth waking: some 5 us


cdef Shape shape_of(const Py_ssize_t* x, const Py_ssize_t* weight, const Py_ssize_t* y,
                    tuple stride, tuple padding, tuple dilation, Py_ssize_t groups, int threads):
    cdef Shape s
    s.batch, s.groups = x[0], groups
    s.channels, s.height, s.width = x[1] // groups, x[2], x[3]
    s.outputs, s.out_height, s.out_width = y[1] // groups, y[2], y[3]
    s.kernel_h, s.kernel_w = weight[2], weight[3]
    s.stride_h, s.stride_w = stride
    s.padding_h, s.padding_w = padding
    s.dilation_h, s.dilation_w = dilation
    s.threads = worth(s.batch * groups * s.outputs * s.out_height * s.out_width
                      * s.channels * s.kernel_h * s.kernel_w, THREAD_WORK, threads)
    return s


cdef bint forward(const Shape* s, const floating* x, const floating* weight,
                  const floating* bias, double floor, floating* y) noexcept nogil:
    """y = max(floor, x (*) weight + bias). Plan, pack the weights, share out the passes among the
    threads. False: no memory."""
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, wide = s.out_height * s.out_width % COLS
    cdef Py_ssize_t item, items, group, i, outputs, size, each, tiles
    cdef floating* start
    cdef floating* packed
    cdef floating* scratch
    cdef Walk g
    forward_walk(&g, s)
    g.floor = floor
    items = divide_up(2 * s.threads, s.groups) if s.threads > 1 else 1
    if not plan_forward(&g, s, s.batch, items, 1):
        return False
    if wide and g.band == g.rows:          # as many pictures as have room for their edges
        g.pictures = clip(COLS // wide, 1, clip(s.batch // items, 1, s.batch))
    outputs, each = round_up(s.outputs, g.tile), walk_scratch(&g)
    size = outputs * s.channels * kernel
    scratch = <floating*> borrow((s.groups * (outputs + size) + s.threads * each + 32)
                                 * sizeof(floating))
    if scratch == NULL:
        free_walk(&g)
        return False
    packed = scratch + s.threads * each
    start = packed + s.groups * size
    memset(start, 0, s.groups * outputs * sizeof(floating))
    tiles = weight_tiles(&g)
    for item in prange(s.groups * tiles, num_threads=s.threads):
        pack_tile(&g, weight + item // tiles * s.outputs * s.channels * kernel, item % tiles,
                  packed + item // tiles * size)
    for group in range(s.groups):
        if bias != NULL:
            for i in range(s.outputs):
                start[group * outputs + i] = bias[group * s.outputs + i]
    items = divide_up(s.batch, g.pictures) * s.groups * divide_up(g.rows, g.band)
    for item in prange(items, num_threads=s.threads, schedule="dynamic"):
        forward_numbered(&g, s, item, x, <const floating*> packed, <const floating*> start, y,
                         scratch + threadid() * each)
    give_back(scratch)
    free_walk(&g)
    return True


cdef void forward_numbered(const Walk* g, const Shape* s, Py_ssize_t item, const floating* x,
                           const floating* packed, const floating* start, floating* y,
                           floating* scratch) noexcept nogil:
    """Pass number `item`: bands change fastest, then groups, then pictures."""
    cdef Py_ssize_t bands = divide_up(g.rows, g.band), plane = s.out_height * s.out_width
    cdef Py_ssize_t band_row = item % bands * g.band, group = item // bands % s.groups
    cdef Py_ssize_t b = item // bands // s.groups * g.pictures
    cdef Py_ssize_t x_group = s.channels * s.height * s.width
    cdef Py_ssize_t outputs = round_up(s.outputs, g.tile)
    walk_pass(g, x + (b * s.groups + group) * x_group, s.groups * x_group,
              clip(g.pictures, 0, s.batch - b), band_row,
              packed + group * outputs * s.channels * s.kernel_h * s.kernel_w,
              start + group * outputs,
              y + (b * s.groups + group) * s.outputs * plane + band_row * g.cols, plane,
              s.groups * s.outputs * plane, scratch)


cdef bint backward_input(const Shape* s, const floating* dy, const floating* weight,
                         floating* dx) noexcept nogil:
    """dx[b, c, h, w] = sum_rij w[r, c, i, j] dy[b, r, oh, ow], oh s + i d - p = h, ow alike."""
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, size, each, weights, items, item
    cdef Py_ssize_t i, tiles
    cdef Walk g
    cdef floating* scratch
    cdef floating* packed
    cdef Py_ssize_t* off
    if not plan_adjoint(&g, s):
        return False
    size, each = adjoint_packed(&g, s), adjoint_scratch(&g, s)
    weights = round_up(s.groups * size, 16)
    scratch = <floating*> borrow((s.threads * each + weights) * sizeof(floating)
                                 + 2 * s.outputs * sizeof(Py_ssize_t))
    if scratch == NULL:
        free_walk(&g)
        return False
    packed = scratch + s.threads * each
    off = <Py_ssize_t*> (packed + weights)
    for i in range(s.outputs):                 # of a strip of dy, and of a panel of edges
        off[i], off[s.outputs + i] = i * s.out_height * s.out_width, i * COLS
    tiles = adjoint_tiles(&g, s)
    for item in prange(s.groups * tiles, num_threads=s.threads):
        pack_adjoint(&g, s, weight + item // tiles * s.outputs * s.channels * kernel, item % tiles,
                     packed + item // tiles * size)
    items = divide_up(s.batch, g.pictures) * s.groups * divide_up(s.channels, g.block)
    for item in prange(items, num_threads=s.threads, schedule="dynamic"):
        adjoint_numbered(&g, s, item, dy, off, <const floating*> packed, dx,
                         scratch + threadid() * each)
    give_back(scratch)
    free_walk(&g)
    return True


cdef bint backward_weight(const Shape* s, const floating* x, const floating* dy,
                          floating* dweight, bint accumulate) noexcept nogil:
    """dw[r, c, i, j] = sum_b,oh,ow dy[b, r, oh, ow] x[b, c, oh s + i d - p, ow s + j d - p].

    The batch is cut into chunks by its shape alone; each chunk sums into its own copy of dw,
    and the copies are added in order.
    """
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, weights = s.outputs * s.channels * kernel
    cdef Py_ssize_t passes, chunks, chunk, items, item, each, taps, tables
    cdef Walk g
    cdef floating* scratch
    cdef floating* part
    cdef Py_ssize_t* off
    forward_walk(&g, s)
    chunks = clip(divide_up(WEIGHT_ITEMS, s.groups * pass_count(&g)), 1, s.batch)
    chunk = clip(divide_up(s.batch, chunks), divide_up(WEIGHT_LEAST, g.rows * g.cols), s.batch)
    chunks = divide_up(s.batch, chunk)
    if not plan_forward(&g, s, chunk, 1, WEIGHT_JOIN):
        return False
    passes = divide_up(g.channels, g.block)
    taps = g.block * kernel
    each = weight_scratch(&g, s)
    tables = round_up(2 * taps, 16)
    off = <Py_ssize_t*> borrow((s.threads * each + chunks * s.groups * weights + 32)
                               * sizeof(floating) + tables * sizeof(Py_ssize_t))
    if off == NULL:
        free_walk(&g)
        return False
    scratch = <floating*> (off + tables)
    part = scratch + s.threads * each
    order_taps(&g, off, off + taps)
    memset(part, 0, chunks * s.groups * weights * sizeof(floating))
    items = chunks * s.groups * passes
    for item in prange(items, num_threads=s.threads, schedule="dynamic"):
        weight_numbered(&g, s, item, passes, chunk, x, dy, off, part,
                        scratch + threadid() * each)
    weights *= s.groups
    for item in prange(divide_up(weights, TOGETHER), num_threads=s.threads):
        add_parts(part + item * TOGETHER, chunks, weights,
                  clip(TOGETHER, 0, weights - item * TOGETHER), dweight + item * TOGETHER,
                  accumulate)
    give_back(off)
    free_walk(&g)
    return True


cdef inline void add_parts(const floating* part, Py_ssize_t count, Py_ssize_t step,
                           Py_ssize_t wide, floating* dweight, bint accumulate) noexcept nogil:
    """dw[i] (+)= sum over the copies of part[copy, i], for i < wide."""
    cdef Py_ssize_t _copy, i
    if not accumulate:
        memset(dweight, 0, wide * sizeof(floating))
    for _copy in range(count):
        for i in range(wide):
            dweight[i] += part[i]
        part += step


cdef void bias_channel(const floating* dy, Py_ssize_t batch, Py_ssize_t picture,
                       Py_ssize_t plane, floating* dbias, bint accumulate) noexcept nogil:
    """dbias[r] = sum_b,n dy[b, r, n], as SUMS sums side by side: of some RUN numbers each in the
    precision of the data, and of these in double. A large plane is summed by itself."""
    cdef floating lane[SUMS]
    cdef double acc[SUMS]
    cdef double total = dbias[0] if accumulate else 0
    cdef Py_ssize_t b, n, l, steps = 0
    for l in range(SUMS):
        lane[l] = 0
        acc[l] = 0
    for b in range(batch):
        if plane > RUN * SUMS:
            total += sum_shifted(dy + b * picture, plane, <floating> 0)
            continue
        for n in range(plane // SUMS):
            for l in range(SUMS):
                lane[l] += dy[b * picture + n * SUMS + l]
        for l in range(plane % SUMS):
            lane[l] += dy[b * picture + plane // SUMS * SUMS + l]
        steps += plane // SUMS + 1
        if steps >= RUN or b == batch - 1:
            for l in range(SUMS):
                acc[l] += lane[l]
                lane[l] = 0
            steps = 0
    for l in range(SUMS):
        total += acc[l]
    dbias[0] = <floating> total


def conv2d_suits_winograd(tuple x_shape, tuple weight_shape, tuple y_shape, tuple stride,
                          tuple padding, tuple dilation, Py_ssize_t groups):
    """Whether the functions below go Winograd's way, where they may, in single precision."""
    cdef Py_ssize_t x[4]
    cdef Py_ssize_t weight[4]
    cdef Py_ssize_t y[4]
    cdef Py_ssize_t i
    cdef Shape s
    for i in range(4):
        x[i], weight[i], y[i] = x_shape[i], weight_shape[i], y_shape[i]
    s = shape_of(x, weight, y, stride, padding, dilation, groups, 1)
    return bool(suits(&s))


def conv2d_forward(const floating[:, :, :, ::1] x not None,
                   const floating[:, :, :, ::1] weight not None, const floating[::1] bias,
                   floating[:, :, :, ::1] y not None, tuple stride, tuple padding,
                   tuple dilation, Py_ssize_t groups, bint winograd, bint relu,
                   int num_threads):
    """Write y = x (*) weight + bias, or where relu is true what of that is not negative, and 0.

    x      IN  (B, C, H, W)
    weight IN  (OC, C / groups, KH, KW)
    bias   IN  (OC,) or None
    y      OUT (B, OC, OH, OW)
    """
    cdef Shape s = shape_of(x.shape, weight.shape, y.shape, stride, padding, dilation, groups,
                            num_threads)
    cdef const floating* bias_at = NULL
    cdef double floor = 0 if relu else -INFINITY
    cdef bint done
    if y.size == 0:
        return
    if bias is not None:
        bias_at = &bias[0]
    with nogil:
        if floating is float and winograd and suits(&s):
            done = tiles_forward(&s, &x[0, 0, 0, 0], &weight[0, 0, 0, 0], bias_at,
                                 <float> floor, &y[0, 0, 0, 0])
        else:
            done = forward(&s, &x[0, 0, 0, 0], &weight[0, 0, 0, 0], bias_at, floor,
                           &y[0, 0, 0, 0])
    if not done:
        raise MemoryError("conv2d_forward: no memory for scratch")


def conv2d_backward_input(const floating[:, :, :, ::1] dy not None,
                          const floating[:, :, :, ::1] weight not None,
                          floating[:, :, :, ::1] dx not None, tuple stride, tuple padding,
                          tuple dilation, Py_ssize_t groups, bint winograd, int num_threads):
    """Write dx, the gradient with respect to the input of `conv2d_forward`.

    dy     IN  (B, OC, OH, OW)
    weight IN  (OC, C / groups, KH, KW)
    dx     OUT (B, C, H, W), overwritten
    """
    cdef Shape s = shape_of(dx.shape, weight.shape, dy.shape, stride, padding, dilation, groups,
                            num_threads)
    cdef bint done
    if dx.size == 0:
        return
    with nogil:
        if floating is float and winograd and suits(&s):
            done = tiles_backward_input(&s, &dy[0, 0, 0, 0], &weight[0, 0, 0, 0],
                                        &dx[0, 0, 0, 0])
        else:
            done = backward_input(&s, &dy[0, 0, 0, 0], &weight[0, 0, 0, 0], &dx[0, 0, 0, 0])
    if not done:
        raise MemoryError("conv2d_backward_input: no memory for scratch")


def conv2d_backward_weight(const floating[:, :, :, ::1] x not None,
                           const floating[:, :, :, ::1] dy not None,
                           floating[:, :, :, ::1] dweight not None, tuple stride,
                           tuple padding, tuple dilation, Py_ssize_t groups, bint winograd,
                           bint accumulate, int num_threads):
    """Write or add to dweight, the gradient with respect to the weights.

    x       IN  (B, C, H, W)
    dy      IN  (B, OC, OH, OW)
    dweight OUT (OC, C / groups, KH, KW): overwritten, or added to when accumulate is true
    """
    cdef Shape s = shape_of(x.shape, dweight.shape, dy.shape, stride, padding, dilation, groups,
                            num_threads)
    cdef bint done
    if dweight.size == 0:
        return
    if dy.size == 0:
        if not accumulate:
            dweight[:] = 0
        return
    with nogil:
        if floating is float and winograd and suits(&s):
            done = tiles_backward_weight(&s, &x[0, 0, 0, 0], &dy[0, 0, 0, 0],
                                         &dweight[0, 0, 0, 0], accumulate)
        else:
            done = backward_weight(&s, &x[0, 0, 0, 0], &dy[0, 0, 0, 0], &dweight[0, 0, 0, 0],
                                   accumulate)
    if not done:
        raise MemoryError("conv2d_backward_weight: no memory for scratch")


def conv2d_backward_bias(const floating[:, :, :, ::1] dy not None,
                         floating[::1] dbias not None, bint accumulate, int num_threads):
    """Write or add to dbias, the sum of dy over pictures and pixels.

    dy    IN  (B, OC, OH, OW)
    dbias OUT (OC,): overwritten, or added to when accumulate is true
    """
    cdef Py_ssize_t plane = dy.shape[2] * dy.shape[3], picture = dy.shape[1] * plane, r
    cdef int threads = worth(dy.size, THREAD_WORK, num_threads)
    if dy.size == 0:
        if not accumulate:
            dbias[:] = 0
        return
    for r in prange(dy.shape[1], nogil=True, num_threads=threads, schedule="static"):
        bias_channel(&dy[0, r, 0, 0], dy.shape[0], picture, plane, &dbias[r], accumulate)
