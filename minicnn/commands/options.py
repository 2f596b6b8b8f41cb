"""What the options of the command line take, for argparse: each says what it expected."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(minimum: int, maximum: int = 2**63) -> Callable[[str], int]:
    """For argparse: an integer from ``minimum`` to ``maximum``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = minimum - 1
        if not minimum <= value <= maximum:
            limit = f" to {maximum}" if maximum < 2**63 else ""
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {minimum}{limit}, got {text!r}"
            )
        return value

    return parse


def number(minimum: float, allowed: bool = True) -> Callable[[str], float]:
    """For argparse: a finite number from ``minimum`` on, itself allowed or not."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not (minimum <= value < float("inf")) or (value == minimum and not allowed):
            bound = "from" if allowed else "above"
            raise argparse.ArgumentTypeError(f"expected a number {bound} {minimum}, got {text!r}")
        return value

    return parse


def fill(text: str) -> float | str:
    """For argparse: a grey from 0 to 1, or the word auto."""
    if text == "auto":
        return text
    try:
        value = number(0)(text)
    except argparse.ArgumentTypeError:
        value = 2.0
    if value > 1:
        raise argparse.ArgumentTypeError(f"expected auto, or a grey from 0 to 1, got {text!r}")
    return value


def share(text: str) -> float:
    """For argparse: a number from 0 up to 0.5."""
    value = number(0)(text)
    if value > 0.5:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 0.5, got {text!r}")
    return value


def picture_shape(text: str) -> tuple[int, ...]:
    """For argparse: C,H,W or B,C,H,W, with commas, × or x between."""
    parts = text.replace("×", ",").replace("x", ",").split(",")
    if len(parts) not in (3, 4) or not all(part.strip().isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"expected C,H,W such as 1,28,28, got {text!r}")
    sizes = tuple(int(part) for part in parts)
    if 0 in sizes:
        raise argparse.ArgumentTypeError(f"expected sizes of at least 1, got {text!r}")
    return sizes
