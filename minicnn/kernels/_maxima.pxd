# The largest value of every window of one plane, and where it was.
#
# Letters: (h, w) pixel of the input, (i, j) pixel of the output, (u, v) place in the window.
# Sizes: H, W; OH, OW; KH, KW; stride SH, SW; padding PH, PW; dilation DH, DW.
#
# Design. `_window` is the loop to read first: one window, from its corner, with an `if`. It is
# right for everything, and slow, for the processor cannot guess how the `if` will go. The rest
# of the file does the same for many windows at once:
#
#     x, row 2i      a b | c d | e f | g h          a row of windows 2x2; in each the four
#     x, row 2i+1    A B | C D | E F | G H          values are compared in the same order, on
#     y, row i        1     2     3     4           local variables, so that eight windows fill
#                                                   a vector register
#
# Other windows are taken apart: `_line` finds the maxima along one row of the input, for all
# windows side by side, and `_row` the maxima of these over the rows of the windows; rows that
# windows share are kept. Left before right and then top before bottom, with a strict >, leaves
# the first of equals in row-major order. A NaN breaks the rule that a maximum can be taken in any
# grouping, so rows with one in them go to `_window`.
#
# Where nobody asks for the winners, windows of 2x2 need no `if` at all: `_largest_of_four`.

from cython cimport floating
from libc.math cimport INFINITY
from libc.stdint cimport int32_t
from libc.string cimport memcpy

cdef enum:
    COLUMNS = 64        # windows of a row that `_row` handles at a time
    KEPT = 8            # rows of maxima that it keeps for the windows below


cdef struct Pool:
    Py_ssize_t H, W, OH, OW
    Py_ssize_t KH, KW, SH, SW, PH, PW, DH, DW


cdef inline Py_ssize_t largest(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a > b else b


cdef inline Py_ssize_t smallest(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a < b else b


cdef inline void _window(const floating* x, const Pool* g, Py_ssize_t i, Py_ssize_t j,
                         floating* value, int32_t* place) noexcept nogil:
    """The largest pixel of window (i, j) and its place h W + w; padding is not looked at.

    The first of equals wins. NaN, the only value that differs from itself, wins over numbers; of
    several the last one does, as in PyTorch. Without a pixel there is no winner: place -1.
    """
    cdef Py_ssize_t u, v, h, w, best = -1
    for u in range(g.KH):
        h = i * g.SH - g.PH + u * g.DH
        if h < 0 or h >= g.H:
            continue
        for v in range(g.KW):
            w = j * g.SW - g.PW + v * g.DW
            if w < 0 or w >= g.W:
                continue
            if best < 0 or x[h * g.W + w] > x[best] or x[h * g.W + w] != x[h * g.W + w]:
                best = h * g.W + w
    value[0] = x[best] if best >= 0 else -INFINITY
    place[0] = <int32_t> best


cdef inline bint _has_nan(const floating* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t w
    cdef int count = 0
    for w in range(n):
        count += x[w] != x[w]
    return count != 0


cdef inline void _take(floating value, int32_t place, floating* best,
                       int32_t* winner) noexcept nogil:
    """If value is larger than the best so far, it is the best, and its place the winner's.

    As arguments both are loaded before the comparison: loops with this in them become vector code.
    """
    if value > best[0]:
        best[0] = value
        winner[0] = place


cdef inline void _pairs(const floating* top, const floating* bottom, int32_t first, int32_t W,
                        floating* value, int32_t* place, Py_ssize_t n) noexcept nogil:
    """n windows 2x2 side by side: `first` is the place of the first window's corner.

    Without `_take`, for with it the last windows of short rows take longer.
    """
    cdef Py_ssize_t j
    cdef floating a, b, c, d
    cdef int32_t p
    for j in range(n):
        a = top[2 * j]
        b = top[2 * j + 1]
        c = bottom[2 * j]
        d = bottom[2 * j + 1]
        p = 0
        if b > a:
            a = b
            p = 1
        if c > a:
            a = c
            p = W
        if d > a:
            a = d
            p = W + 1
        value[j] = a
        place[j] = first + 2 * <int32_t> j + p


cdef inline void _triples(const floating* x, const Py_ssize_t step, int32_t first, floating* value,
                          int32_t* place, Py_ssize_t n) noexcept nogil:
    """n windows 1x3, `step` apart: `first` is the place of the first window's first pixel."""
    cdef Py_ssize_t j
    cdef floating best
    cdef int32_t p
    for j in range(n):
        best = x[step * j]
        p = 0
        _take(x[step * j + 1], 1, &best, &p)
        _take(x[step * j + 2], 2, &best, &p)
        value[j] = best
        place[j] = first + <int32_t> (step * j) + p


cdef inline void _compare(const floating* x, const Py_ssize_t step, int32_t place, floating* best,
                          int32_t* winner, Py_ssize_t n) noexcept nogil:
    """best[j] = max(best[j], x[j step]), with the winner's place."""
    cdef Py_ssize_t j
    cdef floating a
    cdef int32_t p
    for j in range(n):
        a = best[j]
        p = winner[j]
        _take(x[j * step], place + <int32_t> (j * step), &a, &p)
        best[j] = a
        winner[j] = p


cdef inline void _merge(const floating* x, const int32_t* place, floating* best, int32_t* winner,
                        Py_ssize_t n) noexcept nogil:
    """best[j] = max(best[j], x[j]), with the winner's place."""
    cdef Py_ssize_t j
    cdef floating a
    cdef int32_t p
    for j in range(n):
        a = best[j]
        p = winner[j]
        _take(x[j], place[j], &a, &p)
        best[j] = a
        winner[j] = p


cdef inline void _line(const floating* x, const Pool* g, Py_ssize_t h, Py_ssize_t j0, Py_ssize_t n,
                       floating* best, int32_t* winner) noexcept nogil:
    """The maxima of row h alone in the windows of columns j0 to j0 + n - 1; -1 without a pixel."""
    cdef Py_ssize_t j, v, w = j0 * g.SW - g.PW, low, high
    if g.KW == 3 and g.DW == 1 and w >= 0 and w + (n - 1) * g.SW + 3 <= g.W and g.SW <= 2:
        w += h * g.W
        if g.SW == 1:
            _triples(x + w, 1, <int32_t> w, best, winner, n)
        else:
            _triples(x + w, 2, <int32_t> w, best, winner, n)
        return
    for j in range(n):
        best[j] = -INFINITY
        winner[j] = -1
    for v in range(g.KW):
        w = v * g.DW - g.PW                     # of window j: w + j SW; keep 0 <= that < W
        low = largest(0, (g.SW - 1 - w) // g.SW - j0 if w < 0 else -j0)
        high = smallest(n, (g.W - w + g.SW - 1) // g.SW - j0 if g.W > w else 0)
        if low >= high:
            continue
        w += h * g.W + (j0 + low) * g.SW
        if g.SW == 1:
            _compare(x + w, 1, <int32_t> w, best + low, winner + low, high - low)
        elif g.SW == 2:
            _compare(x + w, 2, <int32_t> w, best + low, winner + low, high - low)
        else:
            _compare(x + w, g.SW, <int32_t> w, best + low, winner + low, high - low)


cdef struct Lines:
    # What `_line` found last for one block of columns, by row of the input; h < 0: nothing yet.
    Py_ssize_t h[KEPT]
    int32_t winner[KEPT][COLUMNS]


cdef inline void _row(const floating* x, const Pool* g, Py_ssize_t i, Py_ssize_t j0, Py_ssize_t n,
                      Lines* kept, floating* lines, floating* best,
                      int32_t* winner) noexcept nogil:
    """Windows (i, j0) to (i, j0 + n - 1); the maxima of kept row h are lines[h % KEPT]."""
    cdef Py_ssize_t j, u, h, slot
    cdef bint started = False
    for u in range(g.KH):
        h = i * g.SH - g.PH + u * g.DH
        if h < 0 or h >= g.H:
            continue
        slot = h % KEPT
        if kept.h[slot] != h:
            _line(x, g, h, j0, n, lines + slot * COLUMNS, kept.winner[slot])
            kept.h[slot] = h
        if started:
            _merge(lines + slot * COLUMNS, kept.winner[slot], best, winner, n)
        else:
            memcpy(best, lines + slot * COLUMNS, n * sizeof(floating))
            memcpy(winner, kept.winner[slot], n * sizeof(int32_t))
            started = True
    if not started:
        for j in range(n):
            winner[j] = -1


cdef inline void _slow_windows(const floating* x, const Pool* g, Py_ssize_t i, Py_ssize_t j0,
                               Py_ssize_t n, bint nan, floating* best,
                               int32_t* winner) noexcept nogil:
    """Do again what the fast loops cannot know: windows with a NaN, windows of nothing but -inf."""
    cdef Py_ssize_t j
    cdef int32_t lowest = 0
    if not nan:
        for j in range(n):
            lowest = winner[j] if winner[j] < lowest else lowest
    if nan or lowest < 0:
        for j in range(n):
            if nan or winner[j] < 0:
                _window(x, g, i, j0 + j, &best[j], &winner[j])


cdef inline floating larger(floating a, floating b) noexcept nogil:
    """The larger of two, a NaN being larger than any number. An `or` would be a branch."""
    if b > a:
        a = b
    if b != b:
        a = b
    return a


cdef inline void _largest_of_four(const floating* x, floating* y, const Pool* g) noexcept nogil:
    """All windows 2x2 of a plane, without their winners."""
    cdef Py_ssize_t _i, j
    cdef const floating* below
    for _i in range(g.OH):
        below = x + g.W
        for j in range(g.OW):
            y[j] = larger(larger(x[2 * j], x[2 * j + 1]),
                          larger(below[2 * j], below[2 * j + 1]))
        x += 2 * g.W
        y += g.OW


cdef inline bint _in_pairs(const Pool* g) noexcept nogil:
    """Whether windows are 2x2, side by side, and whole across."""
    return (g.KH == 2 and g.KW == 2 and g.SH == 2 and g.SW == 2 and g.PH == 0 and g.PW == 0
            and g.DH == 1 and g.DW == 1 and 2 * g.OW <= g.W)


cdef inline void plane_maxima(const floating* x, floating* y, int32_t* mask,
                              const Pool* g) noexcept nogil:
    """One plane, block of columns by block of columns; mask is NULL when nobody will ask for it."""
    cdef Py_ssize_t block, j0, n
    cdef bint pairs = _in_pairs(g) and 2 * g.OH <= g.H
    if mask == NULL and pairs:
        _largest_of_four(x, y, g)
        return
    if pairs and g.OW <= COLUMNS:
        _plane_of_pairs(x, y, mask, g)
        return
    for block in range((g.OW + COLUMNS - 1) // COLUMNS):
        j0 = block * COLUMNS
        n = smallest(COLUMNS, g.OW - j0)
        _block(x, y + j0, mask + j0 if mask != NULL else NULL, g, j0, n)


cdef inline void _plane_of_pairs(const floating* x, floating* y, int32_t* mask,
                                 const Pool* g) noexcept nogil:
    """All windows 2x2 of a plane: as many short rows at a time as give COLUMNS windows."""
    cdef floating best[COLUMNS]
    cdef int32_t winner[COLUMNS]
    cdef Py_ssize_t i = 0, rows, r, at
    while i < g.OH:
        rows = smallest(COLUMNS // g.OW, g.OH - i)
        if _has_nan(x + 2 * i * g.W, 2 * rows * g.W):
            for r in range(rows):
                _slow_windows(x, g, i + r, 0, g.OW, True, best + r * g.OW, winner + r * g.OW)
        else:
            for r in range(rows):
                at = 2 * (i + r) * g.W
                _pairs(x + at, x + at + g.W, <int32_t> at, <int32_t> g.W, best + r * g.OW,
                       winner + r * g.OW, g.OW)
        memcpy(y + i * g.OW, best, rows * g.OW * sizeof(floating))
        memcpy(mask + i * g.OW, winner, rows * g.OW * sizeof(int32_t))
        i += rows


cdef inline void _block(const floating* x, floating* y, int32_t* mask, const Pool* g,
                        Py_ssize_t j0, Py_ssize_t n) noexcept nogil:
    """The windows of columns j0 to j0 + n - 1, row by row."""
    cdef floating best[COLUMNS]
    cdef int32_t winner[COLUMNS]
    cdef floating lines[KEPT * COLUMNS]
    cdef Lines kept
    cdef bint pairs = _in_pairs(g), nan
    cdef Py_ssize_t i, top, bottom
    for i in range(KEPT):
        kept.h[i] = -1
    for i in range(g.OH):
        top = largest(0, i * g.SH - g.PH)
        bottom = smallest(g.H, i * g.SH - g.PH + (g.KH - 1) * g.DH + 1)
        nan = _has_nan(x + top * g.W, (bottom - top) * g.W) if bottom > top else False
        if pairs and not nan and bottom == top + 2:
            _pairs(x + top * g.W + 2 * j0, x + top * g.W + g.W + 2 * j0,
                   <int32_t> (top * g.W + 2 * j0), <int32_t> g.W, best, winner, n)
        else:
            _row(x, g, i, j0, n, &kept, lines, best, winner)
            _slow_windows(x, g, i, j0, n, nan, best, winner)
        memcpy(y + i * g.OW, best, n * sizeof(floating))
        if mask != NULL:
            memcpy(mask + i * g.OW, winner, n * sizeof(int32_t))
