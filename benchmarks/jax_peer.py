"""JAX as a side: pure functions under jit, N×H×W×C as its users write it, minicnn's weights."""

from __future__ import annotations

from typing import Any

import numpy as np

import minicnn as mc

from .nets import LR, MOMENTUM, POOL, WEIGHTS, Array, Conv, Full, Net, Norm, Task
from .timing import Side

EPS, KEEP = 1e-5, 0.9  # of BatchNorm, as in minicnn and PyTorch


def jax_jit(task: Task, threads: int) -> Side:
    """A training step or an inference, compiled. It has as many threads as it is given processors.

    (The number cannot be set otherwise, so ``threads`` is for those who start the process.)
    """
    import jax

    pictures, labels = task.data()
    x = jax.numpy.asarray(pictures.transpose(0, 2, 3, 1))
    finished: Any = jax.block_until_ready
    weights = parameters(task.net, task.net.minicnn())
    if task.work == "infer":
        evaluate = jax.jit(lambda weights, x: forward(task.net, weights, x, False)[0])
        return lambda: np.asarray(evaluate(weights, x))
    advance = jax.jit(lambda *state: step(task.net, *state))
    state = weights, jax.tree.map(jax.numpy.zeros_like, weights)

    def train() -> float:
        nonlocal state
        state, loss = finished(advance(*state, x, labels))
        return float(loss)

    return train


def parameters(net: Net, twin: mc.Sequential) -> list[dict[str, Any]]:
    """The weights, a dictionary for each part, laid out for JAX: H×W×I×O and I×O."""
    import jax.numpy as jnp

    layers = [layer for layer in twin if not isinstance(layer, mc.Flatten)]
    orders: dict[type, tuple[int, ...]] = {Conv: (2, 3, 1, 0), Full: (1, 0)}
    result = []
    for part, layer in zip(net.parts, layers, strict=True):
        state = layer.state_dict()
        arrays: dict[str, Array] = {name: state[name] for name in WEIGHTS if name in state}
        if type(part) in orders:
            arrays = {**arrays, "weight": arrays["weight"].transpose(orders[type(part)])}
        result.append({name: jnp.asarray(array) for name, array in arrays.items()})
    return result


def forward(net: Net, weights: list[dict[str, Any]], x: Any, training: bool) -> tuple[Any, Any]:
    """The outputs, and the weights with BatchNorm's running averages moved on."""
    import jax
    from jax import lax

    moved = list(weights)
    for k, (part, w) in enumerate(zip(net.parts, weights, strict=True)):
        if isinstance(part, Conv):
            padding = [(part.padding, part.padding)] * 2
            letters = ("NHWC", "HWIO", "NHWC")
            strides = (part.stride, part.stride)
            x = lax.conv_general_dilated(
                x, w["weight"], strides, padding, dimension_numbers=letters
            )
            x = x + w["bias"]
        elif isinstance(part, Norm):
            x, moved[k] = batch_norm(x, w, training)
        elif isinstance(part, Full):
            if x.ndim == 4:  # the weights expect channels first
                x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
            x = x @ w["weight"] + w["bias"]
        elif part == POOL:
            x = lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        else:
            x = jax.nn.relu(x)
    return x, moved


def batch_norm(x: Any, w: dict[str, Any], training: bool) -> tuple[Any, dict[str, Any]]:
    """Normalised, and the weights with the running averages moved on."""
    from jax import lax

    mean, var, moved = w["running_mean"], w["running_var"], w
    if training:
        count = x.size // x.shape[-1]
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        new = {"running_mean": mean, "running_var": var * count / (count - 1)}
        new = {name: KEEP * w[name] + (1 - KEEP) * lax.stop_gradient(new[name]) for name in new}
        moved = {**w, **new}
    return (x - mean) * (w["weight"] * lax.rsqrt(var + EPS)) + w["bias"], moved


def step(net: Net, weights: Any, velocity: Any, x: Any, labels: Any) -> Any:
    """Forward, cross entropy, backward, SGD with momentum: the new state and the loss."""
    import jax
    import jax.numpy as jnp

    def loss(weights: Any) -> tuple[Any, Any]:
        logits, moved = forward(net, weights, x, True)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return -chosen.mean(), moved

    (value, moved), gradient = jax.value_and_grad(loss, has_aux=True)(weights)
    # Running averages have no gradient: zero leaves them as they are.
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, gradient)
    weights = jax.tree.map(lambda w, v: w - LR * v, moved, velocity)
    return (weights, velocity), value
