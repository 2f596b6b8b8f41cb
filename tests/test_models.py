"""The named nets: shapes, sizes, seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from minicnn import Sequential, gradcheck, models


@pytest.mark.parametrize(
    ("name", "picture", "parameters"),
    [
        ("toy", (1, 28, 28), 80 + 1168 + 4010),
        ("lenet5", (1, 28, 28), 156 + 2416 + 48120 + 10164 + 850),
        ("animal", (3, 224, 224), 448 + 4640 + 18496 + 73856 + 13827),
        ("vgg", (3, 32, 32), 896 + 9248 + 18496 + 36928 + 2 * (2 * 32 + 2 * 64) + 40970),
        ("resnet", (3, 32, 32), 78042),
    ],
)
def test_sizes(name: str, picture: tuple[int, int, int], parameters: int) -> None:
    net = models.build(name, rng=0)
    assert net.summary(picture).parameters == parameters
    classes = 3 if name == "animal" else 10
    assert net.output_shape((2, *picture)) == (2, classes, 1, 1)


TOY = ["conv", "relu", "pool"] * 2 + ["flatten", "fc"]
CONV = ["conv", "bn", "relu"]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("toy", TOY),
        ("lenet5", [*TOY, "relu", "fc", "relu", "fc"]),
        ("animal", [*TOY[:3], *["conv", "relu"] * 3, "flatten", "fc"]),
        ("vgg", [*CONV * 2, "pool", *CONV * 2, "pool", "flatten", "fc"]),
    ],
)
def test_the_layers_of_plain_chains(name: str, kinds: list[str]) -> None:
    assert [layer.kind for layer in models.build(name, rng=0)] == kinds  # type: ignore[attr-defined]


def test_a_relu_follows_every_sum_of_resnet() -> None:
    net = models.resnet(rng=0)
    kinds = [layer.kind for layer in net]
    assert kinds.count("residual") >= 2
    for kind, following in itertools.pairwise(kinds):
        if kind == "residual":
            assert following == "relu"


def test_the_animal_net_has_the_planes_of_the_series() -> None:
    planes = [row.output_shape[2] for row in models.animal().summary((3, 224, 224)).rows]
    assert [n for n, before in zip(planes, [0, *planes], strict=False) if n != before] == [
        111,
        55,
        27,
        13,
        6,
        1,
    ]


@pytest.mark.parametrize("name", models.MODELS)
def test_one_seed_one_net(name: str) -> None:
    size = {"animal": 63}.get(name, 28)
    states = [models.build(name, size=size, rng=seed).state_dict() for seed in (0, 0, 1)]
    for key, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][key])
    first = next(iter(states[0]))
    assert (states[0][first] != states[2][first]).any()


def test_whole_nets_pass_gradcheck() -> None:
    x = np.random.default_rng(0).standard_normal
    nets: list[tuple[Sequential, tuple[int, ...]]] = [
        (models.toy(size=10, rng=0), (2, 1, 10, 10)),
        (models.lenet5(size=12, rng=0), (2, 1, 12, 12)),
        (models.animal(size=63, batch_norm=True, rng=0).eval(), (1, 3, 63, 63)),
        (models.vgg(size=4, rng=0), (3, 3, 4, 4)),
        (models.resnet(rng=0), (2, 3, 8, 8)),
    ]
    for net, shape in nets:
        report = gradcheck(net, x(shape), max_entries=4)
        assert report, str(report)


def test_classes_and_channels_can_be_chosen() -> None:
    for name in ("toy", "lenet5", "vgg", "resnet"):
        net = models.build(name, classes=7, channels=2, size=20)
        assert net.output_shape((1, 2, 20, 20)) == (1, 7, 1, 1)


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize("size", ["classes", "channels", "size"])
def test_sizes_are_refused_under_their_own_names(name: str, size: str) -> None:
    with pytest.raises(ValueError, match=f"{size} must be an integer of at least 1, got 0"):
        models.build(name, **{size: 0})


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="model must be one of toy, lenet5, animal, vgg, resnet"):
        models.build("alexnet")
