# Matrix product: out (+)= op(a) op(b), where op may transpose.
#
# Letters: m row of out, n column of out, k summed index, r row of a tile.
#
#     out[m, n] = sum_k A[m, k] B[k, n]
#
# Design, two ways by how the operands lie in memory:
#
#   a as it is, b transposed (Linear forward, y = x w^T), and few rows or columns: both have k in
#   memory order. Tiles of 4 x 3 scalar products (_dots.pxd), nothing packed; k is cut into
#   blocks so that the rows in use stay in the cache.
#
#   everything else: the micro-kernel of convolution (_tile.pxd). A is packed
#   as weights, B goes strip by strip, COLS columns wide, through a panel in L1:
#
#         K_WALK  +--------+            strip of B, packed [k][COLS]
#                 |        |
#                 +--------+
#     +------+    +--------+  tile
#     | A    |    |  out   |            all tiles of a strip use the same panel
#     |[k][r]|    |        |
#     +------+    +--------+
#       K_WALK       COLS
#
# Sums over k are cut by the shape alone, and threads share out tiles of `out`: the results are
# the same bits for any number of threads.

from cython cimport floating
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY
from libc.string cimport memset

from minicnn.kernels._dots cimport dots, gather_rows
from minicnn.kernels._lower cimport Walk, clip, divide_up
from minicnn.kernels._scratch cimport borrow, give_back
from minicnn.kernels._threads cimport worth
from minicnn.kernels._tile cimport COLS, DOT_A, DOT_B, LANES, interleave, round_up, tile_rows
from minicnn.kernels._walk cimport strip


cdef enum:
    K_DOTS = 384        # k of one block of scalar products ...
    B_NEAR = 12         # ... of so many rows of b, which stay in L1 with four rows of a
    A_DOTS = 32         # rows of a and of b in one item: they stay in L2
    B_DOTS = 60
    M_DOTS = 24         # with fewer rows or columns of out than these ...
    N_DOTS = 16         # ... packing does not pay
    K_WALK = 192        # k of one panel: it fills half of L1
    M_WALK = 96         # rows of out in one item
    N_WALK = 16         # strips of out in one item, at most
    THREAD_WORK = 200000        # multiply-adds for which a thread is worth waking: some 5 us


cdef struct Sizes:
    Py_ssize_t m, n, k
    bint transpose_a, transpose_b, accumulate
    int threads


cdef void dots_item(const floating* a, const floating* b, Py_ssize_t k, Py_ssize_t rows_a,
                    Py_ssize_t rows_b, floating* out, Py_ssize_t out_row,
                    Py_ssize_t out_col) noexcept nogil:
    """out[i, j] += sum_k a[i, k] b[j, k] for a few rows of each."""
    cdef floating a_panel[A_DOTS * LANES]
    cdef floating b_panel[B_DOTS * LANES]
    cdef Py_ssize_t whole = k // LANES * LANES, k0 = 0, near, j
    while k0 < whole:
        for near in range(divide_up(rows_b, B_NEAR)):
            j = near * B_NEAR
            dots(a + k0, k, 0, rows_a, b + j * k + k0, NULL, k, 0, clip(B_NEAR, 0, rows_b - j), 1,
                 clip(K_DOTS, 0, whole - k0) // LANES, out + j * out_col, out_row, NULL, out_col)
        k0 += K_DOTS
    if k > whole:
        gather_rows(a + whole, NULL, k, 0, rows_a, 1, k - whole, a_panel)
        gather_rows(b + whole, NULL, k, 0, rows_b, 1, k - whole, b_panel)
        dots(<const floating*> a_panel, LANES, 0, rows_a, <const floating*> b_panel, NULL, LANES,
             0, rows_b, 1, 1, out, out_row, NULL, out_col)


cdef void dots_product(const floating* a, const floating* b, Py_ssize_t rows_a,
                       Py_ssize_t rows_b, Py_ssize_t k, floating* out, Py_ssize_t out_row,
                       Py_ssize_t out_col, int threads) noexcept nogil:
    """out[i, j] += sum_k a[i, k] b[j, k]; the rows of a are taken four at a time."""
    cdef Py_ssize_t across = divide_up(rows_b, B_DOTS), item, i, j
    for item in prange(divide_up(rows_a, A_DOTS) * across, num_threads=threads,
                       schedule="dynamic"):
        i = item // across * A_DOTS
        j = item % across * B_DOTS
        dots_item(a + i * k, b + j * k, k, clip(A_DOTS, 0, rows_a - i),
                  clip(B_DOTS, 0, rows_b - j), out + i * out_row + j * out_col, out_row, out_col)


cdef void both_along_k(const Sizes* s, const floating* a, const floating* b,
                       floating* out) noexcept nogil:
    """out (+)= a b^T, with the operands in the order that leaves fewer tiles part empty."""
    if not s.accumulate:
        memset(out, 0, s.m * s.n * sizeof(floating))
    if (divide_up(s.m, DOT_A) * divide_up(s.n, DOT_B)
            <= divide_up(s.n, DOT_A) * divide_up(s.m, DOT_B)):
        dots_product(a, b, s.m, s.n, s.k, out, s.n, 1, s.threads)
    else:
        dots_product(b, a, s.n, s.m, s.k, out, 1, s.n, s.threads)


cdef void pack_a(const Sizes* s, const floating* a, Py_ssize_t tile,
                 floating* packed) noexcept nogil:
    """Lay A as the micro-kernel reads it: [block of k][tile][k][r], filled up with zeros."""
    cdef Py_ssize_t step_m = 1 if s.transpose_a else s.k
    cdef Py_ssize_t step_k = s.m if s.transpose_a else 1
    cdef Py_ssize_t k0 = 0, m0, steps, k, r
    while k0 < s.k:
        steps = clip(K_WALK, 0, s.k - k0)
        m0 = 0
        while m0 < s.m:
            if tile == 4 and m0 + 4 <= s.m and not s.transpose_a:
                interleave(a + m0 * s.k + k0, a + (m0 + 1) * s.k + k0, a + (m0 + 2) * s.k + k0,
                           a + (m0 + 3) * s.k + k0, steps, packed)
            else:
                for k in range(steps):
                    for r in range(tile):
                        packed[k * tile + r] = (
                            a[(m0 + r) * step_m + (k0 + k) * step_k] if m0 + r < s.m else 0)
            packed += steps * tile
            m0 += tile
        k0 += K_WALK


cdef void pack_panel(const Sizes* s, const floating* b, Py_ssize_t k0, Py_ssize_t steps,
                     Py_ssize_t n0, Py_ssize_t wide, floating* panel) noexcept nogil:
    """panel[k, n] = B[k0 + k, n0 + n] for n < wide, and zero up to COLS."""
    cdef floating four[4 * K_WALK]
    cdef const floating* row
    cdef Py_ssize_t k, n, r, done = 0
    if wide < COLS:
        memset(panel, 0, steps * COLS * sizeof(floating))
    if not s.transpose_b:
        b += k0 * s.n + n0
        for k in range(steps):
            if wide == COLS:
                for n in range(COLS):
                    panel[k * COLS + n] = b[k * s.n + n]
            else:
                for n in range(wide):
                    panel[k * COLS + n] = b[k * s.n + n]
        return
    while done + 4 <= wide:
        row = b + (n0 + done) * s.k + k0
        interleave(row, row + s.k, row + 2 * s.k, row + 3 * s.k, steps, four)
        for k in range(steps):
            for r in range(4):
                panel[k * COLS + done + r] = four[4 * k + r]
        done += 4
    for n in range(done, wide):
        for k in range(steps):
            panel[k * COLS + n] = b[(n0 + n) * s.k + k0 + k]


cdef void walk_strip(const Sizes* s, const Walk* g, Py_ssize_t k0, Py_ssize_t n0,
                     const floating* packed, const floating* b, const floating* start,
                     floating* out, floating* panel, const Py_ssize_t* off,
                     const Py_ssize_t* ramp) noexcept nogil:
    """What the k of one block add to COLS columns of some rows of `out`, from column n0 on."""
    cdef Py_ssize_t wide = clip(COLS, 0, s.n - n0), steps = clip(K_WALK, 0, s.k - k0)
    if g.outputs <= 2 * g.tile and wide == COLS and not s.transpose_b:      # not worth a panel
        strip(g, b + k0 * s.n + n0, off, packed, steps, start, -INFINITY,
              out + n0, s.n, 0, 1, wide)
    else:
        pack_panel(s, b, k0, steps, n0, wide, panel)
        strip(g, <const floating*> panel, ramp, packed, steps, start, -INFINITY,
              out + n0, s.n, 0, 1, wide)


cdef void walk_item(const Sizes* s, Py_ssize_t tile, Py_ssize_t m0, Py_ssize_t rows,
                    Py_ssize_t n0, Py_ssize_t columns, const floating* packed,
                    const floating* b, const floating* zeros, floating* out, floating* panel,
                    const Py_ssize_t* off) noexcept nogil:
    """`rows` rows and `columns` columns of `out` from (m0, n0) on. One block of k after the
    other: its part of A stays in L2 while all strips pass."""
    cdef Walk g
    cdef Py_ssize_t k0 = 0, n, steps
    cdef const floating* start = zeros
    if s.accumulate:
        start = NULL
    g.outputs, g.tile = rows, tile
    while k0 < s.k:
        steps = clip(K_WALK, 0, s.k - k0)
        n = n0
        while n < n0 + columns:
            walk_strip(s, &g, k0, n, packed + m0 * steps, b, start, out + m0 * s.n, panel, off,
                       off + K_WALK)
            n += COLS
        packed += round_up(s.m, tile) * steps
        start = NULL
        k0 += K_WALK


cdef bint walk_product(const Sizes* s, const floating* a, const floating* b,
                       floating* out) noexcept nogil:
    """out (+)= op(a) op(b) by packed panels. False when there is no memory for them."""
    cdef Py_ssize_t tile = tile_rows(s.m), rows = round_up(M_WALK, tile)
    cdef Py_ssize_t high = round_up(s.m, tile), down = divide_up(s.m, rows), item, i
    cdef Py_ssize_t strips = divide_up(s.n, COLS), columns = strips
    cdef Py_ssize_t* off = <Py_ssize_t*> borrow(
        (high * (s.k + 1) + s.threads * K_WALK * COLS) * sizeof(floating)
        + 2 * K_WALK * sizeof(Py_ssize_t))
    cdef floating* panels = <floating*> (off + 2 * K_WALK)
    cdef floating* zeros = panels + s.threads * K_WALK * COLS
    cdef floating* packed = zeros + high
    if off == NULL:
        return False
    if s.threads > 1:
        columns = divide_up(strips, 4 * s.threads)
    columns = clip(columns, 1, N_WALK) * COLS
    for i in range(K_WALK):
        off[i] = i * s.n
        off[K_WALK + i] = i * COLS
    memset(zeros, 0, high * sizeof(floating))
    pack_a(s, a, tile, packed)
    for item in prange(divide_up(s.n, columns) * down, num_threads=s.threads,
                       schedule="dynamic"):
        walk_item(s, tile, item % down * rows, clip(rows, 0, s.m - item % down * rows),
                  item // down * columns, clip(columns, 0, s.n - item // down * columns),
                  <const floating*> packed, b, <const floating*> zeros, out,
                  panels + threadid() * K_WALK * COLS, off)
    give_back(off)
    return True


def matmul(const floating[:, ::1] a not None, const floating[:, ::1] b not None,
           floating[:, ::1] out not None, bint transpose_a, bint transpose_b, bint accumulate,
           int num_threads):
    """Write or add to out the product op(a) op(b).

    a   IN  (M, K), or (K, M) when transpose_a is true
    b   IN  (K, N), or (N, K) when transpose_b is true
    out OUT (M, N): overwritten, or added to when accumulate is true
    """
    cdef Sizes s
    cdef bint done = True
    s.m, s.n = out.shape[0], out.shape[1]
    s.k = a.shape[0] if transpose_a else a.shape[1]
    s.transpose_a, s.transpose_b, s.accumulate = transpose_a, transpose_b, accumulate
    s.threads = worth(s.m * s.n * s.k, THREAD_WORK, num_threads)
    if out.size == 0:
        return
    if s.k == 0:
        if not accumulate:
            out[:] = 0
        return
    with nogil:
        if transpose_b and not transpose_a and (s.m < M_DOTS or s.n < N_DOTS):
            both_along_k(&s, &a[0, 0], &b[0, 0], &out[0, 0])
        else:
            done = walk_product(&s, &a[0, 0], &b[0, 0], &out[0, 0])
    if not done:
        raise MemoryError("matmul: no memory for packed panels")
