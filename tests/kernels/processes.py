"""Programs in an interpreter of their own, for tests of what a whole process shares."""

from __future__ import annotations

import os
import subprocess
import sys


def python(program: str, timeout: float = 120, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter of its own, with these environment variables alone."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MINICNN_", "OMP_"))}
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def last_line(result: subprocess.CompletedProcess[str]) -> str:
    return (result.stderr if result.returncode else result.stdout).strip().splitlines()[-1]
