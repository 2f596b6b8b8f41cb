"""Measurements: what minicnn costs in time and memory, and how it compares. See README.md here."""

import importlib as _importlib
import os as _os

# In a peer's own process the peer comes before minicnn: whoever loads the OpenMP runtime sets how
# long its idle threads spin, for all libraries that share it.
for _module in _os.environ.get("BENCHMARKS_IMPORT_FIRST", "").split():
    _importlib.import_module(_module)
