"""Optimizer: what all optimizers have in common.

An optimizer states its rule in `Optimizer._update`, on a parameter θ, its gradient g and the
optimizer's own arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import CheckpointError, describe, finite_float, nonnegative_int
from ..tensor import FloatArray, Parameter

State = dict[str, Any]


class Optimizer:
    """What all optimizers share: the parameters, the learning rate, the state.

    A parameter whose ``grad`` is None (no ``backward`` since ``zero_grad``) is left as it is, and
    so is the state that belongs to it.

    Args:
        params: The parameters to improve, as ``net.parameters()`` gives them.
        lr: Learning rate, at least 0. ``optimizer.lr = ...`` changes it between steps.
        weight_decay: At least 0; each optimizer says what it does with it.

    Attributes:
        params: The parameters, a list.

    Raises:
        TypeError: ``params`` holds something else than Parameters, or a setting is no number.
        ValueError: no parameters, the same one twice, or a setting out of bounds.
    """

    slots: tuple[str, ...] = ()
    """Names of the arrays kept for each parameter, zero at the start."""

    def __init__(self, params: Iterable[Parameter], lr: float, weight_decay: float = 0.0) -> None:
        self.params = parameter_list(params)
        if not self.params:
            raise ValueError("params must hold at least one Parameter, got none")
        if len({id(parameter) for parameter in self.params}) != len(self.params):
            raise ValueError("params must hold each Parameter once, got one of them several times")
        self.lr = lr
        self.weight_decay = finite_float(weight_decay, "weight_decay", minimum=0)
        self._step = 0
        self._steps = [0] * len(self.params)
        self._state = [self._zeros(parameter) for parameter in self.params]

    @property
    def lr(self) -> float:
        """The learning rate of the next step; finite and at least 0."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = finite_float(value, "lr", minimum=0)

    def zero_grad(self) -> None:
        """Mark the gradients of all parameters as void."""
        for parameter in self.params:
            parameter.zero_grad()

    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        self._step += 1
        for index, parameter in enumerate(self.params):
            theta, grad, own = parameter.data, parameter.grad, self._state[index]
            if grad is None:
                continue
            self._steps[index] += 1
            if own and own[0].dtype != theta.dtype:  # the net was converted
                self._state[index] = own = tuple(array.astype(theta.dtype) for array in own)
            # Views: parameters are C-contiguous, and ravel makes one in half of reshape's time.
            self._update(self._steps[index], theta.ravel(), grad.ravel(), *own)

    def state_dict(self) -> State:
        """What this optimizer remembers, as copies: continuing from it is bit for bit the same.

        Returns:
            "step" (int, calls of ``step()``), "steps" (int64, for each parameter the steps in which
            it had a gradient), "lr" (float), and for each parameter i and each kind of array
            "name.i" (for example "velocity.0"), in the parameter's shape and dtype.
        """
        arrays = {key: array.copy() for key, array in self._arrays().items()}
        steps = np.array(self._steps, np.int64)
        return {"step": self._step, "steps": steps, "lr": self.lr, **arrays}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; on an error nothing is changed.

        Raises:
            CheckpointError: an entry is missing, unknown, or of another shape or dtype: the state
                is that of another optimizer or of another net.
        """
        kind = type(self).__name__
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be what state_dict() gave, got {describe(state)}")
        own = self._arrays()
        counts = np.zeros(len(self.params), np.int64)
        _check_keys({"step", "lr", "steps", *own}, set(state), kind)
        for key, mine in {"steps": counts, **own}.items():
            theirs = np.asarray(state[key])
            if theirs.shape != mine.shape or theirs.dtype != mine.dtype:
                raise CheckpointError(
                    f"{kind}: {key} must be {mine.dtype} of shape {mine.shape}, "
                    f"got {theirs.dtype} of shape {theirs.shape}"
                )
        try:
            step = nonnegative_int(np.asarray(state["step"]).item(), "step")
            lr = finite_float(np.asarray(state["lr"]).item(), "lr", minimum=0)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{kind}: {error}") from None
        counts[...] = state["steps"]
        if counts.min() < 0 or counts.max() > step:
            raise CheckpointError(f"{kind}: steps must be from 0 to step={step}, got {counts}")
        self._step, self._steps, self.lr = step, counts.tolist(), lr
        for key, mine in own.items():
            mine[...] = state[key]

    def config(self) -> dict[str, Any]:
        """The optimizer's name ("type") and settings, JSON-able."""
        return {"type": type(self).__name__, "lr": self.lr, **self._settings()}

    def __repr__(self) -> str:
        settings = {"lr": self.lr, **self._settings()}
        text = ", ".join(f"{key}={value}" for key, value in settings.items())
        return f"{type(self).__name__}({len(self.params)} parameters, {text})"

    # --- what a subclass writes ---------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        return {"weight_decay": self.weight_decay}

    def _update(self, step: int, *arrays: FloatArray) -> None:
        """Apply the rule, in place: θ, g, the arrays of `slots`, all flat; g stays as it is.

        ``step`` counts from 1 the steps in which this parameter had a gradient.
        """
        raise NotImplementedError

    def _arrays(self) -> dict[str, FloatArray]:
        """The arrays themselves, in their parameter's shape, by their names in the state."""
        return {
            f"{name}.{index}": array.reshape(parameter.shape)
            for index, parameter in enumerate(self.params)
            for name, array in zip(self.slots, self._state[index], strict=True)
        }

    def _zeros(self, parameter: Parameter) -> tuple[FloatArray, ...]:
        """Zeros for each of `slots`; flat, as `_update` takes them."""
        return tuple(np.zeros(parameter.size, parameter.dtype) for _ in self.slots)


def parameter_list(params: Iterable[Parameter]) -> list[Parameter]:
    """``params`` as a list that holds Parameters and nothing else, or a TypeError."""
    try:
        listed = list(params)
    except TypeError:
        raise TypeError(
            f"params must be Parameters as net.parameters() gives them, got {describe(params)}"
        ) from None
    for parameter in listed:
        if not isinstance(parameter, Parameter):
            raise TypeError(
                "params must hold Parameters, as net.parameters() gives them, "
                f"got {describe(parameter)}"
            )
    return listed


def _check_keys(expected: set[str], got: set[str], kind: str) -> None:
    if expected == got:
        return
    differences = [
        f"{what} {', '.join(sorted(keys)[:4])}{' …' if len(keys) > 4 else ''}"
        for what, keys in (("missing", expected - got), ("unknown", got - expected))
        if keys
    ]
    raise CheckpointError(f"this is no state of this {kind}: {'; '.join(differences)}")
