"""Learning-rate schedules: the learning rate as a function of the step, and of nothing else.

A schedule is called with a step, counted from 0 in optimizer steps (batches), and gives the
learning rate of that step::

    schedule = Cosine(lr=0.1, total_steps=1000, warmup_steps=50)
    optimizer.lr = schedule(step)

There is no state: after a resume the step alone says where training stands. Steps past the end have
the rate of the last one.

Warm-up: the first W = ``warmup_steps`` steps have (step + 1) / (W + 1) of the rate, a straight line
that reaches the full rate in step W, so that large early gradients do not throw the net off (Goyal
et al., "Accurate, large minibatch SGD", 2017, section 2.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .errors import describe, finite_float, nonnegative_int, positive_int


@dataclass(frozen=True)
class Schedule:
    """What all schedules share; subclasses write ``__call__``."""

    def __call__(self, step: int) -> float:
        """The learning rate of ``step``, an integer of at least 0."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__")

    def config(self) -> dict[str, Any]:
        """The schedule's name ("type") and settings, JSON-able."""
        return {"type": type(self).__name__, **asdict(self)}

    def _set(self, name: str, value: float) -> None:
        object.__setattr__(self, name, value)  # a frozen dataclass's own way, in __post_init__


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate all along, after the warm-up.

    Args:
        lr: Learning rate, at least 0.
        warmup_steps: W, at least 0.

    Raises:
        TypeError, ValueError: an argument that cannot be.
    """

    lr: float
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        self._set("lr", finite_float(self.lr, "lr", minimum=0))
        self._set("warmup_steps", nonnegative_int(self.warmup_steps, "warmup_steps"))

    def __call__(self, step: int) -> float:
        """The learning rate of ``step``, an integer of at least 0."""
        return self.lr * _warm(nonnegative_int(step, "step"), self.warmup_steps)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """lr · gamma^⌊step / step_size⌋: a stair, times the warm-up. PyTorch's StepLR.

    The stairs count from step 0, so that they fall where they do without a warm-up.

    Args:
        lr: Learning rate of the first stair, at least 0.
        step_size: Steps a stair, at least 1.
        gamma: Ratio of a stair to the one before, above 0 and at most 1.
        warmup_steps: W, at least 0.

    Raises:
        TypeError, ValueError: an argument that cannot be.
    """

    lr: float
    step_size: int
    gamma: float = 0.1
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        self._set("lr", finite_float(self.lr, "lr", minimum=0))
        self._set("step_size", positive_int(self.step_size, "step_size"))
        self._set("gamma", finite_float(self.gamma, "gamma", above=0, maximum=1))
        self._set("warmup_steps", nonnegative_int(self.warmup_steps, "warmup_steps"))

    def __call__(self, step: int) -> float:
        """The learning rate of ``step``, an integer of at least 0."""
        step = nonnegative_int(step, "step")
        stair = self.lr * self.gamma ** (step // self.step_size)
        return stair * _warm(step, self.warmup_steps)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine wave from lr, right after the warm-up, down to final_lr in step total_steps.

    final_lr + (lr − final_lr)·(1 + cos(π·t)) / 2, where t runs from 0 to 1. Loshchilov & Hutter,
    "SGDR: stochastic gradient descent with warm restarts", 2017, equation 5, without restarts;
    without warm-up PyTorch's CosineAnnealingLR.

    Args:
        lr: Highest learning rate, at least 0.
        total_steps: The step from which on the rate is final_lr; at least 1.
        warmup_steps: W, below total_steps.
        final_lr: From 0 to lr.

    Raises:
        TypeError, ValueError: an argument that cannot be.
    """

    lr: float
    total_steps: int
    warmup_steps: int = 0
    final_lr: float = 0.0

    def __post_init__(self) -> None:
        self._set("lr", finite_float(self.lr, "lr", minimum=0))
        self._set("total_steps", positive_int(self.total_steps, "total_steps"))
        self._set("warmup_steps", nonnegative_int(self.warmup_steps, "warmup_steps"))
        _refuse_long_warmup(self.warmup_steps, self.total_steps - 1, self.total_steps)
        self._set("final_lr", finite_float(self.final_lr, "final_lr", minimum=0, maximum=self.lr))

    def __call__(self, step: int) -> float:
        """The learning rate of ``step``, an integer of at least 0."""
        step = nonnegative_int(step, "step")
        if step < self.warmup_steps:
            return self.lr * _warm(step, self.warmup_steps)
        done = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        return _half_cosine(self.lr, self.final_lr, done)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to a high rate and down to almost none, each along half a cosine wave.

    From max_lr / div_factor in step 0 up to max_lr in step W, then down to
    max_lr / (div_factor·final_div_factor) in the last step, total_steps − 1. Smith & Topin,
    "Super-convergence: very fast training of neural networks using large learning rates", 2019;
    with the cosines and defaults of PyTorch's OneCycleLR, and like it with one phase down. Momentum
    is left alone.

    Args:
        max_lr: Highest learning rate, at least 0.
        total_steps: Steps of the whole training, at least 2.
        warmup_steps: W, the step of the highest rate, at most total_steps − 2; None for PyTorch's
            30 %: 0.3·total_steps − 1, rounded.
        div_factor: At least 1.
        final_div_factor: At least 1.

    Raises:
        TypeError, ValueError: an argument that cannot be.
    """

    max_lr: float
    total_steps: int
    warmup_steps: int | None = None
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        self._set("max_lr", finite_float(self.max_lr, "max_lr", minimum=0))
        total = positive_int(self.total_steps, "total_steps")
        if total < 2:
            raise ValueError(f"total_steps must be at least 2, got {total}")
        self._set("total_steps", total)
        warmup = self.warmup_steps
        if warmup is None:
            warmup = min(max(round(0.3 * total) - 1, 0), total - 2)
        self._set("warmup_steps", nonnegative_int(warmup, "warmup_steps"))
        _refuse_long_warmup(warmup, total - 2, total)
        for name in ("div_factor", "final_div_factor"):
            self._set(name, finite_float(getattr(self, name), name, minimum=1))

    def __call__(self, step: int) -> float:
        """The learning rate of ``step``, an integer of at least 0."""
        step = nonnegative_int(step, "step")
        warmup = self.warmup_steps or 0
        first = self.max_lr / self.div_factor
        if step < warmup:
            return _half_cosine(first, self.max_lr, step / warmup)
        done = (step - warmup) / (self.total_steps - 1 - warmup)
        return _half_cosine(self.max_lr, first / self.final_div_factor, done)


SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind for kind in (Constant, StepDecay, Cosine, OneCycle)
}


def from_config(config: Mapping[str, Any]) -> Schedule:
    """The schedule that ``config()`` described.

    Raises:
        ValueError: an unknown schedule or setting, or one that is missing.
    """
    settings = dict(config)
    name = settings.pop("type", None)
    if name not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {describe(name)}")
    kind = SCHEDULES[name]
    unknown = sorted(set(settings) - {field.name for field in fields(kind)})
    if unknown:
        raise ValueError(f"{name} has no setting {', '.join(unknown)}")
    try:
        return kind(**settings)
    except TypeError as error:
        raise ValueError(f"schedule config {dict(config)} does not fit {name}: {error}") from None


def _warm(step: int, warmup_steps: int) -> float:
    return min(1.0, (step + 1) / (warmup_steps + 1))


def _half_cosine(start: float, end: float, done: float) -> float:
    """From ``start`` (done = 0) to ``end`` (done = 1 and more)."""
    if done >= 1.0:
        return end
    return end + (start - end) * (1.0 + math.cos(math.pi * done)) / 2.0


def _refuse_long_warmup(warmup_steps: int, longest: int, total_steps: int) -> None:
    if warmup_steps > longest:
        raise ValueError(
            f"warmup_steps must be at most {longest} for total_steps={total_steps}, "
            f"got {warmup_steps}"
        )
