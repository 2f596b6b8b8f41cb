# Memory that kernels compute in: borrowed for one call, and given back at its end.
#
# Letters: i slot of the pool.
#
#     borrow(bytes)     memory for one call, NULL where there is none
#     keep(bytes)       memory for longer, say for the weights of a compiled plan: not of the pool
#     give_back(block)  the end of both
#
# Design. What was given back is not freed: the next kernel gets the same memory, which the caches
# still hold and the operating system need not clear again. A training step that has been done once
# allocates nothing that is worth a word. A block is grown to what was asked of it at most, and
# small requests use large blocks, so there are as many blocks as Python threads have run kernels at
# the same time, at most SLOTS of them: mostly one, as large as the largest need so far. More than
# MOST bytes, and less than LEAST, are allocated and freed for every call.
#
#      slot 0  [Block|.... in use ....|  room  ]     a Block before the memory says where it
#      slot 1  [Block|  free  ]                      belongs; the memory begins at a multiple of
#      slot 2                                        LINE, after as many bytes as that takes
#
# Python threads run kernels at the same time, so a lock guards the choice of a slot, and nothing
# else: who has a slot grows it alone. `borrow` does not wait for the lock but allocates, and
# `give_back` waits only for a slot of the pool; so a forked child, in which nobody may be left to
# open the lock, has nothing to wait for. The allocator is Python's, so that tracemalloc sees it.
#
# A debug build fills all memory with NaN: what is read before it was written shows. Under the
# address sanitizer the room behind what was asked for is forbidden ground.

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.pythread cimport (
    NOWAIT_LOCK, PyThread_acquire_lock, PyThread_allocate_lock, PyThread_release_lock,
    PyThread_type_lock, WAIT_LOCK,
)
from libc.string cimport memset


cdef extern from *:
    """
    #if defined(__SANITIZE_ADDRESS__)
    void __asan_poison_memory_region(const volatile void*, size_t);
    void __asan_unpoison_memory_region(const volatile void*, size_t);
    #else
    #define __asan_poison_memory_region(block, bytes) ((void) 0)
    #define __asan_unpoison_memory_region(block, bytes) ((void) 0)
    #endif

    #ifndef MINICNN_DEBUG
    #define MINICNN_DEBUG 0
    #endif
    """
    bint MINICNN_DEBUG
    void forbid "__asan_poison_memory_region"(void* block, size_t bytes) noexcept nogil
    void allow "__asan_unpoison_memory_region"(void* block, size_t bytes) noexcept nogil


cdef enum:
    SLOTS = 8
    NO_SLOT = -1
    LINE = 64               # bytes of a cache line, and of a vector of level v4
    LEAST = 32768           # bytes: less is allocated as fast as borrowed
    MOST = 64 << 20         # bytes


cdef struct Block:
    void* memory            # as the allocator gave it
    int slot


cdef struct Slot:
    char* block             # the memory handed out; its Block lies before it
    size_t size
    bint busy


cdef Slot slots[SLOTS]
cdef PyThread_type_lock lock = PyThread_allocate_lock()
if lock == NULL:
    raise MemoryError("minicnn.kernels: no memory for a lock")


cdef inline Block* block_of(void* block) noexcept nogil:
    return <Block*> block - 1


cdef inline char* allocate(size_t bytes, int slot) noexcept nogil:
    """New memory with its Block before it."""
    cdef void* memory = PyMem_RawMalloc(sizeof(Block) + LINE + bytes)
    cdef char* block
    if memory == NULL:
        return NULL
    block = <char*> ((<size_t> memory + sizeof(Block) + LINE - 1) // LINE * LINE)
    block_of(block).memory, block_of(block).slot = memory, slot
    return block


cdef int choose(size_t bytes) noexcept nogil:
    """The smallest free slot that is large enough; where all are smaller, the largest of them."""
    cdef int i, best = NO_SLOT
    for i in range(SLOTS):
        if slots[i].busy:
            continue
        if best == NO_SLOT:
            best = i
        elif slots[best].size >= bytes:
            best = i if bytes <= slots[i].size < slots[best].size else best
        elif slots[i].size > slots[best].size:
            best = i
    return best


cdef inline int occupy(size_t bytes) noexcept nogil:
    """A slot that is the caller's from now on; NO_SLOT where others have them all, or the lock."""
    cdef int i
    if not PyThread_acquire_lock(lock, NOWAIT_LOCK):
        return NO_SLOT
    i = choose(bytes)
    if i != NO_SLOT:
        slots[i].busy = True
    PyThread_release_lock(lock)
    return i


cdef void leave(int i) noexcept nogil:
    PyThread_acquire_lock(lock, WAIT_LOCK)
    slots[i].busy = False
    PyThread_release_lock(lock)


cdef char* block_in(int i, size_t bytes) noexcept nogil:
    """The block of slot i, made larger where it has to be."""
    if slots[i].size < bytes:
        if slots[i].block != NULL:
            PyMem_RawFree(block_of(slots[i].block).memory)
        slots[i].block = allocate(bytes, i)
        slots[i].size = bytes if slots[i].block != NULL else 0
        if slots[i].block == NULL:
            leave(i)
            return NULL
    allow(slots[i].block, bytes)
    forbid(slots[i].block + bytes, slots[i].size - bytes)
    return slots[i].block


cdef void* borrow(size_t bytes) noexcept nogil:
    """Memory that begins at a multiple of 64, with anything in it; NULL: there is none."""
    cdef int i = occupy(bytes) if LEAST <= bytes <= MOST else NO_SLOT
    cdef char* block = allocate(bytes, NO_SLOT) if i == NO_SLOT else block_in(i, bytes)
    if MINICNN_DEBUG and block != NULL:
        memset(block, 0xff, bytes)
    return block


cdef void* keep(size_t bytes) noexcept nogil:
    """The same, for longer than a call."""
    return allocate(bytes, NO_SLOT)


cdef void give_back(void* block) noexcept nogil:
    """What was borrowed or kept, once; NULL is nothing."""
    cdef int i
    if block == NULL:
        return
    i = block_of(block).slot
    if i == NO_SLOT:
        PyMem_RawFree(block_of(block).memory)
    else:
        forbid(block, slots[i].size)
        leave(i)
