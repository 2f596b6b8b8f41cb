"""Steps of optimizers and the length of gradients; see reference.py for what each computes."""

from typing import Any

import numpy.typing as npt

_Array = npt.NDArray[Any]

def sgd_update(
    theta: _Array,
    g: _Array,
    v: _Array | None,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
    num_threads: int,
) -> None: ...
def adam_update(
    theta: _Array,
    g: _Array,
    m: _Array,
    v: _Array,
    lr: float,
    beta_1: float,
    beta_2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: int,
    num_threads: int,
) -> None: ...
def sum_of_squares(g: _Array, num_threads: int) -> float: ...
