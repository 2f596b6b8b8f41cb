"""Lesson 13, exercise 1: a Residual of your own."""


def through(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


def back(layers, dy):
    for layer in reversed(layers):
        dy = layer.backward(dy)
    return dy


class Residual:
    def __init__(self, *layers, shortcut=()):
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x):
        return through(self.layers, x) + through(self.shortcut, x)

    def backward(self, dy):
        return back(self.layers, dy) + back(self.shortcut, dy)
