# The steps that a compiled plan is made of, and how one part of each is done.
#
# Letters: b picture, p picture of a chunk, c channel, r output channel.
#
# A step reads one place (or two) in memory and writes another. A place is a region of an arena:
# the pictures that came in, the results that go out, memory of a chunk of pictures (which a
# thread works through from the first step to the last, so that all stays in its cache), or memory
# of the whole batch. Within a place, picture after picture lies `size` numbers apart, and the
# step's own numbers begin `inner` numbers into each.
#
# A step is done in items, which may be done at the same time: passes of a convolution, else
# single pictures.

from libc.string cimport memcpy

from minicnn.kernels._activations cimport hyperbolic_tangent, leaky_relu, relu, sigmoid
from minicnn.kernels._lower cimport Walk, clip, divide_up
from minicnn.kernels._maxima cimport Pool, plane_maxima
from minicnn.kernels._means cimport plane_means
from minicnn.kernels._pooled cimport Pooled, pooled_pass
from minicnn.kernels._shape cimport Shape
from minicnn.kernels._tiles cimport Tiles, tiles_pass
from minicnn.kernels._walk cimport walk_pass


cdef enum Kind:
    DIRECT, POOLED, TILES, LINEAR, MAXIMA, MEANS, SCALE, FUNCTION, ADD, COPY

cdef enum Function:
    RELU, LEAKY_RELU, SIGMOID, TANH

cdef enum Arena:
    INPUT, OUTPUT, CHUNK, BATCH

cdef enum:
    MANY, FEW, PLANS        # of a convolution: for many pictures, and for few, cut into bands


cdef struct Place:
    Arena arena
    Py_ssize_t offset, size, inner


cdef struct Step:
    Kind kind
    Place source, other, target
    Py_ssize_t channels, plane             # of the input
    Py_ssize_t outputs, out_plane
    float floor                            # 0: a ReLU at its end; -inf: none
    # convolutions
    Shape shape
    Walk walk[PLANS]
    Pooled pooled[PLANS]
    Tiles tiles[PLANS]
    Py_ssize_t* ramp
    float* packed                          # weights as the kernels read them
    Py_ssize_t packed_group
    float* start                           # bias of every output, filled up to whole tiles
    Py_ssize_t start_group
    float* zero
    Py_ssize_t scratch                     # numbers that one item needs
    # pooling, activations, scaling (packed: the factors)
    Pool window
    bint with_padding
    Function function
    float slope


cdef inline Py_ssize_t pictures_of(const Step* s, int plan) noexcept nogil:
    """Pictures that one pass of a convolution takes at most."""
    if s.kind == DIRECT:
        return s.walk[plan].pictures
    return s.pooled[plan].walk.pictures if s.kind == POOLED else s.tiles[plan].pictures


cdef inline Py_ssize_t bands_of(const Step* s, int plan) noexcept nogil:
    if s.kind == DIRECT:
        return divide_up(s.walk[plan].rows, s.walk[plan].band)
    if s.kind == POOLED:
        return divide_up(s.pooled[plan].walk.rows, s.pooled[plan].walk.band)
    return divide_up(s.tiles[plan].rows, s.tiles[plan].band)


cdef inline Py_ssize_t item_count(const Step* s, Py_ssize_t pictures, int plan) noexcept nogil:
    if s.kind <= TILES:
        return (divide_up(pictures, pictures_of(s, plan)) * s.shape.groups * bands_of(s, plan))
    return pictures


cdef inline void convolve(const Step* s, const float* x, float* y, Py_ssize_t pictures,
                          Py_ssize_t item, int plan, float* scratch) noexcept nogil:
    """Pass number `item`: bands change fastest, then groups, then pictures."""
    cdef Py_ssize_t bands = bands_of(s, plan), groups = s.shape.groups
    cdef Py_ssize_t band = item % bands, group = item // bands % groups
    cdef Py_ssize_t b = item // bands // groups * pictures_of(s, plan)
    cdef Py_ssize_t count = clip(pictures_of(s, plan), 0, pictures - b)
    cdef const float* packed = s.packed + group * s.packed_group
    cdef const float* start = s.start + group * s.start_group
    x += b * s.source.size + group * s.shape.channels * s.plane
    y += b * s.target.size + group * s.shape.outputs * s.out_plane
    if s.kind == DIRECT:
        band *= s.walk[plan].band
        walk_pass(&s.walk[plan], x, s.source.size, count, band, packed, start,
                  y + band * s.walk[plan].cols, s.out_plane, s.target.size, scratch)
    elif s.kind == POOLED:
        band *= s.pooled[plan].walk.band
        pooled_pass(&s.pooled[plan], x, s.source.size, count, band, packed, start,
                    y + band * s.pooled[plan].walk.cols, s.out_plane, s.target.size, scratch)
    else:
        tiles_pass(&s.tiles[plan], x, s.source.size, count, band * s.tiles[plan].band, packed,
                   s.ramp, start, s.zero, s.floor, y, s.target.size, scratch)


cdef inline void apply_function(const Step* s, const float* x, float* y) noexcept nogil:
    cdef Py_ssize_t n = s.channels * s.plane
    if s.function == RELU:
        relu(x, y, n)
    elif s.function == LEAKY_RELU:
        leaky_relu(x, x, y, s.slope, n)
    elif s.function == SIGMOID:
        sigmoid(x, y, n)
    else:
        hyperbolic_tangent(x, y, n)


cdef inline void scale(const Step* s, const float* x, float* y) noexcept nogil:
    """y[c, n] = max(floor, factor[c] x[c, n] + shift[c])"""
    cdef Py_ssize_t c, n
    cdef float a, b, v
    for c in range(s.channels):
        a, b = s.packed[c], s.start[c]
        for n in range(s.plane):
            v = a * x[c * s.plane + n] + b
            y[c * s.plane + n] = s.floor if s.floor > v else v


cdef inline void add(const Step* s, const float* x, const float* z, float* y) noexcept nogil:
    """y = max(floor, x + z)"""
    cdef Py_ssize_t n
    cdef float v
    for n in range(s.channels * s.plane):
        v = x[n] + z[n]
        y[n] = s.floor if s.floor > v else v


cdef inline void do_item(const Step* s, const float* x, const float* z, float* y,
                         Py_ssize_t pictures, Py_ssize_t item, int plan,
                         float* scratch) noexcept nogil:
    """One item of a step; x, z and y point at the first picture's numbers."""
    cdef Py_ssize_t c
    if s.kind <= TILES:
        convolve(s, x, y, pictures, item, plan, scratch)
        return
    x += item * s.source.size
    y += item * s.target.size
    if s.kind == MAXIMA:
        for c in range(s.channels):
            plane_maxima(x + c * s.plane, y + c * s.out_plane, NULL, &s.window)
    elif s.kind == MEANS:
        for c in range(s.channels):
            plane_means(x + c * s.plane, y + c * s.out_plane, &s.window, s.with_padding)
    elif s.kind == SCALE:
        scale(s, x, y)
    elif s.kind == FUNCTION:
        apply_function(s, x, y)
    elif s.kind == ADD:
        add(s, x, z + item * s.other.size, y)
    else:
        memcpy(y, x, s.channels * s.plane * sizeof(float))
