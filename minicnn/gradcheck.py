"""gradcheck: is this backward the derivative of this forward?

Every entry θ of the input and of the parameters is moved a little, and the loss is asked what
difference that made:

    numeric = (L(θ + h) − L(θ − h)) / 2h            error = |numeric − analytic| / largest gradient

in float64, where the rounding error of this quotient is near 1e-10; in float32 it would drown every
bug but the coarsest. The largest gradient is that of the array in question, so that a small one, of
a mean over many pictures say, is held to the same standard as a large one. Where a max or a ReLU
switches within the step, the quotient is the derivative of nothing. Then the slopes on the two
sides differ however small the step is, and the entry is reported as "not differentiable here",
neither right nor wrong.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import describe, positive_int
from .init import as_generator
from .layers import Layer
from .tensor import FloatArray, Parameter, Tensor, no_grad

Loss = Callable[[Tensor], tuple[float, Tensor]]
"""Of the net's output, the loss and its gradient with respect to that output."""

_STEPS = (1e-5, 1e-6, 1e-7)


@dataclass(frozen=True)
class Check:
    """What came out for one array: the input "x" or a parameter.

    Attributes:
        name: "x", or the parameter's name.
        size: Entries of the array.
        checked: Entries that were looked at.
        kinks: Entries, of these, at which the loss is not differentiable: not compared.
        error: The largest error among the others.
        index: Where it is.
        analytic: What backward said there.
        numeric: What the difference quotient said there.
        ok: Whether the error is within the tolerance.
    """

    name: str
    size: int
    checked: int
    kinks: int
    error: float
    index: tuple[int, ...]
    analytic: float
    numeric: float
    ok: bool

    def __str__(self) -> str:
        text = f"{self.name}: {self.checked} of {self.size} entries, largest error {self.error:.1e}"
        if not self.ok:
            text += (
                f"  WRONG at {self.index}: backward says {self.analytic:.9g}, "
                f"the difference quotient {self.numeric:.9g}"
            )
        if self.kinks:
            text += f"  ({self.kinks} not differentiable here)"
        return text


@dataclass(frozen=True)
class GradcheckReport:
    """One `Check` per array. True as a condition if all hold; ``print`` it for the table."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every array's gradient is right, and anything could be compared at all."""
        return all(check.ok for check in self.checks) and not self.inconclusive

    @property
    def inconclusive(self) -> bool:
        """Whether there was no entry at which the loss is differentiable, or none at all."""
        return all(check.checked == check.kinks for check in self.checks)

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        verdict = "passed" if self.ok else "FAILED"
        if self.inconclusive:
            verdict = "says nothing: x has no entry where the loss is differentiable; try another"
        return "\n".join([f"gradcheck {verdict}", *map(str, self.checks)])


def gradcheck(
    net: Layer,
    x: npt.ArrayLike | Tensor,
    loss: Loss | None = None,
    *,
    max_entries: int = 200,
    tolerance: float = 1e-6,
    rng: int | np.random.Generator = 0,
) -> GradcheckReport:
    """Compare ``net.backward`` with difference quotients of ``net.forward``, in float64.

    The net itself is not touched: a float64 copy is checked, in the net's mode. Dropout draws the
    same mask every time.

    Args:
        net: A layer or a whole net.
        x: Its input, B×C×H×W.
        loss: Of the output, (loss, gradient), such as ``lambda y: (ce(y, labels), ce.backward())``;
            None takes Σ y·r with random weights r, which no wrong entry can hide from.
        max_entries: At most so many entries of each array are checked, drawn at random.
        tolerance: The largest error allowed, as a share of the array's largest gradient.
        rng: For r and for the draw.

    Returns:
        The report; its ``ok`` tells whether all is right.

    Raises:
        TypeError: net is no Layer, or one of ``parameter_names`` is no Parameter.
        ValueError: a layer has a Parameter that its ``parameter_names`` does not list.
        RuntimeError: the same input gives another loss the second time; a layer of your own writes
            into x; backward returns no dL/dx.
    """
    if not isinstance(net, Layer):
        raise TypeError(f"net must be a minicnn layer or net, got {describe(net)}")
    max_entries = positive_int(max_entries, "max_entries")
    generator = as_generator(rng)
    _check_listed(net)
    twin = copy.deepcopy(net).astype(np.float64)
    for layer in twin.named_layers().values():
        if layer._foreign:  # minicnn's own have tests for this, and are not to be slowed down
            _watch(layer)
    point = Tensor(np.array(Tensor(x).data, dtype=np.float64))
    rng_state = twin.rng_state()

    def run() -> Tensor:
        twin.set_rng_state(rng_state)
        return twin.forward(point)

    output = run()
    measure = _projection(output, generator) if loss is None else loss
    twin.zero_grad()
    dx = twin.backward(measure(output)[1])
    if dx is None:
        raise RuntimeError(f"{net.label}: backward() must return dL/dx, got None")

    def value() -> float:
        with no_grad():
            y = run()
        return float(measure(y)[0])

    middle = value()
    again = value()
    if not (middle == again or math.isnan(middle)):
        raise RuntimeError(
            f"{net.label}: the loss is {middle!r} and then, for the same input, {again!r}; draw "
            f"random numbers from the layer's own `rng`, whose state is put back each time; if "
            f"nothing is random, a _forward changes what it reads, such as an attribute or a weight"
        )
    arrays: list[tuple[str, FloatArray, FloatArray]] = [("x", point.data, dx.data)]
    for name, parameter in twin.named_parameters().items():
        grad = parameter.grad
        arrays.append(
            (name, parameter.data, np.zeros_like(parameter.data) if grad is None else grad)
        )
    return GradcheckReport(
        tuple(
            _check(name, data, grad.copy(), value, middle, max_entries, tolerance, generator)
            for name, data, grad in arrays
        )
    )


def _check_listed(net: Layer) -> None:
    """Refuse a Parameter that the net does not know of: it would not be looked at."""
    known = {id(parameter) for parameter in net.parameters()}
    for layer in net.named_layers().values():
        for attribute, value in vars(layer).items():
            if isinstance(value, Parameter) and id(value) not in known:
                raise ValueError(
                    f"{layer.label}: {attribute} is a Parameter, but parameter_names does not list "
                    f"it, so it is neither checked nor trained nor saved; list it there, or keep a "
                    f"plain array if it is not to be learnt"
                )


def _watch(layer: Layer) -> None:
    """Let this one layer refuse to have written into its input."""
    forward = layer._forward

    def watched(x: FloatArray, **fused: Any) -> FloatArray:
        before = x.copy()
        y = forward(x, **fused)
        if not np.array_equal(x, before, equal_nan=True):
            raise RuntimeError(
                f"{layer.label}: _forward writes into x, which belongs to the layer before it or "
                f"to the caller; compute in an array of its own, such as x.copy()"
            )
        return y

    vars(layer)["_forward"] = watched


def _projection(output: Tensor, generator: np.random.Generator) -> Loss:
    """L(y) = Σ y·r with r between 0.5 and 1.5 and either sign."""
    r = generator.uniform(0.5, 1.5, output.shape) * generator.choice([-1.0, 1.0], output.shape)
    return lambda y: (float((y.data * r).sum()), Tensor(r))


def _check(
    name: str,
    data: FloatArray,
    grad: FloatArray,
    value: Callable[[], float],
    middle: float,
    max_entries: int,
    tolerance: float,
    generator: np.random.Generator,
) -> Check:
    """Check the entries of one array."""
    entries = np.arange(data.size)
    if data.size > max_entries:
        entries = np.sort(generator.choice(data.size, max_entries, replace=False))
    worst: tuple[float, int, float, float] = (0.0, 0, math.nan, math.nan)
    kinks = 0
    largest = float(np.abs(grad, where=np.isfinite(grad), out=np.zeros_like(grad)).max(initial=0.0))
    for entry in entries:
        analytic = float(grad.flat[entry])
        numeric, error = _quotient(data, int(entry), analytic, value, middle, largest, tolerance)
        if numeric is None:
            kinks += 1
        elif error > worst[0]:
            worst = (error, int(entry), analytic, numeric)
    index: tuple[Any, ...] = np.unravel_index(worst[1], data.shape) if data.size else ()
    return Check(
        name=name,
        size=data.size,
        checked=len(entries),
        kinks=kinks,
        error=worst[0],
        index=tuple(int(i) for i in index),
        analytic=worst[2],
        numeric=worst[3],
        ok=worst[0] <= tolerance,
    )


def _quotient(
    data: FloatArray,
    entry: int,
    analytic: float,
    value: Callable[[], float],
    middle: float,
    largest: float,
    tolerance: float,
) -> tuple[float | None, float]:
    """(numeric derivative, error) at one entry; (None, 0) where there is none.

    A step that straddles a kink spoils the quotient, so a mismatch is looked at again with smaller
    steps. If the two one-sided slopes still differ at the smallest, by much more than rounding
    could make them, the kink is at the point itself. ``middle`` is the loss at the point,
    ``largest`` the largest gradient of the array.
    """
    flat = data.reshape(-1)
    old = float(flat[entry])
    numeric, error = math.nan, math.inf
    slopes_differ = True
    for step in _STEPS:
        h = step * max(1.0, abs(old))
        flat[entry] = old + h
        above = value()
        flat[entry] = old - h
        below = value()
        flat[entry] = old
        numeric = (above - below) / (2 * h)
        scale = max(largest, abs(numeric)) or 1.0
        rounding = float(np.finfo(np.float64).eps) * max(1.0, abs(middle)) / h
        off = abs(numeric - analytic)
        error = math.inf if math.isnan(off) else max(0.0, off - 8 * rounding) / scale
        if error <= tolerance:
            return numeric, error
        gap = abs((above - middle) - (middle - below)) / h
        slopes_differ &= gap > 64 * rounding + 1e-3 * scale
    return (None, 0.0) if slopes_differ else (numeric, error)
