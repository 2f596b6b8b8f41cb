"""A net compiled for inference: weights packed, layers fused, buffers planned, one call.

    plan = net.compile((1, 28, 28))
    logits = plan(pictures)                 as net.predict(pictures), to float32 rounding

A plan is what the net was when it was compiled: later training does not reach it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import kernels
from ..errors import ShapeError
from ..kernels._program import Handle, Program, Sizes
from ..tensor import FloatArray, Tensor
from .base import Layer
from .fuse import is_known, known_as, program_of
from .sequential import Sequential
from .using import as_pictures, in_evaluation


class Piece(NamedTuple):
    """Layers in a row that are compiled together, or (without a program) one that is not."""

    layers: list[Layer]
    out_shape: Sizes
    program: Program | None
    names: list[str]


class Plan:
    """What ``net.compile(input_shape)`` makes: call it with pictures.

    Layers of your own, which minicnn cannot see into, run as they are between compiled pieces.
    One plan may be called from several threads.

    Args:
        net: The net, in evaluation mode whatever its mode is.
        input_shape: (C, H, W) of one picture.

    Attributes:
        input_shape, output_shape: C×H×W of a picture and of what is made of it.

    Raises:
        ShapeError: the net cannot take such pictures.
        TypeError: the weights are float64: plans are for work, which is done in float32.
    """

    def __init__(self, net: Layer, input_shape: tuple[int, ...]) -> None:
        sizes = input_shape if isinstance(input_shape, (tuple, list)) else ()
        if len(sizes) != 3 or not all(isinstance(n, int) and n > 0 for n in sizes):
            raise ShapeError(f"compile: input_shape must be (C, H, W), got {input_shape!r}")
        if net.dtype is not None and net.dtype != np.float32:
            raise TypeError(
                f"compile: plans are float32 and the weights are {net.dtype}; "
                f"use predict, or net.astype('float32')"
            )
        self.input_shape: Sizes = (input_shape[0], input_shape[1], input_shape[2])
        self._pieces = pieces_of(net, self.input_shape)
        self.output_shape = self._pieces[-1].out_shape
        self._made_by: object = None
        self._handles: list[Handle] = []

    def __call__(self, x: npt.ArrayLike | Tensor) -> Tensor:
        """The net's output for pictures x.

        Args:
            x: Pictures in any form that `Layer.predict` takes.

        Returns:
            float32, B×``output_shape``; of a classifier, the logits B×K×1×1.

        Raises:
            ShapeError: the pictures are not C×H×W as the plan was made for.
        """
        array = x.data if isinstance(x, Tensor) else x
        if not (
            isinstance(array, np.ndarray)
            and array.ndim == 4
            and array.dtype == np.float32
            and array.flags.c_contiguous
        ):
            array = as_pictures(x, np.float32)
        if array.shape[1:] != self.input_shape:
            raise ShapeError(
                f"plan: x must have shape {('B', *self.input_shape)}, got {array.shape}"
            )
        for piece, handle in zip(self._pieces, self._prepared(), strict=True):
            array = run(piece, handle, array)
        return Tensor._wrap(array)

    def _prepared(self) -> list[Handle]:
        """What the engine in use has made of the programs; made again when it was switched."""
        how = kernels.engine, kernels.winograd
        if self._made_by != how:
            self._handles = [
                None
                if piece.program is None
                else kernels.engine.plan_prepare(piece.program, kernels.winograd)
                for piece in self._pieces
            ]
            self._made_by = how
        return self._handles

    def __repr__(self) -> str:
        lines = [f"Plan {self.input_shape} → {self.output_shape}"]
        for piece, handle in zip(self._pieces, self._prepared(), strict=True):
            if piece.program is None:
                lines.append(f"  {piece.names[0]:<34} as it is, in Python")
                continue
            ways = kernels.engine.plan_algorithms(handle)
            for name, step, way in zip(piece.names, piece.program.steps, ways, strict=True):
                shape = "×".join(str(n) for n in step.out_shape)
                lines.append(f"  {name:<34} {shape:<12} {way}".rstrip())
            numbers = piece.program.chunk + piece.program.batch
            lines.append(f"  between the steps: {4 * numbers / 1024:.1f} KB a picture")
        return "\n".join(lines)

    def __getstate__(self) -> dict[str, object]:
        """For pickles and copies: the programs, without what an engine has made of them."""
        return {**self.__dict__, "_made_by": None, "_handles": []}


def pieces_of(net: Layer, in_shape: Sizes) -> list[Piece]:
    """The net as pieces, each as long as can be; a Sequential is cut between its layers."""
    layers: list[Layer] = list(net) if known_as(net) is Sequential else [net]  # type: ignore
    pieces: list[Piece] = []
    row: list[Layer] = []
    for layer in [*layers, None]:
        if layer is not None and is_known(layer):
            row.append(layer)
            continue
        if row or not (pieces or layer):
            pieces.append(compiled(row, in_shape))
            in_shape, row = pieces[-1].out_shape, []
        if layer is not None:
            out_shape = layer.output_shape((1, *in_shape))[1:]
            pieces.append(Piece([layer], out_shape, None, [layer.name or layer.kind]))
            in_shape = out_shape
    return pieces


def compiled(layers: list[Layer], in_shape: Sizes) -> Piece:
    out_shape = in_shape
    for layer in layers:
        out_shape = layer.output_shape((1, *out_shape))[1:]
    program, names = program_of(layers, in_shape)
    return Piece(layers, out_shape, program, names)


def run(piece: Piece, handle: Handle, x: FloatArray) -> FloatArray:
    """One piece, on all pictures."""
    if piece.program is None:
        with in_evaluation(piece.layers[0]):
            return piece.layers[0].forward(x).data
    B = len(x)
    y = np.empty((B, *piece.out_shape), np.float32)
    rows = x.reshape(B, piece.program.inputs), y.reshape(B, piece.program.outputs)
    kernels.engine.plan_run(handle, *rows, kernels.threads)
    return y
