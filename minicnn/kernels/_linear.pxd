# A fully connected layer whose weights were packed beforehand.
#
# Letters: b picture, r picture of a tile, k input feature, n output.
#
#     y[b, n] = max(floor, bias[n] + sum_k x[b, k] w[n, k])
#
# The micro-kernel of convolution (_tile.pxd) with the roles exchanged: pictures are its rows and
# outputs its columns, so that the weights, packed once as strips [k][COLS], are read as they lie:
#
#        x, packed [k][r]         weights of a strip [k][COLS]          y
#        | r0 r1 r2 r3 |     x    | n n n n n n n n ... |    -->   four rows of COLS outputs

from libc.math cimport INFINITY
from libc.string cimport memcpy

from minicnn.kernels._lower cimport Walk, clip, divide_up
from minicnn.kernels._tile cimport COLS, round_up, tile_rows
from minicnn.kernels._walk cimport strip


cdef enum:
    K_LINEAR = 192          # k of one block: its part of a strip fills half of L1
    PICTURES = 32           # pictures of one item, at most
    K_TURNED = 64           # k of one block while weights are packed


cdef inline Py_ssize_t linear_packed(Py_ssize_t features, Py_ssize_t outputs) noexcept nogil:
    """Numbers of the packed weights."""
    return features * round_up(outputs, COLS)


cdef inline void pack_linear(const float* weight, Py_ssize_t features, Py_ssize_t outputs,
                             float* packed) noexcept nogil:
    """packed[strip][k][n] = weight[strip * COLS + n, k]; the last strip is filled with zeros."""
    cdef Py_ssize_t s, k0, k, n, steps
    for s in range(divide_up(outputs, COLS)):
        k0 = 0
        while k0 < features:                               # block by block: both sides stay in L1
            steps = clip(K_TURNED, 0, features - k0)
            for n in range(COLS):
                for k in range(steps):
                    packed[k * COLS + n] = weight[n * features + k0 + k] if (
                        s * COLS + n < outputs) else 0
            packed += steps * COLS
            k0 += K_TURNED
        weight += COLS * features


cdef inline Py_ssize_t linear_rows(Py_ssize_t batch, Py_ssize_t features) noexcept nogil:
    """Numbers of the packed pictures."""
    return round_up(batch, tile_rows(batch)) * features


cdef inline void pack_rows(const float* x, Py_ssize_t features, Py_ssize_t batch,
                           Py_ssize_t tile, Py_ssize_t b0, float* rows) noexcept nogil:
    """One tile of pictures, from b0 on: rows[k][r] = x[b0 + r, k], or 0 past the last picture."""
    cdef Py_ssize_t k, r
    rows += b0 * features
    x += b0 * features
    if tile == 4 and b0 + 4 <= batch:
        for k in range(features):
            rows[4 * k] = x[k]
            rows[4 * k + 1] = x[features + k]
            rows[4 * k + 2] = x[2 * features + k]
            rows[4 * k + 3] = x[3 * features + k]
        return
    for k in range(features):
        for r in range(tile):
            rows[k * tile + r] = x[r * features + k] if b0 + r < batch else 0


cdef inline void linear_item(const float* rows, Py_ssize_t features, const float* packed,
                             const float* bias, float floor, Py_ssize_t tile,
                             Py_ssize_t pictures, Py_ssize_t wide, const Py_ssize_t* ramp,
                             float* y, Py_ssize_t outputs) noexcept nogil:
    """`wide` outputs of `pictures` pictures, one block of k after the other."""
    cdef Walk g
    cdef Py_ssize_t k0 = 0, b, steps
    g.tile = tile
    for b in range(pictures):
        memcpy(y + b * outputs, bias, wide * sizeof(float))
    while k0 < features:
        steps = clip(K_LINEAR, 0, features - k0)
        b = 0
        while b < pictures:
            g.outputs = clip(tile, 0, pictures - b)
            strip(&g, packed + k0 * COLS, ramp, rows + b * features + k0 * tile, steps,
                  <const float*> NULL, floor if k0 + steps == features else <float> -INFINITY,
                  y + b * outputs, outputs, 0, 1, wide)
            b += tile
        k0 += K_LINEAR
