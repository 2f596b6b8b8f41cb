"""The errors minicnn raises, and the small checks that everything shares.

A check names the argument, says what was expected and what came, and returns the value in the form
that the caller works with, so that a constructor reads ``self.stride = pair(stride, "stride")``.
"""

from __future__ import annotations

import math
import operator
from typing import Any, SupportsIndex


class ShapeError(ValueError):
    """An array has the wrong number of axes or the wrong sizes."""


class DataError(ValueError):
    """A data file or picture is missing, damaged, or not what it is said to be."""


class CheckpointError(ValueError):
    """A checkpoint is damaged, too new, or belongs to another architecture."""


class UnknownLayerError(ValueError):
    """A description names a class that nobody has imported.

    Attributes:
        kind: The name of the class.
    """

    remedy = "define or import its class first"
    """What the message says is to be done; a command knows a better way, and says that instead."""

    def __init__(self, kind: object, known: str) -> None:
        super().__init__(
            f"the architecture has a layer {kind!r} that is not known here; {self.remedy} "
            f"(known: {known})"
        )
        self.kind = str(kind)


class UsageError(ValueError):
    """The command line was used wrongly: exit code 2."""


class NonFiniteError(ArithmeticError):
    """Training met a loss, output or gradient that is NaN or infinite."""


def describe(value: object) -> str:
    """A short text of ``value`` for an error message: its type, and its value if that is short."""
    text = repr(value)
    return f"{text} ({type(value).__name__})" if len(text) <= 60 else type(value).__name__


def _integer(value: Any, name: str, expected: str) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{name} must be {expected}, got {describe(value)}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be {expected}, got {describe(value)}") from None


def integer_at_least(value: SupportsIndex, name: str, minimum: int) -> int:
    """``value`` as an int that is at least ``minimum``.

    Raises:
        TypeError: it is not an integer (a bool is not one either).
        ValueError: it is below ``minimum``.
    """
    expected = f"an integer of at least {minimum}"
    number = _integer(value, name, expected)
    if number < minimum:
        raise ValueError(f"{name} must be {expected}, got {number}")
    return number


def positive_int(value: SupportsIndex, name: str) -> int:
    """``value`` as an int of at least 1; see `integer_at_least`."""
    return integer_at_least(value, name, 1)


def nonnegative_int(value: SupportsIndex, name: str) -> int:
    """``value`` as an int of at least 0; see `integer_at_least`."""
    return integer_at_least(value, name, 0)


def pair(value: Any, name: str, minimum: int = 1) -> tuple[int, int]:
    """A size given as an int or an (h, w) pair, as a pair of ints of at least ``minimum``.

    Raises:
        TypeError: it is neither an integer nor a pair of integers.
        ValueError: it has another length than two, or an entry below ``minimum``.
    """
    expected = f"an integer or an (h, w) pair of integers of at least {minimum}"
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} must be {expected}, got {describe(value)}")
        entries = tuple(value)
    else:
        entries = (value, value)
    height, width = (_integer(entry, name, expected) for entry in entries)
    if height < minimum or width < minimum:
        raise ValueError(f"{name} must be {expected}, got {describe(value)}")
    return height, width


def finite_float(
    value: Any,
    name: str,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """``value`` as a finite float within the bounds given.

    ``minimum`` and ``maximum`` are allowed values themselves, ``above`` and ``below`` are not.

    Raises:
        TypeError: it is not a real number.
        ValueError: it is NaN, infinite or out of bounds.
    """
    limits = [
        text
        for bound, text in (
            (minimum, f"at least {minimum}"),
            (above, f"above {above}"),
            (maximum, f"at most {maximum}"),
            (below, f"below {below}"),
        )
        if bound is not None
    ]
    expected = " ".join(["a finite number", " and ".join(limits)]).strip()
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{name} must be {expected}, got {describe(value)}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be {expected}, got {describe(value)}") from None
    inside = (
        math.isfinite(number)
        and (minimum is None or number >= minimum)
        and (maximum is None or number <= maximum)
        and (above is None or number > above)
        and (below is None or number < below)
    )
    if not inside:
        raise ValueError(f"{name} must be {expected}, got {number}")
    return number


def boolean(value: Any, name: str) -> bool:
    """``value`` as a bool: True, False, or NumPy's.

    Raises:
        TypeError: it is anything else; what counts as true is a source of mistakes.
    """
    if not isinstance(value, bool) and type(value).__name__ not in ("bool_", "bool"):
        raise TypeError(f"{name} must be True or False, got {describe(value)}")
    return bool(value)


def probability(value: Any, name: str) -> float:
    """``value`` as a float from 0 to 1, both allowed; see `finite_float`."""
    return finite_float(value, name, 0, 1)
