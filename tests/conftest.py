"""What all tests share: how Hypothesis searches, and that no test leaves a setting behind."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from minicnn import kernels

# No deadlines: a test must not fail because the machine is busy. No example database: a run is
# the same in a fresh clone. "quick" is for the slow debug build:
# pytest --hypothesis-profile=quick
settings.register_profile("minicnn", deadline=None, database=None, print_blob=True)
settings.register_profile("quick", settings.get_profile("minicnn"), max_examples=15)
settings.load_profile("minicnn")


# A shell lets its background jobs ignore Ctrl-C, which some tests send to themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _settings_stay_as_they_were() -> Iterator[None]:
    """Engine and threads are global: what a test changes, the next one must not see."""
    engine, threads = kernels.info()["engine"], kernels.threads
    yield
    if kernels.info()["engine"] != engine:
        kernels.use_backend(engine)
    kernels.set_num_threads(threads)
    if "matplotlib.pyplot" in sys.modules:  # it keeps every figure until it is told not to
        sys.modules["matplotlib.pyplot"].close("all")
