# Memory that kernels compute in; see _scratch.pyx. Never called inside a parallel loop: whoever
# starts the threads borrows for all of them.

cdef void* borrow(size_t bytes) noexcept nogil
cdef void* keep(size_t bytes) noexcept nogil
cdef void give_back(void* block) noexcept nogil
