"""The kernels compiled for the compiler's own baseline, where x86-64 levels do not exist."""
