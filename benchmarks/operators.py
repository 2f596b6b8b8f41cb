"""Single operators beside PyTorch's: pooling, ReLU, BatchNorm, cross entropy.

Each also says what it takes at the least: operations on numbers, and bytes that go to and from
memory when nothing is still in a cache. Each array counts once for every time that it has to be
read or written: BatchNorm reads its input twice, for the mean has to be known before the first
output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from minicnn import kernels

from .goals import OPERATORS, Goal
from .nets import Array
from .peers import same
from .timing import Side

SHAPE = (64, 32, 32, 32)


class Case(NamedTuple):
    """An operator: minicnn's side, PyTorch's, and what it takes at the least."""

    name: str
    mine: Side
    theirs: Side
    operations: float
    bytes: float


def case(name: str, mine: Side, theirs: Side, operations: float, *arrays: Array) -> Case:
    """An operator that reads or writes ``arrays``."""
    moved = float(sum(array.nbytes for array in arrays))
    return Case(name, mine, theirs, operations, moved)


def numbers(*shape: int) -> Any:
    """The same random numbers every time."""
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


class Group(NamedTuple):
    """Operators that share their arrays: what builds them from these arguments, and their goals."""

    build: Callable[..., Iterator[Case]]
    arguments: tuple[Any, ...]
    goals: tuple[tuple[str, Goal], ...]

    def operators(self) -> Iterator[Operator]:
        """Its members."""
        for name, goal in self.goals:
            yield Operator(name, goal, self)


class Operator(NamedTuple):
    """One of a group, to be built in a process of its own."""

    name: str
    goal: Goal
    group: Group

    def case(self, threads: int) -> Case:
        """Both sides; they have been seen to agree."""
        return built(self.group, threads)[self.name]


@lru_cache(maxsize=1)
def built(group: Group, threads: int) -> dict[str, Case]:
    """The group's operators by name; the last group stays, for its members come together."""
    import torch

    torch.set_num_threads(threads)
    return {case.name: case for case in group.build(*group.arguments, threads, torch)}


def groups() -> Iterator[Group]:
    """All operators but the convolutions."""
    for k, s in ((2, 2), (3, 2)):
        yield Group(pooling, (k, s), asked(f"MaxPool2D {k}×{k} s{s}"))
    yield Group(relu, (), asked("ReLU"))
    yield Group(batch_norm, (), asked("BatchNorm2D"))
    for K in (10, 1000):
        yield Group(cross_entropy, (64, K), asked(f"cross entropy 64×{K}"))


def asked(start: str) -> tuple[tuple[str, Goal], ...]:
    """The operators whose names begin so, with their goals."""
    names = (name for name in OPERATORS if f"{name} ".startswith(f"{start} "))
    return tuple((name, OPERATORS[name]) for name in names)


def pooling(k: int, s: int, threads: int, torch: Any) -> Iterator[Case]:
    """Maximum pooling with its mask, forward and backward."""
    engine, aten = kernels.engine, torch.ops.aten
    x = numbers(*SHAPE)
    tx, kernel, stride = torch.from_numpy(x), [k, k], [s, s]
    ty, tmask = aten.max_pool2d_with_indices(tx, kernel, stride)
    y, mask = np.empty(ty.shape, np.float32), np.empty(ty.shape, np.int32)
    dy, dx = numbers(*y.shape), np.empty_like(x)
    tdy, rest = torch.from_numpy(dy), ([0, 0], [1, 1], False, tmask)

    def forward() -> None:
        engine.maxpool2d_forward(x, y, mask, (k, k), (s, s), (0, 0), (1, 1), threads)

    def forward_theirs() -> Any:
        return aten.max_pool2d_with_indices(tx, kernel, stride)

    def backward() -> None:
        engine.maxpool2d_backward(dy, None, mask, dx, threads)

    def backward_theirs() -> Any:
        return aten.max_pool2d_with_indices_backward(tdy, tx, kernel, stride, *rest)

    forward()
    backward()
    name = f"MaxPool2D {k}×{k} s{s}"
    same(y, ty.numpy(), name)
    same(mask, tmask.numpy(), f"{name} mask")
    same(dx, backward_theirs().numpy(), f"{name} gradient")
    comparisons = y.size * (k * k - 1)
    yield case(f"{name} forward", forward, forward_theirs, comparisons, x, y, mask)
    yield case(f"{name} backward", backward, backward_theirs, y.size, dy, mask, dx)


def relu(threads: int, torch: Any) -> Iterator[Case]:
    """ReLU, forward and backward, in a buffer of its own as PyTorch has one."""
    engine, aten = kernels.engine, torch.ops.aten
    x, dy = numbers(*SHAPE).reshape(-1), numbers(*SHAPE)[::-1].copy().reshape(-1)
    y, dx = np.empty_like(x), np.empty_like(x)
    tx, tdy, ty, tdx = (torch.from_numpy(a) for a in (x, dy, np.empty_like(x), np.empty_like(x)))

    def forward() -> None:
        engine.relu_forward(x, y, threads)

    def forward_theirs() -> Any:
        return torch.clamp_min(tx, 0, out=ty)

    def backward() -> None:
        engine.relu_backward(dy, y, dx, threads)

    def backward_theirs() -> Any:
        return aten.threshold_backward.grad_input(tdy, tx, 0, grad_input=tdx)

    forward()
    backward()
    same(y, forward_theirs().numpy(), "ReLU")
    same(dx, backward_theirs().numpy(), "ReLU gradient")
    yield case("ReLU forward", forward, forward_theirs, x.size, x, y)
    yield case("ReLU backward", backward, backward_theirs, x.size, dy, y, dx)


def batch_norm(threads: int, torch: Any) -> Iterator[Case]:
    """BatchNorm2D in training mode."""
    engine, aten, C = kernels.engine, torch.ops.aten, SHAPE[1]
    x, dy = numbers(*SHAPE), numbers(*SHAPE)[::-1].copy()
    y, dx = np.empty_like(x), np.empty_like(x)
    mean, var, dgamma, dbeta = (np.empty(C, np.float32) for _ in range(4))
    tx, tdy, tg = torch.from_numpy(x), torch.from_numpy(dy), torch.ones(C)
    tb, rmean, rvar = torch.zeros(C), torch.zeros(C), torch.ones(C)

    def forward() -> Any:
        engine.batchnorm2d_statistics(x, mean, var, threads)
        inv = 1 / np.sqrt(var + np.float32(1e-5))
        shift = -mean * inv
        engine.batchnorm2d_normalize(x, inv, shift, y, False, threads)
        return inv, shift

    def forward_theirs() -> Any:
        return aten.native_batch_norm(tx, tg, tb, rmean, rvar, True, 0.1, 1e-5)

    inv, shift = forward()
    ty, tmean, tinv = forward_theirs()
    saved = tmean, tinv, True, 1e-5, [True, True, True]

    def backward() -> None:
        numbers = inv, shift, mean, inv, dgamma, dbeta
        engine.batchnorm2d_backward_reduce(dy, x, *numbers, False, threads)
        engine.batchnorm2d_backward_input(dy, x, *numbers, dx, False, threads)

    def backward_theirs() -> Any:
        return aten.native_batch_norm_backward(tdy, tx, tg, rmean, rvar, *saved)

    backward()
    same(y, ty.numpy(), "BatchNorm")
    same(dx, backward_theirs()[0].numpy(), "BatchNorm gradient")
    # Difference, its square and both sums, scale and shift; backward one product more in the sums.
    yield case("BatchNorm2D forward", forward, forward_theirs, 6 * x.size, x, x, y)
    yield case("BatchNorm2D backward", backward, backward_theirs, 9 * x.size, dy, x, dy, x, dx)


def cross_entropy(N: int, K: int, threads: int, torch: Any) -> Iterator[Case]:
    """Softmax cross entropy together with its gradient; minicnn's runs on one thread always."""
    z, labels = numbers(N, K), np.arange(N) % K
    dz = np.empty_like(z)
    tz, tlabels = torch.from_numpy(z).requires_grad_(), torch.from_numpy(labels)

    def mine() -> None:
        kernels.engine.softmax_cross_entropy(z, labels, dz, 0.0)

    def theirs() -> Any:
        tz.grad = None
        torch.nn.functional.cross_entropy(tz, tlabels).backward()
        return tz.grad

    mine()
    same(dz, theirs().numpy(), "cross entropy gradient")
    # The greatest, its difference, the exponential (counted as one), the sum, the quotient.
    yield case(f"cross entropy {N}×{K}", mine, theirs, 5 * z.size, z, dz)
