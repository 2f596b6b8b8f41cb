"""Training: the `Trainer`, its callbacks, and what happens when something goes wrong.

The loop itself is `Trainer._train_pass`, twenty-odd lines; everything else here is about being
interrupted, going on, and saying what happened.
"""

from __future__ import annotations

from ..history import History
from .callbacks import Callback
from .interrupt import Interrupted
from .scores import Scores, evaluate
from .trainer import Trainer

__all__ = ["Callback", "History", "Interrupted", "Scores", "Trainer", "evaluate"]
