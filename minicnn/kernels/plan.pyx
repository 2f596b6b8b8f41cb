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
# Weights are packed and tables made once, in `plan_prepare`, which is most of this file; `plan_run`
# computes (_run.pxd), step by step (_steps.pxd). Sums are taken in an order that depends on neither
# the batch nor the threads.

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.math cimport INFINITY
from libc.string cimport memset

from minicnn.kernels._linear cimport K_LINEAR, linear_packed, pack_linear
from minicnn.kernels._lower cimport Walk, clip, free_walk, pack_tile, weight_tiles
from minicnn.kernels._pooled cimport free_pooled, plan_pooled, pooled_scratch
from minicnn.kernels._run cimport MOST_PICTURES, Plan, run
from minicnn.kernels._scratch cimport give_back, keep
from minicnn.kernels._shape cimport Shape, forward_walk, plan_forward
from minicnn.kernels._steps cimport (
    ADD, BATCH, CHUNK, COPY, DIRECT, FUNCTION, INPUT, LEAKY_RELU, LINEAR, MANY, MAXIMA,
    MEANS, OUTPUT, PLANS, POOLED, RELU, SCALE, SIGMOID, TANH, TILES, Place, Step,
)
from minicnn.kernels._tile cimport COLS, ROWS, round_up
from minicnn.kernels._tiles cimport Tiles, pass_scratch, plan_tiles, suits_tiles
from minicnn.kernels._walk cimport walk_scratch
from minicnn.kernels._winograd cimport PLACES, transform_weights


cdef enum:
    BANDS = 8               # parts of a picture where threads share it


cdef extern from *:
    """
    static const char* minicnn_plan_name = "minicnn.plan";
    """
    const char* NAME "minicnn_plan_name"


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
        transform_weights(weight + group * g.outputs * g.channels * 9, False, g.channels,
                          g.outputs, s.packed + group * s.packed_group)
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
    cdef Py_ssize_t tile
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
        for tile in range(weight_tiles(&own)):
            pack_tile(&own, weight + group * g.outputs * g.channels * kernel, tile,
                      s.packed + group * s.packed_group)
    return True


def plan_algorithms(object plan):
    """How each step is done: "direct", "winograd", or "" where there is no choice."""
    cdef Plan* p = <Plan*> PyCapsule_GetPointer(plan, NAME)
    cdef Py_ssize_t i
    return ["winograd" if p.steps[i].kind == TILES
            else "direct" if p.steps[i].kind in (DIRECT, POOLED) else "" for i in range(p.count)]


def plan_run(object plan, const float[:, ::1] x not None, float[:, ::1] y not None,
             int num_threads):
    """Write y, what the net makes of x.

    plan IN  of `plan_prepare`
    x    IN  (B, C H W)
    y    OUT (B, outputs)
    """
    cdef Plan* p = <Plan*> PyCapsule_GetPointer(plan, NAME)
    cdef bint done
    if x.shape[0] == 0:
        return
    with nogil:
        done = run(p, &x[0, 0], &y[0, 0], x.shape[0], num_threads)
    if not done:
        raise MemoryError("plan_run: no memory for scratch")
