# Batch normalisation, and softmax with cross entropy.
#
# Letters: b picture, c channel, i pixel of a plane of P = H W; n row, k class.
#
# Design. Planes are read once, in the order of memory, and threads share them out. Each leaves two
# sums in a table, which are then added up channel by channel in the order of the pictures: the
# results are the same bits whatever the number of threads.
#
#     planes   | b=0: c0 c1 c2 ... | b=1: c0 c1 c2 ... |      c0: part[0, 0] + part[1, 0] + ...
#     table    |      part[0, c]   |      part[1, c]   |
#
# E[x^2] - E[x]^2 would lose all digits where the mean is large. So sums are taken of d = x - m,
# where m is the mean of a SAMPLE of the plane, an eighth of it or more, and
#
#     squares = sum d^2 - (sum d)^2 / P
#
# Where m is far from the plane's mean, so are the sample's own numbers: they alone make squares an
# eighth of what is subtracted, or more. (Chan, Golub and LeVeque, "Algorithms for computing the
# sample variance", 1983, on shifted data.) Planes with means mu_b make a channel with
#
#     mean = sum mu_b / B         squares = sum squares_b + P sum (mu_b - mean)^2

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport INFINITY, NAN, log
from libc.stdint cimport int64_t

from minicnn.kernels._exp cimport exp_negative
from minicnn.kernels._lanes cimport (
    LANES, add_moments, add_products, passed, sum_shifted,
)
from minicnn.kernels._scratch cimport borrow, give_back
from minicnn.kernels._threads cimport worth

cdef enum:
    LEAST = 65536       # elements worth a thread
    SAMPLE = 256        # numbers of a plane whose mean is taken beforehand, or more


cdef inline void _plane_moments(const floating* x, Py_ssize_t P, double* mean,
                                double* squares) noexcept nogil:
    """The mean of a plane, and the sum of the squares around it."""
    cdef Py_ssize_t sample = P // 8 if P // 8 > SAMPLE else SAMPLE
    cdef double s = 0, t = 0
    cdef floating m
    if sample > P:
        sample = P
    m = <floating> (x[0] + sum_shifted(x, sample, x[0]) / sample)
    add_moments(x, P, m, &s, &t)
    mean[0] = m + s / P
    squares[0] = t - s * s / P


cdef inline void _join_planes(const double* part, Py_ssize_t B, Py_ssize_t C, Py_ssize_t P,
                              floating* mean, floating* var) noexcept nogil:
    """Mean and variance of the channel whose first plane has its sums at `part`."""
    cdef double mu = 0, squares = 0, d
    cdef Py_ssize_t b
    for b in range(B):
        mu += part[2 * b * C]
    mu /= B
    for b in range(B):
        d = part[2 * b * C] - mu
        squares += part[2 * b * C + 1] + P * d * d
    mean[0] = <floating> mu
    var[0] = <floating> (squares / (B * P))


def batchnorm2d_statistics(const floating[:, :, :, ::1] x not None, floating[::1] mean not None,
                           floating[::1] var not None, int num_threads):
    """mean[c] and var[c] (divided by N = B H W, not N - 1) of x over b, h and w; NaN for N = 0.

    Writes mean and var.
    """
    cdef Py_ssize_t B = x.shape[0], C = x.shape[1], P = x.shape[2] * x.shape[3], plane, c
    cdef double* part
    if B * P == 0:
        mean[:] = NAN
        var[:] = NAN
        return
    part = <double*> borrow(2 * B * C * sizeof(double))
    if part == NULL:
        raise MemoryError("batchnorm2d_statistics: no memory for scratch")
    with nogil:
        for plane in prange(B * C, num_threads=worth(B * C * P, LEAST, num_threads)):
            _plane_moments(&x[plane // C, plane % C, 0, 0], P, part + 2 * plane,
                           part + 2 * plane + 1)
        for c in range(C):
            _join_planes(part + 2 * c, B, C, P, &mean[c], &var[c])
    give_back(part)


cdef inline void _affine(const floating* x, floating scale, floating shift, floating floor,
                         floating* y, Py_ssize_t P) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating v
    for i in range(P):
        v = x[i] * scale + shift
        y[i] = floor if floor > v else v


def batchnorm2d_normalize(const floating[:, :, :, ::1] x not None,
                          const floating[::1] scale not None, const floating[::1] shift not None,
                          floating[:, :, :, ::1] y not None, bint relu, int num_threads):
    """y[b, c, i] = x[b, c, i] scale[c] + shift[c], or where relu is true the ReLU of that.

    With scale = gamma / sqrt(var + eps) and shift = beta - mean scale that is the normalisation.
    Writes y.
    """
    cdef Py_ssize_t B = x.shape[0], C = x.shape[1], P = x.shape[2] * x.shape[3], plane
    cdef floating floor = 0 if relu else -INFINITY
    if B * C * P == 0:
        return
    for plane in prange(B * C, nogil=True, num_threads=worth(B * C * P, LEAST, num_threads)):
        _affine(&x[plane // C, plane % C, 0, 0], scale[plane % C], shift[plane % C], floor,
                &y[plane // C, plane % C, 0, 0], P)


def batchnorm2d_backward_reduce(const floating[:, :, :, ::1] dy not None,
                                const floating[:, :, :, ::1] x not None,
                                const floating[::1] scale not None,
                                const floating[::1] shift not None,
                                const floating[::1] mean not None,
                                const floating[::1] inv_std not None,
                                floating[::1] dgamma not None, floating[::1] dbeta not None,
                                bint relu, int num_threads):
    """dbeta[c] = sum dy;  dgamma[c] = sum dy xhat,  xhat = (x - mean[c]) inv_std[c].

    Where relu is true, over those pixels alone which the ReLU behind let through, the ones with
    x scale[c] + shift[c] > 0. Writes dgamma and dbeta.
    """
    cdef Py_ssize_t B = x.shape[0], C = x.shape[1], P = x.shape[2] * x.shape[3], plane, b, c
    cdef double products, total
    cdef double* part
    if B * P == 0:
        dgamma[:] = 0
        dbeta[:] = 0
        return
    part = <double*> borrow(2 * B * C * sizeof(double))
    if part == NULL:
        raise MemoryError("batchnorm2d_backward_reduce: no memory for scratch")
    with nogil:
        for plane in prange(B * C, num_threads=worth(B * C * P, LEAST, num_threads)):
            c = plane % C
            _plane_products(&dy[plane // C, c, 0, 0], &x[plane // C, c, 0, 0], P, scale[c],
                            shift[c], mean[c], relu, part + 2 * plane)
        for c in range(C):
            products = total = 0
            for b in range(B):
                products = products + part[2 * (b * C + c)]
                total = total + part[2 * (b * C + c) + 1]
            dgamma[c] = <floating> (products * inv_std[c])
            dbeta[c] = <floating> total
    give_back(part)


cdef inline void _plane_products(const floating* dy, const floating* x, Py_ssize_t P,
                                 floating scale, floating shift, floating mean, bint relu,
                                 double* part) noexcept nogil:
    """part[0] = sum dy (x - mean);  part[1] = sum dy."""
    part[0] = part[1] = 0
    if relu:
        add_products(dy, x, P, scale, shift, mean, True, part, part + 1)
    else:
        add_products(dy, x, P, scale, shift, mean, False, part, part + 1)


cdef inline void _input(const floating* dy, const floating* x, floating* dx, Py_ssize_t P,
                        Py_ssize_t N, floating scale, floating shift, floating mean,
                        floating inv_std, floating dgamma, floating dbeta,
                        const bint relu) noexcept nogil:
    """dx = a (dy - p - q (x - mean)): three numbers a channel, then one line a pixel."""
    cdef Py_ssize_t i
    cdef floating p = dbeta / N, q = inv_std * dgamma / N
    for i in range(P):
        dx[i] = scale * (passed(dy[i], x[i], scale, shift, relu) - p - q * (x[i] - mean))


def batchnorm2d_backward_input(const floating[:, :, :, ::1] dy not None,
                               const floating[:, :, :, ::1] x not None,
                               const floating[::1] scale not None,
                               const floating[::1] shift not None,
                               const floating[::1] mean not None,
                               const floating[::1] inv_std not None,
                               const floating[::1] dgamma not None,
                               const floating[::1] dbeta not None,
                               floating[:, :, :, ::1] dx not None, bint relu, int num_threads):
    """dx = scale (dy - dbeta / N - xhat dgamma / N),  scale = gamma inv_std,  N = B H W.

    With relu as above. Writes dx.
    """
    cdef Py_ssize_t B = x.shape[0], C = x.shape[1], P = x.shape[2] * x.shape[3], plane, c
    if B * C * P == 0:
        return
    for plane in prange(B * C, nogil=True, num_threads=worth(B * C * P, LEAST, num_threads)):
        c = plane % C
        if relu:
            _input(&dy[plane // C, c, 0, 0], &x[plane // C, c, 0, 0], &dx[plane // C, c, 0, 0], P,
                   B * P, scale[c], shift[c], mean[c], inv_std[c], dgamma[c], dbeta[c], True)
        else:
            _input(&dy[plane // C, c, 0, 0], &x[plane // C, c, 0, 0], &dx[plane // C, c, 0, 0], P,
                   B * P, scale[c], shift[c], mean[c], inv_std[c], dgamma[c], dbeta[c], False)


cdef inline floating _largest(const floating* z, Py_ssize_t K) noexcept nogil:
    """The largest of K numbers, each lane by itself first. A NaN counts only in front."""
    cdef floating lane[LANES]
    cdef floating top = z[0]
    cdef Py_ssize_t k, l
    for l in range(LANES):
        lane[l] = top
    for k in range(K // LANES):
        for l in range(LANES):
            lane[l] = z[k * LANES + l] if z[k * LANES + l] > lane[l] else lane[l]
    for l in range(LANES):
        top = lane[l] if lane[l] > top else top
    for k in range(K // LANES * LANES, K):
        top = z[k] if z[k] > top else top
    return top


cdef inline double _row(const floating* z, floating* dz, Py_ssize_t K, int64_t label,
                        double smoothing, floating share) noexcept nogil:
    """One sample: its loss, and in dz its gradient divided by the batch size (`share` = 1/N).

    A NaN anywhere makes the total NaN, and by it all that is written.
    """
    cdef Py_ssize_t k
    cdef floating top = _largest(z, K), scale, even = <floating> (smoothing / K * share)
    cdef double total, loss
    for k in range(K):
        dz[k] = exp_negative(z[k] - top)
    total = sum_shifted(<const floating*> dz, K, <floating> 0)
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
