"""The pool of the kernels' memory: threads, forks, its size, and what happens without memory."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest

from minicnn import kernels

from .arrays import Array, random
from .processes import last_line, python

pytestmark = pytest.mark.skipif(
    kernels.info()["engine"] == "reference", reason="the NumPy engine has no pool"
)

# What the programs below share: a convolution, and the memory that is allocated.
PRELUDE = """
import gc, threading, tracemalloc
import numpy as np
from minicnn import kernels

def convolve(channels):
    rng = np.random.default_rng(channels)
    x = rng.standard_normal((2, channels, 12, 12), dtype=np.float32)
    weight = rng.standard_normal((channels, channels, 3, 3), dtype=np.float32)
    y, pair = np.empty_like(x), (1, 1)
    kernels.engine.conv2d_forward(x, weight, None, y, pair, pair, pair, 1, False, False, 1)
    return y.sum(dtype=np.float64)

def held():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]

convolve(3)
tracemalloc.start()
"""


def convolve(x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Forward, and both gradients for a dy that is y."""
    shape = (1, 1), (1, 1), (1, 1), 1, True
    y = np.empty((len(x), len(weight), *x.shape[2:]), x.dtype)
    dx, dweight, engine = np.empty_like(x), np.empty_like(weight), kernels.engine
    engine.conv2d_forward(x, weight, None, y, *shape, False, 1)
    engine.conv2d_backward_input(y, weight, dx, *shape, 1)
    engine.conv2d_backward_weight(x, y, dweight, *shape, False, 1)
    return y, dx, dweight


@pytest.mark.parametrize("count", [2, 11])
def test_threads_that_run_kernels_at_the_same_time_do_not_meet(count: int) -> None:
    rng = np.random.default_rng(0)
    cases = [
        (random(rng, (3, C, S, S), np.float32), random(rng, (R, C, 3, 3), np.float32))
        for C, R, S in [(8, 16, 24), (32, 32, 28), (64, 48, 8), (3, 8, 30), (512, 4, 4)]
    ]
    expected = [convolve(*case) for case in cases]
    wrong: list[str] = []
    ready = threading.Barrier(count)

    def work(first: int) -> None:
        ready.wait()
        for turn in range(60 // count + 5):
            i = (first + turn * (first + 1)) % len(cases)
            for mine, theirs in zip(convolve(*cases[i]), expected[i], strict=True):
                if mine.tobytes() != theirs.tobytes():
                    wrong.append(f"thread {first}, turn {turn}, case {i}")

    threads = [threading.Thread(target=work, args=(first,)) for first in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_one_block_as_large_as_the_largest_need_is_kept_whatever_the_order() -> None:
    orders = (128,), (128, 64, 32), (32, 64, 128), (64, 128, 32, 128, 64)
    program = f"for channels in {orders}[%d]: convolve(channels)\nprint(held())"
    kept = [int(last_line(python(PRELUDE + program % i))) for i in range(len(orders))]
    assert kept[0] > 128 * 128 * 9 * 4  # the weights of the widest, packed
    assert max(kept) - min(kept) < 4096


def test_what_is_very_large_is_not_kept() -> None:
    program = """
a, b = np.ones((4200, 4200), np.float32), np.ones((4200, 32), np.float32)
out = np.empty((4200, 32), np.float32)
before = held()
tracemalloc.reset_peak()
kernels.engine.matmul(a, b, out, False, False, False, 1)
assert (out == 4200).all()
print(tracemalloc.get_traced_memory()[1] - before > a.nbytes, held() - before < 100_000)
"""
    assert last_line(python(PRELUDE + program)) == "True True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_does_not_wait_for_threads_that_it_lost() -> None:
    program = """
import os
expected = {channels: convolve(channels) for channels in (48, 64, 80)}
stop = threading.Event()

def work(channels):
    while not stop.is_set():
        convolve(channels)

threads = [threading.Thread(target=work, args=(channels,)) for channels in (64, 80)]
for thread in threads:
    thread.start()
children = []
for _ in range(40):
    child = os.fork()
    if child == 0:
        right = all(convolve(channels) == total for channels, total in expected.items())
        os._exit(0 if right else 1)
    children.append(child)
statuses = {os.waitpid(child, 0)[1] for child in children}
stop.set()
for thread in threads:
    thread.join()
print(statuses)
"""
    result = python(PRELUDE + "tracemalloc.stop()" + program)
    assert last_line(result) == "{0}", result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer would end it")
def test_without_memory_there_is_an_error_and_the_next_call_works() -> None:
    program = """
import resource
engine = kernels.engine
x = np.ones((8, 256, 16, 16), np.float32)
weight, dweight = np.ones((2, 256, 256, 3, 3), np.float32)
y, dx = np.empty_like(x), np.empty_like(x)
a, b, out = np.ones((3000, 3000), np.float32), *np.ones((2, 3000, 32), np.float32)
shape = (1, 1), (1, 1), (1, 1), 1
calls = [(engine.matmul, a, b, out, False, False, False, 1)]
for winograd in (True, False):
    calls += [
        (engine.conv2d_forward, x, weight, None, y, *shape, winograd, False, 1),
        (engine.conv2d_backward_input, y, weight, dx, *shape, winograd, 1),
        (engine.conv2d_backward_weight, x, y, dweight, *shape, winograd, False, 1),
    ]
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
for function, *arguments in calls:
    resource.setrlimit(resource.RLIMIT_AS, (1, hard))
    try:
        function(*arguments)
        print(f"{function.__name__} works without memory")
    except MemoryError as error:
        assert f"{function.__name__}: no memory for" in str(error), error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
for function, *arguments in calls:
    function(*arguments)
print(y.min(), out.max())
"""
    result = python(PRELUDE + "tracemalloc.stop()" + program)
    assert result.stdout == "1024.0 3000.0\n", result.stderr


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("groups", [1, 3])
def test_what_an_earlier_call_left_behind_does_not_matter(groups: int, dtype: type) -> None:
    rng = np.random.default_rng(0)
    x = random(rng, (5, 9 * groups, 21, 19), dtype)
    weight = random(rng, (11 * groups, 9, 5, 3), dtype)
    shape = (2, 1), (1, 2), (1, 1), groups, True
    y = np.empty((5, 11 * groups, 10, 21), dtype)
    dx, dweight = np.empty_like(x), np.empty_like(weight)

    def run(x: Array, weight: Array) -> bytes:
        kernels.engine.conv2d_forward(x, weight, None, y, *shape, False, 2)
        kernels.engine.conv2d_backward_input(y, weight, dx, *shape, 2)
        kernels.engine.conv2d_backward_weight(x, y, dweight, *shape, False, 2)
        return y.tobytes() + dx.tobytes() + dweight.tobytes()

    expected = run(x, weight)
    run(np.full_like(x, np.nan), np.full_like(weight, np.nan))
    assert run(x, weight) == expected
    assert np.isfinite(dweight).all()
