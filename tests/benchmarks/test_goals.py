"""The table of goals speaks of what is measured."""

from __future__ import annotations

import pytest

from benchmarks import goals
from benchmarks.compare import goal_of, tasks
from benchmarks.nets import NETS
from benchmarks.peers import PEERS


def test_every_net_has_its_goals_and_every_goal_its_net() -> None:
    assert [net.name for net in NETS] == list(goals.NET_NAMES)
    for row in goals.NETS.values():
        assert list(row) == list(goals.NET_NAMES)


def test_goals_name_peers_that_are_measured() -> None:
    for work, peer in goals.NETS:
        assert peer == goals.BEST or work.split()[0] in PEERS[peer].works


def test_every_goal_of_the_nets_is_that_of_some_task() -> None:
    found = {
        (task.net.name, goal)
        for task in tasks()
        for peer in (*PEERS, goals.BEST)
        if (goal := goal_of(task)(peer)) is not None
    }
    asked = {(net, goal) for row in goals.NETS.values() for net, goal in row.items()}
    assert found == asked


def test_a_stretch_goal_lies_beyond_the_goal() -> None:
    every = [*goals.OPERATORS.values(), goals.ACCURACY, goals.convolution(1)]
    every += [goal for row in goals.NETS.values() for goal in row.values()]
    assert all(goal.stretch is None or goal.stretch > goal.at_least > 0 for goal in every)


def test_single_pictures_have_goals_of_their_own() -> None:
    assert goals.of_net("toy", "infer", 64, "ONNX Runtime") == (0.7, 1.1)
    assert goals.of_net("toy", "infer", 1, "ONNX Runtime") == (0.5, 1.1)
    assert goals.of_net("toy", "train", 64, "ONNX Runtime") is None


@pytest.mark.parametrize(("inputs", "at_least"), [(1, 0.8), (31, 0.8), (32, 1), (64, 1)])
def test_wide_convolutions_are_asked_for_more(inputs: int, at_least: float) -> None:
    assert goals.convolution(inputs).at_least == at_least
