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


def yes_no_loss(z, answers):
    # log(exp(z) + exp(0)) − answer·z, with the larger of z and 0 taken out of the sum
    return (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - answers * z).mean()


def yes_no_gradient(z, answers):
    yes = softmax(np.stack([z, np.zeros_like(z)], axis=1))[:, 0]
    return (yes - answers) / len(z)
