"""Checkpoints: what goes in comes out, damage does not go unseen, no file is half written."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minicnn as mc
from minicnn import archive, checkpoint
from minicnn.checkpoint import Training

from .small_training import small_net

TINY = 2


def tiny(seed: int = 0) -> mc.Sequential:
    return mc.Sequential(mc.Linear(TINY, TINY, rng=seed))


def worn(net: mc.Layer, seed: int = 3) -> Any:
    """The same net with weights and statistics that no new net has."""
    rng = np.random.default_rng(seed)
    state = {
        name: np.asarray(rng.normal(2, 1, array.shape)).astype(array.dtype)
        for name, array in net.state_dict().items()
    }
    net.load_state_dict(state)
    return net


NETS: dict[str, Callable[[], mc.Layer]] = {
    "toy": lambda: mc.models.toy(rng=0),
    "lenet5": lambda: mc.models.lenet5(rng=0),
    "vgg": lambda: mc.models.vgg(rng=0),
    "resnet": lambda: mc.models.resnet(rng=0),
    "small": small_net,
    "float64": lambda: small_net().astype("float64"),
    "one layer": lambda: mc.Conv2D(2, 4, (3, 1), padding=(1, 0), groups=2, bias=False, rng=0),
    "no weights": lambda: mc.Sequential(mc.Sigmoid(), mc.LeakyReLU(0.2), mc.AvgPool2D(2)),
    "branches": lambda: mc.Sequential(
        mc.Concat(mc.Sequential(), mc.Conv2D(1, 2, 3, padding=1, rng=0)),
        mc.Residual(mc.Tanh(), mc.Conv2D(3, 3, 1, rng=0), shortcut=mc.Conv2D(3, 3, 1, rng=1)),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_a_net_comes_back(name: str, tmp_path: Path) -> None:
    net = worn(NETS[name]())
    mc.save(tmp_path / "a.npz", net)
    again = mc.load(tmp_path / "a.npz")
    assert again.config() == net.config()
    assert repr(again) == repr(net)
    assert again.dtype == net.dtype
    before, after = net.state_dict(), again.state_dict()
    assert list(after) == list(before)
    for key in before:
        assert after[key].dtype == before[key].dtype
        assert after[key].shape == before[key].shape
        assert after[key].tobytes() == before[key].tobytes(), key


def test_bytes_depend_on_the_content_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = small_net()
    mc.save(tmp_path / "a.npz", net, meta={"x": 1, "y": [2, 3]})
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    mc.save(tmp_path / "b.npz", mc.load(tmp_path / "a.npz"), meta={"y": [2, 3], "x": 1})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    net.layers[1].running_mean[0] += 1e-7
    mc.save(tmp_path / "b.npz", net, meta={"x": 1, "y": [2, 3]})
    assert (tmp_path / "a.npz").read_bytes() != (tmp_path / "b.npz").read_bytes()


def test_anyone_can_read_it(tmp_path: Path) -> None:
    """NumPy without pickle, and any program that knows zip and JSON."""
    net = small_net()
    mc.save(tmp_path / "a.npz", net, meta={"classes": ["Katze", "Hündin", "鸟"]})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["net/0.weight"], net[0].weight.data)
        header = json.loads(file["header.json"])
    assert header["format"] == "minicnn checkpoint"
    assert header["version"] == 1
    assert header["minicnn"] == mc.__version__
    assert header["kind"] == "net"
    assert header["dtype"] == "float32"
    assert header["architecture"]["layers"][0]["out_channels"] == 4
    assert header["arrays"]["net/0.weight"] == ["<f4", [4, 1, 3, 3]]
    assert header["meta"] == {"classes": ["Katze", "Hündin", "鸟"]}
    with zipfile.ZipFile(tmp_path / "a.npz") as file:
        assert file.testzip() is None
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_meta(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    assert checkpoint.load_meta(path) == {}
    meta = {
        "shape": np.array([1, 28, 28]),
        "mean": np.float32(0.5),
        "classes": ("a", "b"),
        "n": None,
    }
    mc.save(path, tiny(), meta=meta)
    assert checkpoint.load_meta(path) == {
        "shape": [1, 28, 28],
        "mean": 0.5,
        "classes": ["a", "b"],
        "n": None,
    }


@pytest.mark.parametrize("bad", [{"x": object()}, {"x": float("nan")}, {"x": b"bytes"}])
def test_meta_that_is_not_json_is_refused(bad: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    before = path.read_bytes()
    with pytest.raises((TypeError, ValueError), match="JSON"):
        mc.save(path, tiny(1), meta=bad)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_weights_into_a_net_that_exists(tmp_path: Path) -> None:
    net = worn(small_net())
    mc.save(tmp_path / "a.npz", net)
    other = small_net(seed=8)
    other.layers[0].name = "first"  # names do not count
    checkpoint.load_weights(tmp_path / "a.npz", other)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)


def layer_of_my_own() -> mc.Layer:
    class Mine(mc.ReLU):
        pass

    return mc.Sequential(Mine())


def test_a_class_that_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = layer_of_my_own()
    mc.save(tmp_path / "a.npz", net)
    assert type(mc.load(tmp_path / "a.npz")[0]) is type(net[0])
    from minicnn.layers import base

    monkeypatch.delitem(base._LAYERS, type(net[0]).config_name())
    with pytest.raises(mc.CheckpointError, match=r"Mine.*define or import its class first"):
        mc.load(tmp_path / "a.npz")


# --- whole trainings -----------------------------------------------------------------------------


def training(net: mc.Layer, **changes: Any) -> Training:
    optimizer = mc.Adam(net.parameters())
    values: dict[str, Any] = {
        "architecture": net.config(),
        "weights": net.state_dict(),
        "rng": net.rng_state(),
        "optimizer": optimizer.config(),
        "optimizer_state": optimizer.state_dict(),
        "loss": {"type": "MSELoss"},
        "loaders": {"train": {"epoch": 1, "batch": 2, "seed": 2**70}},
        "position": {"step": 3, "sum": 0.1 + 0.2},
        "rows": [{"epoch": 1, "loss": 1 / 3}],
        "best": net.state_dict(),
        "timing": [1.5],
    }
    return Training(**{**values, **changes})


def test_a_training_comes_back(tmp_path: Path) -> None:
    net = small_net()
    first = training(net)
    checkpoint.save_training(tmp_path / "a.npz", first, meta={"a": 1})
    again = checkpoint.load_training(tmp_path / "a.npz")
    assert checkpoint.load_meta(tmp_path / "a.npz") == {"a": 1}
    for name in ("rng", "optimizer", "loss", "schedule", "loaders", "position", "rows", "timing"):
        assert getattr(again, name) == json.loads(json.dumps(getattr(first, name))), name
    for name in ("weights", "best", "optimizer_state"):
        mine, theirs = getattr(first, name), getattr(again, name)
        assert mine.keys() == theirs.keys()
        for key in mine:
            np.testing.assert_array_equal(mine[key], theirs[key])
            assert type(mine[key]) is type(theirs[key])
    loaded = mc.load(tmp_path / "a.npz")
    assert loaded.config() == net.config()
    np.testing.assert_array_equal(loaded.state_dict()["0.weight"], net.state_dict()["0.weight"])


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_every_kind_of_generator(kind: str, tmp_path: Path) -> None:
    def made(seed: int) -> mc.Sequential:
        generator = np.random.Generator(getattr(np.random, kind)(seed))
        generator.random(3, dtype=np.float32)  # leaves half of a 64-bit number in the generator
        return mc.Sequential(mc.Dropout(0.5, rng=generator))

    net, other, x = made(1), made(2), np.ones((1, 1, 9, 9), np.float32)
    checkpoint.save_training(tmp_path / "a.npz", training(small_net(), rng=net.rng_state()))
    other.set_rng_state(checkpoint.load_training(tmp_path / "a.npz").rng)
    for _ in range(3):
        np.testing.assert_array_equal(net(x).data, other(x).data)


def test_a_net_is_no_training(tmp_path: Path) -> None:
    mc.save(tmp_path / "a.npz", tiny())
    with pytest.raises(mc.CheckpointError, match="without the state of its training"):
        checkpoint.load_training(tmp_path / "a.npz")


# --- damage --------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    messages = []
    for read in (mc.load, checkpoint.load_meta):
        with pytest.raises(mc.CheckpointError) as caught:
            read(path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert messages[0].startswith(f"{path}")
    return messages[0].removeprefix(f"{path} ")


def test_a_changed_byte_anywhere_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bad)
        with pytest.raises(mc.CheckpointError, match=r"is corrupt|truncated or corrupt"):
            mc.load(path)


def test_a_file_cut_short_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    good = path.read_bytes()
    for size in range(4, len(good), 7):
        path.write_bytes(good[:size])
        with pytest.raises(mc.CheckpointError, match="is truncated"):
            mc.load(path)
    path.write_bytes(good + b"more")
    assert refused(path).startswith("is truncated or corrupt")


def numpy_file(path: Path) -> None:
    np.savez(path, weight=np.ones(3))


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("header.json", '{"format": "something else"}')


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("epoch,loss\n1,2\n"), "not a minicnn checkpoint: it starts"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "not a minicnn checkpoint"),
        (numpy_file, r"it is a zip file \(holding weight.npy, …\) that has no header.json"),
        (other_zip, "its header.json does not say so"),
    ],
)
def test_foreign_files(make: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    make(path)
    with pytest.raises(mc.CheckpointError, match=message):
        mc.load(path)
    refused(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mc.load(tmp_path / "none.npz")


def test_a_newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    monkeypatch.setattr(archive, "VERSION", 2)
    monkeypatch.setattr(archive, "__version__", "9.8")
    mc.save(path, tiny())
    monkeypatch.undo()
    message = refused(path)
    assert "has format version 2, written by minicnn 9.8" in message
    assert f"this is minicnn {mc.__version__}, which reads up to version 1" in message


Entries = dict[str, bytes]


def rewritten(path: Path, change: Callable[[Entries, dict[str, Any]], None]) -> None:
    """The file with other entries, and a seal that fits: as if minicnn had written it so."""
    with zipfile.ZipFile(path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    header = json.loads(entries["header.json"])
    change(entries, header)
    entries["header.json"] = json.dumps(header).encode()
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
        file.comment = b"minicnn sha256 " + b"0" * 64
    content = memory.getvalue()[:-64]
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())


def npy(array: Any, **options: Any) -> bytes:
    memory = io.BytesIO()
    np.save(memory, array, **options)
    return memory.getvalue()


def drop(name: str) -> Callable[[Entries, dict[str, Any]], None]:
    return lambda entries, header: (entries.pop(name + ".npy"), header["arrays"].pop(name))[1]


def put(array: Any, listed: Any = None) -> Callable[[Entries, dict[str, Any]], None]:
    def change(entries: Entries, header: dict[str, Any]) -> None:
        entries["net/0.bias.npy"] = npy(array)
        if listed:
            header["arrays"]["net/0.bias"] = listed

    return change


def put_header(text: str) -> Callable[[Entries, dict[str, Any]], None]:
    """Another description of the array, as NumPy writes them: a length, and Python's own words."""
    start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
    return lambda entries, header: entries.update(
        {"net/0.bias.npy": start + text.encode() + bytes(8)}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("net/0.bias"), "only one of checkpoint and net has these entries: 0.bias"),
        (lambda e, h: e.pop("net/0.bias.npy"), "header and its arrays disagree.*net/0.bias"),
        (lambda e, h: e.update({"x.npy": b""}), "header and its arrays disagree.*: x"),
        (put(np.ones(3, "<f4")), r"net/0.bias is <f4 \(3,\), its header says \['<f4', \[2\]\]"),
        (put(np.ones(2, "<f8")), r"net/0.bias is <f8 \(2,\)"),
        (put(np.ones(3, "<f4"), ["<f4", [3]]), r"0.bias is float32 of shape \(3,\).*shape \(2,\)"),
        (put(np.ones(2, "<f8"), ["<f8", [2]]), "0.bias is float64.*float32"),
        (put(np.array([{}, None]), ["|O", [2]]), r"net/0.bias is \|O"),
        (lambda e, h: h.pop("architecture"), "architecture"),
        (lambda e, h: h.update(version=0), "not one of version 1"),
        (lambda e, h: h.update(arrays=[]), "not one of version 1"),
        (lambda e, h: h["architecture"].update(layer="Lstm"), "'Lstm' that is not known"),
        (lambda e, h: h["architecture"].update(size=3), "wrong arguments"),
        (lambda e, h: h.update(architecture=[1]), r"its architecture is \[1\], not an object"),
        (lambda e, h: h.update(architecture={}), "a layer None that is not known"),
        (lambda e, h: h.update(meta=[1]), r"its meta is \[1\], not an object"),
        (
            lambda e, h: h["architecture"]["layers"][0].update(
                in_features=10**8, out_features=10**8
            ),
            "takes 10,000,000,000,000,000 weights, and it holds 6",
        ),
        (put_header("{"), r"net/0.bias cannot be read: \w+Error"),
        (put_header("(" * 9000), "net/0.bias cannot be read"),
        (put_header("-" * 9000 + "1"), "net/0.bias cannot be read"),
        (put_header("  x\n y"), "net/0.bias cannot be read"),
    ],
)
def test_entries_that_do_not_agree(change: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    rewritten(path, lambda entries, header: None)
    mc.load(path)
    rewritten(path, change)
    with pytest.raises(mc.CheckpointError, match=message):
        mc.load(path)


def test_a_huge_array_that_is_not_there_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    shape = (1 << 40, 1 << 10)

    def change(entries: Entries, header: dict[str, Any]) -> None:
        header["arrays"]["net/0.bias"] = ["<f4", list(shape)]
        memory = io.BytesIO()
        described = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(memory, described)
        entries["net/0.bias.npy"] = memory.getvalue()

    rewritten(path, change)
    with pytest.raises(mc.CheckpointError, match="holds 0 values and should hold"):
        mc.load(path)


@pytest.mark.parametrize("architecture", [[1], {}, None])
def test_no_architecture_to_compare_with(architecture: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    rewritten(path, lambda entries, header: header.update(architecture=architecture))
    with pytest.raises(mc.CheckpointError, match="architecture"):
        checkpoint.load_weights(path, tiny())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("optimizer_numbers", 1),
        ("architecture", None),
        ("rows", {}),
        ("rows", [1]),
        ("position", []),
        ("position", None),
        ("loaders", None),
    ],
)
def test_a_training_of_the_wrong_shape(name: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    checkpoint.save_training(path, training(tiny()))
    rewritten(path, lambda entries, header: header.update({name: value}))
    with pytest.raises(mc.CheckpointError, match=f"its {name} is"):
        checkpoint.load_training(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    with zipfile.ZipFile(path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    with pytest.raises(mc.CheckpointError, match="its entry header.json is compressed"):
        mc.load(path)


@pytest.mark.parametrize(
    "layer",
    [
        {"layer": "Linear", "in_features": 30_000, "out_features": 2000},
        {"layer": "Conv2D", "in_channels": 8, "out_channels": 8, "kernel_size": [1000, 1000]},
        {"layer": "Conv2D", "in_channels": 8, "out_channels": 8, "groups": 8, "kernel_size": 3000},
        {"layer": "BatchNorm2D", "num_features": 50_000_000},
    ],
)
def test_a_net_far_larger_than_its_weights_is_not_made(
    layer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    rewritten(path, lambda entries, header: header["architecture"]["layers"].append(layer))
    monkeypatch.setattr(checkpoint, "from_config", lambda _: pytest.fail("it was made"))
    with pytest.raises(mc.CheckpointError, match=r"takes [\d,]+ weights, and it holds 6"):
        mc.load(path)


@pytest.mark.parametrize("name", NETS)
def test_no_net_is_taken_for_larger_than_it_is(name: str) -> None:
    net = NETS[name]()
    config = json.loads(archive.to_json(net.config()))
    weights = [array for array in net.state_dict().values() if array.ndim > 1]
    counted, real = checkpoint._least_weights(config), sum(array.size for array in weights)
    assert real <= counted <= sum(array.size for array in net.state_dict().values())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("Unable to allocate"), "no memory for its net: Unable to allocate"),
        (RecursionError("maximum recursion depth"), "maximum recursion depth"),
        (AttributeError(), r"AttributeError\(\)"),
    ],
)
def test_a_net_that_cannot_be_made(
    error: Exception, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(config: object) -> None:
        raise error

    mc.save(tmp_path / "a.npz", tiny())
    monkeypatch.setattr(checkpoint, "from_config", fail)
    with pytest.raises(mc.CheckpointError, match=message):
        mc.load(tmp_path / "a.npz")


def test_a_damaged_compressed_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", '{"format": "minicnn checkpoint"}' * 9)
    content = bytearray(path.read_bytes())
    content[45] ^= 255
    path.write_bytes(content)
    refused(path)


def test_entries_that_overlap(tmp_path: Path) -> None:
    """Each is stored, and yet together they unpack to more than the file has."""
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    with zipfile.ZipFile(path, "a") as file:
        for entry in file.infolist():
            entry.file_size = entry.compress_size = path.stat().st_size // 2
        file.comment = b""  # so that the list of entries is written again
    message = refused(path)
    assert re.match(r"is corrupt: it has \d+ bytes and its entries \d+ together", message)


def test_an_entry_that_comes_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mc.save(path, tiny())
    with zipfile.ZipFile(path, "a") as file:
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("header.json", "{}")
        file.comment = b""  # no seal: it would not fit, and be refused for that
    assert refused(path) == "is corrupt: it holds header.json twice"


def test_a_training_that_lacks_something(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    checkpoint.save_training(path, training(tiny()))
    rewritten(path, lambda entries, header: header.pop("position"))
    with pytest.raises(mc.CheckpointError, match="its header lacks position"):
        checkpoint.load_training(path)


# --- another architecture ------------------------------------------------------------------------


def block(**options: Any) -> mc.Layer:
    shortcut = mc.Conv2D(4, 4, 1, rng=0) if options.get("shortcut") else None
    inner = mc.Conv2D(4, options.get("inner", 4), 3, padding=1, rng=0)
    return mc.Sequential(mc.Residual(mc.Sequential(inner), shortcut=shortcut))


@pytest.mark.parametrize(
    ("saved", "own", "message"),
    [
        (
            lambda: mc.Sequential(mc.Conv2D(1, 8, 3, rng=0)),
            lambda: mc.Sequential(mc.Conv2D(1, 16, 3, rng=0)),
            "layer 0 (Conv2D) has out_channels=8 in the checkpoint and 16 here",
        ),
        (
            lambda: mc.Sequential(mc.MaxPool2D(2)),
            lambda: mc.Sequential(mc.AvgPool2D(2)),
            "layer 0 is MaxPool2D in the checkpoint and AvgPool2D here",
        ),
        (
            lambda: mc.Sequential(mc.ReLU(), mc.ReLU()),
            lambda: mc.Sequential(mc.ReLU()),
            "Sequential has 2 layers in the checkpoint and 1 here",
        ),
        (
            lambda: mc.Sequential(mc.ReLU()),
            lambda: mc.ReLU(),
            "it is Sequential in the checkpoint and ReLU here",
        ),
        (
            block,
            lambda: block(inner=2),
            "layer 0.0.0 (Conv2D) has out_channels=4 in the checkpoint and 2 here",
        ),
        (
            block,
            lambda: block(shortcut=True),
            "layer 0 (Residual) has shortcut=None in the checkpoint and Conv2D here",
        ),
        (
            lambda: mc.Sequential(mc.BatchNorm2D(3, eps=1e-5)),
            lambda: mc.Sequential(mc.BatchNorm2D(3, eps=1e-3)),
            "layer 0 (BatchNorm2D) has eps=1e-05 in the checkpoint and 0.001 here",
        ),
        (
            lambda: mc.Sequential(*(mc.MaxPool2D(2) for _ in range(5))),
            lambda: mc.Sequential(*(mc.MaxPool2D(3, stride=2) for _ in range(5))),
            "layer 2 (MaxPool2D) has kernel_size=[2, 2] in the checkpoint and [3, 3] here; "
            "and 2 more",
        ),
    ],
)
def test_another_architecture_is_named(
    saved: Callable[[], mc.Layer], own: Callable[[], mc.Layer], message: str, tmp_path: Path
) -> None:
    mc.save(tmp_path / "a.npz", saved())
    net = own()
    before = net.state_dict()
    with pytest.raises(mc.CheckpointError) as caught:
        checkpoint.load_weights(tmp_path / "a.npz", net)
    assert "holds another architecture than this net: " in str(caught.value)
    assert message in str(caught.value)
    assert all(np.array_equal(before[key], value) for key, value in net.state_dict().items())


def test_another_dtype_is_named(tmp_path: Path) -> None:
    mc.save(tmp_path / "a.npz", small_net())
    with pytest.raises(mc.CheckpointError, match=r"0\.weight is float32 .* and float64"):
        checkpoint.load_weights(tmp_path / "a.npz", small_net().astype("float64"))


# --- a kill at any moment ------------------------------------------------------------------------

SAVE_IN_A_LOOP = """
import sys
import minicnn as mc
nets = [mc.Sequential(mc.Linear(400, 400, rng=seed)) for seed in (0, 1)]
print("ready", flush=True)
while True:
    for net in nets:
        mc.save(sys.argv[1], net)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_kill_while_saving_leaves_a_whole_file(tmp_path: Path) -> None:
    """640 kB, saved over and over and killed at random moments: always one net or the other."""
    path = tmp_path / "a.npz"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    expected = [mc.Sequential(mc.Linear(400, 400, rng=seed)).state_dict() for seed in (0, 1)]
    rng = np.random.default_rng(1)
    mc.save(path, mc.Sequential(mc.Linear(400, 400, rng=0)))
    for _ in range(6):
        command = [sys.executable, "-c", SAVE_IN_A_LOOP, str(path)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(float(rng.uniform(0, 0.06)))
            process.kill()
        state = mc.load(path).state_dict()
        assert any(all(np.array_equal(state[key], one[key]) for key in state) for one in expected)


class Scale(mc.Layer):
    """A layer of one's own whose constructor has an argument."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = factor

    def _forward(self, x: Any) -> Any:
        self.save()
        return (self.factor * x).astype(x.dtype)

    def args(self) -> dict[str, Any]:
        return {"factor": self.factor}


class Required(Scale):
    """One that cannot be made without it."""

    def __init__(self, factor: float) -> None:
        super().__init__(factor)

    def args(self) -> dict[str, Any]:
        return {}


class Optional(Scale):
    """One that would silently be made otherwise."""

    def args(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Required(3.0), r"Required 'layer1' could be saved but not loaded: .*'factor'; its args()"),
        (Optional(3.0), "Optional 'layer1' would be loaded with factor=3.0 forgotten: its args()"),
    ],
    ids=["required", "optional"],
)
def test_a_layer_whose_arguments_are_missing_is_not_saved(
    layer: mc.Layer, message: str, tmp_path: Path
) -> None:
    class Block(mc.Sequential):
        pass

    net = mc.Sequential(mc.ReLU(), Block(layer))
    for use in (lambda: mc.save(tmp_path / "a.npz", net), lambda: checkpoint.check_savable(net)):
        with pytest.raises(ValueError, match=message.replace("()", r"\(\)")):
            use()
    assert not list(tmp_path.iterdir())


def test_a_layer_whose_arguments_are_all_there_is_saved(tmp_path: Path) -> None:
    net = mc.Sequential(Scale(3.0), Optional())
    net.eval()
    mc.save(tmp_path / "a.npz", net)
    again = mc.load(tmp_path / "a.npz")
    assert again.config() == net.config()
    assert repr(again) == repr(net)
