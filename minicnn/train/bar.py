"""The progress bar: one line an epoch, in a terminal or a notebook."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from .scores import Scores


def is_wanted(progress: bool | None) -> bool:
    """``progress`` itself, or for None: whether a person is looking (a terminal, a notebook)."""
    if progress is not None:
        return progress
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())


class Bar:
    """Shows an epoch as it goes; without tqdm, one line at its end.

    Args:
        shown: False to stay silent.
        title: Such as "epoch 3/10".
        total: Batches of the epoch.
        done: Batches that were done before.
    """

    def __init__(self, shown: bool, title: str, total: int, done: int) -> None:
        self._shown = shown
        self._title = title
        self._tqdm: Any = None
        make = _tqdm() if shown else None
        if make is not None:
            self._tqdm = make(
                desc=title,
                total=total,
                initial=done,
                bar_format="{desc} |{bar}| {elapsed}<{remaining}{postfix}",
            )

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tqdm is not None:
            self._tqdm.close()

    def step(self, scores: Scores, seconds: float) -> None:
        """One more batch is done; tqdm redraws ten times a second at most."""
        if self._tqdm is not None:
            self._tqdm.set_postfix_str(_text(scores, seconds), refresh=False)
            self._tqdm.update()

    def finish(self, scores: Scores, seconds: float, valid: Scores | None) -> None:
        """The epoch is over: show its result."""
        text = _text(scores, seconds)
        if valid is not None:
            text += f", valid {_result(valid)}"
        if self._tqdm is not None:
            self._tqdm.bar_format = "{desc} |{bar}| {elapsed}{postfix}"
            self._tqdm.set_postfix_str(text, refresh=True)
        elif self._shown:
            print(f"{self._title}: {text}", file=sys.stderr, flush=True)


def _text(scores: Scores, seconds: float) -> str:
    """Short enough for a terminal of 80 columns, with all that stands before and after it."""
    speed = f"{scores.images / max(seconds, 1e-9):.0f} img/s"
    if scores.accuracy is None:
        return f"loss {scores.loss:.4f}, {speed}"
    return f"loss {scores.loss:.4f}, acc {scores.accuracy:.2%}, {speed}"


def _result(scores: Scores) -> str:
    return f"{scores.loss:.4f}" if scores.accuracy is None else f"{scores.accuracy:.2%}"


def _tqdm() -> Any:
    """The bar that fits the place (tqdm.auto knows notebooks), or None if tqdm is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # in a notebook without ipywidgets it warns and works
            from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
