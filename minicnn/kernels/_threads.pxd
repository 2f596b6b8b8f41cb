# How many threads a piece of work is worth, and how it is cut.

cdef enum:
    PIECE = 8192        # elements of an elementwise loop that one thread takes at a time


cdef inline int worth(Py_ssize_t work, Py_ssize_t least, int num_threads) noexcept nogil:
    """The threads to use: at most num_threads, and at least `least` units of work for each.

    Waking a second thread takes some microseconds; small tensors are done sooner without it.
    """
    if work // least < num_threads:
        num_threads = <int> (work // least)
    return num_threads if num_threads > 1 else 1
