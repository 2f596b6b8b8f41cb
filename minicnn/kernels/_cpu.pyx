# What this processor can do, and what this build was made with. Compiled once, for the
# baseline, so that it can run on every processor that Python runs on.

cdef extern from *:
    """
    #if defined(__x86_64__) || defined(_M_X64)
    #define MINICNN_X86_64 1
    #else
    #define MINICNN_X86_64 0
    #endif

    #if MINICNN_X86_64 && defined(_MSC_VER) && !defined(__clang__)
    #include <immintrin.h>
    #include <intrin.h>
    /* Registers c of leaf 1 and b of leaf 7 hold the features; XCR0 says which registers the
       operating system saves. (Intel SDM vol. 2A, CPUID; the levels: x86-64 psABI 1.0, 3.1.1) */
    static int minicnn_cpu_level(void) {
        int id[4], c1, b7 = 0, c81 = 0;
        unsigned long long saved = 0;
        __cpuid(id, 0);
        if (id[0] >= 7) { int seven[4]; __cpuidex(seven, 7, 0); b7 = seven[1]; }
        __cpuid(id, 0x80000000);
        if ((unsigned)id[0] >= 0x80000001u) { int ext[4]; __cpuid(ext, 0x80000001); c81 = ext[2]; }
        __cpuid(id, 1);
        c1 = id[2];
        if (c1 & (1 << 27)) saved = _xgetbv(0);
        #define HAS(word, mask) (((unsigned)(word) & (unsigned)(mask)) == (unsigned)(mask))
        /* cx16, popcnt, sse3, ssse3, sse4.1, sse4.2, lahf */
        if (!HAS(c1, 1u << 13 | 1u << 23 | 1u | 1u << 9 | 1u << 19 | 1u << 20) || !HAS(c81, 1u))
            return 0;
        /* avx, f16c, fma, movbe; avx2, bmi1, bmi2; lzcnt; ymm saved */
        if (!HAS(c1, 1u << 28 | 1u << 29 | 1u << 12 | 1u << 22)
                || !HAS(b7, 1u << 5 | 1u << 3 | 1u << 8) || !HAS(c81, 1u << 5)
                || (saved & 0x6) != 0x6)
            return 2;
        /* avx512 f, bw, cd, dq, vl; zmm saved */
        if (!HAS(b7, 1u << 16 | 1u << 30 | 1u << 28 | 1u << 17 | 1u << 31)
                || (saved & 0xe6) != 0xe6)
            return 3;
        #undef HAS
        return 4;
    }
    #elif MINICNN_X86_64
    #if (defined(__clang__) && __clang_major__ >= 18 && !defined(__apple_build_version__)) \\
            || (!defined(__clang__) && __GNUC__ >= 12)
    #define MINICNN_V2 __builtin_cpu_supports("x86-64-v2")
    #define MINICNN_V3 __builtin_cpu_supports("x86-64-v3")
    #define MINICNN_V4 __builtin_cpu_supports("x86-64-v4")
    #else /* older compilers know the features but not the levels' names */
    #define MINICNN_V2 (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"))
    #define MINICNN_V3 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") \\
                        && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
    #define MINICNN_V4 (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") \\
                        && __builtin_cpu_supports("avx512cd") \\
                        && __builtin_cpu_supports("avx512dq") \\
                        && __builtin_cpu_supports("avx512vl"))
    #endif
    static int minicnn_cpu_level(void) {
        __builtin_cpu_init();
        if (!(MINICNN_V2)) return 0;
        if (!(MINICNN_V3)) return 2;
        return (MINICNN_V4) ? 4 : 3;
    }
    #else
    static int minicnn_cpu_level(void) { return 0; }
    #endif

    #ifdef _OPENMP
    #define MINICNN_OPENMP _OPENMP
    #else
    #define MINICNN_OPENMP 0
    #endif

    #define MINICNN_TEXT_(x) #x
    #define MINICNN_TEXT(x) MINICNN_TEXT_(x)
    #if defined(__clang__)
    #define MINICNN_COMPILER __VERSION__
    #elif defined(__GNUC__)
    #define MINICNN_COMPILER "gcc " __VERSION__
    #elif defined(_MSC_VER)
    #define MINICNN_COMPILER "MSVC " MINICNN_TEXT(_MSC_VER)
    #else
    #define MINICNN_COMPILER "unknown"
    #endif

    #if !defined(_OPENMP)
    #define MINICNN_RUNTIME ""
    #elif defined(__clang__)
    #define MINICNN_RUNTIME "libomp"
    #elif defined(__GNUC__)
    #define MINICNN_RUNTIME "libgomp"
    #elif defined(_MSC_VER)
    #define MINICNN_RUNTIME "vcomp"
    #else
    #define MINICNN_RUNTIME "unknown"
    #endif

    #ifndef MINICNN_DEBUG
    #define MINICNN_DEBUG 0
    #endif
    """
    int minicnn_cpu_level() noexcept nogil
    int MINICNN_OPENMP
    bint MINICNN_DEBUG
    const char* MINICNN_COMPILER
    const char* MINICNN_RUNTIME


def cpu_level():
    """The highest x86-64 level of this processor, "v2", "v3" or "v4"; "base" elsewhere."""
    cdef int level = minicnn_cpu_level()
    return f"v{level}" if level else "base"


def openmp_version():
    """The date of the OpenMP standard compiled in, as the macro _OPENMP; 0 for a serial build."""
    return MINICNN_OPENMP


def openmp_runtime():
    """The library that runs the threads: "libgomp", "libomp", "vcomp"; "" for a serial build."""
    return MINICNN_RUNTIME.decode("ascii")


def compiler():
    """The C compiler's name and version."""
    return MINICNN_COMPILER.decode("ascii", "replace")


def debug_build():
    """Whether the kernels check every index (built with MINICNN_DEBUG=1)."""
    return MINICNN_DEBUG
