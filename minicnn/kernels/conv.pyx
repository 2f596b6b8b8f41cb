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
# Forward: that. Input gradient: the same walk over dy, one small kernel for each of the s * s
# phases of the stride. Weight gradient: scalar products of rows of dy with the same lowered
# planes, four rows by three taps at a time. Work is divided into passes over pictures, groups
# and bands of rows. Which thread makes a pass, and how passes are cut, never changes the order
# in which a sum is taken, so the results are the same bits for any number of threads.
#
# Many channels, 3 x 3 windows and stride 1 in single precision go another way where `winograd`
# is true: a third of the multiplications, a rounding error up to three times as large (_tiles.pxd).

from cython cimport floating
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from minicnn.kernels._lower cimport (
    Walk, clip, divide_up, free_walk, pack_weights, pass_count, plan_walk,
)
from minicnn.kernels._shape cimport Shape, forward_taps, forward_walk, phase_taps, plan_forward
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
    SUMS = 32               # sums side by side in a bias gradient: they hide the additions' latency
    THREAD_WORK = 200000    # multiply-adds for which a thread is worth waking: some 5 us


cdef struct Job:
    # How the matrices of one walk lie in memory; strides in numbers.
    Py_ssize_t source_picture, source_group
    Py_ssize_t weight_group, weight_output, weight_channel
    Py_ssize_t out_picture, out_group, out_plane, out_width
    Py_ssize_t step_h, step_w                          # of the output grid within its plane


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


cdef inline void* aligned(void* block) noexcept nogil:
    """The first address in block that is a multiple of 64: a cache line, a v4 vector."""
    return <void*> ((<size_t> block + 63) // 64 * 64)


cdef void walk_item(const Walk* g, const Job* job, const floating* source,
                    const floating* packed, const floating* start, floating* out,
                    Py_ssize_t pictures, Py_ssize_t band_row, floating* scratch) noexcept nogil:
    """One pass, straight into the output, or by way of scratch when its columns are not
    neighbours there (the phases of a strided input gradient)."""
    cdef Py_ssize_t size = g.band * g.cols, rows = clip(g.band, 0, g.rows - band_row)
    cdef Py_ssize_t p, r, h, u
    cdef floating* stage = scratch + walk_scratch(g)
    cdef floating* to
    if job.step_h == 1 and job.step_w == 1:
        walk_pass(g, source, job.source_picture, pictures, band_row, packed, start,
                  out + band_row * g.cols, job.out_plane, job.out_picture, scratch)
        return
    walk_pass(g, source, job.source_picture, pictures, band_row, packed, start,
              stage, size, g.outputs * size, scratch)
    for p in range(pictures):
        for r in range(g.outputs):
            for h in range(rows):
                to = (out + p * job.out_picture + r * job.out_plane
                      + (band_row + h) * job.step_h * job.out_width)
                for u in range(g.cols):
                    to[u * job.step_w] = stage[h * g.cols + u]
            stage += size


cdef bint walk_batch(Walk* g, const Job* job, const Py_ssize_t* row0, const Py_ssize_t* col0,
                     const Py_ssize_t* tap, const floating* source, const floating* weight,
                     const floating* bias, floating* out, Py_ssize_t batch, Py_ssize_t groups,
                     int threads) noexcept nogil:
    """Plan, pack the weights and share the passes out among the threads. False: no memory."""
    cdef Py_ssize_t wide = g.rows * g.cols % COLS
    cdef Py_ssize_t item, items, bands, group, i, outputs, packed_size, each
    cdef void* memory
    cdef floating* start
    cdef floating* packed
    cdef floating* scratch
    items = divide_up(2 * threads, groups) if threads > 1 else 1
    if not plan_walk(g, row0, col0, batch, items, 1):
        return False
    if wide and g.band == g.rows:          # as many pictures as have room for their edges
        g.pictures = clip(COLS // wide, 1, clip(batch // items, 1, batch))
    outputs = round_up(g.outputs, g.tile)
    packed_size = outputs * g.channels * g.taps_h * g.taps_w
    each = walk_scratch(g)
    if job.step_h != 1 or job.step_w != 1:
        each += round_up(g.pictures * g.outputs * g.band * g.cols, 16)
    memory = malloc((groups * (outputs + packed_size) + threads * each + 32) * sizeof(floating)
                    + 64)
    if memory == NULL:
        free_walk(g)
        return False
    scratch = <floating*> aligned(memory)
    packed = scratch + threads * each
    start = packed + groups * packed_size
    memset(start, 0, groups * outputs * sizeof(floating))
    for group in range(groups):
        pack_weights(g, weight + group * job.weight_group, job.weight_output,
                     job.weight_channel, tap, packed + group * packed_size)
        if bias != NULL:
            for i in range(g.outputs):
                start[group * outputs + i] = bias[group * g.outputs + i]

    bands = divide_up(g.rows, g.band)
    items = divide_up(batch, g.pictures) * groups * bands
    for item in prange(items, num_threads=threads, schedule="dynamic"):
        walk_numbered(g, job, item, bands, groups, batch, source, packed, packed_size,
                      start, outputs, out, scratch + threadid() * each)
    free(memory)
    free_walk(g)
    return True


cdef void walk_numbered(const Walk* g, const Job* job, Py_ssize_t item, Py_ssize_t bands,
                        Py_ssize_t groups, Py_ssize_t batch, const floating* source,
                        const floating* packed, Py_ssize_t packed_size, const floating* start,
                        Py_ssize_t outputs, floating* out, floating* scratch) noexcept nogil:
    """Pass number `item`: bands change fastest, then groups, then pictures."""
    cdef Py_ssize_t band = item % bands, group = item // bands % groups
    cdef Py_ssize_t b = item // bands // groups * g.pictures
    walk_item(g, job, source + b * job.source_picture + group * job.source_group,
              packed + group * packed_size, start + group * outputs,
              out + b * job.out_picture + group * job.out_group,
              clip(g.pictures, 0, batch - b), band * g.band, scratch)


cdef bint forward(const Shape* s, const floating* x, const floating* weight,
                  const floating* bias, floating* y) noexcept nogil:
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, plane = s.out_height * s.out_width
    cdef Py_ssize_t* row0 = forward_taps(s)
    cdef Walk g
    cdef Job job
    cdef bint done
    if row0 == NULL:
        return False
    forward_walk(&g, s)
    job.source_group = s.channels * s.height * s.width
    job.source_picture = s.groups * job.source_group
    job.weight_channel = kernel
    job.weight_output = s.channels * kernel
    job.weight_group = s.outputs * job.weight_output
    job.out_plane, job.out_width = plane, s.out_width
    job.out_group = s.outputs * plane
    job.out_picture = s.groups * job.out_group
    job.step_h = job.step_w = 1
    done = walk_batch(&g, &job, row0, row0 + s.kernel_h, row0 + s.kernel_h + s.kernel_w, x,
                      weight, bias, y, s.batch, s.groups, s.threads)
    free(row0)
    return done


cdef bint backward_input(const Shape* s, const floating* dy, const floating* weight,
                         floating* dx) noexcept nogil:
    """dx[b, c, h, w] = sum_rij w[r, c, i, j] dy[b, r, oh, ow], oh s + i d - p = h, ow alike."""
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, plane = s.height * s.width
    cdef Py_ssize_t* row0 = <Py_ssize_t*> malloc(
        (2 * s.kernel_h + 2 * s.kernel_w + kernel) * sizeof(Py_ssize_t))
    cdef Py_ssize_t* col0 = row0 + s.kernel_h
    cdef Py_ssize_t* row_tap = col0 + s.kernel_w
    cdef Py_ssize_t* col_tap = row_tap + s.kernel_h
    cdef Py_ssize_t* tap = col_tap + s.kernel_w
    cdef Py_ssize_t h, w, i, j
    cdef Walk g
    cdef Job job
    cdef bint done = row0 != NULL
    g.channels, g.height, g.width = s.outputs, s.out_height, s.out_width
    g.row_step, g.col_step, g.outputs, g.floor = 1, 1, s.channels, -INFINITY
    job.source_group = s.outputs * s.out_height * s.out_width
    job.source_picture = s.groups * job.source_group
    job.weight_output = kernel
    job.weight_channel = s.channels * kernel
    job.weight_group = s.outputs * job.weight_channel
    job.out_plane, job.out_width = plane, s.width
    job.out_group = s.channels * plane
    job.out_picture = s.groups * job.out_group
    job.step_h, job.step_w = s.stride_h, s.stride_w
    if (s.kernel_h < s.stride_h or s.kernel_w < s.stride_w
            or s.dilation_h > 1 or s.dilation_w > 1):      # some phase may have no tap
        memset(dx, 0, s.batch * job.out_picture * sizeof(floating))
    for h in range(clip(s.stride_h, 0, s.height)):
        for w in range(clip(s.stride_w, 0, s.width)):
            if not done:
                break
            g.taps_h = phase_taps(h, s.kernel_h, s.stride_h, s.padding_h, s.dilation_h,
                                  row_tap, row0)
            g.taps_w = phase_taps(w, s.kernel_w, s.stride_w, s.padding_w, s.dilation_w,
                                  col_tap, col0)
            if g.taps_h == 0 or g.taps_w == 0:             # no tap reaches this phase: dx = 0
                continue
            for i in range(g.taps_h):
                for j in range(g.taps_w):
                    tap[i * g.taps_w + j] = row_tap[i] * s.kernel_w + col_tap[j]
            g.block = 0
            g.rows = divide_up(s.height - h, s.stride_h)
            g.cols = divide_up(s.width - w, s.stride_w)
            done = walk_batch(&g, &job, row0, col0, tap, dy, weight, <const floating*> NULL,
                              dx + h * s.width + w, s.batch, s.groups, s.threads)
    free(row0)
    return done


cdef bint backward_weight(const Shape* s, const floating* x, const floating* dy,
                          floating* dweight, bint accumulate) noexcept nogil:
    """dw[r, c, i, j] = sum_b,oh,ow dy[b, r, oh, ow] x[b, c, oh s + i d - p, ow s + j d - p].

    The batch is cut into chunks by its shape alone; each chunk sums into its own copy of dw,
    and the copies are added in order.
    """
    cdef Py_ssize_t kernel = s.kernel_h * s.kernel_w, weights = s.outputs * s.channels * kernel
    cdef Py_ssize_t passes, chunks, chunk, items, item, each, taps, i
    cdef Walk g
    cdef void* memory
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
    memory = malloc((s.threads * each + chunks * s.groups * weights + 32) * sizeof(floating)
                    + 2 * taps * sizeof(Py_ssize_t) + 64)
    if memory == NULL:
        free_walk(&g)
        return False
    off = <Py_ssize_t*> aligned(memory)
    scratch = <floating*> aligned(off + 2 * taps)
    part = scratch + s.threads * each
    order_taps(&g, off, off + taps)
    memset(part, 0, chunks * s.groups * weights * sizeof(floating))
    items = chunks * s.groups * passes
    for item in prange(items, num_threads=s.threads, schedule="dynamic"):
        weight_numbered(&g, s, item, passes, chunk, x, dy, off, part,
                        scratch + threadid() * each)
    for i in range(s.groups * weights):
        if not accumulate:
            dweight[i] = 0
        for item in range(chunks):
            dweight[i] += part[item * s.groups * weights + i]
    free(memory)
    free_walk(&g)
    return True


cdef void bias_channel(const floating* dy, Py_ssize_t batch, Py_ssize_t picture,
                       Py_ssize_t plane, floating* dbias, bint accumulate) noexcept nogil:
    """dbias[r] = sum_b,n dy[b, r, n], in double precision, as SUMS sums side by side."""
    cdef double acc[SUMS]
    cdef double total = dbias[0] if accumulate else 0
    cdef Py_ssize_t _b, n, l
    for l in range(SUMS):
        acc[l] = 0
    for _b in range(batch):
        for n in range(plane // SUMS):
            for l in range(SUMS):
                acc[l] += dy[n * SUMS + l]
        for n in range(plane // SUMS * SUMS, plane):
            total += dy[n]
        dy += picture
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
                   tuple dilation, Py_ssize_t groups, bint winograd, int num_threads):
    """Write y = x (*) weight + bias.

    x      IN  (B, C, H, W)
    weight IN  (OC, C / groups, KH, KW)
    bias   IN  (OC,) or None
    y      OUT (B, OC, OH, OW)
    """
    cdef Shape s = shape_of(x.shape, weight.shape, y.shape, stride, padding, dilation, groups,
                            num_threads)
    cdef const floating* bias_at = NULL
    cdef bint done
    if y.size == 0:
        return
    if bias is not None:
        bias_at = &bias[0]
    with nogil:
        if floating is float and winograd and suits(&s):
            done = tiles_forward(&s, &x[0, 0, 0, 0], &weight[0, 0, 0, 0], bias_at, &y[0, 0, 0, 0])
        else:
            done = forward(&s, &x[0, 0, 0, 0], &weight[0, 0, 0, 0], bias_at, &y[0, 0, 0, 0])
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
