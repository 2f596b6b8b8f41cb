"""The pool of the kernels' memory: it has nothing for Python."""

__pyx_capi__: dict[str, object]  # what the other compiled modules take from it
