"""Lesson 11, exercise 3: a report on what a net gets wrong, and three lines of it are wrong too.

The numbers that it gives look plausible on balanced data. Try it on a small matrix whose rows and
columns have different sums, and on scores that you can check by hand.
"""

import numpy as np


def confusion(scores, labels):
    """K×K: how many pictures of class t (row) were taken for class p (column)."""
    K = scores.shape[1]
    matrix = np.zeros((K, K), int)
    matrix[labels, scores.argmax(axis=1)] += 1
    return matrix


def precision_recall(matrix):
    """(precision, recall) of each class."""
    right = np.diag(matrix)
    return right / matrix.sum(axis=1), right / matrix.sum(axis=0)


def surest_mistakes(scores, labels, count):
    """Indices of mistakes, those with the highest probability of the wrong answer first."""
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    wrong = np.flatnonzero(p.argmax(axis=1) != labels)
    sure = p[np.arange(len(labels)), labels][wrong]
    return wrong[np.argsort(-sure)][:count]
