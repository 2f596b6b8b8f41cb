"""Printing that never harms what is going on: to a reader who left, or in another alphabet."""

from __future__ import annotations

import codecs
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ASCII = {"×": "x", "–": "-", "─": "-", "…": "...", "→": "->", "μ": "u", "²": "2"}


def _transliterate(error: UnicodeError) -> tuple[str, int]:
    """For `codecs.register_error`: the nearest ASCII, or a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_ASCII.get(letter, "?") for letter in text), error.end


def prepare_streams() -> None:
    """Let standard output and error take every letter, and be there at all."""
    codecs.register_error("minicnn", _transliterate)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure") and stream.errors == "strict":
            stream.reconfigure(errors="minicnn")


def say(text: str) -> None:
    """Print a line now. If whoever read our output has gone (``minicnn … | head``), go on."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        silence()


def silence() -> None:
    """Send all further output nowhere; Python would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def short_warnings() -> Iterator[None]:
    """Show a warning as one line, without the line of source that caused it.

    What minicnn has to say to whoever gave the command is said, whatever the filters are (``-W
    error``, a warning seen before). Other warnings pass through them as usual.
    """

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"minicnn: warning: {' '.join(str(message).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.filterwarnings("always", category=UserWarning, module=r"minicnn\.commands\.")
        yield
