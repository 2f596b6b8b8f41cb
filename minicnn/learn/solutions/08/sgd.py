"""Lesson 8, exercise 2: gradient descent with momentum and weight decay."""

import numpy as np


class SGD:
    def __init__(self, params, lr, momentum=0.0, weight_decay=0.0):
        self.params, self.lr = list(params), lr
        self.momentum, self.weight_decay = momentum, weight_decay
        self.velocity = [np.zeros_like(parameter.data) for parameter in self.params]

    def step(self):
        for parameter, v in zip(self.params, self.velocity, strict=True):
            if parameter.grad is None:
                continue
            v *= self.momentum
            v += parameter.grad + self.weight_decay * parameter.data
            parameter.data[...] -= self.lr * v
