"""Lesson 10, exercise 2: Adam and AdamW."""

import numpy as np


class Adam:
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.params, self.lr = list(params), lr
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        self.m = [np.zeros_like(theta) for theta in self.params]
        self.v = [np.zeros_like(theta) for theta in self.params]
        self.t = [0] * len(self.params)

    def step(self, grads):
        b1, b2 = self.betas
        for k, (theta, g) in enumerate(zip(self.params, grads, strict=True)):
            if g is None:
                continue
            self.t[k] += 1
            theta -= self.lr * self.weight_decay * theta
            self.m[k] = b1 * self.m[k] + (1 - b1) * g
            self.v[k] = b2 * self.v[k] + (1 - b2) * g * g
            m, v = self.m[k] / (1 - b1 ** self.t[k]), self.v[k] / (1 - b2 ** self.t[k])
            theta -= self.lr * m / (np.sqrt(v) + self.eps)
