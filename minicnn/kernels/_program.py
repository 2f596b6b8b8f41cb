"""What a compiled plan is to do: the steps, and where their numbers lie. Both engines read it.

The layers' side (`minicnn.layers.plan`) writes a `Program`; `plan_prepare` of an engine makes of it
what `plan_run` runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Pair = tuple[int, int]
Sizes = tuple[int, int, int]

NOTHING = np.empty(0, np.float32)


@dataclass(frozen=True)
class Place:
    """Where a value lies; counts are float32 numbers.

    Attributes:
        arena: "input" and "output": the arrays that ``plan_run`` is given; "chunk": memory of a few
            pictures that go through the steps together; "batch": memory of all pictures.
        offset: Where it begins, per picture of the chunk or batch.
        size: From one picture's numbers to the next one's.
        inner: Where in a picture's numbers the step's own begin.
    """

    arena: str
    offset: int
    size: int
    inner: int = 0


@dataclass(frozen=True)
class Step:
    """One step: ``target = kind(source)``, with what the kind needs of the rest.

    Attributes:
        kind: conv, linear, maxpool, avgpool, scale (a factor and a number to add per channel),
            function, add (of source and other), copy.
        in_shape, out_shape: C×H×W of one picture.
        weight: O×C/groups×KH×KW of a conv, O×I of a linear, C factors of a scale.
        bias: What is added per output.
        relu: Whether a ReLU comes last.
        pooled: Of a conv: whether maxima over windows of 2×2 are taken of its outputs.
        function: Of a function: relu, leaky_relu, sigmoid or tanh.
        slope: Of a leaky_relu.
    """

    kind: str
    source: Place
    target: Place
    in_shape: Sizes
    out_shape: Sizes
    other: Place | None = None
    weight: Array = field(default_factory=lambda: NOTHING)
    bias: Array = field(default_factory=lambda: NOTHING)
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    count_include_pad: bool = True
    relu: bool = False
    pooled: bool = False
    function: str = "relu"
    slope: float = 0.0

    @property
    def convolved(self) -> Sizes:
        """C×H×W of a conv's outputs before they are pooled."""
        _, H, W = self.in_shape
        OH, OW = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(
                (H, W), self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return self.out_shape[0], OH, OW

    @property
    def multiply_adds(self) -> int:
        """Multiplications of one picture; a number where there are none counts as one."""
        C, OH, OW = self.convolved if self.kind == "conv" else self.out_shape
        if self.kind not in ("conv", "linear"):
            return C * OH * OW * self.kernel[0] * self.kernel[1]
        return self.weight.size * OH * OW


@dataclass(frozen=True)
class Program:
    """Steps in order, and the sizes of the arenas per picture."""

    steps: tuple[Step, ...]
    inputs: int
    outputs: int
    chunk: int
    batch: int

    @property
    def multiply_adds(self) -> int:
        return sum(step.multiply_adds for step in self.steps)


Handle = Any
"""What `plan_prepare` gives and `plan_run` takes: known to its own engine alone."""
