"""Single operators beside PyTorch's: pooling, ReLU, BatchNorm, cross entropy, convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minicnn import kernels

from .nets import NETS
from .peers import same
from .timing import Side

SHAPE = (64, 32, 32, 32)


class Case(NamedTuple):
    """An operator: minicnn's side, PyTorch's, and the ratio that is asked for."""

    name: str
    mine: Side
    theirs: Side
    at_least: float
    stretch: float | None


def cases(threads: int, torch: Any) -> Iterator[Case]:
    """All operators; both sides of each have been seen to agree."""
    yield from pooling(threads, torch)
    yield from elementwise(threads, torch)
    yield from batch_norm(threads, torch)
    yield from cross_entropy(torch)
    yield from convolutions(threads, torch)


def numbers(*shape: int) -> Any:
    """The same random numbers every time."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def pooling(threads: int, torch: Any) -> Iterator[Case]:
    """Maximum pooling with its mask, forward and backward."""
    engine, aten = kernels.engine, torch.ops.aten
    x = numbers(*SHAPE)
    tx = torch.from_numpy(x)
    for k, s, at_least, stretch in ((2, 2, 15, 30), (3, 2, 5, 15)):
        ty, tmask = aten.max_pool2d_with_indices(tx, [k, k], [s, s])
        y, mask = np.empty(ty.shape, np.float32), np.empty(ty.shape, np.int32)
        args = (k, k), (s, s), (0, 0), (1, 1), threads
        dy, dx = numbers(*y.shape), np.empty_like(x)
        tdy = torch.from_numpy(dy)

        def forward(y: Any = y, mask: Any = mask, args: Any = args) -> None:
            engine.maxpool2d_forward(x, y, mask, *args)

        def forward_theirs(k: int = k, s: int = s) -> Any:
            return aten.max_pool2d_with_indices(tx, [k, k], [s, s])

        def backward(dy: Any = dy, mask: Any = mask, dx: Any = dx) -> None:
            engine.maxpool2d_backward(dy, mask, dx, threads)

        def backward_theirs(k: int = k, s: int = s, tdy: Any = tdy, tmask: Any = tmask) -> Any:
            return aten.max_pool2d_with_indices_backward(
                tdy, tx, [k, k], [s, s], [0, 0], [1, 1], False, tmask
            )

        forward()
        backward()
        same(mask, tmask.numpy(), "pooling mask")
        same(dx, backward_theirs().numpy(), "pooling gradient")
        name = f"MaxPool2D {k}×{k} s{s}"
        yield Case(f"{name} forward", forward, forward_theirs, at_least, stretch)
        yield Case(f"{name} backward", backward, backward_theirs, 1, 2)


def elementwise(threads: int, torch: Any) -> Iterator[Case]:
    """ReLU, forward and backward, in a buffer of its own as PyTorch has one."""
    engine = kernels.engine
    x, dy = numbers(*SHAPE).reshape(-1), numbers(*SHAPE)[::-1].copy().reshape(-1)
    y, dx = np.empty_like(x), np.empty_like(x)
    tx, tdy, ty, tdx = (torch.from_numpy(a) for a in (x, dy, np.empty_like(x), np.empty_like(x)))
    aten = torch.ops.aten
    engine.relu_forward(x, y, threads)
    engine.relu_backward(dy, y, dx, threads)
    same(dx, aten.threshold_backward(tdy, tx, 0).numpy(), "ReLU gradient")
    yield Case(
        "ReLU forward",
        lambda: engine.relu_forward(x, y, threads),
        lambda: torch.clamp_min(tx, 0, out=ty),
        1,
        None,
    )
    yield Case(
        "ReLU backward",
        lambda: engine.relu_backward(dy, y, dx, threads),
        lambda: torch.ops.aten.threshold_backward.grad_input(tdy, tx, 0, grad_input=tdx),
        1,
        None,
    )


def batch_norm(threads: int, torch: Any) -> Iterator[Case]:
    """BatchNorm2D in training mode."""
    engine, aten, C = kernels.engine, torch.ops.aten, SHAPE[1]
    x, dy = numbers(*SHAPE), numbers(*SHAPE)[::-1].copy()
    y, dx = np.empty_like(x), np.empty_like(x)
    mean, var, dgamma, dbeta = (np.empty(C, np.float32) for _ in range(4))
    gamma = np.ones(C, np.float32)
    tx, tdy, tg = torch.from_numpy(x), torch.from_numpy(dy), torch.ones(C)
    tb, rmean, rvar = torch.zeros(C), torch.zeros(C), torch.ones(C)

    def forward() -> Any:
        engine.batchnorm2d_statistics(x, mean, var, threads)
        inv = 1 / np.sqrt(var + np.float32(1e-5))
        engine.batchnorm2d_normalize(x, inv, -mean * inv, y, threads)
        return inv

    def forward_theirs() -> Any:
        return aten.native_batch_norm(tx, tg, tb, rmean, rvar, True, 0.1, 1e-5)

    inv = forward()
    ty, tmean, tinv = forward_theirs()

    def backward() -> None:
        engine.batchnorm2d_backward_reduce(dy, x, mean, inv, dgamma, dbeta, threads)
        engine.batchnorm2d_backward_input(dy, x, gamma, mean, inv, dgamma, dbeta, dx, threads)

    def backward_theirs() -> Any:
        wanted = [True, True, True]
        return aten.native_batch_norm_backward(
            tdy, tx, tg, rmean, rvar, tmean, tinv, True, 1e-5, wanted
        )

    backward()
    same(y, ty.numpy(), "BatchNorm")
    same(dx, backward_theirs()[0].numpy(), "BatchNorm gradient")
    yield Case("BatchNorm2D forward", forward, forward_theirs, 5, 10)
    yield Case("BatchNorm2D backward", backward, backward_theirs, 2, 4)


def cross_entropy(torch: Any) -> Iterator[Case]:
    """Softmax cross entropy together with its gradient."""
    for N, K in ((64, 10), (64, 1000)):
        z, labels = numbers(N, K), np.arange(N) % K
        dz = np.empty_like(z)
        tz, tlabels = torch.from_numpy(z).requires_grad_(), torch.from_numpy(labels)

        def mine(z: Any = z, labels: Any = labels, dz: Any = dz) -> None:
            kernels.engine.softmax_cross_entropy(z, labels, dz, 0.0)

        def theirs(tz: Any = tz, tlabels: Any = tlabels) -> Any:
            tz.grad = None
            torch.nn.functional.cross_entropy(tz, tlabels).backward()
            return tz.grad

        mine()
        same(dz, theirs().numpy(), "cross entropy gradient")
        yield Case(f"cross entropy {N}×{K}", mine, theirs, 2, 5)


def convolutions(threads: int, torch: Any) -> Iterator[Case]:
    """Every convolution of the five nets: forward, input gradient, weight gradient."""
    engine, aten = kernels.engine, torch.ops.aten
    for net in NETS:
        for number, (conv, (H, W)) in enumerate(net.convolutions, start=1):
            s, p = (conv.stride,) * 2, (conv.padding,) * 2
            x = numbers(net.batch, conv.inputs, H, W)
            w = numbers(conv.outputs, conv.inputs, conv.size, conv.size)
            b = numbers(conv.outputs)
            tx, tw, tb = (torch.from_numpy(a) for a in (x, w, b))
            ty = aten.convolution(tx, tw, tb, s, p, (1, 1), False, (0, 0), 1)
            y, dx, dw = np.empty(ty.shape, np.float32), np.empty_like(x), np.empty_like(w)
            dy = numbers(*y.shape)
            tdy = torch.from_numpy(dy)
            how = s, p, (1, 1), 1, kernels.winograd

            def forward(x: Any = x, w: Any = w, b: Any = b, y: Any = y, how: Any = how) -> None:
                engine.conv2d_forward(x, w, b, y, *how, threads)

            def input_(dy: Any = dy, w: Any = w, dx: Any = dx, how: Any = how) -> None:
                engine.conv2d_backward_input(dy, w, dx, *how, threads)

            def weight(x: Any = x, dy: Any = dy, dw: Any = dw, how: Any = how) -> None:
                engine.conv2d_backward_weight(x, dy, dw, *how, False, threads)

            def theirs(t: Any = (tx, tw, tb), s: Any = s, p: Any = p) -> Any:
                return aten.convolution(*t, s, p, (1, 1), False, (0, 0), 1)

            def back(mask: list[bool], t: Any = (tdy, tx, tw), s: Any = s, p: Any = p) -> Any:
                bias = [t[2].shape[0]]
                return aten.convolution_backward(*t, bias, s, p, (1, 1), False, (0, 0), 1, mask)

            def input_theirs(back: Any = back) -> Any:
                return back([True, False, False])

            def weight_theirs(back: Any = back) -> Any:
                return back([False, True, False])

            for side in (forward, input_, weight):
                side()
            name = f"{net.name} conv{number}"
            same(y, theirs().numpy(), name)
            same(dx, input_theirs()[0].numpy(), f"{name} dx")
            same(dw, weight_theirs()[1].numpy(), f"{name} dw")
            at_least = 1.0 if conv.inputs >= 32 else 0.8
            yield Case(f"{name} forward", forward, theirs, at_least, 1.5)
            if number > 1:  # nobody asks for the gradient with respect to pictures
                yield Case(f"{name} dx", input_, input_theirs, at_least, 1.5)
            yield Case(f"{name} dw", weight, weight_theirs, at_least, 1.5)
