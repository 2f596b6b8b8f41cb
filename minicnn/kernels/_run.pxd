# Running a compiled plan: its chunks of pictures, its steps, its threads.
#
# Letters: b picture of the batch, p picture of a chunk, s step.
#
# The steps up to a fully connected layer are done chunk by chunk, that layer for the whole batch,
# and so on. Where there are chunks enough for the threads, each chunk is one thread's; where there
# are fewer, all threads share out the items of every step. All memory of a run is one block:
#
#     | whole: arena BATCH | rows: packed pictures | chunk 0, scratch 0 | chunk 1, scratch 1 | ...
#                            of a LINEAR             of thread 0          of thread 1

from cython.parallel cimport prange, threadid

from minicnn.kernels._linear cimport PICTURES, linear_item, linear_rows, pack_rows
from minicnn.kernels._lower cimport clip, divide_up
from minicnn.kernels._scratch cimport borrow, give_back
from minicnn.kernels._steps cimport (
    BATCH, FEW, INPUT, LINEAR, MANY, OUTPUT, Place, Step, do_item, item_count,
)
from minicnn.kernels._threads cimport worth
from minicnn.kernels._tile cimport COLS, round_up, tile_rows


cdef enum:
    CHUNK_BUDGET = 40960    # numbers that a chunk hands from step to step: they stay in L2
    MOST_PICTURES = 24      # of a chunk: more join no more edges
    THREAD_WORK = 200000    # multiply-adds for which a thread is worth waking: some 5 us
    PLAN_WORK = 500000      # the same of a whole plan, at each step of which threads wait


cdef struct Plan:
    Step* steps
    Py_ssize_t count
    Py_ssize_t inputs, outputs, chunk, batch       # numbers per picture
    Py_ssize_t scratch                             # numbers that any item needs, at most
    Py_ssize_t work                                # multiply-adds of a picture


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


cdef inline void run_chunk(const Plan* p, const Run* r, Py_ssize_t first, Py_ssize_t last,
                           Py_ssize_t b, float* chunk) noexcept nogil:
    """Steps first ... last - 1 on one chunk, by one thread."""
    cdef Py_ssize_t i, item, count = clip(r.pictures, 0, r.batch - b)
    cdef const Step* s
    for i in range(first, last):
        s = &p.steps[i]
        for item in range(item_count(s, count, MANY)):
            do_item(s, at(r, &s.source, b, chunk), at(r, &s.other, b, chunk),
                    at(r, &s.target, b, chunk), count, item, MANY, chunk + p.chunk * r.pictures)


cdef inline void share_chunk(const Plan* p, const Run* r, Py_ssize_t first, Py_ssize_t last,
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


cdef inline void run_linear(const Step* s, const Run* r) noexcept nogil:
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


cdef inline void run_steps(const Plan* p, const Run* r) noexcept nogil:
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


cdef inline Py_ssize_t rows_most(const Plan* p, Py_ssize_t batch) noexcept nogil:
    """Numbers of the packed pictures of any LINEAR, at most."""
    cdef Py_ssize_t i, size, most = 0
    for i in range(p.count):
        if p.steps[i].kind == LINEAR:
            size = linear_rows(batch, p.steps[i].channels)
            most = size if size > most else most
    return most


cdef inline Py_ssize_t lay_out(const Plan* p, Run* r) noexcept nogil:
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


cdef inline bint run(const Plan* p, const float* x, float* y, Py_ssize_t batch,
                     int num_threads) noexcept nogil:
    """Write y, what the net makes of a batch of one picture or more. False: no memory."""
    cdef Run r
    r.batch, r.x, r.y = batch, x, y
    r.threads = worth(batch * p.work, PLAN_WORK, num_threads)
    r.whole = <float*> borrow(lay_out(p, &r) * sizeof(float))
    if r.whole == NULL:
        return False
    r.rows = r.whole + round_up(p.batch * batch, 16)
    r.chunk = r.rows + round_up(rows_most(p, batch), 16)
    run_steps(p, &r)
    give_back(r.whole)
    return True
