"""What the command ``minicnn`` says when the package cannot be imported.

Its kernels are missing, or an environment variable asks for what cannot be.
Then `minicnn.cli` and `minicnn.doctor` cannot be either, so this stands apart and needs nothing.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path


def leave_if_command() -> None:
    """End with one line and exit code 1 if this process is the command; do nothing otherwise.

    To be called where an ImportError or ValueError is being handled, whose text the line shows.

    Raises:
        SystemExit: it is the command: the script ``minicnn``, or ``python -m minicnn``.
    """
    script = Path(sys.argv[0]).stem == "minicnn" if sys.argv else False
    module = sys.argv[:1] == ["-m"] and "minicnn" in sys.orig_argv
    if not (script or module):
        return
    error = sys.exc_info()[1]
    if "doctor" in sys.argv[1:] and "--json" in sys.argv[1:]:
        facts = {
            "ok": False,
            "python": platform.python_version(),
            "executable": sys.executable,
            "platform": f"{platform.system()} {platform.machine()}",
            "folder": str(Path(__file__).parent),
            "problems": [str(error)],
        }
        print(json.dumps(facts, indent=2))
    elif "doctor" in sys.argv[1:]:
        print(f"minicnn   in {Path(__file__).parent}: cannot be imported", file=sys.stderr)
        print(f"Python    {platform.python_version()} ({sys.executable})", file=sys.stderr)
        print(f"platform  {platform.system()} {platform.machine()}\n", file=sys.stderr)
        print(f"PROBLEM: {error}", file=sys.stderr)
    else:
        print(f"minicnn: {error}", file=sys.stderr)
    raise SystemExit(1)
