"""Where a training stands, in numbers that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..tensor import Tensor
from .scores import Scores


@dataclass
class Position:
    """Everything that the trainer itself counts.

    Attributes:
        epoch: Epochs that are done, their validation included.
        start: Epochs that were done when this ``fit`` began.
        step: Steps of the optimizer.
        batch: Batches of the epoch under way that are done.
        batches: How many it has.
        passed: Whether the epoch under way lacks nothing but its validation.
        scores: Its sums so far.
        best: The best score so far, a list that is compared entry by entry, higher being better;
            None before the first.
        best_epoch: Its epoch, from 1.
        stale: Epochs since then.
        seconds: Training time of the epoch under way; not in `to_json`, being a clock's.
    """

    epoch: int = 0
    start: int = 0
    step: int = 0
    batch: int = 0
    batches: int = 0
    passed: bool = False
    scores: Scores = field(default_factory=Scores)
    best: list[float] | None = None
    best_epoch: int | None = None
    stale: int = 0
    seconds: float = 0.0

    @property
    def is_mid_epoch(self) -> bool:
        """Whether an epoch has begun and is not done."""
        return self.batch > 0 or self.passed

    def begin_epoch(self) -> None:
        """Forget the epoch under way."""
        self.batch, self.passed, self.seconds, self.scores = 0, False, 0.0, Scores()

    def count(self, loss: float, outputs: Tensor, targets: Any) -> None:
        """One more batch is done, and with it one more step."""
        self.scores.add(loss, outputs, targets)
        self.step += 1
        self.batch += 1

    def to_json(self) -> dict[str, Any]:
        """Everything but the clock's reading."""
        numbers = asdict(self)
        del numbers["seconds"]
        return numbers

    @classmethod
    def from_json(cls, numbers: Mapping[str, Any]) -> Position:
        """What `to_json` gave.

        Raises:
            TypeError: entries are missing or unknown.
        """
        names = set(asdict(cls())) - {"seconds"}
        if numbers.keys() != names:
            raise TypeError(f"position has the entries {sorted(numbers)}, not {sorted(names)}")
        return cls(**{**numbers, "scores": Scores(**numbers["scores"])})
