"""Lesson 8, exercise 1: a chain of layers. Write it without minicnn's Sequential."""


class Chain:
    """Layers in a row. Each has forward(x), backward(dy) and parameters()."""

    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        """What comes out at the end."""
        raise NotImplementedError

    def backward(self, dy):
        """dL/dx of the whole chain, from dL/dy."""
        raise NotImplementedError

    def parameters(self):
        """The parameters of all layers, in order, as one list."""
        raise NotImplementedError
