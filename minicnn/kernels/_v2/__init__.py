"""The kernels compiled for x86-64-v2; `minicnn.kernels` picks a level at import."""
