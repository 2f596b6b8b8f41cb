"""Lesson 7, exercise 3: a loss with two mistakes, right for a batch of one picture. Mend it."""

import numpy as np


def loss_and_gradient(z, labels):
    """The mean cross-entropy of scores z, B×K, with labels, B; and d loss / dz, B×K."""
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum()
    rows = np.arange(len(z))
    loss = -np.log(p[rows, labels]).mean()
    dz = p.copy()
    dz[rows, labels] -= 1
    return loss, dz
