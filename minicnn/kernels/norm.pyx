# Batch normalisation, and softmax with cross entropy.
#
# Letters: b picture, c channel, i pixel of a plane of P = H W; n row, k class.
#
# Design. A channel's numbers lie in B planes, P apart from each other by C planes. Statistics go
# twice over them: first for the mean, then for the squares around it, since E[x^2] - E[x]^2
# loses all digits when the mean is large. The first pass sums differences from the channel's
# first number for the same reason. One thread owns a channel, so its sums are taken in one
# order, whatever the number of threads; the second pass finds its planes in the cache.

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport NAN, log
from libc.stdint cimport int64_t

from minicnn.kernels._exp cimport exp_negative
from minicnn.kernels._lanes cimport sum_products, sum_shifted, sum_squares
from minicnn.kernels._threads cimport worth

cdef enum:
    LEAST = 65536       # elements worth a thread


cdef inline void _statistics(const floating* x, Py_ssize_t B, Py_ssize_t step, Py_ssize_t P,
                             floating* mean, floating* var) noexcept nogil:
    """Mean and variance of B planes of P numbers, `step` apart."""
    cdef Py_ssize_t b
    cdef floating first = x[0]
    cdef double total = 0
    for b in range(B):
        total += sum_shifted(x + b * step, P, first)
    mean[0] = <floating> (first + total / (B * P))
    total = 0
    for b in range(B):
        total += sum_squares(x + b * step, P, mean[0])
    var[0] = <floating> (total / (B * P))


def batchnorm2d_statistics(const floating[:, :, :, ::1] x not None, floating[::1] mean not None,
                           floating[::1] var not None, int num_threads):
    """mean[c] and var[c] (divided by N = B H W, not N - 1) of x over b, h and w; NaN for N = 0.

    Writes mean and var.
    """
    cdef Py_ssize_t B = x.shape[0], C = x.shape[1], P = x.shape[2] * x.shape[3], c
    if B * P == 0:
        mean[:] = NAN
        var[:] = NAN
        return
    for c in prange(C, nogil=True, num_threads=worth(B * C * P, LEAST, num_threads)):
        _statistics(&x[0, c, 0, 0], B, C * P, P, &mean[c], &var[c])


cdef inline void _affine(const floating* x, floating scale, floating shift, floating* y,
                         Py_ssize_t P) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(P):
        y[i] = x[i] * scale + shift


def batchnorm2d_normalize(const floating[:, :, :, ::1] x not None,
                          const floating[::1] scale not None, const floating[::1] shift not None,
                          floating[:, :, :, ::1] y not None, int num_threads):
    """y[b, c, i] = x[b, c, i] scale[c] + shift[c]. Writes y.

    With scale = gamma / sqrt(var + eps) and shift = beta - mean scale that is the normalisation.
    """
    cdef Py_ssize_t B = x.shape[0], C = x.shape[1], P = x.shape[2] * x.shape[3], plane
    if B * C * P == 0:
        return
    for plane in prange(B * C, nogil=True, num_threads=worth(B * C * P, LEAST, num_threads)):
        _affine(&x[plane // C, plane % C, 0, 0], scale[plane % C], shift[plane % C],
                &y[plane // C, plane % C, 0, 0], P)


cdef inline void _reduce(const floating* dy, const floating* x, Py_ssize_t B, Py_ssize_t step,
                         Py_ssize_t P, floating mean, floating inv_std, floating* dgamma,
                         floating* dbeta) noexcept nogil:
    cdef Py_ssize_t b
    cdef double products = 0, total = 0
    for b in range(B):
        products += sum_products(dy + b * step, x + b * step, P, mean)
        total += sum_shifted(dy + b * step, P, <floating> 0)
    dgamma[0] = <floating> (products * inv_std)
    dbeta[0] = <floating> total


def batchnorm2d_backward_reduce(const floating[:, :, :, ::1] dy not None,
                                const floating[:, :, :, ::1] x not None,
                                const floating[::1] mean not None,
                                const floating[::1] inv_std not None,
                                floating[::1] dgamma not None, floating[::1] dbeta not None,
                                int num_threads):
    """dbeta[c] = sum dy;  dgamma[c] = sum dy xhat,  xhat = (x - mean[c]) inv_std[c].

    Writes dgamma and dbeta.
    """
    cdef Py_ssize_t B = x.shape[0], C = x.shape[1], P = x.shape[2] * x.shape[3], c
    if B * P == 0:
        dgamma[:] = 0
        dbeta[:] = 0
        return
    for c in prange(C, nogil=True, num_threads=worth(B * C * P, LEAST, num_threads)):
        _reduce(&dy[0, c, 0, 0], &x[0, c, 0, 0], B, C * P, P, mean[c], inv_std[c], &dgamma[c],
                &dbeta[c])


cdef inline void _input(const floating* dy, const floating* x, floating* dx, Py_ssize_t P,
                        Py_ssize_t N, floating gamma, floating mean, floating inv_std,
                        floating dgamma, floating dbeta) noexcept nogil:
    """dx = a (dy - p - q (x - mean)): three numbers a channel, then one line a pixel."""
    cdef Py_ssize_t i
    cdef floating a = gamma * inv_std, p = dbeta / N, q = inv_std * dgamma / N
    for i in range(P):
        dx[i] = a * (dy[i] - p - q * (x[i] - mean))


def batchnorm2d_backward_input(const floating[:, :, :, ::1] dy not None,
                               const floating[:, :, :, ::1] x not None,
                               const floating[::1] gamma not None,
                               const floating[::1] mean not None,
                               const floating[::1] inv_std not None,
                               const floating[::1] dgamma not None,
                               const floating[::1] dbeta not None,
                               floating[:, :, :, ::1] dx not None, int num_threads):
    """dx = gamma inv_std (dy - dbeta / N - xhat dgamma / N),  N = B H W. Writes dx."""
    cdef Py_ssize_t B = x.shape[0], C = x.shape[1], P = x.shape[2] * x.shape[3], plane, c
    if B * C * P == 0:
        return
    for plane in prange(B * C, nogil=True, num_threads=worth(B * C * P, LEAST, num_threads)):
        c = plane % C
        _input(&dy[plane // C, c, 0, 0], &x[plane // C, c, 0, 0], &dx[plane // C, c, 0, 0], P,
               B * P, gamma[c], mean[c], inv_std[c], dgamma[c], dbeta[c])


cdef inline double _row(const floating* z, floating* dz, Py_ssize_t K, int64_t label,
                        double smoothing, floating share) noexcept nogil:
    """One sample: its loss, and in dz its gradient divided by the batch size (`share` = 1/N)."""
    cdef Py_ssize_t k
    cdef floating top = z[0], scale, even = <floating> (smoothing / K * share)
    cdef double total = 0, loss
    cdef bint bad = False
    for k in range(K):
        if z[k] > top:
            top = z[k]
        bad |= z[k] != z[k]
    if bad:
        for k in range(K):
            dz[k] = <floating> NAN
        return NAN
    for k in range(K):
        dz[k] = exp_negative(z[k] - top)
    for k in range(K):
        total += dz[k]
    loss = log(total)
    if smoothing < 1:
        loss -= (1 - smoothing) * (z[label] - top)
    if smoothing > 0:
        for k in range(K):
            loss -= smoothing / K * (z[k] - top)
    scale = <floating> (share / total)
    for k in range(K):
        dz[k] = dz[k] * scale - even
    dz[label] -= <floating> (1 - smoothing) * share
    return loss


def softmax_cross_entropy(const floating[:, ::1] logits not None,
                          const int64_t[::1] labels not None,
                          floating[:, ::1] dlogits not None, double label_smoothing):
    """Mean over n of log sum_k exp z[n, k] - sum_k t[n, k] z[n, k], and its gradient.

    t is 1 - e + e / K for the label's class and e / K for the others, e the smoothing. The largest
    logit of a row is subtracted before anything else, so no exponential overflows and the
    logarithm never sees a zero. Writes dlogits = (softmax(z) - t) / N; returns the loss, 0 for an
    empty batch.
    """
    cdef Py_ssize_t N = logits.shape[0], K = logits.shape[1], n
    cdef double total = 0
    if N == 0:
        return 0.0
    with nogil:
        for n in range(N):
            total += _row(&logits[n, 0], &dlogits[n, 0], K, labels[n], label_smoothing,
                          <floating> (1.0 / N))
    return total / N
