# Winograd's convolution F(4x2, 3x3): 4 x 2 outputs from 6 x 4 inputs by 24 multiplications
# instead of 72, for each pair of an input and an output channel.
#
# Letters: c input channel, r output channel, t tile, n lane, e = (u, v) place in a 6 x 4 tile.
#
#     V[e, c, t] = (B6' d B4)[e]    d the 6 x 4 inputs of tile t in channel c
#     U[e, c, r] = (G6 g G4')[e]    g the 3 x 3 weights from channel c to channel r
#     M[e, r, t] = sum_c U[e, c, r] V[e, c, t]         24 matrix products, all the work there is
#     y = A6' M A4                  4 x 2 outputs
#
#       a picture cut into tiles            V: 24 matrices           one strip, ROWS channels
#          +---------+                    +-----------------+       +-------+
#          |  6 x 4  |--+  2 further      | c   t t t t t t |       | M[e]  |  24 of them in L1,
#          |  +------+--|                 | c   t t t t t t |  -->  +-------+  then y = A6' M A4
#          +--|------+  |                 +-----------------+         ROWS x COLS
#   4 lower   +---------+                   stays in L2
#
# The input gradient is the same with dy for x and the weights turned round. The weight gradient
# is the adjoint: dU[e, c, r] = sum_t (A6 dy A4')[e, r, t] V[e, c, t], dw = G6' dU G4.
#
# The matrices come from interpolating polynomials (Winograd, "Arithmetic complexity of
# computations", 1980; Lavin & Gray, "Fast algorithms for convolutional neural networks", 2016),
# across in the points 0, +-1, infinity and down in 0, +-a, +-1/a, infinity with a = sqrt(1/2),
# which spreads the numbers least:
#
#     B4' = | 1  0 -1  0 |    G4 = | 1          |    A4' = | 1  1  1  0 |
#           | 0  1  1  0 |         | 1  1  1 |/2 |          | 0  1 -1 -1 |
#           | 0 -1  1  0 |         | 1 -1  1 |/2 |
#           | 0  1  0 -1 |         | 0  0  1 |  |

#
#     B6' = | 1    0  -5/2   0  1 0 |  G6 = |  1             |  A6' = | 1   1   1   1    1  0 |
#           | 0 -1/a   -2    a  1 0 |       | -2/3 -2a/3 -1/3 |        | 0   a  -a  1/a -1/a 0 |
#           | 0  1/a   -2   -a  1 0 |       | -2/3  2a/3 -1/3 |        | 0 1/2 1/2   2    2  0 |
#           | 0   -a -1/2  1/a  1 0 |       |  1/6 1/(6a) 1/3 |        | 0 a/2 -a/2 2/a -2/a 1 |
#           | 0    a -1/2 -1/a  1 0 |       |  1/6 -1/(6a) 1/3 |
#           | 0    1    0 -5/2  0 1 |       |              1  |
#
# Its rounding error against double precision is 1 to 3 times that of the direct sum (that with
# 4 x 4 tiles would be 3 to 6 times: measured by tests/kernels/test_winograd.py and, for the other
# tile, before this one was chosen). Single precision alone goes this way: double is for proofs.

from libc.string cimport memcpy

from minicnn.kernels._tile cimport COLS, LANES, ROWS, round_up


cdef extern from *:
    """
    typedef float* __restrict__ minicnn_own;
    """
    ctypedef float* own "minicnn_own"      # memory that no other pointer in sight leads to
    const float HALF "0.5f"
    const float TWO "2.0f"
    const float FIVE_HALVES "2.5f"
    const float A "0.70710678118654752440f"
    const float B "1.41421356237309504880f"                    # 1/a


cdef enum:
    DOWN = 4                # outputs of a tile, down and across
    ACROSS = 2
    IN_H = 6                # inputs of a tile, down and across
    IN_W = 4
    PLACES = 24
    TOGETHER = 32           # weights whose gradients are added up at once


cdef inline void four(const float* x, own v0, own v1, own v2, own v3) noexcept nogil:
    """v = B4' x for LANES tiles at a time; x[j] lies LANES apart."""
    cdef Py_ssize_t n
    for n in range(LANES):
        v0[n] = x[n] - x[2 * LANES + n]
        v1[n] = x[LANES + n] + x[2 * LANES + n]
        v2[n] = x[2 * LANES + n] - x[LANES + n]
        v3[n] = x[LANES + n] - x[3 * LANES + n]


cdef inline void transform_input(const float* x, const Py_ssize_t* off, float* v,
                                 Py_ssize_t step) noexcept nogil:
    """v[e, n] = (B6' d B4)[e] for LANES tiles, d[i, j] = x[off[4 i + j] + n]."""
    cdef float t[PLACES * LANES]
    cdef Py_ssize_t i, j, n
    cdef const float* x0
    cdef const float* x1
    cdef const float* x2
    cdef const float* x3
    cdef const float* x4
    cdef const float* x5
    cdef float a, b, c, d
    for j in range(IN_W):
        x0, x1, x2 = x + off[j], x + off[IN_W + j], x + off[2 * IN_W + j]
        x3, x4, x5 = x + off[3 * IN_W + j], x + off[4 * IN_W + j], x + off[5 * IN_W + j]
        for n in range(LANES):
            a = x4[n] - TWO * x2[n]
            b = A * (x3[n] - TWO * x1[n])
            c = x4[n] - HALF * x2[n]
            d = B * (x3[n] - HALF * x1[n])
            t[j * LANES + n] = x0[n] - FIVE_HALVES * x2[n] + x4[n]
            t[(IN_W + j) * LANES + n] = a + b
            t[(2 * IN_W + j) * LANES + n] = a - b
            t[(3 * IN_W + j) * LANES + n] = c + d
            t[(4 * IN_W + j) * LANES + n] = c - d
            t[(5 * IN_W + j) * LANES + n] = x1[n] - FIVE_HALVES * x3[n] + x5[n]
    for i in range(IN_H):
        four(&t[i * IN_W * LANES], v, v + step, v + 2 * step, v + 3 * step)
        v += IN_W * step


cdef inline void transform_output(const float* m, own z, float bias,
                                  float floor) noexcept nogil:
    """z[i][2 n + j] = max(floor, (A6' M A4)[i, j] + bias) for COLS tiles; M[e] lies ROWS * COLS
    apart."""
    cdef float t[DOWN * IN_W * COLS]
    cdef Py_ssize_t i, j, n
    cdef const float* m0
    cdef const float* m1
    cdef const float* m2
    cdef const float* m3
    cdef const float* m4
    cdef const float* m5
    cdef float s, d, s2, d2
    for j in range(IN_W):
        m0 = m + j * ROWS * COLS
        m1 = m0 + IN_W * ROWS * COLS
        m2 = m1 + IN_W * ROWS * COLS
        m3 = m2 + IN_W * ROWS * COLS
        m4 = m3 + IN_W * ROWS * COLS
        m5 = m4 + IN_W * ROWS * COLS
        for n in range(COLS):
            s, d = m1[n] + m2[n], m1[n] - m2[n]
            s2, d2 = m3[n] + m4[n], m3[n] - m4[n]
            t[j * COLS + n] = m0[n] + s + s2
            t[(IN_W + j) * COLS + n] = A * d + B * d2
            t[(2 * IN_W + j) * COLS + n] = HALF * s + TWO * s2
            t[(3 * IN_W + j) * COLS + n] = HALF * A * d + TWO * B * d2 + m5[n]
    for i in range(DOWN):
        m0 = &t[i * IN_W * COLS]
        for n in range(COLS):
            s = m0[n] + m0[COLS + n] + m0[2 * COLS + n] + bias
            d = m0[COLS + n] - m0[2 * COLS + n] - m0[3 * COLS + n] + bias
            z[2 * n] = floor if floor > s else s
            z[2 * n + 1] = floor if floor > d else d
        z += ACROSS * COLS


cdef inline void transform_gradient(const float* x, const Py_ssize_t* off, float* v,
                                    Py_ssize_t step, Py_ssize_t count) noexcept nogil:
    """v[e, n] = (A6 d A4')[e] for LANES tiles, d[i, j] = x[off[4 i + j] + n]; 0 from count on."""
    cdef float t[IN_H * 2 * LANES]
    cdef Py_ssize_t i, j, n
    cdef const float* x0
    cdef const float* x1
    cdef const float* x2
    cdef const float* x3
    cdef float a, b, c, d
    for j in range(ACROSS):
        x0, x1 = x + off[j], x + off[IN_W + j]
        x2, x3 = x + off[2 * IN_W + j], x + off[3 * IN_W + j]
        for n in range(LANES):
            a = x0[n] + HALF * x2[n]
            b = A * (x1[n] + HALF * x3[n])
            c = x0[n] + TWO * x2[n]
            d = B * (x1[n] + TWO * x3[n])
            t[j * LANES + n] = x0[n]
            t[(2 + j) * LANES + n] = a + b
            t[(4 + j) * LANES + n] = a - b
            t[(6 + j) * LANES + n] = c + d
            t[(8 + j) * LANES + n] = c - d
            t[(10 + j) * LANES + n] = x3[n]
    if count < LANES:
        for i in range(2 * IN_H):
            for n in range(count, LANES):
                t[i * LANES + n] = 0
    for i in range(IN_H):
        spread(&t[i * 2 * LANES], v, v + step, v + 2 * step, v + 3 * step)
        v += IN_W * step


cdef inline void spread(const float* x, own v0, own v1, own v2, own v3) noexcept nogil:
    """v = A4 x for LANES tiles at a time."""
    cdef Py_ssize_t n
    for n in range(LANES):
        v0[n] = x[n]
        v1[n] = x[n] + x[LANES + n]
        v2[n] = x[n] - x[LANES + n]
        v3[n] = -x[LANES + n]


cdef inline void six(double g0, double g1, double g2, double* u) noexcept nogil:
    """u = G6 g"""
    cdef double even = -(g0 + 0.5 * g2) / 1.5, odd = -0.70710678118654752440 * g1 / 1.5
    u[0] = g0
    u[1], u[2] = even + odd, even - odd
    even, odd = (g0 + 2 * g2) / 6, 1.41421356237309504880 * g1 / 6
    u[3], u[4] = even + odd, even - odd
    u[5] = g2


cdef inline void transform_weights(const float* weight, bint turned, Py_ssize_t channels,
                                   Py_ssize_t outputs, float* packed) noexcept nogil:
    """packed[e][r / ROWS][c][r % ROWS] = (G6 g G4')[e]; the last tile is filled with zeros.

    The weights g lie as [r][c], and turned, for an input gradient, as [c][r] and upside down.
    """
    cdef double column[3][IN_H]
    cdef double half
    cdef Py_ssize_t c, r, i, j, e, place = channels * round_up(outputs, ROWS)
    cdef const float* g
    cdef float* to
    for r in range(round_up(outputs, ROWS)):
        for c in range(channels):
            to = packed + r // ROWS * ROWS * channels + c * ROWS + r % ROWS
            if r >= outputs:
                for e in range(PLACES):
                    to[e * place] = 0
                continue
            g = weight + 9 * (c * outputs + r if turned else r * channels + c)
            for j in range(3):
                if turned:
                    six(g[8 - j], g[5 - j], g[2 - j], column[j])
                else:
                    six(g[j], g[3 + j], g[6 + j], column[j])
            for i in range(IN_H):
                half = 0.5 * (column[0][i] + column[2][i])
                to[0] = <float> column[0][i]
                to[place] = <float> (half + 0.5 * column[1][i])
                to[2 * place] = <float> (half - 0.5 * column[1][i])
                to[3 * place] = <float> column[2][i]
                to += IN_W * place


cdef inline double down(const double* u, Py_ssize_t row) noexcept nogil:
    """(G6' u)[row]"""
    if row == 0:
        return u[0] - (u[1] + u[2]) / 1.5 + (u[3] + u[4]) / 6
    if row == 1:
        return (-0.70710678118654752440 * (u[1] - u[2]) / 1.5
                + 1.41421356237309504880 * (u[3] - u[4]) / 6)
    return -0.5 * (u[1] + u[2]) / 1.5 + 2 * (u[3] + u[4]) / 6 + u[5]


cdef inline void add_weights(const float* parts, Py_ssize_t count, Py_ssize_t weights,
                             Py_ssize_t first, float* dweight, bint accumulate) noexcept nogil:
    """dw = G6' dU G4 (added to dw or instead of it) for some weights from `first` on; dU is the sum
    of `count` parts, taken for TOGETHER weights at once: they are neighbours in memory."""
    cdef double u[PLACES * TOGETHER]
    cdef double v[IN_H]
    cdef const float* part
    cdef const double* at
    cdef Py_ssize_t wide = weights - first if weights - first < TOGETHER else TOGETHER
    cdef Py_ssize_t k, e, i, j, p
    for e in range(PLACES):
        for k in range(wide):
            u[e * TOGETHER + k] = 0
        for p in range(count):
            part = parts + (p * PLACES + e) * weights + first
            for k in range(wide):
                u[e * TOGETHER + k] += part[k]
    dweight += 9 * first
    for k in range(wide):
        for j in range(3):
            for i in range(IN_H):
                at = u + 4 * i * TOGETHER + k
                if j == 1:
                    v[i] = 0.5 * (at[TOGETHER] - at[2 * TOGETHER])
                else:
                    v[i] = 0.5 * (at[TOGETHER] + at[2 * TOGETHER]) + (
                        at[0 if j == 0 else 3 * TOGETHER])
            for i in range(3):
                if not accumulate:
                    dweight[9 * k + 3 * i + j] = 0
                dweight[9 * k + 3 * i + j] += <float> down(v, i)
