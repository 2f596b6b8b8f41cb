"""The kernels in plain NumPy: the text to read, and the oracle for testing the compiled ones.

Every function has the name and the arguments of its compiled twin. What is written is preallocated
and filled in place; ``num_threads`` is taken and ignored. Letters: b picture, c channel, (h, w)
pixel of the input, (i, j) pixel of the output, (u, v) place in the window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ._program import Place, Program, Step

Array = npt.NDArray[Any]
Pair = tuple[int, int]


def _taps(
    kernel: Pair, stride: Pair, dilation: Pair, out_size: Pair
) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    """For each place (u, v) of the window: the pixels (i·s + u·d, j·s + v·d) of a padded plane."""
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            h, w = u * dilation[0], v * dilation[1]
            rows = slice(h, h + (out_size[0] - 1) * stride[0] + 1, stride[0])
            columns = slice(w, w + (out_size[1] - 1) * stride[1] + 1, stride[1])
            yield u, v, (rows, columns)


def _padded(x: Array, padding: Pair, far: Pair, value: float) -> Array:
    """x with ``padding`` rows and columns of ``value`` before it and at least ``far`` in all."""
    B, C, H, W = x.shape
    height, width = max(far[0], H + 2 * padding[0]), max(far[1], W + 2 * padding[1])
    full = np.full((B, C, height, width), value, x.dtype)
    full[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W] = x
    return full


def _reach(kernel: Pair, stride: Pair, dilation: Pair, out: Pair) -> Pair:
    """How far the windows reach on the padded plane."""
    rows, columns = (
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip(out, stride, dilation, kernel, strict=True)
    )
    return rows, columns


# --- convolution ------------------------------------------------------------------------------


def conv2d_suits_winograd(
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    y_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> bool:
    """Never: here every sum is taken directly, whatever ``winograd`` allows."""
    return False


def conv2d_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    y: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    winograd: bool,
    relu: bool,
    num_threads: int,
) -> None:
    """y[b,o,i,j] = bias[o] + Σ_{c,u,v} weight[o,c,u,v] · x[b, c, i·s − p + u·d, j·s − p + v·d].

    With ``relu``, what of it is negative becomes 0.
    """
    kernel, out = weight.shape[2:], y.shape[2:]
    xp = _padded(x, padding, _reach(kernel, stride, dilation, out), 0)
    IC, OC = weight.shape[1], weight.shape[0] // groups
    y[...] = 0 if bias is None else bias[:, np.newaxis, np.newaxis]
    for g in range(groups):
        ins, outs = slice(g * IC, (g + 1) * IC), slice(g * OC, (g + 1) * OC)
        for u, v, (rows, columns) in _taps(kernel, stride, dilation, out):
            y[:, outs] += np.einsum(
                "oc,bcij->boij", weight[outs, :, u, v], xp[:, ins, rows, columns]
            )
    if relu:
        np.maximum(y, 0, out=y)


def conv2d_backward_input(
    dy: Array,
    weight: Array,
    dx: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    winograd: bool,
    num_threads: int,
) -> None:
    """dx[b,c,h,w] = Σ dy[b,o,i,j] · weight[o,c,u,v], over all (o,u,v,i,j) that read pixel (h,w)."""
    kernel, out = weight.shape[2:], dy.shape[2:]
    H, W = dx.shape[2:]
    dxp = _padded(np.zeros_like(dx), padding, _reach(kernel, stride, dilation, out), 0)
    IC, OC = weight.shape[1], weight.shape[0] // groups
    for g in range(groups):
        ins, outs = slice(g * IC, (g + 1) * IC), slice(g * OC, (g + 1) * OC)
        for u, v, (rows, columns) in _taps(kernel, stride, dilation, out):
            dxp[:, ins, rows, columns] += np.einsum(
                "oc,boij->bcij", weight[outs, :, u, v], dy[:, outs]
            )
    dx[...] = dxp[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W]


def conv2d_backward_weight(
    x: Array,
    dy: Array,
    dweight: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    winograd: bool,
    accumulate: bool,
    num_threads: int,
) -> None:
    """dweight[o,c,u,v] (+)= Σ_{b,i,j} dy[b,o,i,j] · x[b, c, i·s − p + u·d, j·s − p + v·d]."""
    kernel, out = dweight.shape[2:], dy.shape[2:]
    xp = _padded(x, padding, _reach(kernel, stride, dilation, out), 0)
    IC, OC = dweight.shape[1], dweight.shape[0] // groups
    if not accumulate:
        dweight[...] = 0
    for g in range(groups):
        ins, outs = slice(g * IC, (g + 1) * IC), slice(g * OC, (g + 1) * OC)
        for u, v, (rows, columns) in _taps(kernel, stride, dilation, out):
            dweight[outs, :, u, v] += np.einsum(
                "boij,bcij->oc", dy[:, outs], xp[:, ins, rows, columns]
            )


def conv2d_backward_bias(dy: Array, dbias: Array, accumulate: bool, num_threads: int) -> None:
    """dbias[o] (+)= Σ_{b,i,j} dy[b,o,i,j]."""
    total = dy.sum(axis=(0, 2, 3), dtype=np.float64)
    dbias[...] = dbias + total if accumulate else total


def matmul(
    a: Array,
    b: Array,
    out: Array,
    transpose_a: bool,
    transpose_b: bool,
    accumulate: bool,
    num_threads: int,
) -> None:
    """out (+)= op(a) @ op(b), where op transposes or not; all 2-D."""
    product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    out[...] = out + product if accumulate else product


# --- pooling ----------------------------------------------------------------------------------


def maxpool2d_forward(
    x: Array,
    y: Array,
    mask: npt.NDArray[np.int32] | None,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    num_threads: int,
) -> None:
    """y[b,c,i,j] = the largest x of window (i,j); mask its place h·W + w in the plane.

    Padding is −∞. The first of equal values wins in row-major order; NaN wins over
    numbers, the last one if there are several, as in PyTorch. A window that dilation puts into the
    padding altogether has no winner: −∞, place −1.
    """
    H, W = x.shape[2:]
    out = y.shape[2:]
    reach = _reach(kernel, stride, dilation, out)
    xp = _padded(x, padding, reach, -np.inf)
    places = np.full((1, 1, H, W), -1, np.int64)
    places[0, 0] = np.arange(H * W).reshape(H, W)
    index = _padded(places, padding, reach, -1)
    best = np.full(y.shape, -np.inf, x.dtype)
    winner = np.full(y.shape, -1, np.int64)
    for _, _, (rows, columns) in _taps(kernel, stride, dilation, out):
        value, place = xp[:, :, rows, columns], index[:, :, rows, columns]
        # a place of −1 is padding; the first real pixel is taken even if it is −∞ itself
        better = (place >= 0) & ((winner < 0) | (value > best))
        better |= np.isnan(value)
        best = np.where(better, value, best)
        winner = np.where(better, place, winner)
    y[...] = best
    if mask is not None:
        mask[...] = winner


def maxpool2d_backward(
    dy: Array, y: Array | None, mask: npt.NDArray[np.int32], dx: Array, num_threads: int
) -> None:
    """dx[b,c,n] = Σ of dy[b,c,i,j] over the windows (i,j) with mask[b,c,i,j] = n.

    With y, the maxima: back through a ReLU before the pooling too, so that those of 0 or less get
    no gradient.
    """
    if y is not None:
        dy = np.where(y <= 0, 0, dy)
    B, C, H, W = dx.shape
    flat = np.zeros((B, C, H * W), dx.dtype)
    b, c = np.indices((B, C))[..., np.newaxis, np.newaxis]
    winner = mask >= 0
    np.add.at(flat, (b, c, np.where(winner, mask, 0)), np.where(winner, dy, 0))
    dx[...] = flat.reshape(dx.shape)


def _window_sizes(
    in_size: Pair, out: Pair, kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> Array:
    """OH×OW: how many pixels the mean of each window is over."""
    sizes: list[Array] = []
    for n, count, k, s, p in zip(in_size, out, kernel, stride, padding, strict=True):
        start = np.arange(count) * s - p
        low, high = (-p, n + p) if count_include_pad else (0, n)
        sizes.append(np.minimum(start + k, high) - np.maximum(start, low))
    return sizes[0][:, np.newaxis] * sizes[1]


def avgpool2d_forward(
    x: Array,
    y: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: bool,
    num_threads: int,
) -> None:
    """y[b,c,i,j] = mean of x over window (i,j); the padding counts as zeros, or not at all."""
    out = y.shape[2:]
    xp = _padded(x, padding, _reach(kernel, stride, (1, 1), out), 0)
    y[...] = 0
    for _, _, (rows, columns) in _taps(kernel, stride, (1, 1), out):
        y += xp[:, :, rows, columns]
    y /= _window_sizes(x.shape[2:], out, kernel, stride, padding, count_include_pad)


def avgpool2d_backward(
    dy: Array,
    dx: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: bool,
    num_threads: int,
) -> None:
    """dx[b,c,n] = Σ over the windows that hold pixel n of dy[b,c,i,j] / their size."""
    H, W = dx.shape[2:]
    out = dy.shape[2:]
    dxp = _padded(np.zeros_like(dx), padding, _reach(kernel, stride, (1, 1), out), 0)
    share = dy / _window_sizes((H, W), out, kernel, stride, padding, count_include_pad)
    for _, _, (rows, columns) in _taps(kernel, stride, (1, 1), out):
        dxp[:, :, rows, columns] += share
    dx[...] = dxp[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W]


def global_avgpool2d_forward(x: Array, y: Array, num_threads: int) -> None:
    """y[b,c,0,0] = mean of x[b,c]."""
    y[...] = x.mean(axis=(2, 3), keepdims=True, dtype=np.float64)


def global_avgpool2d_backward(dy: Array, dx: Array, num_threads: int) -> None:
    """dx[b,c,h,w] = dy[b,c,0,0] / (H·W)."""
    dx[...] = dy / (dx.shape[2] * dx.shape[3])


# --- element by element -----------------------------------------------------------------------


def relu_forward(x: Array, y: Array, num_threads: int) -> None:
    """y = max(x, 0); NaN stays."""
    np.maximum(x, 0, out=y)


def relu_backward(dy: Array, y: Array, dx: Array, num_threads: int) -> None:
    """dx = 0 where y ≤ 0, else dy."""
    dx[...] = np.where(y <= 0, 0, dy)


def leaky_relu_forward(x: Array, y: Array, negative_slope: float, num_threads: int) -> None:
    """y = x where x > 0, else slope · x."""
    y[...] = np.where(x > 0, x, x * x.dtype.type(negative_slope))


def leaky_relu_backward(
    dy: Array, x: Array, dx: Array, negative_slope: float, num_threads: int
) -> None:
    """dx = dy where x > 0, else slope · dy."""
    dx[...] = np.where(x > 0, dy, dy * x.dtype.type(negative_slope))


def sigmoid_forward(x: Array, y: Array, num_threads: int) -> None:
    """y = 1 / (1 + exp(−x)), by way of exp(−|x|), which cannot overflow."""
    e = np.exp(-np.abs(x))
    y[...] = np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_backward(dy: Array, y: Array, dx: Array, num_threads: int) -> None:
    """dx = dy · y · (1 − y)."""
    dx[...] = dy * (y * (1 - y))


def tanh_forward(x: Array, y: Array, num_threads: int) -> None:
    """y = tanh x."""
    np.tanh(x, out=y)


def tanh_backward(dy: Array, y: Array, dx: Array, num_threads: int) -> None:
    """dx = dy · (1 − y²)."""
    dx[...] = dy * (1 - y * y)


# --- normalisation ----------------------------------------------------------------------------


def batchnorm2d_statistics(x: Array, mean: Array, var: Array, num_threads: int) -> None:
    """mean[c] and var[c] (divided by N, not N − 1) of x over b, h and w; NaN for an empty batch."""
    if not x.size:
        mean[...] = var[...] = np.nan
        return
    exact = x.astype(np.float64)
    mean[...] = exact.mean(axis=(0, 2, 3))
    var[...] = exact.var(axis=(0, 2, 3))


def batchnorm2d_normalize(
    x: Array, scale: Array, shift: Array, y: Array, relu: bool, num_threads: int
) -> None:
    """y[b,c,h,w] = x[b,c,h,w] · scale[c] + shift[c]; with ``relu`` the ReLU of that."""
    y[...] = x * scale[:, np.newaxis, np.newaxis] + shift[:, np.newaxis, np.newaxis]
    if relu:
        relu_forward(y, y, num_threads)


def batchnorm2d_backward_reduce(
    dy: Array,
    x: Array,
    scale: Array,
    shift: Array,
    mean: Array,
    inv_std: Array,
    dgamma: Array,
    dbeta: Array,
    relu: bool,
    num_threads: int,
) -> None:
    """dbeta[c] = Σ dy; dgamma[c] = Σ dy · x̂ with x̂ = (x − mean) · inv_std.

    With ``relu``, over those pixels alone that the ReLU behind let through: x · scale + shift > 0.
    """
    dy = _through_relu(dy, x, scale, shift) if relu else dy
    centred = x.astype(np.float64) - mean[:, np.newaxis, np.newaxis]
    dbeta[...] = dy.sum(axis=(0, 2, 3), dtype=np.float64)
    dgamma[...] = (dy * centred).sum(axis=(0, 2, 3)) * inv_std


def batchnorm2d_backward_input(
    dy: Array,
    x: Array,
    scale: Array,
    shift: Array,
    mean: Array,
    inv_std: Array,
    dgamma: Array,
    dbeta: Array,
    dx: Array,
    relu: bool,
    num_threads: int,
) -> None:
    """dx = scale · (dy − dbeta/N − x̂ · dgamma/N), scale = gamma · inv_std, N = B·H·W."""
    dy = _through_relu(dy, x, scale, shift) if relu else dy
    N = max(x.size // len(mean), 1)
    mu, r, g, dg, db = (a[:, np.newaxis, np.newaxis] for a in (mean, inv_std, scale, dgamma, dbeta))
    dx[...] = g * (dy - db / N - (x - mu) * r * (dg / N))


def _through_relu(dy: Array, x: Array, scale: Array, shift: Array) -> Array:
    """The gradient before a ReLU of x · scale + shift."""
    y = np.empty_like(x)
    batchnorm2d_normalize(x, scale, shift, y, False, 1)
    return np.where(y <= 0, 0, dy)


def softmax_cross_entropy(
    logits: Array, labels: npt.NDArray[np.int64], dlogits: Array, label_smoothing: float
) -> float:
    """Mean over n of log Σ_k exp z[n,k] − Σ_k t[n,k] · z[n,k], and its gradient (softmax − t)/N.

    t is 1 − ε + ε/K for the label's class and ε/K for the others, ε the smoothing. An empty batch
    has loss 0.
    """
    N, K = logits.shape
    if N == 0:
        return 0.0
    z = logits.astype(np.float64)
    top = z.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        shifted = z - top
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    target = np.full((N, K), label_smoothing / K)
    target[np.arange(N), labels] += 1 - label_smoothing
    dlogits[...] = (e / total - target) / N
    with np.errstate(invalid="ignore"):
        terms = np.where(target == 0, 0.0, target * (np.log(total) - shifted))
    return float(np.where(np.isnan(total[:, 0]), np.nan, terms.sum(axis=1)).mean())


# --- optimizers -------------------------------------------------------------------------------


def sgd_update(
    theta: Array,
    g: Array,
    v: Array | None,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
    num_threads: int,
) -> None:
    """g′ = g + λ·θ; v ← μ·v + g′; θ ← θ − η·v, or with Nesterov's look ahead η·(g′ + μ·v)."""
    with np.errstate(all="ignore"):  # what is not finite shows in the loss, not in warnings
        slope = g + weight_decay * theta if weight_decay else g
        if v is not None:
            v[...] = momentum * v + slope
            slope = slope + momentum * v if nesterov else v
        theta -= lr * slope


def adam_update(
    theta: Array,
    g: Array,
    m: Array,
    v: Array,
    lr: float,
    beta_1: float,
    beta_2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: int,
    num_threads: int,
) -> None:
    """g′ = g + λ·θ; m ← m + (1 − β₁)(g′ − m); v ← β₂·v + (1 − β₂)·g′²; θ ← θ − η·m̂/(√v̂ + ε).

    With ``decoupled`` g′ = g, and θ first loses η·λ·θ.
    """
    with np.errstate(all="ignore"):
        if decoupled:
            theta *= 1 - lr * weight_decay
        elif weight_decay:
            g = g + weight_decay * theta
        m += (1 - beta_1) * (g - m)
        v[...] = beta_2 * v + (1 - beta_2) * (g * g)
        root = np.sqrt(v) / math.sqrt(1 - beta_2**step)
        theta -= lr / (1 - beta_1**step) * (m / (root + eps))


def sum_of_squares(g: Array, num_threads: int) -> float:
    """Σ g², in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.square(g, dtype=np.float64).sum())


# --- pictures moved and turned ----------------------------------------------------------------


def windows(
    x: Array,
    tops: npt.NDArray[np.int64],
    lefts: npt.NDArray[np.int64],
    fill: float,
    y: Array,
    num_threads: int,
) -> None:
    """y[b,c,i,j] = x[b, c, tops[b] + i, lefts[b] + j], or ``fill`` where x has no such pixel."""
    (H, W), (OH, OW) = x.shape[2:], y.shape[2:]
    y[...] = fill
    for b, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
        first_row, first_column = max(top, 0), max(left, 0)
        last_row, last_column = min(top + OH, H), min(left + OW, W)
        if first_row < last_row and first_column < last_column:
            y[b, :, first_row - top : last_row - top, first_column - left : last_column - left] = x[
                b, :, first_row:last_row, first_column:last_column
            ]


def rotate(x: Array, cosines: Array, sines: Array, fill: float, y: Array, num_threads: int) -> None:
    """y[b,c,i,j] = x[b,c] at (i cos + j sin, j cos − i sin) from the centre, by four neighbours."""
    B, C, H, W = x.shape
    sine, cosine = sines[:, np.newaxis, np.newaxis], cosines[:, np.newaxis, np.newaxis]
    i = (np.arange(H) - (H - 1) / 2)[np.newaxis, :, np.newaxis]
    j = (np.arange(W) - (W - 1) / 2)[np.newaxis, np.newaxis, :]
    # One pixel of fill all around stands for everything outside; +1 counts it in.
    rows = np.clip(i * cosine + j * sine + ((H - 1) / 2 + 1), 0, H + 1)
    columns = np.clip(j * cosine - i * sine + ((W - 1) / 2 + 1), 0, W + 1)
    top, left = (np.minimum(v.astype(np.intp), n) for v, n in ((rows, H), (columns, W)))
    down, right = (rows - top).astype(x.dtype), (columns - left).astype(x.dtype)
    padded = np.full((B, C, H + 2, W + 2), fill, dtype=x.dtype)
    padded[:, :, 1:-1, 1:-1] = x
    flat = padded.reshape(-1)
    planes = np.arange(B * C).reshape(B, C, 1, 1) * ((H + 2) * (W + 2))
    corner = planes + (top * (W + 2) + left)[:, np.newaxis]
    down, right = down[:, np.newaxis], right[:, np.newaxis]
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    corner += W + 2
    lower = flat[corner] * (1 - right) + flat[corner + 1] * right
    y[...] = upper * (1 - down) + lower * down


# --- a whole net ------------------------------------------------------------------------------


def plan_prepare(program: Program, winograd: bool) -> Program:
    """What `plan_run` runs: here the program itself; the compiled twin packs its weights."""
    return program


def plan_algorithms(plan: Program) -> list[str]:
    """How each step is done: "direct" or "winograd"; "" where there is no choice."""
    return ["direct" if step.kind == "conv" else "" for step in plan.steps]


def plan_run(plan: Program, x: Array, y: Array, num_threads: int) -> None:
    """Write y (B × outputs), what the steps of the plan make of x (B × C·H·W)."""
    B = len(x)
    arenas = {"input": x, "output": y}
    for arena, numbers in (("chunk", plan.chunk), ("batch", plan.batch)):
        arenas[arena] = np.full(B * numbers, np.nan, np.float32)

    def at(place: Place, shape: tuple[int, int, int]) -> Array:
        """The numbers of a place, a row for each picture."""
        rows = arenas[place.arena]
        if rows.ndim == 1:
            rows = rows[place.offset * B : (place.offset + place.size) * B].reshape(B, place.size)
        return rows[:, place.inner : place.inner + math.prod(shape)]

    for step in plan.steps:
        sources = [step.source] if step.other is None else [step.source, step.other]
        given = [at(place, step.in_shape).reshape(B, *step.in_shape) for place in sources]
        result = _step(step, *given).reshape(B, math.prod(step.out_shape))
        at(step.target, step.out_shape)[...] = result


def _step(step: Step, x: Array, other: Array | None = None) -> Array:
    """What one step makes of x, B×C×H×W."""
    B, windows = len(x), (step.kernel, step.stride, step.padding)
    y = np.empty((B, *step.out_shape), np.float32)
    if step.kind == "conv":
        y = np.empty((B, *step.convolved), np.float32)
        window = *windows[1:], step.dilation, step.groups
        conv2d_forward(x, step.weight, step.bias, y, *window, False, False, 1)
    elif step.kind == "linear":
        y[...] = (x.reshape(B, -1) @ step.weight.T + step.bias).reshape(y.shape)
    elif step.kind == "maxpool":
        maxpool2d_forward(x, y, None, *windows, step.dilation, 1)
    elif step.kind == "avgpool":
        avgpool2d_forward(x, y, *windows, step.count_include_pad, 1)
    elif step.kind == "scale":
        batchnorm2d_normalize(x, step.weight, step.bias, y, False, 1)
    elif step.kind == "function":
        slope = (step.slope,) if step.function == "leaky_relu" else ()
        FUNCTIONS[step.function](x.reshape(-1), y.reshape(-1), *slope, 1)
    else:
        y[...] = x if other is None else x + other
    if step.pooled:
        convolved, y = y, np.empty((B, *step.out_shape), np.float32)
        maxpool2d_forward(convolved, y, None, (2, 2), (2, 2), (0, 0), (1, 1), 1)
    if step.relu:
        relu_forward(y, y, 1)
    return y


FUNCTIONS: dict[str, Any] = {
    "relu": relu_forward,
    "leaky_relu": leaky_relu_forward,
    "sigmoid": sigmoid_forward,
    "tanh": tanh_forward,
}
