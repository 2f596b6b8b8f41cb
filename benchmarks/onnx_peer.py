"""ONNX Runtime as a side: the net in evaluation mode as an ONNX file, with minicnn's weights."""

from __future__ import annotations

import importlib
from typing import Any

import minicnn as mc

from .nets import POOL, RELU, WEIGHTS, Array, Conv, Full, Net, Norm, Part, Task
from .timing import Side


def onnx_runtime(task: Task, threads: int) -> Side:
    """Inference by a session with all its optimisations, on so many threads."""
    onnxruntime = importlib.import_module("onnxruntime")  # it has no type annotations

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    model = onnx_model(task.net, task.net.minicnn())
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    x, _ = task.data()

    def infer() -> Array:
        result: Array = session.run(None, {"x": x})[0]
        return result

    return infer


def onnx_model(net: Net, twin: mc.Sequential) -> bytes:
    """The net in evaluation mode as an ONNX file, for any batch size."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, value = [], [], "x"
    layers = [layer for layer in twin if not isinstance(layer, mc.Flatten)]
    for k, (part, layer) in enumerate(zip(net.parts, layers, strict=True)):
        arrays = layer.state_dict()
        names = [name for name in WEIGHTS if name in arrays]
        weights += [numpy_helper.from_array(arrays[name], f"{name}{k}") for name in names]
        if isinstance(part, Full):
            nodes.append(helper.make_node("Flatten", [value], [f"flat{k}"]))
            value = f"flat{k}"
        kind, options = operator(part)
        needs = [value, *(f"{name}{k}" for name in names)]
        nodes.append(helper.make_node(kind, needs, [f"y{k}"], **options))
        value = f"y{k}"
    kind_of_number = TensorProto.FLOAT
    given = helper.make_tensor_value_info("x", kind_of_number, ["N", *net.picture])
    result = helper.make_tensor_value_info(value, kind_of_number, ["N", net.classes])
    graph = helper.make_graph(nodes, net.name, [given], [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return bytes(model.SerializeToString())


def operator(part: Part) -> tuple[str, dict[str, Any]]:
    """A part's name and settings in ONNX."""
    if isinstance(part, Conv):
        return "Conv", {"strides": [part.stride] * 2, "pads": [part.padding] * 4}
    if isinstance(part, Norm):
        return "BatchNormalization", {"epsilon": 1e-5}
    if isinstance(part, Full):
        return "Gemm", {"transB": 1}
    if part == POOL:
        return "MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}
    assert part == RELU
    return "Relu", {}
