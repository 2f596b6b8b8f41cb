"""Lesson 11, exercise 2: cover a window of the picture, and see how far the score falls."""

import numpy as np


def occlusion(score, picture, window, stride):
    H, W = picture.shape
    fall, covered = np.zeros((H, W)), np.zeros((H, W))
    before = score(picture)
    for h in range(0, H - window + 1, stride):
        for w in range(0, W - window + 1, stride):
            place = np.s_[h : h + window, w : w + window]
            hidden = picture.copy()
            hidden[place] = 0
            fall[place] += before - score(hidden)
            covered[place] += 1
    return fall / np.maximum(covered, 1)
