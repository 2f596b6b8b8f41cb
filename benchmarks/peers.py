"""The sides that are measured: minicnn, PyTorch in three ways, ONNX Runtime, JAX.

Every side does the same work on the same data from the same weights, and it is checked that it gets
the same numbers before anything is timed. A side is a function without arguments that returns what
it computed: the loss of a training step, or the outputs of an inference.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minicnn as mc

from .goals import ONNX_RUNTIME, PYTORCH
from .jax_peer import jax_jit
from .nets import LR, MOMENTUM, Array, Task
from .onnx_peer import onnx_runtime
from .timing import Side

MINICNN = "minicnn"
CHANNELS_LAST, COMPILED, JAX = "PyTorch channels_last", "PyTorch compiled", "JAX"


class Peer(NamedTuple):
    """A library, or a way of using it: what to import, how to build a side, what it can do."""

    modules: tuple[str, ...]
    build: Callable[[Task, int], Side]
    works: tuple[str, ...] = ("train", "infer")
    slow_start: bool = False  # compiles for seconds: not for a quick run

    @property
    def installed(self) -> bool:
        """Whether this peer can be had here."""
        return all(importlib.util.find_spec(module) is not None for module in self.modules)


def minicnn_side(task: Task, threads: int) -> Side:
    """minicnn, as a training loop by hand uses it; inference by a compiled plan."""
    mc.set_num_threads(threads)
    net, (pictures, labels) = task.net.minicnn(), task.data()
    if task.work == "infer":
        plan = net.compile(task.net.picture)
        return lambda: plan(pictures).data.reshape(task.batch, -1)
    x, loss = mc.Tensor(pictures), mc.SoftmaxCrossEntropy()
    optimizer = mc.SGD(net.parameters(), LR, momentum=MOMENTUM)

    def step() -> float:
        value = loss(net(x), labels)
        optimizer.zero_grad()
        net.backward(loss.backward(), need_dx=False)
        optimizer.step()
        return value

    return step


def pytorch(channels_last: bool = False, compiled: bool = False) -> Callable[[Task, int], Side]:
    """PyTorch: eager as people write it, with channels last, compiled by its default mode."""

    def build(task: Task, threads: int) -> Side:
        import torch

        torch.set_num_threads(threads)
        module, (pictures, numbers) = task.net.pytorch(task.net.minicnn()), task.data()
        x, labels = torch.from_numpy(pictures), torch.from_numpy(numbers)
        if channels_last:
            module = module.to(memory_format=torch.channels_last)
            x = x.contiguous(memory_format=torch.channels_last)
        run = module
        if compiled:
            torch.compiler.reset()  # it gives up on a class of modules compiled too often
            run = torch.compile(module)
        return _inference(module, run, x) if task.work == "infer" else _step(module, run, x, labels)

    return build


def _step(module: Any, run: Any, x: Any, labels: Any) -> Side:
    """Forward, loss, backward, update."""
    import torch

    optimizer = torch.optim.SGD(module.parameters(), LR, momentum=MOMENTUM)

    def step() -> float:
        loss: Any = torch.nn.functional.cross_entropy(run(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def _inference(module: Any, run: Any, x: Any) -> Side:
    """The outputs in evaluation mode."""
    import torch

    module.eval()

    def infer() -> Array:
        with torch.no_grad():
            result: Array = run(x).numpy()
        return result

    return infer


PEERS = {
    MINICNN: Peer(("minicnn",), minicnn_side),
    PYTORCH: Peer(("torch",), pytorch()),
    CHANNELS_LAST: Peer(("torch",), pytorch(channels_last=True)),
    COMPILED: Peer(("torch",), pytorch(channels_last=True, compiled=True), slow_start=True),
    ONNX_RUNTIME: Peer(("onnxruntime", "onnx"), onnx_runtime, ("infer",)),
    JAX: Peer(("jax",), jax_jit, slow_start=True),
}
WAYS_OF_PYTORCH = (PYTORCH, CHANNELS_LAST, COMPILED)


class DisagreementError(Exception):
    """Two sides compute different things, and so must not be timed."""


def same(mine: Any, theirs: Any, what: str) -> None:
    """Refuse to time two sides that compute different things."""
    a, b = np.asarray(mine, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        raise DisagreementError(f"{what}: shapes {a.shape} and {b.shape}; nothing was timed")
    error = float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
    if not error < 2e-3:
        raise DisagreementError(f"{what}: the sides disagree by {error:.1e}; nothing was timed")
