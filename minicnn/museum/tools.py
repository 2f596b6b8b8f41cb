"""What is wrong outside of layers: losses, optimizers, functions, files; with right ones beside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checkpoint import load, save
from ..gradcheck import gradcheck
from ..layers import Layer
from ..losses import SoftmaxCrossEntropy
from ..optim import Adam
from ..tensor import FloatArray, Tensor

Array = npt.NDArray[Any]


class LogOfZeroCrossEntropy(SoftmaxCrossEntropy):
    """−Σ t·log p, written down as it stands: log 0 is −∞, and 0·log 0 is NaN.

    That the largest score is subtracted keeps eᶻ from overflow, and does not help: e⁻¹⁰⁰⁰ is 0.
    """

    def __call__(self, logits: Any, labels: npt.ArrayLike) -> float:
        z = np.asarray(logits)
        z = z.reshape(len(z), -1)
        super().__call__(z, labels)  # the gradient, p − t, is right
        with np.errstate(all="ignore"):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            t = np.eye(z.shape[1], dtype=z.dtype)[np.asarray(labels)]
            return float(-(t * np.log(p)).sum() / len(z))  # 0 · −∞


class MultiplyingAdam(Adam):
    """The corrections 1 − βᵗ multiply where they should divide: first steps ten times too long.

    m·(1 − β₁)/√(v·(1 − β₂)) in place of m/(1 − β₁)/√(v/(1 − β₂)).
    """

    def _update(self, step: int, *arrays: FloatArray) -> None:
        theta, g, m, v = arrays
        (b1, b2), (c1, c2) = self.betas, (1 - beta**step for beta in self.betas)
        m[...] = b1 * m + (1 - b1) * g
        v[...] = b2 * v + (1 - b2) * g * g
        theta -= self.lr * (m * c1) / (np.sqrt(v * c2) + self.eps)  # should be m / c1, v / c2


def class_map(activations: Array, gradients: Array) -> Array:
    """Grad-CAM's heat map: max(0, Σ_c α_c·A_c), where α_c is the mean of dscore/dA_c.

    Selvaraju et al., "Grad-CAM", 2017, equations 1 and 2. Both arguments are C×H×W.
    """
    alpha = gradients.mean(axis=(1, 2), keepdims=True)
    return np.asarray(np.maximum((alpha * activations).sum(axis=0), 0))


def activation_class_map(activations: Array, gradients: Array) -> Array:
    """The wrong array is averaged: channels count by how active they are, not by what they do."""
    alpha = activations.mean(axis=(1, 2), keepdims=True)  # should be gradients.mean
    return np.asarray(np.maximum((alpha * activations).sum(axis=0), 0))


def im2col(x: Array, kernel: tuple[int, int]) -> Array:
    """The windows of a plane H×W as columns: row u·KW + v holds the pixel (u, v) of each window."""
    KH, KW = kernel
    OH, OW = x.shape[0] - KH + 1, x.shape[1] - KW + 1
    columns = np.empty((KH * KW, OH * OW), x.dtype)
    for row in range(KH * KW):
        u, v = divmod(row, KW)
        columns[row] = x[u : u + OH, v : v + OW].ravel()
    return columns


def square_im2col(x: Array, kernel: tuple[int, int]) -> Array:
    """The row is divided by KH in place of KW: right where the kernel is square, and only there."""
    KH, KW = kernel
    OH, OW = x.shape[0] - KH + 1, x.shape[1] - KW + 1
    columns = np.zeros((KH * KW, OH * OW), x.dtype)
    for row in range(KH * KW):
        u, v = divmod(row, KH)  # should be KW
        window = x[u : u + OH, v : v + OW]
        columns[row].reshape(OH, OW)[: window.shape[0], : window.shape[1]] = window
    return columns


def naive_gradcheck(net: Layer, x: npt.ArrayLike) -> bool:
    """Compares with quotients everywhere, on kinks too: a false alarm for ReLU at x = 0."""
    twin = net.astype(np.float64)
    point = Tensor(np.array(x, np.float64))
    y = twin.forward(point)
    dx = twin.backward(np.ones_like(y.data))
    assert dx is not None
    h, numeric = 1e-6, np.empty_like(point.data)
    for index in np.ndindex(*point.shape):
        ends = []
        for sign in (1, -1):
            moved = point.data.copy()
            moved[index] += sign * h
            ends.append(float(twin.forward(Tensor(moved)).data.sum()))
        numeric[index] = (ends[0] - ends[1]) / (2 * h)
    return bool(np.allclose(numeric, dx.data, atol=1e-6))


def careful_gradcheck(net: Layer, x: npt.ArrayLike) -> bool:
    """`gradcheck`, which tells a kink from a mistake."""
    return bool(gradcheck(net, x))


class RawFile:
    """Weights one after the other as bytes, without a name, a shape or a count."""

    @staticmethod
    def save(path: str | os.PathLike[str], net: Layer) -> None:
        """Write the parameters, and forget the running statistics."""
        Path(path).write_bytes(b"".join(p.data.tobytes() for p in net.parameters()))

    @staticmethod
    def load(path: str | os.PathLike[str], net: Layer) -> None:
        """Read as many bytes as the net asks for; whatever they were."""
        data, place = Path(path).read_bytes(), 0
        for parameter in net.parameters():
            values = np.frombuffer(data[place : place + parameter.data.nbytes], parameter.dtype)
            parameter.data.ravel()[: values.size] = values
            place += parameter.data.nbytes


class DescribedFile:
    """minicnn's own file: it knows each array's name and shape."""

    @staticmethod
    def save(path: str | os.PathLike[str], net: Layer) -> None:
        """Write architecture and weights."""
        save(path, net)

    @staticmethod
    def load(path: str | os.PathLike[str], net: Layer) -> None:
        """Read them into ``net``, or raise an error that names what does not fit."""
        net.load_state_dict(load(path).state_dict())
