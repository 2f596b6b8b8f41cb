"""Every side computes what minicnn computes, and a worker does what it would do here."""

from __future__ import annotations

import sys
from typing import Literal

import numpy as np
import pytest

from benchmarks import convolutions, goals, operators
from benchmarks.nets import NETS, Conv, Net, Task
from benchmarks.peers import COMPILED, MINICNN, PEERS, DisagreementError, same
from benchmarks.workers import Worker, WorkerError, alone, environment, side_of
from minicnn import kernels

PEER_NAMES = [name for name in PEERS if name not in (MINICNN, COMPILED)]  # compiling is slow


def sides_agree(peer: str, task: Task) -> None:
    if not PEERS[peer].installed:
        pytest.skip(f"{peer} is not installed")
    if task.work not in PEERS[peer].works:
        pytest.skip(f"{peer} does not {task.work}")
    mine, theirs = (PEERS[name].build(task, 1) for name in (MINICNN, peer))
    same([mine() for _ in range(3)], [theirs() for _ in range(3)], peer)


@pytest.mark.parametrize("work", ["train", "infer"])
@pytest.mark.parametrize("peer", PEER_NAMES)
@pytest.mark.parametrize("net", [NETS[0], NETS[4]], ids=lambda net: net.name)
def test_sides_agree(net: Net, peer: str, work: Literal["train", "infer"]) -> None:
    sides_agree(peer, Task(net, work, 2))


def test_steps_of_a_side_learn() -> None:
    step = PEERS[MINICNN].build(Task(NETS[0], "train", 4), 1)
    losses = [step() for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]  # type: ignore[operator]


def test_a_seed_gives_a_net_its_weights() -> None:
    first, again, other = (NETS[0].minicnn(seed).state_dict() for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["0.weight"], other["0.weight"])


def test_disagreement_is_refused() -> None:
    same([1.0, 2.0], [1.0, 2.001], "close enough")
    with pytest.raises(DisagreementError, match="disagree by"):
        same([1.0, 2.0], [1.0, 2.1], "two sides")
    with pytest.raises(DisagreementError, match="disagree by"):
        same([1.0], [np.nan], "two sides")
    with pytest.raises(DisagreementError, match="shapes"):
        same(np.zeros((2, 1)), np.zeros(2), "two sides")


TINY = Net("tiny", (3, 12, 12), 2, (Conv(3, 4, 3, 2), Conv(4, 5, 3, padding=1)))


GROUPS = [*operators.groups(), *convolutions.groups([TINY])]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.goals[0][0])
def test_operators_agree(group: operators.Group, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(operators, "SHAPE", (2, 3, 9, 8))
    for operator in group.operators():
        case = operator.case(1)  # it is checked before it is handed out
        assert case.operations > 0 and case.bytes > 0
        case.mine()
        case.theirs()


def test_every_operator_that_has_a_goal_is_measured() -> None:
    names = [name for group in operators.groups() for name, _ in group.goals]
    assert names == list(goals.OPERATORS)


def test_work_and_traffic_of_a_convolution_are_counted() -> None:
    pytest.importorskip("torch")
    (group,) = convolutions.groups([Net("tiny", (3, 6, 6), 2, (Conv(3, 4, 3),))])
    forward = next(group.operators()).case(1)
    assert forward.operations == 2 * (2 * 4 * 4 * 4) * (3 * 3 * 3)
    assert forward.bytes == 4 * (2 * 3 * 6 * 6 + 4 * 3 * 3 * 3 + 2 * 4 * 4 * 4)


def test_a_worker_computes_the_same_in_its_own_process() -> None:
    task = Task(NETS[0], "train", 2)
    step = PEERS[MINICNN].build(task, 1)
    worker = Worker(MINICNN, 1)
    try:
        with pytest.raises(WorkerError, match="nothing was prepared"):
            worker.run()
        worker.prepare(task)
        assert worker.run(3) == [step() for _ in range(3)]
        assert worker.seconds(1) > 0
        assert worker.peak() > 0
    finally:
        worker.stop()
    with pytest.raises(WorkerError, match="has ended"):
        worker.run()


def test_an_operator_has_a_side_of_each_library() -> None:
    pytest.importorskip("torch")
    (group,) = convolutions.groups([Net("tiny", (3, 6, 6), 2, (Conv(3, 4, 3),))])
    operator = next(group.operators())
    assert side_of(MINICNN, operator, 1) == operator.case(1).mine
    assert side_of("PyTorch", operator, 1) == operator.case(1).theirs


def first_of(*names: str) -> list[str]:
    """Of these modules, in the order in which they were imported."""
    return [name for name in sys.modules if name in names]


@pytest.mark.parametrize("peer", ["PyTorch", "ONNX Runtime"])
def test_in_its_own_process_a_peer_comes_before_minicnn(peer: str) -> None:
    if not PEERS[peer].installed:
        pytest.skip(f"{peer} is not installed")
    module = PEERS[peer].modules[0]
    assert alone(peer, first_of, module, "minicnn", threads=1) == [module, "minicnn"]


def test_a_process_of_its_own_has_the_threads_in_its_environment() -> None:
    assert alone(MINICNN, kernels.get_num_threads, threads=1) == 1
    assert environment(2)["OMP_NUM_THREADS"] == "2"
