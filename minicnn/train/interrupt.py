"""Ctrl-C in the middle of training: finish the step first."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..history import History


class Interrupted(KeyboardInterrupt):
    """Training was stopped by Ctrl-C (or SIGTERM), in good order: everything is saved.

    It is a KeyboardInterrupt, so that a script or a notebook that knows nothing of it stops too,
    and does not take half a training for a whole one.

    Attributes:
        history: What was recorded so far.
        signum: The signal: ``signal.SIGINT`` or ``signal.SIGTERM``.
    """

    def __init__(self, message: str, history: History, signum: int) -> None:
        super().__init__(message)
        self.history = history
        self.signum = signum


class Interrupt:
    """In this block, a first Ctrl-C or SIGTERM is only noted; a second one acts at once.

    The handlers that were there before are put back at the end. Signals that are ignored stay so,
    a SIGTERM that the program handles itself is left to it, and outside the main thread, where
    Python knows no handlers, nothing is done at all.

    Attributes:
        signum: The signal that came; None before.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            if callable(signal.getsignal(signal.SIGINT)):
                self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._note)
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                self._before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        while self._before:
            signum, handler = self._before.popitem()
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is None:
            self.signum = signum
        else:
            self.__exit__()
            signal.raise_signal(signum)
