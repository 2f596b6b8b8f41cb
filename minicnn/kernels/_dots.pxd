# Many scalar products at once: out[i, j] += sum_n a[i, n] b[j, n], for operands that both lie
# with n in memory order. Used by the weight gradient and by products with a transposed matrix.
#
# Letters: i row of a, j row of b, n summed position, p piece of a row (a picture, say).
#
#                 b rows  j ->   three at a time
#                 +-----+-----+-----+
#     a rows i    | 4x3 | 4x3 |     |     four rows of a stay in L1 while all rows of b pass;
#     four at     +-----+-----+-----+     what is left of n after whole vectors of LANES is
#     a time      | 4x3 | 4x3 |     |     gathered into zero-padded panels by the caller
#                 +-----+-----+-----+

from cython cimport floating

from minicnn.kernels._lower cimport clip
from minicnn.kernels._tile cimport DOT_A, DOT_B, LANES, dot2, dot3, dot4, round_up


cdef inline void dots(const floating* a, Py_ssize_t a_row, Py_ssize_t a_piece,
                      Py_ssize_t a_count, const floating* b, const Py_ssize_t* b_row,
                      Py_ssize_t b_stride, Py_ssize_t b_piece, Py_ssize_t b_count,
                      Py_ssize_t pieces, Py_ssize_t steps, floating* out, Py_ssize_t out_row,
                      const Py_ssize_t* out_index, Py_ssize_t out_stride) noexcept nogil:
    """out[i * out_row + out_index[j]] += sum over p < pieces and n < steps * LANES.

    Row i of a starts at i * a_row, row j of b at b_row[j]; where a table is NULL its index is
    j times the stride given instead.
    """
    cdef floating sums[DOT_A * DOT_B]
    cdef Py_ssize_t b_at[DOT_B]
    cdef void (*tile)(const floating*, Py_ssize_t, Py_ssize_t, const floating*,
                      const Py_ssize_t*, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                      floating*) noexcept nogil
    cdef Py_ssize_t i0 = 0, j0, i, j, rows, at
    while i0 < a_count:
        rows = clip(DOT_A, 0, a_count - i0)
        tile = dot4[floating] if rows == DOT_A else dot3[floating] if rows == 3 else dot2[floating]
        if rows == 1:
            a_row = 0                                  # two rows, the second one for nothing
        j0 = 0
        while j0 < b_count:
            for j in range(DOT_B):
                at = clip(j0 + j, 0, b_count - 1)      # past the last row: that row again
                b_at[j] = b_row[at] if b_row != NULL else at * b_stride
            tile(a, a_row, a_piece, b, b_at, b_piece, pieces, steps, sums)
            for j in range(clip(DOT_B, 0, b_count - j0)):
                at = out_index[j0 + j] if out_index != NULL else (j0 + j) * out_stride
                for i in range(rows):
                    out[i * out_row + at] += sums[i * DOT_B + j]
            j0 += DOT_B
        a += DOT_A * a_row
        out += DOT_A * out_row
        i0 += DOT_A


cdef inline void gather_rows(const floating* x, const Py_ssize_t* x_row, Py_ssize_t x_stride,
                             Py_ssize_t x_piece, Py_ssize_t count, Py_ssize_t pieces,
                             Py_ssize_t wide, floating* panel) noexcept nogil:
    """panel[i, p * wide + n] = x[i, p, n] for n < wide, in rows padded with zeros to LANES."""
    cdef Py_ssize_t padded = round_up(pieces * wide, LANES), i, p, n
    cdef const floating* row
    for i in range(count):
        row = x + (x_row[i] if x_row != NULL else i * x_stride)
        for p in range(pieces):
            for n in range(wide):
                panel[p * wide + n] = row[p * x_piece + n]
        for n in range(pieces * wide, padded):
            panel[n] = 0
        panel += padded
