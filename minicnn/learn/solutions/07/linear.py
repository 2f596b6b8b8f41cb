"""Lesson 7, exercise 1: the linear layer, by matrix products and without a loop."""


def forward(x, w, bias):
    return x.reshape(len(x), -1) @ w.T + bias


def backward(dy, x, w):
    dx = (dy @ w).reshape(x.shape)
    dw = dy.T @ x.reshape(len(x), -1)
    return dx, dw, dy.sum(axis=0)
