"""Sequential: layers in a row. Forward walks them in order, backward in reverse.

    x₀ = x,  xᵢ = fᵢ(xᵢ₋₁),  y = xₙ            dy → dxₙ₋₁ → … → dx₀

The chain rule needs no more: each layer turns the gradient of its output into that of its input,
and hands it to the layer before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, overload

from ..errors import describe
from ..tensor import FloatArray
from .base import Layer, Shape, from_config, reusing_buffers
from .pairs import together


def passes(layers: Iterable[Layer]) -> list[Any]:
    """What each layer kept of its last forward pass: tells that pass from any other."""
    return [layer._saved for layer in layers]


def check_passes(container: Layer, layers: Iterable[Layer], kept: list[Any]) -> None:
    """Refuse to go back through a layer that has seen another forward pass in the meantime.

    Raises:
        RuntimeError: it has: on its own, or in a slice of the net.
    """
    for layer, saved in zip(layers, kept, strict=True):
        if layer._saved is not saved:
            raise RuntimeError(
                f"{container.label}: backward() must follow its own forward(), but {layer.label} "
                f"in it has run another one since (on its own, or in a slice of the net)"
            )


def tree(layer: Layer, lines: list[str]) -> str:
    """The repr of a layer that holds others: a line for each, what is inside it indented."""
    body = "\n".join(lines).replace("\n", "\n  ")
    return f"{type(layer).__name__}(\n  {body}\n)" if lines else f"{type(layer).__name__}()"


class Container(Layer):
    """A layer made of layers. ``_forward`` hands on its children's buffers, hence the flag.

    Raises:
        TypeError: a child is not a Layer.
        ValueError: two layers were given the same name; or the same layer stands in it twice: a
            layer remembers one forward pass, so it cannot serve two places.
    """

    makes_new_output = False

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers: list[Layer] = []
        for layer in layers:
            self._adopt(layer)

    def _adopt(self, layer: Layer) -> None:
        """Append a child, and give it a name if it has none."""
        if not isinstance(layer, Layer):
            raise TypeError(f"{self.label}: layers must be minicnn layers, got {describe(layer)}")
        present = {id(inner) for child in self.layers for inner in child.named_layers().values()}
        present.add(id(self))
        for inner in layer.named_layers().values():
            if id(inner) in present:
                raise ValueError(
                    f"{self.label}: {inner!r} is in it twice; a layer remembers one forward pass, "
                    f"so make a second one"
                )
        self._name(layer)
        self.layers.append(layer)

    def _name(self, layer: Layer) -> None:
        """Give the layer the next number of its kind, unless it has a name that is still free."""
        names = {child.name for child in self.layers}
        if layer.name is not None and layer.name not in names:
            return
        if layer.name is not None and not re.fullmatch(rf"{layer.kind}\d+", layer.name):
            raise ValueError(f"{self.label}: two layers are named {layer.name!r}")
        number = 1
        while f"{layer.kind}{number}" in names:
            number += 1
        layer.name = f"{layer.kind}{number}"

    def children(self) -> dict[str, Layer]:
        return {str(index): layer for index, layer in enumerate(self.layers)}

    def args(self) -> dict[str, Any]:
        return {"layers": [layer.config() for layer in self.layers]}

    @classmethod
    def _from_args(cls, args: dict[str, Any]) -> Container:
        return cls(*(from_config(config) for config in args.pop("layers")), **args)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __repr__(self) -> str:
        children = self.children().items()
        return tree(self, [f"({key}) {child.name}: {child!r}" for key, child in children])


class Sequential(Container):
    """A chain of layers.

    ``net[2]``, ``net[-1]``, ``net["conv1"]`` give a layer, ``net[1:4]`` a Sequential of the same
    layers; ``len(net)``, iteration and ``append`` work as for a list.
    """

    kind = "block"

    def append(self, layer: Layer) -> Sequential:
        """Add a layer at the end; returns self."""
        self._adopt(layer)
        return self

    @overload
    def __getitem__(self, key: int | str) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> Sequential: ...
    def __getitem__(self, key: int | str | slice) -> Layer:
        if isinstance(key, slice):
            return Sequential(*self.layers[key])
        if isinstance(key, str):
            for layer in self.layers:
                if layer.name == key:
                    return layer
            names = ", ".join(repr(layer.name) for layer in self.layers)
            raise KeyError(f"no layer is named {key!r}; there are {names or 'no layers'}")
        if not isinstance(key, int) or not -len(self.layers) <= key < len(self.layers):
            raise IndexError(
                f"{self.label} has {len(self.layers)} layers; its index must be a whole number, a "
                f"name or a slice, got {describe(key)}"
            )
        return self.layers[key]

    def __contains__(self, item: object) -> bool:
        """Whether a layer, or one of this name, stands in the chain itself."""
        return any(layer is item or layer.name == item for layer in self.layers)

    def output_shape(self, in_shape: Shape) -> Shape:
        for layer in self.layers:
            in_shape = layer.output_shape(in_shape)
        return in_shape

    def _forward(self, x: FloatArray) -> FloatArray:
        with reusing_buffers(self):
            for layer, fused in zip(self.layers, together(self.layers), strict=True):
                x = layer._run(x, **fused)
        self.save(passes(self.layers))
        return x

    def _backward(self, dy: FloatArray, need_dx: bool) -> FloatArray | None:
        """Reverse order; without ``need_dx`` only as far as there is something to learn."""
        check_passes(self, self.layers, *self.saved)
        first = 0 if need_dx else self._first_learner()
        dx: FloatArray | None = dy
        with reusing_buffers(self):
            for index in range(len(self.layers) - 1, first - 1, -1):
                assert dx is not None
                dx = self.layers[index]._run_back(dx, need_dx or index > first)
        return dx if need_dx else None

    def _first_learner(self) -> int:
        """The index of the first layer with parameters; the length if there is none."""
        learners = (i for i, layer in enumerate(self.layers) if layer.parameters())
        return next(learners, len(self.layers))

    def multiply_adds(self, in_shape: Shape) -> int:
        total = 0
        for layer in self.layers:
            total += layer.multiply_adds(in_shape)
            in_shape = layer.output_shape(in_shape)
        return total
