"""What a layer costs apart from its arithmetic: checks, bookkeeping, Python.

A chain of layers on a single pixel does next to no arithmetic. What remains is the layers' own
overhead, and the call of one kernel a pass, with its arrays handed over, which is measured alone.
"""

from __future__ import annotations

import numpy as np

import minicnn as mc
from minicnn import kernels

from .goals import OVERHEAD
from .settings import Settings, in_process
from .timing import Side, sample, summarise, take_turns

LAYERS = 40


def run(settings: Settings) -> dict[str, float]:
    """Measure and print microseconds a layer."""
    net = mc.Sequential(*(mc.LeakyReLU() for _ in range(LAYERS)))
    x, dy = mc.Tensor(np.ones((1, 1, 1, 1), np.float32)), np.ones((1, 1, 1, 1), np.float32)
    flat = np.ones(1, np.float32)

    def forward() -> None:
        net(x)

    def step() -> None:
        net(x)
        net.backward(dy)

    def kernel() -> None:
        for _ in range(LAYERS):
            kernels.engine.leaky_relu_forward(flat, flat, 0.01, 1)

    sides: dict[str, Side] = {"forward": forward, "forward and backward": step, "a kernel": kernel}
    with in_process(1):
        timers = {
            name: lambda calls, side=side: sample(side, calls) for name, side in sides.items()
        }
        samples = take_turns(timers, settings.repetitions)
    micro = {name: 1e6 * summarise(values).median / LAYERS for name, values in samples.items()}
    calls = {"forward": 1, "forward and backward": 2}
    print(f"\n{'overhead of a layer, microseconds':<36}{'all':>8}{'without kernels':>18}")
    for name, count in calls.items():
        own = micro[name] - count * micro["a kernel"]
        short = f"  short of {OVERHEAD:g} a pass" if own > count * OVERHEAD else ""
        print(f"{name:<36}{micro[name]:>8.2f}{own:>18.2f}{short}")
    print(f"{'the call of a kernel':<36}{micro['a kernel']:>8.2f}")
    return micro
