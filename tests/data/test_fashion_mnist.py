"""Fashion-MNIST: real files are found, verified and read; damaged or missing ones are named."""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from coatlab.config.compose import compose, resolve
from coatlab.data import fashion_mnist
from coatlab.data.fashion_mnist import FashionMNIST
from coatlab.data.image_data import make_data
from coatlab.errors import InputError


def source(**changes: Any) -> FashionMNIST:
    config = resolve(compose([]))
    data = make_data(config | {"data": config["data"] | changes})
    assert isinstance(data, FashionMNIST)
    return data


@pytest.fixture(scope="module")
def real_folder() -> Path:
    """Return the folder where this machine has the files; they are fetched once if necessary."""
    return source()._find()


@pytest.fixture
def copied(real_folder: Path, tmp_path: Path) -> Path:
    for path in real_folder.glob("*ubyte*"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_images_are_the_real_ones() -> None:
    data = source(train_size=1000, eval_size=500)
    data.setup()
    images = data.load()
    assert images.train.shape == (60_000, 1, 28, 28)
    assert images.test.shape == (10_000, 1, 28, 28)
    assert images.train_labels.bincount().tolist() == [6000] * 10
    pixels = images.train.float() / 255
    assert pixels.mean() == pytest.approx(data.mean.item(), abs=1e-4)
    assert pixels.std() == pytest.approx(data.std.item(), abs=1e-4)
    assert {name: len(part) for name, part in data.sets.items()} == {
        "train": 1000,
        "eval": 500,
        "train_eval": 1000,
        "test": 10_000,
    }


@pytest.mark.slow
def test_no_evaluation_image_is_trained_on() -> None:
    data = source()
    data.setup()
    trained = {image.numpy().tobytes() for image in data.sets["train"].images}
    held_out = [image.numpy().tobytes() for image in data.sets["eval"].images]
    # Fashion-MNIST itself has a few pictures twice; no index is in both sets
    assert sum(image in trained for image in held_out) <= 10
    assert len(data.sets["train"]) + len(data.sets["eval"]) == 60_000


@pytest.mark.parametrize("image_size", [32, 48])
def test_a_batch_is_padded_resized_and_normalized(image_size: int) -> None:
    data = source(train_size=640, image_size=image_size)
    data.setup()
    images, labels = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert images.shape == (128, 1, image_size, image_size)
    assert labels.shape == (128,)
    corner = (0 - data.mean.item()) / data.std.item()
    torch.testing.assert_close(images[:, 0, 0, 0], torch.full((128,), corner))
    assert abs(images.mean()) < 1


def test_unpacked_files_in_a_given_folder_are_read(copied: Path) -> None:
    for path in copied.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert source(root=str(copied)).load().train.shape[0] == 60_000


def test_files_that_were_read_ahead_are_not_unpacked_again(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "_kept", {})
    source(root=str(copied)).read_ahead()

    def again(self: object, path: Path, name: str) -> bytes:
        raise InputError(f"{path.name} is unpacked")

    monkeypatch.setattr(FashionMNIST, "_unpacked", again)
    source(root=str(copied)).read_ahead()
    images = source(root=str(copied)).load()
    monkeypatch.undo()
    expected = source(root=str(copied)).load()
    for name in ("train", "train_labels", "test", "test_labels"):
        assert torch.equal(getattr(images, name), getattr(expected, name))


def test_files_that_have_changed_since_are_read_again(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "_kept", {})
    source(root=str(copied)).read_ahead()
    path = copied / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"\x03"))
    with pytest.raises(InputError, match="does not have the expected content"):
        source(root=str(copied)).load()


def test_nothing_is_fetched_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "PACKAGE_FOLDER", tmp_path / "none")
    monkeypatch.setattr(fashion_mnist, "_fetch_into", lambda *_: pytest.fail("fetched"))
    source(cache=str(tmp_path)).read_ahead()


def test_a_truncated_file_is_named(copied: Path) -> None:
    path = copied / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz is damaged .*delete it"):
        source(root=str(copied)).load()


def test_a_file_with_other_content_is_named(copied: Path) -> None:
    path = copied / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"\x03"))
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte.gz does not have the expected content"):
        source(root=str(copied)).load()


def test_a_given_folder_without_the_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"data.root={tmp_path} does not hold the files of fashion_mnist"):
        source(root=str(tmp_path)).load()


def test_every_place_that_was_tried_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(folder: Path) -> Path:
        raise OSError("no network")

    monkeypatch.setattr(fashion_mnist, "PACKAGE_FOLDER", tmp_path / "none")
    monkeypatch.setattr(fashion_mnist, "_fetch_package", no_network)
    monkeypatch.setattr(fashion_mnist, "_fetch_torchvision", no_network)
    with pytest.raises(
        InputError, match=r"tried the folder .*the cache .*Debian's package .*no network.*torchvision's download"
    ):
        source(cache=str(tmp_path)).load()
    assert not list(tmp_path.iterdir())


def test_the_package_is_fetched_and_unpacked_without_root(
    tmp_path: Path, real_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replace apt-get and dpkg-deb: the first download fails for lack of package lists, the second succeeds."""
    calls: list[list[str]] = []

    def run(words: list[str], folder: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
        calls.append(words)
        if words[0] == "dpkg-deb":
            shutil.copytree(
                real_folder, Path(words[-1]) / "usr/share/datasets/fashion-mnist", copy_function=shutil.copy
            )
        elif "download" in words and len(calls) > 1:
            (folder / "dataset-fashion-mnist_0_all.deb").touch()
        return subprocess.CompletedProcess(words, 100 if len(calls) == 1 else 0, "", "")

    monkeypatch.setattr(fashion_mnist, "PACKAGE_FOLDER", Path("/usr/share/datasets/fashion-mnist"))
    monkeypatch.setattr(fashion_mnist, "_run", run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    fashion_mnist._fetch_into(tmp_path / "cache", fashion_mnist._fetch_package)
    assert [words[0] for words in calls] == ["apt-get", "apt-get", "apt-get", "dpkg-deb"]
    assert "update" in calls[1]
    data = source(root=str(tmp_path / "cache"))
    assert data.load().test.shape[0] == 10_000
