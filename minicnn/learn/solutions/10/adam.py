"""Lesson 10, exercise 2: Adam and AdamW."""

import numpy as np


class Adam:
    def __init__(self, shape, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.m, self.v, self.t = np.zeros(shape), np.zeros(shape), 0

    def step(self, theta, g):
        (b1, b2), self.t = self.betas, self.t + 1
        theta -= self.lr * self.weight_decay * theta
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * g * g
        m, v = self.m / (1 - b1**self.t), self.v / (1 - b2**self.t)
        theta -= self.lr * m / (np.sqrt(v) + self.eps)
