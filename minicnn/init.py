"""First weights of a layer, and the random generators they are drawn from.

Weights start as noise of just the right size: too small and the signal dies from layer to layer,
too large and it explodes. How large is right depends on how many inputs a unit sums (its fan-in),
how many units each input feeds (its fan-out), and the activation that follows. `kaiming_normal` and
`kaiming_uniform` suit ReLU and its kin, `xavier_normal` and `xavier_uniform` sigmoid and tanh.

Every function draws in float64 and rounds afterwards, so that one seed gives the same weights in
float32 and in float64, up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import ShapeError, describe, finite_float, nonnegative_int

Rng: TypeAlias = "int | np.random.SeedSequence | np.random.Generator | None"
"""What every ``rng`` argument takes; see `as_generator`."""

Nonlinearity = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu"]
Mode = Literal["fan_in", "fan_out"]


def as_generator(rng: Rng = None) -> np.random.Generator:
    """The random generator that an ``rng`` argument stands for.

    Args:
        rng: A Generator is used as it is, so that two layers given the same one draw different
            numbers from it; an int or a SeedSequence seeds a new one; None seeds a new one from the
            operating system, different at every call.

    Raises:
        TypeError: anything else.
        ValueError: a negative seed.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or isinstance(rng, np.random.SeedSequence):
        return np.random.default_rng(rng)
    try:
        seed = nonnegative_int(rng, "rng")
    except TypeError:
        raise TypeError(
            "rng must be None, a seed (an integer of at least 0), a numpy.random.SeedSequence or a "
            f"numpy.random.Generator, got {describe(rng)}"
        ) from None
    return np.random.default_rng(seed)


def fan_in_fan_out(shape: Sequence[int]) -> tuple[int, int]:
    """How many values one output of a layer sums, and how many outputs one input feeds.

    Args:
        shape: The weight's: (O, I) of a linear layer, (OC, IC/groups, KH, KW) of a convolution.

    Returns:
        (fan_in, fan_out): (I, O), or (IC/groups·KH·KW, OC·KH·KW). With groups the fan-out is
        PyTorch's, which counts the outputs of all groups.

    Raises:
        ShapeError: fewer than two axes, or an axis of length zero.
    """
    sizes = tuple(nonnegative_int(size, "shape") for size in shape)
    if len(sizes) < 2 or 0 in sizes:
        raise ShapeError(
            "shape must be (out, in) or (out, in / groups, KH, KW) with sizes of at least 1, "
            f"got {tuple(shape)}"
        )
    window = math.prod(sizes[2:])
    return sizes[1] * window, sizes[0] * window


def calculate_gain(nonlinearity: Nonlinearity, negative_slope: float = 0.01) -> float:
    """The factor on the standard deviation that makes up for what an activation takes away.

    1 for "linear" and "sigmoid", 5/3 for "tanh", √2 for "relu" and √(2 / (1 + slope²)) for
    "leaky_relu": PyTorch's table. ReLU keeps half of a symmetric signal's variance, hence its √2
    (He et al. 2015, section 2.2).

    Raises:
        ValueError: an unknown name.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + finite_float(negative_slope, "negative_slope") ** 2))
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0)}
    if nonlinearity not in gains:
        names = ", ".join([*gains, "leaky_relu"])
        raise ValueError(f"nonlinearity must be one of {names}, got {describe(nonlinearity)}")
    return gains[nonlinearity]


def uniform(
    shape: Sequence[int], bound: float, rng: Rng = None, dtype: npt.DTypeLike = np.float32
) -> npt.NDArray[Any]:
    """Numbers drawn evenly from [-bound, bound], of any shape; float32 or float64."""
    bound = finite_float(bound, "bound", minimum=0)
    return as_generator(rng).uniform(-bound, bound, tuple(shape)).astype(_dtype(dtype))


def normal(
    shape: Sequence[int], std: float, rng: Rng = None, dtype: npt.DTypeLike = np.float32
) -> npt.NDArray[Any]:
    """Numbers drawn from the normal distribution of mean 0 and deviation ``std``, of any shape."""
    std = finite_float(std, "std", minimum=0)
    return (std * as_generator(rng).standard_normal(tuple(shape))).astype(_dtype(dtype))


def kaiming_normal(
    shape: Sequence[int],
    rng: Rng = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    negative_slope: float = 0.0,
    mode: Mode = "fan_in",
) -> npt.NDArray[Any]:
    """Weights for a layer that ReLU follows: normal, std = √(2 / ((1 + slope²)·fan)).

    He et al., "Delving Deep into Rectifiers", 2015, equations 10 and 15.

    Args:
        shape: See `fan_in_fan_out`.
        rng: See `as_generator`.
        dtype: float32 or float64.
        negative_slope: The slope of the activation on the left: 0 for ReLU, 1 for none.
        mode: "fan_in" keeps the variance of the signal going forward, "fan_out" that of the
            gradient going back.

    Raises:
        ShapeError, TypeError, ValueError: an argument that cannot be.
    """
    return normal(shape, _kaiming_std(shape, negative_slope, mode), rng, dtype)


def kaiming_uniform(
    shape: Sequence[int],
    rng: Rng = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    negative_slope: float = 0.0,
    mode: Mode = "fan_in",
) -> npt.NDArray[Any]:
    """As `kaiming_normal`, but drawn evenly from [-b, b]; b = √3·std makes the variance the same.

    With ``negative_slope=√5`` this is what PyTorch's Conv2d and Linear start with:
    b = √(6 / ((1 + 5)·fan_in)) = 1/√fan_in.
    """
    std = _kaiming_std(shape, negative_slope, mode)
    return uniform(shape, math.sqrt(3.0) * std, rng, dtype)


def xavier_normal(
    shape: Sequence[int],
    rng: Rng = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    gain: float = 1.0,
) -> npt.NDArray[Any]:
    """Weights before sigmoid or tanh: normal, std = gain·√(2 / (fan_in + fan_out)).

    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010, equation 12: between what keeps the signal's variance and what keeps the gradient's.

    Args:
        shape: See `fan_in_fan_out`.
        rng: See `as_generator`.
        dtype: float32 or float64.
        gain: See `calculate_gain`.

    Raises:
        ShapeError, TypeError, ValueError: an argument that cannot be.
    """
    return normal(shape, _xavier_std(shape, gain), rng, dtype)


def xavier_uniform(
    shape: Sequence[int],
    rng: Rng = None,
    dtype: npt.DTypeLike = np.float32,
    *,
    gain: float = 1.0,
) -> npt.NDArray[Any]:
    """As `xavier_normal`, drawn evenly from [-b, b], b = gain·√(6 / (fan_in + fan_out)).

    Glorot & Bengio 2010, equation 16, the "normalized initialization".
    """
    return uniform(shape, math.sqrt(3.0) * _xavier_std(shape, gain), rng, dtype)


def _kaiming_std(shape: Sequence[int], negative_slope: float, mode: Mode) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'mode must be "fan_in" or "fan_out", got {describe(mode)}')
    fan = fan_in_fan_out(shape)[mode == "fan_out"]
    return calculate_gain("leaky_relu", negative_slope) / math.sqrt(fan)


def _xavier_std(shape: Sequence[int], gain: float) -> float:
    gain = finite_float(gain, "gain", minimum=0)
    return gain * math.sqrt(2.0 / sum(fan_in_fan_out(shape)))


def _dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    resolved: np.dtype[Any] = np.dtype(dtype)
    if resolved not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"dtype must be float32 or float64, got {resolved}")
    return resolved
