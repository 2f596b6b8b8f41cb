# exp in a form that a compiler can vectorise: no branch, no table, no call.
#
#     exp(x) = 2^n exp(r),   n = round(x / ln 2),   r = x - n ln 2,   |r| <= ln 2 / 2
#
# exp(r) is a polynomial of degree 7 whose coefficients are Cephes' (S. L. Moshier, expf); 2^n is
# made by writing n into the exponent bits. The error is below 2 units in the last place.
# Double precision goes through the C library: it is for proofs, not for speed.

from cython cimport floating
from libc.math cimport exp
from libc.stdint cimport int32_t


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static inline float minicnn_power_of_two(int32_t n) {   /* 2^n for -127 <= n <= 127 */
        uint32_t bits = (uint32_t) (n + 127) << 23;   /* unsigned: NaN makes any n */
        float power;
        memcpy(&power, &bits, sizeof power);
        return power;
    }
    """
    float power_of_two "minicnn_power_of_two" (int32_t n) noexcept nogil


cdef inline floating exp_negative(floating x) noexcept nogil:
    """exp(x) for x <= 0; 0 below -87.3, where single precision ends. NaN stays NaN."""
    cdef float r, n, p, c
    if floating is double:
        return exp(x)
    else:
        c = x
        if c < <float> -87.3:
            c = <float> -87.3
        n = (c * <float> 1.44269504088896341 + <float> 12582912.0) - <float> 12582912.0
        r = c - n * <float> 0.693359375
        r = r + n * <float> 2.12194440e-4
        p = <float> 1.9875691500e-4
        p = p * r + <float> 1.3981999507e-3
        p = p * r + <float> 8.3334519073e-3
        p = p * r + <float> 4.1665795894e-2
        p = p * r + <float> 1.6666665459e-1
        p = p * r + <float> 5.0000001201e-1
        p = p * r * r + r + <float> 1.0
        p = p * power_of_two(<int32_t> n)
        if x < <float> -87.3:
            p = 0
        return p
