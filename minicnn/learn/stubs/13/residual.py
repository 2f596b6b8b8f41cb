"""Lesson 13, exercise 1: a Residual of your own."""


class Residual:
    """y = f(x) + g(x). f is the chain of `layers`, g that of `shortcut`, a list of layers.

    A chain of no layers gives what it gets. Each layer has forward(x) and backward(dy), on arrays;
    so has this.
    """

    def __init__(self, *layers, shortcut=()):
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x):
        raise NotImplementedError

    def backward(self, dy):
        """dL/dx; dy itself is left as it is."""
        raise NotImplementedError
