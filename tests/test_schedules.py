from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import schedules
from minicnn.schedules import Constant, Cosine, OneCycle, Schedule, StepDecay

rates = st.floats(1e-5, 10)


@st.composite
def constants(draw: Any) -> Constant:
    return Constant(draw(rates), draw(st.integers(0, 50)))


@st.composite
def stairs(draw: Any) -> StepDecay:
    gamma = draw(st.floats(0.01, 1))
    return StepDecay(draw(rates), draw(st.integers(1, 60)), gamma, draw(st.integers(0, 50)))


@st.composite
def cosines(draw: Any) -> Cosine:
    lr, total = draw(rates), draw(st.integers(1, 200))
    return Cosine(lr, total, draw(st.integers(0, total - 1)), lr * draw(st.floats(0, 1)))


@st.composite
def cycles(draw: Any) -> OneCycle:
    total = draw(st.integers(2, 200))
    warmup = draw(st.none() | st.integers(0, total - 2))
    return OneCycle(draw(rates), total, warmup, draw(st.floats(1, 100)), draw(st.floats(1, 1e5)))


every_schedule = st.one_of(constants(), stairs(), cosines(), cycles())


def curve(schedule: Schedule, steps: int = 260) -> Any:
    return np.array([schedule(step) for step in range(steps)])


@given(schedule=every_schedule)
def test_rates_are_finite_and_within_bounds(schedule: Schedule) -> None:
    rates = curve(schedule)
    assert all(type(schedule(step)) is float for step in range(3))
    top = schedule.max_lr if isinstance(schedule, OneCycle) else schedule.config()["lr"]
    assert (rates >= 0).all() and (rates <= top * (1 + 1e-12)).all()
    assert rates.max() == pytest.approx(top) or isinstance(schedule, StepDecay)


@given(schedule=every_schedule, step=st.integers(0, 10**9))
def test_the_step_alone_decides(schedule: Schedule, step: int) -> None:
    assert schedule(step) == schedule(step) == schedule(np.int64(step))  # type: ignore[arg-type]


@given(schedule=st.one_of(constants(), cosines(), cycles()))
def test_rises_once_then_falls_once(schedule: Any) -> None:
    rates = curve(schedule)
    W = schedule.warmup_steps
    slack = 1e-12 * rates.max()
    assert (np.diff(rates[: W + 1]) > 0).all() or rates[0] > rates[W] - slack
    assert (np.diff(rates[W:]) <= slack).all()


@given(schedule=st.one_of(constants(), cosines(), cycles()))
def test_there_are_no_jumps(schedule: Any) -> None:
    """No step changes the rate by more than the steepest part of the line or wave it is on."""
    rates = curve(schedule)
    W, top = schedule.warmup_steps, rates.max()
    rise = np.pi / 2 * top / max(W, 1)
    total = getattr(schedule, "total_steps", 10**9)
    end = total - 1 if isinstance(schedule, OneCycle) else total
    fall = np.pi / 2 * top / (end - W)
    assert np.abs(np.diff(rates[: W + 1])).max(initial=0) <= rise * (1 + 1e-9)
    assert np.abs(np.diff(rates[W:])).max() <= fall * (1 + 1e-9)


@given(schedule=st.one_of(cosines(), cycles()), beyond=st.integers(0, 10**6))
def test_past_the_end_the_rate_stays(schedule: Any, beyond: int) -> None:
    if isinstance(schedule, Cosine):
        last = schedule.final_lr
    else:
        last = schedule.max_lr / schedule.div_factor / schedule.final_div_factor
        assert schedule(schedule.total_steps - 1) == last
    assert schedule(schedule.total_steps + beyond) == last


@given(schedule=st.one_of(constants(), stairs(), cosines()).filter(lambda s: s.warmup_steps > 0))
def test_warm_up_is_a_straight_line_to_the_full_rate(schedule: Any) -> None:
    W = schedule.warmup_steps
    cold = (
        dataclasses.replace(schedule, warmup_steps=0)
        if isinstance(schedule, StepDecay)
        else Constant(schedule.lr)
    )
    for step in range(W):
        assert schedule(step) == pytest.approx(
            cold(step) * (step + 1) / (W + 1), rel=1e-12, abs=1e-300
        )
    assert schedule(0) > 0
    assert schedule(W) == pytest.approx(cold(W), rel=1e-12, abs=1e-300)


class TestValues:
    def test_constant(self) -> None:
        assert [Constant(0.1)(step) for step in (0, 5)] == [0.1, 0.1]
        assert curve(Constant(0.4, warmup_steps=3), 6) == pytest.approx(
            [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
        )

    def test_step_decay(self) -> None:
        expected = [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001]
        assert curve(StepDecay(1, step_size=2), 7) == pytest.approx(expected)
        warm = curve(StepDecay(1, step_size=2, gamma=0.5, warmup_steps=3), 6)
        assert warm == pytest.approx([0.25, 0.5, 0.375, 0.5, 0.25, 0.25])

    def test_cosine(self) -> None:
        root = math.sqrt(0.5)
        expected = [1, (1 + root) / 2, 0.5, (1 - root) / 2, 0, 0]
        assert curve(Cosine(1, total_steps=4), 6) == pytest.approx(expected)
        warm = curve(Cosine(1, 6, warmup_steps=2, final_lr=0.5), 8)
        assert warm[:5] == pytest.approx([1 / 3, 2 / 3, 1, (3 + root) / 4, 0.75])
        assert warm[6:].tolist() == [0.5, 0.5]

    def test_one_cycle(self) -> None:
        schedule = OneCycle(1, total_steps=7, warmup_steps=2, div_factor=10, final_div_factor=100)
        root = math.sqrt(0.5)
        low, end = 0.1, 0.001
        assert curve(schedule, 8) == pytest.approx(
            [
                low,
                0.55,
                1,
                *(end + (1 - end) * x for x in ((1 + root) / 2, 0.5, (1 - root) / 2, 0, 0)),
            ]
        )

    def test_one_cycle_peaks_at_thirty_percent(self) -> None:
        assert OneCycle(1, 100).warmup_steps == 29
        assert OneCycle(1, 2).warmup_steps == 0
        assert OneCycle(1, 3).warmup_steps == 0
        assert OneCycle(1, 100) == OneCycle(1, 100, 29)


def torch_curve(make: Callable[[Any, Any], Any], lr: float, steps: int) -> list[float]:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


class TestAgainstPyTorch:
    def test_step_decay(self) -> None:
        theirs = torch_curve(lambda s, o: s.StepLR(o, step_size=7, gamma=0.3), 0.2, 40)
        assert curve(StepDecay(0.2, 7, 0.3), 40) == pytest.approx(theirs, rel=1e-12)

    def test_cosine(self) -> None:
        theirs = torch_curve(lambda s, o: s.CosineAnnealingLR(o, T_max=30, eta_min=0.01), 0.2, 31)
        ours = curve(Cosine(0.2, total_steps=30, final_lr=0.01), 31)
        assert ours == pytest.approx(theirs, rel=1e-10)

    @pytest.mark.parametrize("total", [10, 50, 200])
    def test_one_cycle(self, total: int) -> None:
        theirs = torch_curve(
            lambda s, o: s.OneCycleLR(o, max_lr=0.5, total_steps=total), 0.1, total - 1
        )
        assert curve(OneCycle(0.5, total), total - 1) == pytest.approx(theirs, rel=1e-10)

    def test_one_cycle_with_settings(self) -> None:
        theirs = torch_curve(
            lambda s, o: s.OneCycleLR(
                o, max_lr=0.5, total_steps=40, pct_start=0.5, div_factor=5, final_div_factor=50
            ),
            0.1,
            39,
        )
        ours = curve(OneCycle(0.5, 40, warmup_steps=19, div_factor=5, final_div_factor=50), 39)
        assert ours == pytest.approx(theirs, rel=1e-10)


@given(schedule=every_schedule)
def test_the_config_makes_it_again(schedule: Schedule) -> None:
    again = schedules.from_config(json.loads(json.dumps(schedule.config())))
    assert again == schedule and type(again) is type(schedule)
    np.testing.assert_array_equal(curve(again), curve(schedule))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "Linear"}, "schedule must be one of Constant, StepDecay, Cosine, OneCycle"),
        ({}, "schedule must be one of .*, got None"),
        ({"type": "Cosine", "lr": 0.1, "steps": 5, "x": 1}, "Cosine has no setting steps, x"),
        ({"type": "Cosine", "lr": 0.1}, "does not fit Cosine: .*total_steps"),
        ({"type": "Constant", "lr": "fast"}, "does not fit Constant: lr must be a finite number"),
        ({"type": "Constant", "lr": -1}, "lr must be a finite number at least 0, got -1"),
    ],
)
def test_configs_that_fit_nothing_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedules.from_config(config)


def test_schedules_are_frozen_and_plain() -> None:
    schedule: Any = Cosine(np.float32(0.5), np.int64(10))  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.lr = 1.0
    assert repr(schedule) == "Cosine(lr=0.5, total_steps=10, warmup_steps=0, final_lr=0.0)"
    assert hash(schedule) == hash(Cosine(0.5, 10))


make_constant: Any = Constant
make_stairs: Any = StepDecay
make_cosine: Any = Cosine
make_cycle: Any = OneCycle


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_constant(-0.1), "lr must be a finite number at least 0"),
        (lambda: make_constant(math.nan), "lr must be"),
        (lambda: make_constant(0.1, -1), "warmup_steps must be an integer of at least 0, got -1"),
        (lambda: make_constant(0.1, 1.5), "warmup_steps must be an integer"),
        (lambda: make_stairs(0.1, 0), "step_size must be an integer of at least 1"),
        (lambda: make_stairs(0.1, 5, 0), "gamma must be"),
        (lambda: make_stairs(0.1, 5, 1.1), "gamma must be"),
        (lambda: make_cosine(0.1, 0), "total_steps must be an integer of at least 1"),
        (lambda: make_cosine(0.1, 5, 5), "warmup_steps must be at most 4 for total_steps=5, got 5"),
        (lambda: make_cosine(0.1, 5, final_lr=0.2), "final_lr must be .* at most 0.1"),
        (lambda: make_cycle(0.1, 1), "total_steps must be at least 2"),
        (lambda: make_cycle(0.1, 5, 4), "warmup_steps must be at most 3 for total_steps=5, got 4"),
        (lambda: make_cycle(0.1, 5, div_factor=0.5), "div_factor must be .* at least 1"),
        (lambda: make_cycle(0.1, 5, final_div_factor=0), "final_div_factor must be"),
        (lambda: make_constant(0.1)(-1), "step must be an integer of at least 0, got -1"),
        (lambda: make_cosine(0.1, 5)(2.0), "step must be an integer"),
        (lambda: make_cycle(0.1, 5)(None), "step must be an integer"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
