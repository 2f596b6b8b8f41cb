"""From layers to the steps of a compiled plan: what one step can do for several layers, it does.

In evaluation mode

    BatchNorm behind a convolution   is folded into its weights:   γ/√(σ²+ε) · (w∗x + b − μ) + β
    ReLU                             is a lower bound for what the step before it stores
    2×2 maximum pooling              is taken of four tiles of the convolution before it
    Flatten and Dropout              are nothing

and everything else is a step of its own. A value that somebody else reads too (the input of a
Residual's or Concat's branches) is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from ..kernels._program import Place, Program, Sizes, Step
from ..tensor import FloatArray
from .activations import LeakyReLU, Sigmoid, Tanh
from .avgpool2d import AvgPool2D, GlobalAvgPool2D
from .base import Layer
from .batchnorm2d import BatchNorm2D
from .concat import Concat
from .conv2d import Conv2D
from .dropout import Dropout
from .flatten import Flatten
from .linear import Linear
from .maxpool2d import MaxPool2D
from .relu import ReLU
from .residual import Residual
from .sequential import Sequential

POOLED_TAPS = 240
"""Taps (of four windows at once) up to which a convolution takes the pooling behind it along: the
kernel reads them all from L1. With more channels Winograd's way and a pooling of its own win."""

NOWHERE = Place("input", 0, 0)


@dataclass
class Node:
    """A step in the making: its places are still numbers of values."""

    step: Step
    sources: list[int]
    target: int
    inner: int = 0
    names: list[str] = field(default_factory=list)


class Trace:
    """The steps so far. Value 0 is what comes in; every node makes another.

    Attributes:
        shapes: C×H×W of every value.
        roots: For every value the one whose numbers it is, perhaps under another shape.
        kept: Values that a later step must not change, for others read them too.
    """

    def __init__(self, in_shape: Sizes) -> None:
        self.nodes: list[Node] = []
        self.shapes: list[Sizes] = []
        self.roots: list[int] = []
        self.kept: set[int] = set()
        self.new(in_shape)

    def new(self, shape: Sizes, root: int | None = None) -> int:
        """One more value; the numbers of ``root`` if that is given."""
        self.shapes.append(shape)
        self.roots.append(len(self.roots) if root is None else self.roots[root])
        return len(self.roots) - 1

    def add(self, layer: Layer, kind: str, value: int, out_shape: Sizes, **facts: Any) -> int:
        """Append a step that reads ``value``; returns the value that it makes."""
        step = Step(kind, NOWHERE, NOWHERE, self.shapes[value], out_shape, **facts)
        target = self.new(out_shape)
        names = [layer.name or layer.kind]
        self.nodes.append(Node(step, [self.roots[value]], target, names=names))
        return target

    def keep(self, value: int) -> None:
        """Let the step that made ``value`` stay as it is."""
        self.kept.add(self.roots[value])

    def last(self, value: int) -> Node | None:
        """The node that made ``value``, if it may still be changed."""
        if value in self.kept or not self.nodes or self.nodes[-1].target != value:
            return None
        return self.nodes[-1]

    def fuse(self, node: Node, layer: Layer, **facts: Any) -> int:
        """Let a node do the work of ``layer`` too."""
        node.step = replace(node.step, **facts)
        node.names.append(layer.name or layer.kind)
        self.shapes[node.target] = node.step.out_shape
        return node.target

    def out_shape(self, layer: Layer, value: int) -> Sizes:
        return layer.output_shape((1, *self.shapes[value]))[1:]


# --- one function a layer -------------------------------------------------------------------------


def single(array: FloatArray) -> FloatArray:
    return np.ascontiguousarray(array, np.float32)


def lower_conv(layer: Conv2D, trace: Trace, value: int) -> int:
    weight, bias = layer._checked_values()
    return trace.add(
        layer,
        "conv",
        value,
        trace.out_shape(layer, value),
        weight=weight.copy(),
        bias=single(np.zeros(layer.out_channels)) if bias is None else bias.copy(),
        kernel=layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )


def lower_linear(layer: Linear, trace: Trace, value: int) -> int:
    out_shape = trace.out_shape(layer, value)
    weight = layer.values("weight", (layer.out_features, layer.in_features))
    bias = np.zeros(layer.out_features, np.float32)
    if layer.bias is not None:
        bias = layer.values("bias", bias.shape).copy()
    return trace.add(layer, "linear", value, out_shape, weight=weight.copy(), bias=bias)


def lower_batchnorm(layer: BatchNorm2D, trace: Trace, value: int) -> int:
    out_shape = trace.out_shape(layer, value)
    names = "weight", "bias", "running_mean", "running_var"
    gamma, beta, mean, var = (
        layer.values(name, (layer.num_features,)).astype(np.float64) for name in names
    )
    factor = gamma / np.sqrt(var + layer.eps)
    shift = beta - mean * factor
    node = trace.last(value)
    if node is not None and node.step.kind == "conv" and not (node.step.relu or node.step.pooled):
        weight = node.step.weight * factor[:, None, None, None]
        bias = node.step.bias * factor + shift
        return trace.fuse(node, layer, weight=single(weight), bias=single(bias))
    facts = {"weight": single(factor), "bias": single(shift)}
    return trace.add(layer, "scale", value, out_shape, **facts)


def lower_relu(layer: ReLU, trace: Trace, value: int) -> int:
    node = trace.last(value)
    if node is not None and node.step.kind in ("conv", "linear", "scale", "add"):
        return trace.fuse(node, layer, relu=True)
    return trace.add(layer, "function", value, trace.shapes[value], function="relu")


def lower_function(layer: Layer, trace: Trace, value: int) -> int:
    name = {LeakyReLU: "leaky_relu", Sigmoid: "sigmoid", Tanh: "tanh"}[type(layer)]
    slope = getattr(layer, "negative_slope", 0.0)
    return trace.add(layer, "function", value, trace.shapes[value], function=name, slope=slope)


def lower_maxpool(layer: MaxPool2D, trace: Trace, value: int) -> int:
    out_shape = trace.out_shape(layer, value)
    node = trace.last(value)
    if node is not None and pools_along(node.step, layer, out_shape):
        return trace.fuse(node, layer, pooled=True, out_shape=out_shape)
    windows = {"kernel": layer.kernel_size, "stride": layer.stride, "padding": layer.padding}
    return trace.add(layer, "maxpool", value, out_shape, dilation=layer.dilation, **windows)


def pools_along(step: Step, layer: MaxPool2D, out_shape: Sizes) -> bool:
    """Whether a convolution can take this pooling along: 2×2, whole windows, few taps."""
    windows = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    if step.kind != "conv" or step.pooled or windows != ((2, 2), (2, 2), (0, 0), (1, 1)):
        return False
    (KH, KW), (SH, SW) = step.kernel, step.stride
    taps = step.in_shape[0] // step.groups * (KH + SH) * (KW + SW)
    _, H, W = step.out_shape
    return taps <= POOLED_TAPS and out_shape[1:] == (H // 2, W // 2)


def lower_avgpool(layer: AvgPool2D, trace: Trace, value: int) -> int:
    return trace.add(
        layer,
        "avgpool",
        value,
        trace.out_shape(layer, value),
        kernel=layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        count_include_pad=layer.count_include_pad,
    )


def lower_global_avgpool(layer: GlobalAvgPool2D, trace: Trace, value: int) -> int:
    out_shape = trace.out_shape(layer, value)
    return trace.add(layer, "avgpool", value, out_shape, kernel=trace.shapes[value][1:])


def lower_nothing(layer: Layer, trace: Trace, value: int) -> int:
    """Flatten: a value's numbers lie in order already. Dropout: it does nothing in evaluation."""
    out_shape = trace.out_shape(layer, value)
    return value if out_shape == trace.shapes[value] else trace.new(out_shape, root=value)


def lower_sequential(layer: Sequential, trace: Trace, value: int) -> int:
    for child in layer:
        value = lower(child, trace, value)
    return value


def lower_residual(layer: Residual, trace: Trace, value: int) -> int:
    out_shape = trace.out_shape(layer, value)
    trace.keep(value)
    through = lower(layer.body, trace, value)
    trace.keep(through)
    past = value if layer.shortcut is None else lower(layer.shortcut, trace, value)
    target = trace.add(layer, "add", through, out_shape)
    trace.nodes[-1].sources.append(trace.roots[past])
    return target


def lower_concat(layer: Concat, trace: Trace, value: int) -> int:
    out_shape = trace.out_shape(layer, value)
    trace.keep(value)
    parts = []
    for branch in layer:
        parts.append(lower(branch, trace, value))
        trace.keep(parts[-1])
    target, inner = trace.new(out_shape), 0
    for k, part in enumerate(parts):
        step = Step("copy", NOWHERE, NOWHERE, trace.shapes[part], trace.shapes[part])
        names = [f"{layer.name or layer.kind} [{k}]"]
        trace.nodes.append(Node(step, [trace.roots[part]], target, inner, names))
        inner += prod(trace.shapes[part])
    return target


Lower = Callable[[Any, Trace, int], int]

LOWER: dict[type[Layer], Lower] = {
    Conv2D: lower_conv,
    Linear: lower_linear,
    BatchNorm2D: lower_batchnorm,
    ReLU: lower_relu,
    LeakyReLU: lower_function,
    Sigmoid: lower_function,
    Tanh: lower_function,
    MaxPool2D: lower_maxpool,
    AvgPool2D: lower_avgpool,
    GlobalAvgPool2D: lower_global_avgpool,
    Flatten: lower_nothing,
    Dropout: lower_nothing,
    Sequential: lower_sequential,
    Residual: lower_residual,
    Concat: lower_concat,
}


def lower(layer: Layer, trace: Trace, value: int) -> int:
    """Append the steps of ``layer``, which reads ``value``; returns the value it makes."""
    return LOWER[known_as(layer)](layer, trace, value)  # type: ignore[index]


def known_as(layer: Layer) -> type[Layer] | None:
    """The class in LOWER whose forward pass this layer has; None for a layer of the user's own."""
    for cls in type(layer).__mro__:
        if cls in LOWER:
            return cls if type(layer)._forward is cls._forward else None
    return None


def is_known(layer: Layer) -> bool:
    """Whether the layer and all inside it can be lowered."""
    return all(known_as(inner) is not None for inner in layer.named_layers().values())


# --- where the values lie -------------------------------------------------------------------------


def program_of(layers: list[Layer], in_shape: Sizes) -> tuple[Program, list[str]]:
    """The program of layers in a row, and for each step which layers it stands for."""
    trace = Trace(in_shape)
    value = 0
    for layer in layers:
        value = lower(layer, trace, value)
    value = trace.roots[value]
    if value == 0:  # nothing to do, but the result belongs to the caller
        value = trace.new(in_shape)
        step = Step("copy", NOWHERE, NOWHERE, in_shape, in_shape)
        trace.nodes.append(Node(step, [0], value, names=["copy"]))
    places, chunk, batch = lay_out(trace, value)
    steps = tuple(
        replace(
            node.step,
            source=places[node.sources[0]],
            other=places[node.sources[1]] if len(node.sources) > 1 else None,
            target=replace(places[node.target], inner=node.inner),
        )
        for node in trace.nodes
    )
    program = Program(steps, prod(in_shape), prod(trace.shapes[value]), chunk, batch)
    return program, [" + ".join(node.names) for node in trace.nodes]


def lay_out(trace: Trace, result: int) -> tuple[dict[int, Place], int, int]:
    """A place for every value, memory being shared by those that do not live at the same time.

    Returns the places, and the numbers per picture of the chunk's arena and of the batch's.
    """
    born: dict[int, int] = {}
    dies: dict[int, int] = {}
    for time, node in enumerate(trace.nodes):
        born.setdefault(node.target, time)
        for value in (*node.sources, node.target):
            dies[value] = time
    places = {
        0: Place("input", 0, prod(trace.shapes[0])),
        result: Place("output", 0, prod(trace.shapes[result])),
    }
    sizes = {"chunk": 0, "batch": 0}
    taken: list[tuple[str, int, int, int, int]] = []  # arena, from, to, born, dies
    for value in sorted(set(born) - {result}, key=lambda value: born[value]):
        arena = "batch" if crosses(trace, value) else "chunk"
        size = prod(trace.shapes[value])
        wide = -(-size // 16) * 16
        start = 0
        for other, low, high, first, last in sorted(taken, key=lambda entry: entry[1]):
            together = first <= dies[value] and born[value] <= last
            if other == arena and together and low < start + wide and start < high:
                start = high
        taken.append((arena, start, start + wide, born[value], dies[value]))
        sizes[arena] = max(sizes[arena], start + wide)
        places[value] = Place(arena, start, size)
    return places, sizes["chunk"], sizes["batch"]


def crosses(trace: Trace, value: int) -> bool:
    """Whether a value outlives its chunk: a linear step, which takes the whole batch, makes it,
    reads it, or comes between its making and its reading."""
    uses = [
        time
        for time, node in enumerate(trace.nodes)
        if value == node.target or value in node.sources
    ]
    return any(node.step.kind == "linear" for node in trace.nodes[min(uses) : max(uses) + 1])
