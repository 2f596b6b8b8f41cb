"""Lesson 12, exercise 2: how many operations a layer does for each byte that it must move."""


def convolution(B, C, H, W, OC, k):
    OH, OW = H - k + 1, W - k + 1
    operations = 2 * B * OC * OH * OW * C * k * k
    return operations, 4 * (B * C * H * W + OC * C * k * k + B * OC * OH * OW)


def linear(B, inputs, outputs):
    return 2 * B * inputs * outputs, 4 * (B * inputs + inputs * outputs + B * outputs)


def limit(operations, moved, peak, bandwidth):
    arithmetic, memory = operations / peak, moved / bandwidth
    return max((arithmetic, "arithmetic"), (memory, "memory"))
