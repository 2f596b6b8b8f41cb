"""The sides that are measured: minicnn, PyTorch in two memory layouts, ONNX Runtime.

Every side does the same work from the same weights, and it is checked that it gets the same numbers
before anything is timed.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import minicnn as mc

from .nets import POOL, RELU, Conv, Full, Net, Norm

Array = npt.NDArray[Any]
LR, MOMENTUM = 0.01, 0.9


class Trainee(Protocol):
    """A side that trains: a step returns its loss."""

    def step(self) -> float: ...


class Minicnn:
    """minicnn, as a training loop by hand uses it."""

    def __init__(self, net: Net, x: Array, labels: Array) -> None:
        self.net = net.minicnn()
        self.x, self.labels = mc.Tensor(x), labels
        self.loss = mc.SoftmaxCrossEntropy()
        self.optimizer = mc.SGD(self.net.parameters(), LR, momentum=MOMENTUM)

    def step(self) -> float:
        """Forward, loss, backward, update."""
        value = self.loss(self.net(self.x), self.labels)
        self.optimizer.zero_grad()
        self.net.backward(self.loss.backward(), need_dx=False)
        self.optimizer.step()
        return value

    def infer(self, x: Array) -> Array:
        """The outputs in evaluation mode, N×K."""
        return self.net.predict(x, batch_size=len(x)).data.reshape(len(x), -1)


class PyTorch:
    """PyTorch, eager: in its ordinary layout, or with channels last."""

    def __init__(self, net: Net, twin: mc.Sequential, x: Array, labels: Array, last: bool) -> None:
        import torch

        self.torch, self.last = torch, last
        self.module = net.pytorch(twin)
        if last:
            self.module = self.module.to(memory_format=torch.channels_last)
        self.x, self.labels = self.laid_out(x), torch.from_numpy(labels)
        self.optimizer = torch.optim.SGD(self.module.parameters(), LR, momentum=MOMENTUM)

    def laid_out(self, x: Array) -> Any:
        """Pictures as a tensor of this side's layout."""
        tensor = self.torch.from_numpy(x)
        if self.last:
            return tensor.contiguous(memory_format=self.torch.channels_last)
        return tensor

    def step(self) -> float:
        """Forward, loss, backward, update."""
        loss = self.torch.nn.functional.cross_entropy(self.module(self.x), self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def infer(self, x: Any) -> Array:
        """The outputs in evaluation mode, N×K."""
        with self.torch.no_grad():
            result: Array = self.module(x).numpy()
        return result


class OnnxRuntime:
    """ONNX Runtime, with the weights of a minicnn net, on so many threads."""

    def __init__(self, net: Net, twin: mc.Sequential, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            onnx_model(net, twin), options, providers=["CPUExecutionProvider"]
        )

    def infer(self, x: Array) -> Array:
        """The outputs, N×K."""
        result: Array = self.session.run(None, {"x": x})[0]
        return result


def has(module: str) -> bool:
    """Whether a peer is installed."""
    return importlib.util.find_spec(module) is not None


def onnx_model(net: Net, twin: mc.Sequential) -> bytes:
    """The net in evaluation mode as an ONNX file, for any batch size."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, value = [], [], "x"
    layers = [layer for layer in twin if not isinstance(layer, mc.Flatten)]
    for k, (part, layer) in enumerate(zip(net.parts, layers, strict=True)):
        names = []
        arrays = layer.state_dict()
        order = ("weight", "bias", "running_mean", "running_var")
        for name in order:
            if name in arrays:
                names.append(f"{name}{k}")
                weights.append(numpy_helper.from_array(arrays[name], f"{name}{k}"))
        kind, options = "Relu", {}
        if isinstance(part, Conv):
            kind = "Conv"
            options = {"strides": [part.stride] * 2, "pads": [part.padding] * 4}
        elif isinstance(part, Norm):
            kind, options = "BatchNormalization", {"epsilon": 1e-5}
        elif isinstance(part, Full):
            nodes.append(helper.make_node("Flatten", [value], [f"flat{k}"]))
            kind, options, value = "Gemm", {"transB": 1}, f"flat{k}"
        elif part == POOL:
            kind, options = "MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}
        else:
            assert part == RELU
        nodes.append(helper.make_node(kind, [value, *names], [f"y{k}"], **options))
        value = f"y{k}"
    shapes = [(value, ["N", net.classes]), ("x", ["N", *net.picture])]
    outputs, inputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name, shape in shapes
    )
    graph = helper.make_graph(nodes, net.name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    result: bytes = model.SerializeToString()
    return result


def same(mine: Any, theirs: Any, what: str) -> None:
    """Refuse to time two sides that compute different things."""
    a, b = np.asarray(mine, np.float64), np.asarray(theirs, np.float64)
    error = float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
    if not error < 2e-3:
        raise SystemExit(f"{what}: the sides disagree by {error:.1e}; nothing was timed")
