"""The most memory that a process has had. Imports next to nothing, so as to measure anything."""

from __future__ import annotations

import sys


def peak_mb() -> float:
    """In MB, of this process.

    On Linux getrusage hands on the figure of the process that started this one, so it is read from
    /proc there.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            sizes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return int(sizes[0]) / 1024
    except (OSError, IndexError):
        import resource

        unit = 1024 if sys.platform != "darwin" else 1024**2
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
