"""Every convolution of the five nets alone, beside PyTorch's: forward, and both gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minicnn import kernels

from .goals import convolution
from .nets import NETS, Array, Conv, Net
from .operators import Case, Group, numbers
from .peers import same
from .timing import Side


def groups(nets: Iterable[Net] = NETS) -> Iterator[Group]:
    """All of them; of a net's first convolution nobody asks for dx."""
    for net in nets:
        for number, (conv, (H, W)) in enumerate(net.convolutions, start=1):
            name = f"{net.name} conv{number}"
            directions = ("forward", "dw") if number == 1 else ("forward", "dx", "dw")
            goal = convolution(conv.inputs)
            goals = tuple((f"{name} {direction}", goal) for direction in directions)
            yield Group(cases, (name, conv, (net.batch, conv.inputs, H, W)), goals)


def cases(
    name: str, conv: Conv, shape: tuple[int, ...], threads: int, torch: Any
) -> Iterator[Case]:
    """One convolution's; both sides of each have been seen to agree."""
    operator = Convolution(conv, shape, threads, torch)
    operator.check(name)
    yield from operator.cases(name)


class Convolution:
    """One convolution on both sides: the same arrays, and functions that work on them."""

    def __init__(self, conv: Conv, shape: tuple[int, ...], threads: int, torch: Any) -> None:
        self.conv, self.threads, self.aten = conv, threads, torch.ops.aten
        stride, padding = (conv.stride,) * 2, (conv.padding,) * 2
        self.how = stride, padding, (1, 1), 1, kernels.winograd
        self.how_theirs = stride, padding, (1, 1), False, (0, 0), 1
        self.x, self.b = numbers(*shape), numbers(conv.outputs)
        self.w = numbers(conv.outputs, conv.inputs, conv.size, conv.size)
        self.tx, self.tw, self.tb = (torch.from_numpy(a) for a in (self.x, self.w, self.b))
        self.y = np.empty(self.forward_theirs().shape, np.float32)
        self.dy = numbers(*self.y.shape)
        self.tdy = torch.from_numpy(self.dy)
        self.dx, self.dw = np.empty_like(self.x), np.empty_like(self.w)

    def forward(self) -> None:
        """y = x ∗ w + b."""
        kernels.engine.conv2d_forward(
            self.x, self.w, self.b, self.y, *self.how, False, self.threads
        )

    def input_gradient(self) -> None:
        """dx."""
        kernels.engine.conv2d_backward_input(self.dy, self.w, self.dx, *self.how, self.threads)

    def weight_gradient(self) -> None:
        """dw, overwritten."""
        kernels.engine.conv2d_backward_weight(
            self.x, self.dy, self.dw, *self.how, False, self.threads
        )

    def forward_theirs(self) -> Any:
        """y, of PyTorch."""
        return self.aten.convolution(self.tx, self.tw, self.tb, *self.how_theirs)

    def input_gradient_theirs(self) -> Any:
        """dx, of PyTorch."""
        return self._backward_theirs([True, False, False])[0]

    def weight_gradient_theirs(self) -> Any:
        """dw, of PyTorch."""
        return self._backward_theirs([False, True, False])[1]

    def _backward_theirs(self, wanted: list[bool]) -> Any:
        bias = [self.conv.outputs]
        return self.aten.convolution_backward(
            self.tdy, self.tx, self.tw, bias, *self.how_theirs, wanted
        )

    def check(self, name: str) -> None:
        """See that both sides compute the same."""
        for mine in (self.forward, self.input_gradient, self.weight_gradient):
            mine()
        same(self.y, self.forward_theirs().numpy(), name)
        same(self.dx, self.input_gradient_theirs().numpy(), f"{name} dx")
        same(self.dw, self.weight_gradient_theirs().numpy(), f"{name} dw")

    def cases(self, name: str) -> Iterator[Case]:
        """Forward and the gradients."""
        # Two operations for each tap of each output, whichever way they are summed: Winograd's
        # way takes fewer, and may so come out above the limit of the direct sum.
        operations = 2.0 * self.y.size * self.w[0].size

        def case(what: str, mine: Side, theirs: Side, *arrays: Array) -> Case:
            moved = float(sum(array.nbytes for array in arrays))
            return Case(f"{name} {what}", mine, theirs, operations, moved)

        x, w, dy = self.x, self.w, self.dy
        yield case("forward", self.forward, self.forward_theirs, x, w, self.y)
        yield case("dx", self.input_gradient, self.input_gradient_theirs, dy, w, self.dx)
        yield case("dw", self.weight_gradient, self.weight_gradient_theirs, x, dy, self.dw)
