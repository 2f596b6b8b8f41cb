"""The kernels compiled for x86-64-v4; `minicnn.kernels` picks a level at import."""
