"""The kernels compiled for x86-64-v3; `minicnn.kernels` picks a level at import."""
