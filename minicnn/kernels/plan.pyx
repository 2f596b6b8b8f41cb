# A whole net in one call: the compiled plan of `net.compile`.
#
# Letters: b picture of the batch, p picture of a chunk, s step.
#
# Design. The pictures go through the net in chunks, each from the first step to the last before
# the next one begins, so that what the layers hand each other never leaves the cache:
#
#      chunk 0   conv+relu+pool -> conv+relu+pool --+       thread 0
#      chunk 1   conv+relu+pool -> conv+relu+pool --+       thread 1       then, for all pictures
#      chunk 2   conv+relu+pool -> conv+relu+pool --+-->  linear+relu -> linear
#
# A fully connected layer reads all its weights for every chunk, so it waits for the whole batch.
# Where there are fewer chunks than threads, the threads share out the items of every step instead.
# Weights are packed and tables made once, in `plan_prepare`; `plan_run` computes. What a step does
# is in _steps.pxd. Sums are taken in an order that depends on neither the batch nor the threads.

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY
from libc.string cimport memset

from minicnn.kernels._linear cimport (
    K_LINEAR, PICTURES, linear_item, linear_packed, linear_rows, pack_linear, pack_rows,
)
from minicnn.kernels._lower cimport Walk, clip, divide_up, free_walk, pack_weights
from minicnn.kernels._pooled cimport free_pooled, plan_pooled, pooled_scratch
from minicnn.kernels._scratch cimport borrow, give_back, keep
from minicnn.kernels._shape cimport Shape, forward_walk, plan_forward
from minicnn.kernels._steps cimport (
    ADD, BATCH, CHUNK, COPY, DIRECT, FEW, FUNCTION, INPUT, LEAKY_RELU, LINEAR, MANY,
    MAXIMA, MEANS, OUTPUT, PLANS, POOLED, RELU, SCALE, SIGMOID, TANH, TILES, Place, Step,
    do_item, item_count,
)
from minicnn.kernels._threads cimport worth
from minicnn.kernels._tile cimport COLS, ROWS, round_up, tile_rows
from minicnn.kernels._tiles cimport Tiles, pass_scratch, plan_tiles, suits_tiles
from minicnn.kernels._walk cimport walk_scratch
from minicnn.kernels._winograd cimport PLACES, transform_weights


cdef enum:
    CHUNK_BUDGET = 40960    # numbers that a chunk hands from step to step: they stay in L2
    MOST_PICTURES = 24      # of a chunk: more join no more edges
    BANDS = 8               # parts of a picture where threads share it
    THREAD_WORK = 200000    # multiply-adds for which a thread is worth waking: some 5 us


cdef struct Plan:
    Step* steps
    Py_ssize_t count
    Py_ssize_t inputs, outputs, chunk, batch       # numbers per picture
    Py_ssize_t scratch                             # numbers that any item needs, at most
    Py_ssize_t work                                # multiply-adds of a picture


cdef extern from *:
    """
    static const char* minicnn_plan_name = "minicnn.plan";
    """
    const char* NAME "minicnn_plan_name"


# --- making a plan ---------------------------------------------------------------------------


cdef void* zeroed(size_t bytes) noexcept:
    """Memory for the life of a plan; NULL: there is none."""
    cdef void* block = keep(bytes)
    if block != NULL:
        memset(block, 0, bytes)
    return block


cdef void destroy(object capsule) noexcept:
    cdef Plan* p = <Plan*> PyCapsule_GetPointer(capsule, NAME)
    free_plan(p)


cdef void free_plan(Plan* p) noexcept:
    cdef Py_ssize_t i
    cdef int k
    cdef Step* s
    for i in range(p.count):
        s = &p.steps[i]
        for k in range(PLANS):
            free_walk(&s.walk[k])
            free_pooled(&s.pooled[k])
        give_back(s.packed)
        give_back(s.start)
        give_back(s.ramp)
    give_back(p.steps)
    give_back(p)


def plan_prepare(object program, bint winograd):
    """What `plan_run` runs: weights packed, tables made.

    program  a `minicnn.kernels._program.Program`
    winograd whether convolutions that it suits may go Winograd's way
    """
    cdef Plan* p = <Plan*> zeroed(sizeof(Plan))
    cdef Py_ssize_t i
    cdef object capsule
    if p == NULL:
        raise MemoryError("plan_prepare: no memory for the plan")
    capsule = PyCapsule_New(p, NAME, destroy)
    p.inputs, p.outputs = program.inputs, program.outputs
    p.chunk, p.batch = program.chunk, program.batch
    p.work = program.multiply_adds
    p.steps = <Step*> zeroed((len(program.steps) + 1) * sizeof(Step))
    if p.steps == NULL:
        raise MemoryError("plan_prepare: no memory for the steps")
    for i in range(len(program.steps)):
        p.count = i + 1
        prepare_step(&p.steps[i], program.steps[i], winograd)
        p.scratch = clip(p.steps[i].scratch, p.scratch, p.steps[i].scratch + p.scratch)
    return capsule


cdef Place place_of(object place):
    cdef Place where
    where.arena = INPUT
    for arena, name in ((OUTPUT, "output"), (CHUNK, "chunk"), (BATCH, "batch")):
        if place.arena == name:
            where.arena = arena
    where.offset, where.size, where.inner = place.offset, place.size, place.inner
    return where


cdef int prepare_step(Step* s, object step, bint winograd) except -1:
    cdef Py_ssize_t H, W, OH, OW
    s.source, s.target = place_of(step.source), place_of(step.target)
    if step.other is not None:
        s.other = place_of(step.other)
    s.channels, H, W = step.in_shape
    s.outputs, OH, OW = step.out_shape
    s.plane, s.out_plane = H * W, OH * OW
    s.floor = <float> 0 if step.relu else <float> -INFINITY
    s.slope = step.slope
    if step.kind == "conv":
        return prepare_conv(s, step, winograd)
    if step.kind == "linear":
        return prepare_linear(s, step.weight, step.bias)
    if step.kind == "scale":
        s.kind = SCALE
        s.packed = copied(step.weight, 0)
        s.start = copied(step.bias, 0)
    elif step.kind == "function":
        s.kind = FUNCTION
        s.function = {"relu": RELU, "leaky_relu": LEAKY_RELU, "sigmoid": SIGMOID,
                      "tanh": TANH}[step.function]
    elif step.kind in ("add", "copy"):
        s.kind = ADD if step.kind == "add" else COPY
    else:
        s.kind = MAXIMA if step.kind == "maxpool" else MEANS
        s.with_padding = step.count_include_pad
        s.window.H, s.window.W, s.window.OH, s.window.OW = H, W, OH, OW
        s.window.KH, s.window.KW = step.kernel
        s.window.SH, s.window.SW = step.stride
        s.window.PH, s.window.PW = step.padding
        s.window.DH, s.window.DW = step.dilation
    return 0


cdef float* copied(const float[::1] x, Py_ssize_t more) except NULL:
    """A copy of x with room for more, which is zero."""
    cdef Py_ssize_t n = x.shape[0], i
    cdef float* block = numbers(n + more)
    for i in range(n):
        block[i] = x[i]
    return block


cdef float* numbers(Py_ssize_t n) except NULL:
    """Memory for n numbers, all zero."""
    cdef float* block = <float*> zeroed((n + 16) * sizeof(float))
    if block == NULL:
        raise MemoryError("plan_prepare: no memory for weights")
    return block


cdef int prepare_linear(Step* s, const float[:, ::1] weight, const float[::1] bias) except -1:
    cdef Py_ssize_t i
    s.kind = LINEAR
    s.channels, s.plane = weight.shape[1], 1
    s.packed = numbers(linear_packed(weight.shape[1], weight.shape[0]))
    pack_linear(&weight[0, 0], weight.shape[1], weight.shape[0], s.packed)
    s.start = copied(bias, COLS)
    s.ramp = <Py_ssize_t*> keep(K_LINEAR * sizeof(Py_ssize_t))
    if s.ramp == NULL:
        raise MemoryError("plan_prepare: no memory for tables")
    for i in range(K_LINEAR):
        s.ramp[i] = i * COLS
    return 0


cdef Shape shape_of(object step):
    """The convolution, before pooling."""
    cdef Shape g
    g.batch, g.groups, g.threads = 1, step.groups, 1
    g.channels, g.height, g.width = step.in_shape
    g.outputs, g.out_height, g.out_width = step.convolved
    g.channels //= g.groups
    g.outputs //= g.groups
    g.kernel_h, g.kernel_w = step.kernel
    g.stride_h, g.stride_w = step.stride
    g.padding_h, g.padding_w = step.padding
    g.dilation_h, g.dilation_w = step.dilation
    return g


cdef int prepare_conv(Step* s, object step, bint winograd) except -1:
    cdef const float[:, :, :, ::1] weight = step.weight
    cdef bint done
    s.shape = shape_of(step)
    s.kind = DIRECT
    if step.pooled:
        s.kind = POOLED
    elif winograd and suits_tiles(&s.shape):
        s.kind = TILES
    if s.kind == TILES:
        prepare_tiles(s, &weight[0, 0, 0, 0])
        done = True
    else:
        done = prepare_walks(s, &weight[0, 0, 0, 0], step.out_shape[1], step.out_shape[2])
    if not done:
        raise MemoryError("plan_prepare: no memory for tables")
    return set_bias(s, step.bias)


cdef int set_bias(Step* s, const float[::1] bias) except -1:
    """Bias, group by group, each filled up to whole tiles."""
    cdef Py_ssize_t group, i
    s.start_group = round_up(s.shape.outputs, ROWS)
    s.start = numbers(s.shape.groups * s.start_group + ROWS)
    for group in range(s.shape.groups):
        for i in range(s.shape.outputs):
            s.start[group * s.start_group + i] = bias[group * s.shape.outputs + i]
    s.zero = s.start + s.shape.groups * s.start_group
    return 0


cdef int prepare_tiles(Step* s, const float* weight) except -1:
    cdef const Shape* g = &s.shape
    cdef Py_ssize_t group, i, size
    cdef int k
    cdef Tiles* t
    for k in range(PLANS):
        t = &s.tiles[k]
        t.channels, t.height, t.width = g.channels, g.height, g.width
        t.outputs, t.out_height, t.out_width = g.outputs, g.out_height, g.out_width
        t.pad_h, t.pad_w = g.padding_h, g.padding_w
        plan_tiles(t, MOST_PICTURES if k == MANY else 1, 1 if k == MANY else BANDS)
        size = pass_scratch(t)
        s.scratch = size if size > s.scratch else s.scratch
    s.packed_group = PLACES * g.channels * round_up(g.outputs, ROWS)
    s.packed = numbers(g.groups * s.packed_group)
    for group in range(g.groups):
        transform_weights(weight + group * g.outputs * g.channels * 9, g.channels * 9, 9, False,
                          g.channels, g.outputs, s.packed + group * s.packed_group)
    s.ramp = <Py_ssize_t*> keep(g.channels * sizeof(Py_ssize_t))
    if s.ramp == NULL:
        raise MemoryError("plan_prepare: no memory for tables")
    for i in range(g.channels):
        s.ramp[i] = i * COLS
    return 0


cdef bint prepare_walks(Step* s, const float* weight, Py_ssize_t rows,
                        Py_ssize_t cols) except? False:
    """Plans and weights of a direct convolution. False: no memory for tables."""
    cdef const Shape* g = &s.shape
    cdef Py_ssize_t kernel = g.kernel_h * g.kernel_w, group, size, wide = rows * cols % COLS
    cdef Py_ssize_t items
    cdef bint done
    cdef int k
    cdef Walk own
    cdef const Walk* w
    for k in range(PLANS):
        items = 1 if k == MANY else BANDS
        if s.kind == POOLED:
            done = plan_pooled(&s.pooled[k], g, rows, cols, s.floor, items)
        else:
            forward_walk(&s.walk[k], g)
            s.walk[k].floor, s.walk[k].kept = s.floor, True
            done = plan_forward(&s.walk[k], g, 1, items, 1)
        if not done:
            return False
        if k == MANY and wide and s.kind == POOLED and s.pooled[k].walk.band == rows:
            s.pooled[k].walk.pictures = COLS // wide
        elif k == MANY and wide and s.kind == DIRECT and s.walk[k].band == rows:
            s.walk[k].pictures = COLS // wide
        size = pooled_scratch(&s.pooled[k]) if s.kind == POOLED else walk_scratch(&s.walk[k])
        s.scratch = size if size > s.scratch else s.scratch
    w = &s.pooled[MANY].walk if s.kind == POOLED else &s.walk[MANY]
    s.packed_group = round_up(g.outputs, w.tile) * g.channels * kernel
    s.packed = numbers(g.groups * s.packed_group)
    forward_walk(&own, g)                  # the taps of the kernel itself, not of all phases
    own.tile, own.block = w.tile, w.block
    for group in range(g.groups):
        pack_weights(&own, weight + group * g.outputs * g.channels * kernel,
                     s.packed + group * s.packed_group)
    return True


def plan_algorithms(object plan):
    """How each step is done: "direct", "winograd", or "" where there is no choice."""
    cdef Plan* p = <Plan*> PyCapsule_GetPointer(plan, NAME)
    cdef Py_ssize_t i
    return ["winograd" if p.steps[i].kind == TILES
            else "direct" if p.steps[i].kind in (DIRECT, POOLED) else "" for i in range(p.count)]


# --- running it --------------------------------------------------------------------------------


cdef struct Run:
    # One run: where the arenas are, and how many pictures a region of them holds.
    Py_ssize_t batch, pictures             # of the batch, of a chunk
    const float* x
    float* y
    float* whole                           # arena BATCH
    float* rows                            # packed pictures of a LINEAR
    float* chunk                           # arena CHUNK, then scratch, of every thread
    Py_ssize_t each                        # numbers from one thread's to the next
    int threads


cdef inline float* at(const Run* r, const Place* where, Py_ssize_t b, float* chunk) noexcept nogil:
    """Where the numbers of picture b lie, the first of its chunk."""
    if where.arena == INPUT:
        return <float*> r.x + b * where.size + where.inner
    if where.arena == OUTPUT:
        return r.y + b * where.size + where.inner
    if where.arena == BATCH:
        return r.whole + where.offset * r.batch + b * where.size + where.inner
    return chunk + where.offset * r.pictures + where.inner


cdef void run_chunk(const Plan* p, const Run* r, Py_ssize_t first, Py_ssize_t last, Py_ssize_t b,
                    float* chunk) noexcept nogil:
    """Steps first ... last - 1 on one chunk, by one thread."""
    cdef Py_ssize_t i, item, count = clip(r.pictures, 0, r.batch - b)
    cdef const Step* s
    for i in range(first, last):
        s = &p.steps[i]
        for item in range(item_count(s, count, MANY)):
            do_item(s, at(r, &s.source, b, chunk), at(r, &s.other, b, chunk),
                    at(r, &s.target, b, chunk), count, item, MANY, chunk + p.chunk * r.pictures)


cdef void share_chunk(const Plan* p, const Run* r, Py_ssize_t first, Py_ssize_t last,
                      Py_ssize_t b) noexcept nogil:
    """The same by all threads: they share out the items of every step."""
    cdef Py_ssize_t i, item, items, count = clip(r.pictures, 0, r.batch - b)
    cdef Py_ssize_t own = p.chunk * r.pictures
    cdef const Step* s
    for i in range(first, last):
        s = &p.steps[i]
        items = item_count(s, count, FEW)
        for item in prange(items, num_threads=clip(items, 1, r.threads), schedule="dynamic"):
            do_item(s, at(r, &s.source, b, r.chunk), at(r, &s.other, b, r.chunk),
                    at(r, &s.target, b, r.chunk), count, item, FEW,
                    r.chunk + own + threadid() * r.each)


cdef void run_linear(const Step* s, const Run* r) noexcept nogil:
    cdef const float* x = at(r, &s.source, 0, NULL)
    cdef float* y = at(r, &s.target, 0, NULL)
    cdef Py_ssize_t tile = tile_rows(r.batch), features = s.channels, item, b, n
    cdef Py_ssize_t most = PICTURES // tile * tile, groups = divide_up(r.batch, most)
    cdef int threads = worth(r.batch * features * s.outputs, THREAD_WORK, r.threads)
    for item in prange(divide_up(r.batch, tile), num_threads=threads, schedule="static"):
        pack_rows(x, features, r.batch, tile, item * tile, r.rows)
    for item in prange(divide_up(s.outputs, COLS) * groups, num_threads=threads,
                       schedule="dynamic"):
        b = item % groups * most
        n = item // groups * COLS
        linear_item(r.rows + b * features, features, s.packed + n * features, s.start + n,
                    s.floor, tile, clip(most, 0, r.batch - b), clip(COLS, 0, s.outputs - n),
                    s.ramp, y + b * s.outputs + n, s.outputs)


cdef void run(const Plan* p, const Run* r) noexcept nogil:
    """All steps: up to a LINEAR in chunks, that one for the whole batch, and so on."""
    cdef Py_ssize_t first = 0, last, item, chunks = divide_up(r.batch, r.pictures)
    while first < p.count:
        last = first
        while last < p.count and p.steps[last].kind != LINEAR:
            last += 1
        if chunks >= r.threads:
            for item in prange(chunks if last > first else 0, num_threads=r.threads,
                               schedule="dynamic"):
                run_chunk(p, r, first, last, item * r.pictures, r.chunk + threadid() * r.each)
        else:
            for item in range(chunks):
                share_chunk(p, r, first, last, item * r.pictures)
        if last < p.count:
            run_linear(&p.steps[last], r)
        first = last + 1


cdef Py_ssize_t rows_most(const Plan* p, Py_ssize_t batch) noexcept nogil:
    """Numbers of the packed pictures of any LINEAR, at most."""
    cdef Py_ssize_t i, size, most = 0
    for i in range(p.count):
        if p.steps[i].kind == LINEAR:
            size = linear_rows(batch, p.steps[i].channels)
            most = size if size > most else most
    return most


cdef Py_ssize_t lay_out(const Plan* p, Run* r) noexcept nogil:
    """Choose the chunks; the numbers of memory that the run needs."""
    cdef Py_ssize_t chunks
    r.pictures = clip(CHUNK_BUDGET // (p.chunk + 1), 1, MOST_PICTURES)
    chunks = divide_up(r.batch, r.pictures)
    if r.batch >= r.threads:               # as many chunks for every thread
        chunks = clip(round_up(chunks, r.threads), 1, r.batch)
    r.pictures = divide_up(r.batch, chunks)
    r.each = round_up(p.chunk * r.pictures + p.scratch, 16) + 16
    return (round_up(p.batch * r.batch, 16) + round_up(rows_most(p, r.batch), 16)
            + r.threads * r.each)


def plan_run(object plan, const float[:, ::1] x not None, float[:, ::1] y not None,
             int num_threads):
    """Write y, what the net makes of x.

    plan IN  of `plan_prepare`
    x    IN  (B, C H W)
    y    OUT (B, outputs)
    """
    cdef Plan* p = <Plan*> PyCapsule_GetPointer(plan, NAME)
    cdef Run r
    cdef Py_ssize_t size
    if x.shape[0] == 0:
        return
    r.batch, r.x, r.y = x.shape[0], &x[0, 0], &y[0, 0]
    r.threads = worth(r.batch * p.work, THREAD_WORK, num_threads)
    size = lay_out(p, &r)
    r.whole = <float*> borrow(size * sizeof(float))
    if r.whole == NULL:
        raise MemoryError(f"plan_run: no memory for {4 * size} bytes")
    r.rows = r.whole + round_up(p.batch * r.batch, 16)
    r.chunk = r.rows + round_up(rows_most(p, r.batch), 16)
    with nogil:
        run(p, &r)
    give_back(r.whole)
