"""Lesson 7, exercise 2: softmax and cross-entropy that no score can break."""

import numpy as np


def softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def loss(z, labels):
    shifted = z - z.max(axis=1, keepdims=True)
    right = shifted[np.arange(len(z)), labels]
    return (np.log(np.exp(shifted).sum(axis=1)) - right).mean()


def gradient(z, labels):
    dz = softmax(z)
    dz[np.arange(len(z)), labels] -= 1
    return dz / len(z)
