"""The x-ray: statistics against NumPy's, both verdicts, and a net that is left as it was."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn as mc
from minicnn import DataLoader, data, xray
from minicnn.xrays import distance


def net_of(*, momentum: float = 0.1, dropout: float = 0.0) -> mc.Sequential:
    return mc.Sequential(
        mc.Conv2D(1, 6, 3, stride=2, rng=0),
        mc.BatchNorm2D(6, momentum=momentum),
        mc.ReLU(),
        mc.MaxPool2D(2),
        mc.Residual(mc.Conv2D(6, 6, 3, padding=1, rng=1), mc.BatchNorm2D(6, momentum=momentum)),
        mc.Dropout(dropout, rng=0),
        mc.Linear(216, 10, rng=2),
    )


def trained(net: mc.Sequential, pictures: int, epochs: int) -> mc.Sequential:
    loss, optimizer = mc.SoftmaxCrossEntropy(), mc.Adam(net.parameters(), lr=0.005)
    subset = data.Subset(data.digits("train"), range(pictures))
    for epoch in range(epochs):
        for x, labels in DataLoader(subset, 50, shuffle=True, seed=epoch):
            loss(net(x), labels)
            optimizer.zero_grad()
            net.backward(loss.backward())
            optimizer.step()
    return net


def some(first: int, count: int, batch_size: int = 100) -> DataLoader:
    return DataLoader(data.Subset(data.digits("train"), range(first, first + count)), batch_size)


@pytest.fixture(scope="module")
def healthy() -> mc.Sequential:
    return trained(net_of(), 5000, 3)


def test_the_population_is_that_of_all_values() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (17, 2, 4, 5)).astype(np.float32)
    labels = np.zeros(17, np.int64)
    batches = [(mc.Tensor(x[k : k + 5]), labels[k : k + 5]) for k in (0, 5, 10, 15)]
    net = mc.Sequential(mc.BatchNorm2D(2), mc.Linear(40, 3, rng=0))
    (layer,) = xray(net, batches).layers
    assert layer.name == "0"
    for statistics, part in ((layer.population, x), (layer.batch, x[:5])):
        np.testing.assert_allclose(statistics[0], part.mean(axis=(0, 2, 3)), rtol=1e-5)
        np.testing.assert_allclose(statistics[1], part.var(axis=(0, 2, 3)), rtol=1e-5)
    assert not layer.ok  # running statistics are still 0 and 1


def test_a_healthy_net(healthy: mc.Sequential) -> None:
    report = xray(healthy, some(0, 1000), some(8000, 1000))
    assert report.verdict.startswith("fine")
    assert [layer.name for layer in report.layers] == ["1", "4.1"]
    assert all(layer.ok for layer in report.layers)
    assert report.test_accuracy is not None
    assert str(report).endswith(report.verdict)


def test_statistics_that_were_not_saved(healthy: mc.Sequential) -> None:
    twin = net_of()
    state = {name: array for name, array in healthy.state_dict().items() if "running" not in name}
    twin.load_state_dict({**twin.state_dict(), **state})
    report = xray(twin, some(0, 1000), some(8000, 1000))
    assert report.verdict.startswith("mode bug")
    assert not all(layer.ok for layer in report.layers)
    assert report.own_accuracy > 0.8 > report.accuracy
    assert "not those of the data" in str(report)


def test_learnt_by_heart() -> None:
    net = trained(net_of(), 100, 40)
    report = xray(net, some(0, 100, 50), some(8000, 1000))
    assert report.verdict.startswith("overfitting")
    assert report.accuracy > 0.95
    assert xray(net, some(0, 100, 50)).verdict.startswith("fine")  # nobody can tell from these


def test_the_net_is_left_as_it_was(healthy: mc.Sequential) -> None:
    healthy.train()
    healthy[0].eval()
    before = {name: array.copy() for name, array in healthy.state_dict().items()}
    modes = [layer.training for layer in healthy.named_layers().values()]
    xray(healthy, some(0, 200))
    for name, array in healthy.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert [layer.training for layer in healthy.named_layers().values()] == modes
    assert healthy[1].momentum == 0.1  # type: ignore[attr-defined]


def test_also_when_the_data_break_off(healthy: mc.Sequential) -> None:
    before = healthy.state_dict()["1.running_mean"].copy()
    bad = [*some(0, 200), (mc.Tensor.zeros(2, 3, 28, 28), np.zeros(2, np.int64))]
    with pytest.raises(mc.ShapeError):
        xray(healthy, bad)
    np.testing.assert_array_equal(healthy.state_dict()["1.running_mean"], before)


def test_dropout_stays_out_of_it() -> None:
    net = net_of(dropout=0.9)
    first, second = (xray(net, some(0, 100)).own_accuracy for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("got", "expected"),
    [((0.0, 1.0), 0.0), ((2.0, 1.0), 2.0), ((0.0, 4.0), 1.0), ((0.0, 0.25), 1.0)],
)
def test_distance(got: tuple[float, float], expected: float) -> None:
    mean, variance = (np.array([value]) for value in got)
    right = np.array([0.0]), np.array([1.0])
    assert distance((mean, variance), right) == pytest.approx(expected, abs=1e-4)


def test_what_cannot_be_x_rayed(healthy: mc.Sequential) -> None:
    with pytest.raises(ValueError, match="no BatchNorm2D"):
        xray(mc.models.toy(rng=0), some(0, 10))
    with pytest.raises(ValueError, match="no batch in the data"):
        xray(healthy, [])


def test_data_that_are_used_up_after_one_pass_are_refused() -> None:
    net = mc.Sequential(mc.BatchNorm2D(1), mc.Flatten(), mc.Linear(4, 2))
    batches = ((mc.Tensor(np.ones((2, 1, 2, 2))), np.array([0, 1])) for _ in range(3))
    with pytest.raises(TypeError, match="gone through twice"):
        mc.xray(net, batches)
