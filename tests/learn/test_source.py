"""What the lessons show of minicnn's source is what stands there."""

from __future__ import annotations

import pytest

import minicnn as mc
from minicnn.learn import source


def test_a_method() -> None:
    shown = source(mc.MaxPool2D._backward)
    assert shown.text.startswith("def _backward(")
    assert str(shown).startswith("# minicnn/layers/maxpool2d.py, line ")
    assert shown._repr_markdown_() == f"```python\n{shown}\n```"


def test_a_kernel_ends_where_the_next_one_begins() -> None:
    text = source("kernels/pool.pyx", "_route").text
    assert text.startswith("cdef inline void _route(")
    assert text.endswith("dx[mask[n]] += v")


def test_the_head_of_a_file() -> None:
    text = source("kernels/plain.pyx").text
    assert text.startswith("# Convolution and max pooling")
    assert "import" not in text


def test_a_function_of_a_file() -> None:
    text = source("kernels/reference.py", "conv2d_backward_input").text
    assert text.startswith("def conv2d_backward_input(\n")
    assert text.endswith("padding[1] : padding[1] + W]")


def test_the_docstring_of_a_module() -> None:
    text = source("layers/activations.py").text
    assert text.startswith('"""ReLU\'s relatives')
    assert text.endswith('(1 − y²)\n"""')


def test_a_function_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"kernels/pool\.pyx has no function 'nothing'"):
        source("kernels/pool.pyx", "nothing")
