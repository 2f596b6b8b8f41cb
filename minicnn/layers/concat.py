"""Concat: several branches look at the same x, and their channels are put side by side.

    y = [f₁(x), f₂(x), …] along C            dL/dx = Σ_k (∂f_k/∂x)ᵀ dy[channels of branch k]

Backward cuts dy into the branches' channels; x was used by all of them, so what they send back adds
up. (Szegedy et al., "Going deeper with convolutions", 2015.)
"""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..tensor import FloatArray
from .base import Layer, Shape, reusing_buffers
from .sequential import Container, check_passes, passes


class Concat(Container):
    """Branches side by side, joined along the channels.

    Args:
        layers: The branches, at least one; ``Sequential()`` passes x itself on.

    Raises:
        ValueError: there is no branch.
        ShapeError: at output_shape or forward, branches differ in B, H or W.
    """

    kind = "concat"
    chains_children = False

    def __init__(self, *layers: Layer) -> None:
        super().__init__(*layers)
        if not layers:
            raise ValueError("Concat needs at least one branch")

    def output_shape(self, in_shape: Shape) -> Shape:
        shapes = [branch.output_shape(in_shape) for branch in self.layers]
        B, _, H, W = shapes[0]
        for branch, shape in zip(self.layers, shapes, strict=True):
            if (shape[0], *shape[2:]) != (B, H, W):
                raise ShapeError(
                    f"{self.label}: branches must agree in B, H and W; {self.layers[0].label} "
                    f"makes {shapes[0]} of {in_shape} and {branch.label} makes {shape}"
                )
        return B, sum(shape[1] for shape in shapes), H, W

    def _forward(self, x: FloatArray) -> FloatArray:
        with reusing_buffers(self):
            parts = [branch._run(x) for branch in self.layers]
        y = self.buffer("y", self._out_shape, parts[0].dtype)
        np.concatenate(parts, axis=1, out=y)
        self.save([part.shape[1] for part in parts], passes(self.layers))
        return y

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        channels, kept = self.saved
        check_passes(self, self.layers, kept)
        dx: FloatArray | None = None
        end = np.cumsum(channels)
        for k, branch in enumerate(self.layers):
            with reusing_buffers(self):
                cut = dy[:, end[k] - channels[k] : end[k]]
                part = self._contiguous(cut)
                back = branch._run_back(part, need_dx)
            if back is None:
                continue
            if dx is None:
                dx = self.borrow(back.shape, back.dtype)
                dx[...] = back
            else:
                dx += back
        return dx

    def _contiguous(self, cut: FloatArray) -> FloatArray:
        """A copy of ``cut`` in one piece, as layers expect their gradients."""
        part = self.borrow(cut.shape, cut.dtype)
        part[...] = cut
        return part

    def multiply_adds(self, in_shape: Shape) -> int:
        return sum(branch.multiply_adds(in_shape) for branch in self.layers)
