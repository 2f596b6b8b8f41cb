"""The summary of a net: a table of what every layer makes, holds and costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ShapeError, describe, positive_int

if TYPE_CHECKING:
    from .base import Layer, Shape


@dataclass(frozen=True)
class Row:
    """One layer of a summary.

    Attributes:
        path: Where it stands, such as "3" or "4.0".
        label: Its name and class.
        output_shape: (B, C, H, W).
        parameters: Number of learnt values.
        multiply_adds: Multiplications, each with its addition, of one forward pass.
        memory: Bytes of its output.
    """

    path: str
    label: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    memory: int


@dataclass(frozen=True)
class Summary:
    """The rows of all layers that are not containers, and totals; ``str`` makes the table."""

    input_shape: Shape
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Learnt values in all."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one forward pass in all."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def memory(self) -> int:
        """Bytes of all layers' outputs."""
        return sum(row.memory for row in self.rows)

    def __str__(self) -> str:
        header = ("", "layer", "output", "parameters", "multiply-adds", "memory")
        body = [
            (
                row.path,
                row.label,
                "×".join(map(str, row.output_shape)),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
                readable_bytes(row.memory),
            )
            for row in self.rows
        ]
        total = (
            "",
            "total",
            "input " + "×".join(map(str, self.input_shape)),
            f"{self.parameters:,}",
            f"{self.multiply_adds:,}",
            readable_bytes(self.memory),
        )
        widths = [max(len(line[i]) for line in (header, *body, total)) for i in range(len(header))]
        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))

        def line(cells: tuple[str, ...]) -> str:
            padded = [
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ]
            return "  ".join(padded).rstrip()

        return "\n".join([line(header), rule, *map(line, body), rule, line(total)])


def readable_bytes(count: int) -> str:
    """Bytes in the unit that fits: 512 B, 33.8 KB, 1.2 MB (powers of 1000)."""
    size = float(count)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def summarize(net: Layer, input_shape: tuple[int, ...]) -> Summary:
    """`Layer.summary`, which see.

    Raises:
        ShapeError: the input shape has not 3 or 4 entries, or the net cannot take it.
    """
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) not in (3, 4):
        raise ShapeError(
            f"input_shape must be (C, H, W) or (B, C, H, W), got {describe(input_shape)}"
        )
    sizes = [positive_int(size, "an entry of input_shape") for size in input_shape]
    B, C, H, W = sizes if len(sizes) == 4 else (1, *sizes)
    itemsize = (net.dtype or np.dtype(np.float32)).itemsize
    rows = tuple(_rows(net, "", (B, C, H, W), itemsize))
    return Summary((B, C, H, W), rows)


def _rows(layer: Layer, path: str, in_shape: Shape, itemsize: int) -> list[Row]:
    """The rows of ``layer``: its own, or those of what it holds."""
    children = layer.children()
    out_shape = layer.output_shape(in_shape)
    if not children:
        label = f"{layer.name}: {type(layer).__name__}" if layer.name else type(layer).__name__
        size = int(np.prod(out_shape)) * itemsize
        parameters = sum(parameter.size for parameter in layer.parameters())
        return [Row(path, label, out_shape, parameters, layer.multiply_adds(in_shape), size)]
    rows = []
    shape = in_shape
    for key, child in children.items():
        start = shape if layer.chains_children and key != "shortcut" else in_shape
        rows += _rows(child, f"{path}.{key}" if path else key, start, itemsize)
        shape = child.output_shape(start)
    return rows
