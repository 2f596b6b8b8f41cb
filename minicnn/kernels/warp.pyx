# Pictures moved and turned, for augmentation.
#
# Letters: b picture, c channel, (i, j) pixel of the result, H x W the input, OH x OW the result.
#
# Design. Threads share out the planes. A window is copied row by row, and what it lacks is filled.
# A turned pixel is a mixture of the four around the place that it comes from:
#
#         left          the place, `down` and `right` of a pixel      (1 - down) (1 - right)  p0 p1
#     top  p0 -- p1                                                   and so on, times        p2 p3
#          |   *  |
#          p2 -- p3     All around the picture lies one pixel of fill, which stands for whatever is
#                       outside: places farther off are moved there.
#
# Along a row of the result the places lie on a line. The part of it whose neighbours all exist is
# one run, and its loop knows nothing of edges; before and behind it every pixel looks where it is.

from cython cimport floating
from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from minicnn.kernels._threads cimport worth

cdef enum:
    COPIED = 65536      # pixels worth a thread
    MIXED = 8192        # the same where four make one
    RUN = 64            # pixels of a row that are turned at once


cdef inline void fill_run(floating* y, Py_ssize_t n, floating fill) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(n):
        y[j] = fill


cdef inline Py_ssize_t within(Py_ssize_t value, Py_ssize_t most) noexcept nogil:
    """The nearest of 0 ... most."""
    return 0 if value < 0 else most if value > most else value


cdef inline void window(const floating* x, Py_ssize_t H, Py_ssize_t W, Py_ssize_t top,
                        Py_ssize_t left, floating fill, floating* y, Py_ssize_t OH,
                        Py_ssize_t OW) noexcept nogil:
    """One plane: from column `first` to `last` of the result there are pixels."""
    cdef Py_ssize_t first = within(-left, OW), last = within(W - left, OW), i
    for i in range(OH):
        if top + i < 0 or top + i >= H or first >= last:
            fill_run(y, OW, fill)
        else:
            fill_run(y, first, fill)
            memcpy(y + first, x + (top + i) * W + left + first, (last - first) * sizeof(floating))
            fill_run(y + last, OW - last, fill)
        y += OW


def windows(const floating[:, :, :, ::1] x not None, const int64_t[::1] tops not None,
            const int64_t[::1] lefts not None, double fill, floating[:, :, :, ::1] y not None,
            int num_threads):
    """y[b, c, i, j] = x[b, c, tops[b] + i, lefts[b] + j], or fill where x has no such pixel.

    Writes y.
    """
    cdef Py_ssize_t C = y.shape[1], OH = y.shape[2], OW = y.shape[3], plane, b
    cdef Py_ssize_t H = x.shape[2], W = x.shape[3], planes = y.shape[0] * C
    cdef const floating* source = &x[0, 0, 0, 0] if x.size > 0 else NULL
    if planes * OH * OW == 0:
        return
    for plane in prange(planes, nogil=True,
                        num_threads=worth(planes * OH * OW, COPIED, num_threads)):
        b = plane // C
        window(source + plane * H * W, H, W, tops[b], lefts[b], <floating> fill,
               &y[b, plane % C, 0, 0], OH, OW)


cdef inline floating pixel(const floating* x, Py_ssize_t H, Py_ssize_t W, Py_ssize_t i,
                           Py_ssize_t j, floating fill) noexcept nogil:
    return x[i * W + j] if 0 <= i < H and 0 <= j < W else fill


cdef inline floating mixed(floating p0, floating p1, floating p2, floating p3, floating down,
                           floating right) noexcept nogil:
    return ((p0 * (1 - right) + p1 * right) * (1 - down)
            + (p2 * (1 - right) + p3 * right) * down)


cdef struct Row:
    # Where the pixels of a row come from: pixel j from (row + j sine, column + j cosine).
    double row, column, sine, cosine
    double margin                          # more than `turn_run` errs, in pixels


cdef inline bint inside(const Row* r, Py_ssize_t j, Py_ssize_t H, Py_ssize_t W) noexcept nogil:
    """Whether all four neighbours exist, in single precision too."""
    cdef double row = r.row + j * r.sine, column = r.column + j * r.cosine
    return (r.margin <= row <= H - 1 - r.margin) and (r.margin <= column <= W - 1 - r.margin)


cdef inline floating turned(const Row* r, const floating* x, Py_ssize_t H, Py_ssize_t W,
                            Py_ssize_t j, floating fill) noexcept nogil:
    """Pixel j of a row, wherever it comes from. What lies beyond the pixel of fill all around comes
    from there."""
    cdef double row = clip(r.row + j * r.sine, H), column = clip(r.column + j * r.cosine, W)
    cdef Py_ssize_t top = <Py_ssize_t> (row + 1) - 1, left = <Py_ssize_t> (column + 1) - 1
    return mixed(pixel(x, H, W, top, left, fill), pixel(x, H, W, top, left + 1, fill),
                 pixel(x, H, W, top + 1, left, fill), pixel(x, H, W, top + 1, left + 1, fill),
                 <floating> (row - top), <floating> (column - left))


cdef inline double clip(double value, Py_ssize_t most) noexcept nogil:
    """The nearest of -1 ... most."""
    return -1 if value < -1 else most if value > most else value


cdef inline void turn_run(const Row* r, const floating* x, int32_t W, floating* y,
                          Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    """`count` pixels of a row, RUN or less, all of them `inside`.

    Where they come from is computed in vectors, before; what lies there is fetched one by one.
    """
    cdef int32_t at[RUN]
    cdef floating down[RUN]
    cdef floating right[RUN]
    cdef floating row, column
    cdef const floating* p
    cdef floating row0 = r.row + first * r.sine, column0 = r.column + first * r.cosine
    cdef floating sine = r.sine, cosine = r.cosine
    cdef int32_t j, top, left
    for j in range(<int32_t> count):
        row, column = row0 + j * sine, column0 + j * cosine
        top, left = <int32_t> row, <int32_t> column
        down[j], right[j] = row - top, column - left
        at[j] = top * W + left
    for j in range(<int32_t> count):
        p = x + at[j]
        y[first + j] = mixed(p[0], p[1], p[W], p[W + 1], down[j], right[j])


cdef void turn(const floating* x, Py_ssize_t H, Py_ssize_t W, double cosine, double sine,
               floating fill, floating* y) noexcept nogil:
    """One plane. Of every row the pixels from `first` to `last` come from inside."""
    cdef Py_ssize_t i, j, first, last
    cdef double u, v = -0.5 * (W - 1)
    cdef Row r
    r.sine, r.cosine, r.margin = sine, cosine, 1e-3 + 1e-6 * (H + W)
    for i in range(H):
        u = i - 0.5 * (H - 1)
        r.row, r.column = u * cosine + v * sine + 0.5 * (H - 1), v * cosine - u * sine - v
        first, last = 0, W
        while first < W and not inside(&r, first, H, W):
            first += 1
        while last > first and not inside(&r, last - 1, H, W):
            last -= 1
        for j in range(first):
            y[j] = turned(&r, x, H, W, j, fill)
        j = first
        while j < last:
            turn_run(&r, x, <int32_t> W, y, j, last - j if last - j < RUN else RUN)
            j += RUN
        for j in range(last, W):
            y[j] = turned(&r, x, H, W, j, fill)
        y += W


def rotate(const floating[:, :, :, ::1] x not None, const double[::1] cosines not None,
           const double[::1] sines not None, double fill, floating[:, :, :, ::1] y not None,
           int num_threads):
    """y[b, c, i, j] = x[b, c] at (i cos + j sin, j cos - i sin), seen from the centre; bilinear.

    What lies outside x counts as fill. Planes have fewer than 2^31 pixels. Writes y.
    """
    cdef Py_ssize_t C = x.shape[1], H = x.shape[2], W = x.shape[3], planes = x.shape[0] * C, plane
    if planes * H * W == 0:
        return
    for plane in prange(planes, nogil=True,
                        num_threads=worth(planes * H * W, MIXED, num_threads)):
        turn(&x[plane // C, plane % C, 0, 0], H, W, cosines[plane // C], sines[plane // C],
             <floating> fill, &y[plane // C, plane % C, 0, 0])
