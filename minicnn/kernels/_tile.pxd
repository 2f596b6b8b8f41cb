# The two micro-kernels on which convolution and matrix product stand.
#
# Letters: r row of the tile, n column of the tile, k step of the sum, l lane of a vector.
#
# walk: an outer product a step. ROWS x COLS sums stay in vector registers; every step
# reads COLS neighbouring numbers of x, wherever the table `off` says, and one weight a row:
#
#                 x + off[k] ->  [ x x x x x x x x | x x x x x x x x | x x x x x x x x ]
#     w[k, 0]  *                 [ . . . . acc[0]. . . . . . . . . . . . . . . . . . . ]
#     w[k, 1]  *                 [ . . . . acc[1]. . . . . . . . . . . . . . . . . . . ]
#     w[k, 2]  *                 [ . . . . acc[2]. . . . . . . . . . . . . . . . . . . ]
#     w[k, 3]  *                 [ . . . . acc[3]. . . . . . . . . . . . . . . . . . . ]
#
# dot: 4 x 3 scalar products at once, each as LANES partial sums in one register, so
# that every number loaded is used three or four times. It suits operands which both lie
# with the summed index in memory order: no packing, no transposing.
#
# Why these sizes: at v3 there are 16 registers of 8 floats. 12 sums, 3 vectors of x and one
# weight fill them exactly, and 12 independent sums hide the latency of the multiply-add (4
# cycles, two a cycle: at least 8). At v4 there are 32 registers of 16 floats. At v2 there are
# 16 of 4 and no fused multiply-add: 8 sums leave room for the products. (There, LANES is two
# vectors: gcc 12 unrolls a loop over one of 4 before it would turn it into vector code.)
# Double precision uses the same tiles: right, but not all of its sums fit in registers.

from cython cimport floating


cdef extern from *:
    """
    #if defined(__AVX512F__)
    #define MINICNN_ROWS 8
    #define MINICNN_COLS 32
    #define MINICNN_LANES 16
    #elif defined(__AVX2__)
    #define MINICNN_ROWS 4
    #define MINICNN_COLS 24
    #define MINICNN_LANES 8
    #else
    #define MINICNN_ROWS 4
    #define MINICNN_COLS 8
    #define MINICNN_LANES 8
    #endif
    """
    enum:
        ROWS "MINICNN_ROWS"        # most rows of a walk tile
        COLS "MINICNN_COLS"        # columns of a walk tile
        LANES "MINICNN_LANES"      # partial sums of a scalar product

cdef enum:
    DOT_A = 4                      # rows of a in a dot tile
    DOT_B = 3                      # rows of b in a dot tile


ctypedef void (*WalkTile)(const floating* x, const Py_ssize_t* off, const floating* w,
                          Py_ssize_t steps, const floating* start, floating floor,
                          floating* out, Py_ssize_t ld) noexcept nogil


# Each micro-kernel is written once, for a number of rows that inlining turns into a constant, and
# instantiated by the functions below it. Take those by pointer: compiled on their own they keep
# their sums in registers, inlined into a larger function some would be spilled.

cdef inline void _walk(const floating* x, const Py_ssize_t* off, const floating* w,
                       Py_ssize_t steps, const floating* start, floating floor, floating* out,
                       Py_ssize_t ld, const Py_ssize_t rows) noexcept nogil:
    """out[r, n] = max(floor, (start[r] or out[r, n]) + sum_k w[k, r] x[off[k] + n]), n < COLS.

    w lies as [k][r] and out has rows `ld` apart; one step or more. `start` may be NULL. A floor
    of 0 is a ReLU for nothing, one of -inf changes nothing; NaN stays.
    """
    cdef floating acc[ROWS * COLS]
    cdef Py_ssize_t k, r, n
    cdef const floating* xk = x + off[0]
    cdef floating wk, v
    for r in range(rows):
        wk = w[r]
        for n in range(COLS):
            acc[r * COLS + n] = wk * xk[n]
    for k in range(1, steps):
        xk = x + off[k]
        for r in range(rows):
            wk = w[k * rows + r]
            for n in range(COLS):
                acc[r * COLS + n] += wk * xk[n]
    if start == NULL:
        for r in range(rows):
            for n in range(COLS):
                v = out[r * ld + n] + acc[r * COLS + n]
                out[r * ld + n] = floor if floor > v else v
    else:
        for r in range(rows):
            for n in range(COLS):
                v = acc[r * COLS + n] + start[r]
                out[r * ld + n] = floor if floor > v else v


cdef inline void walk_full(const floating* x, const Py_ssize_t* off, const floating* w,
                           Py_ssize_t steps, const floating* start, floating floor,
                           floating* out, Py_ssize_t ld) noexcept nogil:
    _walk(x, off, w, steps, start, floor, out, ld, ROWS)


cdef inline void walk_most(const floating* x, const Py_ssize_t* off, const floating* w,
                           Py_ssize_t steps, const floating* start, floating floor,
                           floating* out, Py_ssize_t ld) noexcept nogil:
    _walk(x, off, w, steps, start, floor, out, ld, 3 * ROWS // 4)


cdef inline void walk_half(const floating* x, const Py_ssize_t* off, const floating* w,
                           Py_ssize_t steps, const floating* start, floating floor,
                           floating* out, Py_ssize_t ld) noexcept nogil:
    _walk(x, off, w, steps, start, floor, out, ld, ROWS // 2)


cdef inline Py_ssize_t round_up(Py_ssize_t value, Py_ssize_t step) noexcept nogil:
    return (value + step - 1) // step * step


cdef inline Py_ssize_t tile_rows(Py_ssize_t rows) noexcept nogil:
    """Rows of the tile that wastes least on `rows` rows: all, three quarters or half of ROWS."""
    if rows <= ROWS // 2:
        return ROWS // 2
    if round_up(rows, 3 * ROWS // 4) < round_up(rows, ROWS):
        return 3 * ROWS // 4
    return ROWS


cdef inline WalkTile walk_tile(Py_ssize_t rows, const floating* w) noexcept nogil:
    """The micro-kernel for tiles of so many rows; w only tells single from double precision."""
    if rows <= ROWS // 2:
        return walk_half[floating]
    return walk_full[floating] if rows == ROWS else walk_most[floating]


cdef inline void interleave(const floating* row0, const floating* row1, const floating* row2,
                            const floating* row3, Py_ssize_t steps,
                            floating* out) noexcept nogil:
    """out[k, r] = row_r[k] for four rows: gcc makes vector shuffles of this loop."""
    cdef Py_ssize_t k
    for k in range(steps):
        out[4 * k] = row0[k]
        out[4 * k + 1] = row1[k]
        out[4 * k + 2] = row2[k]
        out[4 * k + 3] = row3[k]


cdef inline floating _total(const floating* lane) noexcept nogil:
    """The sum of LANES numbers, in halves: always in the same order."""
    cdef floating part[LANES]
    cdef Py_ssize_t l
    for l in range(LANES // 2):
        part[l] = lane[l] + lane[l + LANES // 2]
    if LANES == 16:
        for l in range(LANES // 4):
            part[l] += part[l + LANES // 4]
    if LANES >= 8:
        part[0] += part[2]
        part[1] += part[3]
    return part[0] + part[1]


cdef inline void _dot(const floating* a, Py_ssize_t a_row, Py_ssize_t a_piece,
                      const floating* b, const Py_ssize_t* b_row, Py_ssize_t b_piece,
                      Py_ssize_t pieces, Py_ssize_t steps, floating* sums,
                      const Py_ssize_t rows) noexcept nogil:
    """sums[i, j] = sum over pieces p and n < steps * LANES of a[i, p, n] b[j, p, n].

    Row i < rows of a starts at i * a_row, row j < DOT_B of b at b_row[j]; the pieces of a row
    (the pictures of a batch, say) are a_piece and b_piece apart.
    """
    cdef floating acc0[DOT_A][LANES]
    cdef floating acc1[DOT_A][LANES]
    cdef floating acc2[DOT_A][LANES]
    cdef const floating* b0
    cdef const floating* b1
    cdef const floating* b2
    cdef const floating* ai
    cdef Py_ssize_t i, l, p, _s
    for i in range(rows):
        for l in range(LANES):
            acc0[i][l] = 0
            acc1[i][l] = 0
            acc2[i][l] = 0
    for p in range(pieces):
        ai = a + p * a_piece
        b0 = b + p * b_piece + b_row[0]
        b1 = b + p * b_piece + b_row[1]
        b2 = b + p * b_piece + b_row[2]
        for _s in range(steps):
            for i in range(rows):
                for l in range(LANES):
                    acc0[i][l] += ai[i * a_row + l] * b0[l]
                    acc1[i][l] += ai[i * a_row + l] * b1[l]
                    acc2[i][l] += ai[i * a_row + l] * b2[l]
            ai += LANES
            b0 += LANES
            b1 += LANES
            b2 += LANES
    for i in range(rows):
        sums[i * DOT_B] = _total(acc0[i])
        sums[i * DOT_B + 1] = _total(acc1[i])
        sums[i * DOT_B + 2] = _total(acc2[i])


cdef inline void dot4(const floating* a, Py_ssize_t a_row, Py_ssize_t a_piece,
                      const floating* b, const Py_ssize_t* b_row, Py_ssize_t b_piece,
                      Py_ssize_t pieces, Py_ssize_t steps, floating* sums) noexcept nogil:
    _dot(a, a_row, a_piece, b, b_row, b_piece, pieces, steps, sums, DOT_A)


cdef inline void dot3(const floating* a, Py_ssize_t a_row, Py_ssize_t a_piece,
                      const floating* b, const Py_ssize_t* b_row, Py_ssize_t b_piece,
                      Py_ssize_t pieces, Py_ssize_t steps, floating* sums) noexcept nogil:
    _dot(a, a_row, a_piece, b, b_row, b_piece, pieces, steps, sums, 3)


cdef inline void dot2(const floating* a, Py_ssize_t a_row, Py_ssize_t a_piece,
                      const floating* b, const Py_ssize_t* b_row, Py_ssize_t b_piece,
                      Py_ssize_t pieces, Py_ssize_t steps, floating* sums) noexcept nogil:
    _dot(a, a_row, a_piece, b, b_row, b_piece, pieces, steps, sums, 2)
